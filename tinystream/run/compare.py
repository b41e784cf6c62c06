"""Run a model beside the interpreters that are installed: where do they give something else, and by how much?

See interpreters.apart for what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinystream.errors import ModelError, TinystreamError
from tinystream.interpreters.apart import INTERPRETERS, Interpreter, run_apart
from tinystream.ops._prune import pruned
from tinystream.plan.model import Model, parse_model
from tinystream.plan.operator import ALIASES, Tensor
from tinystream.plan.plan import Plan, plan_model
from tinystream.run.engine import Engine
from tinystream.run.replay import EngineName, Runs, make_engine

CALLS, CALLS_WITH_STATE = 24, 300
CHUNK = 64  # calls at a time: bounds the memory of what flows inside


@dataclass(frozen=True)
class Inside:
    """The first operator of the file, in the first call with a difference, whose output is another one."""

    operator: str
    values: int
    differing: int
    largest: float

    def __str__(self) -> str:
        return f"{self.operator}, in {self.differing} of {self.values} values, by {self.largest:g} at the most"


@dataclass(frozen=True)
class Comparison:
    """What an interpreter gave beside ours.

    missing: why it was not run; all else then says nothing.
    values, differing: of all outputs over all calls; largest in counts.
    first:   (output, call, index, ours, theirs) of the first difference.
    inside:  where it begins, in interpreters that can be looked into.
    """

    interpreter: str
    version: str = ""
    missing: str = ""
    calls: int = 0
    values: int = 0
    differing: int = 0
    largest: float = 0.0
    first: tuple[int, int, int, float, float] | None = None
    inside: Inside | None = None

    @property
    def says(self) -> str:
        if self.missing:
            return f"not compared: {self.missing}"
        if not self.differing:
            return f"identical: {self.values} values of {self.calls} calls"
        assert self.first, "a difference has a place"
        output, call, index, ours, theirs = self.first
        where = f"first at output {output} of call {call}, value {index}: {ours:g} here, {theirs:g} there"
        inside = f"; it begins in {self.inside}" if self.inside else ""
        return f"{self.differing} of {self.values} values differ, by {self.largest:g} counts at the most; {where}{inside}"


def compare(
    data: bytes,
    name: str,
    given: Sequence[np.ndarray] | None = None,
    seed: int = 0,
    interpreters: Sequence[Interpreter] = INTERPRETERS,
) -> list[Comparison]:
    """Every interpreter over the same inputs.

    given: for each input of the model [calls, …], in the type of ours (int8 where the file says float or uint8); random and extreme
        ones where nothing is given.
    Raises ModelError where we do not compile it.
    """
    model = parse_model(data, name)
    if given:
        check_given(model, given)
    plan = plan_model(model)
    x = [np.asarray(g).reshape(-1, *s.shape).astype(s.dtype) for g, s in zip(given, plan.x)] if given else inputs(plan, seed)
    ours = outputs(model, x)
    found = []
    for interpreter in interpreters:
        theirs = interpreter.missing or run_apart(interpreter, data, foreign(model, x))
        if isinstance(theirs, str):
            found.append(Comparison(interpreter.name, interpreter.version, theirs))
            continue
        one = compared(Comparison(interpreter.name, interpreter.version), model, ours, theirs[0])
        if one.first and interpreter.kernels == "reference":
            one = replace(one, inside=first_inside(interpreter, data, model, [block[: one.first[1] + 1] for block in x]))
        found.append(one)
    return found


def outputs(model: Model, x: Sequence[np.ndarray], engine_name: EngineName = "auto") -> list[np.ndarray]:
    """What is emitted gives: without channels that no input can change, rewritten, as C where there is a compiler."""
    smaller = pruned(model)
    plan = plan_model(smaller, rewrite=True)
    steps = iter(plan.outputs)
    at = [next(steps) if end >= 0 else end for end in smaller.plan(*plan.x).ends]
    engine = make_engine(plan, engine_name)
    return [np.concatenate(chunks) for chunks in zip(*([y[i] for i in at] for y in pushed(engine, x, set(plan.outputs))))]


def pushed(engine: Runs, x: Sequence[np.ndarray], want: set[int]) -> Iterator[dict[int, np.ndarray]]:
    """All calls, some at a time: what the wanted steps give, by index; the inputs are -1, -2, …"""
    for start in range(0, len(x[0]), CHUNK):
        blocks = [block[start : start + CHUNK] for block in x]
        fired = engine.push(*blocks, want=want)
        yield {i: f.y for i, f in fired.items()} | {-1 - i: block for i, block in enumerate(blocks)}


def inputs(plan: Plan, seed: int, calls: int | None = None) -> list[np.ndarray]:
    """Extremes, then noise over the whole range and near the zero."""
    rng = np.random.default_rng(seed)
    calls = calls or (CALLS_WITH_STATE if any(step.state for step in plan.steps) else CALLS)
    blocks = []
    for s in plan.x:
        limits = np.iinfo(s.dtype)
        x = rng.integers(limits.min, limits.max, (calls, s.size), endpoint=True)
        x[0], x[1], x[2] = limits.min, limits.max, s.zero
        x[3] = np.where(np.arange(s.size) % 2, limits.min, limits.max)
        x[calls // 2 :] = np.clip(rng.normal(s.zero, (limits.max - limits.min) / 12, (calls - calls // 2, s.size)), limits.min, limits.max)
        blocks.append(x.astype(s.dtype).reshape(calls, *s.shape))
    return blocks


def foreign(model: Model, x: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """What a child needs to give these inputs to an interpreter, whatever type it takes: a dictionary for each input of the file."""
    counts = iter([dict(counts=block, scale=np.array(t.scale, np.float32), zero=np.array(t.zero)) for block, t in zip(x, model.inputs)])
    shapes = {i: dict(shape=np.tile(values, (len(x[0]), 1))) for i, values in model.shapes.items()}
    return [shapes.get(i) or next(counts) for i in range(len(x) + len(shapes))]


def compared(about: Comparison, model: Model, ours: list[np.ndarray], theirs: list[np.ndarray]) -> Comparison:
    sizes = [(mine.size, other.size) for mine, other in zip(ours, theirs)]
    if len(ours) != len(theirs) or any(mine != other for mine, other in sizes):
        return replace(about, missing=f"it gives {[n for _, n in sizes]} values, where {[n for n, _ in sizes]} belong")
    values, differing, largest, first = 0, 0, 0.0, None
    for n, (mine, other, tensor) in enumerate(zip(ours, theirs, model.outputs)):
        counts = mine.reshape(len(mine), -1)
        want = as_counts(other.reshape(len(other), -1), tensor, mine.dtype)
        unequal = counts.astype(np.float64) != want
        values, differing = values + counts.size, differing + int(unequal.sum())
        if unequal.any():
            largest = max(largest, float(np.abs(counts - want).max()))
            call, index = (int(i) for i in np.argwhere(unequal)[0])
            if first is None or call < first[1]:
                first = (n, call, index, float(counts[call, index]), float(want[call, index]))
    return replace(about, calls=len(ours[0]), values=values, differing=differing, largest=largest, first=first)


def as_counts(values: np.ndarray, tensor: Tensor, dtype: np.dtype) -> np.ndarray:
    """An interpreter's output in counts of ours: a float one divided by the scale, a uint8 one counted from 128 less."""
    if np.issubdtype(values.dtype, np.floating):
        return np.rint(values.astype(np.float64) / tensor.scale + tensor.zero)
    return values.astype(np.float64) - (128 if values.dtype == np.uint8 and dtype == np.int8 else 0)


