"""Compute at plan time what no input of a model can change: shape arithmetic, and operators whose inputs are all constants.

Converters leave such operators behind: the zeros a recurrent layer starts with are FILL(PACK(STRIDED_SLICE(SHAPE(x)), 118)).  TFLM
computes them at every call; here they become constants of the operators that read them, and cost nothing.

Values that only move, and numbers that only describe shapes, are numpy's business.  Arithmetic on quantised values is done by the
operator's own definition, its step run once over the constants, so that a folded value is the one that the step would have given.

Source: the operators' meaning from tensorflow/lite/kernels/{shape,fill,range,cast,pack,gather,strided_slice,quantize}.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.assignments import SELF_MADE
from tinystream.plan.operator import ALIASES, Graph, Operator, Tensor, code, has_kernel
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

LARGEST = 1 << 22  # elements of a folded constant: more is damage
INTEGERS = ("int32", "int64")


def folded(graph: Graph) -> Graph:
    """The same graph without the operators whose outputs are constants; their readers have the values."""
    known: dict[int, Tensor] = {}
    kept = []
    for op in graph.operators:
        told = replace(op, inputs=tuple(known.get(t.index, t) if t is not None else None for t in op.inputs))
        values = constant_of(told)
        if values is None:
            kept.append(told)
        else:
            known[op.y.index] = replace(op.y, data=values.reshape(op.y.shape))
    return replace(graph, operators=tuple(kept))


def constant_of(op: Operator) -> np.ndarray | None:
    """The output of an operator that no input of the model can change, as the file's type; None for any other operator."""
    if len(op.outputs) != 1 or op.y.variable or op.y.size > LARGEST or op.kind in SELF_MADE:
        return None
    if op.kind == "shape":
        return made(op, np.array(op.inputs[0].shape)) if op.inputs and op.inputs[0] is not None else None
    if not op.inputs or any(t is not None and t.data is None for t in op.inputs):
        return None
    if op.kind in MOVES or (op.kind in COUNTS and op.y.dtype in INTEGERS):
        try:
            values = [t.data.reshape(t.shape) for t in op.inputs if t is not None and t.data is not None]
            return made(op, {**MOVES, **COUNTS}[op.kind](op, *values))
        except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError):
            raise op.refuse("cannot be computed from its constants", "convert the model again") from None
    x = op.inputs[0]
    if op.kind == "quantize" and x is not None and x.data is not None and x.dtype == "float32":
        return quantised(op, x.data)
    return by_definition(op) if has_kernel(op) and op.y.quantised else None


def made(op: Operator, values: np.ndarray) -> np.ndarray:
    if values.size != op.y.size:
        raise op.refuse(f"gives {values.size} values where the file says {list(op.y.shape)}", "convert the model again")
    return values.astype(op.y.dtype)


# --- values that move ---------------------------------------------------------------------------------------------------


def filled(op: Operator, shape: np.ndarray, value: np.ndarray) -> np.ndarray:
    sizes = shape.ravel().tolist()
    if any(n < 0 for n in sizes) or prod(sizes) > LARGEST:
        raise ValueError
    return np.full(sizes, value.flat[0])


def part_of(op: Operator, *values: np.ndarray) -> np.ndarray:
    """SLICE, STRIDED_SLICE, SPLIT, SPLIT_V and UNPACK: the part that the operator's own reader finds."""
    at = 1 if op.kind == "split" else 0
    if values[at].ndim == 0:
        raise ValueError
    parts = code(op).parts_of(op, values[at].shape)
    return values[at][np.ix_(*(np.array(part, np.int64) for part in parts))]


def joined(op: Operator, *values: np.ndarray) -> np.ndarray:
    if op.kind == "pack":
        return np.stack(values, op.option(1))
    return np.concatenate(values, op.option(0))


def ranged(op: Operator, start: np.ndarray, limit: np.ndarray, step: np.ndarray) -> np.ndarray:
    numbers = range(int(start.flat[0]), int(limit.flat[0]), int(step.flat[0]))
    if len(numbers) > LARGEST:
        raise ValueError
    return np.array(numbers, np.int64)


def gathered(op: Operator, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    if at.size and (at.min() < 0 or op.option(1)):
        raise ValueError  # out of range, or batched
    return np.take(values, at, op.option(0))


def same(op: Operator, values: np.ndarray, *rest: np.ndarray) -> np.ndarray:
    return values


MOVES: dict[str, Callable[..., np.ndarray]] = {
    **dict.fromkeys(ALIASES, same),
    "fill": filled,
    "zeros_like": lambda op, x: np.zeros_like(x),
    "range": ranged,
    "gather": gathered,
    "transpose": lambda op, x, axes: np.transpose(x, axes.ravel().tolist()),
    "broadcast_to": lambda op, x, shape: np.broadcast_to(x, op.y.shape),
    **dict.fromkeys(("pack", "concatenation"), joined),
    **dict.fromkeys(("slice", "strided_slice", "split", "split_v", "unpack"), part_of),
}

# --- numbers that describe shapes ---------------------------------------------------------------------------------------

COUNTS: dict[str, Callable[..., np.ndarray]] = {
    "cast": lambda op, x: x,
    "add": lambda op, a, b: a + b,
    "sub": lambda op, a, b: a - b,
    "mul": lambda op, a, b: a * b,
    "floor_div": lambda op, a, b: a // b,
    "maximum": lambda op, a, b: np.maximum(a, b),
    "minimum": lambda op, a, b: np.minimum(a, b),
    "reduce_prod": lambda op, x, axes: np.prod(x, tuple(axes.ravel().tolist()), keepdims=bool(op.option(0, 0, "b"))),
}

# --- quantised values ---------------------------------------------------------------------------------------------------


def quantised(op: Operator, real: np.ndarray) -> np.ndarray | None:
    """float32 to counts, halves away from zero."""
    if not op.y.quantised or not np.isfinite(real).all():
        return None
    scaled = real / np.float32(op.y.scale)
    limits = np.iinfo(op.y.dtype)
    counts = np.clip(np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5)) + op.y.zero, limits.min, limits.max)
    return made(op, counts)


def by_definition(op: Operator) -> np.ndarray | None:
    """What the operator's steps give for its first input; None where it remembers something, or needs another input to be computed."""
    x = op.inputs[0]
    if x is None or x.data is None or not x.quantised:
        return None
    flows = replace(op, inputs=(replace(x, data=None), *op.inputs[1:]))
    signal = Signal(x.dims, x.dtype, Fraction(1), x.scale, x.zero)
    try:
        planned = code(op).read(flows).plan(signal)
    except ModelError:
        return None  # it is refused where it is planned, with what it lacks
    steps = [planned] if isinstance(planned, Step) else list(planned)
    if any(step.state or step.waits for step in steps):
        return None
    return made(op, outcome(steps, x.data.reshape(1, *x.dims)))


def outcome(steps: Sequence[Step], x: np.ndarray) -> np.ndarray:
    """The last step's output for one block."""
    y = [x]
    for step in steps:
        blocks = [y[s + 1] for s in step.sources]
        made = step.run(step.k, None, *blocks) if step.batched else step.run(step.k, None, *(b[0] for b in blocks))
        assert made is not None, "a step that does not wait has something at once"
        y.append(made if step.batched else made[None])
    return y[-1]
