"""Are weighted sums exact where features are of very different size, and activations what they should be?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages.linear import Linear


def vector(size: int, dtype: str = "int32", scale: float = 2.0**-16, zero: int = 0) -> Signal:
    return Signal((size,), dtype, Fraction(10), scale, zero)


def real(stage: Linear, x: Signal, values) -> np.ndarray:
    step = stage.plan(x)
    counts = np.rint(np.asarray(values, float).reshape(-1, x.size) / x.scale + x.zero).astype(x.dtype)
    return step.y.real(step.run(step.k, None, counts))


def test_a_sum_by_hand():
    stage = Linear(weights=((1.0, -2.0, 0.5), (0.0, 0.0, 1.0)), bias=(10.0, -1.0))
    np.testing.assert_allclose(real(stage, vector(3), [(1, 2, 4), (0, 0, 0)]), [[9, 3], [10, -1]], atol=1e-4)
    np.testing.assert_allclose(real(stage, vector(3, "int8", 0.5, -100), [(1, 2, 4), (0, 0, 0)]), [[9, 3], [10, -1]], atol=1e-4)


def test_a_tiny_weight_of_a_huge_feature_keeps_its_digits():
    """A weight a thousand million times smaller than another counts as much, where its feature is as much larger."""
    stage = Linear(weights=((1e-6, 1e3),), largest=100.0)
    x = vector(2, scale=2.0**-4)
    got = real(stage, x, [(1e8 / 3, 0.0625), (-1e8, 0)])[:, 0]
    np.testing.assert_allclose(got, [np.rint(1e8 / 3 * 16) / 16 * 1e-6 + 62.5, -100], rtol=1e-7)


def test_largest_saturates_and_gives_finer_counts():
    x, weights = vector(1, "int16", 1.0), ((1.0,),)
    coarse, fine = Linear(weights=weights).plan(x).y, Linear(weights=weights, largest=4.0).plan(x).y
    assert fine.scale == 2.0**-28 and coarse.scale == 2.0**-15
    np.testing.assert_allclose(real(Linear(weights=weights, largest=4.0), x, [3, 8.5, -9])[:, 0], [3, 8, -8], rtol=1e-8)


def test_no_input_saturates_without_largest():
    x = vector(4, "int16", 2.0**-8, 77)
    stage = Linear(weights=((3.0, -3.0, 7.0, -0.1),), bias=50.0)
    step = stage.plan(x)
    worst = np.array([[32767, -32768, 32767, -32768], [-32768, 32767, -32768, 32767]], np.int16)
    want = x.real(worst) @ [3.0, -3, 7, -0.1] + 50
    np.testing.assert_allclose(step.y.real(step.run(step.k, None, worst))[:, 0], want, atol=step.y.scale)


def test_a_sigmoid_is_within_two_counts_everywhere():
    stage = Linear(weights=((1.0,),), activation="sigmoid")
    values = np.linspace(-20, 20, 20001)
    got = real(stage, vector(1), values)[:, 0]
    want = 1 / (1 + np.exp(-np.rint(values * 2**16) / 2**16))
    assert np.abs(got - np.minimum(want, 1 - 2**-15)).max() <= 1.6 / 32768
    assert (np.diff(got) >= 0).all(), "it never falls"
    assert got[0] == 0 and got[10000] == 0.5 and got[-1] == 1 - 2**-15


def test_a_softmax_sums_to_one_and_does_not_depend_on_what_all_have_in_common():
    stage = Linear(weights=((1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)), activation="softmax")
    x = np.random.default_rng(0).normal(0, 3, (500, 4))
    x[:, 3] = 0
    got = real(stage, vector(4), x)
    e = np.exp(x[:, :3])
    assert np.abs(got - e / e.sum(axis=1, keepdims=True)).max() <= 2 / 32768
    assert np.abs(got.sum(axis=1) - 1).max() <= 3 / 32768
    x[:, 3] = 20000
    assert np.abs(real(stage, vector(4), x) - got).max() <= 4 / 32768


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(weights=()), "weights", "weights is empty"),
    (dict(weights=((1.0,),)), "weights", "row 0 of weights has 1 numbers for 2 features"),
    (dict(weights=((1.0, 1.0),), bias=(1.0, 2.0)), "bias", "bias has 2 numbers for 1 features"),
    (dict(weights=((1.0, 1.0),), activation="softmax"), "activation", 'activation = "softmax" needs two outputs or more'),
    (dict(weights=((1.0, 1.0),), activation="sigmoid", largest=2.0), "largest", 'largest means nothing to activation = "sigmoid"'),
    (dict(weights=((1e12, 1.0),), activation="sigmoid"), "weights", "the sums reach 3.28e+16, which leaves them no digits"),
])
def test_mistakes(options, path, what):
    with pytest.raises(AppError) as caught:
        Linear(**options).plan(vector(2))
    assert (caught.value.path, caught.value.what) == ((path,), what)
