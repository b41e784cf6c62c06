"""Run a model beside the interpreters that are installed: where do they give something else, and by how much?

Each interpreter runs in a process of its own: a model that crashes one takes nothing else with it.  What they are:

    tflm             TFLM's reference kernels (package tflite-micro): what deployed firmware computes, and what we do
    reference        TFLite's reference kernels (tflite-runtime, or ai-edge-litert) with every operator's output to look at
    default          the same interpreter as people mostly run it on a desktop, with its optimised kernels
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tinystream.errors import ModelError, TinystreamError
from tinystream.plan.model import Model, parse_model
from tinystream.plan.operator import ALIASES, Tensor
from tinystream.plan.plan import Plan, plan_model
from tinystream.run.engine import Engine

CALLS, CALLS_WITH_STATE = 24, 300
CHILD_S = 600


@dataclass(frozen=True)
class Comparison:
    """What an interpreter gave beside ours.

    missing: why it was not run; all else then says nothing.
    values, differing: of all outputs over all calls; largest in counts (or in real numbers where it gives float).
    first:   (output, call, index, ours, theirs) of the first difference.
    operator: the first operator of the file whose output differs, where it can be looked at.
    """

    interpreter: str
    missing: str = ""
    calls: int = 0
    values: int = 0
    differing: int = 0
    largest: float = 0.0
    first: tuple[int, int, int, float, float] | None = None
    operator: str = ""

    @property
    def says(self) -> str:
        if self.missing:
            return f"not compared: {self.missing}"
        if not self.differing:
            return f"identical: {self.values} values of {self.calls} calls"
        assert self.first, "a difference has a place"
        output, call, index, ours, theirs = self.first
        where = f"first at output {output} of call {call}, value {index}: {ours:g} here, {theirs:g} there"
        inside = f"; the first operator that differs is {self.operator}" if self.operator else ""
        return f"{self.differing} of {self.values} values differ, by {self.largest:g} at the most; {where}{inside}"


def interpreters() -> dict[str, str]:
    """name -> "" where it is installed, else how to have it."""
    lite = "" if find_spec("tflite_runtime") or find_spec("ai_edge_litert") else "pip install tflite-runtime, or ai-edge-litert"
    micro = "" if find_spec("tflite_micro") else "pip install --pre tflite-micro (Linux on x86-64)"
    return {"tflm": micro, "reference": lite, "default": lite}


def compare(data: bytes, name: str, given: Sequence[np.ndarray] | None = None, seed: int = 0) -> list[Comparison]:
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
    fired = Engine(plan).push(*x)
    ends = model.plan(*plan.x)
    ours = [fired[end].y if end >= 0 else x[-1 - end] for end in ends.ends]
    found = []
    for interpreter, missing in interpreters().items():
        if missing:
            found.append(Comparison(interpreter, missing))
            continue
        watched = {op.y.index: op.label for op in model.needed if op.kind not in ALIASES} if interpreter != "tflm" else {}
        theirs = run_apart(interpreter, data, [foreign(b, t) for b, t in zip(x, model.inputs)], list(watched))
        if isinstance(theirs, str):
            found.append(Comparison(interpreter, theirs))
            continue
        outputs, inner = theirs
        inside = {index: fired[ends.tensors[index]].y for index in watched if ends.tensors[index] >= 0}
        found.append(compared(interpreter, model, ours, outputs, first_inside(watched, inside, inner)))
    return found


def inputs(plan: Plan, seed: int) -> list[np.ndarray]:
    """Extremes, then noise over the whole range and near the zero."""
    rng = np.random.default_rng(seed)
    calls = CALLS_WITH_STATE if any(step.state for step in plan.steps) else CALLS
    blocks = []
    for s in plan.x:
        limits = np.iinfo(s.dtype)
        x = rng.integers(limits.min, limits.max, (calls, s.size), endpoint=True)
        x[0], x[1], x[2] = limits.min, limits.max, s.zero
        x[3] = np.where(np.arange(s.size) % 2, limits.min, limits.max)
        x[calls // 2 :] = np.clip(rng.normal(s.zero, (limits.max - limits.min) / 12, (calls - calls // 2, s.size)), limits.min, limits.max)
        blocks.append(x.astype(s.dtype).reshape(calls, *s.shape))
    return blocks


def foreign(block: np.ndarray, tensor: Tensor) -> dict[str, np.ndarray]:
    """What a child needs to give this block to an interpreter, whatever type its input is of."""
    return dict(counts=block, scale=np.array(tensor.scale, np.float32), zero=np.array(tensor.zero))


def compared(interpreter: str, model: Model, ours: list[np.ndarray], theirs: list[np.ndarray], inside: str) -> Comparison:
    values, differing, largest, first = 0, 0, 0.0, None
    for n, (mine, other, tensor) in enumerate(zip(ours, theirs, model.outputs)):
        counts = mine.reshape(len(mine), -1)
        want = as_counts(other.reshape(len(other), -1), tensor, mine.dtype)
        unequal = counts.astype(np.float64) != want
        values, differing = values + counts.size, differing + int(unequal.sum())
        if unequal.any():
            largest = max(largest, float(np.abs(counts - want).max()))
            call, index = (int(i) for i in np.argwhere(unequal)[0])
            first = first or (n, call, index, float(counts[call, index]), float(want[call, index]))
    return Comparison(interpreter, "", len(ours[0]), values, differing, largest, first, inside if differing else "")


def as_counts(values: np.ndarray, tensor: Tensor, dtype: np.dtype) -> np.ndarray:
    """An interpreter's output in counts of ours: a float one divided by the scale, a uint8 one counted from 128 less."""
    if np.issubdtype(values.dtype, np.floating):
        return np.rint(values.astype(np.float64) / tensor.scale + tensor.zero)
    return values.astype(np.float64) - (128 if values.dtype == np.uint8 and dtype == np.int8 else 0)


