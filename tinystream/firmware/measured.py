"""Cycles that a user has measured on a board, step by step: a small JSON file that overrides what is estimated.

    {"app": "wake_word", "definition": "5f0c…", "board": "nrf52840_dk", "core": "cortex-m4", "clock_hz": 64000000,
     "steps": {"micro_frontend": {"calls": 300, "cycles": 15600000, "most": 53100}}}

calls: how often the step gave an output; cycles: all that it took, with runs that gave nothing; most: in one block.
Steps that are not in it stay estimated.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.errors import TinystreamError
from tinystream.firmware.profile import Profile
from tinystream.plan.plan import Plan

HASH_DIGITS = 16  # of a definition; what a node tells in its hello


class MeasuredError(TinystreamError):
    """A file of measured cycles that is not of this app, or not what it should be."""


@dataclass(frozen=True)
class StepCycles:
    """One step: how often it fired, cycles in all, and the most in one block."""

    calls: int
    cycles: float
    most: float


@dataclass(frozen=True)
class Measured:
    """What was measured of an app on a board."""

    app: str
    definition: str
    board: str
    core: str
    clock_hz: float
    steps: dict[str, StepCycles]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_measured(path: Path, plan: Plan) -> Measured:
    """The file, or MeasuredError where it is of another definition, names other steps or holds what cannot have been measured."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MeasuredError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        raise MeasuredError(f"{path} is not JSON: {error}") from None
    measured = Measured(**keys(path, "the file", told, Measured)) if isinstance(told, dict) else None
    if measured is None or not isinstance(measured.steps, dict):
        raise MeasuredError(f"{path}: the file and its 'steps' are objects", "docs/profile.md shows one")
    if not plan.digest.startswith(str(measured.definition)[:HASH_DIGITS]) or len(str(measured.definition)) < HASH_DIGITS:
        what = f"{path} was measured with definition {str(measured.definition)[:HASH_DIGITS] or 'none'}"
        raise MeasuredError(f"{what}, {plan.name} is {plan.digest[:HASH_DIGITS]}", "measure this definition")
    number(path, "clock_hz", measured.clock_hz, above=0)
    names = [step.name for step in plan.steps]
    steps = {}
    for name, values in measured.steps.items():
        if name not in names:
            raise MeasuredError(f"{path}: {plan.name} has no step '{name}'", f"its steps: {', '.join(names)}")
        step = StepCycles(**keys(path, f"step '{name}'", values, StepCycles))
        for key, value in asdict(step).items():
            number(path, f"{name}.{key}", value, above=0 if key == "calls" else None)
        if step.calls != int(step.calls):
            raise MeasuredError(f"{path}: {name}.calls = {step.calls} is not whole")
        if step.most > step.cycles:
            raise MeasuredError(f"{path}: {name}.most = {step.most:g} in one block is more than the {step.cycles:g} in all")
        steps[name] = step
    return replace(measured, steps=steps)


def keys(path: Path, what: str, told: Any, wanted: type) -> dict[str, Any]:
    """An object with exactly the members of a class."""
    names = set(wanted.__dataclass_fields__)  # type: ignore[attr-defined]
    if not isinstance(told, dict) or (wrong := sorted(names ^ told.keys())):
        words = f"{', '.join(wrong)} {'is missing' if wrong[0] in names else 'is not known'}" if isinstance(told, dict) else "is no object"
        raise MeasuredError(f"{path}: {what}: {words}", f"it has {', '.join(wanted.__dataclass_fields__)}")  # type: ignore[attr-defined]
    return told


def number(path: Path, what: str, value: Any, above: float | None) -> None:
    if type(value) not in (int, float) or not np.isfinite(value) or value < 0 or value == above:
        raise MeasuredError(f"{path}: {what} = {value} cannot have been measured")


def overridden(profile: Profile, measured: Measured) -> Profile:
    """The profile with what was measured in place of what was estimated.

    A step's blocks keep their proportions; their mean becomes what was measured, and the dearest takes `most` at the upper bound.
    A step that has not fired in the profile stays as it is.
    """
    if measured.core != profile.table.core:
        raise MeasuredError(f"cycles measured on a {measured.core} say nothing of a {profile.table.core}", f"--core {measured.core}")
    cycles, known = profile.cycles.copy(), []
    for i, step in enumerate(profile.plan.steps):
        told, firing = measured.steps.get(step.name), profile.step_firing(i)
        if told is None or firing is None:
            continue
        blocks = profile.cycles[:, i, 1] * (told.cycles / told.calls / firing.nominal)
        cycles[:, i] = blocks[:, None] * [1.0, 1.0, max(1.0, told.most / blocks.max())]
        known.append(step.name)
    return replace(profile, cycles=cycles, measured=frozenset(known))
