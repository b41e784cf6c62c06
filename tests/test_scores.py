"""Are scores of feature vectors what their formulas say?  By hand, against scipy and numpy, and where fitted numbers are no good."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.stats import median_abs_deviation, multivariate_normal
from shared import shared

from tinystream.detectors.limits import Limits
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages._exp2 import EXP2_TABLE, exp2_q30
from tinystream.stages.gmm import Gmm
from tinystream.stages.kmeans import Kmeans
from tinystream.stages.mahalanobis import Mahalanobis
from tinystream.stages.prototypes import Prototypes
from tinystream.stages.svm import Svm
from tinystream.stages.zscore import Zscore


def vector(size: int, dtype: str = "int32", scale: float = 2.0**-16, zero: int = 0) -> Signal:
    return Signal((size,), dtype, Fraction(10), scale, zero)


def score(stage, x: Signal, real) -> np.ndarray:
    """What the integers make of rows of real values, in real units."""
    rows = np.asarray(real, float).reshape(-1, *x.shape)
    step = stage.plan(x)
    counts = np.rint(rows / x.scale + x.zero).astype(x.dtype)
    return step.y.real(step.run(step.k, None, counts))


def refused(stage, x: Signal) -> AppError:
    with pytest.raises(AppError) as caught:
        stage.plan(x)
    return caught.value


# --- zscore ---------------------------------------------------------------------------------------------------


def test_the_worst_feature_counts_whatever_its_sign_and_place():
    stage = Zscore(mean=(1.0, -2.0, 0.0), std=(0.5, 4.0, 1.0))
    got = score(stage, vector(3), [(1, -2, 0), (2, -2, 0), (1, -14, 0), (1, -2, 1.5)])
    np.testing.assert_allclose(got, [[0], [2], [3], [1.5]], atol=2e-4)


def test_a_limit_of_each_feature_is_where_its_score_is_one():
    stage = Zscore(mean=0.0, std=(1.0, 2.0), limits=(3.0, 4.0), give="all")
    np.testing.assert_allclose(score(stage, vector(2), [(3, 8), (-1.5, 0)]), [[1, 1], [0.5, 0]], atol=2e-4)


def test_a_small_spread_on_a_large_mean_loses_nothing():
    """A mean of a million counts with a spread of one: wrong where the mean is multiplied before it is taken off."""
    x = vector(1, scale=1.0)
    stage = Zscore(mean=1e9, std=1.25)
    np.testing.assert_allclose(score(stage, x, [1e9 + 5, 1e9 - 10]), [[4], [8]], atol=2e-4)


def test_a_mean_between_two_counts_stays_there():
    np.testing.assert_allclose(score(Zscore(mean=0.3, std=0.1), vector(1, "int8", 1.0), [0, 1]), [[3], [7]], atol=2e-4)


def test_what_is_further_than_1024_counts_as_that_far():
    assert score(Zscore(mean=0.0, std=0.001), vector(1), [30000.0])[0] == 1024


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(mean=0.0, std=(1.0, 0.0)), "std", "std of feature 1 is 0: it was always the same when this was fitted"),
    (dict(mean=0.0, std=1e-9), "std", "std of feature 0, 1e-09, is less than a thousandth of a count, 1.526e-05"),
    (dict(mean=(0.0, 1e6), std=1.0), "mean", "mean of feature 1, 1e+06, is far beyond what it can be, 32768"),
    (dict(mean=(0.0,), std=1.0), "mean", "mean has 1 numbers for 2 features"),
    (dict(mean=0.0, std=1.0, limits=(1.0, -1.0)), "limits", "the limit of feature 1, -1, is not above 0"),
])
def test_mistakes_of_a_zscore(options, path, what):
    error = refused(Zscore(**options), vector(2))
    assert (error.path, error.what) == ((path,), what)


def test_other_types_are_refused():
    assert "reads up to 1024 int8, int16 or int32 features" in refused(Zscore(mean=0.0, std=1.0), vector(2, "int64")).what
    assert "and is given 1025 int8" in refused(Zscore(mean=0.0, std=1.0), vector(1025, "int8")).what


# --- mahalanobis ----------------------------------------------------------------------------------------------

COVARIANCE = np.array([[4.0, 1.8, -0.002], [1.8, 1.0, 0.001], [-0.002, 0.001, 0.0001]])
MEAN = np.array([10.0, -5.0, 0.02])


def rows(matrix: np.ndarray) -> tuple:
    return tuple(map(tuple, matrix.tolist()))


def test_it_is_scipys_distance():
    rng = np.random.default_rng(3)
    x = np.rint(rng.multivariate_normal(MEAN, 9 * COVARIANCE, 500) * 2**16) / 2**16
    want = [mahalanobis(v, MEAN, np.linalg.inv(COVARIANCE)) for v in x]
    got = score(Mahalanobis(mean=tuple(MEAN), covariance=rows(COVARIANCE)), vector(3), x)[:, 0]
    assert np.abs(got - want).max() < 1 / 4096


def test_ridge_adds_a_share_of_each_variance():
    ridged = COVARIANCE + 0.5 * np.diag(np.diag(COVARIANCE))
    x = np.array([[12.0, -4, 0.03], [8, -4, 0.01]])
    want = [mahalanobis(v, MEAN, np.linalg.inv(ridged)) for v in np.rint(x * 2**16) / 2**16]
    got = score(Mahalanobis(mean=tuple(MEAN), covariance=rows(COVARIANCE), ridge=0.5), vector(3), x)[:, 0]
    np.testing.assert_allclose(got, want, atol=1 / 2048)


def test_a_direction_in_which_nothing_varied_is_far_at_once():
    """Two features that move together: one of them alone is a little off, and far from usual."""
    stage = Mahalanobis(mean=0.0, covariance=((1.0, 0.999), (0.999, 1.0)))
    together, apart = score(stage, vector(2), [(1, 1), (1, -1)])[:, 0]
    assert together < 1.01 and apart > 40


@pytest.mark.parametrize(("covariance", "what"), [
    ([[1, 0, 0], [0, 0, 0], [0, 0, 1]], "covariance: feature 1 has no variance"),
    ([[1, 0, 1], [0, 1, 0], [1, 0, 1]], "covariance says the same twice: features 0 and 2 depend on each other"),
    ([[1, 0, 2], [0, 1, 0], [2, 0, 1]], "covariance is no covariance: it has a negative direction: features 0 and 2 depend on each other"),
    ([[1, 0.5, 0], [0.25, 1, 0], [0, 0, 1]], "covariance is not symmetric: [0][1] is 0.5, [1][0] is 0.25"),
    ([[1, 0], [0, 1], [0, 0]], "row 0 of covariance has 2 numbers for 3 features"),
    ([[1, 0, 0], [0, 1, 0]], "row 0 of covariance has 2 numbers for 3 features"),
    ([], "covariance is empty"),
])
def test_a_matrix_that_is_no_good_names_the_features_to_blame(covariance, what):
    error = refused(Mahalanobis(mean=0.0, covariance=tuple(tuple(map(float, r)) for r in covariance)), vector(3))
    assert (error.path, error.what) == (("covariance",), what)


def test_a_sum_of_two_features_beside_them_is_named_and_the_ridge_of_the_help_helps():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    x[:, 3] = x[:, 0] + x[:, 2] + 1e-6 * rng.normal(size=300)
    covariance = rows(np.cov(x.T))
    error = refused(Mahalanobis(mean=0.0, covariance=covariance), vector(4))
    assert "features 0, 2 and 3 depend on each other" in error.what
    assert error.help.startswith("ridge = 0.001")
    Mahalanobis(mean=0.0, covariance=covariance, ridge=0.001).plan(vector(4))


# --- kmeans ---------------------------------------------------------------------------------------------------

TWO = ((0.0, 0.0), (3.0, 4.0))


def test_the_nearest_centre_counts_and_distances_are_in_the_units_of_x_without_a_std():
    np.testing.assert_allclose(score(Kmeans(centres=TWO), vector(2), [(0, 0), (3, 5), (-6, -8)]), [[0], [1], [10]], atol=1e-3)


def test_centres_are_in_standard_deviations_where_there_is_one():
    stage = Kmeans(centres=TWO, mean=(10.0, 0.0), std=(2.0, 0.5), give="each")
    np.testing.assert_allclose(score(stage, vector(2), [(10, 0), (16, 2)]), [[0, 5], [5, 0]], atol=1e-3)


def test_edge_impulse_takes_the_greatest_error_of_each_centre_off():
    stage = Kmeans(centres=TWO, rule="edge_impulse", max_error=(0.5, 4.0))
    np.testing.assert_allclose(score(stage, vector(2), [(0, 0), (1.5, 2)]), [[-0.5], [-1.5]], atol=1e-3)
    # (0, 0) is 0 - 0.5 or 5 - 4; (1.5, 2) is 2.5 - 0.5 or 2.5 - 4: the centre that is nearest need not be the one that says least


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(rule="edge_impulse"), "rule", 'rule = "edge_impulse" needs max_error'),
    (dict(max_error=(1.0, 1.0)), "max_error", 'max_error means nothing to rule = "distance"'),
    (dict(rule="edge_impulse", max_error=(1.0,)), "max_error", "max_error has 1 numbers for 2 centres"),
    (dict(mean=0.0), "std", "there is a mean and no std"),
    (dict(centres=((1.0,),)), "centres", "row 0 of centres has 1 numbers for 2 features"),
    (dict(centres=()), "centres", "centres is empty"),
])
def test_mistakes_of_kmeans(options, path, what):
    error = refused(Kmeans(**{"centres": TWO, **options}), vector(2))
    assert (error.path, error.what) == ((path,), what)


# --- gmm ------------------------------------------------------------------------------------------------------


def test_a_negative_log_likelihood_is_scipys():
    weights, means = (0.2, 0.5, 0.3), np.array([[0.0, 0, 0], [3, -1, 0.1], [-2, 4, -0.2]])
    rng = np.random.default_rng(1)
    covariances = [COVARIANCE, np.diag([1.0, 2, 0.01]), COVARIANCE * 2]
    x = np.rint(rng.normal(0, [3, 3, 0.2], (400, 3)) * 2**16) / 2**16
    want = -np.log(sum(w * multivariate_normal(m, c).pdf(x) for w, m, c in zip(weights, means, covariances)))
    got = score(Gmm(weights=weights, means=rows(means), covariances=tuple(map(rows, covariances))), vector(3), x)[:, 0]
    assert np.abs(got - want)[want < 600].max() <= 1 / 256


def test_independent_features_are_scipys_too_and_an_offset_is_added():
    x = np.array([[0.5, 2.0], [9, -4]])
    want = -np.log(0.75 * multivariate_normal([0, 1], np.diag([4, 0.25])).pdf(x) + 0.25 * multivariate_normal([1, 1], np.eye(2)).pdf(x))
    options = dict(weights=(0.75, 0.25), means=((0.0, 1.0), (1.0, 1.0)), variances=((4.0, 0.25), (1.0, 1.0)))
    np.testing.assert_allclose(score(Gmm(**options), vector(2), x)[:, 0], want, atol=1 / 256)
    np.testing.assert_allclose(score(Gmm(**options, offset=-7.5), vector(2), x)[:, 0], want - 7.5, atol=1 / 256)


def test_two_equal_gaussians_are_as_one():
    one = Gmm(weights=(1.0,), means=((1.0,),), variances=((2.0,),))
    two = Gmm(weights=(0.5, 0.5), means=((1.0,), (1.0,)), variances=((2.0,), (2.0,)))
    x = np.linspace(-20, 20, 200)
    np.testing.assert_allclose(score(one, vector(1), x), score(two, vector(1), x), atol=1 / 256)


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(), (), "stage 'gmm' needs covariances or variances, one of them"),
    (dict(variances=((1.0, 0.0),)), ("variances",), "feature 1 of Gaussian 0 has no variance"),
    (dict(covariances=(((1.0, 1.0), (1.0, 1.0)),)), ("covariances",),
     "covariance 0 says the same twice: features 0 and 1 depend on each other"),
    (dict(covariances=(((1.0, 1.0),),)), ("covariances",), "covariance 0 has 1 rows for 2 features"),
    (dict(variances=((1.0, 1.0),), weights=(0.5, 0.5)), ("weights",), "there are 2 weights for 1 means"),
    (dict(variances=((1.0, 1.0),), weights=(0.0,)), ("weights",), "the weight of Gaussian 0 is not above 0"),
])
def test_mistakes_of_a_mixture(options, path, what):
    error = refused(Gmm(**{"weights": (1.0,), "means": ((0.0, 0.0),), **options}), vector(2))
    assert (error.path, error.what) == (path, what)


# --- prototypes -----------------------------------------------------------------------------------------------

FOUR = dict(prototypes=((0.0, 0.0), (1.0, 0.0), (0.0, 4.0), (5.0, 5.0)), classes=(0, 1, 1, 0))


def test_neighbours_by_hand():
    x = [(0, 0), (0, 3)]
    np.testing.assert_allclose(score(Prototypes(**FOUR), vector(2), x), [[0], [1]], atol=1e-3)
    np.testing.assert_allclose(score(Prototypes(**FOUR, neighbours=2), vector(2), x), [[1], [3]], atol=1e-3)
    np.testing.assert_allclose(score(Prototypes(**FOUR, give="each"), vector(2), x), [[0, 1], [3, 1]], atol=1e-3)
    np.testing.assert_allclose(score(Prototypes(**FOUR, give="votes", neighbours=3), vector(2), x), [[1 / 3, 2 / 3]] * 2, atol=1e-4)
    np.testing.assert_allclose(score(Prototypes(**FOUR, distance="manhattan", neighbours=3), vector(2), x), [[4], [4]], atol=1e-3)


def test_of_prototypes_that_are_equally_near_the_earlier_one_votes():
    twins = dict(prototypes=((1.0,), (-1.0,), (1.0,)), neighbours=1, give="votes")
    for classes, want in [((0, 1, 1), [1, 0]), ((1, 0, 0), [0, 1])]:
        np.testing.assert_allclose(score(Prototypes(**twins, classes=classes), vector(1), [0.0])[0], want, atol=1e-4)


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(classes=None, give="each"), "give", 'give = "each" needs classes'),
    (dict(classes=(0, 1)), "classes", "there are 2 classes for 4 prototypes"),
    (dict(classes=(0, 2, 2, 0), give="votes"), "classes", "classes are not 0, 1, 2 … without a gap"),
    (dict(neighbours=5), "neighbours", "neighbours = 5 is more than the 4 prototypes"),
    (dict(neighbours=2, give="each"), "neighbours", 'neighbours = 2 means nothing to give = "each"'),
])
def test_mistakes_of_prototypes(options, path, what):
    error = refused(Prototypes(**{**FOUR, **options}), vector(2))
    assert (error.path, error.what) == ((path,), what)


# --- svm ------------------------------------------------------------------------------------------------------


def test_a_kernel_by_hand():
    stage = Svm(vectors=((0.0, 0.0), (1.0, 2.0)), coefficients=(2.0, -1.0), gamma=0.5, bias=0.25)
    want = [2 - np.exp(-2.5) + 0.25, 2 * np.exp(-2.5) - 1 + 0.25, 0.25]
    np.testing.assert_allclose(score(stage, vector(2), [(0, 0), (1, 2), (60, -60)])[:, 0], want, atol=2e-5)


def test_gamma_is_of_standard_deviations_where_there_is_one():
    stage = Svm(vectors=((1.0,),), coefficients=(1.0,), gamma=2.0, mean=10.0, std=0.5)
    np.testing.assert_allclose(score(stage, vector(1), [10.5, 11.0])[:, 0], [1, np.exp(-2)], atol=2e-5)


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(coefficients=(1.0,)), "coefficients", "there are 1 coefficients for 2 vectors"),
    (dict(gamma=1e9), "gamma", "gamma = 1e+09 is not within 0.000256 and 6.55e+04"),
    (dict(std=1.0, vectors=((300.0, 0.0), (1.0, 2.0))), "vectors", "a support vector lies 300 standard deviations from the mean"),
])
def test_mistakes_of_a_support_vector_machine(options, path, what):
    error = refused(Svm(**{**dict(vectors=((0.0, 0.0), (1.0, 2.0)), coefficients=(1.0, 1.0), gamma=1.0), **options}), vector(2))
    assert (error.path, error.what) == ((path,), what)


# --- powers of two --------------------------------------------------------------------------------------------


def test_powers_of_two_follow_the_curve_in_every_segment():
    x = np.arange(0, 34 << 20, 257)
    got, want = exp2_q30(EXP2_TABLE, x), 2.0 ** (30 - x / 2**20)
    assert (np.abs(got - want) <= 1.5 + want * 2.0**-22).all()
    assert exp2_q30(EXP2_TABLE, 0) == 1 << 30 and exp2_q30(EXP2_TABLE, 2**40) == 0
    assert (np.diff(exp2_q30(EXP2_TABLE, np.arange(0, 1 << 21))) <= 0).all()


# --- a recorded fan -------------------------------------------------------------------------------------------


def deviations(name: str) -> np.ndarray:
    """Median absolute deviation of each axis, of each second of a fan."""
    folder = shared("data", "vibration", "fan", name)
    return np.array([median_abs_deviation(np.loadtxt(file, delimiter=",")) for file in sorted(folder.glob("*.csv"))])


def test_a_published_model_of_a_fan_scores_as_its_own_code_does():
    with np.load(shared("data", "vibration", "fan", "md_model.npz")) as model:
        mean, covariance = model["model_mu"], model["model_cov"]
    x = np.concatenate([deviations(f"fan_0_{speed}_{weight}_weight") for speed in ("low", "high") for weight in (0, 1)])
    counted = np.rint(x * 2**24) / 2**24
    want = [mahalanobis(v, mean, np.linalg.inv(covariance)) for v in counted]
    got = score(Mahalanobis(mean=tuple(mean), covariance=rows(covariance)), vector(3, scale=2.0**-24), x)[:, 0]
    assert len(x) == 560 and np.abs(got - want).max() <= 0.6 / 4096


def test_a_fan_with_a_weight_on_a_blade_alerts_once_and_the_same_fan_without_never():
    usual, odd = deviations("fan_0_low_0_weight"), deviations("fan_0_low_1_weight")
    x = vector(3, scale=2.0**-24)
    stage = Mahalanobis(mean=tuple(usual[::2].mean(axis=0)), covariance=rows(np.cov(usual[::2].T)))
    distances = stage.plan(x).y
    limits = Limits(threshold=6.0, clear=5.0, hold=3)
    for blocks, alerts in [(usual[1::2], 0), (odd, 1), (np.concatenate([usual[1::2], odd, usual[1::2], odd]), 2)]:
        counts = np.rint(score(stage, x, blocks) / distances.scale).astype(np.int32)
        assert len(Engine(plan_stage("fan", limits, distances)).push(counts)[0].when) == alerts
