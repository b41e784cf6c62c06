"""Is the cosine transform orthonormal, and safe for every input?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.fft import idct

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages.dct import Dct, run


def bands(count: int, scale: float = 2.0**-9, zero: int = 0) -> Signal:
    return Signal((count,), "int16", Fraction(100), scale, zero, unit="octaves")


def test_the_inverse_gives_the_bands_back():
    x = np.random.default_rng(0).integers(-17000, 17000, (20, 40)).astype(np.int16)
    step = Dct(coefficients=40).plan(bands(40))
    back = idct(step.y.real(run(step.k, None, x)), norm="ortho") / bands(40).scale
    error = np.abs(back - x).max()
    print(f"worst error {error:.2f} counts of x, y counts are {step.y.scale / bands(40).scale:g} of x")
    assert error <= 4 * step.y.scale / bands(40).scale


def test_lifter_and_first_by_hand():
    """Source of the numbers: HTK Book, eq. 5.12, c'(n) = (1 + L/2 sin(pi n / L)) c(n)."""
    x = np.random.default_rng(1).integers(-17000, 17000, (20, 26)).astype(np.int16)
    plain, lifted = Dct(coefficients=13).plan(bands(26)), Dct(coefficients=12, first=1, lifter=22).plan(bands(26))
    c, d = (step.y.real(run(step.k, None, x)) for step in (plain, lifted))
    lift = [1 + 11 * np.sin(np.pi * n / 22) for n in range(1, 13)]
    np.testing.assert_allclose(d, c[:, 1:] * lift, atol=13 * plain.y.scale + lifted.y.scale)


@pytest.mark.parametrize("stage", [Dct(coefficients=26), Dct(coefficients=26, lifter=22), Dct(coefficients=1), Dct(first=13)])
@pytest.mark.parametrize("zero", [0, -3000])
def test_no_input_saturates_and_a_finer_scale_would(stage, zero):
    x = bands(26, zero=zero)
    step = stage.plan(x)
    basis = step.k.basis.astype(np.int64)
    cruel = np.concatenate([np.where(basis > 0, 32767, -32768), np.where(basis > 0, -32768, 32767)])
    exact = ((cruel - zero) @ basis.T) * 2.0**-step.k.shift
    assert np.abs(exact).max() <= 32768
    assert np.abs(exact).max() > 16000
    np.testing.assert_allclose(run(step.k, None, cruel.astype(np.int16)), exact, atol=0.5)


def test_a_constant_is_only_in_coefficient_0_and_the_zero_point_is_taken_off():
    step = Dct(coefficients=5).plan(bands(20, zero=77))
    y = run(step.k, None, np.array([[77] * 20, [1077] * 20], np.int16))
    assert not y[0].any()
    assert not y[1, 1:].any()
    assert abs(step.y.real(y[1, 0]) - 1000 * 2.0**-9 * np.sqrt(20)) <= step.y.scale


@pytest.mark.parametrize(
    ("stage", "path", "help"),
    [(Dct(coefficients=13), ("coefficients",), "coefficients = 8"), (Dct(coefficients=2, first=8), ("first",), "first = 0")],
)
def test_more_coefficients_than_bands_are_refused(stage, path, help):
    with pytest.raises(AppError) as caught:
        stage.plan(bands(8))
    assert (caught.value.path, caught.value.help) == (path, help)
