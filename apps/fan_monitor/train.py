"""From a folder of recordings to every number of this app, and every figure of its model card.

    train.py DATA                    writes normal.json and recordings/levels.json, prints the figures
    train.py DATA --figures          prints the figures of the app as it is

DATA is a folder with fan_0_{off,low,med,high}_0_weight and fan_0_{low,med,high}_1_weight, each of files of one second: 200 rows of x, y, z
in g.
Wants scikit-learn beside tinystream.  Deterministic.

A window of 2 s is two files of one condition.  Files are a second each, but not of one stretch: a line fitted to the end of one does
not go on in the next, so no window could be cut across two; the app averages two spectra of a second each, for which it does not matter.

Of the 140 files of a condition, in the order of recording, the first 84 are for training, the next 28 for calibration, the last 28 for
validation.  Only sound ones are trained on and calibrated with.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import beta

from tinystream.app.planning import plan, plan_file
from tinystream.app.read import load
from tinystream.detectors.limits import Limits
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.replay import make_engine, replay
from tinystream.train.sklearn import export

HERE = Path(__file__).parent
SOUND = ("off", "low", "med", "high")
PARTS = {"training": slice(0, 84), "calibration": slice(84, 112), "validation": slice(112, 140)}
GAUSSIANS, LEAST_VARIANCE = 4, 0.03     # one for each speed and one for rest; dB², so that no feature counts as steadier than 0.17 dB
MARGIN = 0.5    # the threshold lies above the greatest calibration score, by so much of its distance to their median
LEARN_S = 80    # as learn.toml says
DAYS, DWELL_S = 3, 600      # that are simulated; a fan's speed changes after so long, in the mean


class Condition(NamedTuple):
    speed: str
    weight: bool

    @property
    def folder(self) -> str:
        return f"fan_0_{self.speed}_{int(self.weight)}_weight"


NORMAL = [Condition(speed, False) for speed in SOUND]
ANOMALOUS = [Condition(speed, True) for speed in SOUND[1:]]
Data = dict[Condition, np.ndarray]
"""Counts of each condition, [files, 200, 3] int16."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="folder with the seven folders of files")
    options.add_argument("--figures", action="store_true", help="fit nothing: the figures of the app as it is")
    told = options.parse_args()
    data = read(told.data)
    if not told.figures:
        fit(data)
        (HERE / "recordings/levels.json").write_text(json.dumps(levels(data), indent=1) + "\n", encoding="utf-8")
    for name, figure in figures(data).items():
        print(f"{name:40} {figure}")


def read(folder: Path) -> Data:
    """Every file, in the sensor's counts: 4 g / 32768, of which it steps by 4."""
    scale = plan_file_features().x[0].scale
    return {c: np.stack([np.rint(np.loadtxt(file, delimiter=",", max_rows=200) / scale).astype(np.int16)
                         for file in sorted((folder / c.folder).glob("*.csv"))]) for c in NORMAL + ANOMALOUS}


# --- fitting --------------------------------------------------------------------------------------------------


def plan_file_features() -> Plan:
    """The app up to its features."""
    app = load(HERE)
    return plan(app.model_copy(update=dict(stages=app.stages[:-1], detect=None, sinks=())))


def features(windows: np.ndarray) -> np.ndarray:
    """dB of [n, 2, 200, 3] windows, by the device's own arithmetic: [n, 6]."""
    front = plan_file_features()
    fired = Engine(front).push(np.ascontiguousarray(windows.reshape(-1, 200, 3)))[len(front.steps) - 1]
    assert len(fired.y) == len(windows), "each window is two blocks"
    return front.steps[-1].y.real(fired.y).reshape(len(windows), -1)


def fit(data: Data) -> None:
    from sklearn.mixture import GaussianMixture

    x = np.concatenate([features(neighbours(data[c][PARTS["training"]])) for c in NORMAL])
    mixture = GaussianMixture(GAUSSIANS, covariance_type="diag", reg_covar=LEAST_VARIANCE, random_state=0, n_init=5).fit(x)
    names = [f"{axis} {low}-{high} Hz, dB" for axis in "xyz" for low, high in ((5, 70), (70, 100))]
    export(mixture, HERE / "normal.json", names)


def levels(data: Data) -> dict[str, list[list[float]]]:
    """What the simulated recordings go by: the median level of each band and axis, [axis][band] in dB of g²."""
    return {f"{c.speed}{' weight' * c.weight}": np.median(features(neighbours(data[c])), axis=0).reshape(3, 2).round(1).tolist()
            for c in NORMAL + ANOMALOUS}


def neighbours(files: np.ndarray) -> np.ndarray:
    """Each file with the next."""
    return np.stack([files[:-1], files[1:]], axis=1)


