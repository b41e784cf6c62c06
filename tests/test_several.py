"""Several sources, models and detectors in one app: do they meet as they are written, and the same in C?"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import soundfile
from command import tinystream
from shared import shared
from tiny_model import tiny_model

from tinystream import App, Duty, Imu, Microphone, Model
from tinystream.app.planning import plan_file
from tinystream.app.schema import schema
from tinystream.detectors import Smoothed
from tinystream.emit.compiler import compilers
from tinystream.emit.emit import sources
from tinystream.emit.host import build_stream, parse_stream
from tinystream.errors import AppErrors, BuildError, RecordingError
from tinystream.firmware.board import find_board
from tinystream.firmware.emulated import Emulated
from tinystream.firmware.project import check_board
from tinystream.plan.plan import Plan
from tinystream.run.duty import on_duty
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import Reading, blocks_of, recordings_of, replay
from tinystream.run.trace import Recorder, events
from tinystream.stages import Every, Hold, Stack

MICROPHONE = Microphone(rate_hz=1000, block_ms=5, name="mic")
GUARDED = """\
name = "guarded"

[source]
kind = "microphone"
rate_hz = 1000
block_ms = 5

[[stage]]
kind = "stack"
frames = 4

[[model]]
name = "vad"
file = "vad.tflite"
from = "stack"
labels = ["speech"]

[[stage]]
kind = "guard"
from = ["stack", "vad"]
threshold = 0.4
hold_ms = 40

[[model]]
name = "words"
file = "words.tflite"
from = "guard"
labels = ["yes", "no"]

[[model]]
name = "clap"
file = "words.tflite"
from = "stack"
labels = ["clap", "snap"]

[[detect]]
kind = "smoothed"
from = "words"
threshold = 0.5
min_scores = 2
labels = ["yes"]
quiet_s = 0.1

[[detect]]
name = "claps"
kind = "smoothed"
from = "clap"
threshold = 0.5
labels = ["snap"]
mean_of = 2
quiet_s = 0.1
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "vad.tflite").write_bytes(tiny_model(classes=1, scale=2.0**-7, zero=0))
    (tmp_path / "words.tflite").write_bytes(tiny_model(classes=2, scale=2.0**-7, zero=0))
    (tmp_path / "app.toml").write_text(GUARDED)
    return tmp_path


