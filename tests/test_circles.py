"""Do variables whose new value is computed from their old one live on as in TFLM, call after call, in whatever chunks they are called?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streaming_model import Graph, starts, streaming_model

from tinystream.errors import ModelError
from tinystream.ops.add import EXAMPLES as ADDITIONS
from tinystream.ops.recall import Recall
from tinystream.ops.remember import Remember
from tinystream.plan.model import parse_model, read_model
from tinystream.plan.plan import Wiring, plan_model, plan_steps
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.stages.stack import Stack

CALLS = 300


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def model(build, *more, x=(1, 6)):
    """The file of a graph that `build` makes from its input "x"."""
    graph = Graph(["x"], [])
    graph.flow("x", *x)
    if more:
        graph.call_once()
    graph.outputs = build(graph)
    return streaming_model(graph, *more)


# --- forms of circles -----------------------------------------------------------------------------------------------------


def sum_of_all(graph):
    graph.assign("v", graph.add("y", graph.read("v", 1, 6), "x"))
    return ["y"]


def running_mean(graph):
    """m + (x - m) / 8"""
    past = graph.read("m", 1, 6, scale=0.04)
    eighth = graph.constant([16], "int8")
    graph.tensors[eighth] += ([1 / 128], [0])
    step = graph.mul("step", graph.sub("off", "x", past, scale=0.1), eighth, scale=0.01, zero=3)
    graph.assign("m", graph.add("y", past, step, scale=0.04))
    return ["y"]


def gated_unit(graph):
    """A GRU: the gates see x and what is remembered, the candidate sees what the reset gate leaves of it."""
    h = graph.read("h", 1, 5, scale=1 / 128, zero=0)
    near = graph.concatenate("near", graph.dense("from_x", "x", 5, scale=1 / 128, zero=0), h, scale=1 / 128, zero=0)
    update = graph.function("LOGISTIC", "update", graph.dense("u", near, 5, scale=0.06, zero=2))
    reset = graph.function("LOGISTIC", "reset", graph.dense("r", near, 5, scale=0.06, zero=-2))
    left = graph.mul("left", reset, h, scale=1 / 128, zero=0)
    new = graph.function("TANH", "new", graph.dense("n", graph.concatenate("seen", "from_x", left, scale=1 / 128, zero=0), 5, scale=0.05))
    off = graph.mul("part", update, graph.sub("off", new, h, scale=1 / 64, zero=0), scale=1 / 64, zero=0)
    graph.assign("h", graph.add("next", h, off, scale=1 / 128, zero=0))
    return [graph.dense("y", "next", 3)]


def each_from_the_other(graph):
    """a becomes b of before, b the sum of a and x."""
    a, b = graph.read("a", 1, 6), graph.read("b", 1, 6)
    graph.assign("a", b)
    graph.assign("b", graph.add("sum", a, "x"))
    return [graph.add("y", a, b)]


def one_after_the_other(graph):
    """Two layers with memory, and one between that has none."""
    graph.assign("v", graph.function("TANH", "first", graph.add("p", "x", graph.read("v", 1, 6, scale=1 / 128, zero=0))))
    between = graph.dense("between", "first", 4)
    graph.assign("w", graph.function("LOGISTIC", "second", graph.add("q", between, graph.read("w", 1, 4, scale=1 / 256, zero=-128))))
    return [graph.dense("y", "second", 2)]


def own_output_delayed(graph):
    """A delay line, of what is computed from it: three values of y before."""
    window = graph.concatenate("window", graph.read("v", 1, 18), graph.dense("young", "x", 6))
    y = graph.dense("y", graph.add("all", window, window), 6)
    kept = graph.concatenate("kept", graph.read("v", 1, 18), y)
    told = [graph.constant([0, 6]), graph.constant([1, 18])]
    graph.flow("last", 1, 18)
    graph.operators.append(("SLICE", [kept, *told], ["last"], 0, {}))
    graph.assign("v", "last")
    return [y]


def written_and_read_again(graph):
    """What is read after it was written is the new value; of two writings the later one counts."""
    old = graph.read("v", 1, 6)
    graph.assign("v", graph.add("once", old, "x"))
    new = graph.read("v", 1, 6)
    graph.assign("v", graph.add("twice", new, "x"))
    return [graph.add("y", old, new)]


def never_written(graph):
    return [graph.add("y", "x", graph.read("v", 1, 6))]


def turned_round(graph):
    """The new values before the old ones."""
    window = graph.concatenate("window", "x", graph.read("v", 1, 12))
    told = [graph.constant([0, 0]), graph.constant([1, 12])]
    graph.flow("kept", 1, 12)
    graph.operators.append(("SLICE", [window, *told], ["kept"], 0, {}))
    graph.assign("v", "kept")
    return [graph.add("y", window, window)]


def of_16_bits(graph):
    """The sum of what came, at 16 bits, beside a delay line."""
    wide = graph.operator("QUANTIZE", ["x"], graph.flow("wide", 1, 6, dtype="int16", scale=0.001, zero=0))
    graph.assign("v", graph.add("y", graph.read("v", 1, 6, dtype="int16", scale=0.001, zero=0), wide, dtype="int16", scale=0.001, zero=0))
    before = graph.read("w", 1, 6, dtype="int16", scale=0.001, zero=0)
    graph.assign("w", wide)
    return [graph.add("z", "y", before, dtype="int16", scale=0.002, zero=0)]


def unequal(size, dtype="int8"):
    return np.arange(-2 * size, 2 * size, 4, dtype=dtype)[None]


CASES = {
    "sum of all": (sum_of_all, {}),
    "sum of all from start values": (sum_of_all, dict(v=unequal(6))),
    "running mean": (running_mean, dict(m=np.full((1, 6), 90, np.int8))),
    "gated unit": (gated_unit, dict(h=unequal(5))),
    "gated unit from zero": (gated_unit, {}),
    "each from the other": (each_from_the_other, dict(a=unequal(6), b=-unequal(6))),
    "one after the other": (one_after_the_other, dict(v=unequal(6), w=unequal(4))),
    "own output delayed": (own_output_delayed, dict(v=unequal(18))),
    "written and read again": (written_and_read_again, {}),
    "never written": (never_written, dict(v=unequal(6))),
    "turned round": (turned_round, dict(v=unequal(12))),
    "of 16 bits": (of_16_bits, {}),
}


def case(name):
    build, given = CASES[name]
    data = model(build, *([starts(**given)] if given else []))
    x = np.random.default_rng(4).integers(-128, 128, (CALLS, 6)) >> np.random.default_rng(5).integers(0, 7, (CALLS, 1))
    return data, plan_model(parse_model(data, "model.tflite")), x.astype(np.int8)


def outputs(plan, engine, x, size):
    """The model's output, called in chunks of so many blocks."""
    (end,) = plan.outputs
    return np.concatenate([engine.push(x[i : i + size], want=[end])[end].y for i in range(0, len(x), size)])


