"""Is entropy that of numpy's histogram, to the stated 0.0003, and exactly 0 where nothing varies?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.entropy import Entropy, window


def entropies(rows: np.ndarray, dtype: str = "int16", **options) -> np.ndarray:
    plan = plan_stage("entropy", Entropy(**options), window(*rows.shape[1:], dtype=dtype))
    return plan.steps[0].y.real(Engine(plan).push(rows.astype(dtype))[0].y)[..., 0]


@pytest.mark.parametrize(("values", "bins", "entropy"), [
    ([7] * 9, 100, 0),
    ([0, 1], 100, np.log(2)),
    ([0, 0, 0, 5], 2, np.log(4) - 0.75 * np.log(3)),
    ([0, 1, 2, 3], 2, np.log(2)),           # 2 lies on the edge, and belongs above
    ([0, 1, 2], 3, np.log(3)),
    (list(range(100)), 100, np.log(100)),
    ([-32768, 32767, 0], 2, np.log(3) - 2 / 3 * np.log(2)),
])
def test_few_values_by_hand(values, bins, entropy):
    assert entropies(np.array([values]), bins=bins)[0] == pytest.approx(entropy, abs=3e-4 if entropy else 0)


@pytest.mark.parametrize("dtype", ["int16", "int32"])
@pytest.mark.parametrize("n", [2, 35, 500, 32768])
def test_entropy_is_that_of_numpy(n, dtype):
    rng, full = np.random.default_rng(n), np.iinfo(dtype).max
    rows = np.stack([
        rng.normal(0, full / 5, n), rng.integers(-3, 4, n), full * np.sin(np.arange(n) / 9), np.where(np.arange(n) == n // 2, full, 0),
        rng.normal(0, 30, n),
    ]).clip(-full - 1, full).round()
    got, worst = entropies(rows, dtype), 0.0
    for row, entropy in zip(rows, got, strict=True):
        share = np.histogram(row, 100)[0] / n
        worst = max(worst, abs(entropy + (share[share > 0] * np.log(share[share > 0])).sum()))
    print(f"worst error {worst:.2g} nats")
    assert worst <= 3e-4


@pytest.mark.parametrize("n", [1, 3, 64, 1000, 32768])
def test_what_does_not_vary_has_none(n):
    for value in (0, -32768, 32767):
        assert entropies(np.full((1, n), value)).tolist() == [0]


def test_channels_are_counted_each_alone_and_the_scale_is_as_told():
    x = np.random.default_rng(1).normal(0, 1000, (4, 200, 3)).round()
    both = entropies(x)
    for channel in range(3):
        np.testing.assert_array_equal(both[:, channel], entropies(x[..., channel]))
    y = Entropy(scale=2.0**-8).plan(window(200, 3)).y
    assert (y.shape, y.scale, y.unit) == ((3, 1), 2.0**-8, "nat")
    assert Entropy().plan(window(200)).y.scale == 2.0**-28


def test_what_is_no_window_is_refused():
    with pytest.raises(AppError, match="looks at windows of up to 32768"):
        Entropy().plan(Signal((64,), "int64", Fraction(1), bin_hz=Fraction(1)))
