"""Does an envelope follow a modulation, and do the strikes of a bearing show in its spectrum?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from bearing import vibration

from tinystream.errors import AppError
from tinystream.plan.plan import Wiring, plan_stage, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.envelope import Envelope
from tinystream.stages.fault_bands import FaultBands
from tinystream.stages.rectify import Rectify
from tinystream.stages.spectrum import Spectrum

RATE = 16000
AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(RATE))


def followed(stage: Envelope, stream: np.ndarray, signal: Signal = AUDIO) -> np.ndarray:
    plan = plan_stage("envelope", stage, signal)
    x = np.rint(stream).astype(np.int16).reshape(-1, *signal.shape)
    return Engine(plan).push(x)[len(plan.steps) - 1].y.reshape(stream.shape)


def part(y: np.ndarray, hz: float) -> float:
    """Amplitude of a sine in it."""
    t = np.arange(y.size) / RATE
    return 2 * abs(np.mean(y * np.exp(-2j * np.pi * hz * t)))


@pytest.mark.parametrize(("how", "gain"), [("rectify", 2 / np.pi), ("hilbert", 1.0)])
@pytest.mark.parametrize("hz", [30, 110])
def test_a_modulated_carrier_gives_its_modulation(how, gain, hz):
    t = np.arange(2 * RATE) / RATE
    stage = Envelope(low_hz=2000, high_hz=4000, how=how)
    y = followed(stage, 10000 * (1 + 0.5 * np.sin(2 * np.pi * hz * t)) * np.sin(2 * np.pi * 3000 * t + 1))[RATE:]
    print(f"{how}: mean {y.mean():.1f}, at {hz} Hz {part(y, hz):.1f}, at twice that {part(y, 2 * hz):.1f}")
    np.testing.assert_allclose([y.mean(), part(y, hz)], [gain * 10000, gain * 5000], rtol=0.015)
    assert part(y, 2 * hz) < 0.01 * gain * 5000
    assert part(y, 6000) < 0.03 * gain * 10000, "twice the carrier is taken out"


@pytest.mark.parametrize("how", ["rectify", "hilbert"])
def test_what_is_not_in_the_band_does_not_show(how):
    t = np.arange(RATE) / RATE
    y = followed(Envelope(low_hz=2000, high_hz=4000, how=how, order=4), 15000 * np.sin(2 * np.pi * 300 * t))
    assert y[RATE // 4 :].max() <= 10


def test_channels_are_followed_each_alone():
    two = Signal((160, 2), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(RATE))
    x = np.random.default_rng(0).normal(0, 8000, (3200, 2)).clip(-32000, 32000)
    stage = Envelope(low_hz=1000, high_hz=3000)
    both = followed(stage, x, two)
    np.testing.assert_array_equal(both[:, 1], followed(stage, x[:, 1]))


SHAFT_HZ = 25.0
BEARING = FaultBands(balls=9, ball_diameter_mm=7.94, pitch_diameter_mm=39.04, shaft_hz=SHAFT_HZ, how="ratio", harmonics=3, tolerance_hz=4.5)
BLOCK = Signal((2048,), "int16", Fraction(3200, 2048), 2.0**-15, unit="FS", sample_hz=Fraction(3200))


def decibels(stream: np.ndarray, how: str) -> dict[str, float]:
    """What each fault frequency has above its surroundings: envelope, every fifth sample, spectrum of 0.64 s, fault_bands."""
    y = followed(Envelope(low_hz=2000, high_hz=4000, how=how), stream)[RATE // 4 :][::5]       # the lowpass ends below 1600 Hz
    y = y[: y.size // 2048 * 2048].reshape(-1, 2048)
    windowed = np.rint((y - y.mean()) * np.hanning(2048)).astype(np.int16)
    wiring = Wiring()
    at = wiring.add(Spectrum().plan(BLOCK), [-1])
    wiring.add(BEARING.plan(wiring.steps[0].y), [at])
    plan = plan_steps("chain", (BLOCK,), wiring.steps)
    values = plan.steps[-1].y.real(Engine(plan).push(windowed)[len(plan.steps) - 1].y)
    return dict(zip(BEARING.faults, values.mean(axis=0)))


@pytest.mark.parametrize("how", ["rectify", "hilbert"])
@pytest.mark.parametrize(("fault", "inner"), [("bpfo", False), ("bpfi", True)])
def test_strikes_of_a_bearing_show_at_their_frequency_alone(how, fault, inner):
    rng = np.random.default_rng(7)
    seconds = 4.0
    hz = BEARING.frequencies_hz()[fault]
    healthy = decibels(vibration(rng, seconds, RATE, None, SHAFT_HZ), how)
    faulty = decibels(vibration(rng, seconds, RATE, hz, SHAFT_HZ, inner=inner), how)
    print({k: f"{healthy[k]:.1f} -> {faulty[k]:.1f} dB" for k in faulty})
    assert all(abs(value) < 3 for value in healthy.values())
    assert faulty[fault] > 6
    assert max(faulty, key=lambda name: faulty[name]) == fault


def test_rectifying_is_exact_up_to_the_last_count():
    signal = Signal((4,), "int16", Fraction(1), 0.5, unit="g")
    x = np.array([[0, -1, 32767, -32768]], np.int16)
    for how, want, scale, unit in [("magnitude", [0, 1, 32767, 32767], 0.5, "g"), ("power", [0, 1, 32767**2, 2**30], 0.25, "g²")]:
        step = Rectify(how=how).plan(signal)
        assert step.run(step.k, None, x)[0].tolist() == want
        assert (step.y.scale, step.y.unit) == (scale, unit)


@pytest.mark.parametrize(
    ("options", "path", "what", "help"),
    [
        (dict(low_hz=4000, high_hz=2000), ("low_hz",), "low_hz = 4000 is not below high_hz, 2000", "low_hz = 1000"),
        (dict(low_hz=4000, high_hz=9000), ("high_hz",), "high_hz = 9000 is not below half the sample rate, 8000 Hz", "high_hz = 7200"),
        (dict(low_hz=2000, high_hz=4000, smooth_hz=9000), ("smooth_hz",), "smooth_hz = 9000 is not below half the sample rate, 8000 Hz",
         "smooth_hz = 7200"),
        (dict(low_hz=2000, high_hz=4000, taps=31), ("taps",), 'taps means nothing to how = "rectify"', 'how = "hilbert"'),
        (dict(low_hz=20, high_hz=4000, how="hilbert"), ("low_hz",), "a band 20 Hz from 0 needs 1443 taps, 511 are the most",
         'low_hz = 57, or how = "rectify"'),
        (dict(low_hz=2000, high_hz=7945, order=1, how="hilbert"), ("high_hz",), "a band 55 Hz from half the sample rate needs 527 taps, "
         "511 are the most", 'high_hz = 7943, or how = "rectify"'),
    ],
)  # fmt: skip
def test_mistakes_say_the_limit_and_the_way_out(options, path, what, help):
    with pytest.raises(AppError) as caught:
        Envelope(**options).plan(AUDIO)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)
