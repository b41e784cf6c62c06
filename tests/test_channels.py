"""Are they the channels that were named, in that order, whatever their type?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages import Channels

SIX = Signal((2, 6), "int16", Fraction(25), 2.0**-15, unit="FS", sample_hz=Fraction(50))


def test_columns_come_in_the_order_that_was_said():
    plan = plan_stage("channels", Channels(take=(5, 0, 3)), SIX)
    x = np.array([[[10, 11, 12, 13, 14, 15], [20, 21, 22, 23, 24, -32768]]], np.int16)
    assert Engine(plan).push(x)[0].y.tolist() == [[[15, 10, 13], [-32768, 20, 23]]]


def test_one_channel_is_a_stream_of_its_own():
    y = Channels(take=(4,)).plan(SIX).y
    assert y == Signal((2,), "int16", Fraction(25), 2.0**-15, unit="FS", sample_hz=Fraction(50))


@pytest.mark.parametrize(
    ("take", "x", "said"),
    [
        ((0, 6), SIX, "there is no channel 6: it has 6, and counts from 0"),
        ((1, 2, 1), SIX, "channel 1 is taken twice"),
        ((0,), Signal((16,), "int16", Fraction(10), 1.0), r"takes samples of several channels, \[n, channels\]"),
        ((0,), Signal((2, 9), "int64", Fraction(10), 1.0, bin_hz=Fraction(2)), "takes samples of several channels"),
    ],
)
def test_what_is_not_there_is_refused(take, x, said):
    with pytest.raises(AppError, match=said):
        Channels(take=take).plan(x)
