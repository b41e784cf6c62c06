"""Does each operator on int16 alone compute what TFLM and TFLite's reference kernels compute, with every option of its examples?"""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from operator_model import one_operator
from operator_model_int16 import FILES, KINDS, operator_model_int16, tensor

from tinystream.errors import ModelError
from tinystream.ops.conv_2d_int16 import Conv2dInt16
from tinystream.plan.model import parse_model
from tinystream.plan.plan import plan_model
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine

CASES = [(kind, i) for kind in KINDS for i in range(len(import_module(f"tinystream.ops.{kind}").EXAMPLES))]
CASES += [(name, 0) for name in FILES]
IDS = [f"{kind}-{i}" for kind, i in CASES]


def compiled(kind, i):
    """(file, inputs, outputs) of an example, through a file and back."""
    if kind in FILES:
        data = FILES[kind]()
    else:
        operator, *x = import_module(f"tinystream.ops.{kind}").EXAMPLES[i]
        data = operator_model_int16(kind, operator, x)
    model = parse_model(data, "operator.tflite")
    plan = plan_model(model)
    blocks = [awkward(s, seed=i + 10 * j) for j, s in enumerate(plan.x)]
    return data, blocks, Engine(plan).push(*blocks)[len(plan.steps) - 1].y


def awkward(s: Signal, seed: int) -> np.ndarray:
    """Every loudness, and the corners."""
    rng, info = np.random.default_rng(seed), np.iinfo(s.dtype)
    x = rng.integers(info.min, info.max + 1, (40, *s.shape), np.int64) >> rng.integers(0, info.bits - 1, (40,) + (1,) * len(s.shape))
    x[0], x[1], x[2] = info.min, info.max, s.zero
    return x.astype(s.dtype)


@pytest.mark.parametrize(("kind", "i"), CASES, ids=IDS)
def test_an_operator_is_that_of_tflm(kind, i):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    data, blocks, y = compiled(kind, i)
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    for n in range(len(y)):
        for j, block in enumerate(blocks):
            tflm.set_input(block[n].reshape(tflm.get_input_details(j)["shape"]), j)
        tflm.invoke()
        np.testing.assert_array_equal(y[n].ravel(), tflm.get_output(0).ravel(), err_msg=f"input {n}")


# TFLite of 2023 has no QUANTIZE from int8 to int16, gives SUM no scale of its own, fills the tables of SOFTMAX in float64, wants a bias
# in CONV_2D and one of 64 bits in TRANSPOSE_CONV, and takes a missing one of FULLY_CONNECTED for 32 bits
NOT_TFLITES = {
    *("requantize_wide-0", "requantize_wide-1", "softmax_int16-1", "sum_int16-0", "sum_int16-1", "transpose_conv of an int16 bias-0"),
    *("conv_2d without a bias-0", "conv_2d without an int32 bias-0", "fully_connected without a bias-0"),
}
TFLITES = [n for n, name in enumerate(IDS) if name not in NOT_TFLITES]


@pytest.mark.parametrize(("kind", "i"), [CASES[n] for n in TFLITES], ids=[IDS[n] for n in TFLITES])
def test_an_operator_is_that_of_tflites_reference_kernels(kind, i):
    tflite = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime")
    data, blocks, y = compiled(kind, i)
    interpreter = tflite.Interpreter(model_content=data, experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    for n in range(len(y)):
        for details, block in zip(interpreter.get_input_details(), blocks):
            interpreter.set_tensor(details["index"], block[n].reshape(details["shape"]))
        interpreter.invoke()
        want = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_array_equal(y[n].ravel(), want.ravel(), err_msg=f"input {n}")


# --- what is refused ----------------------------------------------------------------------------------------------------


def added(a, b, y):
    return one_operator("ADD", [a, b], [y], 11, {})


X = tensor((1, 4))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: added(X, X, tensor((1, 4), zero=3)), "has 't2' of int16 with zero 3; int16 is counted from 0"),
        (lambda: added(X, tensor((4,), zero=5, data=[1, 2, 3, 4]), X), "has a constant of int16 with zero 5"),
        (lambda: added(X, tensor((4,), "int8", data=[1, 2, 3, 4]), X), "has the constant 't1' of type 4 int8 with scale 0.0005"),
        (lambda: added(X, tensor((1, 4), "int8"), X), "mixes 4 int16 with scale 0.0005, zero 0 and 4 int8 with scale 0.0005, zero 0"),
        (lambda: one_operator("ABS", [X], [X], 78, {}), "1 operators of operator.tflite have no integer kernel here: ABS of int16 (#0)"),
        (lambda: one_operator("LOGISTIC", [X], [X]), "to scale 2**-15 is defined"),
        (lambda: one_operator("SOFTMAX", [X], [X], 9, {0: ("float32", 1.0)}), "only int16 of scale 2**-15 is defined"),
        (lambda: one_operator("QUANTIZE", [tensor((1, 4), "int32")], [tensor((1, 4), "int32")]), "goes from int32 to int32"),
    ],
)
def test_what_is_not_computed_on_int16_is_refused_and_named(data, says):
    with pytest.raises(ModelError) as error:
        parse_and_plan(data())
    assert says in error.value.what


def parse_and_plan(data):
    model = parse_model(data, "operator.tflite")
    return model.plan(*(Signal(t.dims, t.dtype, Fraction(30), t.scale, t.zero) for t in model.inputs))


def layer(weight, bias, y_scale):
    return Conv2dInt16((1, 1, 1), np.full((1, 1, 1, 1), weight, np.int8), np.array([bias]), np.ones(1), y_scale)


@pytest.mark.parametrize(
    ("conv", "says"),
    [
        (layer(1, 2**47 - 2**15, 2.0**20), "a sum may exceed 48 bits"),
        (layer(1, np.int32(2**31 - 2**15), 1.0), "a sum may exceed 32 bits"),
        (layer(127, 0, 2.0**-9), "output may exceed 32 bits"),
    ],
)
def test_a_sum_or_an_output_that_may_not_fit_is_refused(conv, says):
    with pytest.raises(ModelError, match=says.replace("a sum", "whose sum")):
        conv.plan(Signal((1, 1, 1), "int16", Fraction(1), 1.0))


def test_a_sum_that_just_fits_is_computed():
    step = layer(1, 2**47 - 2**15 - 1, 2.0**20).plan(Signal((1, 1, 1), "int16", Fraction(1), 1.0))
    assert step.run(step.k, None, np.array([[[[-32768]]]], np.int16)).item() == 32767


@pytest.mark.parametrize("dtype", ["int32", "int16"])
def test_a_depthwise_bias_of_another_type_is_refused(dtype):
    """TFLM would read it as 64 bits."""
    inputs = [tensor((1, 3, 3, 2)), tensor((1, 2, 2, 2), "int8", 0.004, data=np.ones(8)), tensor([2], dtype, 2e-6, data=[1, 2])]
    options = {0: ("int8", 1), 1: ("int32", 1), 2: ("int32", 1), 3: ("int32", 1), 5: ("int32", 1), 6: ("int32", 1)}
    with pytest.raises(ModelError, match=f"has 't2' of type {dtype}, and is computed with int64 only"):
        parse_and_plan(one_operator("DEPTHWISE_CONV_2D", inputs, [tensor((1, 2, 2, 2))], 2, options))
