"""Does each operator alone compute what TFLM and TFLite's reference kernels compute, with every option of its examples?"""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from operator_files import MORE_FILES
from operator_model import FILES, OPTIONS, operator_model

from tinystream.errors import ModelError
from tinystream.ops.conv_2d import Conv2d
from tinystream.ops.softmax import Softmax
from tinystream.plan.model import parse_model
from tinystream.plan.plan import plan_model
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine

CASES = [(kind, i) for kind in OPTIONS for i in range(len(import_module(f"tinystream.ops.{kind}").EXAMPLES))]
FILES = {**FILES, **MORE_FILES}
CASES += [(name, 0) for name in FILES]
IDS = [f"{kind}-{i}" for kind, i in CASES]


def file_of(kind, i):
    if kind in FILES:
        return FILES[kind]()
    operator, *x = import_module(f"tinystream.ops.{kind}").EXAMPLES[i]
    return operator_model(kind, operator, x)


def compiled(kind, i):
    """(file, inputs, outputs) of an example, through a file and back."""
    data = file_of(kind, i)
    model = parse_model(data, "operator.tflite")
    plan = plan_model(model)
    x = plan.x
    rng = np.random.default_rng(i)
    blocks = [counts(rng, s, least=s.zero if kind == "rsqrt" else -128) for s in x]
    if kind.startswith("div"):  # by 0 is not defined
        divisor = -1
        blocks[divisor][blocks[divisor] == x[divisor].zero] += 1
    return data, blocks, Engine(plan).push(*blocks)[len(plan.steps) - 1].y


def counts(rng, s, least):
    """Random and extreme values of an input; of places such as its readers have; where a root is taken, none below 0."""
    if s.dtype != "int8":
        return rng.integers(0, 4, (24, *s.shape)).astype(s.dtype)
    block = rng.integers(-128, 128, (24, *s.shape), dtype=np.int8)
    block[0], block[1], block[2] = -128, 127, s.zero
    block[3] = np.clip(rng.normal(s.zero, 3, s.shape), -128, 127)
    return np.maximum(block, np.int8(least))


# TFLite makes two tables from float exp: one count off TFLM's integers where they nearly tie; its int8 SUM is not TFLM's,
# and its SVDF takes int16 weights over time
NOT_TFLITES = ("logistic", "tanh", "sum", "sum of an image", "svdf", "svdf above", "svdf below")
NOT_TFLITES += ("div", "div by a number", "div of a number", "div of one by many")  # which TFLite 2.14 has of uint8 only
NOT_TFLITES += ("batch_matmul of one turned",)  # TFLite 2.14 takes the turned matrices for one with other sides
# of these TFLM has no int8, or no places of 64 bits, or not the operator
NOT_TFLMS = ("gelu", "gelu approximate", "exp", "arg_max of 64 bits", "gather of 64 bits", "transpose of six")
NOT_OF_TFLM = {*((kind, 0) for kind in NOT_TFLMS), ("div", 4)}  # it shifts by more than 31 bits there


@pytest.mark.parametrize(("kind", "i"), [c for c in CASES if c[0] not in NOT_TFLITES], ids=[i for i in IDS if i[:-2] not in NOT_TFLITES])
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


@pytest.mark.parametrize(
    ("kind", "i"), [c for c in CASES if c not in NOT_OF_TFLM], ids=[i for i, c in zip(IDS, CASES) if c not in NOT_OF_TFLM]
)
def test_an_operator_is_that_of_tflm(kind, i):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    data, blocks, y = compiled(kind, i)
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    for n in range(len(y)):
        for j, block in enumerate(blocks):
            tflm.set_input(block[n].reshape(tflm.get_input_details(j)["shape"]), j)
        tflm.invoke()
        np.testing.assert_array_equal(y[n].ravel(), tflm.get_output(0).ravel(), err_msg=f"input {n}")


def test_a_sum_that_may_leave_32_bits_is_refused():
    layer = Conv2d((1, 1, 1), np.ones((1, 1, 1, 1), np.int8), np.array([2**31 - 100], np.int32), np.ones(1), 1.0, 0)
    with pytest.raises(ModelError, match="may exceed 32 bits: 2147483803"):
        layer.plan(Signal((1, 1, 1), "int8", Fraction(1), 1.0, -128))


def test_a_window_larger_than_its_image_is_refused():
    layer = Conv2d((2, 2, 1), np.ones((1, 3, 3, 1), np.int8), np.zeros(1, np.int32), np.ones(1), 1.0, 0)
    with pytest.raises(ModelError, match="a window of 3 does not fit an image of 2x2x1"):
        layer.plan(Signal((2, 2, 1), "int8", Fraction(1), 1.0, 0))


def test_a_softmax_beyond_what_is_defined_is_refused():
    with pytest.raises(ModelError, match="a softmax over 512 classes; its arithmetic is defined for 511 at most"):
        Softmax(512).plan(Signal((512,), "int8", Fraction(1), 1.0, 0))
