"""Is the notch MLTK's, wraps and all?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.stages.dc_notch import DcNotch

AUDIO = Signal((320,), "int16", Fraction(50), 2.0**-15, unit="FS", sample_hz=Fraction(16000))


def notched(coefficient: float, samples: np.ndarray, engine=Engine) -> np.ndarray:
    return engine(plan_stage("notch", DcNotch(coefficient=coefficient), AUDIO)).push(samples.reshape(-1, 320))[0].y.ravel()


def test_a_constant_dies_away_and_a_tone_stays():
    t = np.arange(16000)
    tone = np.rint(3000 * np.sin(2 * np.pi * 1000 * t / 16000))
    y = notched(0.95, (tone + 5000).astype(np.int16))
    assert abs(y[8000:].mean()) < 0.5 and y[0] == 5000
    assert 2900 < np.abs(y[8000:]).max() < 3100
    assert 0 <= notched(0.95, np.full(16000, 5000, np.int16))[1000:].max() < 10, "rounding holds up to half a count / (1 - c)"


def test_by_hand():
    """0.5 is 16384: (16384 y + 16384) >> 15 is (y + 1) >> 1."""
    x = np.zeros(320, np.int16)
    x[:4] = [5, 5, 0, -3]
    assert notched(0.5, x)[:8].tolist() == [5, 3, -3, -4, 1, 1, 1, 1]


@pytest.mark.parametrize("engine", [Engine, Native])
@pytest.mark.parametrize("coefficient", [0, 0.5, 0.95, 0.9999])
def test_at_full_scale_it_wraps_as_int16_does(coefficient, engine):
    x = np.where(np.random.default_rng(3).random(3200) < 0.5, 32767, -32768).astype(np.int16)
    c, want, before, last = int(np.float32(coefficient) * 32768), [], np.int16(0), np.int16(0)
    with np.errstate(over="ignore"):
        for now in x:
            last = np.int16(now - before) + np.int16(((c * int(last) >> 14) + 1) >> 1)
            before = now
            want.append(last)
    np.testing.assert_array_equal(notched(coefficient, x, engine), want)


def test_blocks_are_one_stream():
    x = np.random.default_rng(1).integers(-9000, 9000, 3200).astype(np.int16)
    one = Signal((3200,), "int16", Fraction(5), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
    whole = Engine(plan_stage("notch", DcNotch(), one)).push(x[None])[0].y.ravel()
    np.testing.assert_array_equal(notched(0.95, x), whole)


@pytest.mark.parametrize("x", [replace(AUDIO, shape=(320, 2)), replace(AUDIO, dtype="int8"), replace(AUDIO, shape=(480,))])
def test_other_inputs_are_refused(x):
    with pytest.raises(AppError, match="stage 'dc_notch'"):
        DcNotch().plan(x)
