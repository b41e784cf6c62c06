"""A model that an app runs by the interpreter: it is given the features' real values, gives scores, and is never emitted."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from shared import shared

from tinystream.app.planning import plan_file
from tinystream.emit.emit import emit
from tinystream.errors import ModelError
from tinystream.interpreters.child import Lite
from tinystream.interpreters.host_model import read_host_model
from tinystream.interpreters.interpreted import chosen, counts
from tinystream.io.recording import read_recording
from tinystream.plan.model import parse_model
from tinystream.plan.plan import Plan, Wiring, plan_model, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import make_engine

X = Signal((1,), "int16", Fraction(10), 2 * np.pi / 32768)


def alone(file: Path, *x: Signal, scale: float = 2.0**-15) -> Plan:
    """The model of a file behind an input of this type."""
    wiring = Wiring()
    wiring.add_model(read_host_model(file, 0, scale).plan(*x), [-1])
    return plan_steps("sine", x, wiring.steps)


def test_features_reach_a_float_model_as_the_real_values_they_stand_for():
    file = shared("data", "models", "tflm", "hello_world_float.tflite")
    plan = alone(file, X, scale=0.0001)
    x = np.arange(-32768, 32768, 997, dtype=np.int16).reshape(-1, 1)
    y = Engine(plan).push(x)[0].y.ravel()
    lite = Lite(file.read_bytes(), chosen().module, "reference")
    want = np.array([lite.call([X.real(v).astype(np.float32).reshape(1, 1)])[0].item() for v in x])
    assert np.ptp(want) > 1.5, "the sine moves"
    np.testing.assert_allclose(y * 0.0001, np.clip(want, -3.2768, 3.2767), rtol=0, atol=0.5001e-4)


@pytest.mark.parametrize(
    "name", ["fan/fan_low_model", "imu/magic_wand_charms_float", "mlperf_tiny/kws_ref_model_float32", "tflm/hello_world_float"]
)
def test_every_float_model_gives_on_the_host_what_the_interpreter_gives(name):
    file = shared("data", "models", f"{name}.tflite")
    (tensor,) = read_host_model(file, 0, 0.001).inputs
    x = Signal(tensor.dims, "int16", Fraction(1), 2.0**-12)
    plan = alone(file, x, scale=0.001)
    given = np.random.default_rng(3).integers(-4096, 4096, (6, *x.shape)).astype(np.int16)
    lite = Lite(file.read_bytes(), chosen().module, "reference")
    want = np.stack([lite.call([x.real(block).astype(np.float32).reshape(lite.inputs[0]["shape"])])[0] for block in given])
    y = Engine(plan).push(given)[0].y
    assert want.min() < want.max()
    np.testing.assert_allclose(y.reshape(want.shape) * 0.001, np.clip(want, -32.768, 32.767), rtol=0, atol=0.501e-3)


def test_counts_beyond_int16_saturate_and_what_is_no_number_is_zero():
    y = np.array([1e9, -1e9, np.nan, 0.05, -0.05, np.inf, 0.149, -0.25], np.float32)
    np.testing.assert_array_equal(counts(y, np.dtype("int16"), 0.1, 0), [32767, -32768, 0, 1, -1, 32767, 1, -3])
    np.testing.assert_array_equal(counts(np.array([0, 128, 255], np.uint8), np.dtype("int8"), 0.1, -128), [-128, 0, 127])


@pytest.mark.parametrize("name", ["tflm/hello_world_int8", "st_aed/yamnet_256_esc10_int8", "micro_wake_word/v2_okay_nabu"])
def test_an_int8_model_gives_the_same_compiled_and_by_the_interpreter_and_after_a_reset(name):
    """Plain counts, ends that are float or uint8 in the file, and one that remembers."""
    file = shared("data", "models", f"{name}.tflite")
    compiled = plan_model(parse_model(file.read_bytes(), name, [0]))
    interpreted = alone(file, *compiled.x)
    ours, theirs = compiled.steps[compiled.outputs[0]].y, interpreted.steps[-1].y
    assert (ours.dtype, ours.scale, ours.zero) == (theirs.dtype, theirs.scale, theirs.zero)
    x = np.random.default_rng(5).integers(-128, 128, (20, *compiled.x[0].shape)).astype(np.int8)
    engine = Engine(interpreted)
    y, want = engine.push(x)[0].y, Engine(compiled).push(x)[compiled.outputs[0]].y
    assert want.min() < want.max()
    np.testing.assert_array_equal(y.reshape(want.shape), want)
    engine.reset()
    np.testing.assert_array_equal(engine.push(x)[0].y, y)


def test_no_c_is_written_of_it_and_auto_takes_numpy(tmp_path):
    plan = alone(shared("data", "models", "tflm", "hello_world_float.tflite"), X)
    assert plan.host_only == "interpreted" and make_engine(plan, "auto").name == "python"
    for writes in (lambda: emit(plan, tmp_path / "c"), lambda: Native(plan)):
        with pytest.raises(ModelError, match="sine cannot be written as C: its step 'interpreted' runs on the host only"):
            writes()
    assert not (tmp_path / "c").exists()


def test_without_the_option_the_refusal_names_it():
    with pytest.raises(ModelError) as refused:
        parse_model(shared("data", "models", "tflm", "hello_world_float.tflite").read_bytes(), "hello")
    assert 'run = "interpreter" in the [model] of an app' in refused.value.help


def test_a_file_that_crashes_the_interpreter_is_refused_while_planning():
    """TFLite reads this model's int8 weights over time as int16, beyond their end."""
    file = shared("data", "models", "tflm", "keyword_scrambled_8bit.tflite")
    model = read_host_model(file, 0, 1.0)
    x = [Signal(t.dims, t.dtype, Fraction(1), t.scale, t.zero) for t in model.inputs]
    with pytest.raises(ModelError, match=rf"keyword_scrambled_8bit.tflite does not run in {chosen().module}: it (crashed|failed)"):
        model.plan(*x)


