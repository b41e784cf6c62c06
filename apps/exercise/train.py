"""From a folder of a watch's recordings to every number of this app, and every figure of its model card.

    train.py DATA                    writes exercises.json and recordings/levels.json, prints the figures
    train.py DATA --figures          prints the figures, fitted without each subject anew

DATA is a folder with <exercise>_<subject>_<number>.csv, each with a header and the columns ax, ay, az in g and wx, wy, wz in rad/s, at
50 Hz, such as seglearn's watch data.  Wants scikit-learn beside tinystream.  Deterministic.

Each subject is held out once, with all that was recorded of her or him; what is shipped is fitted to all of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import beta

from tinystream.app.planning import plan
from tinystream.app.read import load
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.replay import replay
from tinystream.stages import Frame, Linear
from tinystream.train.sklearn import export

HERE = Path(__file__).parent
NAMES = {"ABD": "abduction", "ER": "external_rotation", "FEL": "forward_elevation", "IR": "internal_rotation", "PEN": "pendulum",
         "ROW": "row", "TRAP": "trapezius"}
CLASSES = (*NAMES.values(), "still")
AXES, SECOND, WINDOW_S = 6, 50, 3
PERCENTILES = (5, 25, 50, 75, 95)
COPIES, TURNED_DEGREES, FASTER = 4, 15.0, 0.25      # of each window that is learnt: as of a watch that sits otherwise, and a hastier arm
STILL, SHAKES_G = 400, (0.003, 0.05)    # windows of a wrist that rests, made up: gravity from anywhere, and noise from so much to so much
SHAKES_DPS = 60                         # for each g of it
RESAMPLED = 4000


class Recording(NamedTuple):
    exercise: str
    subject: str
    counts: np.ndarray
    """[samples, 6] int16"""


class Windows(NamedTuple):
    """of: which recording each is from."""

    counts: np.ndarray
    exercise: np.ndarray
    subject: np.ndarray
    of: np.ndarray


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="the folder")
    options.add_argument("--figures", action="store_true", help="write nothing")
    told = options.parse_args()
    recordings = read(told.data)
    if not told.figures:
        fit(recordings)
        (HERE / "recordings/levels.json").write_text(json.dumps(levels(recordings), indent=1) + "\n", encoding="utf-8")
    for name, figure in figures(recordings).items():
        print(f"{name:44} {figure}")


def read(folder: Path) -> list[Recording]:
    """Every file, in the sensor's counts."""
    scale = scales()
    found = []
    for file in sorted(folder.glob("*.csv")):
        exercise, subject, _ = file.stem.split("_")
        real = np.loadtxt(file, delimiter=",", skiprows=1)
        real[:, 3:] = np.degrees(real[:, 3:])
        found.append(Recording(NAMES[exercise], subject, held(real / scale)))
    return found


def scales() -> np.ndarray:
    return np.array([column.scale for column in load(HERE).source.columns()])


def held(counts: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(counts), -32768, 32767).astype(np.int16)


