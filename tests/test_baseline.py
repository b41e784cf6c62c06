"""Is the baseline the textbook's mean, spread and covariance, whatever the features are, and does it follow no further than it may?"""

from __future__ import annotations

import subprocess
from fractions import Fraction

import numpy as np
import pytest

from tinystream.emit.compiler import compilers
from tinystream.emit.host import build_stream, parse_stream
from tinystream.errors import AppError
from tinystream.plan.plan import Plan, plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.baseline import BOUND, Baseline


def features(size: int, dtype: str = "int32", scale: float = 1.0) -> Signal:
    return Signal((size,), dtype, Fraction(10), scale)


def planned(stage: Baseline, x: np.ndarray, scale: float = 1.0) -> Plan:
    return plan_stage("normal", stage, features(x.shape[1], x.dtype.name, scale))


def learnt(stage: Baseline, x: np.ndarray):
    """What is remembered after these vectors, and what they gave, real."""
    plan = planned(stage, x)
    engine = Engine(plan)
    fired = engine.push(x)[0]
    return engine.states[0], plan.steps[0].y.real(fired.y)


def std(s) -> np.ndarray:
    return s.std * 2.0**s.exponent / 2**24


def correlation(s, size: int) -> np.ndarray:
    """What the factor is of."""
    factor = np.zeros((size, size))
    factor[np.tril_indices(size)] = s.factor / 2**30
    return factor @ factor.T


def c_gives(stage: Baseline, x: np.ndarray, folder) -> np.ndarray:
    """The same by the C, with sanitizers."""
    plan = planned(stage, x)
    done = subprocess.run([build_stream(plan, folder, compilers()[0])], input=x.tobytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return parse_stream(plan, done.stdout)[0][0][1]


# --- what is normal -------------------------------------------------------------------------------------------


def test_distance_by_hand():
    """Mean 10 and 20, standard deviation 2 and 4: three of the one and four of the other are 3.5355 on average."""
    seen = [[8, 16], [12, 24], [8, 24], [12, 16]]
    x = np.array([*seen, [16, 36], [10, 20], [4, 4]], np.int32)
    s, y = learnt(Baseline(learn_blocks=4), x)
    assert s.mean.tolist() == [10 << 24, 20 << 24] and std(s).tolist() == [2, 4]
    np.testing.assert_allclose(y[:, 0], [np.sqrt((9 + 16) / 2), 0, np.sqrt((9 + 16) / 2)], atol=2**-16)
    _, z = learnt(Baseline(learn_blocks=4, gives="scores"), x)
    assert z.tolist() == [[3, 4], [0, 0], [-3, -4]]
    _, y = learnt(Baseline(learn_blocks=4, how="covariance", ridge=1e-4), x)
    np.testing.assert_allclose(y[:, 0], [5, 0, 5], rtol=1e-4)


def test_it_waits_until_it_has_learnt():
    x = np.arange(30, dtype=np.int32).reshape(10, 3)
    for stage, first in [(Baseline(learn_blocks=4), 4), (Baseline(learn_s=0.6), 6), (Baseline(learn_s=0.61), 7)]:
        assert Engine(planned(stage, x)).push(x)[0].when[0] == first


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_mean_spread_and_correlation_are_the_textbooks(dtype):
    rng = np.random.default_rng(7)
    info = np.iinfo(dtype)
    mixed = rng.normal(0, 1, (1000, 5)) @ rng.normal(0, 1, (5, 5))
    x = np.clip(info.max / 3 + mixed * info.max / 20, info.min, info.max).astype(dtype)
    s, _ = learnt(Baseline(learn_blocks=1000, how="covariance"), x)
    wide = x.astype(np.float64)
    assert s.mean.tolist() == [round(Fraction(int(v) * 2**24, 1000)) for v in x.astype(np.int64).sum(axis=0)]
    np.testing.assert_allclose(std(s), wide.std(axis=0), rtol=1e-8)
    np.testing.assert_allclose(correlation(s, 5), np.corrcoef(wide.T) + 1e-3 * np.eye(5), atol=1e-8)
    assert (s.floored, s.dependent) == (0, 0)


def test_a_tiny_spread_on_a_large_mean_is_not_lost():
    """Sums of squares are of 2**62 here; the variance is 2."""
    x = np.array([[2**31 - 1], [2**31 - 3], [2**31 - 4], [2**31 - 4]] * 50, np.int32)
    s, _ = learnt(Baseline(learn_blocks=200), x)
    np.testing.assert_allclose([s.mean[0] / 2**24, std(s)[0]], [2**31 - 3, np.sqrt(1.5)], rtol=1e-9)


def test_order_and_repetition_do_not_matter_to_what_is_learnt():
    x = np.random.default_rng(1).integers(-(2**31), 2**31, (64, 4)).astype(np.int32)
    a, b = (Engine(planned(Baseline(learn_blocks=64, how="covariance"), x)) for _ in range(2))
    a.push(x)
    b.push(x[::-1])
    assert a.learnt() == b.learnt()


# --- features that say nothing --------------------------------------------------------------------------------


def test_constant_features_are_floored_and_counted():
    rng = np.random.default_rng(2)
    x = np.stack([np.full(60, 7), rng.normal(0, 100, 60), np.full(60, -(2**31)), np.zeros(60)], axis=1).astype(np.int32)
    x[50:, 0] = 12
    for how in ("diagonal", "covariance"):
        s, y = learnt(Baseline(learn_blocks=50, how=how), x)
        assert (s.floored, s.dependent) == (3, 0) and std(s)[[0, 2, 3]].tolist() == [1, 1, 1]
        assert (y > (2 if how == "diagonal" else 4.9)).all(), "five counts from what never changed"
        _, y = learnt(Baseline(learn_blocks=50, how=how, least_std=50.0), x)
        assert (y < 4).all()


def test_the_least_spread_is_in_the_unit_of_the_features():
    x = np.full((5, 1), 100, np.int16)
    engine = Engine(planned(Baseline(learn_blocks=4, least_std=0.5), x, scale=1 / 64))
    engine.push(x)
    assert std(engine.states[0]).tolist() == [32]


def test_identical_and_summed_features_depend_on_the_others_and_are_counted():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1000, (2, 300)).round()
    x = np.stack([a, a, b, a + b, 3 * a], axis=1).astype(np.int32)
    x[-1] += np.array([0, 500, 0, 0, 0], np.int32)      # what never was: the two differ
    s, y = learnt(Baseline(learn_blocks=200, how="covariance"), x)
    assert (s.floored, s.dependent) == (0, 3) and (s.factor[np.cumsum(range(1, 6)) - 1] > 0).all()
    assert y[:-1].max() < 6 and y[-1] > 2 * y[:-1].max(), "half a standard deviation, but of what moved together"
    together = np.corrcoef(x[:200].T.astype(float)) + 1e-3 * np.eye(5)
    z = (x[200:] - x[:200].mean(axis=0)) / x[:200].std(axis=0)
    np.testing.assert_allclose(y[:, 0], np.sqrt(np.einsum("ni,ij,nj->n", z, np.linalg.inv(together), z)), rtol=1e-5, atol=BOUND[0] / 2**16)


