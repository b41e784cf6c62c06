"""Are sources joined in order, and only where they count in the same way?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.concat import Concat

A = Signal((2, 3), "int16", Fraction(10), 0.5, 4, "g", bin_hz=Fraction(10))


def test_rows_are_joined_in_the_order_of_the_sources():
    b, c = replace(A, shape=(2, 1)), replace(A, shape=(2, 2), unit="dB")
    plan = plan_stage("concat", Concat(), A, b, c)
    blocks = [np.arange(s.size, dtype=np.int16).reshape(1, *s.shape) + 100 * i for i, s in enumerate((A, b, c))]
    y = Engine(plan).push(*blocks)[1].y
    assert y[0].tolist() == [[0, 1, 2, 100, 200, 201], [3, 4, 5, 101, 202, 203]]
    assert plan.steps[-1].y == replace(A, shape=(2, 6), unit="", bin_hz=None)


@pytest.mark.parametrize(("other", "what", "help_"), [
    (dict(rate_hz=Fraction(30, 7)), "stage 'concat' cannot join different rates: 10 Hz and 30/7 Hz", None),
    (dict(shape=(3, 3)), "stage 'concat' joins the last axis, the others must be equal: 2x3 int16 at 10 Hz and 3x3 int16 at 10 Hz",
     "flat = true"),
    (dict(dtype="int64", scale=1.0), "stage 'concat' would count 2x3 int16 at 10 Hz in steps of 8.59e+09, where it reaches 1.64e+04",
     "a 'log' or a 'rescale' behind the source that reaches so far"),
])
def test_sources_that_cannot_stand_side_by_side_are_refused(other, what, help_):
    with pytest.raises(AppError) as caught:
        Concat().plan(A, replace(A, **other))
    assert (caught.value.what, caught.value.path) == (what, ("from",))
    assert (caught.value.help or None) == help_


def test_sources_that_count_alike_are_joined_as_they_are():
    steps = Concat().plan(A, replace(A, shape=(2, 1), unit="dB"))
    assert [step.kind for step in steps] == ["concat"]
    assert (steps[0].y.dtype, steps[0].y.scale, steps[0].y.zero) == ("int16", 0.5, 4)


def test_sources_that_count_differently_become_int32_of_the_finest_common_scale():
    statistics, bands = Signal((2, 1), "int32", Fraction(10), 2.0**-21), Signal((2, 2), "int16", Fraction(10), 2.0**-9, unit="dB")
    zeroed = Signal((2, 1), "uint8", Fraction(10), 0.5, 128)
    plan = plan_stage("concat", Concat(), statistics, bands, zeroed)
    assert [step.kind for step in plan.steps] == ["rescale", "rescale", "concat", "concat"]     # the first counts so already
    y = plan.steps[-1].y
    assert (y.shape, y.dtype, y.scale, y.zero, y.unit) == ((2, 4), "int32", 2.0**-21, 0, "")
    blocks = np.array([[[5], [-(2**31)]]], np.int32), np.array([[[1, -2], [32767, -32768]]], np.int16), np.array([[[129], [0]]], np.uint8)
    got = Engine(plan).push(*blocks)[3].y[0]
    assert got.tolist() == [[5, 1 << 12, -2 << 12, 1 << 20], [-(2**31), 32767 << 12, -32768 << 12, -64 << 21]]


def test_one_type_and_two_scales_are_two_rescales():
    steps = Concat().plan(A, replace(A, scale=0.25))
    assert [step.kind for step in steps] == ["rescale", "rescale", "concat"]
    assert steps[-1].y.scale == 2.0**-16        # 32772 * 0.5 is the farthest from the zero at 4, and a little more than 2**14


def test_a_flat_join_takes_all_of_channel_0_first():
    b, c = replace(A, shape=(3, 2)), replace(A, shape=(4,))
    for stage, x in [(Concat(flat=True), (A, b)), (Concat(), (A, c)), (Concat(), (c, A, b))]:
        plan = plan_stage("concat", stage, *x)
        blocks = [np.arange(s.size, dtype=np.int16).reshape(1, *s.shape) + 100 * i for i, s in enumerate(x)]
        y = Engine(plan).push(*blocks)[len(plan.steps) - 1].y
        assert y[0].tolist() == [v for block in blocks for v in block.ravel().tolist()]
        assert plan.steps[-1].y.shape == (sum(s.size for s in x),)


def test_one_source_is_refused():
    with pytest.raises(AppError, match="joins two or more sources, and is given 1"):
        Concat().plan(A)
