"""Does `tinystream model` tell what a file holds, all that is not compiled, and where interpreters differ?"""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import operator_model
import pytest
from command import APP, tinystream
from operator_model import FILES, INT32, flowing, one_operator
from shared import shared
from streaming_model import streaming_model
from test_prune import Net, biases
from test_prune import random as random_weights
from tiny_model import tiny_model

from tinystream.app.model_report import ModelReport
from tinystream.cli.model import print_model
from tinystream.interpreters import apart
from tinystream.ops import transpose_conv
from tinystream.plan.arena import lower_bound
from tinystream.plan.model import open_model
from tinystream.plan.plan import plan_model
from tinystream.run import compare as compare_module
from tinystream.run.compare import INTERPRETERS, Comparison, compare, compared

MODEL = APP / "model.tflite"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def written(tmp_path, data: bytes):
    path = tmp_path / "some.tflite"
    path.write_bytes(data)
    return path


REFERENCE = "tflite-runtime reference"


def installed(name: str) -> None:
    missing = missing_of(name)
    if missing:
        pytest.skip(f"needs: {missing}")


def missing_of(name: str) -> str:
    return next(i.missing for i in INTERPRETERS if i.name == name)


# --- what is told -----------------------------------------------------------------------------------------------------


def test_the_bundled_model_is_told_whole():
    done = tinystream("model", MODEL)
    assert done.code == 0, done
    assert re.search(r"input +101x1x40 int8 with scale 0\.\d+, zero -128|input +101x40", done.out), done.out
    assert "CONV_2D" in done.out
    report = ModelReport.of(MODEL)
    assert f"arena {report.plan.arena_bytes} B; {lower_bound(report.plan.buffers)} B are in use" in done.out
    assert f"{sum(row.macs for row in report.operators)} MACs" in done.out
    for buffer in report.plan.buffers:
        assert re.search(rf"^{buffer.step}(\.{buffer.member})? +{buffer.bytes} +{buffer.offset} ", done.out, re.M), buffer


def test_json_has_every_figure_of_the_plan():
    told = json.loads(tinystream("model", MODEL, "--json").out)
    plan = ModelReport.of(MODEL).plan
    assert told["compiled"] is True
    assert (told["arena_bytes"], told["state_bytes"], told["table_bytes"]) == (plan.arena_bytes, plan.state_bytes, plan.table_bytes)
    assert max(b["offset"] + b["bytes"] for b in told["buffers"]) <= told["arena_bytes"]
    assert sum(op["macs"] for op in told["operators"]) == told["macs"] > 0
    assert told["inputs"][0]["dtype"] == "int8"
    assert told["refused"] == []


def test_channels_that_are_not_computed_are_told(tmp_path):
    net = Net(4, 4, 2).conv(random_weights(0, 12, 3, 3, 2), biases(*range(8), of=12)).conv(random_weights(1, 4, 1, 1, 12), biases(of=4))
    done = tinystream("model", written(tmp_path, streaming_model(net)))
    assert "CONV_2D (#0): 8 of 12 channels are constant or unread, and are not computed" in done.out
    told = json.loads(tinystream("model", written(tmp_path, streaming_model(net)), "--json").out)
    assert told["constant_channels"] == [dict(operator="CONV_2D (#0)", channels=12, computed=4)]
    assert told["computed_macs"] < told["macs"]


def test_show_lists_the_arena_where_it_is_asked_to():
    assert "are in use at once" in tinystream("show", APP, "--memory").out
    assert "are in use at once" not in tinystream("show", APP).out
    told = json.loads(tinystream("show", APP, "--memory", "--json").out)
    assert told["arena_lower_bound"] <= max(b["offset"] + b["bytes"] for b in told["buffers"]) <= told["arena_bytes"]
    assert "buffers" not in json.loads(tinystream("show", APP, "--json").out)


def test_a_step_is_told_with_its_bytes():
    told, plan = json.loads(tinystream("model", MODEL, "--json").out), ModelReport.of(MODEL).plan
    assert [(s["step"], s["table_bytes"]) for s in told["steps"]] == [(s.name, s.flash_bytes) for s in plan.steps]
    assert sum(s["macs"] for s in told["steps"]) == told["computed_macs"]
    assert sum(s["state_bytes"] for s in told["steps"]) == told["state_bytes"]


def test_a_narrow_table_leaves_shapes_of_inputs_and_scales_out(monkeypatch):
    assert re.search(r"^1 +DEPTHWISE_CONV_2D .* 33x1x48 +29x1x48 int8 +0\.0682025 +-8 +6960 +672 *$", tinystream("model", MODEL).out, re.M)
    monkeypatch.setenv("COLUMNS", "80")
    narrow = tinystream("model", MODEL).out
    assert re.search(r"^1 +DEPTHWISE_CONV_2D .* 29x1x48 int8 +6960 +672 *$", narrow, re.M)
    assert "33x1x48 " not in narrow.partition("DEPTHWISE_CONV_2D")[2]


