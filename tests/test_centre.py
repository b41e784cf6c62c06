"""Is the mean gone, with nothing rounded that need not be?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.centre import Centre, window


def centred(x: np.ndarray, dtype: str = "int16") -> np.ndarray:
    plan = plan_stage("centre", Centre(), window(dtype, *x.shape[1:], scale=1.0))
    return plan.steps[0].y.real(Engine(plan).push(x.astype(dtype))[0].y)


def test_thirds_by_hand():
    np.testing.assert_allclose(centred(np.array([[1, 1, 2]])), [[-1 / 3, -1 / 3, 2 / 3]], rtol=1e-15)
    np.testing.assert_allclose(centred(np.array([[[5, -7], [6, -7], [6, -7]]])), [[[-2 / 3, 0], [1 / 3, 0], [1 / 3, 0]]], rtol=1e-15)


@pytest.mark.parametrize("value", [-32768, -1, 32767])
@pytest.mark.parametrize("n", [1, 7, 32768])
def test_nothing_is_left_of_a_constant(n, value):
    assert not centred(np.full((1, n), value)).any()


@pytest.mark.parametrize("n", [2, 64, 1000, 32768])
def test_int16_is_exact_and_int32_rounds_to_what_fits(n):
    rng = np.random.default_rng(n)
    x = np.stack([rng.integers(-32768, 32768, n), np.where(np.arange(n) == 0, 32767, -32768), np.where(np.arange(n) == 1, -32768, 32767)])
    np.testing.assert_allclose(centred(x), x - x.mean(-1, keepdims=True), rtol=1e-12, atol=1e-9)
    x = x * 65536 + rng.integers(0, 65536, x.shape)
    np.testing.assert_allclose(centred(x, "int32"), x - x.mean(-1, keepdims=True), atol=2.001)


def test_a_window_too_long_is_refused():
    with pytest.raises(AppError, match="takes windows of up to 32768"):
        Centre().plan(Signal((32769,), "int16", Fraction(1)))