def windows(recordings: list[Recording]) -> Windows:
    """Each window that the app looks at."""
    found = []
    for i, one in enumerate(recordings):
        for begin in range(len(one.counts) // SECOND - WINDOW_S + 1):
            found.append((one.counts[begin * SECOND : (begin + WINDOW_S) * SECOND], one.exercise, one.subject, i))
    return Windows(*(np.array(column) for column in zip(*found)))


def varied(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same windows by a watch that sits otherwise, and an arm that turns faster or slower."""
    n = len(counts)
    turn = Rotation.from_rotvec(rng.normal(0, np.radians(TURNED_DEGREES), (n, 3))).as_matrix()
    parts = [np.einsum("nij,ntj->nti", turn, counts[..., axes].astype(float)) for axes in (slice(0, 3), slice(3, 6))]
    parts[1] *= np.exp(rng.normal(0, FASTER, (n, 1, 1)))
    return held(np.concatenate(parts, axis=2))


def still(rng: np.random.Generator) -> np.ndarray:
    """Windows of a wrist that rests, of which there are no recordings: [STILL, 150, 6]."""
    up = rng.normal(size=(STILL, 1, 3))
    least, most = np.log(SHAKES_G)
    shakes = np.exp(rng.uniform(least, most, (STILL, 1, 1))) * np.repeat([1, SHAKES_DPS], 3)
    real = np.concatenate([up / np.linalg.norm(up, axis=2, keepdims=True), np.zeros_like(up)], axis=2)
    noise = shakes * rng.normal(size=(STILL, WINDOW_S * SECOND, AXES))
    return held((real + noise) / scales())


# --- fitting --------------------------------------------------------------------------------------------------

Features = Callable[[np.ndarray], np.ndarray]
"""[n, 150, 6] counts to [n, 42]"""


def by_device(counts: np.ndarray) -> np.ndarray:
    """By the device's own arithmetic, where windows do not overlap."""
    app = load(HERE)
    apart = [stage.model_copy(update=dict(hop_ms=1000 * WINDOW_S)) if isinstance(stage, Frame) else stage for stage in app.stages[:-1]]
    front = plan(app.model_copy(update=dict(stages=tuple(apart), detect=None, sinks=())))
    y = Engine(front).push(counts.reshape(-1, SECOND, AXES))[len(front.steps) - 1].y
    assert len(y) == len(counts), "a window is three blocks"
    return front.steps[-1].y.real(y).reshape(len(counts), -1)


def by_numpy(counts: np.ndarray) -> np.ndarray:
    """The same in floats."""
    real = counts * scales() / np.repeat([8, 2000], 3)      # of full scale
    x = np.concatenate([real, np.linalg.norm(real[..., 3:], axis=2, keepdims=True)], axis=2)
    return np.concatenate([np.percentile(x, PERCENTILES, axis=1), x.std(axis=1)[None]]).transpose(1, 2, 0).reshape(len(x), -1)


class Learnt(NamedTuple):
    """windows: features of each window and of its variations, [1 + COPIES, n, 42].  still: of those that are made up, [STILL, 42]."""

    windows: np.ndarray
    still: np.ndarray


def learnt_from(all_: Windows, features: Features) -> Learnt:
    rng = np.random.default_rng(0)
    rest = features(still(rng))
    return Learnt(np.stack([features(all_.counts), *(features(varied(all_.counts, rng)) for _ in range(COPIES))]), rest)


def fitted(learnt: Learnt, all_: Windows, these: np.ndarray) -> Any:
    """To these windows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = [*learnt.windows[:, these], learnt.still]
    y = [*np.tile(places(all_.exercise[these]), (1 + COPIES, 1)), np.full(STILL, CLASSES.index("still"))]
    regression = LogisticRegression(solver="newton-cholesky", max_iter=100)
    return make_pipeline(StandardScaler(), regression).fit(np.concatenate(x), np.concatenate(y))


def places(exercise: np.ndarray) -> np.ndarray:
    """Of exercises among the classes."""
    return np.array([CLASSES.index(name) for name in exercise])


def options_of(found: Any) -> dict[str, Any]:
    options = export(found, feature_names=names())
    return options | {key: np.round(options[key], 5).tolist() for key in ("weights", "bias")}


def names() -> list[str]:
    axes = [*(column.name for column in load(HERE).source.columns()), "turning"]
    return [f"{what} of {axis}, of full scale" for axis in axes for what in (*(f"p{p}" for p in PERCENTILES), "std")]


def fit(recordings: list[Recording]) -> None:
    all_ = windows(recordings)
    options = options_of(fitted(learnt_from(all_, by_device), all_, np.ones(len(all_.of), bool)))
    options["about"]["classes"] = CLASSES
    (HERE / "exercises.json").write_text(json.dumps(options, indent=1) + "\n", encoding="utf-8")


def levels(recordings: list[Recording]) -> dict[str, list[list[float]]]:
    """What the simulated recordings go by: medians over the subjects of seven percentiles, in g and °/s, [axis][7]."""
    at, found = (0, *PERCENTILES, 100), {}
    for exercise in NAMES.values():
        each = [np.percentile(one.counts * scales(), at, axis=0).T for one in recordings if one.exercise == exercise]
        found[exercise] = np.round(np.median(each, axis=0), 3).tolist()
    return found


# --- figures --------------------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """What is said by what has not seen the subject.  windows: probabilities [n, 8] of each.  alerts: labels of each recording."""

    windows: np.ndarray
    reference: np.ndarray
    alerts: list[list[str]]


def held_out(recordings: list[Recording], all_: Windows) -> Heard:
    none = np.zeros((len(all_.of), len(CLASSES)))
    heard = Heard(none, none.copy(), [[] for _ in recordings])
    device, floats = learnt_from(all_, by_device), learnt_from(all_, by_numpy)
    for subject in sorted({one.subject for one in recordings}):
        ask = all_.subject == subject
        app = without(options_of(fitted(device, all_, ~ask)))
        for i, one in enumerate(recordings):
            if one.subject == subject:
                heard.windows[all_.of == i] = probabilities(app, one.counts)
                heard.alerts[i] += [event.label for event in replay(app, Engine(app), one.counts).events]
        heard.reference[ask] = fitted(floats, all_, ~ask).predict_proba(floats.windows[0, ask])
    return heard


def without(options: dict[str, Any]) -> Plan:
    """The app, with other numbers."""
    app = load(HERE)
    linear = Linear(**{key: value for key, value in options.items() if key not in ("kind", "about")})
    return plan(app.model_copy(update=dict(stages=(*app.stages[:-1], linear), sinks=())))


def probabilities(app: Plan, counts: np.ndarray) -> np.ndarray:
    assert app.scores is not None, "it has a detector"
    whole = counts[: len(counts) // SECOND * SECOND].reshape(-1, SECOND, AXES)
    fired = Engine(app).push(whole, want={app.scores})[app.scores]
    return app.steps[app.scores].y.real(fired.y).reshape(-1, len(CLASSES))


def figures(recordings: list[Recording]) -> dict[str, str]:
    """Every figure of the card."""
    all_ = windows(recordings)
    heard = held_out(recordings, all_)
    truth = places(all_.exercise)
    right, reference = (p.argmax(axis=1) == truth for p in (heard.windows, heard.reference))
    first = [alerts[:1] == [one.exercise] for alerts, one in zip(heard.alerts, recordings)]
    wrong = [label for alerts, one in zip(heard.alerts, recordings) for label in alerts if label != one.exercise]
    told = {
        "recordings, subjects, windows": f"{len(recordings)}, {len(set(all_.subject))}, {len(right)}",
        "most frequent exercise: accuracy": f"{100 * np.bincount(truth).max() / len(truth):.1f} %",
        "windows: accuracy, subjects held out": accuracy(right, all_),
        "windows: reference in floats": accuracy(reference, all_),
        "windows decided as the reference decides": f"{100 * (heard.windows.argmax(1) == heard.reference.argmax(1)).mean():.1f} %",
        "recordings by their mean probability": whole(heard.windows, all_, recordings),
        "recordings: reference in floats": whole(heard.reference, all_, recordings),
        "recordings whose first alert is right": share(sum(first), len(recordings)),
        "recordings without any alert": share(sum(not a for a in heard.alerts), len(recordings)),
        "alerts, wrong ones of them": f"{sum(map(len, heard.alerts))}, {len(wrong)}, in {len(right) / 60:.0f} minutes",
    }
    return told | confusions(heard.windows.argmax(axis=1), truth)


def accuracy(right: np.ndarray, of: Windows) -> str:
    """With each subject, and a 95 % interval by drawing recordings."""
    rng = np.random.default_rng(0)
    each = [right[of.of == i] for i in np.unique(of.of)]
    drawn = [np.concatenate([each[i] for i in rng.integers(0, len(each), len(each))]).mean() for _ in range(RESAMPLED)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    subjects = ", ".join(f"{100 * right[of.subject == s].mean():.1f}" for s in np.unique(of.subject))
    return f"{100 * right.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f}); by subject {subjects}"


def whole(probability: np.ndarray, of: Windows, recordings: list[Recording]) -> str:
    best = [CLASSES[probability[of.of == i].mean(axis=0).argmax()] for i in range(len(recordings))]
    return share(sum(b == r.exercise for b, r in zip(best, recordings)), len(recordings))


def share(hits: int, trials: int) -> str:
    """With its exact 95 % interval (Clopper and Pearson)."""
    low = float(beta.ppf(0.025, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, trials - hits)) if hits < trials else 1.0
    return f"{hits} of {trials} ({100 * hits / trials:.1f} %, {100 * low:.1f} to {100 * high:.1f})"


def confusions(said: np.ndarray, truth: np.ndarray) -> dict[str, str]:
    """Of each exercise, how many windows are right, and what else they are said to be, where that is 2 % or more."""
    told = {}
    for i, name in enumerate(NAMES.values()):
        counts = np.bincount(said[truth == i], minlength=len(CLASSES)) / (truth == i).sum()
        others = [f"{CLASSES[j]} {100 * counts[j]:.0f}" for j in np.argsort(-counts) if j != i and counts[j] >= 0.02]
        told[f"  {name}"] = f"{100 * counts[i]:.0f} %{'; ' * bool(others)}{', '.join(others)}"
    return told


if __name__ == "__main__":
    main()