def loudness(plan: Plan, seed: int = 0, count: int = 400) -> np.ndarray:
    """A level that comes and goes, for scores that rise and fall."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.integers(-2000, 16000, count // 20 + 1), 20)[:count]
    return (level[:, None] + rng.integers(-400, 400, (count, plan.x[0].size))).astype(np.int16)


def assert_same_in_c(plan: Plan, x: list[np.ndarray], folder: Path) -> list:
    """Every step and every event, with sanitizers; gives the events."""
    host = Engine(plan).push(*x)
    program = build_stream(plan, folder, compilers()[0], spread=True)
    done = subprocess.run([program], input=b"".join(b.tobytes() for group in zip(*x) for b in group), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    steps, told = parse_stream(plan, done.stdout)
    for i, step in enumerate(plan.steps):
        np.testing.assert_array_equal(steps[i][0], host[i].when, err_msg=f"when {step.name} fires")
        np.testing.assert_array_equal(steps[i][1], host[i].y, err_msg=step.name)
    want = events(plan, host, 0)
    block = plan.x[0].shape[0]
    listed = [(e.sample // block - 1, e.sequence, e.label, e.score_count) for e in want]
    assert [(b, s, plan.labels[n], score) for b, s, n, score in told] == listed
    return want


# --- models and detectors -----------------------------------------------------------------------------------------


def test_a_small_model_guards_a_large_one_and_two_detectors_alert_side_by_side(folder):
    plan = plan_file(folder)
    assert plan.labels == ("yes", "no", "clap", "snap")
    assert [(plan.steps[d.step].name, d.first) for d in plan.detections] == [("detect", 0), ("claps", 2)]
    told = assert_same_in_c(plan, [loudness(plan)], folder)
    assert {event.label for event in told} == {"yes", "snap"}
    together = {event.sample for event in told if event.label == "yes"} & {event.sample for event in told if event.label == "snap"}
    assert together, "two alerts in one block are the case that could lose one"
    assert [event.sequence for event in told] == [*range(len(told))]


def test_what_a_guard_holds_back_is_not_computed(folder):
    plan = plan_file(folder)
    fired = Engine(plan).push(loudness(plan))
    name = {step.name: i for i, step in enumerate(plan.steps)}
    words, stacked = fired[plan.detections[0].scores], fired[name["stack"]]
    vad = fired[name["keep"]]
    open_at = {t for t, y in zip(vad.when, vad.y.ravel()) if (int(y) + 128) / 256 >= 0.4}
    want = [t for t in stacked.when if any(t - wait in open_at for wait in range(9))]   # 40 ms are 8 blocks
    assert words.when.tolist() == want
    assert 0 < len(want) < len(stacked.when)


def test_events_do_not_depend_on_chunks_nor_engine(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    plan = plan_file(folder)
    x = loudness(plan, seed=1)
    whole = replay(plan, Engine(plan), x.ravel(), keep="all")
    assert len(whole.events) > 3
    engine, recorder = Engine(plan), Recorder(plan, "python", "", (), range(len(plan.steps)))
    for i in range(0, len(x), 7):
        recorder.take(engine.push(x[i : i + 7]), len(x[i : i + 7]))
    assert recorder.trace().digests == whole.digests and recorder.trace().events == whole.events
    native = replay(plan, Native(plan), x.ravel(), keep="all")
    assert native.digests == whole.digests and native.events == whole.events


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4"])
def test_an_emulated_core_gives_the_same(core, folder):
    pytest.importorskip("unicorn")
    plan = plan_file(folder)
    x = loudness(plan, count=120)
    want = Engine(plan).push(x)
    got = Emulated(plan, core).push(x)
    for i, step in enumerate(plan.steps):
        np.testing.assert_array_equal(got[i].y, want[i].y, err_msg=step.name)


def test_the_header_says_how_each_labels_score_is_counted(folder):
    plan = plan_file(folder)
    header = sources(plan)["guarded.h"]
    assert "int guarded_push(const int16_t x[GUARDED_BLOCK], struct ts_event event[GUARDED_EVENTS]);" in header
    scales = re.search(r"SCORE_SCALES +\{ (.*?) \}", header)[1].split(", ")
    assert [float(s) for s in scales] == [1 / 256, 1 / 256, 1 / 512, 1 / 512]
    assert re.search(r"GUARDED_EVENTS +2 ", header)


def test_a_stage_behind_a_model_is_read_by_the_detector(folder):
    """The last stage stands behind the model, so the detector reads that, with the model's labels."""
    one = GUARDED[: GUARDED.index("[[stage]]\nkind = \"guard\"")] + '[[stage]]\nkind = "hold"\nfrom = ["vad", "stack"]\n\n'
    (folder / "app.toml").write_text(one + '[detect]\nkind = "smoothed"\nthreshold = 0.5\n')
    plan = plan_file(folder)
    assert plan.steps[plan.scores].name == "hold" and plan.labels == ("speech",)


def test_an_app_of_one_of_each_is_the_same_however_it_is_spelled(folder):
    one = App(name="one", source=MICROPHONE, stages=[Stack(frames=4)], model=Model("vad.tflite", labels=["speech"]),
              detect=Smoothed(threshold=0.5))  # fmt: skip
    listed = App(name="one", sources=[MICROPHONE], stages=[Stack(frames=4)], models=[Model("vad.tflite", labels=["speech"])],
                 detectors=[Smoothed(threshold=0.5)])  # fmt: skip
    assert one == listed and one.plan(folder).digest == listed.plan(folder).digest
    assert one.model_copy(update={"model": None}).models == ()


# --- sources ------------------------------------------------------------------------------------------------------

SLOW = Imu(rate_hz=50, axes=["x", "y", "z"], range_g=4, block_ms=60, name="motion")


