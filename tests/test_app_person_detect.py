"""Does the app see the person of TFLM's own test, with TFLM's scores, and the drawn one of its recordings?"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from app_folder import app_script
from command import tinystream
from PIL import Image
from shared import shared

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.firmware.emulated import Emulated
from tinystream.io.truth import find_truth
from tinystream.run.engine import Engine
from tinystream.run.judge import judge
from tinystream.run.native import Native
from tinystream.run.replay import Reading, recordings_of, replay

APP = Path(__file__).parents[1] / "apps/person_detect"
RECORDINGS = APP / "recordings"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")
SCORES = {"person": [-113, 113], "no_person": [57, -57]}


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Path:
    """The folder with its model, as a person would have put it there."""
    folder = tmp_path_factory.mktemp("person_detect")
    shutil.copyfile(APP / "app.toml", folder / "app.toml")
    shutil.copyfile(shared("data/models/tflm/person_detect.tflite"), folder / "person_detect.tflite")
    return folder


def photograph(name: str, folder: Path) -> Path:
    """A picture of TFLM's test with its pixels as a camera gives them: the file holds p - 128."""
    pixels = np.asarray(Image.open(shared(f"data/images/{name}.bmp")).convert("L"))
    path = folder / f"{name}.png"
    Image.fromarray(pixels ^ 128).save(path)
    return path


@pytest.mark.parametrize("name", SCORES)
def test_scores_of_tflms_pictures_are_tflms(name, app, tmp_path):
    plan = plan_file(app)
    trace = replay(plan, Engine(plan), Reading().read(plan, photograph(name, tmp_path)).samples, keep="all")
    scores = trace.outputs[trace.scores].y.ravel().tolist()
    print(f"{name}: {scores}")
    assert scores == SCORES[name]
    assert f"| {name.replace('_', ' ')} | {scores[0]} | {scores[1]} |" in CARD
    assert [event.label for event in trace.events] == (["person"] if name == "person" else [])


def test_engines_agree_on_a_picture(app, tmp_path):
    pytest.importorskip("unicorn")
    plan = plan_file(app)
    x = np.asarray(Image.open(photograph("person", tmp_path)), np.uint8)[None, None]
    want = Engine(plan).push(x)
    for engine in (Native(plan), Emulated(plan, "cortex-m4")):
        for i, fired in engine.push(x).items():
            np.testing.assert_array_equal(fired.y, want[i].y, err_msg=f"{engine.name}: {plan.steps[i].name}")


def test_the_drawn_person_is_told_of_once_and_nobody_is_not(app):
    plan = plan_file(app)
    found = recordings_of(plan, [RECORDINGS])
    assert [path.name for path in found] == ["empty_hall", "hall"]
    for path in found:
        events = replay(plan, Engine(plan), Reading().read(plan, path).samples, str(path)).events
        judged = judge(list(events), find_truth(path))
        assert (judged.missed, judged.false_alarms) == (0, 0), path
        assert len(events) == (path.name == "hall")


def test_without_the_model_the_definition_says_what_is_missing(app, tmp_path):
    shutil.copyfile(APP / "app.toml", tmp_path / "app.toml")
    done = tinystream("replay", str(tmp_path), str(RECORDINGS / "hall"))
    assert done.code == 1 and "person_detect.tflite" in done.err and "app.toml:" in done.err
    digest = hashlib.sha256((app / "person_detect.tflite").read_bytes()).hexdigest()
    assert digest in CARD and load(tmp_path).model.file == "person_detect.tflite"


def test_an_import_gives_an_app_with_the_same_scores(app, tmp_path):
    done = tinystream("import", str(app / "person_detect.tflite"), "-o", str(tmp_path / "imported"))
    assert done.code == 0, done.err
    plan, mine = plan_file(tmp_path / "imported"), plan_file(app)
    x = np.random.default_rng(0).integers(0, 256, (2, 1, 96, 96), dtype=np.uint8)
    np.testing.assert_array_equal(Engine(plan).push(x)[plan.scores].y, Engine(mine).push(x)[mine.scores].y)


# --- train.py, but for the training, which wants tensorflow ----------------------------------------------------


@pytest.fixture
def train(app, monkeypatch):
    script = app_script(APP / "train.py")
    monkeypatch.setattr(script, "HERE", app)
    return script


@pytest.fixture
def data(tmp_path) -> Path:
    """Pictures of two halls, a wide colour one, and what is no picture."""
    for label, name, seconds in (("person", "hall", (4, 5, 6)), ("no_person", "empty_hall", (0, 1))):
        folder = tmp_path / "data" / label / name
        folder.mkdir(parents=True)
        for second in seconds:
            shutil.copy(RECORDINGS / name / f"{second:02}.png", folder)
    wide = np.zeros((48, 144, 3), np.uint8)
    wide[:, 48:96] = 200, 100, 50       # a square of one colour in the middle
    Image.fromarray(wide).save(tmp_path / "data/no_person/wide.bmp")
    (tmp_path / "data/no_person/notes.txt").write_text("no picture")
    return tmp_path / "data"


def test_pictures_of_one_scene_are_one_recording(train, data):
    found = train.read(data)
    nobody = [(0, "no_person/empty_hall"), (0, "no_person/empty_hall"), (0, "no_person/wide.bmp")]
    assert [(p.label, p.recording) for p in found] == nobody + [(1, "person/hall")] * 3
    for recording in {p.recording for p in found}:
        assert len({p.held_back for p in found if p.recording == recording}) == 1
    assert {train.Picture(0, str(n), found[0].pixels).held_back for n in range(30)} == {True, False}
    wide = found[2].pixels
    assert wide.shape == (96, 96) and len(set(wide.ravel().tolist())) == 1, "cut to its middle"
    np.testing.assert_array_equal(found[0].pixels, np.asarray(Image.open(RECORDINGS / "empty_hall/00.png")))


def test_figures_are_the_apps_on_these_pictures(train, data, app):
    found = train.read(data)
    scores = train.device(found)
    plan = plan_file(app)
    for picture, score in zip(found, scores):
        fired = Engine(plan).push(picture.pixels[None, None])
        assert score == plan.steps[plan.scores].y.real(fired[plan.scores].y).ravel()[1]
    assert train.figures(found, {"int8": scores})[0] == "6 pictures of 3 recordings, 3 with a person"
    assert train.plan_threshold() == pytest.approx(0.6, abs=0.004)
    assert "| int8, threshold 0.602 | 1.0000 | 3 of 3 (29 to 100 %) | 0 of 3 (0 to 71 %) |" in train.figures(found, {"int8": scores})


def test_the_area_counts_ties_half(train):
    label = np.array([0, 1, 0, 1])
    assert train.area(np.array([0.1, 0.9, 0.2, 0.8]), label) == 1 and train.area(np.array([0.9, 0.1, 0.8, 0.2]), label) == 0
    assert train.area(np.array([0.5, 0.5, 0.1, 0.9]), label) == 7 / 8


def test_what_is_bent_is_a_picture_of_the_same_side(train):
    rng = np.random.default_rng(0)
    picture = np.asarray(Image.open(RECORDINGS / "hall/05.png"))
    bent = np.stack([train.bent(picture, rng) for _ in range(40)])
    assert bent.shape == (40, 96, 96) and bent.min() >= -1 and bent.max() <= 1 and np.unique(bent.mean(axis=(1, 2))).size == 40
    np.testing.assert_allclose(train.scaled([train.Picture(1, "", np.uint8([[0, 255]]))]).ravel(), [-1, 1])
