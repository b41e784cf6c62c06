"""TFLite CONCATENATION and PACK, of any type: tensors of one scale side by side along an axis.

    y = rows of a and b, alternating:   y[row] = a[row], b[row]

A row is what lies behind the axis, and the axis.  More than two tensors are laid side by side two at a time.

Source: tensorflow/lite/kernels/internal/reference/concatenation.h; tflite-micro, concatenation.cc, pack.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.ops._axes import element_bytes
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

CONCATENATION_AXIS, CONCATENATION_ACTIVATION = 0, 1  # slots of ConcatenationOptions
PACK_AXIS = 1  # slot of PackOptions


@dataclass(frozen=True, eq=False)
class Concatenation:
    """How many rows each tensor has."""

    rows: int

    @classmethod
    def read(cls, operator: Operator) -> Concatenation:
        pack = operator.kind == "pack"
        x = [operator.flow(i) for i in range(len(operator.inputs))]
        rank = len(operator.y.shape)
        axis = operator.option(PACK_AXIS if pack else CONCATENATION_AXIS)
        if not -rank <= axis < rank or any(len(t.shape) != rank - pack for t in x):
            raise operator.refuse(f"has axis {axis} of {rank}, and inputs of {[len(t.shape) for t in x]}")
        if len(x) < 2 or not all(same_scale(t, operator.y) for t in x):
            raise operator.refuse("has a single input, or inputs of another scale than its output", "convert the model again")
        if not pack and operator.option(CONCATENATION_ACTIVATION, 0, "b"):
            raise operator.refuse("has a fused activation", "use a layer of its own")
        rows = prod(operator.y.shape[: axis % rank])
        if rows < 1 or any(t.size % rows or not t.size for t in x):
            raise operator.refuse(f"has inputs that are not {rows} rows")
        return cls(rows)

    def plan(self, *x: Signal) -> list[Step]:
        steps: list[Step] = []
        joined, source = x[0], -1
        for i, right in enumerate(x[1:], 2):
            width = (joined.size + right.size) // self.rows
            y = Signal((self.rows, width) if self.rows > 1 else (width,), joined.dtype, joined.rate_hz, joined.scale, joined.zero)
            step = Step(
                module=__name__,
                x=(joined, right),
                y=y,
                params=dict(bytes=element_bytes(joined), rows=self.rows, left=joined.size // self.rows, right=right.size // self.rows),
                sources=(source, -i),
                cost=dict(mem=2 * y.size),
                says="side by side",
            )
            steps.append(step)
            joined, source = y, len(steps) - 1
        return steps

    def ideal(self, x, *blocks):
        y = np.concatenate([b.reshape(len(b), self.rows, -1) for b in blocks], axis=2)
        return y.reshape(len(y), *self.plan(*x)[-1].y.shape)


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, a, b):
    y = np.concatenate([a.reshape(len(a), k.rows, k.left), b.reshape(len(b), k.rows, k.right)], axis=2)
    return y.reshape(len(y), *([k.rows] if k.rows > 1 else []), k.left + k.right)


def _signal(*shape, dtype="int8"):
    return Signal(shape, dtype, Fraction(30), 0.05, -7)


EXAMPLES = [
    (Concatenation(1), _signal(4, 6), _signal(3, 6)),
    (Concatenation(12), _signal(3, 4, 5), _signal(3, 4, 2), _signal(12, 1)),
    (Concatenation(6), _signal(6, 5, dtype="int16"), _signal(6, 2, dtype="int16")),
]
