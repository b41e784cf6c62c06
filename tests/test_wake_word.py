"""Does the bundled app hear its word, and does its model card say what it is?

The recordings of the shared data were trained on: what is counted here guards the path from file to event, and is no
measure of the model.  The card's figures are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from shared import shared

from tinystream.app.planning import plan_file
from tinystream.io.recording import find_recordings, read_recording
from tinystream.run.replay import make_engine, replay

ROOT = Path(__file__).parents[1]
APP = ROOT / "apps/wake_word"
CARD = (APP / "MODEL_CARD.md").read_text(encoding="utf-8")


def heard(paths):
    """Events of each recording."""
    plan = plan_file(APP)
    engine = make_engine(plan, "native")
    return [replay(plan, engine, read_recording(p, rate_hz=Fraction(16000), channels=1).samples).events for p in paths]


def test_the_word_is_heard_once_in_nearly_every_recording_of_it():
    events = heard(find_recordings([shared("data/audio/wakeword/computer")]))
    assert len(events) == 202
    missed, twice = sum(not e for e in events), sum(len(e) > 1 for e in events)
    print(f"{missed} missed, {twice} heard more than once")
    assert missed <= 4
    assert twice <= 4


def test_other_words_and_sounds_are_rarely_taken_for_it():
    folders = ["wakeword/jarvis", "wakeword/smart_mirror", "wakeword/snowboy", "wakeword/view_glass", "esc10", "speech_commands"]
    events = heard(find_recordings([shared("data/audio", *folder.split("/")) for folder in folders]))
    alarms = sum(map(len, events))
    print(f"{alarms} alarms in {len(events)} recordings")
    assert len(events) > 800
    assert alarms <= 8


def test_the_card_tells_the_threshold_of_the_app():
    plan = plan_file(APP)
    limit = plan.steps[plan.detector].tables["limit"].tolist()
    assert f"sum of the last 3 int8 logits >= {limit[0]} " in CARD
    size = (APP / "model.tflite").stat().st_size
    assert f"{size} bytes" in CARD
    assert size <= 60_000


def test_the_quantiser_of_the_training_is_that_of_the_app():
    from tinystream.stages.quantize import Quantize

    sys.path.insert(0, str(APP))
    try:
        from augment import quantised
    except ImportError as missing:
        pytest.skip(f"the training scripts need {missing.name}")
    finally:
        sys.path.remove(str(APP))
    from tinystream.stages.micro_frontend import MicroFrontend, audio

    features = MicroFrontend().plan(audio(16_000, 160)).y
    step = Quantize(rule="micro_wake_word", scale=26 / 255, zero=-128).plan(features)
    values = np.resize(np.arange(700), (18, 40)).astype(np.uint16)
    np.testing.assert_array_equal(step.run(step.k, None, values).astype(int) + 128, quantised(values))


def test_the_training_scripts_explain_themselves():
    for script in ("train.py", "evaluate.py"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, APP / script, "--help"], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert re.search(r"--work", done.stdout)