def test_a_slow_sources_block_is_taken_once(tmp_path):
    """A block of the microphone is 5 ms, one of the accelerometer 60 ms: 12 heartbeats."""
    plan = App(name="two", sources=[MICROPHONE, SLOW], stages=[Stack(frames=2, from_="motion"), Hold(from_=["stack", "mic"])]).plan()
    assert plan.repeats == (1, 12) and plan.names == ("mic", "motion")
    rng = np.random.default_rng(0)
    sound, motion = rng.integers(-999, 999, 5 * 240, dtype=np.int16), rng.integers(-999, 999, (3 * 20 + 2, 3), dtype=np.int16)
    x = blocks_of(plan, (sound, motion))
    assert [b.shape for b in x] == [(240, 5), (240, 3, 3)]
    fired = Engine(plan).push(*x)
    name = {step.name: i for i, step in enumerate(plan.steps)}
    assert fired[name["motion"]].when.tolist() == [12 * n + 11 for n in range(20)]
    np.testing.assert_array_equal(fired[name["motion"]].y.reshape(-1, 3), motion[:60])
    held = fired[name["hold"]]
    assert held.when.tolist() == [*range(23, 240)], "nothing before two blocks of the slow source are there"
    np.testing.assert_array_equal(held.y[0].reshape(-1, 3), motion[:6])
    np.testing.assert_array_equal(held.y[12].reshape(-1, 3), motion[3:9])
    assert_same_in_c(plan, list(x), tmp_path)


def test_the_shorter_recording_ends_the_replay():
    plan = App(name="two", sources=[MICROPHONE, SLOW], stages=[Every(n=1, from_="mic"), Every(n=2, from_="motion")]).plan()
    x = blocks_of(plan, (np.zeros(5 * 40, np.int16), np.zeros((3 * 3, 3), np.int16)))
    assert x.beats == 36
    x = blocks_of(plan, (np.zeros(5 * 40 + 4, np.int16), np.zeros((3 * 9, 3), np.int16)))
    assert [len(b) for b in x] == [40, 40]


def test_a_window_of_duty_begins_with_a_whole_block_of_the_slow_source():
    plan = App(name="two", sources=[MICROPHONE, SLOW], duty=Duty(on_s=0.12, every_s=0.6), stages=[Every(n=1, from_="motion")]).plan()
    rng = np.random.default_rng(0)
    motion = rng.integers(-999, 999, (3 * 30, 3), dtype=np.int16)
    trace = replay(plan, on_duty(plan, Engine(plan)), (np.zeros(5 * 360, np.int16), motion), keep="all")
    np.testing.assert_array_equal(trace.outputs["motion"].y.reshape(-1, 3), np.concatenate([motion[30 * n : 30 * n + 6] for n in range(3)]))


@pytest.mark.parametrize(
    ("sources", "stages", "said"),
    [
        ([SLOW, MICROPHONE], [Every(n=1, from_="mic")],
         "a block of 'mic' is 5 ms, shorter than the 60 ms of the first source.*the source with the shortest block comes first"),
        ([MICROPHONE, SLOW.model_copy(update={"rate_hz": 125, "block_ms": 24})], [Every(n=1, from_="mic")],
         "a block of 'motion' is 24 ms, 4.8 blocks of the first source, not a whole number.*block_ms = 25"),
        ([MICROPHONE, SLOW], [Every(n=1)], "does not say which of the sources it reads: mic, motion.*from = \"mic\""),
        ([MICROPHONE, SLOW], [Every(n=1, from_="source")], "does not say which of the sources it reads"),
        ([MICROPHONE, SLOW], [Every(n=1, from_="mix")], "'mix' names no stage above.*did you mean 'mic'"),
        ([MICROPHONE, MICROPHONE], [Every(n=1, from_="mic")], "source name 'mic' is used twice"),
    ],
)  # fmt: skip
def test_sources_that_do_not_fit_are_refused(sources, stages, said):
    with pytest.raises(AppErrors, match="(?s)" + said):
        App(name="two", sources=sources, stages=stages).plan()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('from = "stack"\nlabels = ["speech"]', 'labels = ["speech"]', "model 'vad' must say what it reads: a stage reads it"),
        ('from = "words"\n', "", "it does not say which of the models it reads: clap, vad, words"),
        ('from = "clap"\n', 'from = "clop"\n', "'clop' names no stage above"),
        ('labels = ["clap", "snap"]', 'labels = ["no", "snap"]', "label 'no' is of two detectors"),
        ('name = "clap"', 'name = "vad"', "model name 'vad' is used twice"),
        ('from = "stack"\nlabels = ["speech"]', 'from = "guard"\nlabels = ["speech"]', "reads 'guard', which is this stage itself"),
        ("threshold = 0.4", "threshold = 1.4", "threshold = 1.4 never opens or never shuts: the score goes from 0 to 0.996"),
        ("threshold = 0.4", "threshold = 0.4\nvalue = 1", "value = 1, the score has 1 values"),
        ('name = "claps"', 'name = "block"', "is a word of the generated C, no name for a detector"),
    ],
)  # fmt: skip
def test_models_and_detectors_that_do_not_fit_are_refused(old, new, said, folder):
    assert old in GUARDED
    (folder / "app.toml").write_text(GUARDED.replace(old, new, 1))
    with pytest.raises(AppErrors, match=said):
        plan_file(folder)


