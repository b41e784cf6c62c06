"""Fitted scikit-learn estimators as options of stages, and how well the integers agree with them.

    export(pipeline, "normal.json")             options of a stage, for its `file`
    agreement(pipeline, stage, signal, X)       share of equal decisions, greatest difference of scores

Scalers in front of an estimator are folded into it: a stage reads features as they are, in real units.

    normalise     StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, alone
    linear        PCA, LinearDiscriminantAnalysis (as projections), LogisticRegression, LinearSVC, LinearSVR, SGDClassifier,
                  RidgeClassifier, Perceptron, LinearRegression, Ridge, Lasso, ElasticNet
    linear, svm   SVC, SVR, OneClassSVM with a linear or an rbf kernel
    forest        DecisionTree, RandomForest, ExtraTrees, GradientBoosting (classifiers and regressors), IsolationForest
    kmeans        KMeans, MiniBatchKMeans
    gmm           GaussianMixture
    mahalanobis   EllipticEnvelope, EmpiricalCovariance, ShrunkCovariance, LedoitWolf, OAS, MinCovDet
    prototypes    KNeighborsClassifier

Nothing here imports scikit-learn: an estimator is known by its class's name and its fitted attributes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinystream.errors import TinystreamError, writing
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class ExportError(TinystreamError):
    """An estimator that no stage computes, or that is not fitted."""


class Affine(NamedTuple):
    """What scalers do: (x - mean) / std."""

    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True, eq=False)
class Exported:
    """An estimator as a stage.

    options: of the stage, arrays where it has numbers.
    scores:  what the stage should give for rows of X, by the estimator itself: [rows, scores].
    border:  the score at which a decision changes; "greatest" or "least" where the place of that score decides; None where nothing is
             decided.
    about:   for people, and for the detector.
    """

    kind: str
    options: dict[str, Any]
    scores: Callable[[np.ndarray], np.ndarray]
    border: float | str | None = None
    about: dict[str, Any] | None = None


@dataclass(frozen=True)
class Agreement:
    """How a stage's integers agree with an estimator, over rows of X as they are counted.

    equal:  share of equal decisions, the estimator being given X as it is; 1 where nothing is decided.
    error:  greatest difference of two scores, with X as it is.
    equal_counted, error_counted: the same with the estimator given what the counts stand for, so that only arithmetic can differ.
    border: of the rows whose decisions differ then, how far the estimator's score is from where its decision changes, at most.
    """

    rows: int
    equal: float
    error: float
    equal_counted: float
    error_counted: float
    border: float

    def __str__(self) -> str:
        return (f"{100 * self.equal:.2f} % of {self.rows} decisions equal, scores within {self.error:.3g}; of the same counts "
                f"{100 * self.equal_counted:.2f} %, {self.error_counted:.3g}, those that differ within {self.border:.3g} of the border")


def export(estimator: Any, path: str | Path | None = None, feature_names: Sequence[str] | None = None) -> dict[str, Any]:
    """The options of the stage that computes what a fitted estimator does, as JSON has them; written to `path` where there is one.

    feature_names: of what the stage reads, in order; those that the estimator was fitted with where nothing is said.
    ExportError where there is no such stage, or the estimator is not fitted.
    """
    found = exported(estimator)
    said = feature_names if feature_names is not None else getattr(estimator, "feature_names_in_", None)
    about: dict[str, Any] = {"from": f"{words(estimator)}{version()}", **(found.about or {})}
    if said is not None:
        expected = getattr(estimator, "n_features_in_", len(said))
        if len(said) != expected:
            raise ExportError(f"{len(said)} feature_names for {expected} features")
        about["features"] = [str(name) for name in said]
    options = {"kind": found.kind, **plain(found.options), "about": plain(about)}
    if path is not None:
        with writing(Path(path), "another path"):
            Path(path).write_text(json.dumps(options, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return options


def agreement(estimator: Any, stage: Stage, signal: Signal, X: Any) -> Agreement:
    """How the integers of a stage agree with the estimator that it was exported from, on rows of features X in real units."""
    found = exported(estimator)
    rows = np.asarray(X, np.float64).reshape(len(X), -1)
    step = stage.plan(signal)
    assert isinstance(step, Step), "a score is one step"
    info = np.iinfo(signal.dtype)
    counts = np.clip(np.rint(rows / signal.scale + signal.zero), info.min, info.max).astype(signal.dtype)
    given = run(step, counts.reshape(-1, *signal.shape))
    result: list[float] = []
    for real in (rows, signal.real(counts)):
        want = found.scores(real).reshape(len(rows), -1)
        if found.border == "least" and given.shape[1] == 1:     # give = "nearest": where it lies is not told
            want = want.min(axis=1, keepdims=True)
        assert want.shape == given.shape, "a stage gives what its estimator does"
        different = decisions(given, found.border) != decisions(want, found.border)
        apart = float(margins(want, found.border)[different].max()) if different.any() else 0.0
        result += [1 - float(different.mean()), float(np.abs(given - want).max()), apart]
    return Agreement(len(rows), result[0], result[1], result[3], result[4], result[5])


def run(step: Step, counts: np.ndarray) -> np.ndarray:
    """Scores of many blocks, in real units: [rows, scores]."""
    if step.batched:
        y = np.asarray(step.run(step.k, None, counts))
    else:
        state = step.fresh_state()
        y = np.array([step.run(step.k, state, block) for block in counts])
    return step.y.real(y).reshape(len(counts), -1)


def decisions(scores: np.ndarray, border: float | str | None) -> np.ndarray:
    """What is decided of each row."""
    if border == "greatest":
        return scores.argmax(axis=1)
    if border == "least":
        return scores.argmin(axis=1)
    return np.zeros(len(scores), int) if border is None else (scores[:, 0] > float(border)).astype(int)


def margins(scores: np.ndarray, border: float | str | None) -> np.ndarray:
    """How far each row is from being decided otherwise."""
    if isinstance(border, str):
        ranked = np.sort(scores if border == "greatest" else -scores, axis=1)
        return ranked[:, -1] - ranked[:, -2]
    return np.zeros(len(scores)) if border is None else np.abs(scores[:, 0] - border)


# --- which estimator is which -----------------------------------------------------------------------------------


def exported(estimator: Any) -> Exported:
    """What an estimator, or a pipeline that ends with one, is."""
    steps = [step for _, step in estimator.steps] if name_of(estimator) == "Pipeline" else [estimator]
    steps = [step for step in steps if step is not None and step != "passthrough"]
    if not steps:
        raise ExportError("this pipeline has no steps", "fit one with an estimator")
    *before, last = steps
    scaler = None
    for step in before:
        if name_of(step) not in SCALERS:
            raise ExportError(f"{name_of(step)} before {name_of(last)} is no scaler: {', '.join(SCALERS)} are folded in",
                              "export each as a stage of its own")
        scaler = chained(scaler, affine(step))
    if name_of(last) in SCALERS:
        return normalise(chained(scaler, affine(last)), estimator)
    reader = READERS.get(name_of(last))
    if reader is None:
        raise ExportError(f"{name_of(last)} is no estimator that a stage computes: {', '.join([*SCALERS, *READERS])} are")
    size = getattr(last, "n_features_in_", None)
    if size is None:
        raise ExportError(f"{name_of(last)} is not fitted", ".fit(X)")
    return reader(last, scaler or Affine(np.zeros(size), np.ones(size)), scaler is not None, estimator)


def name_of(estimator: Any) -> str:
    """The class of scikit-learn that it is, or is made from."""
    for cls in type(estimator).__mro__:
        if cls.__module__.split(".")[0] == "sklearn":
            return cls.__name__
    return type(estimator).__name__


def words(estimator: Any) -> str:
    return " and ".join(name_of(step) for _, step in estimator.steps) if name_of(estimator) == "Pipeline" else name_of(estimator)


def version() -> str:
    module = sys.modules.get("sklearn")
    return f" of scikit-learn {module.__version__}" if module else ""


def plain(value: Any) -> Any:
    """Arrays as lists, numbers as JSON's."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def need(estimator: Any, **options: Any) -> None:
    """Refuse an option that no stage knows: each may be one of the values that are given."""
    for option, known in options.items():
        value = getattr(estimator, option)
        if value not in known:
            raise ExportError(f"{name_of(estimator)}({option}={value!r}) is not computed by a stage",
                              f"{option} = {' or '.join(map(repr, known))}")


