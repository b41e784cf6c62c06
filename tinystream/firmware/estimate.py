"""What steps take by the committed counts of the kernels: for where there is no compiler, no emulator, or no time.

firmware_templates/cores/kernels.csv says for each kernel what an operation of each class of Step.cost takes; benchmarks/cycles.py has
fitted it to the C of zig at -O2, and tells how far off that is for models it has not seen.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from tinystream.emit.templates import templates
from tinystream.firmware.cycles import Cycles, CycleTable
from tinystream.plan.plan import Plan
from tinystream.plan.step import Step

FITTED = {
    "cortex-m0": "cortex-m0plus",
    "cortex-m7": "cortex-m4",
    "cortex-m33": "cortex-m4",
    "cortex-m55": "cortex-m4",
    "rv32imac": "cortex-m3",
}
"""Cores whose code is not in the file, by one that is: compilers make nearly the same of it."""
FIT = Cycles(0.8, 1.0, 1.35)
"""What the emulator counts over what is estimated, for seven models and an app that the fit has not seen: 0.81 to 1.33; steps by themselves
are off by more.  benchmarks/cycles.py --check prints it."""


@dataclass(frozen=True)
class StepEstimate:
    """A run of one step; None where nothing is known of it: a stage of the user's that does not tell its cost.

    rate_hz: how often it runs.
    """

    name: str
    kind: str
    rate_hz: float
    instructions: float | None
    cycles: Cycles | None


@dataclass(frozen=True)
class Estimate:
    """What the blocks of a plan take.

    duty: the share of the blocks that it hears.
    """

    steps: tuple[StepEstimate, ...]
    block_hz: float
    duty: float

    @property
    def unknown(self) -> tuple[str, ...]:
        """Steps that are in none of the sums."""
        return tuple(step.name for step in self.steps if step.cycles is None)

    @property
    def mean(self) -> Cycles:
        """An average block, with every gate open."""
        return total([step.cycles * (self.duty * step.rate_hz / self.block_hz) for step in self.steps if step.cycles])

    @property
    def worst(self) -> Cycles:
        """A block in which every step runs."""
        return total([step.cycles for step in self.steps if step.cycles])


def total(parts: list[Cycles]) -> Cycles:
    return Cycles(sum(p.low for p in parts), sum(p.nominal for p in parts), sum(p.high for p in parts))


def estimate(plan: Plan, table: CycleTable, memory: Cycles) -> Estimate:
    """By the counts of the kernels, the factor of a core without a table, and that of the memory."""
    factor = FIT * memory * (table.factor.cycles if table.like != table.core else 1.0)
    steps = []
    for step in plan.steps:
        instructions, cycles = step_counts(step, FITTED.get(table.core, table.core))
        rate_hz = float(step.x[0].rate_hz)
        steps.append(StepEstimate(step.name, step.kind, rate_hz, instructions, None if cycles is None else factor * cycles))
    return Estimate(tuple(steps), float(plan.x[0].rate_hz), plan.duty.on / plan.duty.every if plan.duty else 1.0)


def step_counts(step: Step, core: str) -> tuple[float | None, float | None]:
    """(instructions, cycles) of a run, by its kernel; by its classes alone where the kernel is not ours."""
    kernels = fitted(core)
    per_class = kernels.get(step.kind if step.module.startswith("tinystream.") else "", kernels[""])
    if not step.cost:
        return None, None
    known = [(per_class.get(name, kernels[""].get(name, (0.0, 0.0))), n) for name, n in [("", 1), *step.cost.items()]]
    return sum(each[0] * n for each, n in known), sum(each[1] * n for each, n in known)


@cache
def fitted(core: str) -> dict[str, dict[str, tuple[float, float]]]:
    """kind -> class -> (instructions, cycles) of one operation; class "" is a run's own, kind "" any kernel."""
    kernels: dict[str, dict[str, tuple[float, float]]] = {}
    with (templates() / "cores/kernels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if row["core"] == core:
                kernels.setdefault(row["kind"], {})[row["class"]] = float(row["instructions"]), float(row["cycles"])
    return kernels
