"""From one table of an office's air and light to every number of this app, and every figure of its model card.

    train.py DATA                    writes room.json and room_without_light.json, prints the figures
    train.py DATA --figures          prints the figures of what is written

DATA is a CSV with a row each minute and the columns date, Temperature, Humidity, Light, CO2 and Occupancy (0 or 1), such as datatest.txt of
the UCI Occupancy Detection data.  Wants scikit-learn beside tinystream.  Deterministic.

There is one recording, of parts of three days.  Each day is held out once, and what is fitted to the two others is asked about it; what
is shipped is fitted to all three.
"""

from __future__ import annotations

import argparse
import csv
import json
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinystream.app.definition import App
from tinystream.app.planning import plan
from tinystream.app.read import load
from tinystream.run.engine import Engine
from tinystream.run.replay import replay
from tinystream.stages import Linear
from tinystream.train.sklearn import export

HERE = Path(__file__).parent
FILES = {"app.toml": "room.json", "without_light.toml": "room_without_light.json"}
NAMES = {"temperature": "Temperature", "humidity": "Humidity", "light": "Light", "co2": "CO2"}
UNUSED = ("temperature", "humidity", "change of light in 5 minutes")     # the first two are of the season, not of who is there
STAY_MIN = TOLD_MIN = 10    # a stay or an absence of so many minutes is to be told, so soon
RESAMPLED = 4000


class Data(NamedTuple):
    """A row each minute.  day: which it belongs to, from 0.  hour: the same for hours."""

    columns: dict[str, np.ndarray]
    occupied: np.ndarray
    day: np.ndarray
    hour: np.ndarray


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="the table")
    options.add_argument("--figures", action="store_true", help="fit nothing: the figures of the app as it is")
    told = options.parse_args()
    data = read(told.data)
    if not told.figures:
        fit(data)
    for name, figure in figures(data).items():
        print(f"{name:50} {figure}")


def read(file: Path) -> Data:
    with file.open(encoding="utf-8") as lines:
        header = next(rows := csv.reader(lines))
        table = [dict(zip(header, row[len(row) - len(header) :])) for row in rows]     # rows are numbered, and the number has no name
    day = np.unique([row["date"][:10] for row in table], return_inverse=True)[1]
    hour = np.unique([row["date"][:13] for row in table], return_inverse=True)[1]
    columns = {name: np.array([float(row[said]) for row in table]) for name, said in NAMES.items()}
    return Data(columns, np.array([row["Occupancy"] == "1" for row in table]), day, hour)


# --- fitting --------------------------------------------------------------------------------------------------


def counts(app: App, data: Data) -> np.ndarray:
    """What the sensor would give: [minutes, channels]."""
    real = np.stack([data.columns[column.name] / column.scale for column in app.source.columns()], axis=1)
    return np.clip(np.rint(real), -32768, 32767).astype(np.int16)


def features(app: App, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """By the device's own arithmetic: [n, features], and of which minutes; there is nothing in the first few, while `delta` waits."""
    front = plan(app.model_copy(update=dict(stages=app.stages[:-1], detect=None, sinks=())))
    fired = Engine(front).push(counts(app, data)[:, None])[len(front.steps) - 1]
    return front.steps[-1].y.real(fired.y).reshape(len(fired.y), -1), fired.when


def names(app: App) -> list[str]:
    """Of the features, in order."""
    channels = [column.name for column in app.source.columns()]
    return [*channels, *(f"change of {name} in 5 minutes" for name in channels)]


def classifier():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))


def fitted(app: App, x: np.ndarray, occupied: np.ndarray) -> tuple[Any, list[int]]:
    """A classifier, and which features it looks at."""
    used = [i for i, name in enumerate(names(app)) if name not in UNUSED]
    return classifier().fit(x[:, used], occupied), used


def options_of(app: App, x: np.ndarray, occupied: np.ndarray) -> dict[str, Any]:
    """Options of `linear` for two scores, how likely it is empty and how likely it is occupied, which are each other's complement."""
    found, used = fitted(app, x, occupied)
    options = export(found)
    weights, bias = np.zeros(x.shape[1]), options["bias"][0]
    weights[used] = options["weights"][0]
    both = np.round([-weights, weights], 6) + 0.0
    return options | dict(weights=both.tolist(), bias=np.round([-bias, bias], 6).tolist())


def fit(data: Data) -> None:
    for file, numbers in FILES.items():
        app = load(HERE / file)
        x, when = features(app, data)
        options = options_of(app, x, data.occupied[when])
        options["about"] = {"from": options["about"]["from"], "features": [f"{name}, of full scale" for name in names(app)]}
        (HERE / numbers).write_text(json.dumps(options, indent=1) + "\n", encoding="utf-8")


# --- figures --------------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """What is said of each minute by what has not seen its day: [minutes].  nan or -1 where nothing is said yet."""

    probability: np.ndarray
    state: np.ndarray
    reference: np.ndarray


