"""Do branches, gates and shared memory change a bit?  Apps at random, and the shapes of app in which a mistake would hide.

Every step of every graph must fire at the same block with the same values in numpy and in C with sanitizers, and so must every
event.  The arena is held to its promises on the same graphs: what lives at the same time lies apart.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from examples import FORMS
from test_prune import SAME, VALID, Net
from test_prune import random as random_weights

from tinystream.app.planning import plan_file
from tinystream.detectors.smoothed import Smoothed
from tinystream.emit.compiler import WARNINGS, compilers
from tinystream.emit.host import build_stream, parse_stream
from tinystream.errors import AppError
from tinystream.ops.add import Add
from tinystream.ops.logistic import Logistic
from tinystream.ops.requantize import Requantize
from tinystream.ops.softmax import Softmax
from tinystream.plan.plan import Detection, Plan, Wiring, plan_model, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.biquad import Biquad
from tinystream.stages.concat import Concat
from tinystream.stages.dct import Dct
from tinystream.stages.frame import Frame
from tinystream.stages.gate import Gate
from tinystream.stages.log import Log
from tinystream.stages.mel import Mel
from tinystream.stages.preemphasis import Preemphasis
from tinystream.stages.quantize import Quantize
from tinystream.stages.spectrum import Spectrum
from tinystream.stages.stack import Stack

ROOT = Path(__file__).parents[1]
MICROPHONE = Signal((32,), "int16", Fraction(250), 2.0**-15, unit="FS", sample_hz=Fraction(8000))
BLOCKS = 120
RANDOM = range(20)


# --- graphs ---------------------------------------------------------------------------------------------------


@dataclass
class Graph:
    """Steps as they are wired; add() gives the index of a stage's output, -1 - i is input i."""

    x: tuple[Signal, ...] = (MICROPHONE,)
    wiring: Wiring = field(default_factory=Wiring)
    marks: dict[str, object] = field(default_factory=dict)

    def signal(self, index: int) -> Signal:
        return self.wiring.steps[index].y if index >= 0 else self.x[-1 - index]

    def add(self, stage, *sources: int) -> int:
        return self.wiring.add(stage.plan(*map(self.signal, sources)), sources)

    def detect(self, source: int, count: int | None = None) -> None:
        """Alerts of what is above `count`, an eighth of what there can be where nothing is said."""
        x = self.signal(source)
        count = np.iinfo(x.dtype).max // 8 if count is None else count
        stage = Smoothed(threshold=x.scale * (count - x.zero), mean_of=2, quiet_s=0.02)
        detections = (Detection(self.add(stage, source), source),)
        self.marks = dict(detections=detections, labels=tuple(f"l{i}" for i in range(x.size)))

    def plan(self) -> Plan:
        return plan_steps("graph", self.x, self.wiring.steps, **self.marks)


def stages_for(x: Signal, rng: np.random.Generator) -> list:
    """What might read this signal; plan() refuses what does not fit."""
    flat = len(x.shape) == 1
    stream = flat and x.dtype == "int16" and x.sample_hz == x.rate_hz * x.size
    found: list = [Stack(frames=int(rng.integers(1, 5)), every=int(rng.integers(1, 4)))] if x.size < 400 else []
    if x.dtype == "int16":
        found += [Gate(open_db=float(rng.uniform(-40, -8)), hold_ms=float(rng.integers(0, 3) * 4))] * 2
        found += [Quantize(scale=x.scale * 256, zero=int(rng.integers(-9, 9))), Log(unit="db")]
    if x.dtype == "int8":
        found += [Logistic(), Softmax(x.shape[-1]), Requantize(x.scale * 1.5, 3)]
    if stream:
        found += [Preemphasis(), Biquad(type="highpass", cutoff_hz=200), Biquad(type="bandpass", low_hz=300, high_hz=2000)]
        found += [Frame(length_ms=1000 * x.size * n / float(x.sample_hz), window="boxcar") for n in (1, 2)]
    elif flat and x.dtype == "int16":
        found += [Spectrum(precision=int(rng.choice([16, 32]))), Dct(coefficients=min(5, x.size))]
    if x.bin_hz is not None:
        found += [Mel(bands=5, low_hz=100)] * 3 + [Log()]
    return found