def apart(files: np.ndarray) -> np.ndarray:
    """Windows that share no file: these count as trials."""
    return files.reshape(-1, 2, *files.shape[1:])


def any_two(files: np.ndarray) -> np.ndarray:
    """Each file with each other one: what random order can give; far from independent."""
    i, j = np.triu_indices(len(files), 1)
    return np.stack([files[i], files[j]], axis=1)


# --- figures --------------------------------------------------------------------------------------------------


def scores(windows: np.ndarray) -> np.ndarray:
    """Of the app, in nats."""
    return told_by(plan_file(HERE), windows.reshape(-1, 200, 3))


def told_by(app: Plan, files: np.ndarray) -> np.ndarray:
    """The scores of files of a second, in their order."""
    assert app.scores is not None, "it has a detector"
    fired = Engine(app).push(np.ascontiguousarray(files), want={app.scores})[app.scores]
    return app.steps[app.scores].y.real(fired.y).reshape(-1)


def limits(file: Path = HERE) -> tuple[float, int]:
    """Threshold and hold."""
    detect = load(file).detect
    assert isinstance(detect, Limits) and isinstance(detect.threshold, float), "one detector, one score"
    return detect.threshold, detect.hold


def of(data: Data, conditions: list[Condition], part: str, cut=apart, score=scores) -> np.ndarray:
    return np.concatenate([score(cut(data[c][PARTS[part]])) for c in conditions])


def figures(data: Data) -> dict[str, str]:
    """Every figure of the card."""
    threshold, _ = limits()
    calm, odd = of(data, NORMAL, "validation"), of(data, ANOMALOUS, "validation")
    both = of(data, NORMAL, "validation", any_two), of(data, ANOMALOUS, "validation", any_two)
    calibration = of(data, NORMAL, "calibration", any_two)
    alarms, caught = int((calm >= threshold).sum()), int((odd >= threshold).sum())
    told = {
        "threshold by the rule": f"{rule(calibration):.1f}, shipped {threshold:g}",
        "calibration, greatest score": f"{calibration.max():.1f}",
        "validation, greatest sound score": f"{calm.max():.1f}, of any two files {both[0].max():.1f}",
        "validation, least score with weight": f"{odd.min():.1f}, of any two files {both[1].min():.1f}",
        "area under ROC": f"{area(calm, odd):.4f}, {area_interval(calm, odd)}",
        "area under ROC, any two files": f"{area(*both):.4f}",
        "sound windows at or above the threshold": share(alarms, len(calm)),
        "windows with weight at or above it": share(caught, len(odd)),
    }
    for c in ANOMALOUS:
        own = of(data, [c], "validation")
        told[f"  at {c.speed}"] = f"{share(int((own >= threshold).sum()), len(own))}; area {area(calm, own):.4f}"
    reference = by_scikit_learn(data)
    calm_, odd_ = (of(data, who, "validation", score=reference) for who in (NORMAL, ANOMALOUS))
    told["reference in floats: area under ROC"] = f"{area(calm_, odd_):.4f}"
    same = np.r_[(calm >= threshold) == (calm_ >= threshold), (odd >= threshold) == (odd_ >= threshold)]
    told["decisions as the reference decides"] = (
        f"{int(same.sum())} of {len(same)}, scores of sound windows within {apart_at_most(data, reference):.2f} nats")
    return told | days(data) | learnt(data)


def rule(calibration: np.ndarray) -> float:
    return float(calibration.max() + MARGIN * (calibration.max() - np.median(calibration)))


def area(calm: np.ndarray, odd: np.ndarray) -> float:
    """Under the ROC: how often an odd score is above a calm one."""
    return float(np.mean((odd[:, None] > calm) + 0.5 * (odd[:, None] == calm)))


def area_interval(calm: np.ndarray, odd: np.ndarray) -> str:
    """95 % where nothing overlaps and a bootstrap would say 1 to 1: the best point's two rates, each at its own exact 97.5 % bound."""
    best = max((float((calm < t).mean() + (odd >= t).mean()), float(t)) for t in odd)[1]
    below, above = int((calm < best).sum()), int((odd >= best).sum())
    return f"at least {bound(below, len(calm)) * bound(above, len(odd)):.2f}"


def bound(hits: int, trials: int, share: float = 0.025) -> float:
    return float(beta.ppf(share, hits, trials - hits + 1)) if hits else 0.0


def share(hits: int, trials: int) -> str:
    """With its exact 95 % interval (Clopper and Pearson)."""
    low, high = bound(hits, trials), 1 - bound(trials - hits, trials)
    return f"{hits} of {trials} ({100 * hits / trials:.1f} %, {100 * low:.1f} to {100 * high:.1f})"


