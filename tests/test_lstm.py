"""Is the fused LSTM that of TFLM, call after call?  And which forms of it are refused?

TFLite's own int8 kernel rounds in other places, between tensors that TFLM does not look at, and is no oracle.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from lstm_model import INT16, lstm_model
from operator_model import INT8, INT32
from shared import shared

from tinystream.errors import ModelError
from tinystream.ops.unidirectional_sequence_lstm import EXAMPLES, UnidirectionalSequenceLstm
from tinystream.plan.model import parse_model, read_model
from tinystream.plan.plan import plan_model, plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.native import Native


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def random_layer(seed):
    """A layer whose gates may be anything from dead to saturated, and a signal for it."""
    rng = np.random.default_rng(seed)
    steps, batches, inputs, units = (int(n) for n in rng.integers(1, [7, 4, 12, 11]))
    weight, recurrent = (rng.integers(-128, 128, (4, units, n)).astype(np.int8) for n in (inputs, units))
    bias = (rng.integers(-(2**14), 2**14, (4, units)) >> rng.integers(0, 8)).astype(np.int32)
    scales = [np.exp(rng.uniform(-9, -3, 4)).astype(np.float32).astype(np.float64) for _ in range(2)]
    clip = float(rng.choice([0, 0, 0.3, 0.05, 5, 100]))
    zero, y_scale = int(rng.integers(-128, 128)), float(np.float32(rng.uniform(0.001, 0.03)))
    power = 2.0 ** -int(rng.integers(6, 16))
    layer = UnidirectionalSequenceLstm(steps, batches, bool(seed % 2), weight, recurrent, bias, *scales, power, clip, y_scale, zero)
    rows = (steps, batches, inputs) if layer.time_major else (batches, steps, inputs)
    scale, zero = float(np.float32(rng.uniform(0.003, 0.1))), int(rng.integers(-128, 128))
    return layer, Signal(rows[1:] if rows[0] == 1 else rows, "int8", Fraction(1), scale, zero)


def awkward(x, seed):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(-128, 128, (60, *x.shape), dtype=np.int8)
    blocks[10:20], blocks[20:30], blocks[30:35] = -128, 127, x.zero
    blocks[40:] = np.clip(rng.normal(x.zero, 5, (20, *x.shape)), -128, 127)
    return blocks


def outputs_of_tflm(data, blocks):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    for block in blocks:
        tflm.set_input(block.reshape(tflm.get_input_details(0)["shape"]), 0)
        tflm.invoke()
        yield tflm.get_output(0).ravel().copy()


@pytest.mark.parametrize("case", [*[f"example {i}" for i in range(len(EXAMPLES))], *range(60)])
def test_calls_one_after_the_other_give_what_tflm_gives(case):
    layer, x = EXAMPLES[int(case[8:])] if isinstance(case, str) else random_layer(case)
    data = lstm_model(layer, x)
    plan = plan_model(parse_model(data, "lstm.tflite"))
    blocks = awkward(plan.x[0], 1)
    y = Engine(plan).push(blocks)[0].y
    assert len(np.unique(y)) > 1, "a layer that gives one value tests nothing"
    for n, want in enumerate(outputs_of_tflm(data, blocks)):
        np.testing.assert_array_equal(y[n].ravel(), want, err_msg=f"call {n}")


@pytest.mark.parametrize("seed", [2, 5, 12, 19])
def test_the_generated_c_gives_the_same_also_after_a_reset(seed):
    layer, x = random_layer(seed)
    plan = plan_stage("lstm", layer, x)
    blocks = awkward(x, 2)
    y, native = Engine(plan).push(blocks)[0].y, Native(plan)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([native.push(blocks[:7])[0].y, native.push(blocks[7:])[0].y]), y)
        native.reset()


def test_a_trained_layer_gives_the_golden_outputs_of_tflm():
    """Ten images, one after the other on one interpreter: what it remembers of one is there for the next."""
    plan = plan_model(read_model(shared("data", "models", "tflm", "trained_lstm_int8.tflite")))
    with np.load(shared("data", "golden_tflm", "tflm__trained_lstm_int8.npz")) as file:
        x, want = file["in0"].reshape(-1, *plan.x[0].shape), file["out0"]
    for engine in (Engine(plan), Native(plan)):
        np.testing.assert_array_equal(engine.push(x)[len(plan.steps) - 1].y.reshape(want.shape), want)
    forgetful, alone = Engine(plan), []
    for block in x:
        forgetful.reset()
        alone.append(forgetful.push(block[None])[len(plan.steps) - 1].y)
    assert (np.concatenate(alone).reshape(want.shape) != want).any()


def vector(units, kind=INT16):
    return ([units], kind, np.zeros(units, {INT16: np.int16, INT8: np.int8, INT32: np.int32}[kind]).tobytes(), [0.01], [0], 0)


LAYER, X = EXAMPLES[0]
UNITS = LAYER.weight.shape[1]


@pytest.mark.parametrize(
    ("changed", "options", "says"),
    [
        ({10: vector(UNITS)}, {}, "UNIDIRECTIONAL_SEQUENCE_LSTM (#0) of the model has peephole weights; only the standard layer"),
        ({16: vector(UNITS, INT8)}, {}, "has a projection"),
        ({21: vector(UNITS)}, {}, "has layer normalisation"),
        ({6: None}, {}, "has no weights or no bias of its forget gate"),
        ({15: None}, {}, "has no weights or no bias of its output gate"),
        ({}, {0: ("int8", 1)}, "has the activation 1; only TANH is supported"),
        ({}, {1: ("float32", float("nan"))}, "has a cell clip of nan"),
        ({19: ([1, UNITS], INT16, None, [0.0003], [0], 0, True)}, {}, "a cell state of int16 whose scale is a power of two are supported"),
        ({19: ([1, UNITS], INT8, None, [2.0**-7], [0], 0, True)}, {}, "a cell state of int16 whose scale is a power of two are supported"),
        ({18: ([2, UNITS], INT8, None, [0.01], [0], 0, True)}, {}, "has weights, biases or states that do not fit"),
        ({13: vector(UNITS + 1, INT32)}, {}, "has weights, biases or states that do not fit"),
        ({3: ([UNITS, 5], INT8, bytes(5 * UNITS), [0.01] * UNITS, [0] * UNITS, 0)}, {}, "has weights with several scales"),
        ({}, {3: ("uint8", 1)}, "has weights, biases or states that do not fit"),
    ],
)
def test_other_forms_are_refused(changed, options, says):
    with pytest.raises(ModelError) as error:
        plan_model(parse_model(lstm_model(LAYER, X, changed, options), "lstm.tflite"))
    assert says in error.value.what
    assert error.value.help or "several scales" in says


def test_a_sum_that_may_leave_32_bits_is_refused():
    with pytest.raises(ModelError, match="an LSTM's cell gate has a sum that may exceed 32 bits: 2147577598"):
        replace(LAYER, bias=np.where(np.arange(4)[:, None] == 2, np.int32(2**30), LAYER.bias), weight_scale=np.full(4, 0.02)).plan(X)
    with pytest.raises(ModelError, match="has a hidden state of scale 1e-10, whose values exceed 32 bits"):
        replace(LAYER, y_scale=1e-10).plan(X)
