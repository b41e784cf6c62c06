"""Profile a plan on an emulated core: exact instructions and estimated cycles, of each block, step and function."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tinystream.emit.compiler import Compiler
from tinystream.emit.emit import input_names
from tinystream.firmware.core import find_core
from tinystream.firmware.counter import BlockCounter
from tinystream.firmware.cycles import ONCE, Cycles, CycleTable, Timed, Timer
from tinystream.firmware.image import Image, build_image
from tinystream.firmware.machine import Machine
from tinystream.plan.plan import Plan
from tinystream.run.duty import on_duty
from tinystream.run.engine import Engine

CHUNK = 64  # blocks whose counts are looked at together
NOISE_MOST_S = 20


@dataclass(frozen=True)
class FunctionProfile:
    """The code of one function while one step ran, over all blocks; what was inlined counts where it went."""

    step: str
    function: str
    instructions: int
    cycles: Cycles


@dataclass(frozen=True, eq=False)
class Profile:
    """What the blocks of an app take on a core.

    table:        whose cycles these are.
    memory:       the factor of flash and RAM that they hold.
    fired:        [block, step], whether it gave an output; the numpy definition says so.
    instructions: [block, step]; the last column is what runs after the last step.  What stands before the first step is the first's.
    cycles:       [block, step, (low, nominal, high)].
    functions:    of each step, those that take most first.
    executed:     how often each instruction of the image was executed.
    measured:     names of steps whose cycles were measured, see measured.py.
    """

    plan: Plan
    table: CycleTable
    compiler: str
    memory: Cycles
    fired: np.ndarray
    instructions: np.ndarray
    cycles: np.ndarray
    functions: tuple[FunctionProfile, ...]
    executed: dict[int, int]
    image: Image
    measured: frozenset[str] = frozenset()

    @property
    def period_s(self) -> float:
        """From one block to the next."""
        return float(1 / self.plan.x[0].rate_hz)

    @cached_property
    def blocks(self) -> np.ndarray:
        """Cycles [block, (low, nominal, high)]."""
        return self.cycles.sum(axis=1)

    @cached_property
    def settled(self) -> int:
        """The block of the first score: until then the model's window is not full, and blocks take less.  0 where there was none."""
        last = self.plan.scores if self.plan.scores is not None and self.plan.scores >= 0 else len(self.plan.steps) - 1
        return int(np.argmax(self.fired[:, last]))

    @property
    def mean(self) -> Cycles:
        """A block, from the first score on; what a duty leaves out counts, as nothing."""
        return Cycles.of(self.blocks[self.settled :].mean(axis=0))

    @property
    def worst(self) -> Cycles:
        """The dearest of all blocks."""
        return Cycles.of(self.blocks.max(axis=0))

    def step_mean(self, step: int) -> Cycles:
        """Of a block, from the first score on."""
        return Cycles.of(self.cycles[self.settled :, step].mean(axis=0))

    @cached_property
    def runs(self) -> np.ndarray:
        """Of each step, in how many blocks it ran: those in which all that it waits for has fired."""
        heard = np.ones(len(self.fired), bool)
        if self.plan.duty:
            heard = np.arange(len(heard)) % self.plan.duty.every < self.plan.duty.on
        return np.array([(heard & self.fired[:, sorted(needs)].all(axis=1)).sum() for needs in self.plan.conditions()])

    def step_firing(self, step: int) -> Cycles | None:
        """A firing, with the runs before it that gave nothing; None where it never fired."""
        return self._part(step, int(self.fired[:, step].sum()))

    def step_run(self, step: int) -> Cycles | None:
        """A run, whether it gave something or not; None where it never ran."""
        return self._part(step, int(self.runs[step]))

    def _part(self, step: int, count: int) -> Cycles | None:
        return Cycles.of(self.cycles[:, step].sum(axis=0) / count) if count else None

    def step_worst(self, step: int) -> Cycles:
        """The most that it took in one block."""
        return Cycles.of(self.cycles[:, step].max(axis=0))


def profile(
    plan: Plan, x: list[np.ndarray], table: CycleTable, compiler: Compiler, optimise: str = "-O2", memory: Cycles = ONCE
) -> Profile:
    """Blocks [n, *shape] of each input, one after the other from a fresh start; those that fall between the windows of a duty take nothing.

    Instructions are exact.  Cycles are the table's, see cycles.py, times the factor of the memory.
    """
    assert len(x[0]), "a profile needs blocks"
    core = find_core(table.code)
    image = build_image(plan, core, compiler, optimise, "profile")
    machine, costs, sums = Machine(image, core), Costs(Timer(image, table), memory), Sums(len(plan.steps))
    names, counter = [image.symbols[name] for name in input_names(plan)], machine.counter
    counter.reset()
    before = np.zeros(0, np.int64)
    for start in range(0, len(x[0]), CHUNK):
        snapshots = [before]
        for n in range(start, min(start + CHUNK, len(x[0]))):
            if plan.duty and n % plan.duty.every == 0:
                restart(machine, plan.name)
            if plan.duty is None or n % plan.duty.every < plan.duty.on:
                for address, blocks in zip(names, x):
                    machine.write(address, blocks[n])
                counter.told.step = 0
                machine.call(f"{plan.name}_push", *names, image.symbols["event"])
            snapshots.append(counter.seen["count"].astype(np.int64))
        before = snapshots[-1]
        counts = np.stack([np.pad(s, (0, len(before) - len(s))) for s in snapshots])
        sums.add(np.diff(counts, axis=0), costs.of(counter))
    told = (firings(plan, x), np.concatenate(sums.instructions), np.concatenate(sums.cycles))
    functions = by_function(plan, costs, before)
    return Profile(plan, table, f"{compiler.name} {optimise}", memory, *told, functions, dict(counter.by_address()), image)


