"""Does what would fold into the band stay out, and does the band come through, whatever the factor?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import lfilter

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.decimate import Decimate

RATE_HZ = 16000
BLOCK = Signal((1000,), "int16", Fraction(16), 2.0**-15, unit="FS", sample_hz=Fraction(RATE_HZ))


def decimated(stage: Decimate, x: np.ndarray, signal: Signal = BLOCK) -> np.ndarray:
    plan = plan_stage("decimate", stage, signal)
    y = Engine(plan).push(x.astype(np.int16).reshape(-1, *signal.shape))[len(plan.steps) - 1].y
    return y.reshape(-1, *signal.shape[1:])


def tone(hz: float, count: int = 64000, peak: float = 32000) -> np.ndarray:
    return np.rint(peak * np.sin(2 * np.pi * hz / RATE_HZ * np.arange(count)))


def response_db(stage: Decimate, hz: np.ndarray) -> np.ndarray:
    """Of all steps together, from a frequency of the input, by their integers."""
    total, rate_hz = np.ones(len(hz)), float(RATE_HZ)
    for step in stage.plan(replace(BLOCK, shape=(stage.factor,), rate_hz=Fraction(RATE_HZ, stage.factor))):
        taps = step.k.taps / 2.0**step.k.shift
        total *= np.abs(np.exp(-2j * np.pi * np.outer(hz / rate_hz, np.arange(len(taps)))) @ taps)
        rate_hz /= step.k.factor
    return 20 * np.log10(np.maximum(total, 1e-12))


@pytest.mark.parametrize("factor", [2, 3, 5, 7, 10, 16, 25, 60, 64, 100, 128, 1000])
@pytest.mark.parametrize("stopband_db", [40.0, 60.0, 70.0])
def test_every_frequency_is_where_it_belongs(factor, stopband_db):
    stage, half_hz = Decimate(factor=factor, stopband_db=stopband_db), RATE_HZ / 2 / factor
    assert np.abs(response_db(stage, np.linspace(0, 0.8 * half_hz, 500))).max() < (0.25 if stopband_db == 40 else 0.1)
    assert response_db(stage, np.linspace(half_hz, RATE_HZ / 2, 20000)).max() <= -stopband_db


@pytest.mark.parametrize("factor", [2, 5, 10, 100])
@pytest.mark.parametrize("above", [1.001, 1.3, 1.9, 2.0, 2.1, 3.9])
def test_a_tone_above_half_the_new_rate_is_down_by_60_db(factor, above):
    """Measured at the output, where the rounding to counts is heard too: a third of a count each."""
    hz = above * RATE_HZ / 2 / factor
    if hz < RATE_HZ / 2:
        y = decimated(Decimate(factor=factor), tone(hz))[200:]
        assert np.sqrt(np.mean(y.astype(float) ** 2)) < 32000 / np.sqrt(2) * 10 ** (-60 / 20) + 0.5


@pytest.mark.parametrize("factor", [2, 10, 100])
def test_a_tone_in_the_band_comes_through_late_and_unchanged(factor):
    stage, hz = Decimate(factor=factor), 0.7 * RATE_HZ / 2 / factor
    plan = plan_stage("decimate", stage, BLOCK)
    late_s = sum((s.params["count"] - 1) / 2 / float(s.x[0].sample_hz) for s in plan.steps)
    y = decimated(stage, tone(hz))
    at = np.arange(len(y)) * factor / RATE_HZ - late_s
    want = 32000 * np.sin(2 * np.pi * hz * at)
    assert np.abs(y - want)[int(2 * late_s * RATE_HZ / factor) + 2 :].max() < 32000 * 0.003
    assert f"{1000 * late_s:.4g} ms late" in plan.steps[-1].says


@pytest.mark.parametrize("value", [1, -1, 4096, 32767, -32768])
def test_a_constant_comes_through_unchanged(value):
    assert (decimated(Decimate(factor=100), np.full(32000, value))[100:] == value).all()


def test_one_step_is_scipys_filter_with_samples_left_out():
    x = np.random.default_rng(3).integers(-20000, 20000, 8000)
    (step,) = Decimate(factor=2).plan(BLOCK)
    want = lfilter(step.k.taps.astype(float), 1, x)[::2]
    np.testing.assert_array_equal(decimated(Decimate(factor=2), x), np.floor(want / 2.0**step.k.shift + 0.5))


def test_each_channel_is_taken_alone():
    signal = replace(BLOCK, shape=(100, 3), rate_hz=Fraction(160))
    x = np.random.default_rng(4).integers(-32768, 32768, (4000, 3))
    together = decimated(Decimate(factor=20), x, signal)
    assert together.shape == (200, 3)
    for channel in range(3):
        np.testing.assert_array_equal(together[:, channel], decimated(Decimate(factor=20), x[:, channel]))


def test_overshoot_saturates():
    x = np.where(np.arange(4000) % 400 < 200, 32767, -32768)
    y = decimated(Decimate(factor=10), x)
    assert y.max() == 32767 and y.min() == -32768


def test_steps_are_in_the_order_that_costs_least_and_y_says_its_rate():
    steps = Decimate(factor=100).plan(BLOCK)
    assert [s.params["factor"] for s in steps] == [10, 5, 2]
    assert steps[-1].y == replace(BLOCK, shape=(10,), sample_hz=Fraction(160))
    assert [s.sources for s in steps] == [(-1,), (0,), (1,)]


@pytest.mark.parametrize(("stage", "signal", "path", "what", "help"), [
    (Decimate(factor=3), BLOCK, ("factor",), "factor = 3 does not divide the 1000 samples of a block", "source.block_ms = 62.4375"),
    (Decimate(factor=3000), BLOCK, ("factor",), "factor = 3000 does not divide the 1000 samples of a block", "source.block_ms = 187.5"),
    (Decimate(factor=67), replace(BLOCK, shape=(67,), rate_hz=Fraction(RATE_HZ, 67)), ("factor",),
     "factor = 67 is not a product of 3 numbers up to 64", "factor = 68"),
    (Decimate(factor=2), replace(BLOCK, rate_hz=Fraction(32)), (),
     "stage 'decimate' works on the stream, and is given overlapping frames, 1000 int16 at 32 Hz", "put it before the frame"),
    (Decimate(factor=2), replace(BLOCK, dtype="int32"), (),
     "stage 'decimate' takes int16 samples, [n] or [n, channels], and is given 1000 int32 at 16 Hz", ""),
])  # fmt: skip
def test_mistakes(stage, signal, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)
