"""Is it what the physics says, from 10 Hz to where the rate ends, and does it not drift?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid
from scipy.signal import butter, sosfilt

from tinystream import App, Imu
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages import Frame, Stats
from tinystream.stages.biquad import BOUND
from tinystream.stages.velocity import Velocity, integrator


def samples(rate_hz: int, range_g: float = 4, *channels: int) -> Signal:
    return Signal((rate_hz // 10, *channels), "int16", Fraction(10), range_g * 2.0**-15, unit="g", sample_hz=Fraction(rate_hz))


def velocity(stage: Velocity, signal: Signal, real: np.ndarray) -> np.ndarray:
    x = np.clip(np.rint(real / signal.scale), -32768, 32767).astype(np.int16).reshape(-1, *signal.shape)
    plan = plan_stage("velocity", stage, signal)
    return plan.steps[0].y.real(Engine(plan).push(x)[0].y).reshape(real.shape)


def tone(hz: float, rate_hz: int, peak_g: float, seconds: float = 4) -> np.ndarray:
    return peak_g * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def rms(y: np.ndarray, rate_hz: int) -> float:
    """Of the last whole seconds, in which each tone of the tests has whole periods."""
    return float(np.sqrt(np.mean(y[2 * rate_hz :] ** 2)))


def highpass(hz: float, low_hz: float = 10, order: int = 2) -> float:
    """Gain of a Butterworth highpass, as analog as physics."""
    return 1 / np.sqrt(1 + (low_hz / hz) ** (2 * order))


@pytest.mark.parametrize("rate_hz", [1600, 3200, 6400, 26600])
@pytest.mark.parametrize("hz", [12, 50, 160, 480, 500])
def test_a_tone_has_the_velocity_of_its_integral_within_1_percent(rate_hz, hz):
    """a / (2 pi f), times the highpass's own gain at the tone; measured, counts and all."""
    y = velocity(Velocity(), samples(rate_hz), tone(hz, rate_hz, 3.5))
    want = 3.5 * 9806.65 / (2 * np.pi * hz) / np.sqrt(2) * highpass(hz)
    assert rms(y, rate_hz) == pytest.approx(want, rel=0.01)


def test_1_g_at_159_hz_is_9_81_mm_s():
    """2 pi f = 1000."""
    y = velocity(Velocity(range_mm_s=100), samples(25600, 2), tone(1000 / 2 / np.pi, 25600, 1))[51200:]
    assert y.max() == pytest.approx(9.80665, rel=0.005) and y.min() == pytest.approx(-9.80665, rel=0.005)


@pytest.mark.parametrize("hz", [12, 50, 500])
def test_it_is_scipys_highpass_and_a_trapezoid_at_a_high_rate(hz):
    rate_hz = 25600
    real = tone(hz, rate_hz, 2)
    passed = sosfilt(butter(2, 10, "highpass", fs=rate_hz, output="sos"), real)
    want = cumulative_trapezoid(9806.65 * passed, dx=1 / rate_hz, initial=0)
    want -= want[2 * rate_hz :].mean()
    assert rms(velocity(Velocity(), samples(rate_hz), real), rate_hz) == pytest.approx(rms(want, rate_hz), rel=0.01)


def test_what_is_outside_the_band_is_held_down():
    signal, stage = samples(6400), Velocity(high_hz=1000)
    low, mid, high = (rms(velocity(stage, signal, tone(hz, 6400, 1)), 6400) * hz for hz in (1, 100, 2500))
    assert low < 0.011 * mid and high < 0.14 * mid, "second order: 40 dB a decade; 16 dB at 2.5 times the edge"


def test_a_steeper_highpass_takes_more_of_what_is_slow():
    real = tone(5, 1600, 1)
    gains = [rms(velocity(Velocity(order=n), samples(1600), real), 1600) / (9806.65 / (2 * np.pi * 5) / np.sqrt(2)) for n in (2, 3, 4, 6)]
    assert gains == pytest.approx([highpass(5, order=n) for n in (2, 3, 4, 6)], rel=0.02)


def test_gravity_is_gone_after_its_jump_and_nothing_drifts():
    y = velocity(Velocity(), samples(1600), np.ones(160000))
    assert np.abs(y[: int(1600 * 1.6 / 10)]).max() > 50
    assert np.abs(y[int(1600 * 1.6 / 10) + 20 :]).max() <= 0.001 * np.abs(y).max() + 1 / 32
    assert not y[3200:].any()


def test_every_sample_is_within_the_bound_of_the_float_sections_at_the_worst_there_is():
    signal, stage = samples(1600), Velocity()
    impulse = np.zeros(1600)
    impulse[0] = 1
    worst = np.where(sosfilt(stage._design(signal), impulse)[::-1] > 0, 32767, -32768) * signal.scale
    y = velocity(stage, signal, worst)
    want, scale = sosfilt(stage._design(signal), worst), stage.plan(signal).y.scale
    assert np.abs(y - want).max() <= BOUND * scale
    assert 0.5 * 32768 * scale < np.abs(want).max() < 32768 * scale, "the default range holds it, and no half of it would"