def first_inside(interpreter: Interpreter, data: bytes, model: Model, x: Sequence[np.ndarray]) -> Inside | None:
    """Where the difference in the last of these calls begins; None where the interpreter shows nothing of it."""
    plan = plan_model(model)
    steps = model.plan(*plan.x).tensors
    watched = [op for op in model.needed if op.kind not in ALIASES and steps[op.y.index] >= 0]
    theirs = run_apart(interpreter, data, foreign(model, x), [op.y.index for op in watched])
    if isinstance(theirs, str):
        return None
    last = list(pushed(Engine(plan), x, set(range(len(plan.steps)))))[-1]
    for op in watched:
        mine, other = last[steps[op.y.index]][-1].ravel(), theirs[1].get(op.y.index)
        if other is not None and other.size == mine.size:
            apart = np.abs(mine - as_counts(other.ravel(), op.y, mine.dtype))
            if apart.any():
                return Inside(op.label, mine.size, int((apart != 0).sum()), float(apart.max()))
    return None


# --- for the command line -----------------------------------------------------------------------------------------------


def read_inputs(paths: Sequence[Path]) -> list[np.ndarray]:
    """Arrays of the user's, one a file, for each input of the model."""
    arrays = []
    for path in paths:
        try:
            arrays.append(np.load(path, allow_pickle=False))
        except (OSError, ValueError) as error:
            what = f"{path} cannot be read as an array: {str(error).lower()}"
            raise TinystreamError(what, "numpy.save(file, array of [calls, …])") from None
    return arrays


def run_float(data: bytes, seed: int = 0) -> dict[str, list[np.ndarray] | str]:
    """What each interpreter gives for random inputs of a model that is not compiled; for a first look at a float model."""
    found: dict[str, list[np.ndarray] | str] = {}
    for interpreter in INTERPRETERS:
        given = interpreter.missing or run_apart(interpreter, data, [dict(seed=np.array(seed))])
        found[interpreter.name] = given if isinstance(given, str) else given[0]
    return found


def check_given(model: Model, given: Sequence[np.ndarray]) -> None:
    """ModelError where arrays do not fit the model's inputs."""
    if len(given) != len(model.inputs):
        what = f"{model.name} has {len(model.inputs)} inputs, and is given {len(given)} files"
        raise ModelError(what, "--inputs FILE for each input, in order")
    for array, tensor in zip(given, model.inputs):
        if array.size % tensor.size or not array.size:
            what = f"input '{tensor.name}' takes {tensor.size} values a call, and is given {array.size}"
            raise ModelError(what, "an array of [calls, …]")
        limits = np.iinfo(tensor.dtype)
        if not np.issubdtype(array.dtype, np.integer) or array.min() < limits.min or array.max() > limits.max:
            what = f"input '{tensor.name}' takes {tensor.dtype}, and is given {array.dtype}"
            raise ModelError(what, f"counts from {limits.min} to {limits.max}")
