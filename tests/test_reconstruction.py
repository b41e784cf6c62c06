"""Is the error one of real values, whatever each side counts in?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages.reconstruction import Reconstruction

GIVEN = Signal((4,), "int8", Fraction(10), 0.5, -128, "g")
GAVE = Signal((4,), "int8", Fraction(10), 0.25, 3, "g")


def error(stage: Reconstruction, given, gave, x: Signal = GIVEN, z: Signal = GAVE) -> float:
    step = stage.plan(x, z)
    counts = [np.rint(np.array([real]) / s.scale + s.zero).astype(s.dtype) for real, s in ((given, x), (gave, z))]
    return float(step.y.real(step.run(step.k, None, *counts))[0, 0])


def test_by_hand():
    given, gave = [0, 1, 2, 10.5], [0, 1.25, 0, 10.5]
    assert error(Reconstruction(), given, gave) == pytest.approx((0.0625 + 4) / 4, rel=1e-5)
    assert error(Reconstruction(error="absolute"), given, gave) == pytest.approx(2.25 / 4, rel=1e-5)
    assert error(Reconstruction(error="rms"), given, gave) == pytest.approx((4.0625 / 4) ** 0.5, rel=1e-5)


@pytest.mark.parametrize("name", ["squared", "absolute", "rms"])
def test_what_is_given_back_exactly_has_no_error(name):
    assert error(Reconstruction(error=name), [0, 1, 2, 3], [0, 1, 2, 3]) == 0


def test_the_sides_count():
    assert error(Reconstruction(error="absolute"), [5, 5, 5, 5], [0, 0, 0, 0]) == error(Reconstruction(error="absolute"), [0] * 4, [5] * 4)


def test_a_count_of_a_narrow_scale_is_seen_beside_a_wide_one():
    """The least difference of the finer side, though the coarser one reaches a million times as far."""
    wide, fine = replace(GIVEN, dtype="int32", scale=2.0**-10, zero=0), replace(GAVE, scale=2.0**-10, zero=0)
    near = error(Reconstruction(error="absolute"), [0, 0, 0, 0], [0.125] * 4, wide, fine)
    assert near == pytest.approx(0.125, abs=1.1 * 2**22 / 2**23)
    assert error(Reconstruction(error="absolute"), [1e6] * 4, [0] * 4, wide, fine) == pytest.approx(1e6, rel=1e-6)


def test_its_unit_is_that_of_both():
    assert [Reconstruction(error=e).plan(GIVEN, GAVE).y.unit for e in ("squared", "absolute", "rms")] == ["g²", "g", "g"]
    assert Reconstruction().plan(GIVEN, replace(GAVE, unit="")).y.unit == ""


@pytest.mark.parametrize(("z", "what"), [
    (replace(GAVE, shape=(5,)),
     "stage 'reconstruction' compares up to 32768 values with as many, and is given 4 int8 at 10 Hz and 5 int8 at 10 Hz"),
    (replace(GAVE, dtype="int64"), "stage 'reconstruction' compares int8, int16 or int32 values, and is given 4 int64 at 10 Hz"),
    (replace(GAVE, rate_hz=Fraction(5)), "what was given comes at 10 Hz, what it gave at 5 Hz"),
])
def test_mistakes(z, what):
    with pytest.raises(AppError) as caught:
        Reconstruction().plan(GIVEN, z)
    assert (caught.value.path, caught.value.what) == (("from",), what)