def random_graph(seed: int) -> Graph:
    """Some twenty steps; the newest outputs are read most, so that chains grow, and older ones too, so that they branch."""
    rng = np.random.default_rng(seed)
    graph = Graph((MICROPHONE,) * int(rng.integers(1, 3)))
    at = [-1 - i for i in range(len(graph.x))]
    while len(graph.wiring.steps) < 18:
        source = at[-1 - min(int(rng.exponential(2.5)), len(at) - 1)]
        x = graph.signal(source)
        if rng.random() < 0.25:
            twins = [j for j in at if (same := graph.signal(j)).dtype == x.dtype and same.shape == x.shape and same.rate_hz == x.rate_hz]
            other = int(rng.choice(twins))
            stage, sources = (Add(x.scale, 1) if x.dtype == "int8" and rng.random() < 0.6 else Concat()), (source, other)
        else:
            choice = stages_for(x, rng)
            if not choice:
                continue
            stage, sources = choice[int(rng.integers(len(choice)))], (source,)
        try:
            at.append(graph.add(stage, *sources))
        except AppError:
            continue
    scores = [j for j in at if graph.signal(j).dtype in ("int8", "int16") and graph.signal(j).size <= 64]
    if scores and seed % 5:
        graph.detect(scores[-1])
    return graph