def test_a_mistake_in_one_of_several_is_shown_at_its_line(folder):
    (folder / "app.toml").write_text(GUARDED.replace("quiet_s = 0.1\n\n[[detect]]", "quite_s = 0.1\n\n[[detect]]"))
    with pytest.raises(AppErrors) as caught:
        plan_file(folder)
    line = GUARDED[: GUARDED.index("quiet_s")].count("\n") + 1
    assert f"app.toml:{line}:" in str(caught.value) and "did you mean 'quiet_s'?" in str(caught.value)


def test_the_schema_knows_lists_of_sources_models_and_detectors(folder):
    doc = tomllib.loads(GUARDED)
    jsonschema.validate(doc, schema())
    doc["model"] = doc["model"][0]
    jsonschema.validate(doc, schema())
    doc["model"] = []
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(doc, schema())


def test_a_board_refuses_what_its_loop_does_not_have(folder):
    two = App(name="two", sources=[MICROPHONE, SLOW], stages=[Every(n=1, from_="mic")]).plan()
    with pytest.raises(BuildError, match="the firmware of boards reads one source, two has 2: mic, motion"):
        check_board(two, find_board("posix"))
    with pytest.raises(BuildError, match="the records of boards tell one scale of scores, the detectors of guarded have 2"):
        check_board(plan_file(folder), find_board("posix"))


# --- recordings ---------------------------------------------------------------------------------------------------

TWO = """\
name = "two"

[[source]]
kind = "microphone"
name = "mic"
rate_hz = 1000
block_ms = 5

[[source]]
kind = "imu"
name = "motion"
rate_hz = 50
axes = ["x", "y", "z"]
range_g = 4
block_ms = 60

[[stage]]
kind = "hold"
from = ["motion", "mic"]

[[stage]]
kind = "gate"
from = "mic"
open_db = -20

[[detect]]
name = "loud"
kind = "limits"
from = "hold"
classes = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
labels = ["g"]
threshold = 1.5
"""


@pytest.fixture
def pump(tmp_path) -> Path:
    """An app of two sources, and a recording of each."""
    (tmp_path / "app.toml").write_text(TWO)
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "pump7.mic.wav", rng.integers(-9000, 9000, 1210).astype(np.int16), 1000)
    motion = rng.normal((0, 0, 1), 0.1, (60, 3))
    motion[40:, 0] += 2
    rows = [f"{20 * i},{x:.4f},{y:.4f},{z:.4f}" for i, (x, y, z) in enumerate(motion)]
    (tmp_path / "pump7.motion.csv").write_text("\n".join(["timestamp,accX,accY,accZ", *rows]) + "\n")
    return tmp_path


def test_a_recording_of_two_sources_is_two_files_side_by_side(pump):
    plan = plan_file(pump)
    assert recordings_of(plan, [pump]) == recordings_of(plan, [pump / "pump7.motion.csv"]) == [pump / "pump7.mic.wav"]
    given = Reading().read(plan, pump / "pump7.mic.wav")
    assert [one.shape for one in given.samples] == [(1210,), (60, 3)]
    (event,) = replay(plan, Engine(plan), given.samples).events
    assert (event.label, event.sample) == ("g", 840), "block 14 of the motion is there at 0.84 s"
    assert event.score == pytest.approx(2, abs=0.3)


