"""From planned steps to one list, wired, named and placed in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tinystream.plan.arena import Buffer, place
from tinystream.plan.fuse import fused
from tinystream.plan.model import Model, Planned
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step
from tinystream.plan.views import viewed

EVENT_COUNTERS = 4 + 8  # bytes of the sequence and the block that an event tells


class Duty(NamedTuple):
    """Listen for `on` blocks of every `every`; each window begins from a fresh start."""

    on: int
    every: int


class Column(NamedTuple):
    """One channel of a source as the world tells it: `scale` of `unit` is a count."""

    name: str
    unit: str
    scale: float


class Detection(NamedTuple):
    """A detector.

    step:    which step it is.
    scores:  the step whose output it reads; -1 - i is input i.
    first:   where its labels begin among those of the app.
    classes: what the scores that it reads are called, where that was known.
    """

    step: int
    scores: int
    first: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Plan:
    """Steps in the order they run.  A step reads the outputs of earlier steps, by index; -1 - i is the app's input i.

    x:        the app's inputs: one block of each source.  The first has the highest rate: it is the heartbeat, and the rate of each
              other one divides it.  A slower source's block is passed with each heartbeat of its time; an `every` takes it once.
    buffers:  where every output and every scratch array lies in the arena.
    features: index of the step whose output the first model (or the detector) reads; -1 - i for input i itself.
    detections: the detectors.  One comes last; of several, each tells its event as soon as it has run.
    outputs:  of a model alone, the steps that give its outputs; they are kept until the last step has run.
    labels:   what the label numbers of events mean: the labels of the first detector, then those of the second, …
    says:     the first line of the generated files.
    digest:   SHA-256 of the definition, the model and the kernels' version: what an event carries.
    source:   kind of the app's first source, such as "microphone".
    names:    of the sources, where there are several.
    kinds:    of the sources, where there are several.
    columns:  for each source, what its channels are; nothing for one whose channels have no names, such as a microphone.
    duty:     windows in which it listens; None where it always does.
    """

    name: str
    x: tuple[Signal, ...]
    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...] = ()
    features: int | None = None
    detections: tuple[Detection, ...] = ()
    outputs: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    says: str = ""
    digest: str = ""
    source: str = ""
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    columns: tuple[tuple[Column, ...], ...] = ()
    duty: Duty | None = None

    @property
    def detector(self) -> int | None:
        """The step of the first detector."""
        return self.detections[0].step if self.detections else None

    @property
    def scores(self) -> int | None:
        """The step that the first detector reads."""
        return self.detections[0].scores if self.detections else None

    @property
    def watched(self) -> set[int]:
        """The steps whose outputs are features or scores."""
        return {i for i in (self.features, *(d.scores for d in self.detections)) if i is not None and i >= 0}

    @property
    def repeats(self) -> tuple[int, ...]:
        """For each input, the heartbeats that one block of it lasts."""
        return tuple(int(self.x[0].rate_hz / x.rate_hz) for x in self.x)

    def of_source(self, i: int) -> Plan:
        """As a plan that has that source alone, for what opens, reads or writes one; its steps are not to be run."""
        if not self.names:
            return self
        return replace(self, x=(self.x[i],), source=self.kinds[i], names=(), kinds=(), columns=self.columns[i : i + 1])

    @property
    def arena_bytes(self) -> int:
        """sizeof arena: up to the last buffer's end, and to a multiple of the widest type in it."""
        widest = max((np.dtype(b.dtype).itemsize for b in self.buffers), default=1)
        return -(-max((b.offset + b.bytes for b in self.buffers), default=0) // widest) * widest

    @property
    def state_bytes(self) -> int:
        return sum(s.state_bytes for s in self.steps)

    @property
    def ram_bytes(self) -> int:
        """Arena, state and the counters of an event: all static variables of the C on a 32-bit core.  The stack comes on top."""
        return self.arena_bytes + self.state_bytes + (EVENT_COUNTERS if self.detections else 0)

    @property
    def table_bytes(self) -> int:
        """Constant tables, as firmware has them; equal ones count once, as they are emitted once."""
        tables = {(t.dtype.str, t.tobytes()): t for step in self.steps for t in step.in_groups.stored.values()}
        return sum(t.nbytes for t in tables.values())

    @property
    def host_only(self) -> str:
        """The step that keeps it from being emitted; nothing where it can be."""
        return next((step.name for step in self.steps if step.host_only), "")

    def conditions(self) -> list[frozenset[int]]:
        """For each step, the waiting steps that must all have fired for it to run."""
        needs: list[frozenset[int]] = []
        for step in self.steps:
            needs.append(frozenset().union(*(needs[j] | ({j} if self.steps[j].waits else set()) for j in step.awaited if j >= 0)))
        return needs


class Wiring:
    """Collects steps while an app is planned: makes names unique and sources absolute."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._used: dict[str, int] = {}

    def add(self, planned: Step | Sequence[Step], sources: Sequence[int], name: str | None = None) -> int:
        """Append what one stage planned; `sources` are what its -1, -2, … stand for.  Returns the last index."""
        group = [planned] if isinstance(planned, Step) else list(planned)
        base = len(self.steps)
        for step in group:
            wired = tuple(base + i if i >= 0 else sources[-1 - i] for i in step.sources)
            wanted = name if name and step is group[-1] else step.name or step.kind
            self.steps.append(replace(step, name=self._unique(wanted), sources=wired))
        return len(self.steps) - 1

    def add_model(self, planned: Planned, sources: Sequence[int]) -> list[int]:
        """Append the steps of a model; returns the index of each of its outputs."""
        base = len(self.steps)
        self.add(planned.steps, sources)
        return [base + end if end >= 0 else sources[-1 - end] for end in planned.ends]

    def _unique(self, name: str) -> str:
        self._used[name] = count = self._used.get(name, 0) + 1
        return name if count == 1 else self._unique(f"{name}{count}")


def lay_out(steps: Sequence[Step], kept: Collection[int] = ()) -> tuple[Buffer, ...]:
    """Buffers of all outputs and scratch arrays, placed; an output lives until its last reader has run, those that are kept to the end."""
    last_read = list(range(len(steps)))
    for j, step in enumerate(steps):
        for i in step.given:
            if i >= 0:
                last_read[i] = j
    for i in kept:
        last_read[i] = len(steps) - 1
    buffers = []
    for i, step in enumerate(steps):
        source = step.sources[0]
        free = source >= 0 and last_read[source] == i and source not in kept
        over = source if step.inplace and free and steps[source].y.bytes >= step.y.bytes else None
        below = source if over is None and step.gap is not None and free and step.gap < step.y.bytes else None
        buffers.append(
            Buffer(
                step.name,
                "y",
                step.y.dtype,
                step.y.size,
                i,
                last_read[i],
                over=None if over is None else steps[over].name,
                below=None if below is None else steps[below].name,
                gap=step.gap if below is not None and step.gap is not None else 0,
            )
        )
        buffers += [Buffer(step.name, n, d, size, i, i) for n, (d, size) in step.scratch.items()]
    return place(buffers)


def plan_steps(name: str, x: tuple[Signal, ...], steps: Sequence[Step], **about) -> Plan:
    """A plan from wired steps."""
    assert len({step.name for step in steps}) == len(steps), "each step has a name of its own"
    detections = about.get("detections", ())
    assert len(detections) != 1 or detections[0].step == len(steps) - 1, "one detector comes last: its y is not kept for later"
    for step in steps:
        for signal, j in zip(step.x, step.sources, strict=True):
            given = steps[j].y if j >= 0 else x[-1 - j]
            assert (given.shape, given.dtype) == (signal.shape, signal.dtype), f"{step.name} planned for {signal}, gets {given}"
    return Plan(name, x, tuple(steps), lay_out(steps, about.get("outputs", ())), **about)


def plan_stage(name: str, stage, *x: Signal) -> Plan:
    """A plan of one stage, operator or detector alone, for tests and documentation; an app goes through App.plan."""
    wiring = Wiring()
    wiring.add(stage.plan(*x), [-1 - i for i in range(len(x))])
    return plan_steps(name, x, wiring.steps)


def plan_model(model: Model, rate_hz: Fraction = Fraction(1), rewrite: bool = False) -> Plan:
    """A plan of a model alone, as many inputs and outputs as it has; for tests, reports and benchmarks.

    rewrite: with the passes that an app's plan goes through; otherwise there is a step for each operator, to be looked at.
    """
    x = model.signals(rate_hz)
    wiring = Wiring()
    outputs = [i for i in wiring.add_model(model.plan(*x), [-1 - i for i in range(len(x))]) if i >= 0]
    steps = wiring.steps
    if rewrite:
        for rewritten in (viewed, fused):
            steps, at = rewritten(steps, keep=outputs)
            outputs = [j for i in outputs if (j := at[i]) is not None]
    return plan_steps("model", x, steps, outputs=tuple(outputs))
