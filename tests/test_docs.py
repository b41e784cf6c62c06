"""Do the README and the docs say what is true?  Their examples are run, not read."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from command import tinystream
from shared import shared

from tinystream.app.documentation import kinds
from tinystream.app.importers import Wishes, read_published, write_app
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.errors import AppErrors
from tinystream.io.recording import find_recordings, read_recording
from tinystream.plan.builtin import BUILTIN
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import replay

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def example(text: str, language: str, holds: str) -> str:
    """The first code block of a language that holds a text."""
    return next(block for block in re.findall(rf"```{language}\n(.*?)```", text, re.S) if holds in block)


def words(text: str) -> str:
    """Without comments and spacing."""
    return re.sub(r"\s+", " ", re.sub(r"#.*", "", text)).strip()


def test_the_app_of_the_readme_is_the_one_that_ships():
    assert words(example(README, "toml", "wake_word")) == words((ROOT / "apps/wake_word/app.toml").read_text(encoding="utf-8"))


def test_the_python_spelling_of_the_readme_is_the_same_app(monkeypatch):
    monkeypatch.chdir(ROOT)
    names: dict = {}
    exec(example(README, "python", "app = App("), names)
    assert names["app"] == load(ROOT / "apps/wake_word")
    assert names["plan"].digest


def test_the_mistake_of_the_readme_is_shown_so(tmp_path):
    text = (ROOT / "apps/wake_word/app.toml").read_text(encoding="utf-8").replace("frames =", "frmes  =")
    (tmp_path / "app.toml").write_text(text, encoding="utf-8")
    (tmp_path / "model.tflite").write_bytes((ROOT / "apps/wake_word/model.tflite").read_bytes())
    with pytest.raises(AppErrors) as caught:
        load(tmp_path)
    shown = str(caught.value).replace(str(tmp_path), "apps/wake_word")
    assert shown in README.replace("\n  ", "\n")


def test_the_imported_app_of_the_docs_is_what_import_writes_and_hears_its_word(tmp_path):
    manifest, model = (shared(f"data/models/micro_wake_word/v2_okay_nabu.{end}") for end in ("json", "tflite"))
    (tmp_path / "okay_nabu.json").write_bytes(manifest.read_bytes())
    write_app(read_published(tmp_path / "okay_nabu.json", wishes=Wishes(model=model)), tmp_path / "app")
    text = (ROOT / "docs/importing.md").read_text(encoding="utf-8")
    assert example(text, "toml", "okay_nabu") == (tmp_path / "app/app.toml").read_text(encoding="utf-8")
    plan = plan_file(tmp_path / "app")
    for path in find_recordings([shared("data/audio/wakeword/okay_nabu")]):
        samples = read_recording(path, rate_hz=Fraction(16000), channels=1).samples
        assert replay(plan, Engine(plan), samples).events, path.name


@pytest.mark.parametrize("kind", [k.name for k in kinds() if k.room != "operator"])
def test_the_readme_names_every_stage_and_detector(kind):
    assert f"`{kind}`" in README


def test_the_readme_names_every_operator():
    missing = [k.name for k in kinds() if k.room == "operator" and k.name.upper() in BUILTIN and k.name.upper() not in README]
    assert not missing


def test_the_stage_of_the_docs_runs_alike_in_numpy_and_c(tmp_path, monkeypatch):
    text = (ROOT / "docs/own-stage.md").read_text(encoding="utf-8")
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "halve.py").write_text(example(text, "python", "class Halve"), encoding="utf-8")
    (package / "ts_halve.h").write_text(example(text, "c", "ts_halve.h"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        module = import_module("my_package.halve")
        x = Signal((8,), "int16", Fraction(100), 2.0**-15, sample_hz=Fraction(800))
        plan = plan_stage("own", module.Halve(times=3), x)
        blocks = np.random.default_rng(0).integers(-32768, 32768, (50, 8)).astype(np.int16)
        a, b = Engine(plan).push(blocks)[0], Native(plan).push(blocks)[0]
        np.testing.assert_array_equal(a.y, b.y)
        assert np.abs(a.y - blocks / 8).max() <= module.BOUND
    finally:
        for name in ("my_package", "my_package.halve"):
            sys.modules.pop(name, None)


def test_the_way_to_an_alarm_of_the_docs_ends_in_one(tmp_path, monkeypatch):
    """docs/anomaly.md from its first block to its last, on the fan's recordings."""
    pytest.importorskip("sklearn")
    text = (ROOT / "docs/anomaly.md").read_text(encoding="utf-8")
    for name in ("speeds.flac", "weight.flac"):
        (tmp_path / name).write_bytes((ROOT / "apps/fan_monitor/recordings" / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    features, limit = example(text, "toml", "Look at a fan"), example(text, "toml", "normal.json")
    Path("fan.toml").write_text(features, encoding="utf-8")
    exec(example(text, "python", "GaussianMixture"), {})
    Path("fan.toml").write_text(f"{features}\n{limit}", encoding="utf-8")
    for line in example(text, "sh", "replay").splitlines():
        done = tinystream(*line.split()[1:])
        print(done.out, done.err)
        assert done.code == 0
        if "replay" in line:
            assert {event["recording"] for event in done.events} == {"weight.flac"}
    learns = example(text, "toml", "learn_s = 15")
    Path("fan.toml").write_text(f"{features}\n{learns}\n{limit[limit.index('[detect]') :]}", encoding="utf-8")
    assert plan_file("fan.toml").steps[-2].learnt


def test_the_app_of_two_sensors_of_the_docs_hears_both(tmp_path):
    text = (ROOT / "docs/anomaly.md").read_text(encoding="utf-8")
    (tmp_path / "app.toml").write_text(example(text, "toml", '"shake"'), encoding="utf-8")
    plan = plan_file(tmp_path)
    rng = np.random.default_rng(0)
    sound, motion = rng.normal(0, 900, 16_000 * 8).astype(np.int16), rng.normal(0, 900, (500 * 8, 1)).astype(np.int16)
    for at in (0, 1):
        loud = [sound.copy(), motion.copy()]
        loud[at][int(0.7 * len(loud[at])) :] *= 5
        assert replay(plan, Engine(plan), tuple(loud)).events, plan.names[at]
    assert not replay(plan, Engine(plan), (sound, motion)).events
