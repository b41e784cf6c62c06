"""Does the pump's app hear what swells and fades, and does its card say how little that rests on?"""

from __future__ import annotations

import json
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

APP = Path(__file__).parents[1] / "apps/pump_sound"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")
RECORDINGS = APP / "recordings"


def samples_of(name: str) -> np.ndarray:
    return read_recording(RECORDINGS / name, rate_hz=plan_file(APP).x[0].sample_hz, channels=1).samples.ravel()


def test_the_bundled_recordings_give_one_alert_three_seconds_after_it_surges():
    told = told_on(APP, RECORDINGS)
    alerts = [(path.name, e.label, round(e.time_s, 1)) for path, events in told.items() for e in events]
    assert alerts == [("surging.flac", "anomaly", 10.0)]
    for path, events in told.items():
        truth = find_truth(path)
        assert truth and judge(events, truth) == Judged(len(truth.windows), 0, 0)


@pytest.mark.parametrize("late_s", [0.2, 0.4, 0.6, 0.8])
def test_a_step_of_loudness_is_no_anomaly_wherever_it_lies_in_a_window(late_s):
    plan, x = plan_file(APP), samples_of("steady.flac")
    assert not replay(plan, make_engine(plan), x[int(late_s * 16_000) :]).events


def test_how_loud_it_is_does_not_count():
    """Four times as loud, and 40 times: the same scores to what rounding the quiet one does."""
    train, plan = app_script(APP / "train.py"), plan_file(APP)
    x = samples_of("surging.flac")
    quiet, loud = train.scores(plan, 4 * x), train.scores(plan, 40 * x)
    assert quiet.max() > 9.3 > quiet.min()
    np.testing.assert_allclose(loud, quiet, atol=0.02)


def test_it_is_the_same_in_python_in_c_and_on_a_cortex_m4():
    identical_on(plan_file(APP), RECORDINGS / "surging.flac")


def test_the_recordings_are_what_their_script_makes(tmp_path, monkeypatch):
    make = app_script(RECORDINGS / "make.py")
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    for path in sorted(RECORDINGS.glob("*.flac")):
        made, kept = (read_recording(p, rate_hz=None, channels=1).samples.astype(int) for p in (tmp_path / path.name, path))
        assert made.shape == kept.shape and np.abs(made - kept).max() <= 1, "another libm may round a value otherwise"
        truth = path.with_suffix(".truth.json").name
        assert (tmp_path / truth).read_text() == (RECORDINGS / truth).read_text()


def test_the_card_tells_the_numbers_of_the_app_and_the_licence():
    plan, detect = plan_file(APP), load(APP).detect
    assert f"| detector | {detect.threshold:g}, {detect.hold} in a row" in CARD
    assert f"{plan.ram_bytes} B of RAM, {plan.table_bytes} B of tables" in CARD
    covariance = np.array(json.loads((APP / "pump.json").read_text())["covariance"])
    assert f"`pump.json`, {len(covariance) + covariance[np.triu_indices(len(covariance))].size} numbers" in CARD
    assert "CC-BY-SA-4.0" in CARD and "Hitachi" in CARD


def test_the_figures_of_the_card_are_those_of_the_data_and_the_numbers_are_fitted_again(tmp_path, monkeypatch):
    folder = shared("data/machine_sound/mimii_pump")
    pytest.importorskip("sklearn")
    train = app_script(APP / "train.py")
    recordings = train.read(folder)
    figures = train.figures(recordings)
    for name, figure in figures.items():
        print(f"{name:50} {figure}")
    missing = [name for name, figure in figures.items() if f"| {name} | {figure} |" not in CARD]
    assert not missing
    mine, floats = (float(figures[name][:4]) for name in ("area under ROC, by second", "reference in floats: area, by second"))
    assert abs(mine - floats) <= 0.01
    shipped = json.loads((APP / "pump.json").read_text())
    (tmp_path / "app.toml").write_text((APP / "app.toml").read_text())
    monkeypatch.setattr(train, "HERE", tmp_path)
    train.fit(recordings)
    fitted = json.loads((tmp_path / "pump.json").read_text())
    for key in ("mean", "covariance"):
        np.testing.assert_allclose(fitted[key], shipped[key], atol=1e-4)
