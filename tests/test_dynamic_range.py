"""Is a window scaled as MLTK's firmware scales it?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.native import Native
from tinystream.stages.dynamic_range import DynamicRange, run

WINDOW = Signal((2, 3), "uint16", Fraction(10), 2.5 / 64, unit="log energy")


def firmware(values: list[int], dynamic_range: int) -> list[int]:
    """One value at a time; C's division cuts toward 0."""
    highest = max(0, *values)
    lowest = max(highest - dynamic_range, 0)
    span = max(highest - lowest, 1)
    return [min(max(int((v - lowest) * 255 / span) - 128, -128), 127) for v in values]


def test_by_hand():
    stage = DynamicRange(range=100 * 2.5 / 64).plan(WINDOW)
    y = run(stage.k, None, np.array([[[600, 599, 550], [500, 499, 0]]], np.uint16))
    assert y.tolist() == [[[127, 124, -1], [-128, -128, -128]]]


def test_a_quiet_window_uses_what_there_is():
    stage = DynamicRange(range=100 * 2.5 / 64).plan(WINDOW)
    assert run(stage.k, None, np.array([[[4, 2, 1], [0, 0, 0]]], np.uint16)).ravel().tolist() == [127, -1, -65, -128, -128, -128]
    assert run(stage.k, None, np.zeros((1, 2, 3), np.uint16)).ravel().tolist() == [-128] * 6


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 65535), min_size=6, max_size=6), st.integers(1, 65535))
def test_any_window_and_range_is_the_firmwares(values, counts):
    stage = DynamicRange(range=counts).plan(replace(WINDOW, scale=1.0))
    assert stage.params["range"] == counts
    assert run(stage.k, None, np.array(values, np.uint16).reshape(1, 2, 3)).ravel().tolist() == firmware(values, counts)


def test_its_counts_are_the_models_reals():
    y = DynamicRange(range=10).plan(WINDOW).y
    assert (y.dtype, y.scale, y.zero, y.shape) == ("int8", 1.0, 0, (2, 3))


def test_each_window_is_scaled_by_its_own_loudest_in_c_too():
    x = np.array([[[600] * 3, [300] * 3], [[60] * 3, [30] * 3]], np.uint16)
    y = Native(plan_stage("scaled", DynamicRange(range=25), WINDOW)).push(x)[0].y
    assert y[:, 0].tolist() == [[127] * 3] * 2 and y[0, 1].tolist() == y[1, 1].tolist() == [-1] * 3


@pytest.mark.parametrize(("stage", "x", "what"), [
    (DynamicRange(range=10), replace(WINDOW, dtype="int16"), "stage 'dynamic_range' takes uint16 values from zero up"),
    (DynamicRange(range=10), replace(WINDOW, zero=3), "stage 'dynamic_range' takes uint16 values from zero up"),
    (DynamicRange(range=0.01), WINDOW, "range = 0.01 is 0 counts of the input, outside 1 to 65535"),
    (DynamicRange(range=3000), WINDOW, "range = 3000 is 76800 counts of the input, outside 1 to 65535"),
])
def test_mistakes(stage, x, what):
    with pytest.raises(AppError) as caught:
        stage.plan(x)
    assert what in caught.value.what and caught.value.help.startswith("range = ") == ("counts" in what)