def held_out(file: str, data: Data) -> Held:
    app = load(HERE / file)
    x, when = features(app, data)
    real = by_numpy(file, data)[when]
    held = Held(*(np.full(len(data.day), np.nan) for _ in range(3)))
    for day in np.unique(data.day):
        learn, ask = data.day[when] != day, data.day == day
        options = options_of(app, x[learn], data.occupied[when][learn])
        linear = Linear(**{key: value for key, value in options.items() if key not in ("kind", "about")})
        probability, state = said(app.model_copy(update=dict(stages=(*app.stages[:-1], linear), sinks=())), data)
        held.probability[ask], held.state[ask] = probability[ask], state[ask]
        reference = np.full(len(data.day), np.nan)
        found, used = fitted(app, real[learn], data.occupied[when][learn])
        reference[when] = found.predict_proba(real[:, used])[:, 1]
        held.reference[ask] = reference[ask]
    return held


def said(app: App, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Probability and state of each minute, by the device's own arithmetic."""
    of, x = plan(app), counts(app, data)
    assert of.scores is not None, "it has a detector"
    fired = Engine(of).push(x[:, None], want={of.scores})[of.scores]
    probability, state = np.full(len(x), np.nan), np.full(len(x), np.nan)
    probability[fired.when] = of.steps[of.scores].y.real(fired.y).reshape(-1, 2)[:, 1]
    for event in replay(of, Engine(of), x).events:
        state[event.sample - 1 :] = event.label == "occupied"
    return probability, state


def by_numpy(file: str, data: Data) -> np.ndarray:
    """The features in floats."""
    v = np.stack([data.columns[c.name] for c in load(HERE / file).source.columns()], axis=1)
    smooth = np.stack([v[max(i - 4, 0) : i + 1].mean(axis=0) for i in range(len(v))])
    return np.concatenate([v, np.concatenate([np.zeros((5, v.shape[1])), smooth[5:] - smooth[:-5]])], axis=1)


def by_light(data: Data) -> np.ndarray:
    """The trivial rule: occupied where there is more light than a threshold that is best for the two other days."""
    light, right = data.columns["light"], np.zeros(len(data.day), bool)
    for day in np.unique(data.day):
        learn, ask = data.day != day, data.day == day
        levels = np.arange(10, 1000, 10)
        best = levels[np.argmax([((light[learn] > level) == data.occupied[learn]).mean() for level in levels])]
        right[ask] = (light[ask] > best) == data.occupied[ask]
    return right


def figures(data: Data) -> dict[str, str]:
    """Every figure of the card."""
    light, occupied = by_light(data), data.occupied
    told = {
        "minutes, occupied of them": f"{len(occupied)}, {100 * occupied.mean():.1f} %; by day "
        + ", ".join(f"{(data.day == d).sum()} and {100 * occupied[data.day == d].mean():.1f} %" for d in np.unique(data.day)),
        "always \"empty\": accuracy": percent(~occupied, data),
        "light alone: accuracy": percent(light, data),
        "light alone: area under ROC": f"{area(data.columns['light'], occupied):.4f}",
        "CO2 alone: area under ROC": f"{area(data.columns['co2'], occupied):.4f}",
    }
    for file in FILES:
        held, name = held_out(file, data), "" if file == "app.toml" else "without light: "
        there = ~np.isnan(held.probability)
        right, reference = (held.probability > 0.5) == occupied, (held.reference > 0.5) == occupied
        told |= {
            f"{name}accuracy, days held out": percent(right, data, there),
            f"{name}area under ROC": f"{area(held.probability[there], occupied[there]):.4f}",
            f"{name}reference in floats": f"{100 * reference[there].mean():.2f} %, "
            f"area {area(held.reference[there], occupied[there]):.4f}",
            f"{name}decisions as the reference decides": f"{100 * (right == reference)[there].mean():.2f} %",
            f"{name}state that is told: accuracy": percent(held.state == occupied, data, ~np.isnan(held.state)),
            f"{name}right {TOLD_MIN} min after a change": changes(held.state, data),
        }
    return told


def percent(right: np.ndarray, data: Data, there: np.ndarray | None = None) -> str:
    """With each day, and a 95 % interval by drawing hours: minutes of an hour know each other."""
    there = np.ones(len(right), bool) if there is None else there
    rng = np.random.default_rng(0)
    hours = [right[there & (data.hour == hour)] for hour in np.unique(data.hour[there])]
    drawn = [np.concatenate([hours[i] for i in rng.integers(0, len(hours), len(hours))]).mean() for _ in range(RESAMPLED)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    days = ", ".join(f"{100 * right[there & (data.day == day)].mean():.1f}" for day in np.unique(data.day))
    return f"{100 * right[there].mean():.2f} % ({100 * low:.1f} to {100 * high:.1f}); by day {days}"


def area(score: np.ndarray, occupied: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(occupied, score))


def changes(state: np.ndarray, data: Data) -> str:
    """Of stays and absences of STAY_MIN or more, in how many the state was right after TOLD_MIN; and how often it changed."""
    truth = data.occupied.astype(int)
    starts = np.r_[0, np.flatnonzero(np.diff(truth)) + 1, len(truth)]
    long = [(a, b) for a, b in pairwise(starts[1:]) if b - a >= STAY_MIN]
    met = sum(bool(state[a + TOLD_MIN - 1] == truth[a]) for a, b in long)
    switched = int((np.diff(state[~np.isnan(state)]) != 0).sum())
    return f"{met} of {len(long)} stays and absences that last so long; told {switched} changes, of {len(starts) - 2} of any length"


if __name__ == "__main__":
    main()
