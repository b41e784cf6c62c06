"""TFLite ARG_MAX and ARG_MIN, int8 to int32 or int64: the place of the largest or smallest value along an axis, the first of several.

    y[o, i] = n of the largest x[o, n, i]

Source: tensorflow/lite/kernels/internal/reference/arg_min_max.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.ops._reduce import Span, span_shape
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class ArgMax:
    """span: x is [outer][n][inner]; the type of the places; whether the smallest is looked for."""

    span: Span
    dtype: str = "int32"
    smallest: bool = False

    @classmethod
    def read(cls, operator: Operator) -> ArgMax:
        shape, axis = operator.flow().shape, operator.inputs[1] if len(operator.inputs) > 1 else None
        if axis is None or axis.data is None or axis.size != 1 or not -len(shape) <= int(axis.data.flat[0]) < len(shape):
            raise operator.refuse(f"has no single axis of {len(shape)}")
        if not operator.y.counts:
            raise operator.refuse(f"gives {operator.y}; only int32 and int64 are defined")
        at = int(axis.data.flat[0]) % len(shape)
        return cls((prod(shape[:at]), shape[at], prod(shape[at + 1 :])), operator.y.dtype, operator.kind == "arg_min")

    def plan(self, x: Signal) -> Step:
        outer, n, inner = self.span
        y = Signal(span_shape(self.span), self.dtype, x.rate_hz)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(outer=outer, n=n, inner=inner, smallest=int(self.smallest), bytes=np.dtype(self.dtype).itemsize),
            cost=dict(add=x.size, mem=x.size + y.size),
            says=f"place of the {'smallest' if self.smallest else 'largest'} of {n}",
        )

    def ideal(self, x, blocks):
        rows = blocks.reshape(len(blocks), *self.span)
        return (rows.argmin(axis=2) if self.smallest else rows.argmax(axis=2)).reshape(len(blocks), *span_shape(self.span))


BOUND = 1e-9  # counts: a place is right or wrong
BATCHED = True


def run(k, s, x):
    rows = x.reshape(len(x), k.outer, k.n, k.inner)
    at = rows.argmin(axis=2) if k.smallest else rows.argmax(axis=2)
    return at.astype(np.int64 if k.bytes == 8 else np.int32).reshape(len(x), *span_shape((k.outer, k.n, k.inner)))


EXAMPLES = [
    (ArgMax((1, 12, 1)), Signal((12,), "int8", Fraction(30), 0.05, -128)),
    (ArgMax((3, 5, 4)), Signal((3, 5, 4), "int8", Fraction(30), 0.05, -7)),
    (ArgMax((3, 9, 2), "int64"), Signal((3, 9, 2), "int8", Fraction(30), 0.05, 8)),
    (ArgMax((2, 300, 2), smallest=True), Signal((2, 300, 2), "int8", Fraction(30), 0.05, 8)),
]
