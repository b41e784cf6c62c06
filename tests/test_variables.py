"""Do models that stream compute what TFLM computes, call after call?  And which variables are none that a step can keep?"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from shared import shared
from streaming_model import SCALE, ZERO, Graph, starts, streaming_model
from test_model import reference

from tinystream.app.planning import plan_file
from tinystream.errors import ModelError
from tinystream.plan.model import parse_model, read_model
from tinystream.plan.plan import plan_model
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import Reading, replay
from tinystream.run.trace import difference

MODELS = ["v1_hey_jarvis", "v2_alexa", "v2_hey_jarvis", "v2_hey_mycroft", "v2_okay_nabu", "v2_vad"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def path(name):
    return shared("data", "models", "micro_wake_word", f"{name}.tflite")


@cache
def compiled(name):
    return plan_model(read_model(path(name)))


def last(plan, fired):
    return fired[len(plan.steps) - 1].y


def as_uint8(y):
    """A score of ours as the file's QUANTIZE gives it."""
    return (y.astype(np.int16) + 128).astype(np.uint8).ravel()


def random_steps(plan, count=300):
    """Noise, silence and full scale, as long as the longest memory."""
    (x,) = plan.x
    rng = np.random.default_rng(5)
    blocks = rng.integers(-128, 128, (count, *x.shape), dtype=np.int8)
    blocks[100:130], blocks[130:150] = -128, 127
    return blocks


@pytest.mark.parametrize("name", MODELS)
def test_scores_of_speech_are_the_golden_ones_of_tflm(name):
    plan = compiled(name)
    with np.load(shared("data", "golden_tflm", f"micro_wake_word__{name}__speech.npz")) as file:
        x, want = file["in0"].reshape(-1, *plan.x[0].shape), file["out0"].ravel()
    assert want.max() > 200, "the word is in it"
    np.testing.assert_array_equal(as_uint8(last(plan, Engine(plan).push(x))), want)
    native = Native(plan)
    for life in ("first", "second"):
        np.testing.assert_array_equal(as_uint8(last(plan, native.push(x))), want, err_msg=f"the {life} life in C")
        native.reset()


@pytest.mark.parametrize("name", MODELS)
def test_random_steps_give_what_tflm_gives(name):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    plan = compiled(name)
    x = random_steps(plan)
    tflm = runtime.Interpreter.from_file(str(path(name)), arena_size=1 << 18)
    want = []
    for block in x:
        tflm.set_input(block.reshape(tflm.get_input_details(0)["shape"]), 0)
        tflm.invoke()
        want.append(tflm.get_output(0).item())
    np.testing.assert_array_equal(as_uint8(last(plan, Engine(plan).push(x))), want)
    np.testing.assert_array_equal(as_uint8(last(plan, Native(plan).push(x))), want)


@pytest.mark.parametrize("name", ["v1_hey_jarvis", "v2_okay_nabu"])
def test_random_steps_give_what_tflites_reference_kernels_give(name):
    plan = compiled(name)
    x = random_steps(plan, 200)
    want = list(called(reference(path(name)), x))
    np.testing.assert_array_equal(as_uint8(last(plan, Engine(plan).push(x))), np.concatenate(want).ravel())


def called(interpreter, x):
    """The outputs of an interpreter, block after block."""
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    for block in x:
        interpreter.set_tensor(given["index"], block.reshape(given["shape"]))
        interpreter.invoke()
        yield interpreter.get_tensor(made["index"])


# --- in an app ----------------------------------------------------------------------------------------------------------

APP = """\
name = "listener"

[source]
kind     = "microphone"
rate_hz  = 16_000
block_ms = 10

[[stage]]
kind = "micro_frontend"

[[stage]]
kind = "quantize"
rule = "micro_wake_word"

[[stage]]
kind   = "stack"
frames = 3
every  = 3

[model]
file   = "{model}"
labels = ["word"]

[detect]
kind                = "micro_wake_word"
probability_cutoff  = {cutoff}
sliding_window_size = {window}
"""


def listener(name, folder):
    manifest = json.loads(path(name).with_suffix(".json").read_text())["micro"]
    file = folder / "app.toml"
    file.write_text(APP.format(model=path(name), cutoff=manifest["probability_cutoff"], window=manifest["sliding_window_size"]))
    return plan_file(file)


@pytest.mark.parametrize("word", ["alexa", "hey_jarvis", "hey_mycroft", "okay_nabu"])
def test_a_word_is_heard_in_its_recordings_and_not_in_those_of_other_words(word, tmp_path):
    plan = listener(f"v2_{word}", tmp_path)
    for other in ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu"):
        for file in sorted(shared("data", "audio", "wakeword", other).glob("pmw_*.wav")):
            heard = len(events(plan, file))
            assert (heard > 0) == (other == word), f"{heard} times {word} in {file.parent.name}/{file.name}"


def events(plan, file):
    return replay(plan, Native(plan), Reading().read(plan, file).samples).events


def test_host_and_c_hear_the_same(tmp_path):
    plan = listener("v2_okay_nabu", tmp_path)
    samples = Reading().read(plan, shared("data", "audio", "wakeword", "okay_nabu", "pmw_1.wav")).samples
    host, native = (replay(plan, engine, samples, keep="all") for engine in (Engine(plan), Native(plan)))
    assert difference(host, native) is None
    assert len(host.events) == 1


# --- variables of every form --------------------------------------------------------------------------------------------


def streams(build, *more, x=(1, 2, 3)):
    """(file, graph) of a graph that `build` makes from its input "x"."""
    graph = Graph(["x"], [])
    graph.flow("x", *x)
    if more:
        graph.call_once()
    graph.outputs = build(graph)
    return streaming_model(graph, *more)