# --- scalers ----------------------------------------------------------------------------------------------------


def affine(scaler: Any) -> Affine:
    """What a fitted scaler does."""
    size = getattr(scaler, "n_features_in_", None)
    if size is None:
        raise ExportError(f"{name_of(scaler)} is not fitted", ".fit(X)")
    match name_of(scaler):
        case "MinMaxScaler":
            need(scaler, clip=[False])
            return Affine(-scaler.min_ / scaler.scale_, 1 / scaler.scale_)
        case "MaxAbsScaler":
            return Affine(np.zeros(size), np.asarray(scaler.scale_))
        case "RobustScaler":
            mean, std = scaler.center_ if scaler.with_centering else None, scaler.scale_ if scaler.with_scaling else None
        case _:
            mean, std = scaler.mean_ if scaler.with_mean else None, scaler.scale_ if scaler.with_std else None
    return Affine(np.zeros(size) if mean is None else np.asarray(mean), np.ones(size) if std is None else np.asarray(std))


def chained(first: Affine | None, then: Affine) -> Affine:
    """One scaler, then another."""
    return then if first is None else Affine(first.mean + first.std * then.mean, first.std * then.std)


def normalise(scaler: Affine, estimator: Any) -> Exported:
    return Exported("normalise", dict(mean=scaler.mean, std=scaler.std), estimator.transform)


