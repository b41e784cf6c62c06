"""Is the magnitude that of the analytic signal, over the band that is promised?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import hilbert

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.analytic import Analytic

RATE = 16000
AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(RATE))


def magnitude(stage: Analytic, stream: np.ndarray, signal: Signal = AUDIO) -> np.ndarray:
    x = np.rint(stream).astype(np.int16).reshape(-1, *signal.shape)
    return Engine(plan_stage("analytic", stage, signal)).push(x)[0].y.reshape(stream.shape)


@pytest.mark.parametrize("taps", [15, 31, 63, 255])
def test_a_sine_has_its_amplitude_everywhere_in_the_band(taps):
    t, worst = np.arange(RATE // 10) / RATE, 0.0
    lowest = 1.8 / taps * RATE
    for hz in np.linspace(lowest, RATE / 2 - lowest, 23):
        y = magnitude(Analytic(taps=taps), 20000 * np.sin(2 * np.pi * hz * t))[taps:]
        worst = max(worst, np.abs(y / 20000 - 1).max())
    print(f"{taps} taps: worst {worst:.2%} from {lowest:.0f} Hz")
    assert worst <= 0.01


def test_a_shorter_filter_would_not_do():
    """The band that is promised is what there is, not less: a tenth below it the magnitude ripples by more."""
    t, hz = np.arange(RATE // 5) / RATE, 1.5 / 31 * RATE
    y = magnitude(Analytic(taps=31), 20000 * np.sin(2 * np.pi * hz * t))[31:]
    assert np.abs(y / 20000 - 1).max() > 0.01


def test_modulation_comes_out_late_by_half_the_filter():
    t = np.arange(RATE // 2) / RATE
    modulation = 12000 * (1 + 0.6 * np.sin(2 * np.pi * 37 * t))
    y = magnitude(Analytic(taps=63), modulation * np.cos(2 * np.pi * 3000 * t))
    want = np.abs(hilbert(modulation * np.cos(2 * np.pi * 3000 * t)))
    error = np.abs(y[63:-100] - want[63 - 31 : -100 - 31])
    print(f"worst {error.max() / 12000:.2%} of the mean amplitude")
    assert error.max() <= 0.005 * 12000


def test_channels_do_not_mix():
    two = Signal((20, 2), "int16", Fraction(80), 2.0**-15, sample_hz=Fraction(1600))
    x = np.random.default_rng(0).integers(-20000, 20000, (400, 2)).astype(float)
    one = Signal((20,), "int16", Fraction(80), 2.0**-15, sample_hz=Fraction(1600))
    both = magnitude(Analytic(), x, two)
    for channel in range(2):
        np.testing.assert_array_equal(both[:, channel], magnitude(Analytic(), np.ascontiguousarray(x[:, channel]), one))


def test_the_loudest_input_saturates_and_does_not_wrap():
    half = Analytic(taps=511).plan(AUDIO).k.half
    signs = np.zeros(511)
    signs[254::-2], signs[256::2] = 32767, -32768
    signs[255] = -32768
    assert half.sum() > 2**30
    y = magnitude(Analytic(taps=511), np.concatenate([np.zeros(89), signs, np.zeros(40)]))
    assert y.max() == 32767
    assert y.min() >= 0


@pytest.mark.parametrize(("taps", "help"), [(32, "taps = 35"), (33, "taps = 35"), (61, "taps = 63"), (16, "taps = 19")])
def test_taps_that_end_in_zeros_are_refused(taps, help):
    with pytest.raises(AppError) as caught:
        Analytic(taps=taps).plan(AUDIO)
    assert (caught.value.path, caught.value.help) == (("taps",), help)
    Analytic(taps=int(help.split()[-1])).plan(AUDIO)
