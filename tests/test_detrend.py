"""Is the line that is taken out the one of least squares, to half a count?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import detrend

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.detrend import BOUND, LONGEST, Detrend

WINDOW = Signal((5,), "int16", Fraction(10), 2.0**-15, unit="FS", sample_hz=Fraction(50))


def detrended(type: str, x) -> np.ndarray:
    x = np.asarray(x, np.int16)
    return Engine(plan_stage("detrend", Detrend(type=type), replace(WINDOW, shape=x.shape))).push(x[None])[0].y[0]


def test_a_mean_is_taken_out():
    assert detrended("constant", [10, 11, 12, 13, 14]).tolist() == [-2, -1, 0, 1, 2]
    assert detrended("constant", [0, 0, 0, 0, 3]).tolist() == [-1, -1, -1, -1, 2], "0.6 rounds to 1"
    assert detrended("constant", [0, 0, 0, 0, -3]).tolist() == [1, 1, 1, 1, -2], "and -0.6 to -1"


@pytest.mark.parametrize("first", [-32768, -7, 0, 1000])
def test_a_ramp_leaves_nothing(first):
    assert not detrended("linear", first + 13 * np.arange(2000)).any()


def test_a_constant_leaves_nothing_of_either_type():
    for type in ("constant", "linear"):
        for value in (-32768, -1, 32767):
            assert not detrended(type, np.full(333, value)).any()


def test_a_line_is_worse_than_a_mean_for_nothing_but_a_line():
    tone = np.rint(3000 * np.sin(np.arange(1000) / 5))
    assert np.std(detrended("linear", tone + np.arange(1000))) == pytest.approx(3000 / np.sqrt(2), rel=0.01)
    assert np.std(detrended("constant", tone + 10 * np.arange(1000))) > 2900


@pytest.mark.parametrize("length", [2, 3, 5, 100, 1023, LONGEST])
@pytest.mark.parametrize("what", ["noise", "step", "ends"])
def test_any_window_is_scipys(length, what):
    rng = np.random.default_rng(length)
    x = {"noise": rng.integers(-16000, 16000, length), "step": np.where(np.arange(length) < length // 2, -16384, 16383),
         "ends": np.where(np.arange(length) % (length - 1) == 0, 16000, 0)}[what]
    for type in ("constant", "linear"):
        assert np.abs(detrended(type, x) - detrend(x.astype(float), type=type)).max() <= BOUND


def test_each_channel_has_its_own_line():
    x = np.array([[0, 100, 0], [1, 90, 0], [2, 80, 0], [3, 70, 10]])
    assert detrended("linear", x).tolist() == [[0, 0, 2], [0, 0, -1], [0, 0, -4], [0, 0, 3]], "the third is 3 t - 2"


def test_a_sample_further_than_full_scale_from_the_mean_saturates():
    assert detrended("constant", [32767, -32768, -32768, -32768, -32768]).tolist() == [32767, -13107, -13107, -13107, -13107]


@pytest.mark.parametrize(("stage", "signal", "path", "what"), [
    (Detrend(type="linear"), replace(WINDOW, shape=(1, 3)), ("type",), "a line needs two samples, and a window has one"),
    (Detrend(), replace(WINDOW, shape=(LONGEST + 1,)), (),
     "stage 'detrend' takes windows of up to 16384 samples, and is given 16385 int16 at 10 Hz"),
    (Detrend(), replace(WINDOW, dtype="int32"), (),
     "stage 'detrend' takes windows of int16 samples, [n] or [n, channels], and is given 5 int32 at 10 Hz"),
])  # fmt: skip
def test_mistakes(stage, signal, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)
