"""Does the room's app tell who is there, and does its card say what it is?"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from app_folder import app_script, identical_on, told_on
from shared import shared

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.io.truth import find_truth
from tinystream.run.engine import Engine
from tinystream.run.judge import Judged, judge
from tinystream.run.replay import Reading, make_engine, replay

APP = Path(__file__).parents[1] / "apps/room_occupancy"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")
RECORDINGS = APP / "recordings"
FILES = ("app.toml", "without_light.toml")


def test_the_bundled_day_tells_each_change_after_three_minutes():
    told = told_on(APP, RECORDINGS)
    assert [(path.name, e.label, e.sample) for path, events in told.items() for e in events] == [
        ("office_day.csv", "empty", 8), ("office_day.csv", "occupied", 83), ("office_day.csv", "empty", 323),
        ("office_day.csv", "occupied", 383), ("office_day.csv", "empty", 643), ("sunny_sunday.csv", "empty", 8)]
    for path, events in told.items():
        truth = find_truth(path)
        assert truth and judge(events, truth) == Judged(len(truth.windows), 0, 0)


def test_without_light_the_same_changes_are_told_later():
    day, sunday = RECORDINGS / "office_day.csv", RECORDINGS / "sunny_sunday.csv"
    with_light, without = told_on(APP, RECORDINGS), told_on(APP / "without_light.toml", RECORDINGS)
    assert [e.label for e in without[day]] == ["empty", "occupied"] * 2 + ["empty"] and [e.label for e in without[sunday]] == ["empty"]
    assert [b.sample - a.sample for a, b in zip(with_light[day], without[day])] == [2, 38, 8, 15, 7]


def test_the_season_has_no_say():
    """Warmer and moister by a constant, each score stays what it was."""
    plan = plan_file(APP)
    samples = Reading().read(plan, RECORDINGS / "office_day.csv").samples
    summer = samples + np.array([6 * 512, 30 * 256, 0, 0], np.int16)
    one, other = (Engine(plan).push(x[:, None], want={plan.scores})[plan.scores].y for x in (samples, summer))
    np.testing.assert_array_equal(one, other)


def test_the_two_scores_are_complements_and_one_alternates_with_the_other():
    plan = plan_file(APP)
    rng = np.random.default_rng(5)
    samples = np.stack([rng.integers(-9000, 9000, 2000), rng.integers(-9000, 9000, 2000),
                        np.repeat(rng.integers(0, 6000, 200), 10), rng.integers(3300, 9000, 2000)], axis=1).astype(np.int16)
    scores = Engine(plan).push(samples[:, None], want={plan.scores})[plan.scores].y.reshape(-1, 2).astype(int)
    assert np.abs(scores.sum(axis=1) - 32768).max() <= 1
    labels = [e.label for e in replay(plan, make_engine(plan), samples).events]
    assert len(labels) > 10 and all(a != b for a, b in pairwise(labels))


@pytest.mark.parametrize("file", FILES)
def test_it_is_the_same_in_python_in_c_and_on_a_cortex_m4(file):
    identical_on(plan_file(APP / file), RECORDINGS / "office_day.csv")


def test_the_recordings_are_what_their_script_makes(tmp_path, monkeypatch):
    make = app_script(RECORDINGS / "make.py")
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    for path in sorted(RECORDINGS.glob("*.csv")):
        made, kept = (np.loadtxt(p, delimiter=",", skiprows=1) for p in (tmp_path / path.name, path))
        assert made.shape == kept.shape
        assert (np.abs(made - kept).max(axis=0) <= [0, 0.011, 0.011, 1, 1]).all(), "another libm may round a value otherwise"
        truth = path.with_suffix(".truth.json").name
        assert (tmp_path / truth).read_text() == (RECORDINGS / truth).read_text()


def test_the_card_tells_the_numbers_of_the_app():
    plan, detect = plan_file(APP), load(APP).detect
    assert f"| detector | {detect.threshold:g}, {detect.hold} minutes in a row" in CARD
    assert f"{plan.ram_bytes} B of RAM, {plan.table_bytes} B of tables" in CARD
    assert f"waits {load(APP / 'without_light.toml').detect.hold} minutes instead of {detect.hold}" in CARD
    weights = json.loads((APP / "room.json").read_text())["weights"][1]
    co2_ppm = 100 * weights[3] / weights[2]         # both have one full scale
    assert f"100 ppm more is worth as much as {co2_ppm:.0f} lx" in CARD


def test_the_figures_of_the_card_are_those_of_the_data():
    file = shared("data/environment/occupancy/datatest.txt")
    pytest.importorskip("sklearn")
    train = app_script(APP / "train.py")
    figures = train.figures(train.read(file))
    for name, figure in figures.items():
        print(f"{name:50} {figure}")
    missing = [name for name, figure in figures.items() if f"| {name} | {figure} |" not in CARD]
    assert not missing
    for name in ("", "without light: "):
        mine, floats = (re.match(r"[\d.]+", figures[f"{name}{what}"])[0] for what in ("accuracy, days held out", "reference in floats"))
        assert abs(float(mine) - float(floats)) <= 1


def test_the_weights_are_fitted_to_the_data_again(tmp_path, monkeypatch):
    file = shared("data/environment/occupancy/datatest.txt")
    pytest.importorskip("sklearn")
    train = app_script(APP / "train.py")
    for name in FILES:
        (tmp_path / name).write_text((APP / name).read_text())
    monkeypatch.setattr(train, "HERE", tmp_path)
    train.fit(train.read(file))
    for name in train.FILES.values():
        fitted, shipped = (json.loads((folder / name).read_text()) for folder in (tmp_path, APP))
        np.testing.assert_allclose(fitted["weights"], shipped["weights"], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(fitted["bias"], shipped["bias"], rtol=1e-3)
