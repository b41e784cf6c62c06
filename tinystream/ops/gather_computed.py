"""TFLite GATHER with computed places, of any type: rows of a tensor by numbers of another one.

    y[o, m, :] = x[o, places[m], :]

A place below 0 is counted from the end, and one outside of the axis is its nearest end; TFLM does not check them, TFLite
refuses them.

Source: tensorflow/lite/kernels/internal/reference/gather.h; tflite-micro, gather.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.plan.operator import Operator, Tensor, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class GatherComputed:
    """x is [outer][n][inner]."""

    span: tuple[int, int, int]

    @classmethod
    def read(cls, operator: Operator) -> GatherComputed:
        return cls(read_rows(operator, operator.flow()))

    def plan(self, x: Signal, places: Signal) -> Step:
        return rows_step(__name__, self.span, (x, places), x, places)

    def ideal(self, x, blocks, places):
        at = nearest(places, self.span[1]).astype(np.int64)
        rows = blocks.reshape(len(blocks), *self.span)
        return np.stack([row[:, i] for row, i in zip(rows, at)]).reshape(len(blocks), *row_shape(self.span, at.shape[1]))


def read_rows(operator: Operator, x: Tensor) -> tuple[int, int, int]:
    """How x lies around the axis that an operator gathers along."""
    from tinystream.ops.gather import gather_axis  # which finds this module by what its operator says

    axis = gather_axis(operator, x.shape)
    places = operator.inputs[1]
    if places is None or not places.counts or not x.shape[axis]:
        raise operator.refuse("has no places of int32 or int64, or nothing to choose from")
    if not same_scale(x, operator.y) or x.dtype != operator.y.dtype:
        raise operator.refuse("changes the scale or the type", "convert the model again")
    return prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])


def row_shape(span: tuple[int, int, int], count: int) -> tuple[int, ...]:
    return tuple(n for n in (span[0], count, span[2]) if n > 1) or (1,)


def rows_step(module: str, span: tuple[int, int, int], x: tuple[Signal, ...], rows: Signal, places: Signal, **more) -> Step:
    """The step that gives rows by number; `rows`: what they are."""
    outer, n, inner = span
    y = Signal(row_shape(span, places.size), rows.dtype, places.rate_hz, rows.scale, rows.zero)
    return Step(
        module=module,
        x=x,
        y=y,
        params=dict(
            outer=outer,
            n=n,
            count=places.size,
            bytes=inner * np.dtype(rows.dtype).itemsize,
            place_bytes=np.dtype(places.dtype).itemsize,
        ),
        sources=tuple(-1 - i for i in range(len(x))),
        cost=dict(mem=2 * y.size),
        says=f"{places.size} rows of {n}",
        **more,
    )


def nearest(places: np.ndarray, n: int) -> np.ndarray:
    """Places as they lie in an axis of n, [blocks, count]."""
    places = places.reshape(len(places), -1)
    return np.clip(np.where(places < 0, places + n, places), 0, n - 1)


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x, places):
    at = nearest(places, k.n)
    rows = x.reshape(len(x), k.outer, k.n, k.bytes // x.itemsize)
    y = np.take_along_axis(rows, at[:, None, :, None], axis=2)
    return y.reshape(len(x), *([n for n in y.shape[1:] if n > 1] or [1]))


def inputs(x, rng, count):
    """Places near the axis, as random numbers of 32 bits all lie outside."""
    return [
        rng.integers(-100, 100, (count, *x[0].shape)).astype(x[0].dtype),
        rng.integers(-12, 12, (count, *x[1].shape)).astype(x[1].dtype),
    ]


def _signal(*shape, dtype="int8"):
    return Signal(shape, dtype, Fraction(30), 0.0625 if dtype[3:] in ("8", "16") else 1.0, -7 if dtype == "int8" else 0)


EXAMPLES = [
    (GatherComputed((1, 6, 5)), _signal(6, 5), _signal(4, dtype="int32")),
    (GatherComputed((3, 7, 1)), _signal(3, 7), _signal(2, dtype="int64")),
    (GatherComputed((2, 4, 3)), _signal(2, 4, 3, dtype="int16"), _signal(1, dtype="int32")),
]
