"""Are known angles what they are, in every quadrant, for whichever axis points up?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.tilt import Tilt

AXES = Signal((1, 3), "int16", Fraction(100), 2 * 2.0**-15, unit="g", sample_hz=Fraction(100))
ALL = ("inclination", "roll", "pitch")


def angles(x, stage: Tilt | None = None) -> np.ndarray:
    """In degrees."""
    stage = stage or Tilt(angles=ALL)
    blocks = np.asarray(np.rint(x), np.int16).reshape(-1, 1, 3)
    y = Engine(plan_stage("tilt", stage, AXES)).push(blocks)[0].y
    return y.reshape(len(blocks), -1) / 128


def test_known_positions_to_the_count():
    found = angles([[0, 0, 16384], [0, 0, -16384], [16384, 0, 0], [-16384, 0, 0], [0, 16384, 0], [0, -16384, 0], [0, 0, 0]])
    assert found.tolist() == [[0, 0, 0], [180, 180, 0], [90, 0, -90], [90, 0, 90], [90, 90, 0], [90, -90, 0], [0, 0, 0]]


def test_known_angles_to_the_count():
    assert angles([[10000, 0, 10000], [0, 10000, -10000], [0, -10000, -10000], [-10000, 0, -10000]]).tolist() == [
        [45, 0, -45], [135, 135, 0], [135, -135, 0], [135, 180, 45]]
    assert angles([[12000, 12000, 12000]]).tolist() == [[round(128 * d) / 128 for d in (54.735610, 45, -35.264390)]]


@pytest.mark.parametrize("turn", range(-175, 181, 5))
def test_a_roll_is_the_turn_about_x(turn):
    y, z = 16000 * np.sin(np.radians(turn)), 16000 * np.cos(np.radians(turn))
    inclination, roll, pitch = angles([[0, y, z]])[0]
    assert roll == pytest.approx(turn, abs=0.007) and inclination == pytest.approx(abs(turn), abs=0.007) and pitch == 0


@pytest.mark.parametrize("turn", range(-90, 91, 5))
def test_a_pitch_is_the_turn_about_y_whatever_the_roll(turn):
    for roll in (0, 30, -120):
        flat = np.cos(np.radians(turn))
        x = 16000 * np.array([-np.sin(np.radians(turn)), flat * np.sin(np.radians(roll)), flat * np.cos(np.radians(roll))])
        assert angles([x])[0][2] == pytest.approx(turn, abs=0.007)


def test_another_axis_up_turns_the_names():
    v, h1, h2 = 14000, 2000, -5000
    want = angles([[h1, h2, v]])
    np.testing.assert_array_equal(angles([[v, h1, h2]], Tilt(angles=ALL, up="x")), want)
    np.testing.assert_array_equal(angles([[h2, v, h1]], Tilt(angles=ALL, up="y")), want)


def test_error_is_what_the_docstring_says_for_long_vectors_and_for_any():
    rng = np.random.default_rng(5)
    for low, high, bound in [(3, 15, 0.55), (0, 3, 0.8)]:
        way = rng.normal(size=(20000, 3))
        x = np.rint(way / np.linalg.norm(way, axis=1)[:, None] * 2.0 ** rng.uniform(low, high, (20000, 1))) + 0.0      # -0.0 is no integer
        x = x[np.linalg.norm(x, axis=1) > (8 if low == 3 else 0)]
        want = Tilt(angles=ALL).ideal((AXES,), x[:, None, :])[:, 0]
        error = np.abs(angles(x) - want).max() * 128
        print(f"{error:.3f} counts")
        assert error < bound


def test_full_scale_on_every_axis_is_no_other_angle():
    assert angles([[-32768] * 3]).tolist() == angles([[-12000] * 3]).tolist()


def test_one_angle_has_no_axis_of_its_own():
    assert Tilt().plan(replace(AXES, shape=(20, 3))).y == replace(AXES, shape=(20,), scale=2.0**-7, unit="degrees")
    assert Tilt(angles=("pitch", "roll")).plan(AXES).y.shape == (1, 2)


@pytest.mark.parametrize(("stage", "signal", "path", "what"), [
    (Tilt(), replace(AXES, shape=(5, 2)), (), "stage 'tilt' takes int16 samples of three axes, [n, 3], and is given 5x2 int16 at 100 Hz"),
    (Tilt(angles=("roll", "roll")), AXES, ("angles",), "angles names one twice: roll, roll"),
])  # fmt: skip
def test_mistakes(stage, signal, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)
