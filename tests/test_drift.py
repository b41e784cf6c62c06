"""Do sums of drift grow and fall as by hand, begin again when they should, and saturate without wrapping?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.cusum import Cusum
from tinystream.stages.page_hinkley import PageHinkley


def vector(size: int = 1, dtype: str = "int16", scale: float = 2.0**-8, zero: int = 0) -> Signal:
    return Signal((size,), dtype, Fraction(10), scale, zero, "g")


def real(stage, values, x: Signal | None = None) -> np.ndarray:
    """What comes of rows of real values, in real units."""
    rows = np.asarray(values, float).reshape(len(values), -1)
    x = x or vector(rows.shape[1])
    plan = plan_stage("drift", stage, x)
    return plan.steps[0].y.real(Engine(plan).push(np.rint(rows / x.scale + x.zero).astype(x.dtype))[0].y)


# --- cusum ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "values", "want"), [
    (dict(slack=0.5), [10, 11, 11, 10, 9, 12], [0, 0.5, 1, 0.5, 0.5, 1.5]),
    (dict(slack=0.5, side="up"), [10, 12, 9, 8], [0, 1.5, 0, 0]),
    (dict(slack=0.5, side="down"), [10, 12, 9, 8], [0, 0, 0.5, 2]),
    (dict(slack=0.0), [11, 11, 9], [1, 2, 1]),                                          # a step back is taken off, not forgotten
    (dict(slack=0.5, restart_at=2.0), [12, 11, 11, 11], [1.5, 2, 0.5, 1]),              # the score that reaches it is told once
])
def test_a_cumulative_sum_by_hand(options, values, want):
    np.testing.assert_allclose(real(Cusum(target=10.0, **options), values)[:, 0], want, atol=2**-16)


def test_the_worst_feature_counts_and_each_has_a_target_and_a_slack():
    options = dict(target=(0.0, 5.0), slack=(1.0, 0.25))
    values = [(2, 5), (2, 4), (0, 4)]
    np.testing.assert_allclose(real(Cusum(**options, give="all"), values), [[1, 0], [2, 0.75], [1, 1.5]], atol=2**-16)
    np.testing.assert_allclose(real(Cusum(**options), values), [[1], [2], [1.5]], atol=2**-16)


def test_one_feature_begins_again_alone():
    stage = Cusum(target=0.0, slack=0.0, restart_at=3.0, give="all")
    np.testing.assert_allclose(real(stage, [(2, 1), (2, 1), (2, 1)]), [[2, 1], [4, 2], [2, 3]], atol=2**-16)


def test_a_slack_that_is_no_whole_count_does_not_add_up():
    """A third of a count, ten thousand times."""
    x = vector(scale=1.0)
    got = real(Cusum(target=0.0, slack=2 / 3), np.ones(10_000), x)
    assert abs(got[-1, 0] - 10_000 / 3) <= 2 * x.scale / 256


def test_sums_saturate_and_come_back():
    x = vector(1, "int32", 1.0)
    step = Cusum(target=0.0, slack=0.0).plan(x)
    s, high, low = step.fresh_state(), np.array([2**31 - 1], np.int32), np.array([-(2**31)], np.int32)
    s.up[:] = 2**61 - 5
    assert step.run(step.k, s, high)[0] == 2**31 - 1 and s.up[0] == 2**61
    for _ in range(3):
        assert step.run(step.k, s, low)[0] == 2**31 - 1
    assert s.up[0] == 2**61 - 3 * 2**55


# --- page hinkley -----------------------------------------------------------------------------------------------


def test_the_test_of_page_and_hinkley_by_hand():
    """m_t = sum of x - mean - slack; the score is m_t less its minimum so far."""
    values = np.array([1.0, 3, 2, 2, 6, 7, 7, 1])
    mean = np.cumsum(values) / np.arange(1, 9)
    up = np.cumsum(np.where(np.arange(8) < 1, 0, values - mean - 0.25))
    down = np.cumsum(np.where(np.arange(8) < 1, 0, mean - values - 0.25))
    want = [u - np.minimum.accumulate(np.append(0, u))[1:] for u in (up, down)]
    for side, score in zip(("up", "down"), want):
        np.testing.assert_allclose(real(PageHinkley(slack=0.25, learn=1, side=side), values)[:, 0], score, atol=2**-14)
    np.testing.assert_allclose(real(PageHinkley(slack=0.25, learn=1), values)[:, 0], np.maximum(*want), atol=2**-14)


def test_nothing_is_scored_while_it_learns():
    got = real(PageHinkley(slack=0.0, learn=4), [0, 9, -9, 5, 100])[:, 0]
    assert (got[:4] == 0).all() and got[4] > 70


def test_it_begins_again_with_its_mean():
    """After a shift it alerts once, and takes the new level for usual."""
    values = [0.0] * 20 + [5.0] * 60
    got = real(PageHinkley(slack=0.5, learn=5, restart_at=10.0), values)[:, 0]
    assert (got[:20] == 0).all() and np.count_nonzero(got >= 10) == 1 and (got[40:] == 0).all()


def test_a_mean_with_little_memory_follows():
    rising = np.arange(300) * 0.01
    slow, fast = (real(PageHinkley(slack=0.2, learn=5, memory=memory), rising)[-1, 0] for memory in (1000, 10))
    assert slow > 100 and fast == 0, "the mean of the last ten lags by 0.1"


def test_it_stays_within_its_bound_over_ten_thousand_blocks():
    x, rng = vector(), np.random.default_rng(0)
    values = rng.normal(0, 20, 10_000).round(2) + np.arange(10_000) // 3000
    stage = PageHinkley(slack=0.1)
    counted = np.rint(values / x.scale).reshape(-1, 1)
    want = stage.ideal((x,), counted * x.scale)
    assert np.abs(real(stage, values, x) - want).max() <= 3 * x.scale / 256


# --- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "path", "what"), [
    (Cusum(target=0.0, slack=-1.0), "slack", "the slack of feature 0, -1, is below 0"),
    (Cusum(target=(0.0, 1.0, 2.0), slack=1.0), "target", "target has 3 numbers for 2 features"),
    (Cusum(target=1e12, slack=1.0), "target", "the target of feature 0 is far beyond what it can be, 127.996"),
    (PageHinkley(slack=1.0, learn=50, memory=50), "learn", "learn = 50 is not less than memory, 50"),
])
def test_mistakes(stage, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(vector(2))
    assert (caught.value.path, caught.value.what) == ((path,), what)
