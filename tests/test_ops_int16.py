"""Does each operator on int16 alone compute what TFLM and TFLite's reference kernels compute, with every option of its examples?"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from operator_model_int16 import FILES, KINDS, operator_model_int16

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
