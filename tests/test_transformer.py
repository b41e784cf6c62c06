"""Are small transformers, as TFLite's converter makes them, what TFLM and TFLite's reference kernels compute?  tests/models made them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from tinystream.plan.flatbuffer import Table
from tinystream.plan.model import SUBGRAPHS, read_model
from tinystream.plan.operator import ALIASES
from tinystream.plan.plan import plan_model
from tinystream.run.engine import Engine
from tinystream.run.native import Native

FOLDER = Path(__file__).parent / "models"
WORDS = 32


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def sentences(count):
    """Sequences of words; the first ones of one word each, and some words counted from the end."""
    x = np.random.default_rng(5).integers(0, WORDS, (count, 16)).astype(np.int32)
    x[:4] = np.array([0, WORDS - 1, 7, -1], np.int32)[:, None]
    x[4] -= WORDS
    return x


def test_every_tensor_of_a_model_of_words_is_that_of_tflites_reference_kernels():
    tflite = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime")
    path = FOLDER / "words.tflite"
    model = read_model(path)
    plan = plan_model(model)
    operators = [op for op in model.needed if op.kind not in ALIASES]
    assert len(operators) == len(plan.steps), "each operator is a step"
    assert {"batch_matmul", "embedding", "function", "mean", "rsqrt", "softmax", "squared_difference"} <= {s.kind for s in plan.steps}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tflite.Interpreter(
            str(path), experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF, experimental_preserve_all_tensors=True
        )
    interpreter.allocate_tensors()
    x = sentences(30)
    host, native = Engine(plan).push(x), Native(plan).push(x)
    seen, last = 0, operators[-1].y
    in_file = next(iter(Table.root(path.read_bytes()).tables(SUBGRAPHS))).count(0)
    hidden = worked_over(interpreter, [op for op in operators if op.y.index < in_file])
    for n in range(len(x)):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x[n][None])
        interpreter.invoke()
        for i, op in enumerate(operators):
            np.testing.assert_array_equal(native[i].y[n], host[i].y[n], err_msg=f"{op.label} in C, input {n}")
            if op.y.index < in_file and op.y.index not in hidden:
                want = interpreter.get_tensor(op.y.index).ravel()
                np.testing.assert_array_equal(host[i].y[n].ravel(), want, err_msg=f"{op.label}, input {n}")
                seen += 1
        real = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel()
        np.testing.assert_array_equal(
            ((host[len(operators) - 1].y[n].astype(np.float32) - last.zero) * np.float32(last.scale)).ravel(), real
        )
    assert seen >= 70 * len(x), "most of its tensors can be looked at"


def worked_over(interpreter, operators):
    """Tensors in whose memory a later operator of the interpreter puts its own output."""
    place = {op.y.index: interpreter.tensor(op.y.index)().__array_interface__["data"][0] for op in operators}
    return {t.index for op in operators for t in op.flowing if t.index in place and place[t.index] == place[op.y.index]}


def test_a_model_of_moves_gives_what_tflm_gives():
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    path = FOLDER / "moves.tflite"
    plan = plan_model(read_model(path))
    (s,) = plan.x
    rng = np.random.default_rng(6)
    x = np.clip(rng.normal(s.zero, rng.uniform(1, 90, (60, 1, 1)), (60, *s.shape)), -128, 127).astype(np.int8)
    x[0], x[1], x[2], x[3] = -128, 127, s.zero, np.where(np.arange(s.size).reshape(s.shape) % 2, -128, 127)
    last = len(plan.steps) - 1
    y = Engine(plan).push(x)[last].y
    np.testing.assert_array_equal(Native(plan).push(x)[last].y, y)
    assert len(np.unique(y.reshape(len(y), -1).argmax(axis=1))) == 4, "each class is recognised somewhere"
    tflm = runtime.Interpreter.from_file(str(path), arena_size=1 << 18)
    for n in range(len(x)):
        tflm.set_input(x[n][None], 0)
        tflm.invoke()
        np.testing.assert_array_equal(y[n].ravel(), tflm.get_output(0).ravel(), err_msg=f"input {n}")