def first_inside(labels: dict[int, str], ours: dict[int, np.ndarray], theirs: dict[int, np.ndarray]) -> str:
    for index, label in labels.items():
        if index in theirs and index in ours:
            mine = ours[index].reshape(len(ours[index]), -1)
            if not np.array_equal(mine, theirs[index].reshape(len(mine), -1)):
                return label
    return ""


# --- a process of its own -----------------------------------------------------------------------------------------------


def run_apart(
    interpreter: str, data: bytes, x: list[dict[str, np.ndarray]], watched: list[int]
) -> tuple[list[np.ndarray], dict[int, np.ndarray]] | str:
    """(outputs, tensors that were watched) of an interpreter over all calls, or why it gave none."""
    with tempfile.TemporaryDirectory(prefix="tinystream-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(data)
        np.savez(folder / "in.npz", **{f"{key}{i}": value for i, block in enumerate(x) for key, value in block.items()})
        (folder / "told.json").write_text(json.dumps(dict(interpreter=interpreter, watched=watched)))
        command = [sys.executable, "-m", "tinystream.run.interpreter", name]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=CHILD_S)
        except subprocess.TimeoutExpired:
            return f"it took longer than {CHILD_S} s"
        if done.returncode:
            words = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith((" ", "Traceback"))]
            return f"it failed: {words[-1] if words else f'it ended with {done.returncode}'}"[:300]
        with np.load(folder / "out.npz") as file:
            outputs = [file[f"out{i}"] for i in range(len([key for key in file if key.startswith("out")]))]
            return outputs, {index: file[f"t{index}"] for index in watched if f"t{index}" in file}


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
    for interpreter, missing in interpreters().items():
        given = missing or run_apart(interpreter, data, [dict(seed=np.array(seed))], [])
        found[interpreter] = given if isinstance(given, str) else given[0]
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