def test_nothing_varies_at_all():
    x = np.full((30, 6), 5, np.int8)
    for how in ("diagonal", "covariance"):
        s, y = learnt(Baseline(learn_blocks=10, how=how), x)
        assert s.floored == 6 and not y.any()


@pytest.mark.parametrize("how", ["diagonal", "covariance"])
@pytest.mark.parametrize("follow_s", [0, 1])
def test_full_scale_saturates_and_overflows_nowhere(how, follow_s, tmp_path):
    """64 features at both ends, those that hardly moved among them; the sanitizers look on, and the distance ends at 2**15."""
    rng = np.random.default_rng(4)
    ends = np.where(rng.integers(0, 2, (60, 64)), 2**31 - 1, -(2**31)).astype(np.int32)
    ends[:40, :6] = 4 * (ends[:40, 6:7] >> 31)      # six that moved by 4, together; after that, apart by all there is
    ends[:40, 8:16] = ends[:40, 16:17]
    ends[:40, 63] = 2**31 - 1
    stage = Baseline(learn_blocks=40, how=how, ridge=1e-4, follow_s=follow_s, follow_below=16_384.0, follow_limit=100.0)
    want = Engine(planned(stage, ends)).push(ends)[0].y
    np.testing.assert_array_equal(c_gives(stage, ends, tmp_path), want)
    if how == "covariance":
        assert want.max() == 2**31 - 1
    else:
        assert want.max() >> 16 > 600, "2048 for each of those that never moved"


# --- drift ----------------------------------------------------------------------------------------------------


