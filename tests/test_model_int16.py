"""Are compiled models with int16 in them what TFLM computes?  Its golden outputs, and TFLM itself on awkward inputs."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from operator_model_int16 import operator_model_int16
from shared import shared

from tinystream import App, Microphone, Model
from tinystream.detectors import Smoothed
from tinystream.ops.fully_connected_int16 import FullyConnectedInt16
from tinystream.plan.model import parse_model, read_model
from tinystream.plan.plan import plan_model
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.stages import Quantize, Stack

COUNTS = dict(add=9, conv=11, leaky_relu=12, pad=10, quantize=1, strided_slice=17, sub=3, transpose_conv=3)
ONE_OPERATOR = [f"{kind}/{kind}{2 * n}" for kind, count in COUNTS.items() for n in range(count)]
KEYWORD = "tflm/keyword_scrambled_8bit"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def path(name):
    folder = "models" if name == KEYWORD else "models/tflm_seanet_int16"
    return shared("data", *folder.split("/"), f"{name}.tflite")


@cache
def compiled(name):
    """The plan of a model alone."""
    return plan_model(read_model(path(name)))


def last(plan, fired):
    return fired[len(plan.steps) - 1].y


def awkward(s, count, seed):
    """Every loudness, and the corners."""
    rng, info = np.random.default_rng(seed), np.iinfo(s.dtype)
    x = rng.integers(info.min, info.max + 1, (count, *s.shape), np.int64) >> rng.integers(0, info.bits - 1, (count,) + (1,) * len(s.shape))
    x[0], x[1], x[2] = info.min, info.max, np.where(np.arange(s.size) % 2, info.min, info.max).reshape(s.shape)
    return x.astype(s.dtype)


def shape_input(name):
    """What tells the shape of the output where the file's input 0 does so; to us it is a constant."""
    return (np.array([1, *compiled(name).steps[-1].y.shape], np.int32),) if name.startswith("transpose_conv") else ()


def tflm_outputs(data, x, *told):
    """told: what the file wants as inputs before ours."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    y = []
    for blocks in zip(*x):
        for i, block in enumerate((*told, *blocks)):
            tflm.set_input(block.reshape(tflm.get_input_details(i)["shape"]), i)
        tflm.invoke()
        y.append(tflm.get_output(0).ravel())
    return np.stack(y)


def tflite_outputs(data, x):
    tflite = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime")
    interpreter = tflite.Interpreter(model_content=data, experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    (given,), (made,), y = interpreter.get_input_details(), interpreter.get_output_details(), []
    for block in x[0]:
        interpreter.set_tensor(given["index"], block.reshape(given["shape"]))
        interpreter.invoke()
        y.append(interpreter.get_tensor(made["index"]).ravel())
    return np.stack(y)


@pytest.mark.parametrize("name", ONE_OPERATOR)
def test_outputs_are_the_golden_ones(name):
    plan = compiled(name)
    x = []
    for i, s in enumerate(plan.x, len(shape_input(name))):
        file = path(name).with_name(f"{path(name).stem}_input{i}_{s.dtype}.csv")
        x.append(np.loadtxt(file, delimiter=",", dtype=s.dtype).reshape(1, *s.shape))
    want = np.loadtxt(path(name).with_name(f"{path(name).stem}_golden_int16.csv"), delimiter=",", dtype=np.int16).ravel()
    np.testing.assert_array_equal(last(plan, Engine(plan).push(*x)).ravel(), want)
    np.testing.assert_array_equal(last(plan, Native(plan).push(*x)).ravel(), want)


@pytest.mark.parametrize("name", ONE_OPERATOR)
def test_awkward_inputs_give_what_the_reference_kernels_give(name):
    plan = compiled(name)
    x = [awkward(s, 24, i) for i, s in enumerate(plan.x)]
    y = last(plan, Engine(plan).push(*x))
    np.testing.assert_array_equal(last(plan, Native(plan).push(*x)), y)
    # ratios of scales are float32 in LEAKY_RELU, and the golden outputs are of them; the compiler of TFLM's package took float64
    outputs = tflite_outputs if name.startswith("leaky_relu") else tflm_outputs
    np.testing.assert_array_equal(y.reshape(24, -1), outputs(path(name).read_bytes(), x, *shape_input(name)))


def test_a_keyword_model_gives_the_golden_scores_call_after_call():
    plan = compiled(KEYWORD)
    with np.load(shared("data", "golden_tflm", f"{KEYWORD.replace('/', '__')}.npz")) as file:
        x, want = file["in0"].reshape(-1, *plan.x[0].shape), file["out0"].reshape(len(file["in0"]), -1)
    np.testing.assert_array_equal(last(plan, Engine(plan).push(x)), want)
    np.testing.assert_array_equal(last(plan, Native(plan).push(x)), want)


def test_a_keyword_model_stays_with_tflm_over_hundreds_of_calls():
    """Its scrambled biases hold nearly every value at an end of its range; a 2**20th of them lets the values move."""
    data = path(KEYWORD).read_bytes()
    for operator in read_model(path(KEYWORD)).operators:
        if operator.kind in ("svdf", "fully_connected"):
            bias = operator.constant(3 if operator.kind == "svdf" else 2, "int32")
            assert data.count(bias.tobytes()) == 1
            data = data.replace(bias.tobytes(), (bias >> (20 if bias.size > 2 else 22)).tobytes())
    plan = plan_model(parse_model(data, "keyword.tflite"))
    x = np.random.default_rng(5).normal(0, 12000, (400, *plan.x[0].shape))
    x = np.clip(x, -32768, 32767).astype(np.int16)
    y = last(plan, Engine(plan).push(x))
    assert len(np.unique(y)) > 20, "scores that do not move compare nothing"
    np.testing.assert_array_equal(y, tflm_outputs(data, [x]))
    np.testing.assert_array_equal(last(plan, Native(plan).push(x)), y)


def test_an_app_gives_a_model_the_int16_that_it_takes(tmp_path):
    weight = np.random.default_rng(0).integers(-127, 128, (2, 20)).astype(np.int8)
    model = FullyConnectedInt16(weight, np.zeros(2, np.int64), np.array([0.01]), 2.0**-9)
    (tmp_path / "model.tflite").write_bytes(operator_model_int16("fully_connected_int16", model, [Signal((20,), "int16", 1, 2.0**-13)]))
    app = App(
        name="clap",
        source=Microphone(rate_hz=8_000, block_ms=0.625),
        stages=[Quantize(), Stack(frames=4)],
        model=Model("model.tflite", labels=["other", "clap"]),
        detect=Smoothed(labels=["clap"], threshold=0.5),
    )
    plan = app.plan(tmp_path)
    x = awkward(plan.x[0], 60, 0)
    fired, in_c = Engine(plan).push(x), Native(plan).push(x)
    np.testing.assert_array_equal(fired[0].y, np.floor(x / 4 + 0.5).astype(np.int16))      # from 2**-15 to 2**-13
    assert len(fired[plan.detector].when) > 1
    for i in fired:
        np.testing.assert_array_equal(in_c[i].y, fired[i].y)
