"""Does nothing remain of a constant, and everything of what is fast?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.biquad import Biquad
from tinystream.stages.remove_dc import RemoveDc

AXES = Signal((16, 3), "int16", Fraction(100), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))


def without(stage, x: np.ndarray) -> np.ndarray:
    return Engine(plan_stage("remove_dc", stage, AXES)).push(x.astype(np.int16).reshape(-1, 16, 3))[0].y.reshape(-1, 3)


def test_a_constant_is_gone_altogether_after_its_jump():
    y = without(RemoveDc(cutoff_hz=1), np.full((16000, 3), [32767, -32768, 1]))
    assert np.abs(y[int(1600 * 5 / (2 * np.pi))]).max() <= 32768 / 148 + 1
    assert not y[8000:].any()


def test_a_tone_rides_on_gravity_and_comes_through_alone():
    t = np.arange(16000) / 1600
    tone = 5000 * np.sin(2 * np.pi * 50 * t)
    y = without(RemoveDc(cutoff_hz=1), np.stack([tone + 8192, tone, tone - 20000], axis=1))[8000:]
    for channel in y.T:
        assert np.std(channel) == pytest.approx(5000 / np.sqrt(2), rel=0.001) and abs(channel.mean()) < 0.5


def test_a_square_wave_of_full_scale_does_not_wrap():
    x = np.where(np.arange(4800) // 1600 % 2, 32767, -32768)[:, None] * np.ones(3)
    y = without(RemoveDc(cutoff_hz=1), x)
    assert y[1600].tolist() == [32767] * 3 and y[3200].tolist() == [-32768] * 3


def test_it_is_the_highpass_of_first_order():
    step, other = RemoveDc(cutoff_hz=2).plan(AXES), Biquad(type="highpass", order=1, cutoff_hz=2).plan(AXES)
    assert step.kind == "biquad" and step.params == other.params
    np.testing.assert_array_equal(step.tables["taps"], other.tables["taps"])


@pytest.mark.parametrize(("cutoff_hz", "signal", "path", "what"), [
    (800, AXES, ("cutoff_hz",), "cutoff_hz = 800 is not below half the sample rate, 800 Hz"),
    (1e-5, AXES, ("cutoff_hz",), "cutoff_hz = 1e-05 is too near to 0 Hz for samples at 1600 Hz"),
    (1, replace(AXES, rate_hz=Fraction(200)), (),
     "stage 'remove_dc' works on the stream, and is given overlapping frames, 16x3 int16 at 200 Hz"),
    (1, replace(AXES, dtype="int32"), (),
     "stage 'remove_dc' takes int16 samples, [n] or [n, channels], and is given 16x3 int32 at 100 Hz"),
])  # fmt: skip
def test_mistakes(cutoff_hz, signal, path, what):
    with pytest.raises(AppError) as caught:
        RemoveDc(cutoff_hz=cutoff_hz).plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)


def test_the_cutoff_that_is_proposed_plans():
    with pytest.raises(AppError) as caught:
        RemoveDc(cutoff_hz=1e-5).plan(AXES)
    RemoveDc(cutoff_hz=float(caught.value.help.split()[-1])).plan(AXES)