# --- weighted sums ----------------------------------------------------------------------------------------------


def weighted(weights: Any, bias: Any, scaler: Affine) -> dict[str, Any]:
    """Options of `linear`, with the scaler in them."""
    folded = np.atleast_2d(np.asarray(weights, np.float64)) / scaler.std
    return dict(weights=folded, bias=np.broadcast_to(np.asarray(bias, np.float64), len(folded)) - folded @ scaler.mean)


def projection(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """PCA and LDA, as transform() has them."""
    if name_of(e) == "LinearDiscriminantAnalysis":
        need(e, solver=["svd", "eigen"])
        count = min(e._max_components, e.scalings_.shape[1])
        weights = e.scalings_[:, :count].T
        bias = -(weights @ e.xbar_) if e.solver == "svd" else np.zeros(count)
    else:
        weights = e.components_ / (np.sqrt(e.explained_variance_)[:, None] if e.whiten else 1)
        bias = -(weights @ e.mean_)
    return Exported("linear", weighted(weights, bias, scaler), whole.transform)


def logistic(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    options, classes = weighted(e.coef_, e.intercept_, scaler), dict(classes=e.classes_)
    if len(options["weights"]) == 1:
        return Exported("linear", options | dict(activation="sigmoid"), lambda X: whole.predict_proba(X)[:, 1], 0.5, classes)
    if getattr(e, "multi_class", None) == "ovr" or e.solver == "liblinear":
        return Exported("linear", options, whole.decision_function, "greatest", classes)
    return Exported("linear", options | dict(activation="softmax"), whole.predict_proba, "greatest", classes)


def margin(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """A linear classifier, as decision_function() has it; a linear regression, as predict() has it."""
    options = weighted(e.coef_, e.intercept_, scaler)
    if not hasattr(e, "classes_"):
        return Exported("linear", options, whole.predict)
    border = 0.0 if len(options["weights"]) == 1 else "greatest"
    return Exported("linear", options, whole.decision_function, border, dict(classes=e.classes_))


# --- trees ------------------------------------------------------------------------------------------------------


def tree_options(tree: Any, scaler: Affine, value: np.ndarray, features: np.ndarray | None = None) -> dict[str, Any]:
    """A tree_ of scikit-learn as `forest` has it.  value: of each node, [nodes, scores].  features: those that it was fitted on, of all."""
    inner = tree.children_left >= 0
    feature = np.where(inner, tree.feature, 0) if features is None else np.asarray(features)[np.where(inner, tree.feature, 0)]
    threshold = np.where(inner, tree.threshold * scaler.std[feature] + scaler.mean[feature], 0.0)
    return dict(feature=np.where(inner, feature, -1), threshold=threshold, left=tree.children_left, right=tree.children_right,
                value=[[] if i else v for i, v in zip(inner, value)])


def shares(tree: Any) -> np.ndarray:
    """The probability of each class in each node."""
    value = tree.value[:, 0, :]
    return value / value.sum(axis=1, keepdims=True)


def trees(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """Decision trees and forests."""
    if e.n_outputs_ != 1:
        raise ExportError(f"{name_of(e)} with {e.n_outputs_} outputs is not computed by a stage", "one estimator for each")
    members = getattr(e, "estimators_", [e])
    options: dict[str, Any] = dict(compare="float64" if scaled else "float32")
    if hasattr(e, "classes_"):
        options |= dict(trees=[tree_options(m.tree_, scaler, shares(m.tree_)) for m in members])
        return Exported("forest", options, whole.predict_proba, "greatest", dict(classes=e.classes_))
    options |= dict(output="sum", trees=[tree_options(m.tree_, scaler, m.tree_.value[:, :, 0] / len(members)) for m in members])
    return Exported("forest", options, whole.predict)


def boosted(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """Gradient boosting: the sum of its trees, in log odds where it is a classifier."""
    if type(e.init_).__name__ not in ("DummyClassifier", "DummyRegressor", "str") and e.init_ != "zero":
        raise ExportError(f"{name_of(e)} that begins with {name_of(e.init_)} is not computed by a stage", "init = None")
    score = e.decision_function if hasattr(e, "classes_") else e.predict
    origin = np.zeros((1, e.n_features_in_))
    scores = e.estimators_.shape[1]
    grown = np.array([sum(member.predict(origin)[0] for member in e.estimators_[:, i]) for i in range(scores)])
    base = score(origin).reshape(-1) - e.learning_rate * grown
    found = []
    for row in e.estimators_:
        for i, member in enumerate(row):
            value = np.zeros((member.tree_.node_count, scores))
            value[:, i] = e.learning_rate * member.tree_.value[:, 0, 0]
            found.append(tree_options(member.tree_, scaler, value))
    options = dict(output="sum", base=base, compare="float64" if scaled else "float32", trees=found)
    if not hasattr(e, "classes_"):
        return Exported("forest", options, whole.predict)
    return Exported("forest", options, whole.decision_function, 0.0 if scores == 1 else "greatest", dict(classes=e.classes_))


def isolation(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """Isolation forest: what it calls -score_samples()."""
    found = []
    for member, features in zip(e.estimators_, e.estimators_features_):
        tree = member.tree_
        depth = np.zeros(tree.node_count)
        for node in range(tree.node_count):                     # parents come before their children
            if tree.children_left[node] >= 0:
                depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
        found.append(tree_options(tree, scaler, (depth + usual_depth(tree.n_node_samples))[:, None], features))
    options = dict(output="isolation", usual_depth=float(usual_depth(np.array([e.max_samples_]))[0]),
                   compare="float64" if scaled else "float32", trees=found)
    return Exported("forest", options, lambda X: -whole.score_samples(X), -e.offset_, dict(threshold=-e.offset_))


def usual_depth(samples: np.ndarray) -> np.ndarray:
    """Mean depth of an unsuccessful search in a binary tree of so many samples.  Source: Liu, Ting and Zhou, 2008, eq. 1."""
    n = np.maximum(samples, 3).astype(np.float64)
    many = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, many))


# --- distances --------------------------------------------------------------------------------------------------


def scaled_options(scaler: Affine, scaled: bool) -> dict[str, Any]:
    return dict(mean=scaler.mean, std=scaler.std) if scaled else {}


def centres(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """KMeans: the distance to the nearest centre; with give = "each" to every one, of which the least is what predict() gives."""
    options = dict(centres=e.cluster_centers_, **scaled_options(scaler, scaled))
    return Exported("kmeans", options, whole.transform, "least")


def covariance(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """Covariance estimators: the square root of what they call mahalanobis()."""
    options = dict(mean=scaler.mean + scaler.std * e.location_, covariance=e.covariance_ * np.outer(scaler.std, scaler.std))

    def scores(X: np.ndarray) -> np.ndarray:
        return np.sqrt(e.mahalanobis((X - scaler.mean) / scaler.std))

    offset = getattr(e, "offset_", None)
    if offset is None:
        return Exported("mahalanobis", options, scores)
    return Exported("mahalanobis", options, scores, float(np.sqrt(-offset)), dict(threshold=np.sqrt(-offset)))


def mixture(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """GaussianMixture: what it calls -score_samples()."""
    size, count = e.n_features_in_, len(e.weights_)
    found = np.asarray(e.covariances_, np.float64)
    options: dict[str, Any] = dict(weights=e.weights_, means=scaler.mean + scaler.std * e.means_,
                                   offset=-float(np.log(scaler.std).sum()))     # a density is one of scaled features
    match e.covariance_type:
        case "full" | "tied":
            full = found if e.covariance_type == "full" else np.broadcast_to(found, (count, size, size))
            options["covariances"] = full * np.outer(scaler.std, scaler.std)
        case _:
            rows = found if e.covariance_type == "diag" else np.broadcast_to(found[:, None], (count, size))
            options["variances"] = rows * scaler.std**2
    return Exported("gmm", options, lambda X: -whole.score_samples(X))


def neighbours(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """KNeighborsClassifier: the share of each class among the nearest."""
    need(e, weights=["uniform"], effective_metric_=["euclidean", "manhattan"])
    if getattr(e, "outputs_2d_", False):
        raise ExportError(f"{name_of(e)} with several outputs is not computed by a stage", "one estimator for each")
    if not isinstance(e._fit_X, np.ndarray):
        raise ExportError(f"{name_of(e)} of a sparse matrix is not computed by a stage", ".fit(X.toarray(), y)")
    options = dict(prototypes=e._fit_X, classes=np.asarray(e._y).ravel(), neighbours=e.n_neighbors, give="votes",
                   distance=e.effective_metric_, **scaled_options(scaler, scaled))
    return Exported("prototypes", options, whole.predict_proba, "greatest", dict(classes=e.classes_))


# --- support vector machines ------------------------------------------------------------------------------------


def machine(e: Any, scaler: Affine, scaled: bool, whole: Any) -> Exported:
    """SVC of two classes and OneClassSVM as decision_function() has them, SVR as predict()."""
    need(e, kernel=["linear", "rbf"])
    classes = getattr(e, "classes_", None)
    if classes is not None and len(classes) > 2:
        raise ExportError(f"{name_of(e)} of {len(classes)} classes is not computed by a stage", "LinearSVC, or one SVC for each class")
    scores = whole.predict if name_of(e) == "SVR" else whole.decision_function
    border, about = (None, None) if name_of(e) == "SVR" else (0.0, dict(threshold=0.0) if classes is None else dict(classes=classes))
    bias = float(np.ravel(e.intercept_)[0])
    if e.kernel == "linear":
        return Exported("linear", weighted(e.coef_, bias, scaler), scores, border, about)
    options = dict(vectors=e.support_vectors_, coefficients=np.ravel(e.dual_coef_), bias=bias, gamma=float(e._gamma),
                   **scaled_options(scaler, scaled))
    return Exported("svm", options, scores, border, about)


Reader = Callable[[Any, Affine, bool, Any], Exported]
SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
READERS: dict[str, Reader] = {
    **dict.fromkeys(("PCA", "LinearDiscriminantAnalysis"), projection),
    "LogisticRegression": logistic,
    **dict.fromkeys(("LinearSVC", "LinearSVR", "SGDClassifier", "RidgeClassifier", "Perceptron", "LinearRegression", "Ridge", "Lasso",
                     "ElasticNet"), margin),
    **dict.fromkeys(("DecisionTreeClassifier", "DecisionTreeRegressor", "RandomForestClassifier", "RandomForestRegressor",
                     "ExtraTreesClassifier", "ExtraTreesRegressor"), trees),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), boosted),
    "IsolationForest": isolation,
    **dict.fromkeys(("KMeans", "MiniBatchKMeans"), centres),
    **dict.fromkeys(("EllipticEnvelope", "EmpiricalCovariance", "ShrunkCovariance", "LedoitWolf", "OAS", "MinCovDet"), covariance),
    "GaussianMixture": mixture,
    "KNeighborsClassifier": neighbours,
    **dict.fromkeys(("SVC", "SVR", "OneClassSVM"), machine),
}
