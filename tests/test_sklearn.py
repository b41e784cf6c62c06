"""Do stages decide as the scikit-learn estimators that they were exported from?  Measured, on made and on recorded features."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from shared import shared

from tinystream.app.fitted import with_file
from tinystream.errors import AppError
from tinystream.plan.kinds import class_name
from tinystream.plan.signal import Signal

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'tinystream[train]'")

from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.covariance import EllipticEnvelope, EmpiricalCovariance, LedoitWolf, MinCovDet
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA, FastICA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tinystream.train.sklearn import ExportError, agreement, export

SIGNAL = Signal((6,), "int32", Fraction(10), 2.0**-12)
"""Features as stages give them."""


def made(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different size and middle, fitted on and tested on; and classes that overlap."""
    x, y = make_classification(1600, 6, n_informative=5, n_redundant=0, n_classes=classes, n_clusters_per_class=2, random_state=seed)
    return x * [1, 30, 0.1, 5, 300, 2] + [0, 100, 0.5, -7, 4000, 1], y


def stage_of(estimator, tmp_path, **more):
    """The stage that reads what export() wrote, as an app would."""
    options = export(estimator, tmp_path / "fitted.json")
    cls = getattr(import_module(f"tinystream.stages.{options['kind']}"), class_name(options["kind"]))
    return with_file(cls(file="fitted.json", **more), tmp_path)


def measured(estimator, x, tmp_path, signal=SIGNAL, **more):
    found = agreement(estimator, stage_of(estimator, tmp_path, **more), signal, x)
    print(f"{type(estimator).__name__}: {found}")
    return found


TWO_CLASSES = [
    (DecisionTreeClassifier(random_state=0), 0.0),
    (RandomForestClassifier(30, random_state=0), 2**-14),
    (ExtraTreesClassifier(20, max_depth=8, random_state=0), 2**-14),
    (GradientBoostingClassifier(n_estimators=40, random_state=0), 1e-6),
    (make_pipeline(StandardScaler(), LogisticRegression()), 2**-14),
    (make_pipeline(MinMaxScaler(), LinearSVC()), 2**-9),
    (make_pipeline(RobustScaler(), SGDClassifier(random_state=0)), 2**-7),
    (make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)), 2**-14),
    (make_pipeline(StandardScaler(), KNeighborsClassifier(5)), 2**-14),
    (make_pipeline(RobustScaler(), KNeighborsClassifier(1, p=1)), 2**-14),
]


@pytest.mark.parametrize(("estimator", "close"), TWO_CLASSES, ids=lambda e: "" if isinstance(e, float) else str(e)[:40])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_classifier_decides_as_its_stage(estimator, close, classes, tmp_path):
    x, y = made(classes)
    found = measured(estimator.fit(x[:800], y[:800]), x[800:], tmp_path)
    assert found.equal_counted >= 0.998 and found.error_counted <= max(close, 2**-14)
    assert found.border <= 2 * found.error_counted, "what differs lies where two scores are as good as equal"
    assert found.equal >= 0.995, "with what is lost by counting, too"


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_narrow_features_are_decided_alike_too(dtype, tmp_path):
    x, y = made(3)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    signal = Signal((2, 3), dtype, Fraction(10), 0.05 if dtype == "int8" else 2.0**-11, 7)
    for estimator in (RandomForestClassifier(20, random_state=0), LogisticRegression()):
        found = measured(estimator.fit(x[:800], y[:800]), x[800:], tmp_path, signal)
        assert found.equal_counted >= 0.998 and found.border <= 2**-13


@pytest.mark.parametrize(("estimator", "close"), [
    (DecisionTreeRegressor(max_depth=7, random_state=0), 1e-5),
    (RandomForestRegressor(20, max_depth=7, random_state=0), 1e-5),
    (GradientBoostingRegressor(n_estimators=30, random_state=0), 1e-5),
    (make_pipeline(StandardScaler(), LinearRegression()), 1e-3),
    (Ridge(), 1e-3),
    (make_pipeline(StandardScaler(), SVR(C=100)), 0.02),
], ids=lambda e: "" if isinstance(e, float) else str(e)[:40])
def test_a_regression_gives_what_its_stage_gives(estimator, close, tmp_path):
    x, _ = made(2)
    target = x[:, 0] * 3 + np.sin(x[:, 1] / 20) + x[:, 4] / 300
    found = measured(estimator.fit(x[:800], target[:800]), x[800:], tmp_path)
    assert found.error_counted <= close


