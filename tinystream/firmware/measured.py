"""Cycles that were measured on a board, step by step: a small JSON file that overrides what is estimated.

    {"app": "wake_word", "definition": "5f0c…", "board": "nrf52840_dk", "core": "cortex-m4", "clock_hz": 64000000,
     "steps": {"micro_frontend": {"fired": 300, "blocks": 302, "cycles": 15600000, "most": 53100}}}

`tinystream listen --cycles FILE` writes it of a node whose firmware was built with --bench; core may be left out where the board is known.
Steps that are not in it stay estimated.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.errors import BuildError, TinystreamError
from tinystream.firmware.board import find_board
from tinystream.firmware.profile import Profile
from tinystream.plan.plan import Plan

HASH_DIGITS = 16  # of a definition; what a node tells in its hello


class MeasuredError(TinystreamError):
    """A file of measured cycles that is not of this app, or not what it should be."""


@dataclass(frozen=True)
class StepCycles:
    """One step: how often it gave something, in so many blocks; all cycles that it took, runs that gave nothing among them, and the most in
    one block."""

    fired: int
    blocks: int
    cycles: float
    most: float


@dataclass(frozen=True)
class Measured:
    """What was measured of an app on a board.  core: nothing where neither the file nor a board of that name says."""

    app: str
    definition: str
    board: str
    clock_hz: float
    steps: dict[str, StepCycles]
    core: str = ""


def read_measured(path: Path, plan: Plan) -> Measured:
    """The file, or MeasuredError where it is of another definition, names other steps or holds what cannot have been measured."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MeasuredError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        raise MeasuredError(f"{path} is not JSON: {error}", "tinystream listen --cycles writes one") from None
    measured = Measured(**members(path, "the file", told, Measured))
    definition = str(measured.definition)
    if len(definition) < HASH_DIGITS or not plan.digest.startswith(definition):
        what = f"{path} was measured with definition {definition[:HASH_DIGITS] or 'none'}"
        raise MeasuredError(f"{what}, {plan.name} is {plan.digest[:HASH_DIGITS]}", "measure this definition")
    number(path, "clock_hz", measured.clock_hz, least=1)
    if not isinstance(measured.steps, dict):
        raise MeasuredError(f"{path}: steps is no object")
    names = [step.name for step in plan.steps]
    for name in measured.steps:
        if name not in names:
            raise MeasuredError(f"{path}: {plan.name} has no step '{name}'", f"its steps: {', '.join(names)}")
    steps = {name: step_cycles(path, name, values) for name, values in measured.steps.items()}
    return replace(measured, steps=steps, core=measured.core or core_of(measured.board))


def step_cycles(path: Path, name: str, told: Any) -> StepCycles:
    step = StepCycles(**members(path, f"step '{name}'", told, StepCycles))
    for key, value in asdict(step).items():
        number(path, f"{name}.{key}", value, least=1 if key == "blocks" else 0)
    if step.fired > step.blocks or step.fired != int(step.fired):
        raise MeasuredError(f"{path}: {name}.fired = {step.fired} of {step.blocks} blocks cannot have been measured")
    if not step.cycles / step.blocks <= step.most <= step.cycles:
        raise MeasuredError(f"{path}: {name}.most = {step.most:g} in a block does not go with {step.cycles:g} in {step.blocks} blocks")
    return step


def core_of(board: str) -> str:
    try:
        return find_board(board).core
    except BuildError:
        return ""


def members(path: Path, what: str, told: Any, wanted: type) -> dict[str, Any]:
    """An object with the members of a class, and no others."""
    if not isinstance(told, dict):
        raise MeasuredError(f"{path}: {what} is no object")
    names = [f.name for f in fields(wanted)]
    needed = {f.name for f in fields(wanted) if f.default is MISSING}
    if wrong := sorted((needed - told.keys()) | (told.keys() - set(names))):
        words = "missing" if wrong[0] in needed else "not known"
        raise MeasuredError(f"{path}: {what}: {wrong[0]} is {words}", f"it has {', '.join(names)}")
    return told


def number(path: Path, what: str, value: Any, least: float) -> None:
    if type(value) not in (int, float) or not np.isfinite(value) or value < least:
        raise MeasuredError(f"{path}: {what} = {value} cannot have been measured")


def overridden(profile: Profile, measured: Measured) -> Profile:
    """The profile with what was measured in place of what was estimated.

    A step's blocks keep their proportions: their mean, for each time that it fired, becomes what was measured, and the dearest takes
    `most` at the upper bound.  A step that has not fired here or there stays as it is.
    """
    if measured.core.partition("+")[0] not in ("", profile.table.core):
        raise MeasuredError(
            f"cycles measured on a {measured.core} say nothing of a {profile.table.core}", "profile the core that was measured"
        )
    cycles, known = profile.cycles.copy(), []
    for i, step in enumerate(profile.plan.steps):
        told, firing = measured.steps.get(step.name), profile.step_firing(i)
        if told is None or firing is None or not told.fired:
            continue
        blocks = profile.cycles[:, i, 1] * (told.cycles / told.fired / firing.nominal)
        cycles[:, i] = blocks[:, None] * [1.0, 1.0, max(1.0, told.most / blocks.max())]
        known.append(step.name)
    return replace(profile, cycles=cycles, measured=frozenset(known))
