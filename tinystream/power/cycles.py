"""Cycles of a run of each step on a board: of the emitted code, emulated; by counts of the kernels; or as they were measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinystream.emit.compiler import Compiler
from tinystream.firmware.board import Board
from tinystream.firmware.cycles import MEMORY, ONCE, CycleTable, cycle_table
from tinystream.firmware.cycles import Cycles as CoreCycles
from tinystream.firmware.estimate import estimate
from tinystream.firmware.measured import overridden, read_measured
from tinystream.firmware.profile import profile
from tinystream.plan.plan import Plan
from tinystream.power.estimate import StepCycles
from tinystream.power.figure import Status
from tinystream.power.files import PowerError
from tinystream.power.interval import ZERO, Interval

STAND_INS = {"xtensa-lx7": ("cortex-m4", CoreCycles(0.8, 1.3, 2.5)), "rv32imc": ("rv32imac", ONCE)}
"""For a core without a table of cycles: one that has one, and how many cycles it takes for each of that one's.

The ESP32-S3's is a guess, and wide: another instruction set, whose multiplications of 32 by 32 bits give 64 in two instructions.
The other has no atomic instructions, and emitted C has none either.
"""


def counted_cycles(plan: Plan, board: Board) -> dict[str, StepCycles]:
    """By committed counts of the kernels, without a compiler or an emulator."""
    table, factor, status, stands_for = table_of(board)
    by_step = {}
    for step in estimate(plan, table, factor).steps:
        if step.cycles is None:
            raise PowerError(
                f"step '{step.name}' is a stage of your own that does not tell its cost, and nothing is here to emulate it",
                "pip install 'tinystream[mcu]', or Step(cost=…)",
            )
        by_step[step.name] = StepCycles(as_interval(step.cycles), status, f"{stands_for}counts of the kernels, fitted to emulated code")
    return by_step


def emulated_cycles(
    plan: Plan, board: Board, x: Sequence[np.ndarray], compiler: Compiler, measured: Path | None = None
) -> dict[str, StepCycles]:
    """Of the mean run over blocks [n, *shape] of each input; steps that do not run in them by counts of the kernels.

    measured: a file of cycles that a user measured on the board, which take the place of the estimated ones.
    """
    table, factor, status, stands_for = table_of(board)
    told = read_measured(measured, plan) if measured else None
    if told and told.core not in ("", board.core):
        raise PowerError(f"{measured} was measured on a {told.core}, {board.name} is a {board.core}", f"--board {told.board}")
    found = profile(plan, list(x), table, compiler, memory=factor)
    found = overridden(found, replace(told, core="")) if told else found  # whose core is the board's, if not the table's
    source = f"{stands_for}the emitted C by {found.compiler}, exact counts in an emulator; its table of cycles is {table.status}"
    runs = {step.name: found.step_run(i) for i, step in enumerate(plan.steps)}
    others = counted_cycles(plan, board) if None in runs.values() else {}
    return {
        name: others[name]
        if run is None
        else StepCycles(as_interval(run), "measured", f"{measured}, on the board")
        if name in found.measured
        else StepCycles(as_interval(run), status, source)
        for name, run in runs.items()
    }


def table_of(board: Board) -> tuple[CycleTable, CoreCycles, Status, str]:
    """The table for a board's core, what its cycles are multiplied with, how sure that is, and words on a core that stands for it."""
    memory = CoreCycles(*board.memory.factor) if board.memory else MEMORY
    name, factor = STAND_INS.get(board.core, (board.core, ONCE))
    words = f"memory × {memory.low:g} to {memory.high:g}; "
    if factor != ONCE:
        guess = f"{factor.low:g} to {factor.high:g} of a {name}'s, a guess, for no {board.core} is emulated here; "
        return cycle_table(name), memory * factor, "unverified", guess + words
    return cycle_table(name), memory, "derived", words


def as_interval(cycles: CoreCycles) -> Interval:
    return Interval(cycles.low, cycles.nominal, cycles.high) if cycles.high else ZERO
