"""Does a frame hold the last samples, windowed, of every channel alike?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.frame import Frame

ONE = Signal((4,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(400))
THREE = replace(ONE, shape=(4, 3))


def framed(stage: Frame, x: np.ndarray, signal: Signal) -> tuple[list[int], np.ndarray]:
    fired = Engine(plan_stage("frame", stage, signal)).push(x.astype(np.int16).reshape(-1, *signal.shape))[0]
    return fired.when.tolist(), fired.y


def test_a_frame_holds_the_last_samples_oldest_first():
    when, y = framed(Frame(length_ms=25, hop_ms=20, window="boxcar"), 1000 + np.arange(28), ONE)
    assert when == [2, 4, 6]
    np.testing.assert_array_equal(y, 1000 + np.arange(2, 12) + 8 * np.arange(3)[:, None])


def test_each_channel_is_cut_as_if_it_were_alone():
    stage = Frame(length_ms=30, hop_ms=20)
    x = np.random.default_rng(1).integers(-32768, 32768, (400, 3))
    when, y = framed(stage, x, THREE)
    assert y.shape[1:] == (12, 3)
    for channel in range(3):
        alone, one = framed(stage, x[:, channel], ONE)
        assert alone == when
        np.testing.assert_array_equal(y[:, :, channel], one)


def test_one_channel_that_is_said_keeps_its_axis():
    assert Frame(length_ms=30).plan(replace(ONE, shape=(4, 1))).y.shape == (12, 1)
    assert Frame(length_ms=30).plan(ONE).y.shape == (12,)


def test_y_has_the_rate_of_the_hop_and_the_samples_of_x():
    y = Frame(length_ms=30, hop_ms=20).plan(THREE).y
    assert (y.rate_hz, y.sample_hz, y.scale, y.unit) == (50, 400, THREE.scale, "FS")


def test_the_window_is_stored_once_for_all_channels():
    assert Frame(length_ms=30).plan(THREE).tables["window"].shape == (12,)


@pytest.mark.parametrize(("stage", "signal", "path", "what"), [
    (Frame(length_ms=30, hop_ms=15), THREE, ("hop_ms",), "hop_ms = 15 is not a multiple of the block, 10 ms"),
    (Frame(length_ms=5), THREE, ("length_ms",), "length_ms = 5 is shorter than the block, 10 ms"),
    (Frame(length_ms=11), THREE, ("length_ms",), "length_ms = 11 is 4.4 samples at 400 Hz, not a whole number"),
    (Frame(length_ms=30), replace(ONE, dtype="int32"), (),
     "stage 'frame' cuts int16 samples, [n] or [n, channels], and is given 4 int32 at 100 Hz"),
    (Frame(length_ms=30), replace(ONE, shape=(2, 2, 2)), (),
     "stage 'frame' cuts int16 samples, [n] or [n, channels], and is given 2x2x2 int16 at 100 Hz"),
])  # fmt: skip
def test_mistakes(stage, signal, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)