def test_replay_and_verify_take_it_from_the_command_line(pump, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(pump / "cache"))
    done = tinystream("replay", str(pump), str(pump / "pump7.mic.wav"))
    assert done.code == 0 and '"label":"g"' in done.out.replace(" ", "")
    proved = tinystream("verify", str(pump), str(pump / "pump7.mic.wav"))
    assert proved.code == 0 and "identical" in proved.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "pump7.motion.csv").unlink(), "pump7 has no file of the source 'motion'"),
        (lambda folder: (folder / "pump7.mic.wav").rename(folder / "pump7.wav"), "pump7.wav does not say which source it is of"),
        (lambda folder: soundfile.write(folder / "pump7.mic.flac", np.zeros(9, np.int16), 1000), "pump7 has two files of 'mic'"),
    ],
)
def test_a_set_that_is_not_whole_is_refused_by_name(change, said, pump):
    change(pump)
    with pytest.raises(RecordingError, match=said):
        plan = plan_file(pump)
        for path in recordings_of(plan, [path for path in pump.iterdir() if path.suffix in (".wav", ".csv", ".flac")]):
            Reading().read(plan, path)


def test_a_set_is_told_from_what_lies_beside_its_files(pump):
    for name in ("pump7.mic.truth.json", "pump7.motion.truth.json", "pump7.motion.about.json"):
        (pump / name).write_text("[]")
    assert recordings_of(plan_file(pump), [pump / "pump7.motion.csv"]) == [pump / "pump7.mic.wav"]


def test_power_says_that_it_knows_one_source(pump):
    node = ["--board", "nrf52840_dk", "--battery", "2xAA", "--sensor", "ics_41350"]
    done = tinystream("power", str(pump), *node, str(pump / "pump7.mic.wav"))
    assert done.code == 1 and "2 sources" in done.err


# --- what stands behind a model -----------------------------------------------------------------------------------

AUTOENCODER = """\
name = "odd_sound"

[source]
kind = "microphone"
rate_hz = 16_000
block_ms = 32

[[stage]]
kind = "frame"
length_ms = 64

[[stage]]
kind = "spectrum"

[[stage]]
kind = "mel"
bands = 128

[[stage]]
kind = "log"
unit = "db"

[[stage]]
kind = "quantize"

[[stage]]
kind = "stack"
frames = 5

[model]
file = "ad01_int8.tflite"
from = "stack"

[[stage]]
kind = "reconstruction"
from = ["stack", "model"]

[detect]
kind = "limits"
threshold = 60
hold = 3
"""


def test_the_error_of_an_autoencoder_is_a_score_like_any_other(tmp_path, monkeypatch):
    """MLPerf Tiny's anomaly detector in an app: what it was given is held against what it gave."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "ad01_int8.tflite").write_bytes(shared("data/models/mlperf_tiny/ad01_int8.tflite").read_bytes())
    (tmp_path / "app.toml").write_text(AUTOENCODER)
    plan = plan_file(tmp_path)
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 400, 16_000 * 4).astype(np.int16)
    sound[32_000:] = (9000 * np.sin(np.arange(32_000) * 0.5)).astype(np.int16)
    python, native = (replay(plan, engine, sound, keep="all") for engine in (Engine(plan), Native(plan)))
    assert python.digests == native.digests and python.events == native.events
    name = {step.name: step for step in plan.steps}
    given, gave = name["stack"].y, plan.steps[[s.name for s in plan.steps].index("reconstruction") - 1].y
    outputs = python.outputs
    model = plan.steps[[s.name for s in plan.steps].index("reconstruction") - 1].name
    error = (given.real(outputs["stack"].y.reshape(-1, 640)) - gave.real(outputs[model].y.reshape(-1, 640))) ** 2
    np.testing.assert_allclose(name["reconstruction"].y.real(outputs["reconstruction"].y).ravel(), error.mean(axis=1), rtol=1e-3)
    assert plan.steps[plan.scores].name == "reconstruction" and plan.labels == ("anomaly",)
    assert len(python.events) == 1, "a tone that is nothing like it is odd; noise is not"
