"""Is it the length, to half a count, and 0 for what rests with minus_g, and does it hold whatever comes?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.magnitude import Magnitude

AXES = Signal((1, 3), "int16", Fraction(100), 4 * 2.0**-15, unit="g", sample_hz=Fraction(100))


def length_of(x, stage: Magnitude | None = None, signal: Signal = AXES) -> list[int]:
    blocks = np.asarray(x, np.int16)[:, None, :]
    plan = plan_stage("magnitude", stage or Magnitude(), replace(signal, shape=blocks.shape[1:]))
    return Engine(plan).push(blocks)[0].y[:, 0].tolist()


def test_a_count_of_y_is_two_of_x():
    assert Magnitude().plan(AXES).y == Signal((1,), "int16", Fraction(100), 8 * 2.0**-15, unit="g", sample_hz=Fraction(100))
    assert length_of([[6, 8, 0], [-6, 0, -8], [0, 0, 0], [1, 2, 2], [1, 1, 1], [1, 0, 0]]) == [5, 5, 0, 2, 1, 1]


def test_full_scale_on_every_axis_is_held():
    assert length_of([[-32768, -32768, -32768], [32767, 32767, 32767]]) == [28378, 28377]
    assert length_of([[-32768, -32768]]) == [23170]
    assert length_of([[-32768] * 4]) == [16384]


def test_what_rests_reads_nothing_however_it_lies():
    rng = np.random.default_rng(8)
    way = rng.normal(size=(1000, 3))
    x = np.rint(8192 * way / np.linalg.norm(way, axis=1)[:, None])
    assert set(length_of(x, Magnitude(minus_g=True))) <= {0, -1, 1}
    assert length_of([[0, 0, 8192], [0, -8192, 0], [0, 0, 0], [0, 0, 16384]], Magnitude(minus_g=True)) == [0, 0, -4096, 4096]


def test_below_two_counts_it_is_the_nearest():
    for a in range(-5, 6):
        for b in range(-5, 6):
            assert abs(length_of([[a, b, 3]])[0] - np.sqrt(a * a + b * b + 9) / 2) <= 0.504


@pytest.mark.parametrize(("stage", "signal", "path", "what"), [
    (Magnitude(), replace(AXES, shape=(5,)), (),
     "stage 'magnitude' takes int16 samples of two channels or more, [n, channels], and is given 5 int16 at 100 Hz"),
    (Magnitude(), replace(AXES, shape=(5, 1)), (),
     "stage 'magnitude' takes int16 samples of two channels or more, [n, channels], and is given 5x1 int16 at 100 Hz"),
    (Magnitude(minus_g=True), replace(AXES, unit="FS"), ("minus_g",), "minus_g takes 1 g off, and samples are in FS"),
    (Magnitude(minus_g=True), replace(AXES, scale=2.0**-18), ("minus_g",), "1 g is more than these samples can hold, 0.125 g"),
])  # fmt: skip
def test_mistakes(stage, signal, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)
