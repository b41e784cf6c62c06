"""Does the logarithm use its 16 bits, hold its floor, and mean what people mean by dB?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages.log import Log, run

POWER = Signal((4,), "int64", Fraction(100), 2.0**-46, unit="FS²")
AMPLITUDE = Signal((4,), "int16", Fraction(100), 2.0**-15, unit="FS")


def real(stage: Log, x: Signal, counts: list[int]) -> np.ndarray:
    step = stage.plan(x)
    return step.y.real(run(step.k, None, np.array([counts], x.dtype))[0])


def test_values_by_hand():
    np.testing.assert_allclose(real(Log(), POWER, [2**46, 2**45, 2**26, 2**36]), [0, -1, -20, -10])
    np.testing.assert_allclose(real(Log(unit="db"), POWER, [2**46, 2**46 // 10, 2**46 // 1000, 0]), [0, -10, -30, -100], atol=0.003)
    np.testing.assert_allclose(
        real(Log(unit="ln"), POWER, [2**46, round(2**46 / np.e), round(2**46 / np.e**9), 1]), [0, -1, -9, np.log(1e-10)], atol=0.001
    )


def test_decibels_of_an_amplitude_are_twenty_logarithms():
    np.testing.assert_allclose(real(Log(unit="db"), AMPLITUDE, [16384, 3277, 328, 33]), [-6.02, -20.0, -39.99, -59.94], atol=0.01)


@pytest.mark.parametrize("unit", ["log2", "ln", "db"])
def test_silence_and_negative_values_are_held_at_the_floor(unit):
    held = real(Log(unit=unit, floor_db=-60.0), AMPLITUDE, [0, -5, 32, 33])
    assert held[0] == held[1] == held[2] < held[3]
    of_60_db = {"log2": -60 / (20 * np.log10(2)), "ln": -np.log(1000), "db": -60}[unit]
    assert abs(held[0] - of_60_db) < 0.01


@pytest.mark.parametrize(("unit", "bits"), [("log2", 9), ("ln", 10), ("db", 8)])
def test_the_scale_is_the_finest_that_holds_the_range(unit, bits):
    step = Log(unit=unit).plan(POWER)
    assert (step.y.scale, step.y.zero) == (2.0**-bits, 0)
    y = run(step.k, None, np.array([[0, 1, 2**62 - 1, 2**63 - 1]]))[0]
    assert (np.abs(y.astype(int)) < 32767).all(), "nothing saturates"
    top = {"log2": 17, "ln": 17 * np.log(2), "db": 170 * np.log10(2)}[unit]
    assert abs(step.y.real(y[3]) - top) <= step.y.scale, "the largest int64"


def test_it_never_falls_where_x_rises():
    step = Log(unit="ln").plan(POWER)
    x = np.unique(np.concatenate([2 ** np.arange(12, 60), 2 ** np.arange(12, 60) - 1, np.arange(10**6, 10**6 + 5000)]))
    assert (np.diff(run(step.k, None, x[None])[0].astype(int)) >= 0).all()


def test_a_floor_above_everything_is_refused():
    with pytest.raises(AppError) as caught:
        Log(floor_db=3.0).plan(AMPLITUDE)
    assert caught.value.path == ("floor_db",)
    Log(floor_db=float(caught.value.help.split()[-1])).plan(AMPLITUDE)