def test_an_end_of_another_type_is_refused():
    with pytest.raises(ModelError, match=r"audio_frame.* of audio_preprocessor_float.tflite is 480 int16"):
        read_host_model(shared("data", "models", "tflm", "audio_preprocessor_float.tflite"), 0, 1.0)


def test_a_damaged_file_is_refused(tmp_path):
    data = shared("data", "models", "tflm", "hello_world_float.tflite").read_bytes()
    for cut in (0, 7, 100, len(data) // 2):
        (tmp_path / "cut.tflite").write_bytes(data[:cut])
        with pytest.raises(ModelError):
            read_host_model(tmp_path / "cut.tflite", 0, 1.0).plan(X)


# --- an app -------------------------------------------------------------------------------------------------------------

LABELS = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"]
KEYWORDS = """
name = "keywords"

[source]
kind = "microphone"
rate_hz = 16000
block_ms = 20

[[stage]]
kind = "mfcc"
length_ms = 40
bands = 40
coefficients = 10
low_hz = 20
high_hz = 4000

[[stage]]
kind = "stack"
frames = 49
every = 5

[model]
file = FILE
labels = LABELS
run = "interpreter"

[detect]
kind = "smoothed"
mean_of = 1
threshold = 0.2
"""


@pytest.fixture
def keywords(tmp_path) -> Path:
    """MLPerf Tiny's float keyword net behind features of ours."""
    file = shared("data", "models", "mlperf_tiny", "kws_ref_model_float32.tflite")
    (tmp_path / "app.toml").write_text(KEYWORDS.replace("FILE", json.dumps(file.as_posix())).replace("LABELS", json.dumps(LABELS)))
    return tmp_path


def test_scores_of_a_recording_are_those_of_the_interpreter_for_its_features(keywords):
    plan = plan_file(keywords)
    samples = read_recording(shared("data", "audio", "micro_speech", "yes_1000ms.wav"), rate_hz=Fraction(16000), channels=1).samples
    blocks = np.concatenate([np.zeros((30, 320), np.int16), samples[: len(samples) // 320 * 320].reshape(-1, 320)])
    fired = Engine(plan).push(blocks)
    i = plan.scores
    features, scores = fired[plan.steps[i].sources[0]].y, fired[i].y
    lite = Lite(shared("data", "models", "mlperf_tiny", "kws_ref_model_float32.tflite").read_bytes(), chosen().module, "reference")
    real = plan.steps[i].x[0].real(features).astype(np.float32).reshape(len(features), 1, 49, 10, 1)
    want = np.concatenate([lite.call([x])[0] for x in real])
    assert len(want) > 3 and np.ptp(want) > 0.1
    np.testing.assert_allclose(scores.reshape(want.shape) / 32768, np.minimum(want, 32767 / 32768), rtol=0, atol=0.501 / 32768)


def test_replay_runs_show_tells_and_c_is_refused(keywords):
    clip = shared("data", "audio", "micro_speech", "yes_1000ms.wav")

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "tinystream", *map(str, words)], capture_output=True, text=True)

    shown, replayed = run("show", keywords), run("replay", keywords, clip)
    assert shown.returncode == 0 and "interpreted runs on the host only" in shown.stderr, shown.stderr
    assert replayed.returncode == 0, replayed.stderr
    for refused in (run("emit", keywords, "--out", keywords / "c"), run("verify", keywords, clip)):
        assert refused.returncode == 1 and "runs on the host only" in refused.stderr, refused.stderr
