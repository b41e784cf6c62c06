"""What becomes of a file that cannot be imported, or not wholly: one clear word, and nothing half-written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from command import tinystream
from shared import shared
from tiny_model import offsets, table, tiny_model

from tinystream.app.importers import read_published, write_app
from tinystream.app.importers.mltk_parameters import parameters
from tinystream.app.importers.recognise import Recognise
from tinystream.app.importers.source import Wishes
from tinystream.app.importers.template import Row, Table, app_name
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.errors import ModelError, TinystreamError

MANIFEST: dict[str, Any] = {
    "type": "micro", "wake_word": "Okay Nabu", "author": "Somebody", "model": "model.tflite", "trained_languages": ["en"], "version": 2,
    "micro": {"probability_cutoff": 0.97, "sliding_window_size": 5, "feature_step_size": 10},
}  # fmt: skip
STREAMING = tiny_model(height=3, width=40, classes=1, scale=0.10196078568696976, zero=-128)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.tflite").write_bytes(STREAMING)
    return tmp_path


def manifest(changes: dict[str, Any], file: str = "word.json") -> Path:
    """The manifest with other values; "micro.x" is inside, None takes a key away."""
    whole = json.loads(json.dumps(MANIFEST))
    for key, value in changes.items():
        *inside, last = key.split(".")
        at = whole[inside[0]] if inside else whole
        at.pop(last, None)
        if value is not None:
            at[last] = value
    Path(file).write_text(json.dumps(whole))
    return Path(file)


def refused(*arguments: object) -> str:
    """What is told; nothing is written, and nothing printed."""
    before = set(Path.cwd().rglob("*"))
    done = tinystream("import", *arguments)
    assert (done.code, done.out) == (1, ""), done
    assert set(Path.cwd().rglob("*")) == before
    assert re.fullmatch(r"error: [^A-Z].*[^.]\n   = help: .+\n", done.err), done.err
    return done.err


# --- manifests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "what"), [
    ({"type": None}, "has no 'type'\n   = help: \"type\": \"micro\""),
    ({"type": "macro"}, 'has the type "macro"'),
    ({"version": None}, "has no 'version'"),
    ({"version": 3}, "has version 3; 1 and 2 are known"),
    ({"version": "2"}, "has 'version' = \"2\", which is not a whole number"),
    ({"version": True}, "has 'version' = True, which is not a whole number"),
    ({"wake_word": None}, "has no 'wake_word'"),
    ({"wake_word": 5}, "has 'wake_word' = 5, which is not text"),
    ({"model": None}, "has no 'model'"),
    ({"model": "other.tflite"}, "names the model other.tflite, and there is no such file\n   = help: put other.tflite beside it"),
    ({"model": "https://example.org/word.tflite"}, "names a model in the network, https://example.org/word.tflite"),
    ({"micro": None}, "has no 'micro'"),
    ({"micro": []}, "has 'micro' = [], which is not an object"),
    ({"micro.probability_cutoff": None}, "has no 'probability_cutoff' in 'micro'"),
    ({"micro.probability_cutoff": "0.97"}, "has 'probability_cutoff' in 'micro' = \"0.97\", which is not a number"),
    ({"micro.probability_cutoff": 97}, "has probability_cutoff = 97, which is not between 0 and 1"),
    ({"micro.probability_cutoff": 0}, "has probability_cutoff = 0, which is not between 0 and 1"),
    ({"micro.probability_cutoff": 1.0}, "has probability_cutoff = 1, which is not between 0 and 1"),
    ({"micro.probability_cutoff": float("nan")}, "has probability_cutoff = nan, which is not between 0 and 1"),
    ({"micro.sliding_window_size": None}, "has no 'sliding_window_size' in 'micro'\n   = help: \"sliding_window_size\": 5"),
    ({"micro.sliding_window_size": None, "micro.sliding_window_average_size": 10},
     "has no 'sliding_window_size' in 'micro'\n   = help: did you mean 'sliding_window_average_size'?"),
    ({"version": 1}, "has no 'sliding_window_average_size' in 'micro'"),
    ({"micro.sliding_window_size": 0}, "has sliding_window_size = 0, the limits are 1 to 255"),
    ({"micro.sliding_window_size": 5.5}, "has 'sliding_window_size' in 'micro' = 5.5, which is not a whole number"),
    ({"micro.feature_step_size": 30}, "has feature_step_size = 30, the limits are 1 to 29"),
])
def test_a_mistake_in_a_manifest(here, changes, what):
    assert f"error: manifest word.json {what}" in refused(manifest(changes))


@pytest.mark.parametrize(("text", "what"), [
    ("{", "word.json is neither a .tflite file nor JSON: expecting property name"),
    ("", "word.json is neither a .tflite file nor JSON: expecting value"),
    ("[" * 100_000, "word.json is neither a .tflite file nor JSON: it is nested too deeply"),
    ("\x00\xff\xfe", "word.json is neither a .tflite file nor JSON: it is not text"),
    ("[1, 2]", "manifest word.json is no object"),
    ('"micro"', "manifest word.json is no object"),
])
def test_a_file_that_is_no_manifest(here, text, what):
    Path("word.json").write_bytes(text.encode("latin-1"))
    assert f"error: {what}" in refused("word.json")


@pytest.mark.parametrize("word", ["", "  ", "x\n[sink]\nkind = 1", 'a "quoted" word', "\\u0041", "bell\x07"])
def test_a_wake_word_that_would_break_out_of_a_comment(here, word):
    assert "which an event cannot carry" in refused(manifest({"wake_word": word}))


def test_what_a_person_may_write_into_a_manifest_does_not_get_into_the_definition(here):
    bad = 'me"\n[[sink]]\nkind = "mqtt"'
    assert tinystream("import", manifest({"author": bad, "website": bad, "trained_languages": ["en\n", 5]}), "-o", "app").code == 0
    app = load("app")
    assert not app.sinks and app.description == "" and "mqtt" not in Path("app/app.toml").read_text().replace('# kind  = "mqtt"', "")


def test_a_missing_file_and_a_damaged_model(here):
    assert "error: none.json cannot be read: there is no such file" in refused("none.json")
    Path("model.tflite").write_bytes(STREAMING[:300])
    assert "error: the model file is damaged or not a .tflite file" in refused(manifest({}))
    Path("model.tflite").write_bytes(b"hello")
    assert "model.tflite does not start as one" in refused(manifest({}))


def test_a_model_of_another_shape(here):
    Path("model.tflite").write_bytes(tiny_model(height=49, width=40, classes=4))
    assert ("error: model.tflite is no microWakeWord model: it makes 4 int8 of 49x40 int8, not one probability of a few frames "
            "of 40 features") in refused(manifest({}))


def test_a_bare_model_asks_for_its_manifest(here):
    assert refused("model.tflite") == (
        "error: model.tflite looks like a microWakeWord model; its cutoff and window stand in its manifest\n"
        "   = help: name the .json that was published with it\n")


def test_a_model_that_lies_elsewhere_is_named(here):
    Path("elsewhere.tflite").write_bytes(STREAMING)
    path = manifest({"model": "other.tflite"})
    assert "= help: put other.tflite beside it, or --model FILE" in refused(path)
    assert tinystream("import", path, "--model", "elsewhere.tflite").code == 0
    assert Path("okay_nabu/okay_nabu.tflite").read_bytes() == STREAMING


def test_a_model_that_was_renamed_with_its_manifest_is_found(here):
    Path("word.tflite").write_bytes(STREAMING)
    assert tinystream("import", manifest({"model": "other.tflite"})).code == 0
    assert Path("okay_nabu/okay_nabu.tflite").read_bytes() == STREAMING


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "other", "name"), [
    ("Okay Nabu", "", "okay_nabu"), ("  Hey, Jarvis! ", "", "hey_jarvis"), ("你好", "v2_ni_hao", "v2_ni_hao"), ("42", "", "imported"),
    ("Double", "", "double_app"), ("Math", "", "math_app"), ("ts_x", "", "x_app"), ("3 stars", "", "stars")])
def test_a_name_that_c_can_bear(words, other, name):
    assert app_name(words, other) == name


def test_another_name_is_that_of_app_folder_and_model(here):
    assert tinystream("import", manifest({}), "--name", "kitchen").code == 0
    assert load("kitchen").name == "kitchen" and load("kitchen").model.file == "kitchen.tflite"
    assert "is no name: a letter, then letters" in refused("word.json", "--name", "My Kitchen")
    assert "is no name: a letter, then letters" in refused("word.json", "--name", "../kitchen")


def test_the_same_manifest_gives_the_same_files(here):
    path = manifest({})
    first = tinystream("import", path)
    text = Path("okay_nabu/app.toml").read_bytes()
    assert tinystream("import", path).out == first.out and Path("okay_nabu/app.toml").read_bytes() == text


def test_what_a_person_changed_is_written_over_only_by_force(here):
    path = manifest({})
    assert tinystream("import", path).code == 0
    toml = Path("okay_nabu/app.toml")
    toml.write_text(toml.read_text().replace("0.97", "0.98"))
    changed = toml.read_bytes()
    assert "error: okay_nabu/app.toml is there already, and differs" in refused(path)
    assert toml.read_bytes() == changed
    assert tinystream("import", path, "--force").code == 0 and b"0.97" in toml.read_bytes()
    Path("okay_nabu/okay_nabu.tflite").write_bytes(b"another")
    toml.unlink()
    assert "okay_nabu/okay_nabu.tflite is there already, and differs" in refused(path)


def test_a_file_in_the_way_of_the_folder(here):
    Path("okay_nabu").write_text("")
    assert "error: okay_nabu cannot be written: there is a file in the way" in refused(manifest({}))


def test_a_wish_that_means_nothing_is_told(here):
    assert "error: --label means nothing for word.json" in refused(manifest({}), "--label", "word")
    assert "error: --rule means nothing for words.tflite" in refused(mltk_model({}), "--rule", "mww_2025")


def test_json_tells_scripts_what_people_are_told(here):
    done = tinystream("import", manifest({}), "--json")
    told = json.loads(done.out)
    assert done.err == "" and (told["app"], told["kind"], told["origin"]) == ("okay_nabu", "micro_wake_word", "word.json")
    assert told["files"] == ["okay_nabu/app.toml", "okay_nabu/okay_nabu.tflite"]
    comments = " ".join(line.lstrip("# ") for line in Path("okay_nabu/app.toml").read_text().splitlines() if line.startswith("#"))
    for what in (told["features"], told["scores"], told["events"], *told["lacks"]):
        assert " ".join(what.split()) in " ".join(comments.split())


# --- MLTK ---------------------------------------------------------------------------------------------------------

SIX = ["audio_example1", "autoencoder_example", "image_example1", "keyword_spotting_on_off", "tflite_micro_magic_wand",
       "tflite_micro_speech"]


@pytest.mark.parametrize("name", SIX)
def test_mltks_parameters_are_read_as_mltk_wrote_them(name):
    found = parameters(shared(f"data/models/mltk/{name}.tflite").read_bytes())
    want = json.loads(shared(f"data/models/mltk/{name}.params.json").read_text())
    assert found == want and [type(found[key]) for key in want] == [type(value) for value in want.values()]


def test_a_model_without_parameters_has_none():
    assert parameters(STREAMING) is None


@pytest.mark.parametrize(("name", "what"), [
    ("image_example1", "wants images of 96x96 int8, and its parameters name no front end: there is no image source"),
    ("autoencoder_example", "wants 140 int8, and its parameters name no front end: nothing tells how samples become its input"),
    ("tflite_micro_magic_wand", "wants 128x3 int8, and its parameters name no front end: nothing tells how samples become its input"),
])
def test_a_model_that_is_not_of_sound_is_refused_with_what_is_missing(here, name, what):
    assert f"error: {name}.tflite {what}" in refused(shared(f"data/models/mltk/{name}.tflite"))


KEYWORDS: dict[str, Any] = {
    "name": "two_words", "classes": ["go", "stop", "_unknown_"], "date": "2024-02-03T10:11:12Z", "average_window_duration_ms": 1000,
    "detection_threshold": 160, "suppression_ms": 750, "minimum_count": 3, "latency_ms": 100, "fe.sample_rate_hz": 16000,
    "fe.sample_length_ms": 100, "fe.window_size_ms": 30, "fe.window_step_ms": 20, "fe.filterbank_n_channels": 20,
    "fe.filterbank_upper_band_limit": 7500.0, "fe.filterbank_lower_band_limit": 125.0, "fe.noise_reduction_enable": False,
    "fe.pcan_enable": False, "fe.log_scale_enable": True, "fe.log_scale_shift": 6, "fe.fft_length": 512,
}  # fmt: skip


def mltk_model(changes: dict[str, Any], scale: float = 1.0, zero: int = 0) -> Path:
    """A tiny model with the parameters of KEYWORDS but for the changes; None takes a key away."""
    held = {key: value for key, value in {**KEYWORDS, **changes}.items() if value is not None}
    Path("words.tflite").write_bytes(tiny_model(4, 20, 3, scale, zero, metadata={"SL_PARAMSv1": dictionary(held)}))
    return Path("words.tflite")


def dictionary(held: dict[str, Any], version: int = 1) -> bytes:
    """As MLTK writes it, by the flatbuffers package."""
    b = flatbuffers.Builder(1024)
    entries = []
    for key, value in held.items():
        match value:
            case bool():
                kind, slot = 1, ("uint8", int(value))
            case int():
                kind, slot = 6, ("int32", value)
            case float():
                kind, slot = 10, ("float32", value)
            case str():
                kind, slot = 12, ("offset", b.CreateString(value))
            case [str(), *_]:
                kind, slot = 13, ("offset", offsets(b, [b.CreateString(text) for text in value]))
            case _:
                kind, slot = 14, ("offset", b.CreateNumpyVector(np.array(value, np.int32)))
        entries.append(table(b, {0: ("offset", b.CreateString(key)), 1: ("uint8", kind), 2: ("offset", table(b, {0: slot}))}))
    b.Finish(table(b, {0: ("uint8", version), 1: ("offset", offsets(b, entries))}))
    return bytes(b.Output())


def test_a_keyword_model_becomes_stages_and_a_detector(here):
    assert tinystream("import", mltk_model({})).code == 0
    app = load("two_words")
    front, _, stack = app.stages
    assert (app.source.rate_hz, app.source.block_ms) == (16000, 20)
    assert (front.window_ms, front.bands, front.low_hz, front.high_hz, front.tables) == (30, 20, 125, 7500, "float64")
    assert (front.noise_reduction, front.pcan, front.log) == (False, False, True)
    assert (stack.frames, stack.every) == (4, 5)
    detect = app.detect
    assert (detect.labels, detect.mean_of, detect.threshold, detect.quiet_s) == (("go", "stop"), 11, 161 / 256, 0.8)
    assert app.model.labels == ("go", "stop", "_unknown_")


def test_mltks_additions_to_the_front_end_become_stages(here):
    assert tinystream("import", mltk_model({
        "fe.dc_notch_filter_enable": True, "fe.dc_notch_filter_coefficient": 0.95,
        "fe.quantize_dynamic_scale_enable": True, "fe.quantize_dynamic_scale_range_db": 40.0})).code == 0
    notch, front, stack, scaled = load("two_words").stages
    assert (notch.kind, notch.coefficient, front.kind, stack.kind, scaled.kind) == (
        "dc_notch", 0.95, "micro_frontend", "stack", "dynamic_range")
    plan = plan_file("two_words")
    (step,) = (step for step in plan.steps if step.kind == "dynamic_range")
    assert step.params["range"] == 294 == int(40 * 64 * 0.11512925465)
    assert "dynamic" not in " ".join(read_published(Path("words.tflite")).lacks)


def test_a_dynamic_range_of_nothing_is_refused(here):
    assert "words.tflite cannot be imported: range = 0" in refused(mltk_model({"fe.quantize_dynamic_scale_enable": True}))


def test_thresholds_of_their_own_for_each_class(here):
    assert tinystream("import", mltk_model({"detection_threshold_list": [150, 170, 254]})).code == 0
    assert load("two_words").detect.threshold == {"go": 151 / 256, "stop": 171 / 256}
    plan_file("two_words")


def test_a_class_that_no_mean_is_above_never_alerts(here):
    assert tinystream("import", mltk_model({"detection_threshold_list": [150, 255, 255]})).code == 0
    assert (load("two_words").detect.labels, load("two_words").detect.threshold) == (("go",), 151 / 256)
    assert tinystream("import", mltk_model({"detection_threshold_list": [150, 150, 100]}), "--force").code == 0
    assert "# a mean above 150 of 255: (150 + 1) / 256" in Path("two_words/app.toml").read_text()
    assert "no class may alert: go, stop, _unknown_" in refused(mltk_model({"detection_threshold": 255}))


def test_without_averaging_the_last_score_counts(here):
    assert tinystream("import", mltk_model({"minimum_count": 0})).code == 0
    assert load("two_words").detect.mean_of == 1


@pytest.mark.parametrize(("changes", "told"), [
    ({"fe.activity_detection_enable": True, "fe.activity_detection_alpha_a": 0.5}, "fe.activity_detection: MLTK's firmware scores only"),
    ({"volume_gain": 2}, "volume_gain = 2: MLTK's firmware multiplies"),
    ({"fe.new_thing_enable": 7}, "fe.new_thing_enable = 7: not known here"),
])
def test_what_mltk_computes_besides_is_told_to_the_person_and_in_the_file(here, changes, told):
    done = tinystream("import", mltk_model(changes))
    assert done.code == 0 and f"  not here  {told}" in done.err
    assert f"#   not here  {told}" in Path("two_words/app.toml").read_text()
    assert "not here" not in tinystream("import", mltk_model({}), "-o", "plain").err


@pytest.mark.parametrize(("changes", "what"), [
    ({"fe.window_size_ms": None}, "the MLTK parameters of words.tflite do not tell fe.window_size_ms"),
    ({"fe.window_step_ms": "20"}, "have fe.window_step_ms = '20', which is not a whole number of at least 1"),
    ({"fe.window_step_ms": 20.5}, "have fe.window_step_ms = 20.5, which is not a whole number of at least 1"),
    ({"latency_ms": float("nan")}, "have latency_ms = nan, which is not a whole number"),
    ({"fe.window_step_ms": 0}, "have fe.window_step_ms = 0, which is not a whole number of at least 1"),
    ({"fe.filterbank_upper_band_limit": float("inf")}, "have fe.filterbank_upper_band_limit = inf, which is not a number"),
    ({"fe.sample_length_ms": 200}, "tell 9 frames of 20 features, and the model wants 4x20 int8"),
    ({"classes": ["go"]}, "words.tflite gives 3 scores, and 1 classes are named\n   = help: --label NAME for each"),
    ({"classes": None}, "words.tflite gives 3 scores, and 0 classes are named"),
    ({"classes": ["_a", "_b", "_c"]}, "no class may alert: _a, _b, _c"),
    ({"classes": ["go", 'x"y', "_"]}, "which an event cannot carry"),
    ({"detection_threshold": 300}, "have the thresholds [300, 300, 300], not 3 of 0 to 255"),
    ({"detection_threshold_list": [1, 2]}, "have the thresholds [1, 2], not 3 of 0 to 255"),
    ({"fe.filterbank_upper_band_limit": 9000.0}, "words.tflite cannot be imported: high_hz = 9000 is not below half the sample rate"),
])
def test_a_mistake_in_mltks_parameters(here, changes, what):
    assert what in refused(mltk_model(changes))


def test_a_model_that_is_not_trained_on_counts(here):
    assert "counts its input in steps of 0.5 around -3; MLTK's int8 features count in 1 around 0" in refused(mltk_model({}, 0.5, -3))


def test_labels_that_the_file_lacks_are_given(here):
    path = mltk_model({"classes": None})
    assert tinystream("import", path, *(word for label in ("left", "right", "_") for word in ("--label", label))).code == 0
    assert load("two_words").detect.labels == ("left", "right")


def test_parameters_of_a_later_schema_and_damaged_ones():
    model = tiny_model(metadata={"SL_PARAMSv1": dictionary({"classes": ["a"]}, version=2)})
    with pytest.raises(ModelError, match="schema version 2, and 1 is known"):
        parameters(model)
    for cut in range(0, 400, 7):
        held = dictionary(KEYWORDS)
        with pytest.raises(ModelError):
            parameters(tiny_model(metadata={"SL_PARAMSv1": held[:cut]}))


# --- micro_speech, and what nothing knows -------------------------------------------------------------------------


def test_micro_speech_is_known_by_its_shape_or_by_the_persons_word(here):
    Path("speech.tflite").write_bytes(tiny_model(49, 40, 4, 0.1017, -128))
    assert read_published(Path("speech.tflite")).kind == "micro_speech"
    Path("six.tflite").write_bytes(tiny_model(49, 40, 6, 0.1017, -128))
    assert "error: nothing in six.tflite tells what front end it was trained with: it makes 6 int8 of 49x40 int8" in refused("six.tflite")
    assert "six.tflite gives 6 scores, and 4 labels are known" in refused("six.tflite", "--kind", "micro_speech")
    labels = [word for label in ["silence", "unknown", "up", "down", "left", "right"] for word in ("--label", label)]
    assert tinystream("import", "six.tflite", "--kind", "micro_speech", *labels).code == 0
    assert load("six").detect.labels == ("up", "down", "left", "right")


def test_a_kind_that_a_file_is_not_of(here):
    Path("six.tflite").write_bytes(tiny_model(5, 40, 6))
    assert "six.tflite wants 5x40 int8, and micro_speech 49 frames of 40 features" in refused("six.tflite", "--kind", "micro_speech")
    assert "six.tflite holds no parameters of MLTK" in refused("six.tflite", "--kind", "mltk")
    assert "word.json is no .tflite file" in refused(manifest({}), "--kind", "micro_speech")


# --- the parts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [50, 127, 160, 200, 254])
def test_a_mean_passes_the_threshold_exactly_where_the_originals_does(threshold):
    """floor(mean) > threshold of the original, for each sum of eleven scores."""
    detector = Recognise(["go"], 100, 1000, [threshold], 750, 3)
    (row,) = (row for row in detector.detector.rows if row.key == "threshold")
    sums = np.arange(255 * detector.mean_of + 1)
    np.testing.assert_array_equal(sums // detector.mean_of > threshold, sums / detector.mean_of / 256 >= row.value)


@pytest.mark.parametrize(("step", "suppression", "quiet"), [(100, 750, 800), (100, 1500, 1600), (20, 1500, 1520), (30, 0, 30)])
def test_an_alert_comes_more_than_the_suppression_after_the_last(step, suppression, quiet):
    assert Recognise(["go"], step, 1000, [200], suppression, 3).quiet_ms == quiet


def test_the_text_of_a_table_is_aligned():
    rows = [Row("kind", "mel"), Row("low_hz", 125.0, "where it begins"), Row("log", True), Row("rate_hz", 16000), Row("share", 0.05)]
    assert Table("[[stage]]", rows, "In front.").text == (
        '# In front.\n[[stage]]\nkind    = "mel"\nlow_hz  = 125                 # where it begins\nlog     = true\n'
        "rate_hz = 16_000\nshare   = 0.05")


def test_importing_in_python(here):
    app = read_published(manifest({}), wishes=Wishes(rule="mww_2024_10"))
    files = write_app(app, Path("mine"))
    assert files == [Path("mine/app.toml"), Path("mine/okay_nabu.tflite")] and load("mine").detect.rule == "mww_2024_10"
    with pytest.raises(TinystreamError):
        read_published(Path("nothing.tflite"))