def test_a_range_makes_counts_finer_and_saturates_beyond():
    y = Velocity(range_mm_s=60).plan(samples(1600)).y
    assert (y.scale, y.unit) == (2.0**-9, "mm/s")
    loud = velocity(Velocity(range_mm_s=60), samples(1600), tone(20, 1600, 3.9))
    assert loud.max() == 32767 / 512 and loud.min() == -64


def test_each_axis_is_taken_alone():
    signal = samples(1600, 4, 3)
    real = np.stack([tone(hz, 1600, 1) for hz in (20, 50, 200)], axis=1)
    y = velocity(Velocity(), signal, real)
    for channel in range(3):
        np.testing.assert_array_equal(y[:, channel], velocity(Velocity(), samples(1600), real[:, channel]))


@pytest.mark.parametrize(("upto", "count", "error"), [(0.1, 2, 0.003), (0.2, 2, 0.003), (0.3, 3, 0.003), (0.35, 3, 0.003), (0.4, 3, 0.007)])
def test_the_integrators_error_is_what_the_docstring_says(upto, count, error):
    w = np.linspace(0.01, 2 * np.pi * upto, 500)
    taps = integrator(2 * np.pi * upto)
    gain = np.abs(np.exp(-1j * np.outer(w, np.arange(count))) @ taps) / np.abs(1 - np.exp(-1j * w))
    print(f"{np.abs(gain * w - 1).max():.4f}")
    assert len(taps) == count and np.abs(gain * w - 1).max() < error


@pytest.mark.parametrize("rate_hz", [400, 1600, 26667, 51200])
@pytest.mark.parametrize("low_hz", [1, 2, 10])
def test_usual_rates_and_edges_plan(rate_hz, low_hz):
    Velocity(low_hz=low_hz).plan(samples(rate_hz // 10 * 10))


@pytest.mark.parametrize(("stage", "signal", "path", "what"), [
    (Velocity(high_hz=1000), samples(1600), ("high_hz",), "high_hz = 1000 is above 0.8 of half the sample rate, 640 Hz"),
    (Velocity(low_hz=400), samples(1600), ("low_hz",), "low_hz = 400 is not an octave below the end of the band, 640 Hz"),
    (Velocity(low_hz=2, range_mm_s=50), samples(6400, 16), ("range_mm_s",),
     "range_mm_s = 50 asks for finer counts than 32 bits can prove"),
    (Velocity(low_hz=2, range_mm_s=0.05), samples(6400, 16), ("range_mm_s",),
     "range_mm_s = 0.05 asks for finer counts than 32 bits can prove"),
    (Velocity(range_mm_s=1000), samples(1600), ("range_mm_s",), "range_mm_s = 1000 is more than these samples can give, 595 mm/s"),
    (Velocity(), replace(samples(1600), unit="FS"), (),
     "stage 'velocity' takes int16 samples of acceleration, in g or m/s², and is given 160 int16 at 10 Hz in 'FS'"),
    (Velocity(), replace(samples(1600), rate_hz=Fraction(20)), (),
     "stage 'velocity' works on the stream, and is given overlapping frames, 160 int16 at 20 Hz"),
])  # fmt: skip
def test_mistakes(stage, signal, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)


def test_the_rms_of_a_second_is_what_iso_20816_asks_for():
    """Of a whole app: 0.2 g at 50 Hz is 4.4 mm/s rms, gravity and a slow sway do not count."""
    source = Imu(rate_hz=1600, axes=["z"], range_g=4, block_ms=100)
    stages = [Velocity(low_hz=10, range_mm_s=100), Frame(length_ms=1000, hop_ms=1000, window="boxcar"), Stats(features=["rms"])]
    plan = App(name="severity", source=source, stages=stages).plan()
    t = np.arange(1600 * 6) / 1600
    g = 1 + 0.2 * np.sin(2 * np.pi * 50 * t) + 0.05 * np.sin(2 * np.pi * 0.5 * t)
    fired = Engine(plan).push(np.round(g / plan.x[0].scale).astype(np.int16).reshape(-1, *plan.x[0].shape))
    rms = plan.steps[-1].y.real(fired[len(plan.steps) - 1].y).ravel()
    want = 0.2 * 9806.65 / (2 * np.pi * 50) / np.sqrt(2)
    print(f"{rms[-1]:.4f} mm/s rms, physics says {want:.4f}")
    assert plan.steps[-1].y.unit == "mm/s" and abs(rms[2:] / want - 1).max() < 0.01