def outputs_of_tflm(data, x):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 18)
    for block in x:
        tflm.set_input(block[None], 0)
        tflm.invoke()
        yield tflm.get_output(0).ravel().copy()


def outputs_of_tflite(data, x):
    tflite = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime")
    interpreter = tflite.Interpreter(model_content=data, experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    for block in x:
        interpreter.set_tensor(given["index"], block[None])
        interpreter.invoke()
        yield interpreter.get_tensor(made["index"]).ravel()


@pytest.mark.parametrize("name", CASES)
def test_calls_give_what_tflm_gives(name):
    data, plan, x = case(name)
    y = outputs(plan, Engine(plan), x, CALLS)
    for n, want in enumerate(outputs_of_tflm(data, x)):
        np.testing.assert_array_equal(y[n].ravel(), want, err_msg=f"call {n}")


@pytest.mark.parametrize("name", [n for n, (_, given) in CASES.items() if given and n != "gated unit" and n != "one after the other"])
def test_calls_give_what_tflites_reference_kernels_give(name):
    """But for the tables that TFLite makes from float exp; and it has no value for a variable that was not written."""
    data, plan, x = case(name)
    y = outputs(plan, Engine(plan), x, CALLS)
    for n, want in enumerate(outputs_of_tflite(data, x)):
        np.testing.assert_array_equal(y[n].ravel(), want, err_msg=f"call {n}")


@pytest.mark.parametrize("name", CASES)
def test_c_and_python_agree_in_chunks_of_any_size_and_after_a_reset(name):
    _, plan, x = case(name)
    host = Engine(plan)
    y = outputs(plan, host, x, CALLS)
    native = Native(plan)
    for engine in (native, host):
        for size in (CALLS, 1, 7):
            engine.reset()
            np.testing.assert_array_equal(outputs(plan, engine, x, size), y)


def test_only_what_lies_between_a_variable_and_its_new_value_takes_turns():
    _, plan, _ = case("gated unit")
    engine = Engine(plan)
    turns = [plan.steps[i] for i in engine.turns]
    assert turns[0].kind == "recall" and turns[-1].kind == "remember"
    (first, last) = (i for i, step in enumerate(plan.steps) if step.kind == "fully_connected" and i not in engine.turns)
    assert engine.before == [first], "the dense layer of x comes before, for many blocks at once"
    assert engine.after == [last]
    _, plan, _ = case("never written")
    assert not Engine(plan).turns


# --- beside steps that wait -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 3])
def test_a_model_that_is_called_now_and_then_remembers_from_call_to_call(every):
    data, alone, x = case("gated unit")
    parsed = parse_model(data, "model.tflite")
    (signal,) = parsed.signals(alone.x[0].rate_hz)
    wiring = Wiring()
    stack = Stack(frames=1, every=every).plan(signal)
    at = wiring.add(stack, [-1])
    outputs_at = wiring.add_model(parsed.plan(stack.y), [at])
    plan = plan_steps("now_and_then", (signal,), wiring.steps, outputs=tuple(outputs_at))
    want = outputs(alone, Engine(alone), x[::every], CALLS)
    for engine in (Engine(plan), Native(plan)):
        for size in (CALLS, 1, 7):
            engine.reset()
            np.testing.assert_array_equal(outputs(plan, engine, x, size), want)


def test_a_step_inside_the_circle_may_wait():
    """Of every second sum nothing comes, and the variable stays what it is."""
    addition, x, _ = ADDITIONS[0]
    past = Recall(unequal(x.size).reshape(x.shape), x.scale, x.zero).plan(x)
    summed = replace(addition.plan(x, past.y), sources=(-1, 0))
    waits = replace(Stack(frames=1, every=2).plan(summed.y), sources=(1,))
    kept = replace(Remember().plan(waits.y, past.y), sources=(2, 0))
    wiring = Wiring()
    wiring.add([past, summed, waits, kept], [-1])
    plan = plan_steps("waits", (x,), wiring.steps, outputs=(3,))
    blocks = np.random.default_rng(8).integers(-9, 9, (60, *x.shape)).astype(np.int8)
    native, host = Native(plan), Engine(plan)
    fired, want = native.push(blocks), host.push(blocks)
    for i in range(len(plan.steps)):
        np.testing.assert_array_equal(fired[i].when, want[i].when)
        np.testing.assert_array_equal(fired[i].y, want[i].y)
    assert want[3].when.tolist() == list(range(0, 60, 2))
    assert (want[0].y[1] == want[3].y[0].reshape(x.shape)).all() and (want[0].y[2] == want[0].y[1]).all()
    host.reset()
    np.testing.assert_array_equal(outputs(plan, host, blocks, 7), want[3].y)


# --- what is refused ------------------------------------------------------------------------------------------------------


def written_a_constant(graph):
    past = graph.read("v", 1, 6)
    graph.assign("v", graph.constant(np.zeros((1, 6)), "int8"))
    return [graph.add("y", "x", past)]


def of_another_size(graph):
    past = graph.read("v", 1, 6)
    graph.assign("v", graph.concatenate("two", "x", past))
    return [graph.add("y", "x", past)]


def filled_late(graph):
    graph.operators.clear()
    past = graph.read("v", 1, 6)
    graph.call_once()
    graph.assign("v", graph.add("y", "x", past))
    return ["y"]


def read_of_a_constant(graph):
    """Not a handle, but values."""
    past = graph.read("v", 1, 6)
    graph.operators[-1] = ("READ_VARIABLE", [graph.constant(np.zeros((1, 6)), "int8")], [past], 0, {})
    return [graph.add("y", "x", past)]


def two_of_one_tensor(graph):
    """Both additions write "y"."""
    sum_of_all(graph)
    graph.operators.append(("ADD", ["x", "x"], ["y"], 11, {}))
    return ["y"]


@pytest.mark.parametrize(
    ("build", "given", "says"),
    [
        (read_of_a_constant, {}, "READ_VARIABLE (#1) names no variable"),
        (two_of_one_tensor, {}, "ADD (#2) reads a tensor that nothing before it computes"),
        (written_a_constant, {}, "variable 'v' is written constants at every call"),
        (of_another_size, {}, "variable 'v' is read as 6 values of int8, and 12 of int8 are written"),
        (filled_late, dict(v=unequal(6)), "CALL_ONCE (#2) of the model fills variables that were read or written before"),
        (sum_of_all, dict(v=unequal(5)), "variable 'v' starts with something else than 6 constants of int8"),
    ],
)
def test_what_no_order_can_be_told_of_is_refused(build, given, says):
    with pytest.raises(ModelError) as error:
        parse_model(model(build, *([starts(**given)] if given else [])), "model.tflite")
    assert says in error.value.what
    assert error.value.help


# --- as TensorFlow converts them ------------------------------------------------------------------------------------------

CONVERTED = ("streaming_gru", "unrolled_gru", "unrolled_lstm")


def converted(name):
    """(file, plan, blocks) of a model that tests/models/make.py has made."""
    path = Path(__file__).parent / "models" / f"{name}.tflite"
    plan = plan_model(read_model(path))
    rng = np.random.default_rng(6)
    x = rng.integers(-128, 128, (CALLS, *plan.x[0].shape)) >> rng.integers(0, 7, (CALLS, *[1] * len(plan.x[0].shape)))
    return path.read_bytes(), plan, x.astype(np.int8)


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_layers_give_what_tflm_and_tflites_reference_kernels_give(name):
    data, plan, x = converted(name)
    y = outputs(plan, Engine(plan), x, CALLS)
    for oracle in (outputs_of_tflm, outputs_of_tflite):
        for n, want in enumerate(oracle(data, x)):
            np.testing.assert_array_equal(y[n].ravel(), want, err_msg=f"call {n} of {oracle.__name__}")


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_layers_are_the_same_in_c(name):
    _, plan, x = converted(name)
    native, want = Native(plan), outputs(plan, Engine(plan), x, CALLS)
    for size in (CALLS, 7):
        np.testing.assert_array_equal(outputs(plan, native, x, size), want)
        native.reset()
