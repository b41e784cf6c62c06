"""Are spikes gone, edges kept, and is it the one in the middle of any samples at all?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.ndimage import median_filter

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.median import Median

ONE = Signal((4,), "int16", Fraction(25), 2.0**-15, unit="FS", sample_hz=Fraction(100))


def middle(samples: int, x, signal: Signal = ONE) -> np.ndarray:
    blocks = np.asarray(x, signal.dtype).reshape(-1, *signal.shape)
    return Engine(plan_stage("median", Median(samples=samples), signal)).push(blocks)[0].y.reshape(np.shape(x))


def test_a_spike_is_gone_and_an_edge_stays_late_by_half():
    assert middle(3, [5, 5, 32767, 5, 5, -32768, 5, 5]).tolist() == [5] * 8
    assert middle(5, [0, 0, 0, 9, 9, 9, 9, 9]).tolist() == [0, 0, 0, 0, 0, 9, 9, 9]
    assert middle(5, [0, 0, 9, 9, 0, 0, 0, 0]).tolist() == [0] * 8


def test_the_past_begins_as_the_first_sample():
    assert middle(5, [7, 1, 1, 1]).tolist() == [7, 7, 7, 1]


@pytest.mark.parametrize("samples", [3, 9, 63])
@pytest.mark.parametrize("high", [3, 32768])
def test_it_is_scipys(samples, high):
    x = np.random.default_rng(samples).integers(-high, high, 4000)
    want = median_filter(x, samples, mode="nearest", origin=samples // 2)
    np.testing.assert_array_equal(middle(samples, x), want)


def test_each_channel_and_each_value_of_vectors_is_taken_alone():
    x = np.random.default_rng(3).integers(-32768, 32768, (400, 3))
    for signal in (replace(ONE, shape=(4, 3)), replace(ONE, shape=(3,), dtype="int32", sample_hz=None)):
        together = middle(7, x, signal)
        for channel in range(3):
            np.testing.assert_array_equal(together[:, channel], middle(7, x[:, channel]))


def test_an_even_number_has_no_middle():
    with pytest.raises(AppError) as caught:
        Median(samples=4).plan(ONE)
    assert (caught.value.path, caught.value.what) == (("samples",), "samples = 4 is even, and has no middle")
    assert caught.value.help == "samples = 3"


def test_frames_that_overlap_are_refused():
    with pytest.raises(AppError, match="stage 'median' works on the stream, and is given overlapping frames"):
        Median(samples=3).plan(replace(ONE, rate_hz=Fraction(50)))
