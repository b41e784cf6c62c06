"""From a folder of a pump's sounds to every number of this app, and every figure of its model card.

    train.py DATA                    writes pump.json, prints the figures
    train.py DATA --figures          prints the figures of the app as it is

DATA is a folder with normal_*.wav and abnormal_*.wav, 16 kHz, one channel, such as of MIMII.  Wants scikit-learn beside tinystream.
Deterministic.

Only normal recordings are fitted to.  Each is held out once, and what is fitted to the others is asked about it and about the abnormal
ones; what is shipped is fitted to all of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.io import wavfile
from scipy.stats import beta

from tinystream.app.planning import plan
from tinystream.app.read import load
from tinystream.detectors import Limits
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.replay import replay
from tinystream.stages import Mahalanobis
from tinystream.train.sklearn import export

HERE = Path(__file__).parent
RESAMPLED = 4000


class Recording(NamedTuple):
    name: str
    normal: bool
    samples: np.ndarray


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="the folder")
    options.add_argument("--figures", action="store_true", help="fit nothing")
    told = options.parse_args()
    recordings = read(told.data)
    if not told.figures:
        fit(recordings)
    for name, figure in figures(recordings).items():
        print(f"{name:50} {figure}")


def read(folder: Path) -> list[Recording]:
    found = [Recording(file.stem, file.stem.startswith("normal"), wavfile.read(file)[1]) for file in sorted(folder.glob("*.wav"))]
    assert all(one.samples.dtype == np.int16 and one.samples.ndim == 1 for one in found), "16 bits, one channel"
    return found


# --- fitting --------------------------------------------------------------------------------------------------

Features = Callable[[np.ndarray], np.ndarray]
"""Samples to [n, 4]"""


def by_device(samples: np.ndarray) -> np.ndarray:
    """By the device's own arithmetic."""
    app = load(HERE)
    front = plan(app.model_copy(update=dict(stages=app.stages[:-1], detect=None, sinks=())))
    block = front.x[0].size
    fired = Engine(front).push(samples[: len(samples) // block * block].reshape(-1, block))[len(front.steps) - 1]
    return front.steps[-1].y.real(fired.y).reshape(len(fired.y), -1)


def by_numpy(samples: np.ndarray) -> np.ndarray:
    """The same in floats."""
    frames = np.lib.stride_tricks.sliding_window_view(samples / 32768, 1024)[::512] * np.hanning(1025)[:1024]
    power = np.abs(np.fft.rfft(frames)) ** 2
    hz = np.arange(513) * 16000 / 1024
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (60, 4000))
    edges = 700 * (10 ** (np.linspace(low, high, 6) / 2595) - 1)
    triangles = [np.clip(np.minimum((hz - a) / (b - a), (c - hz) / (c - b)), 0, None) for a, b, c in zip(edges, edges[1:], edges[2:])]
    levels = 10 * np.log10(power @ np.array(triangles).T)
    return np.stack([levels[begin : begin + 62].std(axis=0) for begin in range(0, len(levels) - 61, 31)])


def fitted(features: list[np.ndarray]) -> Any:
    """Mean and covariance, held towards a sphere by Ledoit and Wolf: so few windows do not settle ten numbers."""
    from sklearn.covariance import LedoitWolf

    return LedoitWolf().fit(np.concatenate(features))


def options_of(found: Any) -> dict[str, Any]:
    options = export(found, feature_names=[f"band {i}, dB" for i in range(4)])
    return options | {key: np.round(options[key], 5).tolist() for key in ("mean", "covariance")}


def fit(recordings: list[Recording]) -> None:
    options = options_of(fitted([by_device(one.samples) for one in recordings if one.normal]))
    (HERE / "pump.json").write_text(json.dumps(options, indent=1) + "\n", encoding="utf-8")


# --- figures --------------------------------------------------------------------------------------------------


class Fold(NamedTuple):
    """What a model that has not heard `held` says of it and of the abnormal ones."""

    held: np.ndarray
    abnormal: list[np.ndarray]
    alerts: list[bool]
    """Whether there is one: first of what is held out."""


def by_app(recordings: list[Recording]) -> list[Fold]:
    normal, abnormal = [r for r in recordings if r.normal], [r for r in recordings if not r.normal]
    features = [by_device(one.samples) for one in normal]
    folds = []
    for i, one in enumerate(normal):
        app = with_numbers(options_of(fitted([f for j, f in enumerate(features) if j != i])))
        alerts = [bool(replay(app, Engine(app), r.samples).events) for r in (one, *abnormal)]
        folds.append(Fold(scores(app, one.samples), [scores(app, r.samples) for r in abnormal], alerts))
    return folds


def by_scikit_learn(recordings: list[Recording]) -> list[Fold]:
    normal, abnormal = ([by_numpy(r.samples) for r in recordings if r.normal == which] for which in (True, False))
    folds = []
    for i, one in enumerate(normal):
        found = fitted([f for j, f in enumerate(normal) if j != i])
        folds.append(Fold(np.sqrt(found.mahalanobis(one)), [np.sqrt(found.mahalanobis(f)) for f in abnormal], []))
    return folds


def with_numbers(options: dict[str, Any]) -> Plan:
    app = load(HERE)
    stage = Mahalanobis(mean=tuple(options["mean"]), covariance=tuple(map(tuple, options["covariance"])))
    return plan(app.model_copy(update=dict(stages=(*app.stages[:-1], stage), sinks=())))


def scores(app: Plan, samples: np.ndarray) -> np.ndarray:
    assert app.scores is not None, "it has a detector"
    block = app.x[0].size
    fired = Engine(app).push(samples[: len(samples) // block * block].reshape(-1, block), want={app.scores})[app.scores]
    return app.steps[app.scores].y.real(fired.y).reshape(-1)


def figures(recordings: list[Recording]) -> dict[str, str]:
    """Every figure of the card."""
    folds, reference = by_app(recordings), by_scikit_learn(recordings)
    detect = load(HERE).detect
    assert isinstance(detect, Limits) and isinstance(detect.threshold, float), "one detector, one score"
    held = np.concatenate([fold.held for fold in folds])
    # each fold scores a second of an abnormal recording: the median counts, once
    odd = [np.median([fold.abnormal[i] for fold in folds], axis=0) for i in range(len(folds[0].abnormal))]
    apart = max(float(np.abs(a.held - b.held).max()) for a, b in zip(folds, reference))
    return {
        "recordings, scores of each": f"{len(folds)} normal and {len(odd)} abnormal, {len(held) // len(folds)}",
        "threshold by the rule": f"{np.ceil(10 * held.max()) / 10:.1f}, shipped {detect.threshold:g}",
        "area under ROC, by second": areas(folds),
        "reference in floats: area, by second": areas(reference),
        "scores of held-out normal ones": f"within {apart:.3f} of the reference's",
        "median score, normal, held out": ", ".join(f"{np.median(fold.held):.1f}" for fold in folds),
        "median score, abnormal": ", ".join(f"{np.median(s):.1f}" for s in odd),
        "pairs of recordings in the right order": pairs(folds),
        "normal recordings with an alert": share(sum(fold.alerts[0] for fold in folds), len(folds)),
        "abnormal recordings with an alert, by each fold": ", ".join(f"{sum(fold.alerts[1:])} of {len(odd)}" for fold in folds),
        "abnormal seconds at or above the threshold": f"{100 * np.mean(np.concatenate(odd) >= detect.threshold):.0f} %; by recording "
        + ", ".join(f"{100 * np.mean(s >= detect.threshold):.0f}" for s in odd),
    }


def areas(folds: list[Fold]) -> str:
    """Of all folds together, with a 95 % interval by drawing recordings, and of each."""
    each = [area(fold.held, np.concatenate(fold.abnormal)) for fold in folds]
    rng, count = np.random.default_rng(0), len(folds)
    drawn = []
    for _ in range(RESAMPLED):
        who, odd = rng.integers(0, count, count), rng.integers(0, len(folds[0].abnormal), len(folds[0].abnormal))
        drawn.append(pooled([Fold(folds[i].held, [folds[i].abnormal[j] for j in odd], []) for i in who]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{pooled(folds):.2f} ({low:.2f} to {high:.2f}); by held-out recording " + ", ".join(f"{a:.2f}" for a in each)


def pooled(folds: list[Fold]) -> float:
    return area(np.concatenate([f.held for f in folds]), np.concatenate([s for f in folds for s in f.abnormal]))


def area(calm: np.ndarray, odd: np.ndarray) -> float:
    """Under the ROC: how often an odd score is above a calm one."""
    return float(np.mean((odd[:, None] > calm) + 0.5 * (odd[:, None] == calm)))


def pairs(folds: list[Fold]) -> str:
    """A held-out normal recording and an abnormal one, by their median scores."""
    right = sum(float(np.median(odd) > np.median(fold.held)) for fold in folds for odd in fold.abnormal)
    return f"{right:.0f} of {len(folds) * len(folds[0].abnormal)}"


def share(hits: int, trials: int) -> str:
    """With its exact 95 % interval (Clopper and Pearson)."""
    low = float(beta.ppf(0.025, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, trials - hits)) if hits < trials else 1.0
    return f"{hits} of {trials} ({100 * hits / trials:.0f} %, {100 * low:.0f} to {100 * high:.0f})"


if __name__ == "__main__":
    main()
