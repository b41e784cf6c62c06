"""Is an imported app the original?  Real models and clips against TFLM, pymicro-features, pymicro-wakeword and MLTK's own features."""

from __future__ import annotations

import hashlib
import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command import tinystream
from esphome import Firmware
from shared import shared

from tinystream.app.importers import read_published, write_app
from tinystream.app.planning import plan, plan_file
from tinystream.app.read import load
from tinystream.io.recording import find_recordings, read_recording
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import Reading, replay
from tinystream.run.trace import Trace
from tinystream.stages.dc_notch import DcNotch
from tinystream.stages.dynamic_range import DynamicRange
from tinystream.stages.micro_frontend import MicroFrontend
from tinystream.stages.quantize import Quantize
from tinystream.stages.stack import Stack

WORDS = {"okay_nabu": 3, "hey_jarvis": 3, "hey_mycroft": 3, "alexa": 39}
MANIFESTS = ["v1_hey_jarvis", "v2_alexa", "v2_hey_jarvis", "v2_hey_mycroft", "v2_okay_nabu", "v2_vad"]
MLTK = ["audio_example1", "keyword_spotting_on_off", "tflite_micro_speech"]


def published(name: str, folder: Path) -> Path:
    """A manifest with its model beside it, under the name that the manifest gives it."""
    source = shared("data/models/micro_wake_word", f"{name}.json")
    folder.mkdir(exist_ok=True)
    model = json.loads(source.read_text())["model"]
    shutil.copy(source.with_suffix(".tflite"), folder / model)
    return Path(shutil.copy(source, folder))


def imported(source: Path, folder: Path) -> Path:
    write_app(read_published(source), folder)
    return folder


def sounds(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: read_recording(path, rate_hz=Fraction(16000), channels=1).samples for path in find_recordings([folder])}


def scores(trace: Trace) -> np.ndarray:
    """int8 [decisions, classes]."""
    y = trace.outputs[trace.scores].y
    return y.reshape(len(y), -1)


# --- every imported app is one ------------------------------------------------------------------------------------


def all_sources(folder: Path):
    for name in MANIFESTS:
        yield published(name, folder / name), "data/audio/wakeword/okay_nabu/pmw_2.wav"
    for name in MLTK:
        yield shared(f"data/models/mltk/{name}.tflite"), "data/audio/micro_speech/yes_1000ms.wav"
    yield shared("data/models/tflm/micro_speech_quantized.tflite"), "data/audio/micro_speech/yes_1000ms.wav"


@pytest.mark.parametrize("number", range(len(MANIFESTS) + len(MLTK) + 1))
def test_show_replay_verify_and_emit_work_on_what_import_writes(tmp_path, number):
    shared("data")
    source, clip = list(all_sources(tmp_path))[number]
    app = tmp_path / "app"
    done = tinystream("import", source, "-o", app)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [str(app / "app.toml"), str(app / f"{load(app).name}.tflite")]
    for told in ("features", "scores", "events"):
        assert f"  {told} " in done.err
    shown = tinystream("show", app)
    assert (shown.code, shown.err) == (0, ""), shown.err
    assert plan_file(app).says == load_says(app)
    for verb in ("replay", "verify"):
        assert (done := tinystream(verb, app, "--resample", shared(clip))).code == 0, done.err
    assert "identical: " in done.out
    assert tinystream("emit", app, "-o", tmp_path / "build").code == 0
    assert (tmp_path / "build" / f"{load(app).name}.c").exists()


def load_says(app: Path) -> str:
    return (app / "app.toml").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def test_mistakes_in_an_imported_file_are_shown_at_their_line(tmp_path):
    app = imported(published("v2_okay_nabu", tmp_path / "source"), tmp_path / "app")
    toml = app / "app.toml"
    text = toml.read_text(encoding="utf-8").replace("frames = 3", "frames = 2").replace("cutoff  = 0.97", "cutoff  = 97")
    toml.write_text(text, encoding="utf-8")
    done = tinystream("show", app)
    line = next(i for i, line in enumerate(text.splitlines(), 1) if line.startswith("probability_cutoff"))
    assert done.code == 1 and "model wants 3x40 int8, stack gives 2x40" in done.err and f"app.toml:{line}:" in done.err


