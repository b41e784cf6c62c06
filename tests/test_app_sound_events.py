"""Does the app of everyday sounds tell them apart, and does its card say how well?"""

from __future__ import annotations

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

APP = Path(__file__).parents[1] / "apps/sound_events"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")
RECORDINGS = APP / "recordings"


@pytest.fixture(scope="module")
def train():
    return app_script(APP / "train.py")


def test_each_simulated_sound_is_told_by_its_name_and_knocks_are_not():
    told = told_on(APP, RECORDINGS)
    assert {path.stem: [(e.label, e.time_s) for e in events] for path, events in told.items()} == {
        "nursery": [("crying_baby", 3.38)],
        "study": [("sneezing", 2.9), ("sneezing", 5.06)],
        "stove": [("crackling_fire", 1.94)],
    }
    for path, events in told.items():
        truth = find_truth(path)
        assert truth and judge(events, truth) == Judged(len(truth.windows), 0, 0)


def test_a_quiet_room_is_silent_whatever_its_noise():
    plan, rng = plan_file(APP), np.random.default_rng(3)
    for level in (0, 1, 10, 100):
        noise = np.rint(level * rng.standard_normal(160_000)).astype(np.int16)
        assert not replay(plan, make_engine(plan), noise).events


def test_it_hears_the_same_at_a_quarter_of_the_level():
    plan = plan_file(APP)
    engine = make_engine(plan)
    for name in ("nursery", "study", "stove"):
        samples = read_recording(RECORDINGS / f"{name}.flac", rate_hz=plan.x[0].sample_hz, channels=1).samples
        loud, quiet = ({e.label for e in replay(plan, engine, x).events} for x in (samples, samples // 4))
        assert loud == quiet != set()


def test_few_beeps_are_told_and_none_of_their_pitches_was_in_the_training(train):
    made, rng = app_script(APP / "made.py"), np.random.default_rng(0)
    pitches = np.array([made.untested(rng) for _ in range(1000)])
    assert np.abs(pitches[:, None] / made.TESTED_HZ - 1).min() >= 0.06
    found = [train.device(train.FOLDS)(samples)[1] for samples in made.tested().values()]
    told = sum(map(bool, found))
    print(f"of {len(found)} beeps {told} are told")
    assert len(found) == 96 and told <= 4


@pytest.mark.parametrize("name", ["study"])
def test_it_is_the_same_in_python_in_c_and_on_a_cortex_m4(name):
    identical_on(plan_file(APP), RECORDINGS / f"{name}.flac")


def test_the_recordings_are_what_their_script_makes(tmp_path, monkeypatch):
    make = app_script(RECORDINGS / "make.py")
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.main()
    for path in sorted(RECORDINGS.glob("*.flac")):
        made, kept = (read_recording(p, rate_hz=None, channels=1).samples.astype(int) for p in (tmp_path / path.name, path))
        assert made.shape == kept.shape and np.abs(made - kept).max() <= make.STEP, "another libm may round a value otherwise"
        truth = path.with_suffix(".truth.json").name
        assert (tmp_path / truth).read_text() == (RECORDINGS / truth).read_text()


def test_what_the_training_assumes_is_what_the_app_says(train):
    plan = plan_file(APP)
    steps = {step.kind: step for step in plan.steps}
    assert plan.x[0].shape == (train.BLOCK,) and plan.x[0].sample_hz == train.RATE_HZ
    assert (steps["stack"].params["frames"], steps["stack"].params["every"]) == (train.FRAMES, train.EVERY)
    assert steps["mel"].params["bands"] == train.BANDS
    log = steps["log"]
    silence = log.run(log.k, None, np.zeros((1, train.BANDS), np.int64))
    np.testing.assert_allclose(log.y.real(silence), train.FLOOR_DB, atol=0.01)
    net = steps["quantize"].y
    np.testing.assert_allclose(net.real(np.array([-128, 127])), [train.FLOOR_DB, 0], atol=0.01)
    app = load(APP)
    assert (app.detectors[0].labels, app.models[0].labels) == (train.ALERTS, train.LABELS)


def test_the_features_of_the_training_are_those_of_the_textbook(train):
    samples = read_recording(RECORDINGS / "study.flac", rate_hz=None, channels=1).samples.reshape(-1)
    device, textbook = train.features(samples), train.textbook(samples)
    heard = textbook > -70      # quieter bands beside loud ones are what 16 bits of mantissa cost
    apart = np.abs(device - textbook)[heard]
    print(f"at most {apart.max():.2f} dB apart, half of them less than {np.median(apart):.4f}")
    assert apart.max() < 3


def test_the_card_tells_the_numbers_of_the_app():
    plan = plan_file(APP)
    detector = plan.steps[plan.detector]
    over = detector.params["over"]
    limits = (detector.tables["limit"] - detector.params["offset"]) / over * plan.steps[plan.scores].y.scale
    told = ", ".join(f"{label} {limit:.2f}" for label, limit in zip(load(APP).detectors[0].labels, limits))
    assert f"mean of {over} probabilities at least {told}" in CARD
    assert f"{plan.ram_bytes} B of RAM" in CARD
    assert f"{(APP / 'model.tflite').stat().st_size} bytes" in CARD


def test_the_figures_of_the_card_are_those_of_the_data(train):
    figures = train.figures(train.read(shared("data/audio")))
    for name, figure in figures.items():
        print(f"| {name} | {figure} |")
    assert not [name for name, figure in figures.items() if f"| {name} | {figure} |" not in CARD]


def test_the_figures_of_the_published_net_are_those_of_the_card(monkeypatch):
    pytest.importorskip("tflite_runtime")
    data, model = shared("data/audio"), shared("data/models/st_aed/yamnet_256_esc10_int8.tflite")
    monkeypatch.syspath_prepend(str(APP))
    for name, figure in app_script(APP / "beside.py").figures(data, model).items():
        assert f"| {name} | {figure} |" in CARD
