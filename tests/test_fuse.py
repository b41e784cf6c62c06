"""Are two steps made one only where the bytes stay, and wherever they do?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from test_passes import conv

from tinystream.ops.add import Add
from tinystream.ops.leaky_relu import LeakyRelu
from tinystream.ops.limit import Limit
from tinystream.ops.logistic import Logistic
from tinystream.ops.pad import Pad
from tinystream.ops.relu import Relu
from tinystream.ops.relu6 import Relu6
from tinystream.ops.requantize import Requantize
from tinystream.plan.fuse import fused
from tinystream.plan.plan import Wiring, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine

X = Signal((4, 3, 2), "int8", Fraction(10), 0.05, -3)


def chain(*operators) -> list:
    wiring, x = Wiring(), X
    for operator in operators:
        wiring.add(operator.plan(x), [len(wiring.steps) - 1])
        x = wiring.steps[-1].y
    return wiring.steps


def outputs(steps, index):
    x = np.random.default_rng(5).integers(-128, 128, (60, *X.shape)).astype(np.int8)
    x[0], x[1] = -128, 127
    return Engine(plan_steps("fused", (X,), steps)).push(x)[index].y


def conv_to(**options):
    return replace(conv((4, 3, 2), (3, 3), 5, padding="same", **options), y_scale=0.03, y_zero=4)


RELU_THERE = Relu(0.03, 4)  # at the scale of what conv_to gives
CHAINS = {
    "a relu at the scale of a layer": ([conv_to(), RELU_THERE], ["conv_2d"]),
    "a relu6 behind a fused activation": ([conv_to(activation="relu"), Relu6()], ["conv_2d"]),
    "clamps one after the other": ([conv_to(), Limit(low=-20), Limit(high=90), RELU_THERE], ["conv_2d"]),
    "a relu at another scale": ([conv_to(), Relu(0.02, 4)], ["conv_2d", "relu"]),
    "a table that is no clamp": ([conv_to(), LeakyRelu(0.1, 0.03, 4)], ["conv_2d", "leaky_relu"]),
    "tables one after the other": ([Requantize(0.02, 9), Relu(0.03, -128), Logistic()], ["logistic"]),
    "a layer, then tables": ([conv_to(), Requantize(0.1, 0), Logistic()], ["conv_2d", "logistic"]),
    "a clamp before a layer stays": ([Limit(low=0), replace(conv_to(), x_shape=X.shape)], ["limit", "conv_2d"]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_bytes_stay_and_the_steps_are_few(name):
    operators, kinds = CHAINS[name]
    steps = chain(*operators)
    after, at = fused(steps)
    assert [step.kind for step in after] == kinds
    assert at[-1] == len(after) - 1
    np.testing.assert_array_equal(outputs(after, at[-1]), outputs(steps, len(steps) - 1))


def padded_by(pads, value=-3, shape=(4, 3, 2)) -> Pad:
    return Pad((1, *shape), ((0, 0), *pads), value)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("pads", [((1, 2), (3, 0)), ((0, 0), (1, 1)), ((2, 1), (0, 0)), ((0, 1), (0, 1)), ((3, 3), (3, 3))])
def test_windows_over_a_padded_image_read_it_as_it_is(pads, padding):
    pad = padded_by((*pads, (0, 0)))
    steps = chain(pad, replace(conv(pad.y_shape[1:], (3, 3), 5, padding=padding, stride=(2, 1)), y_scale=0.03, y_zero=4))
    after, at = fused(steps)
    assert [step.kind for step in after] == ["conv_2d"]
    np.testing.assert_array_equal(outputs(after, at[-1]), outputs(steps, 1))


@pytest.mark.parametrize(("pads", "value"), [(((1, 1), (1, 1), (0, 0)), -4), (((0, 0), (0, 0), (1, 1)), -3)])
def test_padding_with_something_else_or_of_channels_stays(pads, value):
    pad = padded_by(pads, value)
    steps = chain(pad, replace(conv(pad.y_shape[1:], (2, 2), 5), y_scale=0.03, y_zero=4))
    assert [step.kind for step in fused(steps).steps] == ["pad", "conv_2d"]


def test_an_image_of_one_row_that_is_padded_is_read_as_it_is():
    pad = padded_by(((2, 2), (1, 1), (0, 0)), shape=(1, 12, 2))
    steps = chain(pad, replace(conv(pad.y_shape[1:], (3, 3), 5), y_scale=0.03, y_zero=4))
    after, at = fused(steps)
    assert [step.kind for step in after] == ["conv_2d"]
    np.testing.assert_array_equal(outputs(after, at[-1]), outputs(steps, 1))


def test_what_two_read_is_not_taken_away():
    wiring = Wiring()
    first = wiring.add(conv_to().plan(X), [-1])
    relu = wiring.add(RELU_THERE.plan(wiring.steps[first].y), [first])
    wiring.add(Add(0.05, 2).plan(wiring.steps[first].y, wiring.steps[relu].y), [first, relu])
    after, _ = fused(wiring.steps)
    assert [step.kind for step in after] == ["conv_2d", "relu", "add"]
    np.testing.assert_array_equal(outputs(after, 2), outputs(wiring.steps, 2))


def test_what_somebody_looks_at_is_not_taken_away():
    steps = chain(conv_to(), RELU_THERE)
    assert [step.kind for step in fused(steps, keep=[0]).steps] == ["conv_2d", "relu"]
    assert fused(steps, keep=[1]).at == [None, 0]


def test_the_unit_of_the_output_is_that_of_the_last():
    after, _ = fused(chain(conv_to(), Relu(0.03, 4)))
    assert (after[0].y.scale, after[0].y.zero, after[0].params["low"]) == (0.03, 4, 4)