def test_a_files_own_words_do_nothing_to_a_terminal(tmp_path, capsys):
    data = one_operator("RELU", [flowing(1, 4)], [flowing(1, 4)]).replace(b"t0\0", b"\x1b[\0")
    assert "\N{REPLACEMENT CHARACTER}[\n" in tinystream("model", written(tmp_path, data)).out
    report = ModelReport.of(MODEL)
    row = replace(report.operators[0], kind="[/b]")  # such as the name of a custom operator
    print_model(replace(report, operators=(row,)))
    assert "[/B]" in capsys.readouterr().out


# --- what is refused --------------------------------------------------------------------------------------------------


def test_everything_that_is_not_compiled_is_told_at_once():
    path = shared("data", "models", "tflm", "audio_preprocessor_int8.tflite")
    done = tinystream("model", path)
    assert done.code == 1
    lacking = r"1\d of 24 operators of audio_preprocessor_int8.tflite have no integer kernel here: SIGNALWINDOW of int16 \(#0\)"
    assert re.search(lacking, done.out)
    assert "mixes" not in done.out, "what has no kernel is refused for that alone"
    assert "more)" in done.out, "tensors that cannot flow are told, too"
    assert "SIGNALRFFT" in done.out, "the table is printed as far as it can be read"
    assert "audio_preprocessor_int8.tflite cannot be compiled" in done.err
    assert json.loads(tinystream("model", path, "--json").out)["compiled"] is False


def test_a_float_model_runs_in_an_interpreter_and_nowhere_else():
    installed(REFERENCE)
    path = shared("data", "models", "mlperf_tiny", "kws_ref_model_float32.tflite")
    done = tinystream("model", path, "--compare")
    assert done.code == 1
    assert "a float model runs on the host through an interpreter only; no C is emitted for it" in done.out
    assert f"{REFERENCE}: it runs there, and gives 1x12 float32" in done.err
    assert done.out.count("not compiled: tensor") == 1, "one word for all its float tensors"


def test_what_is_no_model_is_refused_without_a_table(tmp_path):
    done = tinystream("model", written(tmp_path, b"TFL3" * 10))
    assert (done.code, done.out) == (1, "")
    assert "damaged or not a .tflite file" in done.err


def test_an_operator_that_cannot_be_read_is_told_in_its_row(tmp_path):
    data = one_operator("CONCATENATION", [flowing(1, 4), flowing(1, 4)], [flowing(1, 8)], 10, {0: ("int32", 7)})
    done = tinystream("model", written(tmp_path, data))
    assert done.code == 1
    assert done.out.count("has axis 7 of 2") == 2, "in its row, and among what keeps the model from being compiled"


# --- beside interpreters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpreter", ["tflm", REFERENCE])
def test_the_bundled_model_is_identical(interpreter):
    installed(interpreter)
    found = {c.interpreter: c for c in compare(MODEL.read_bytes(), "model.tflite")}[interpreter]
    assert (found.missing, found.differing, found.calls) == ("", 0, 24)
    assert found.says == "identical: 24 values of 24 calls"


def test_a_streaming_model_is_compared_over_hundreds_of_calls():
    installed("tflm")
    path = shared("data", "models", "micro_wake_word", "v2_alexa.tflite")
    found = {c.interpreter: c for c in compare(path.read_bytes(), path.name)}
    assert (found["tflm"].calls, found["tflm"].differing) == (300, 0)
    assert (found[REFERENCE].missing, found[REFERENCE].differing) == ("", 0)


def test_a_difference_is_told_with_its_place_and_size(tmp_path, monkeypatch):
    """TFLM's SUM is not TFLite's: ours is TFLM's."""
    installed("tflm")
    installed(REFERENCE)
    path = written(tmp_path, FILES["sum of an image"]())
    found = {c.interpreter: c for c in compare(path.read_bytes(), path.name)}
    assert found["tflm"].differing == 0
    other = found[REFERENCE]
    assert other.differing > 0
    output, call, index, ours, theirs = other.first
    assert other.largest >= abs(ours - theirs) > 0
    assert (other.inside.operator, other.inside.values) == ("SUM (#0)", 3)
    assert 0 < other.inside.differing <= 3
    assert 0 < other.inside.largest <= other.largest
    assert f"first at output {output} of call {call}, value {index}: {ours:g} here, {theirs:g} there" in other.says
    done = tinystream("model", path, "--compare")
    assert done.code == 0, "what TFLM computes is what counts"
    assert f"{REFERENCE} ({other.version}): {other.says}" in done.out


def test_what_is_emitted_is_what_is_compared(monkeypatch):
    """The passes are not taken on trust: a plan whose last clamp is another one is found."""
    installed(REFERENCE)

    def clamped(model, **how):
        plan = plan_model(model, **how)
        last = replace(plan.steps[-1], params=plan.steps[-1].params | dict(low=-100, high=-100))
        return replace(plan, steps=(*plan.steps[:-1], last)) if how else plan

    monkeypatch.setattr(compare_module, "plan_model", clamped)
    found = {c.interpreter: c for c in compare(MODEL.read_bytes(), "model.tflite")}[REFERENCE]
    assert found.differing > 0
    assert found.first[3] == -100
    assert found.inside is None, "the definition of each operator is the interpreter's"