def convolution_like(graph):
    """Past 4 rows, 2 new; all six are read."""
    window = graph.concatenate("window", graph.read("v", 1, 4, 3), "x")
    graph.assign("v", graph.slice("kept", window, 2, 4))
    return [graph.add("y", window, window)]


def dropped_before_it_is_joined(graph):
    """Five rows are kept, and the oldest one is dropped before the new ones are joined to it."""
    window = graph.concatenate("window", graph.slice("young", graph.read("v", 1, 5, 3), 2, 3), "x")
    graph.assign("v", window)
    return [graph.add("y", window, window)]


def more_new_than_kept(graph):
    """One row is kept of the two that come."""
    window = graph.concatenate("window", graph.read("v", 1, 1, 3), "x")
    graph.assign("v", graph.slice("kept", window, 2, 1))
    return [graph.add("y", window, window)]


def two_windows(graph):
    """Readers look at the last 3 and at rows 1 and 2 of 6: the oldest is never looked at."""
    window = graph.concatenate("window", graph.read("v", 1, 4, 3), "x")
    graph.assign("v", graph.slice("kept", window, 2, 4))
    long, short = graph.slice("long", window, 3, 3), graph.slice("short", window, 1, 2)
    return [graph.concatenate("y", graph.add("a", long, long), graph.add("b", short, short))]


def a_delay(graph):
    """What was read one call ago, and nothing else."""
    past = graph.read("v", 1, 2, 3)
    graph.assign("v", "x")
    return [graph.add("y", past, past)]


def one_behind_the_other(graph):
    """The second variable takes what the first one lets go; read before anything is computed."""
    first, second = graph.read("v", 1, 2, 3), graph.read("w", 1, 2, 3)
    graph.assign("v", "x")
    graph.assign("w", first)
    return [graph.add("y", graph.add("a", second, "x"), first)]


def read_twice(graph):
    once, again = graph.read("v", 1, 2, 3), graph.read("v", 1, 2, 3)
    graph.assign("v", "x")
    return [graph.add("y", once, again)]


def channels_apart(graph):
    """A part that is no run of values is taken from the window as it stands."""
    window = graph.concatenate("window", graph.read("v", 1, 4, 3), "x")
    graph.assign("v", graph.slice("kept", window, 2, 4))
    told = [graph.constant([0, 0, 1]), graph.constant([1, 6, 2])]
    graph.flow("right", 1, 6, 2)
    graph.operators.append(("SLICE", [window, *told], ["right"], 0, {}))
    return [graph.add("y", "right", "right")]


FORMS = [convolution_like, dropped_before_it_is_joined, more_new_than_kept, two_windows, a_delay, one_behind_the_other, read_twice,
         channels_apart]


@pytest.mark.parametrize("build", FORMS)
def test_a_delay_line_of_any_form_is_what_tflm_computes(build):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    data = streams(build)
    plan = plan_model(parse_model(data, "model.tflite"))
    x = np.random.default_rng(1).integers(-128, 128, (20, *plan.x[0].shape), dtype=np.int8)
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 16)
    y = last(plan, Engine(plan).push(x))
    np.testing.assert_array_equal(last(plan, Native(plan).push(x)), y)
    for n, block in enumerate(x):
        tflm.set_input(block[None], 0)
        tflm.invoke()
        np.testing.assert_array_equal(y[n].ravel(), tflm.get_output(0).ravel(), err_msg=f"call {n}")


def test_nothing_is_remembered_that_nobody_reads():
    def remembered(build):
        return sum(step.state["values"].size for step in plan_model(parse_model(streams(build), "model.tflite")).steps if step.state)

    assert remembered(two_windows) == 3 * 3, "rows 1, 2 and 3 of 6"
    assert remembered(dropped_before_it_is_joined) == 3 * 3


def test_start_values_are_those_of_the_subgraph_that_is_called_once():
    model = parse_model(streams(convolution_like, starts(v=np.full((1, 4, 3), 20, np.int8))), "model.tflite")
    plan = plan_model(model)
    x = np.full((2, 2, 3), 30, np.int8)
    y = Engine(plan).push(x)[0].y
    assert y.tolist() == [[20] * 12 + [30] * 6, [20] * 6 + [30] * 12]


def test_without_start_values_a_variable_begins_at_its_zero():
    y = Engine(plan_model(parse_model(streams(convolution_like), "model.tflite"))).push(np.zeros((1, 2, 3), np.int8))[0].y
    assert y.tolist() == [[ZERO] * 12 + [0] * 6]
    assert SCALE == 0.05


def test_start_values_may_differ_from_place_to_place():
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    data = streams(convolution_like, starts(v=np.arange(12, dtype=np.int8).reshape(1, 4, 3)))
    plan = plan_model(parse_model(data, "model.tflite"))
    assert [step.kind for step in plan.steps] == ["history", "add"]
    x, native, host = np.random.default_rng(1).integers(-128, 128, (5, 2, 3), dtype=np.int8), Native(plan), Engine(plan)
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 16)
    want = []
    for block in x:
        tflm.set_input(block[None], 0)
        tflm.invoke()
        want.append(tflm.get_output(0)[0])
    for engine in (host, native, host, native):
        np.testing.assert_array_equal(last(plan, engine.push(x)), np.reshape(want, (5, 18)))
        engine.reset()
    assert plan.steps[0].flash_bytes == 12, "they are in flash"


def test_start_values_of_another_size_are_refused():
    with pytest.raises(ModelError) as error:
        parse_model(streams(convolution_like, starts(v=np.zeros((1, 3, 3), np.int8))), "model.tflite")
    assert "variable 'v' starts with something else than 12 constants of int8" in error.value.what
    assert error.value.help
