"""Do variables that are computed from their own values give what TFLM gives, call after call, in any chunks, and again after a reset?"""

from __future__ import annotations

import subprocess
from fractions import Fraction

import numpy as np
import pytest
from streaming_model import SCALE, ZERO, Graph, starts, streaming_model
from test_variables import convolution_like, streams

from tinystream.emit.compiler import compiler
from tinystream.emit.host import build_stream, parse_stream
from tinystream.errors import ModelError
from tinystream.ops._prune import pruned
from tinystream.plan.fuse import fused
from tinystream.plan.model import parse_model
from tinystream.plan.passes import reuse_windows
from tinystream.plan.plan import Wiring, plan_model, plan_steps
from tinystream.plan.signal import Signal
from tinystream.plan.views import viewed
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.stages.stack import Stack

CALLS = 300


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


# --- files --------------------------------------------------------------------------------------------------------------


def times(graph, y, a, b, scale=SCALE, zero=ZERO):
    return graph.operator("MUL", [a, b], graph.flow(y, *graph.tensors[a][0], scale=scale, zero=zero), 21)


def share(graph, real):
    """A constant of a value."""
    name = graph.constant(np.full((1, 1, 3), round(real * 100), np.int8), "int8")
    graph.tensors[name] = (*graph.tensors[name][:3], [0.01], [0])
    return name


def mixed(graph, y, a, b, kept=0.9):
    """kept * a + (1 - kept) * b"""
    return graph.add(y, times(graph, f"{y}_old", a, share(graph, kept)), times(graph, f"{y}_new", b, share(graph, 1 - kept)))


def dense(graph, y, x, units, seed):
    rng = np.random.default_rng(seed)
    inputs = int(np.prod(graph.tensors[x][0]))
    weight, bias = rng.integers(-127, 128, (units, inputs)).astype(np.int8), rng.integers(-400, 400, units).astype(np.int32)
    names = [f"{y}_weight", f"{y}_bias"]
    graph.tensors[names[0]] = (weight.shape, "int8", weight, [0.01], [0])
    graph.tensors[names[1]] = (bias.shape, "int32", bias, [0.01 * graph.tensors[x][3][0]], [0])
    return graph.operator("FULLY_CONNECTED", [x, *names], graph.flow(y, 1, units), 8, {0: ("int8", 0)})


def curve(graph, kind, y, x):
    scale, zero = (2.0**-8, -128) if kind == "LOGISTIC" else (2.0**-7, 0)
    return graph.operator(kind, [x], graph.flow(y, *graph.tensors[x][0], scale=scale, zero=zero))


def summed_up(graph):
    past = graph.read("v", 1, 2, 3)
    graph.assign("v", graph.add("y", past, "x"))
    return ["y"]


def running_mean(graph):
    graph.assign("v", mixed(graph, "y", graph.read("v", 1, 2, 3), "x"))
    return ["y"]


def the_mean_before(graph):
    """What is written is no output, and nothing after it reads it."""
    past = graph.read("v", 1, 2, 3)
    graph.assign("v", mixed(graph, "mean", past, "x"))
    return [graph.add("y", past, past)]


def gated(graph):
    """A recurrent unit: h' = z * h + (1 - z) * tanh(W x + U h), z = sigmoid(V x + T h)."""
    past = graph.read("h", 1, 6)
    gate, new = (
        curve(graph, kind, f"{kind}_y", graph.add(f"{kind}_x", dense(graph, f"{kind}_a", "x", 6, 2), dense(graph, f"{kind}_b", past, 6, 3)))
        for kind in ("LOGISTIC", "TANH")
    )
    one = graph.constant(np.full((1, 6), 100, np.int8), "int8")
    graph.tensors[one] = (*graph.tensors[one][:3], [0.01], [0])
    rest = graph.operator("SUB", [one, gate], graph.flow("rest", 1, 6, scale=2.0**-8, zero=-128), 28)
    h = graph.add("h_new", times(graph, "kept", gate, past), times(graph, "taken", rest, new))
    graph.assign("h", h)
    return [dense(graph, "y", h, 4, 9)]


def feed_each_other(graph):
    v, w = graph.read("v", 1, 2, 3), graph.read("w", 1, 2, 3)
    graph.assign("v", mixed(graph, "v_new", w, "x", 0.7))
    graph.assign("w", mixed(graph, "w_new", v, w, 0.6))
    return [graph.add("y", "v_new", "w_new")]


