"""Is it the difference to then, or the slope that HTK means, and is nothing given before there is enough?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.signal import savgol_coeffs

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.delta import Delta

LOGS = Signal((2,), "int16", Fraction(100), 2.0**-9, unit="octaves")


def delta(stage: Delta, x, signal: Signal = LOGS) -> tuple[list[int], np.ndarray]:
    fired = Engine(plan_stage("delta", stage, signal)).push(np.asarray(x, signal.dtype))[0]
    return fired.when.tolist(), fired.y


def test_a_difference_looks_so_many_vectors_back():
    x = [[1, 10], [2, 30], [4, 60], [8, 100]]
    assert delta(Delta(), x)[0] == [1, 2, 3] and delta(Delta(), x)[1].tolist() == [[1, 20], [2, 30], [4, 40]]
    assert delta(Delta(frames=3), x)[0] == [3] and delta(Delta(frames=3), x)[1].tolist() == [[7, 90]]


def test_a_ramp_has_its_slope_whatever_the_width():
    x = np.stack([7 * np.arange(60), -3 * np.arange(60) + 500], axis=1)
    for width in range(1, 17):
        when, y = delta(Delta(type="regression", width=width), x)
        assert when == list(range(2 * width, 60))
        assert (y == [7, -3]).all()


def test_htks_formula_by_hand():
    """Width 2: (1 (x3 - x1) + 2 (x4 - x0)) / 10."""
    when, y = delta(Delta(type="regression"), [[0, 0], [10, 1], [20, 0], [-7, 0], [31, 2], [0, 0]])
    assert when == [4, 5]
    assert y.tolist() == [[5, 0], [-1, 0]], "4.5 and 0.3; -0.9 and 0"


def test_it_is_a_line_through_the_vectors():
    x = np.random.default_rng(1).integers(-5000, 5000, (200, 2))
    want = np.stack([np.convolve(x[:, i], savgol_coeffs(7, 1, deriv=1), "valid") for i in range(2)], axis=1)
    assert np.abs(delta(Delta(type="regression", width=3), x)[1] - want).max() <= 0.5 + 1e-9


def test_what_no_type_holds_saturates():
    assert delta(Delta(), [[32767, -32768], [-32768, 32767]])[1].tolist() == [[-32768, 32767]]
    wide = replace(LOGS, dtype="int32")
    assert delta(Delta(), [[2**31 - 1, -(2**31)], [-(2**31), 2**31 - 1]], wide)[1].tolist() == [[-(2**31), 2**31 - 1]]
    assert delta(Delta(type="regression", width=1), [[-32768, 0]] + 2 * [[32767, 0]])[1].tolist() == [[32767, 0]], "32767.5"


def test_a_zero_cancels():
    assert Delta().plan(replace(LOGS, zero=40)).y == LOGS


@pytest.mark.parametrize(("stage", "signal", "path", "what"), [
    (Delta(type="regression", frames=2), LOGS, ("frames",), 'frames means nothing to type = "regression"'),
    (Delta(width=2), LOGS, ("width",), 'width means nothing to type = "difference"'),
    (Delta(), replace(LOGS, dtype="int64"), (), "stage 'delta' takes int16 or int32 vectors, and is given 2 int64 at 100 Hz"),
])  # fmt: skip
def test_mistakes(stage, signal, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)
