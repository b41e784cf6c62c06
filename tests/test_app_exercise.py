"""Does the watch's app tell what somebody does, and does its card say what it is?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from app_folder import app_script, identical_on, told_on
from shared import shared

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.io.recording import read_recording
from tinystream.io.truth import find_truth
from tinystream.run.judge import Judged, judge
from tinystream.run.replay import make_engine, replay

APP = Path(__file__).parents[1] / "apps/exercise"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")
RECORDINGS = APP / "recordings"


@pytest.fixture(scope="module")
def train():
    """The training script; what it computes of the same windows is computed once."""
    script, kept = app_script(APP / "train.py"), {}
    compute = script.learnt_from

    def once(all_, features):
        if features.__name__ not in kept:
            kept[features.__name__] = compute(all_, features)
        return kept[features.__name__]

    script.learnt_from = once
    return script


@pytest.fixture(scope="module")
def data(train):
    folder = shared("data/imu/watch_exercise")
    pytest.importorskip("sklearn")
    return train.read(folder)


def test_the_bundled_recordings_give_one_alert_for_each_exercise():
    told = told_on(APP, RECORDINGS)
    assert [(path.name, e.label, e.sample // 50) for path, events in told.items() for e in events] == [
        ("outward_trapezius.flac", "external_rotation", 20), ("outward_trapezius.flac", "trapezius", 64),
        ("pendulum_row.flac", "pendulum", 20), ("pendulum_row.flac", "row", 65)]
    for path, events in told.items():
        truth = find_truth(path)
        assert truth and judge(events, truth) == Judged(len(truth.windows), 0, 0)


@pytest.mark.parametrize("gravity", [(-1, 0, 0), (0, 0, 1), (0, 0, -1), (0, 1, 0), (0.6, -0.5, 0.62)])
def test_a_wrist_that_rests_does_nothing_however_it_lies(gravity):
    plan = plan_file(APP)
    x = np.zeros((3000, 6))
    x[:, :3] = np.array(gravity) * 4096
    x += np.random.default_rng(4).normal(0, 40, x.shape)
    assert not replay(plan, make_engine(plan), np.rint(x).astype(np.int16)).events


def test_features_are_those_of_numpy_to_two_counts(train):
    """A hundred windows, quiet and loud; the magnitude's count is two of an axis."""
    rng = np.random.default_rng(3)
    loud = 10 ** rng.uniform(1, 4, (100, 1, 6))
    counts = train.held(rng.normal(0, 1, (100, 150, 6)) * loud + rng.normal(0, 8000, (100, 1, 6)))
    apart = np.abs(train.by_device(counts) - train.by_numpy(counts)) * 32768
    print(f"at most {apart.max():.2f} counts apart")
    assert apart.max() < 2.5        # a boxcar of 32767/32768 takes a count off the largest, the magnitude rounds to 2


def test_it_is_the_same_in_python_in_c_and_on_a_cortex_m4():
    identical_on(plan_file(APP), RECORDINGS / "pendulum_row.flac", seconds=60)


def test_the_recordings_are_what_their_script_makes(tmp_path, monkeypatch):
    make = app_script(RECORDINGS / "make.py")
    (tmp_path / "levels.json").write_text((RECORDINGS / "levels.json").read_text())
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    for path in sorted(RECORDINGS.glob("*.flac")):
        made, kept = (read_recording(p, rate_hz=None, channels=6).samples.astype(int) for p in (tmp_path / path.name, path))
        assert made.shape == kept.shape and np.abs(made - kept).max() <= 1, "another libm may round a value otherwise"
        truth = path.with_suffix(".truth.json").name
        assert (tmp_path / truth).read_text() == (RECORDINGS / truth).read_text()


def test_the_card_tells_the_numbers_of_the_app():
    plan, detect = plan_file(APP), load(APP).detect
    assert f"mean of {detect.mean_of} s above {detect.threshold:g}" in CARD and f"below {detect.clear:g}" in CARD
    assert f"{plan.ram_bytes} B of RAM, {plan.table_bytes} B of tables" in CARD
    linear = next(step for step in plan.steps if step.kind == "linear")
    assert f"{linear.params['size']} features" in CARD and f"{linear.params['outputs'] - 1} exercises" in CARD


def test_the_figures_of_the_card_are_those_of_the_data(train, data):
    figures = train.figures(data)
    for name, figure in figures.items():
        print(f"{name:44} {figure}")
    missing = [name for name, figure in figures.items() if f"| {name.strip()} | {figure} |" not in CARD]
    assert not missing
    names = ("windows: accuracy, subjects held out", "windows: reference in floats")
    mine, floats = (float(re.match(r"[\d.]+", figures[name])[0]) for name in names)
    assert abs(mine - floats) <= 1


def test_levels_and_weights_are_fitted_to_the_data_again(train, data, tmp_path, monkeypatch):
    assert train.levels(data) == json.loads((RECORDINGS / "levels.json").read_text())
    shipped = json.loads((APP / "exercises.json").read_text())
    (tmp_path / "app.toml").write_text((APP / "app.toml").read_text())
    monkeypatch.setattr(train, "HERE", tmp_path)
    train.fit(data)
    fitted = json.loads((tmp_path / "exercises.json").read_text())
    assert fitted["about"]["classes"] == shipped["about"]["classes"] == list(load(APP).detect.classes)
    for key in ("weights", "bias"):
        np.testing.assert_allclose(fitted[key], shipped[key], rtol=1e-2, atol=0.05)