def one_reads_what_the_other_has_now(graph):
    mixed(graph, "v_new", graph.read("v", 1, 2, 3), "x", 0.7)
    graph.assign("v", "v_new")
    mixed(graph, "w_new", graph.read("w", 1, 2, 3), graph.read("v", 1, 2, 3), 0.8)
    graph.assign("w", "w_new")
    return [graph.add("y", graph.read("w", 1, 2, 3), "x")]


def written_twice(graph):
    """The first value that is written is read once, and lost."""
    past = graph.read("v", 1, 2, 3)
    graph.assign("v", graph.add("once", past, "x"))
    now = graph.read("v", 1, 2, 3)
    graph.assign("v", mixed(graph, "twice", now, past, 0.5))
    return [graph.add("y", now, past)]


def read_twice(graph):
    a, b = graph.read("v", 1, 2, 3), graph.read("v", 1, 2, 3)
    graph.assign("v", graph.add("new", graph.add("both", a, b), "x"))
    return [mixed(graph, "y", "new", b)]


def through_a_window(graph):
    """A delay line of something that depends on what it remembers."""
    past = graph.read("v", 1, 2, 3)
    new = mixed(graph, "new", past, "x")
    window = graph.concatenate("window", past, new)
    graph.assign("v", graph.slice("kept", window, 2, 2))
    return [graph.add("y", window, window)]


def a_longer_window(graph):
    """Four rows are remembered; two new ones, made of the oldest, come in."""
    past = graph.read("v", 1, 4, 3)
    new = mixed(graph, "new", graph.slice("oldest", past, 0, 2), "x", 0.5)
    window = graph.concatenate("window", past, new)
    graph.assign("v", graph.slice("kept", window, 2, 4))
    return [graph.add("y", window, window)]


def delays_in_a_circle(graph):
    """Each delay line takes in what the other one remembers."""
    v, w = graph.read("v", 1, 2, 3), graph.read("w", 1, 2, 3)
    graph.assign("v", mixed(graph, "a", w, "x", 0.8))
    graph.assign("w", mixed(graph, "b", v, "x", 0.3))
    return [graph.add("y", v, w)]


def a_delay_beside_a_mean(graph):
    """What is delayed is a running mean, and the mean is of what is delayed by a line of its own."""
    window = graph.concatenate("window", graph.read("line", 1, 2, 3), "x")
    graph.assign("line", graph.slice("kept", window, 2, 2))
    mean = mixed(graph, "mean", graph.read("v", 1, 2, 3), graph.slice("first", window, 0, 2))
    graph.assign("v", mean)
    behind = graph.concatenate("behind", graph.read("late", 1, 2, 3), mean)
    graph.assign("late", graph.slice("kept_late", behind, 2, 2))
    return [graph.add("y", behind, behind)]


def turned_round(graph):
    window = graph.concatenate("window", "x", graph.read("v", 1, 4, 3))
    graph.assign("v", graph.slice("kept", window, 0, 4))
    return [graph.add("y", window, window)]


def of_another_scale(graph):
    """The counts that are written at one scale are read at another."""
    past = graph.read("v", 1, 2, 3)
    graph.tensors[past] = (*graph.tensors[past][:3], [0.1], [4])
    new = graph.operator("ADD", [past, "x"], graph.flow("new", 1, 2, 3, scale=0.02, zero=9), 11)
    graph.assign("v", new)
    return [mixed(graph, "y", new, past)]


RECURRENT = [summed_up, running_mean, the_mean_before, gated, feed_each_other, one_reads_what_the_other_has_now, written_twice, read_twice,
             through_a_window, a_longer_window, delays_in_a_circle, a_delay_beside_a_mean, turned_round, of_another_scale]
STARTED = [(summed_up, dict(v=6)), (gated, dict(h=6)), (feed_each_other, dict(v=6, w=6)), (convolution_like, dict(v=12)),
           (a_delay_beside_a_mean, dict(v=6, line=6, late=6))]  # values of each variable


def file_of(build, sizes=None):
    more = [starts(**{name: np.arange(-20, 20, dtype=np.int8)[5 : 5 + n].reshape(1, n) for name, n in sizes.items()})] if sizes else []
    return streams(build, *more)


FILES = [*[(build, None) for build in RECURRENT], *STARTED]
IDS = [f"{build.__name__}{'-started' if sizes else ''}" for build, sizes in FILES]


# --- the same -----------------------------------------------------------------------------------------------------------


def noise(x):
    """Soft, loud and constant."""
    rng = np.random.default_rng(4)
    blocks = np.clip(rng.normal(x.zero, 30, (CALLS, *x.shape)), -128, 127).astype(np.int8)
    blocks[100:140] = rng.integers(-128, 128, (40, *x.shape), dtype=np.int8)
    blocks[140:150], blocks[150:160], blocks[160:200] = -128, 127, x.zero
    return blocks


