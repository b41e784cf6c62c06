"""Does the fan monitor hear a weight on a blade, and does its card say what it is?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from app_folder import app_script, identical, identical_on, told_on
from shared import shared

from tinystream.app.planning import plan_file
from tinystream.io.recording import read_recording
from tinystream.io.truth import find_truth
from tinystream.run.judge import Judged, judge
from tinystream.run.replay import blocks_of, make_engine, replay

APP = Path(__file__).parents[1] / "apps/fan_monitor"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")
RECORDINGS = APP / "recordings"


def test_the_bundled_recordings_give_one_alert_ten_seconds_after_the_weight():
    told = told_on(APP, RECORDINGS)
    assert [(path.name, e.label, e.sample) for path, events in told.items() for e in events] == [("weight.flac", "anomaly", 34 * 200)]
    for path, events in told.items():
        truth = find_truth(path)
        assert truth and judge(events, truth) == Judged(len(truth.windows), 0, 0)


def test_changes_of_speed_are_no_anomaly_though_single_windows_may_be_odd():
    plan = plan_file(APP)
    samples = read_recording(RECORDINGS / "speeds.flac", rate_hz=plan.x[0].sample_hz, channels=3).samples
    late = np.concatenate([samples[:200], samples])     # windows now lie across each change, half of one speed and half of the next
    engine = make_engine(plan)
    scores = plan.steps[plan.scores].y.real(engine.push(*blocks_of(plan, late), want={plan.scores})[plan.scores].y)
    assert (scores >= 26.5).any()
    assert not replay(plan, engine, late).events


def test_gravity_may_lie_in_any_direction():
    plan = plan_file(APP)
    samples = read_recording(RECORDINGS / "weight.flac", rate_hz=plan.x[0].sample_hz, channels=3).samples
    engine = make_engine(plan)
    want = replay(plan, engine, samples).events
    turned = replay(plan, engine, samples + np.array([8192, -4000, -16000], np.int16)).events
    assert [(e.sample, e.score_count) for e in turned] == [(e.sample, e.score_count) for e in want] and want


def test_it_is_the_same_in_python_in_c_and_on_a_cortex_m4():
    identical_on(plan_file(APP), RECORDINGS / "weight.flac")


def test_the_recordings_are_what_their_script_makes(tmp_path, monkeypatch):
    make = app_script(RECORDINGS / "make.py")
    (tmp_path / "levels.json").write_text((RECORDINGS / "levels.json").read_text())
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    for path in sorted(RECORDINGS.glob("*.flac")):
        made, kept = (read_recording(p, rate_hz=None, channels=3).samples.astype(int) for p in (tmp_path / path.name, path))
        assert made.shape == kept.shape and np.abs(made - kept).max() <= make.STEP, "another libm may round a value otherwise"
        truth = path.with_suffix(".truth.json").name
        assert (tmp_path / truth).read_text() == (RECORDINGS / truth).read_text()


def one_speed(speed: str) -> np.ndarray:
    """140 s of a simulated sound fan, then 40 s of it with a weight."""
    make = app_script(RECORDINGS / "make.py")
    levels, rng = json.loads((RECORDINGS / "levels.json").read_text()), np.random.default_rng(7)
    pieces = [make.fan(levels[name], seconds, rng) for name, seconds in ((speed, 140), (f"{speed} weight", 40))]
    return np.rint(np.concatenate(pieces) * 8192).astype(np.int16)


@pytest.mark.parametrize("speed", ["low", "med", "high"])
def test_learnt_on_the_device_a_weight_is_told_at_any_one_speed(speed):
    plan = plan_file(APP / "learn.toml")
    events = replay(plan, make_engine(plan), one_speed(speed)).events
    assert [e.time_s for e in events] == [150.0]


def test_what_learns_is_the_same_in_python_in_c_and_on_a_cortex_m4():
    identical(plan_file(APP / "learn.toml"), one_speed("med"))


def test_the_card_tells_the_numbers_of_the_app():
    plan = plan_file(APP)
    detector = plan.steps[plan.detector]
    threshold = detector.tables["high"][0] * plan.steps[plan.scores].y.scale
    assert f"{threshold:g} nats, {detector.params['hold']} in a row" in CARD
    gmm = next(step for step in plan.steps if step.kind == "gmm")
    assert f"{gmm.params['parts']} Gaussians of {gmm.params['size']} features" in CARD
    assert f"{plan.ram_bytes} B of RAM" in CARD


def test_the_figures_of_the_card_are_those_of_the_data():
    folder = shared("data/vibration/fan")
    pytest.importorskip("sklearn")
    train = app_script(APP / "train.py")
    figures = train.figures(train.read(folder))
    for name, figure in figures.items():
        print(f"{name:40} {figure}")
    assert figures["area under ROC"].startswith("1.0000") and "[0, 0, 0]" in figures[f"false alarms in {train.DAYS} simulated days"]
    missing = [name for name, figure in figures.items() if f"| {name.strip()} | {figure} |" not in CARD]
    assert not missing


def test_the_levels_and_the_mixture_are_fitted_to_the_data_again(tmp_path, monkeypatch):
    folder = shared("data/vibration/fan")
    pytest.importorskip("sklearn")
    train = app_script(APP / "train.py")
    data = train.read(folder)
    assert train.levels(data) == json.loads((RECORDINGS / "levels.json").read_text())
    for name in ("app.toml", "normal.json"):
        (tmp_path / name).write_text((APP / name).read_text())
    monkeypatch.setattr(train, "HERE", tmp_path)
    train.fit(data)
    fitted, shipped = (json.loads((folder / "normal.json").read_text()) for folder in (tmp_path, APP))
    order, other = (np.argsort(np.array(numbers["means"])[:, 0]) for numbers in (fitted, shipped))
    for key in ("means", "variances"):
        np.testing.assert_allclose(np.array(fitted[key])[order], np.array(shipped[key])[other], rtol=1e-3)