def recorded(plan: Plan, seed: int = 0) -> list[np.ndarray]:
    """Noise that comes and goes, so that gates open and close, each input at other times."""
    rng = np.random.default_rng(seed)
    blocks = []
    for x in plan.x:
        loud = 10 ** (rng.uniform(-50, 0, (BLOCKS // 6, 1)) / 20)
        noise = np.clip(rng.normal(0, 15000, (BLOCKS // 6, 6, x.size)) * loud[..., None], -32768, 32767)
        blocks.append(noise.astype(x.dtype).reshape(BLOCKS, *x.shape))
    return blocks


def assert_same(plan: Plan, folder: Path, seed: int = 0) -> None:
    """numpy and C: every step when and what, every event."""
    x = recorded(plan, seed)
    host = Engine(plan).push(*x)
    program = build_stream(plan, folder, compilers()[0])
    done = subprocess.run([program], input=b"".join(b.tobytes() for group in zip(*x) for b in group), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    steps, events = parse_stream(plan, done.stdout)
    for i, step in enumerate(plan.steps):
        np.testing.assert_array_equal(steps[i][0], host[i].when, err_msg=f"when {step.name} fires")
        np.testing.assert_array_equal(steps[i][1], host[i].y, err_msg=step.name)
    told = host[plan.detector] if plan.detector is not None else None
    assert events == ([(int(t), n, *y.tolist()) for n, (t, y) in enumerate(zip(*told))] if told else [])


# --- numpy and C ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", RANDOM)
def test_a_random_app_is_the_same_in_c(seed, tmp_path):
    assert_same(random_graph(seed).plan(), tmp_path, seed)


def test_the_random_apps_are_about_something():
    plans = [random_graph(seed).plan() for seed in RANDOM]
    events = [len(Engine(p).push(*recorded(p, seed))[p.detector].when) for seed, p in enumerate(plans) if p.detector is not None]
    seen = {
        "two inputs": sum(len(p.x) == 2 for p in plans),
        "in place": sum(b.over is not None for p in plans for b in p.buffers),
        "memory used again": sum(p.arena_bytes < sum(b.bytes for b in p.buffers) for p in plans),
        "a branch that goes on without another": sum(len({*p.conditions()}) > 2 for p in plans),
        "a step that waits for two others": sum(len(c) > 1 for p in plans for c in p.conditions()),
        "an event": sum(n > 0 for n in events),
    }
    print(seen)
    assert min(seen.values()) >= 5, seen


def gate(db: float = -20) -> Gate:
    return Gate(open_db=db, hold_ms=4)


def in_place_on_the_input() -> Graph:
    """The input is the caller's, and const: the first of a chain must not write there."""
    g = Graph()
    a = g.add(Preemphasis(), -1)
    g.add(Concat(), a, -1)
    g.detect(g.add(Stack(frames=1), g.add(gate(), -1)))
    return g


def a_source_with_a_reader_later() -> Graph:
    """The gate of one branch must not work in place while the other branch has not read yet."""
    g = Graph()
    a = g.add(Biquad(type="highpass", cutoff_hz=200), -1)
    b = g.add(Preemphasis(), g.add(gate(), a))
    c = g.add(Preemphasis(coefficient=0.5), a)
    g.add(Concat(), c, a)
    g.detect(b)
    return g


def a_chain_in_place_with_a_branch_in_its_middle() -> Graph:
    g = Graph()
    a = g.add(Preemphasis(), g.add(Preemphasis(coefficient=0.9), g.add(Preemphasis(coefficient=0.8), -1)))
    side = g.add(Stack(frames=3), a)
    b = g.add(gate(-30), g.add(Preemphasis(coefficient=0.7), a))
    g.add(Log(unit="db"), side)
    g.detect(b)
    return g


def sums_over_their_own_sources() -> Graph:
    """a + a in place of a; a + f(a), whose sources are names of one place unless somebody looks."""
    g = Graph()
    q = g.add(Quantize(scale=2.0**-7, zero=0), -1)
    twice = g.add(Add(2.0**-6, -3), q, q)
    squashed = g.add(Requantize(2.0**-6, -4), twice)
    both = g.add(Add(2.0**-5, 2), squashed, twice)
    last = g.add(Add(2.0**-5, 2), g.add(Requantize(2.0**-5, 3), both), both)
    g.detect(g.add(Logistic(), last))
    return g


def gates_within_gates_and_beside_them() -> Graph:
    g = Graph((MICROPHONE, MICROPHONE))
    left, right = g.add(gate(-35), -1), g.add(gate(-30), -2)
    both = g.add(Concat(), left, right)
    inner = g.add(gate(-22), left)
    either = g.add(Concat(), inner, right)
    g.add(Log(unit="db"), right)
    free = g.add(Preemphasis(), -2)
    g.add(Stack(frames=2, every=2), both)
    g.add(Concat(), free, -1)
    g.detect(g.add(Quantize(scale=2.0**-7, zero=0), either), 8)
    return g


def a_gate_behind_a_frame_that_waits() -> Graph:
    g = Graph()
    framed = g.add(gate(-25), g.add(Frame(length_ms=8, hop_ms=8), -1))
    power = g.add(Spectrum(), framed)
    a, b = g.add(Log(), g.add(Mel(bands=5, low_hz=100), power)), g.add(Dct(coefficients=5), framed)
    stacked = g.add(Stack(frames=2), g.add(Quantize(scale=0.25, zero=0), a))
    g.add(Quantize(scale=2.0**-4, zero=0), b)
    g.detect(stacked, -60)
    return g


def an_input_that_nobody_reads() -> Graph:
    g = Graph((MICROPHONE, MICROPHONE))
    g.detect(g.add(gate(), -2))
    return g


def a_gate_that_nobody_reads_at_the_end() -> Graph:
    g = Graph()
    g.add(Preemphasis(), g.add(gate(), -1))
    g.add(gate(-10), -1)
    return g


GRAPHS = [in_place_on_the_input, a_source_with_a_reader_later, a_chain_in_place_with_a_branch_in_its_middle, sums_over_their_own_sources,
          gates_within_gates_and_beside_them, a_gate_behind_a_frame_that_waits, an_input_that_nobody_reads,
          a_gate_that_nobody_reads_at_the_end]


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: g.__name__)
def test_a_graph_with_a_trap_is_the_same_in_c(graph, tmp_path):
    plan = graph().plan()
    assert_same(plan, tmp_path)
    assert plan.detector is None or len(Engine(plan).push(*recorded(plan))[plan.detector].when) > 3


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: g.__name__)
@pytest.mark.parametrize("compiler", compilers(), ids=lambda c: c.name)
def test_the_c_alone_compiles_without_a_warning(graph, compiler, tmp_path):
    plan = graph().plan()
    build_stream(plan, tmp_path, compilers()[0], sanitize=False)
    compiler.build([tmp_path / "graph.c"], tmp_path / "graph.o", *WARNINGS, "-Os", "-c")


# --- the arena ------------------------------------------------------------------------------------------------


def roots(plan: Plan) -> dict[tuple[str, str], tuple[str, str]]:
    """The buffer whose place each one takes, through chains of steps that work in place."""
    over = {(b.step, b.member): (b.over, "y") if b.over else None for b in plan.buffers}
    found = {}
    for key in over:
        root = key
        while over[root]:
            root = over[root]
        found[key] = root
    return found


def assert_arena_keeps_its_promises(plan: Plan) -> None:
    steps = {s.name: i for i, s in enumerate(plan.steps)}
    root = roots(plan)
    assert {(b.step, b.member) for b in plan.buffers} == {(s.name, m) for s in plan.steps for m in ("y", *s.scratch)}
    for b in plan.buffers:
        i = steps[b.step]
        readers = [j for j, s in enumerate(plan.steps) if b.member == "y" and i in s.sources]
        assert (b.first, b.last) == (i, max([i, *readers])), "it lives from its step to its last reader"
        assert b.offset % 4 == 0
        assert b.offset % np.dtype(b.dtype).itemsize == 0
        if b.over:
            source = steps[b.over]
            given = next(o for o in plan.buffers if (o.step, o.member) == (b.over, "y"))
            assert plan.steps[i].inplace and plan.steps[i].sources[0] == source, "only over the first source, where the kernel allows it"
            assert given.last == i, "nobody reads what it overwrites"
            assert given.offset == b.offset and given.dtype == b.dtype and given.bytes >= b.bytes
    for i, a in enumerate(plan.buffers):
        for b in plan.buffers[i + 1 :]:
            together = a.first <= b.last and b.first <= a.last
            if together and root[a.step, a.member] != root[b.step, b.member]:
                if b.below and root[b.below, "y"] == root[a.step, a.member] and a.last == b.first and b.offset + b.gap <= a.offset:
                    assert plan.steps[steps[b.step]].gap == b.gap, "over what its kernel has read by then"
                    assert plan.steps[steps[b.step]].sources.count(steps[b.below]) == 1
                    continue
                assert a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset, f"{a} overlaps {b}"
    padded = sum(-(-b.bytes // 8) * 8 for b in plan.buffers)
    live = [sum({root[b.step, b.member]: b.bytes for b in plan.buffers if b.first <= t <= b.last}.values()) for t in range(len(plan.steps))]
    assert max(live) <= plan.arena_bytes <= padded


def test_arenas_of_random_apps_keep_their_promises():
    for seed in range(60):
        assert_arena_keeps_its_promises(random_graph(seed).plan())


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: g.__name__)
def test_the_arena_of_a_graph_with_a_trap_keeps_its_promises(graph):
    assert_arena_keeps_its_promises(graph().plan())


def test_the_arena_of_the_wake_word_keeps_its_promises():
    plan = plan_file(ROOT / "apps/wake_word")
    assert_arena_keeps_its_promises(plan)
    assert plan.arena_bytes < sum(b.bytes for b in plan.buffers) / 2


def test_a_step_works_in_place_only_where_nobody_is_hurt():
    def over(graph):
        return {b.step: b.over for b in graph.plan().buffers if b.member == "y"}

    assert over(in_place_on_the_input())["preemphasis"] is None
    assert over(in_place_on_the_input())["gate"] is None
    chain = over(a_chain_in_place_with_a_branch_in_its_middle())
    assert [chain[f"preemphasis{i}"] for i in ("", 2, 3, 4)] == [None, "preemphasis", "preemphasis2", "preemphasis3"]
    assert chain["gate"] == "preemphasis4"
    assert over(a_source_with_a_reader_later())["gate"] is None
    sums = over(sums_over_their_own_sources())
    assert (sums["add"], sums["requantize"], sums["add2"]) == ("quantize", None, "requantize")


def test_a_detector_that_is_not_last_is_refused():
    graph = a_source_with_a_reader_later()
    graph.add(Preemphasis(), -1)
    with pytest.raises(AssertionError, match="comes last"):
        graph.plan()


def test_steps_of_one_name_are_refused():
    steps = in_place_on_the_input().wiring.steps
    with pytest.raises(AssertionError, match="a name of its own"):
        plan_steps("twice", (MICROPHONE,), [steps[0], replace(steps[0])])


# --- layers over each other -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", FORMS)
def test_layers_that_write_over_what_they_read_are_the_same_in_c(seed, form, tmp_path):
    rng = np.random.default_rng(seed)
    net = Net(int(rng.integers(5, 9)), int(rng.integers(4, 8)), int(rng.integers(1, 7)))
    for n in range(5):
        outputs, kernel = int(rng.integers(1, 10)), int(rng.choice([1, 1, 3]))
        padding = VALID if min(net.shape[:2]) > 4 and rng.random() < 0.4 else SAME
        net.conv(random_weights(10 * seed + n, outputs, kernel, kernel, net.shape[2]), rng.integers(-900, 900, outputs), padding)
    plan = plan_model(net.flat().model())
    assert any(b.below for b in plan.buffers), "nothing lies over anything"
    x = rng.integers(-128, 128, (12, *plan.x[0].shape), dtype=np.int8)
    told, flags = FORMS[form]
    program = build_stream(plan, tmp_path, compilers()[0], "-O2", sanitize=False, form=told, more=flags)
    fired, _ = parse_stream(plan, subprocess.run([program], input=x.tobytes(), capture_output=True, check=True).stdout)
    for i, step in Engine(plan).push(x).items():
        np.testing.assert_array_equal(fired[i][1], step.y, err_msg=plan.steps[i].name)