def still(n: int, level: float = 0.0) -> np.ndarray:
    """Two features around a level, standard deviation 100."""
    return (np.array([[100, -100], [-100, 100]] * (n // 2)) + level).astype(np.int32)


def mean(s) -> list[float]:
    return (s.mean / 2**24).tolist()


FOLLOWS = Baseline(learn_blocks=20, follow_s=10, follow_below=3.0, follow_limit=2.5)


def test_slow_drift_is_followed_with_its_time_constant():
    """A step of one standard deviation: after a time constant, 100 vectors, 63 % of it is normal."""
    s, _ = learnt(FOLLOWS, np.concatenate([still(20), still(100, 100)]))
    np.testing.assert_allclose(mean(s), 100 * (1 - np.exp(-1)), rtol=0.02)
    s, y = learnt(FOLLOWS, np.concatenate([still(20), still(2000, 100)]))
    np.testing.assert_allclose(mean(s), 100, rtol=0.01)
    assert y[-1] < 1.02


def test_without_follow_the_mean_stays():
    s, _ = learnt(Baseline(learn_blocks=20), np.concatenate([still(20), still(500, 100)]))
    assert mean(s) == [0, 0]


def test_drift_is_followed_to_the_limit_and_no_further():
    ramp = (np.arange(4000) / 4000 * 1000).astype(np.int32)[:, None]
    s, y = learnt(FOLLOWS, np.concatenate([still(20), still(4000) + ramp]))
    assert mean(s) == [250, 250], "2.5 standard deviations of 100"
    assert y[-1] > 6, "what moved further is told"
    s, _ = learnt(FOLLOWS, np.concatenate([still(20), still(4000) - ramp]))
    assert mean(s) == [-250, -250]


def test_what_is_not_normal_is_not_followed():
    s, y = learnt(FOLLOWS, np.concatenate([still(20), still(500, 1000)]))
    assert mean(s) == [0, 0] and (y > 9).all()


def test_it_comes_back_from_the_limit():
    ramp = np.minimum(np.arange(3000) / 1000 * 300, 300).astype(np.int32)[:, None]
    x = np.concatenate([still(20), still(3000) + ramp, still(4000) + ramp[::-1][:1] - np.resize(ramp, (4000, 1))])
    s, _ = learnt(FOLLOWS, np.concatenate([x, still(2000)]))
    np.testing.assert_allclose(mean(s), 0, atol=1)


def test_a_time_constant_of_a_day_still_moves_the_mean():
    """A hundredth of a count a vector; it is not rounded away."""
    stage = Baseline(learn_blocks=20, follow_s=100_000, follow_below=30.0)
    s, _ = learnt(stage, np.concatenate([still(20), still(1000, 20)]))
    np.testing.assert_allclose(mean(s), 20 * 1000 / 1e6, rtol=0.01)


# --- mistakes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "x", "path", "what", "help"), [
    (Baseline(), features(3), (), "stage 'baseline' is not told how long it learns", "learn_s = 600"),
    (Baseline(learn_s=1, learn_blocks=3), features(3), ("learn_s",), "learn_s and learn_blocks exclude each other",
     "leave one of them out"),
    (Baseline(learn_s=0.1), features(3), ("learn_s",), "learn_s = 0.1 is a single vector, and one cannot vary", "learn_s = 1"),
    (Baseline(learn_s=1e6), features(3), ("learn_s",), "learn_s = 1e+06 is too long: sums of 10000000 vectors may not fit",
     "learn_s = 104857"),
    (Baseline(learn_blocks=2**21), features(3), ("learn_blocks",),
     "learn_blocks = 2.09715e+06 is too long: sums of 2097152 vectors may not fit", "learn_blocks = 1048576"),
    (Baseline(learn_s=1, follow_s=1e6), features(3), ("follow_s",), "follow_s = 1e+06 is so slow that the mean would stand still",
     "follow_s = 104857"),
    (Baseline(learn_s=1, least_std=1e10), features(3), ("least_std",),
     "least_std = 1e+10 is more than any feature can vary, 2.147e+09", "least_std = 256"),
    (Baseline(learn_s=1), features(65), (), "stage 'baseline' takes 1 to 64 features of int8, uint8, int16, uint16, int32, and is given "
     "65 int32 at 10 Hz", "features of the signal before it, such as the power of a few bands"),
    (Baseline(learn_s=1), features(3, "int64"), (), "stage 'baseline' takes 1 to 64 features of int8, uint8, int16, uint16, int32, and is "
     "given 3 int64 at 10 Hz", "features of the signal before it, such as the power of a few bands"),
])
def test_mistakes(stage, x, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(x)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)