def of_tflm(data, blocks):
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="needs the tflite-micro package")
    tflm = runtime.Interpreter.from_bytes(data, arena_size=1 << 18)
    found = []
    for block in blocks:
        tflm.set_input(block.reshape(tflm.get_input_details(0)["shape"]), 0)
        tflm.invoke()
        found.append(tflm.get_output(0).ravel().copy())
    return np.stack(found)


def output(plan, fired):
    return fired[plan.outputs[0]].y.reshape(-1, plan.steps[plan.outputs[0]].y.size)


@pytest.mark.parametrize(("build", "sizes"), FILES, ids=IDS)
def test_calls_one_after_the_other_give_what_tflm_gives(build, sizes):
    data = file_of(build, sizes)
    model = parse_model(data, "model.tflite")
    x = noise(plan_model(model).x[0])
    want = of_tflm(data, x)
    assert len(np.unique(want[-100:])) > 1, "a model that stands still tests nothing"
    for plan in (plan_model(model), plan_model(pruned(model), rewrite=True)):
        for engine in (Engine(plan), Native(plan)):
            for chunk in (CALLS, 1, 7):
                y = np.concatenate([output(plan, engine.push(x[i : i + chunk])) for i in range(0, len(x), chunk)])
                np.testing.assert_array_equal(y, want, err_msg=f"{engine.name}, chunks of {chunk}")
                engine.reset()