# --- microWakeWord: the firmware's bits ---------------------------------------------------------------------------


def firmware_scores(model: Path, samples: np.ndarray) -> list[int]:
    """pymicro-features, ESPHome's rounding, TFLM: 0 to 255 for each stride."""
    features = pytest.importorskip("pymicro_features")
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    front, raw = features.MicroFrontend(), samples.astype("<i2").tobytes()
    rows = [front.process_samples(raw[i : i + 320]).features for i in range(0, len(raw) - 319, 320)]
    counts = np.rint(np.array([row for row in rows if row]) * 25.6).astype(int)
    x = np.clip((counts * 256 + 333) // 666 - 128, -128, 127).astype(np.int8)
    tflm = runtime.Interpreter.from_file(str(model), arena_size=1 << 18)
    shape = tflm.get_input_details(0)["shape"]
    given = []
    for block in x[: len(x) // shape[1] * shape[1]].reshape(-1, *shape):
        tflm.set_input(block, 0)
        tflm.invoke()
        given.append(int(tflm.get_output(0).item()))
    return given


@pytest.mark.parametrize("rule", ["mww_2025", "mww_2024_10"])
@pytest.mark.parametrize("word", WORDS)
def test_every_clip_gives_the_scores_and_events_of_the_firmware(tmp_path, word, rule):
    source = published(f"v2_{word}", tmp_path / "source")
    assert tinystream("import", source, "-o", tmp_path / "app", "--rule", rule).code == 0
    app, micro = plan_file(tmp_path / "app"), json.loads(source.read_text())["micro"]
    native, compared, heard = Native(app), 0, 0
    clips = sounds(shared("data/audio/wakeword", word))
    assert len(clips) == WORDS[word]
    for name, samples in clips.items():
        trace = replay(app, native, samples, name, keep="scores")
        want = firmware_scores(tmp_path / "app" / f"{word}.tflite", samples)
        assert (scores(trace).ravel().astype(int) + 128).tolist() == want, name
        firmware = Firmware(rule, micro["probability_cutoff"], micro["sliding_window_size"], 3)
        when = trace.outputs[trace.scores].when.tolist()
        assert [(when.index(e.sample // 160 - 1), e.score_count) for e in trace.events] == firmware.listen(want), name
        assert {e.label for e in trace.events} <= {word}
        compared, heard = compared + len(want), heard + bool(trace.events)
    print(f"{word}, {rule}: {compared} scores equal, the word is heard in {heard} of {len(clips)} clips")
    assert heard == len(clips)


def test_the_definition_gives_the_same_as_the_c(tmp_path):
    app = plan_file(imported(published("v2_hey_jarvis", tmp_path / "source"), tmp_path / "app"))
    for name, samples in sounds(shared("data/audio/wakeword/hey_jarvis")).items():
        a, b = (replay(app, engine(app), samples, name, keep="scores") for engine in (Engine, Native))
        assert a.events == b.events and a.digests == b.digests


def test_the_old_models_steps_are_20_ms(tmp_path):
    """Version 1 of a manifest: its model hears a frame each 20 ms, and scores each."""
    app = plan_file(imported(published("v1_hey_jarvis", tmp_path / "source"), tmp_path / "app"))
    for name, samples in sounds(shared("data/audio/wakeword/hey_jarvis")).items():
        trace = replay(app, Native(app), samples, name, keep="scores")
        assert len(scores(trace)) == len(samples) // 320 - 1, "the first frame ends in the second block"


@pytest.mark.parametrize("word", WORDS)
def test_the_package_hears_the_same_clips_and_is_given_the_same_inputs(tmp_path, word):
    """pymicro-wakeword rounds inputs to the model's scale, and its library has other kernels: scores are near, not equal."""
    package = pytest.importorskip("pymicro_wakeword")
    manifest = Path(package.__file__).parent / "models" / f"{word}.json"
    folder = imported(manifest, tmp_path / "app")
    definition = load(folder)
    by_scale = [Quantize() if stage.kind == "quantize" else stage for stage in definition.stages]
    firmware, like_package = plan_file(folder), plan(definition.model_copy(update={"stages": tuple(by_scale)}), folder)
    theirs, equal, farthest, total = package.MicroWakeWord.from_config(manifest), 0, 0, 0
    natives = Native(firmware), Native(like_package)
    for name, samples in sounds(shared("data/audio/wakeword", word)).items():
        theirs.reset()
        inputs, probabilities, heard = [], [], False
        for feature in package.MicroWakeWordFeatures().process_streaming(samples.astype("<i2").tobytes()):
            inputs.append(np.round(feature / theirs.input_scale + theirs.input_zero_point).ravel())
            heard |= bool(theirs.process_streaming(feature))
            if not theirs._features:
                probabilities.append(round(theirs._probabilities[-1] * 256))
        assert heard == bool(replay(firmware, natives[0], samples, name).events), name
        trace = replay(like_package, natives[1], samples, name, keep="scores")
        np.testing.assert_array_equal(trace.outputs[trace.features].y, np.array(inputs)[: len(trace.outputs[trace.features].y)])
        distance = np.abs(scores(trace).ravel().astype(int) + 128 - probabilities)
        equal, total, farthest = equal + int((distance == 0).sum()), total + distance.size, max(farthest, int(distance.max()))
    print(f"{word}: {equal} of {total} scores are those of pymicro-wakeword, none farther than {farthest}")
    assert equal > 0.85 * total and farthest <= 16


def test_voice_begins_where_the_firmwares_flag_turns_on(tmp_path):
    app = plan_file(imported(published("v2_vad", tmp_path / "source"), tmp_path / "app"))
    alerts = 0
    for name, samples in sounds(shared("data/audio/wakeword/okay_nabu")).items():
        trace = replay(app, Native(app), samples, name, keep="scores")
        p = scores(trace).ravel().astype(int) + 128
        flag = np.convolve(p, np.ones(5, int))[: len(p)] > int(0.5 * 255) * 5
        turns_on = np.flatnonzero(flag & ~np.append(False, flag[:-1]))
        assert not flag[:4].any(), "else the two differ, as the importer says"
        when = trace.outputs[trace.scores].when.tolist()
        assert [when.index(e.sample // 160 - 1) for e in trace.events] == turns_on.tolist(), name
        alerts += len(trace.events)
    assert alerts >= 3


# --- MLTK ---------------------------------------------------------------------------------------------------------


def rising(count: int) -> np.ndarray:
    """A triangle wave that rises, by whole numbers."""
    i = np.arange(count, dtype=np.int64)
    return (np.abs((i * i * 7 >> 2 & 0xFFFF) - 32768) - 16384).astype(np.int16)


@pytest.mark.parametrize(("name", "raw", "counts"), [
    ("audio_example1", "f5fb36fedc815409", "53be2df4fdb9bc6a"),
    ("keyword_spotting_on_off", "caa8409ef86b1ced", "8e3e8d6c13bd00c9"),
    ("tflite_micro_speech", "a51e691abda5c399", "a4bf6f2e017affdb"),
])
def test_features_are_those_of_mltks_own_generator(tmp_path, name, raw, counts):
    """Digests of what silabs-mltk 0.20.0 gives for `rising` by the model's own parameters, as uint16 and as int8."""
    app = plan_file(imported(shared(f"data/models/mltk/{name}.tflite"), tmp_path / "app"))
    x = rising(80 * app.x[0].size)
    trace = replay(app, Engine(app), x, keep="all")
    for kind, dtype, digest in [("micro_frontend", "<u2", raw), ("quantize", "i1", counts)]:
        y = next(trace.outputs[step.name].y for step in app.steps if step.kind == kind)
        assert (len(y), hashlib.sha256(y.astype(dtype).tobytes()).hexdigest()[:16]) == (79, digest)


@pytest.mark.parametrize(("coefficient", "digest"), [(0.95, "2b518a9f0ef25bc8"), (0.5, "dae804567c78f485"), (0.99, "e736f6412c36ac9f")])
def test_a_notch_before_the_front_end_gives_mltks_features(tmp_path, coefficient, digest):
    app = load(imported(shared("data/models/mltk/audio_example1.tflite"), tmp_path / "app"))
    notched = plan(app.model_copy(update={"stages": (DcNotch(coefficient=coefficient), *app.stages)}), tmp_path / "app")
    trace = replay(notched, Engine(notched), rising(80 * 320), keep="all")
    y = next(trace.outputs[step.name].y for step in notched.steps if step.kind == "micro_frontend")
    assert hashlib.sha256(y.astype("<u2").tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize(("range_db", "digest"), [(40, "905866e967d81966"), (10, "fdc0a3cd1903f210"), (80, "2d847d7193eed4b2")])
def test_a_dynamic_range_behind_the_stack_gives_mltks_counts(tmp_path, range_db, digest):
    """A window of 79 frames, as the generator scales all that it is given."""
    app = load(imported(shared("data/models/mltk/audio_example1.tflite"), tmp_path / "app"))
    scaled = (app.stages[0], Stack(frames=79), DynamicRange(range=int(range_db * 64 * 0.11512925465) * 2.5 / 64))
    window = plan(app.model_copy(update={"stages": scaled, "model": None, "detect": None}), tmp_path / "app")
    y = replay(window, Native(window), rising(80 * 320), keep="all").outputs["dynamic_range"].y
    assert (len(y), hashlib.sha256(y.tobytes()).hexdigest()[:16]) == (1, digest)


def test_an_imported_keyword_model_knows_its_words(tmp_path):
    """Half a second of silence, a clip of another speaker than it was trained on or not, a second of silence."""
    app = plan_file(imported(shared("data/models/mltk/keyword_spotting_on_off.tflite"), tmp_path / "app"))
    native, heard = Native(app), {}
    for word in ("on", "off", "unknown"):
        clips = find_recordings([shared("data/audio/speech_commands", word)])[:60]
        labels = []
        for path in clips:
            clip = Reading(resample=True).read(app, path).samples
            events = replay(app, native, np.concatenate([np.zeros(4000, np.int16), clip, np.zeros(8000, np.int16)])).events
            labels.append(events[0].label if events else "-")
        heard[word] = {label: labels.count(label) for label in sorted(set(labels))}
    print(heard)
    assert heard["on"]["on"] > 50 and heard["off"]["off"] > 45 and heard["unknown"]["-"] > 50
    assert not heard["on"].get("off") and not heard["off"].get("on")


# --- micro_speech -------------------------------------------------------------------------------------------------


def micro_speech(folder: Path):
    return plan_file(imported(shared("data/models/tflm/micro_speech_quantized.tflite"), folder))


def features_that_agree(app) -> tuple[int, int]:
    """With TFLM's audio_preprocessor_int8.tflite, on its four clips of a second; all scores must."""
    agree = total = 0
    for clip in ("no", "noise", "silence", "yes"):
        with np.load(shared(f"data/golden_tflm/micro_speech_{clip}_1000ms.npz")) as golden:
            trace = replay(app, Engine(app), golden["pcm"], keep="scores")
            same = trace.outputs[trace.features].y == golden["spectrogram_int8"]
            assert scores(trace).tolist() == [golden["out0"].tolist()]
            agree, total = agree + int(same.sum()), total + same.size
    return agree, total


def test_all_features_and_scores_of_micro_speech_are_tflms(tmp_path):
    assert features_that_agree(micro_speech(tmp_path / "app")) == (7840, 7840)


def test_the_legacy_front_end_differs_in_some_features_and_in_no_score(tmp_path):
    micro_speech(tmp_path / "app")
    app = load(tmp_path / "app")
    legacy = [MicroFrontend() if stage.kind == "micro_frontend" else stage for stage in app.stages]
    assert features_that_agree(plan(app.model_copy(update={"stages": tuple(legacy)}), tmp_path / "app")) == (7784, 7840)


@pytest.mark.parametrize(("clip", "labels"), [("yes", ["yes"]), ("no", ["no"]), ("noise", []), ("silence", [])])
def test_micro_speechs_own_clips_are_recognised(tmp_path, clip, labels):
    """A second of silence before and after: the mean over a second passes the threshold while the word passes the window."""
    (samples,) = sounds(shared(f"data/audio/micro_speech/{clip}_1000ms.wav")).values()
    app, silence = micro_speech(tmp_path / "app"), np.zeros(16000, np.int16)
    assert [e.label for e in replay(app, Native(app), np.concatenate([silence, samples, silence])).events] == labels
