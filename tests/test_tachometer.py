"""Is the speed that of the shaft, to a sample, and is standing still standing still?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.tachometer import Tachometer

RATE = 1000
VOLTS = Signal((100,), "int16", Fraction(10), 10 / 2**15, unit="V", sample_hz=Fraction(RATE))


def speeds(stage: Tachometer, volts: np.ndarray, signal: Signal = VOLTS) -> np.ndarray:
    plan = plan_stage("tachometer", stage, signal)
    x = np.rint(volts / signal.scale).astype(np.int16).reshape(-1, *signal.shape)
    return plan.steps[0].y.real(Engine(plan).push(x)[0].y)[:, 0]


def pulses(hz: float, seconds: float, phase: float = 0.5, width: float = 0.2) -> np.ndarray:
    """5 V for a part of each turn, else 0."""
    return 5.0 * ((np.arange(round(seconds * RATE)) / RATE * hz + phase) % 1 < width)


def test_the_speed_of_a_steady_shaft_by_hand():
    """Pulses begin at 10, 50 and 90 of each block of 100: 40 samples apart, then 20."""
    volts = np.zeros((3, 100))
    for at in (10, 50, 90):
        volts[:, at : at + 3] = 5
    assert speeds(Tachometer(high=3, low=1), volts).tolist() == [25.0] * 3
    over_two = speeds(Tachometer(high=3, low=1, window_ms=200), volts)
    np.testing.assert_allclose(over_two, [25.0, 5 / 0.180, 5 / 0.180], atol=2.0**-16)
    np.testing.assert_allclose(speeds(Tachometer(high=3, low=1, pulses=4), volts), 6.25)


@pytest.mark.parametrize("hz", [2.5, 11.0, 49.7, 123.4])
def test_a_window_counts_whole_periods(hz):
    """Whatever the phase, it is right to a sample in the window; pulses over window would be off by up to one pulse."""
    worst = 0.0
    for phase in np.linspace(0, 1, 13):
        got = speeds(Tachometer(high=3, low=1, window_ms=1000), pulses(hz, 4, phase))[10:]
        worst = max(worst, np.abs(got / hz - 1).max())
    print(f"{hz} Hz: worst {worst:.2%}")
    assert worst <= 1 / (RATE * (1 - 2 / hz))


def test_a_shaft_that_stops_stands_still_after_the_window():
    got = speeds(Tachometer(high=3, low=1, window_ms=300), np.concatenate([pulses(20, 1), np.zeros(1000)]))
    np.testing.assert_allclose(got[1:12], 20, rtol=0.01)  # its last pulses are still seen
    assert got[13:].tolist() == [0.0] * 7
    assert not speeds(Tachometer(high=3, low=1), pulses(9, 2)).any(), "one pulse in 100 ms is none that can be measured"


def test_noise_between_the_thresholds_is_no_pulse():
    rng = np.random.default_rng(0)
    volts = pulses(20, 2)
    noisy = volts + rng.uniform(-0.9, 0.9, volts.size)
    np.testing.assert_array_equal(speeds(Tachometer(high=3, low=1), noisy), speeds(Tachometer(high=3, low=1), volts))
    half = volts * 0.4 + rng.uniform(-0.9, 0.9, volts.size)  # 2 V: never high
    assert not speeds(Tachometer(high=3, low=1), half).any()
    high = 5 - volts * 0.4  # 3 V: never low
    assert not speeds(Tachometer(high=3, low=1), high).any()


def test_a_pulse_that_was_there_before_is_none():
    volts = np.zeros((1, 100))
    volts[0, :5] = volts[0, 40:45] = volts[0, 60:70] = 5
    assert speeds(Tachometer(high=3, low=1), volts).tolist() == [1000 / 20]


def test_thresholds_are_reached_exactly():
    """3 V is a pulse and 1 V ends it; a count less, or more, is not and does not."""
    signal = replace(VOLTS, scale=2.0**-10, zero=7)
    for high, low, edges in [(3.0, 1.0, True), (3.0 - 2.0**-10, 1.0, False), (3.0, 1.0 + 2.0**-10, False)]:
        x = np.full((1, 100), round(low * 2**10) + 7, np.int16)
        x[0, [10, 30, 50]] = round(high * 2**10) + 7
        plan = plan_stage("exact", Tachometer(high=3, low=1), signal)
        assert (Engine(plan).push(x)[0].y[0, 0] > 0) == edges


def test_one_channel_is_looked_at():
    two = replace(VOLTS, shape=(100, 3))
    volts = np.random.default_rng(1).uniform(-9, 9, (1000, 3))
    volts[:, 1] = pulses(30, 1)
    np.testing.assert_array_equal(speeds(Tachometer(high=3, low=1, channel=1), volts, two), speeds(Tachometer(high=3, low=1), volts[:, 1]))


def test_the_fastest_there_is_fits():
    signal = replace(VOLTS, sample_hz=Fraction(10**6), rate_hz=Fraction(10**4))
    volts = np.tile([0, 5], 500)
    step = Tachometer(high=3, low=1).plan(signal)
    assert (step.y.scale, step.y.unit) == (2.0**-10, "Hz")
    assert speeds(Tachometer(high=3, low=1), volts, signal).tolist() == [500_000.0] * 10


@pytest.mark.parametrize(
    ("options", "path", "what", "help"),
    [
        (dict(high=3, low=3), ("low",), "low = 3 is not below high = 3", "low = -3.5"),
        (dict(high=12, low=3), ("high",), "high = 12 is out of the range of the input, -10 to 9.99969 V", "high = 4.99985"),
        (dict(high=3, low=-11), ("low",), "low = -11 is out of the range of the input, -10 to 9.99969 V", "low = -5"),
        (dict(high=3, low=1, channel=1), ("channel",), "channel = 1 is not one of 1, which count from 0", "channel = 0"),
        (dict(high=3, low=1, window_ms=250), ("window_ms",), "window_ms = 250 is not a multiple of the block, 100 ms", "window_ms = 200"),
        (dict(high=3, low=1, window_ms=10), ("window_ms",), "window_ms = 10 is not a multiple of the block, 100 ms", "window_ms = 100"),
        (dict(high=3, low=1, window_ms=500_000), ("window_ms",), "window_ms = 500000 is more than 4096 blocks, 100 ms",
         "window_ms = 409600"),
    ],
)  # fmt: skip
def test_mistakes_say_the_limit_and_the_way_out(options, path, what, help):
    with pytest.raises(AppError) as caught:
        Tachometer(**options).plan(VOLTS)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)
