"""Three published wake words on one front end, guarded by a voice-activity model: does each hear what it hears alone?"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from shared import shared

from tinystream.app.planning import plan_file
from tinystream.io.recording import find_recordings, read_recording
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import replay

WORDS = {"okay_nabu": 0.97, "hey_jarvis": 0.97, "hey_mycroft": 0.95}
HEAD = """\
name = "words"

[source]
kind = "microphone"
rate_hz = 16_000
block_ms = 10

[[stage]]
kind = "micro_frontend"

[[stage]]
kind = "quantize"
rule = "micro_wake_word"

[[stage]]
kind = "stack"
frames = 3
every = 3
"""
MODEL = """
[[model]]
name = "{name}"
file = "{name}.tflite"
from = "{reads}"
labels = ["{name}"]
"""
DETECTOR = """
[[detect]]
name = "{name}_heard"
kind = "micro_wake_word"
from = "{reads}"
probability_cutoff = {cutoff}
sliding_window_size = 5
feature_step_ms = 10
"""
GUARD = """
[[stage]]
kind = "guard"
name = "speech"
from = ["okay_nabu", "vad"]
threshold = {threshold}
hold_ms = {hold}
"""


def app(folder: Path, words: list[str], guard: str = "") -> Plan:
    """These words, on one front end."""
    folder.mkdir(exist_ok=True)
    text = HEAD + "".join(MODEL.format(name=word, reads="stack") for word in words)
    if guard:
        text += MODEL.format(name="vad", reads="stack") + guard
    guarded = {"okay_nabu": "speech"} if guard else {}
    text += "".join(DETECTOR.format(name=word, reads=guarded.get(word, word), cutoff=WORDS[word]) for word in words)
    for word in [*words, *(["vad"] if guard else [])]:
        shutil.copyfile(shared(f"data/models/micro_wake_word/v2_{word}.tflite"), folder / f"{word}.tflite")
    (folder / "app.toml").write_text(text)
    return plan_file(folder)


def clips() -> np.ndarray:
    """The clips of all three words in a row, with silence between them."""
    paths = [path for word in WORDS for path in find_recordings([shared(f"data/audio/wakeword/{word}")])]
    silence = np.zeros(16_000, np.int16)
    sounds = [read_recording(path, rate_hz=None, channels=1).samples for path in paths]
    return np.concatenate([part for sound in sounds for part in (silence, sound)] + [silence])


def heard(plan: Plan, engine, samples: np.ndarray) -> list[tuple[str, int, int]]:
    return [(event.label, event.sample, event.score_count) for event in replay(plan, engine, samples).events]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_each_word_is_heard_as_if_it_were_alone(tmp_path, own_cache):
    samples = clips()
    together = app(tmp_path / "all", list(WORDS))
    got = heard(together, Native(together), samples)
    for word in WORDS:
        alone = app(tmp_path / word, [word])
        want = heard(alone, Native(alone), samples)
        assert [event for event in got if event[0] == word] == want and len(want) >= 3, word
    print(f"{len(got)} events of three words in {len(samples) / 16_000:.0f} s")
    front = [step for step in together.steps if step.kind == "micro_frontend"]
    assert len(front) == 1, "they share their features"


def test_numpy_gives_the_same_as_c(tmp_path, own_cache):
    samples = clips()[: 4 * 16_000]
    plan = app(tmp_path / "all", list(WORDS), GUARD.format(threshold=0.5, hold=500))
    python, native = (replay(plan, engine, samples, keep="scores") for engine in (Engine(plan), Native(plan)))
    assert python.digests == native.digests and python.events == native.events


def test_a_guard_that_opens_with_speech_keeps_the_words_and_one_that_hardly_opens_does_not(tmp_path, own_cache):
    samples = clips()
    free, open_, shut = (
        heard(plan, Native(plan), samples)
        for plan in (
            app(tmp_path / "free", ["okay_nabu"]),
            app(tmp_path / "open", ["okay_nabu"], GUARD.format(threshold=0.3, hold=1000)),
            app(tmp_path / "shut", ["okay_nabu"], GUARD.format(threshold=0.996, hold=0)),
        )
    )
    assert len(open_) == len(free) >= 3 and len(shut) < len(free)