@pytest.mark.parametrize(("estimator", "close"), [
    (make_pipeline(StandardScaler(), SVC()), 0.001),
    (make_pipeline(MinMaxScaler(), SVC(C=10, gamma=3.0)), 0.005),
    (make_pipeline(StandardScaler(), SVC(kernel="linear")), 0.01),
], ids=lambda e: "" if isinstance(e, float) else str(e)[:60])
def test_a_support_vector_machine_decides_as_its_stage(estimator, close, tmp_path):
    x, y = made(2)
    found = measured(estimator.fit(x[:800], y[:800]), x[800:], tmp_path)
    assert found.error_counted <= close and found.equal_counted >= 0.998 and found.equal >= 0.995 and found.border <= close


@pytest.mark.parametrize("estimator", [
    PCA(3), PCA(2, whiten=True), make_pipeline(StandardScaler(), PCA(4)), LinearDiscriminantAnalysis(),
    make_pipeline(MaxAbsScaler(), LinearDiscriminantAnalysis(solver="eigen", n_components=2)),
], ids=lambda e: str(e)[:40])
def test_a_projection_gives_what_its_stage_gives(estimator, tmp_path):
    x, y = made(4)
    found = measured(estimator.fit(x[:800], y[:800]), x[800:], tmp_path)
    assert found.error_counted <= 2e-3


@pytest.mark.parametrize(("estimator", "close"), [
    (IsolationForest(n_estimators=60, random_state=0), 2**-13),
    (IsolationForest(n_estimators=40, max_samples=100, max_features=4, contamination=0.1, random_state=0), 2**-13),
    (make_pipeline(StandardScaler(), IsolationForest(n_estimators=30, random_state=0, contamination=0.05)), 2**-13),
    (EllipticEnvelope(contamination=0.05, random_state=0), 1e-3),
    (make_pipeline(RobustScaler(), EllipticEnvelope(contamination=0.02, random_state=0)), 1e-3),
    (EmpiricalCovariance(), 1e-3),
    (make_pipeline(StandardScaler(), LedoitWolf()), 1e-3),
    (MinCovDet(random_state=0), 1e-3),
    (make_pipeline(StandardScaler(), KMeans(5, n_init=3, random_state=0)), 1e-3),
    (KMeans(4, n_init=3, random_state=0), 0.05),        # in units of the largest feature, whose centres are hundreds apart
    (make_pipeline(StandardScaler(), MinMaxScaler((-1, 1)), MiniBatchKMeans(3, n_init=3, random_state=0)), 1e-3),
    (make_pipeline(StandardScaler(), OneClassSVM(nu=0.1)), 1e-3),
    (OneClassSVM(nu=0.05, kernel="linear"), 500.0),     # of scores that reach millions
    *((make_pipeline(StandardScaler(), GaussianMixture(4, covariance_type=kind, random_state=0)), 0.01)
      for kind in ("full", "tied", "diag", "spherical")),
    (GaussianMixture(2, random_state=0), 0.01),
], ids=lambda e: "" if isinstance(e, float) else str(e)[:40])
def test_an_anomaly_score_decides_as_its_stage(estimator, close, tmp_path):
    x, _ = made(2)
    wide = np.concatenate([x[800:], x[800:] * 1.5, x[800:] + 0.3 * x.std(axis=0)])
    each = dict(give="each") if "KMeans" in str(estimator) else {}
    found = measured(estimator.fit(x[:800]), wide, tmp_path, **each)
    assert found.error_counted <= close
    if each:
        assert measured(estimator, wide, tmp_path).error_counted <= close, "and the nearest alone"
    assert found.equal_counted >= 0.998 and found.equal >= 0.995 and found.border <= 2 * close


