"""Is pre-emphasis the filter that everybody means?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import lfilter

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.preemphasis import Preemphasis

AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))


def test_blocks_of_a_stream_are_filtered_as_one():
    x = np.random.default_rng(0).integers(-12000, 12000, (50, 160)).astype(np.int16)
    y = Engine(plan_stage("p", Preemphasis(coefficient=0.95), AUDIO)).push(x)[0].y
    want = lfilter([1, -0.95], [1], x.ravel().astype(np.float64))
    error = np.abs(y.ravel() - want).max()
    print(f"worst error {error:.3f} counts")
    assert error <= 0.7


def test_a_jump_beyond_full_scale_saturates():
    x = np.zeros((1, 160), np.int16)
    x[0, :4] = [-32768, 32767, -32768, 100]
    y = Engine(plan_stage("p", Preemphasis(), AUDIO)).push(x)[0].y[0]
    assert y[:4].tolist() == [-32768, 32767, -32768, 31885]  # 100 + 32768 * 31785/32768


def test_overlapping_frames_are_refused():
    frames = Signal((480,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
    with pytest.raises(AppError) as caught:
        Preemphasis().plan(frames)
    assert caught.value.help == "put it before the frame"