def restart(machine: Machine, name: str) -> None:
    """A fresh start, which is not counted."""
    counts = machine.counter.edges["count"].copy()
    machine.call(f"{name}_reset")
    machine.counter.edges["count"] = counts


def firings(plan: Plan, x: list[np.ndarray]) -> np.ndarray:
    """[block, step], whether it gave an output."""
    engine, fired = on_duty(plan, Engine(plan)), np.zeros((len(x[0]), len(plan.steps)), bool)
    for start in range(0, len(fired), CHUNK):
        for step, given in engine.push(*(blocks[start : start + CHUNK] for blocks in x)).items():
            fired[given.when, step] = True
    return fired


@dataclass
class Costs:
    """What each edge between basic blocks costs, piece by piece; it grows as new edges are seen.

    A piece is a part of the block at the edge's end that belongs to one step.  An edge that falls through behind a conditional branch
    has one more, without instructions: the cycles that the branch did not take after all.

    edge, step, function: of each piece.      cost: (instructions, low, nominal, high).
    """

    timer: Timer
    memory: Cycles
    edge: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    function: list[str] = field(default_factory=list)
    cost: list[np.ndarray] = field(default_factory=list)
    edges: int = 0
    blocks: dict[int, tuple[int, list[Timed]]] = field(default_factory=dict)

    def of(self, counter: BlockCounter) -> Costs:
        """Those of all edges that the counter has seen."""
        for e, edge in enumerate(counter.seen[self.edges :], self.edges):
            address, size, before = int(edge["to"]), int(edge["bytes"]), int(edge["from"])
            if address not in self.blocks:
                self.blocks[address] = size, self.timer.block(address, size)
            known, timed = self.blocks[address]
            assert known == size, f"the block at {address:#x} has two lengths"
            for step, start, end in counter.pieces(edge):
                piece = [t.cycles for t in timed if start <= t.address < end]
                self._add(e, step, address, len(piece), np.sum(piece, axis=0))
            if before in self.blocks and before + self.blocks[before][0] == address:
                branch = self.blocks[before][1][-1]
                self._add(e, int(edge["step"]), branch.address, 0, branch.through - branch.cycles)
        self.edges = counter.told.used - 1
        return self

    def _add(self, edge: int, step: int, address: int, instructions: int, cycles: np.ndarray) -> None:
        self.edge.append(edge)
        self.step.append(step)
        self.function.append(self.timer.image.function_at(address))
        self.cost.append(np.array([instructions, *(cycles * self.memory.array)]))


@dataclass
class Sums:
    """Counts of edges times their costs: chunk by chunk of blocks, for each step."""

    steps: int
    instructions: list[np.ndarray] = field(default_factory=list)
    cycles: list[np.ndarray] = field(default_factory=list)

    def add(self, counts: np.ndarray, costs: Costs) -> None:
        """Counts [block, edge]."""
        pieces, columns = len(costs.edge), self.steps + 1
        matrix = np.zeros((pieces, columns, 4))
        matrix[np.arange(pieces), costs.step] = costs.cost
        sums = (counts[:, costs.edge].astype(float) @ matrix.reshape(pieces, -1)).reshape(len(counts), columns, 4)
        self.instructions.append(sums[..., 0].astype(np.int64))  # exact: far below 2**53
        self.cycles.append(sums[..., 1:])


def by_function(plan: Plan, costs: Costs, counts: np.ndarray) -> tuple[FunctionProfile, ...]:
    sums: dict[tuple[int, str], np.ndarray] = defaultdict(lambda: np.zeros(4))
    for edge, step, function, cost in zip(costs.edge, costs.step, costs.function, costs.cost):
        sums[step, function] += counts[edge] * cost
    names = [*(step.name for step in plan.steps), ""]
    ordered = sorted(sums.items(), key=lambda item: (item[0][0], -item[1][2]))
    return tuple(FunctionProfile(names[s], f, int(total[0]), Cycles.of(total[1:])) for (s, f), total in ordered if total[0])


def noise(plan: Plan) -> list[np.ndarray]:
    """Blocks of noise for each input, 12 dB below full scale and always the same.

    They go on for a second after all steps but the detector have fired, or for 20 s where one of them hears nothing in it.
    """
    rng, engine = np.random.default_rng(1), Engine(plan)
    second = max(1, round(float(plan.x[0].rate_hz)))
    waiting = set(range(len(plan.steps))) - {d.step for d in plan.detections}
    parts: list[list[np.ndarray]] = []
    while len(parts) < NOISE_MOST_S:
        heard = not waiting
        ranges = [np.iinfo(x.dtype) for x in plan.x]
        part = [rng.integers(r.min // 4, r.max // 4 + 1, (second, *x.shape)).astype(x.dtype) for r, x in zip(ranges, plan.x)]
        parts.append(part)
        waiting -= {i for i, fired in engine.push(*part, want=waiting).items() if len(fired.when)}
        if heard:
            break
    return [np.concatenate(blocks) for blocks in zip(*parts)]