def test_the_first_difference_is_that_of_the_earliest_call():
    tensor = open_model(MODEL.read_bytes(), "model.tflite").outputs[0]
    model = replace(open_model(MODEL.read_bytes(), "model.tflite"), outputs=(tensor, tensor))
    ours = [np.zeros((3, 2), np.int8)] * 2
    theirs = [np.array([[0, 0], [0, 0], [0, 9]], np.int8), np.array([[0, 0], [-4, 0], [0, 0]], np.int8)]
    found = compared(Comparison("some"), model, ours, theirs)
    assert (found.calls, found.values, found.differing, found.largest) == (3, 12, 2, 9)
    assert found.first == (1, 1, 0, 0.0, -4.0)


def test_a_model_that_crashes_tflite_is_compared_with_tflm():
    """TFLite reads this model's int8 weights over time as int16, beyond their end."""
    installed("tflm")
    installed(REFERENCE)
    path = shared("data", "models", "tflm", "keyword_scrambled_8bit.tflite")
    done = tinystream("model", path, "--compare")
    assert done.code == 0
    assert "): identical: 600 values of 300 calls" in done.out
    assert re.search(rf"^{REFERENCE} .*not compared: it (crashed|failed)", done.out, re.M)


def test_outputs_of_another_size_are_not_compared():
    model, ours = open_model(MODEL.read_bytes(), "model.tflite"), [np.zeros((3, 2), np.int8)]
    assert compared(Comparison("some"), model, ours, [np.zeros((3, 4), np.int8)]).says == (
        "not compared: it gives [12] values, where [6] belong"
    )
    assert compared(Comparison("some"), model, ours, []).missing


def test_an_interpreter_that_kills_its_process_takes_nothing_with_it(monkeypatch):
    installed(REFERENCE)
    monkeypatch.setenv("PYTHONFAULTHANDLER", "")
    monkeypatch.setattr(apart, "CHILD", ["-c", "import os; os.abort()"])
    assert {c.says for c in compare(MODEL.read_bytes(), "model.tflite") if not missing_of(c.interpreter)} == {
        "not compared: it crashed (signal 6)"
    }


def test_many_calls_are_compared_some_at_a_time():
    installed(REFERENCE)
    x = np.random.default_rng(0).integers(-128, 128, (compare_module.CHUNK * 2 + 5, 4, 5), dtype=np.int8)
    found = {c.interpreter: c for c in compare(tiny_model(), "tiny.tflite", [x])}[REFERENCE]
    assert (found.calls, found.values, found.differing) == (len(x), 2 * len(x), 0)


def test_an_interpreter_that_crashes_or_lacks_an_operator_is_told_and_the_others_run(monkeypatch):
    installed(REFERENCE)
    path = shared("data", "models", "arm_kws", "basic_lstm_quantized_small.tflite")
    found = {c.interpreter: c for c in compare(path.read_bytes(), path.name)}
    assert found[REFERENCE].differing == 0
    if not missing_of("tflm"):
        assert "it failed: tensorflow/lite/micro/kernels/fill.cc Non-constant >dims< tensor is not supported" in found["tflm"].says


@pytest.mark.parametrize("interpreter", ["tflm", REFERENCE])
def test_an_input_that_only_tells_a_shape_is_given_to_an_interpreter(interpreter, monkeypatch):
    installed(interpreter)
    monkeypatch.setattr(operator_model, "numbers", lambda *values: ([len(values)], INT32, None, (), (), 0))
    layer, *x = transpose_conv.EXAMPLES[0]
    data = operator_model.operator_model("transpose_conv", layer, x)
    found = {c.interpreter: c for c in compare(data, "told.tflite")}[interpreter]
    assert (found.missing, found.differing) == ("", 0)


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(apart, "find_spec", lambda name: None)
    assert [c.says for c in compare(MODEL.read_bytes(), "model.tflite")] == [
        "not compared: pip install tflite-micro --pre (Linux on x86-64)",
        *["not compared: pip install tflite-runtime"] * 2,
        *["not compared: pip install ai-edge-litert"] * 2,
    ]


def test_inputs_of_the_users_own_are_what_is_run(tmp_path):
    installed("tflm")
    x = np.zeros((3, *ModelReport.of(MODEL).plan.x[0].shape), np.int8)
    np.save(tmp_path / "x.npy", x)
    done = tinystream("model", MODEL, "--compare", "--inputs", tmp_path / "x.npy")
    assert "): identical: 3 values of 3 calls" in done.out


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros(7, np.int8), "values a call, and is given 7"),
        (np.zeros(101 * 40, np.float32), "takes int8, and is given float32"),
        (np.full(101 * 40, 300), "takes int8, and is given int64"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(array, says, tmp_path):
    np.save(tmp_path / "x.npy", array)
    done = tinystream("model", MODEL, "--compare", "--inputs", tmp_path / "x.npy")
    assert done.code == 1
    assert says in done.err


def test_inputs_without_compare_are_a_wrong_usage(tmp_path):
    assert tinystream("model", MODEL, "--inputs", tmp_path / "x.npy").code == 2