def by_scikit_learn(data: Data):
    """The same rule in floats: numpy's spectra, scikit-learn's mixture, fitted to its own features."""
    from sklearn.mixture import GaussianMixture

    def decibels(windows: np.ndarray) -> np.ndarray:
        x = windows * (4 / 32768)
        x = (x - x.mean(axis=2, keepdims=True)) * np.hanning(201)[:200, None]
        power = (np.abs(np.fft.rfft(x, 256, axis=2)) ** 2 / 256**2).mean(axis=1)
        hz = np.arange(129) * 200 / 256
        bands = [power[:, (hz >= low) & (hz < high)].sum(axis=1) for low, high in ((5, 70), (70, 100.1))]
        return np.maximum(10 * np.log10(np.stack(bands, axis=-1)), -62).reshape(len(x), -1)

    x = np.concatenate([decibels(neighbours(data[c][PARTS["training"]])) for c in NORMAL])
    mixture = GaussianMixture(GAUSSIANS, covariance_type="diag", reg_covar=LEAST_VARIANCE, random_state=0, n_init=5).fit(x)
    return lambda windows: -mixture.score_samples(decibels(windows))


def apart_at_most(data: Data, reference) -> float:
    return max(float(np.abs(scores(w) - reference(w)).max()) for w in (apart(data[c][PARTS["validation"]]) for c in NORMAL))


def days(data: Data) -> dict[str, str]:
    """Simulated days of a sound fan, and how soon weight is told."""
    app = plan_file(HERE)
    engine = make_engine(app)
    rng = np.random.default_rng(1)
    counts = [len(replay(app, engine, day(data, rng)).events) for _ in range(DAYS)]
    each = 1 - bound(len(of(data, NORMAL, "validation")), len(of(data, NORMAL, "validation")))
    _, hold = limits()
    independent = len(NORMAL) * (PARTS["validation"].stop - PARTS["validation"].start)
    delays = []
    for c in ANOMALOUS:
        for _ in range(20):
            before, after = draw(data, Condition(c.speed, False), rng, 60), draw(data, c, rng, 120)
            told = replay(app, engine, np.concatenate([before, after]))
            delays.append(min((e.time_s - 60 for e in told.events), default=np.inf))
    return {
        f"false alarms in {DAYS} simulated days": f"{counts}, from {independent} files of a second, drawn again and again",
        "a day at most, were windows independent": f"{43_200 * (1 - each) * each**hold:.2f}: {hold} in a row of {100 * each:.1f} %",
        "from weight to alert, seconds": f"{min(delays):.0f} to {max(delays):.0f}, missed {int(np.isinf(delays).sum())} of {len(delays)}",
    }


def learnt(data: Data) -> dict[str, str]:
    """learn.toml, at one speed after the other: it learns from the first training files, the rest is as above."""
    app, (threshold, _) = plan_file(HERE / "learn.toml"), limits(HERE / "learn.toml")
    told, calibration = {}, []
    for c in NORMAL[1:]:
        odd = Condition(c.speed, True)
        heard = [any_two(data[c][PARTS["calibration"]]), apart(data[c][PARTS["validation"]]), apart(data[odd][PARTS["validation"]])]
        files = np.concatenate([data[c][PARTS["training"]][:LEARN_S], *(windows.reshape(-1, 200, 3) for windows in heard)])
        score = told_by(app, files)
        assert len(score) == sum(map(len, heard)), "what it learns from has no score"
        steady, calm, caught = np.split(score, np.cumsum([len(windows) for windows in heard])[:-1])
        calibration.append(steady)
        told[f"learnt at {c.speed}: area under ROC"] = (
            f"{area(calm, caught):.4f}; sound at or above the threshold {share(int((calm >= threshold).sum()), len(calm))}, "
            f"with weight {share(int((caught >= threshold).sum()), len(caught))}")
    told["learnt: threshold by the rule"] = f"{rule(np.concatenate(calibration)):.1f}, shipped {threshold:g}"
    return told


def day(data: Data, rng: np.random.Generator) -> np.ndarray:
    """24 h of sound validation files in random order; a speed stays for DWELL_S in the mean."""
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < 86_400 * 200:
        parts.append(draw(data, NORMAL[rng.integers(len(NORMAL))], rng, 1 + int(rng.exponential(DWELL_S))))
    return np.concatenate(parts)[: 86_400 * 200]


def draw(data: Data, c: Condition, rng: np.random.Generator, seconds: int) -> np.ndarray:
    files = data[c][PARTS["validation"]]
    return files[rng.integers(len(files), size=seconds)].reshape(-1, 3)


if __name__ == "__main__":
    main()
