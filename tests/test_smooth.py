"""Is a mean the mean of the last samples, and does an exponential one settle where it should?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.smooth import Smooth

ONE = Signal((4,), "int16", Fraction(25), 2.0**-15, unit="FS", sample_hz=Fraction(100))
VECTORS = Signal((3,), "int32", Fraction(10), 2.0**-20)


def smoothed(stage: Smooth, x, signal: Signal = ONE) -> np.ndarray:
    blocks = np.asarray(x, signal.dtype).reshape(-1, *signal.shape)
    return Engine(plan_stage("smooth", stage, signal)).push(blocks)[0].y.reshape(np.shape(x))


def test_a_mean_is_of_the_last_samples_and_halves_round_up():
    assert smoothed(Smooth(samples=4), [0, 4, 8, 12, 16, 3, -20, -5]).tolist() == [0, 1, 3, 6, 10, 10, 3, -1], "6, 9.75, 2.75, -1.5"


def test_the_past_begins_as_the_first_sample():
    for type in ("mean", "exponential"):
        for value in (-32768, -1, 8192, 32767):
            assert (smoothed(Smooth(type=type, samples=50), np.full(400, value)) == value).all()


def test_a_mean_is_scipys_late_by_half_its_length():
    x = np.random.default_rng(1).integers(-32768, 32768, 2000)
    want = uniform_filter1d(x.astype(float), 9, mode="nearest", origin=4)
    assert np.abs(smoothed(Smooth(samples=9), x) - want).max() <= 0.5 + 1e-9


def test_a_step_rises_as_an_exponential():
    y = smoothed(Smooth(type="exponential", samples=25), np.r_[0, np.full(399, 20000)])
    want = 20000 * (1 - np.exp(-np.arange(400) / 25))
    assert np.abs(y - want).max() <= 0.51
    assert y[25] == pytest.approx(20000 * (1 - np.exp(-1)), abs=1) and y[-1] == 20000


def test_the_slowest_exponential_settles_to_the_count():
    y = smoothed(Smooth(type="exponential", samples=16384), np.r_[32767, np.full(400_003, -32768)])
    assert y[-1] == -32768 and (np.diff(y) <= 0).all()


def test_a_duration_counts_samples_of_a_stream_and_blocks_of_vectors():
    assert Smooth(length_ms=50).plan(ONE).k.samples == 5
    assert Smooth(length_ms=500).plan(VECTORS).k.samples == 5
    assert Smooth(samples=5).plan(VECTORS).says == "mean of 5 vectors"


def test_vectors_are_smoothed_value_by_value_at_all_of_int32():
    x = np.array([[2**31 - 1, -(2**31), 5], [2**31 - 1, -(2**31), 6], [-(2**31), 2**31 - 1, 8]])
    assert smoothed(Smooth(samples=2), x, VECTORS).tolist() == [x[0].tolist(), [2**31 - 1, -(2**31), 6], [0, 0, 7]]


def test_each_channel_is_smoothed_alone():
    x = np.random.default_rng(2).integers(-32768, 32768, (400, 3))
    for type in ("mean", "exponential"):
        together = smoothed(Smooth(type=type, samples=7), x, replace(ONE, shape=(4, 3)))
        for channel in range(3):
            np.testing.assert_array_equal(together[:, channel], smoothed(Smooth(type=type, samples=7), x[:, channel]))


@pytest.mark.parametrize(("stage", "signal", "path", "what", "help"), [
    (Smooth(), ONE, (), "stage 'smooth' needs samples or length_ms", "samples = 8"),
    (Smooth(samples=3, length_ms=3), ONE, ("length_ms",), "samples and length_ms say the same thing twice", "leave one of them out"),
    (Smooth(length_ms=33), ONE, ("length_ms",), "length_ms = 33 is 3.3 samples at 100 Hz, not a whole number", "length_ms = 30"),
    (Smooth(length_ms=10), ONE, ("length_ms",), "length_ms = 10 is 1 samples, and mean takes 2 to 4096", "length_ms = 20"),
    (Smooth(samples=5000), ONE, ("samples",), "samples = 5000 is 5000 samples, and mean takes 2 to 4096", "samples = 4096"),
    (Smooth(samples=5), replace(ONE, rate_hz=Fraction(50)), (),
     "stage 'smooth' works on the stream, and is given overlapping frames, 4 int16 at 50 Hz", "put it before the frame or stack"),
    (Smooth(samples=5), replace(ONE, dtype="int64"), (),
     "stage 'smooth' takes int16 or int32 samples or vectors, and is given 4 int64 at 25 Hz", ""),
])  # fmt: skip
def test_mistakes(stage, signal, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)