@pytest.mark.parametrize(("build", "sizes"), [FILES[i] for i in (3, 4, 11, 13, 14)], ids=[IDS[i] for i in (3, 4, 11, 13, 14)])
def test_the_sanitizers_see_the_same_in_every_step(build, sizes, tmp_path):
    plan = plan_model(parse_model(file_of(build, sizes), "model.tflite"))
    x = noise(plan.x[0])
    program = build_stream(plan, tmp_path, compiler(), spread=True)
    done = subprocess.run([program], input=x.tobytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    firmware, host = parse_stream(plan, done.stdout)[0], Engine(plan).push(x)
    for i, step in enumerate(plan.steps):
        np.testing.assert_array_equal(firmware[i][1], host[i].y, err_msg=step.name)


@pytest.mark.parametrize("build", [running_mean, gated, delays_in_a_circle])
def test_random_calls_give_what_tflites_reference_kernels_give(build):
    tflite = pytest.importorskip("tflite_runtime.interpreter", reason="needs tflite-runtime")
    data = file_of(build, dict(v=6, w=6, h=6))
    plan = plan_model(parse_model(data, "model.tflite"))
    x = noise(plan.x[0])
    interpreter = tflite.Interpreter(model_content=data, experimental_op_resolver_type=tflite.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    y = output(plan, Engine(plan).push(x))
    for n, block in enumerate(x):
        interpreter.set_tensor(given["index"], block.reshape(given["shape"]))
        interpreter.invoke()
        np.testing.assert_array_equal(y[n], interpreter.get_tensor(made["index"]).ravel(), err_msg=f"call {n}")


# --- in a plan ----------------------------------------------------------------------------------------------------------


def waiting(build, rewrite):
    """A plan of a model that is called at every second block, and whose last step waits, too."""
    model = parse_model(file_of(build), "model.tflite")
    (x,) = model.signals(Fraction(10))
    wiring = Wiring()
    row = Signal(x.shape[1:], x.dtype, x.rate_hz * 2, x.scale, x.zero)
    wiring.add(Stack(frames=2, every=2).plan(row), [-1])
    (end,) = wiring.add_model(model.plan(x), [0])
    wiring.add(Stack(frames=2, every=3).plan(wiring.steps[end].y), [end])
    steps, last = wiring.steps, len(wiring.steps) - 1
    for rewritten in (reuse_windows, viewed, fused) if rewrite else ():
        steps, at = rewritten(steps, keep=[last])
        last = at[last]
    return plan_steps("waiting", (row,), steps, outputs=(last,))


@pytest.mark.parametrize("rewrite", [False, True])
@pytest.mark.parametrize("build", [running_mean, a_delay_beside_a_mean])
def test_a_model_that_waits_remembers_its_own_calls(build, rewrite):
    plan = waiting(build, rewrite)
    rows = noise(plan.x[0])
    host = Engine(plan).push(rows)
    model = plan_model(parse_model(file_of(build), "model.tflite"))
    alone = output(model, Engine(model).push(rows.reshape(-1, 2, 3)))
    y = host[plan.outputs[0]]
    assert y.when.tolist() == list(range(3, CALLS, 6))
    np.testing.assert_array_equal(y.y.reshape(len(y.y), -1), np.stack([alone[n - 1 : n + 1].ravel() for n in (y.when - 1) // 2]))
    native, chunked = Native(plan).push(rows), Engine(plan)
    parts = [chunked.push(rows[i : i + 5]) for i in range(0, CALLS, 5)]
    for i in host:
        np.testing.assert_array_equal(native[i].when, host[i].when)
        np.testing.assert_array_equal(native[i].y, host[i].y)
        np.testing.assert_array_equal(np.concatenate([p[i].when for p in parts]), host[i].when)
        np.testing.assert_array_equal(np.concatenate([p[i].y for p in parts]), host[i].y)


def test_no_blocks_change_nothing():
    plan = plan_model(parse_model(file_of(running_mean), "model.tflite"))
    engine, x = Engine(plan), noise(plan.x[0])[:6]
    y = [output(plan, engine.push(part)) for part in (x[:3], x[:0], x[3:])]
    np.testing.assert_array_equal(np.concatenate(y), output(plan, Engine(plan).push(x)))


# --- what is read and written -------------------------------------------------------------------------------------------


def test_what_is_only_written_is_not_kept():
    def written_only(graph):
        graph.assign("v", graph.add("y", "x", "x"))
        return ["y"]

    def of_no_output(graph):
        graph.assign("v", mixed(graph, "mean", graph.read("v", 1, 2, 3), "x"))
        return [graph.add("y", "x", "x")]

    for build in (written_only, of_no_output):
        assert [step.kind for step in plan_model(parse_model(file_of(build), "model.tflite")).steps] == ["add"]


def test_a_variable_that_is_never_written_in_a_call_keeps_its_start():
    def offset(graph):
        return [graph.add("y", graph.read("v", 1, 2, 3), "x")]

    data = file_of(offset, dict(v=6))
    plan = plan_model(parse_model(data, "model.tflite"))
    x = noise(plan.x[0])[:20]
    np.testing.assert_array_equal(output(plan, Engine(plan).push(x)), of_tflm(data, x))
    np.testing.assert_array_equal(output(plan, Native(plan).push(x)), of_tflm(data, x))


def test_without_start_values_a_variable_begins_at_the_zero_of_what_is_written():
    plan = plan_model(parse_model(file_of(of_another_scale), "model.tflite"))
    assert plan.steps[0].state["values"].tolist() == [[9] * 3] * 2


def test_a_model_with_float_ends_remembers_too():
    graph = Graph(["real"], [])
    graph.tensors["real"] = ((1, 2, 3), "float32", None)
    graph.operator("QUANTIZE", ["real"], graph.flow("x", 1, 2, 3))
    graph.outputs = running_mean(graph)
    plan, inside = (plan_model(parse_model(data, "model.tflite")) for data in (streaming_model(graph), file_of(running_mean)))
    x = noise(plan.x[0])
    np.testing.assert_array_equal(output(plan, Engine(plan).push(x)), output(inside, Engine(inside).push(x)))


def assigns_a_constant(graph):
    past = graph.read("v", 1, 2, 3)
    graph.assign("v", graph.constant(np.zeros((1, 2, 3)), "int8"))
    return [graph.add("y", past, "x")]


def reads_another_size(graph):
    past = graph.read("v", 1, 2, 2)
    graph.assign("v", graph.add("y", "x", "x"))
    return [graph.add("z", past, past)]


def reads_what_it_wrote_at_another_scale(graph):
    graph.assign("v", graph.add("y", "x", "x"))
    past = graph.read("v", 1, 2, 3)
    graph.tensors[past] = (*graph.tensors[past][:3], [0.1], [4])
    return [graph.add("z", past, past)]


def starts_too_late(graph):
    y = summed_up(graph)
    graph.operators.append(graph.operators.pop(0))
    return y


@pytest.mark.parametrize(
    ("build", "sizes", "says"),
    [
        (assigns_a_constant, None, "variable 'v' is written constants at every call"),
        (reads_another_size, None, "variable 'v' is read as 4 values of int8, and 6 of int8 are written"),
        (reads_what_it_wrote_at_another_scale, None, "changes the number of values or their scale"),
        (starts_too_late, dict(v=6), "CALL_ONCE (#4) of the model fills variables that were read or written before"),
        (summed_up, dict(v=5), "variable 'v' starts with something else than 6 constants of int8"),
    ],
)
def test_what_cannot_be_ordered_or_is_unsound_is_refused_by_name(build, sizes, says):
    with pytest.raises(ModelError) as error:
        parse_model(file_of(build, sizes), "model.tflite")
    assert says in error.value.what
    assert error.value.help
