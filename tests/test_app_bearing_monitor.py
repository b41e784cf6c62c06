"""Does the bearing monitor name the fault, and does its card say what it is?"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from app_folder import app_script, identical_on, told_on

from tinystream.app.planning import plan_file
from tinystream.io.recording import read_recording
from tinystream.io.truth import find_truth
from tinystream.run.judge import Judged, judge
from tinystream.run.replay import make_engine, replay

APP = Path(__file__).parents[1] / "apps/bearing_monitor"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")
RECORDINGS = APP / "recordings"


@pytest.fixture(scope="module")
def evaluate():
    return app_script(APP / "evaluate.py")


def test_each_bundled_fault_is_told_once_by_its_name_and_a_healthy_bearing_is_not():
    told = told_on(APP, RECORDINGS)
    assert {path.stem: [(e.label, e.time_s) for e in events] for path, events in told.items()} == {
        "healthy": [],
        "outer_race": [("outer race", 6.4)],
        "inner_race": [("inner race", 4.48)],
        "ball": [("ball", 4.48)],
    }
    for path, events in told.items():
        truth = find_truth(path)
        assert truth and judge(events, truth) == Judged(len(truth.windows), 0, 0)


@pytest.mark.parametrize("name", ["outer_race", "ball"])
def test_it_is_the_same_in_python_in_c_and_on_a_cortex_m4(name):
    identical_on(plan_file(APP), RECORDINGS / f"{name}.flac")


def test_the_recordings_are_what_their_script_makes(tmp_path, evaluate):
    evaluate.write_recordings(tmp_path)
    for path in sorted(RECORDINGS.glob("*.flac")):
        made, kept = (read_recording(p, rate_hz=None, channels=1).samples.astype(int) for p in (tmp_path / path.name, path))
        assert made.shape == kept.shape and np.abs(made - kept).max() <= 4, "another libm may round a value otherwise"
        truth = path.with_suffix(".truth.json").name
        assert (tmp_path / truth).read_text() == (RECORDINGS / truth).read_text()


def test_simulated_faults_strike_where_geometry_says(evaluate):
    """Multiples of the shaft's speed: Smith and Randall (2015), table 2, for the 6205."""
    told = evaluate.frequencies(1.0)
    assert told["outer race"] == pytest.approx(3.585, abs=2e-3)
    assert told["inner race"] == pytest.approx(5.415, abs=2e-3)
    assert told["ball"] == pytest.approx(2 * 2.357, abs=2e-3)
    assert told["cage"] == pytest.approx(0.3983, abs=1e-3)


def test_strikes_slip_and_do_not_keep_time(evaluate):
    """Their envelope's line at the fault's frequency is clear, that of a late harmonic smeared: a clockwork's would be as sharp."""
    case = evaluate.Case("outer race", 1.0, seconds=40)
    x = np.abs(evaluate.strikes(case, np.random.default_rng(0), 40 * evaluate.RATE_HZ))
    power = np.abs(np.fft.rfft(x * np.hanning(x.size))) ** 2
    hz = np.fft.rfftfreq(x.size, 1 / evaluate.RATE_HZ)
    fault_hz = evaluate.frequencies(case.shaft_hz)["outer race"]

    def peak_over_mean(harmonic):
        inside = power[np.abs(hz - harmonic * fault_hz) < fault_hz / 2]
        return inside.max() / inside.mean()

    print(f"line over mean: {[round(peak_over_mean(h)) for h in (1, 2, 4, 8)]}")
    assert peak_over_mean(1) > 10 * peak_over_mean(8)


def test_a_fault_of_the_inner_race_comes_and_goes_with_each_turn(evaluate):
    case = evaluate.Case("inner race", 1.0, seconds=10)
    x = evaluate.strikes(case, np.random.default_rng(0), 10 * evaluate.RATE_HZ) ** 2
    turn = np.exp(-2j * np.pi * case.shaft_hz * np.arange(x.size) / evaluate.RATE_HZ)
    depth = abs((x * turn).mean()) / x.mean()
    outer = evaluate.strikes(case._replace(fault="outer race"), np.random.default_rng(0), x.size) ** 2
    assert depth > 0.7 and abs((outer * turn).mean()) / outer.mean() < 0.1


def test_loud_shafts_and_a_louder_sensor_change_no_name():
    """Ratios are of the envelope: gain falls out, and so does what lies below the resonance."""
    plan = plan_file(APP)
    engine = make_engine(plan)
    x = read_recording(RECORDINGS / "inner_race.flac", rate_hz=plan.x[0].sample_hz, channels=1).samples.astype(float)
    hum = 12_000 * np.sin(2 * np.pi * 100 * np.arange(x.size) / 6400)
    for changed in (x / 2, 2 * x, x + hum):
        events = replay(plan, engine, np.clip(np.rint(changed), -32768, 32767).astype(np.int16)[:, None]).events
        assert [e.label for e in events] == ["inner race"]


def test_an_hour_of_a_healthy_bearing_tells_nothing(evaluate):
    (figure,) = evaluate.alone(1).values()
    print(figure)
    assert figure.startswith("0,")
    assert re.search(rf"\| false alarms in {evaluate.HOURS} h of healthy bearings \| 0, ", CARD)


def test_the_figures_of_the_card_are_those_of_the_simulated_bearings(evaluate):
    figures = evaluate.figures(evaluate.EACH, evaluate.HEALTHY)
    for name, figure in figures.items():
        print(f"{name:48} {figure}")
    missing = [name for name, figure in figures.items() if f"| {name} | {figure.replace('; ', ' | ')} |" not in CARD]
    assert not missing


def test_the_card_tells_the_numbers_of_the_app():
    plan = plan_file(APP)
    detector = plan.steps[plan.detector]
    threshold = detector.tables["high"][0] * plan.steps[plan.scores].y.scale
    assert f"{threshold:g} dB, {detector.params['hold']} in a row" in CARD
    assert f"{plan.ram_bytes} B of RAM" in CARD