def test_every_count_goes_the_way_of_its_float32(tmp_path):
    """scikit-learn compares float32: counts that float32 cannot tell apart go one way."""
    signal = Signal((1,), "int32", Fraction(10), 0.1)
    values = (2.0**27 + np.arange(-400, 400)).reshape(-1, 1)
    estimator = DecisionTreeClassifier(random_state=0).fit(values * 0.1, (np.arange(800) // 50) % 2)
    found = agreement(estimator, stage_of(estimator, tmp_path), signal, values * 0.1)
    assert found.equal_counted == 1 and found.error_counted <= 2**-14


def test_a_recorded_room_is_told_empty_alike(tmp_path):
    """Temperature, humidity, light, CO2 and humidity ratio of an office, and whether somebody is in it."""
    file = shared("data", "environment", "occupancy", "datatest.txt")
    rows = np.genfromtxt(file, delimiter=",", skip_header=1, usecols=(2, 3, 4, 5, 6, 7))
    x, y = rows[:, :5], rows[:, 5].astype(int)
    assert len(x) > 2000 and 0.2 < y.mean() < 0.8
    signal = Signal((5,), "int32", Fraction(1, 60), 2.0**-20)
    for estimator in (RandomForestClassifier(20, random_state=0), make_pipeline(StandardScaler(), LogisticRegression()),
                      make_pipeline(StandardScaler(), KMeans(4, n_init=3, random_state=0))):
        found = measured(estimator.fit(x[::2], y[::2]), x[1::2], tmp_path, signal)
        assert found.equal_counted >= 0.998 and found.equal >= 0.995


def test_a_scaler_alone_is_a_mean_and_a_std():
    x, _ = made(2)
    for scaler in (StandardScaler(), MinMaxScaler((-2, 3)), MaxAbsScaler(), RobustScaler(), StandardScaler(with_mean=False)):
        options = export(scaler.fit(x))
        assert options["kind"] == "normalise"
        np.testing.assert_allclose((x - options["mean"]) / options["std"], scaler.transform(x), rtol=1e-9, atol=1e-9)


def test_what_is_written_says_where_it_is_from(tmp_path):
    x, y = made(3)
    options = export(make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y), tmp_path / "l.json", list("abcdef"))
    assert json.loads((tmp_path / "l.json").read_text()) == options
    assert options["about"]["features"] == list("abcdef") and options["about"]["classes"] == [0, 1, 2]
    assert options["about"]["from"].startswith("StandardScaler and LogisticRegression of scikit-learn ")
    outlier = export(IsolationForest(n_estimators=10, contamination=0.1).fit(x))
    assert 0.4 < outlier["about"]["threshold"] < 0.7


@pytest.mark.parametrize(("make", "what"), [
    (lambda x, y: RandomForestClassifier(), "RandomForestClassifier is not fitted"),
    (lambda x, y: make_pipeline(StandardScaler(), LogisticRegression()), "StandardScaler is not fitted"),
    (lambda x, y: FastICA(2).fit(x), "FastICA is no estimator that a stage computes: StandardScaler, "),
    (lambda x, y: make_pipeline(PolynomialFeatures(), Ridge()).fit(x, y),
     "PolynomialFeatures before Ridge is no scaler"),
    (lambda x, y: MinMaxScaler(clip=True).fit(x), "MinMaxScaler(clip=True) is not computed by a stage"),
    (lambda x, y: LinearDiscriminantAnalysis(solver="lsqr").fit(x, y),
     "LinearDiscriminantAnalysis(solver='lsqr') is not computed by a stage"),
    (lambda x, y: SVC(kernel="poly").fit(x, y), "SVC(kernel='poly') is not computed by a stage"),
    (lambda x, y: SVC().fit(x, np.arange(len(x)) % 3), "SVC of 3 classes is not computed by a stage"),
    (lambda x, y: KNeighborsClassifier(weights="distance").fit(x, y), "KNeighborsClassifier(weights='distance') is not computed"),
    (lambda x, y: KNeighborsClassifier(metric="chebyshev").fit(x, y), "KNeighborsClassifier(effective_metric_='chebyshev') is not"),
    (lambda x, y: RandomForestRegressor(2).fit(x, x[:, :2]), "RandomForestRegressor with 2 outputs is not computed by a stage"),
    (lambda x, y: GradientBoostingClassifier(init=DecisionTreeClassifier(), n_estimators=2).fit(x, y),
     "GradientBoostingClassifier that begins with DecisionTreeClassifier is not computed by a stage"),
])
def test_what_no_stage_computes_is_refused(make, what):
    with pytest.raises(ExportError) as caught:
        export(make(*made(2)))
    assert caught.value.what.startswith(what)


def test_names_that_are_too_few_are_refused():
    x, y = made(2)
    with pytest.raises(ExportError, match="2 feature_names for 6 features"):
        export(RandomForestClassifier(2).fit(x, y), feature_names=["a", "b"])


def test_a_file_of_another_kind_is_refused(tmp_path):
    from tinystream.stages.kmeans import Kmeans

    x, y = made(2)
    export(RandomForestClassifier(2).fit(x, y), tmp_path / "f.json")
    with pytest.raises(AppError, match="holds the numbers of a stage 'forest'"):
        with_file(Kmeans(file="f.json"), tmp_path)
