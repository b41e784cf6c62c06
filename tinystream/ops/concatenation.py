"""TFLite CONCATENATION and PACK, of any type: tensors of one scale side by side along an axis.

    y = rows of a and b, alternating:   y[row] = a[row], b[row]

A row is what lies behind the axis, and the axis.  More than two tensors are laid side by side two at a time; constants among them
by ops/concatenation_constant.py.

Source: tensorflow/lite/kernels/internal/reference/concatenation.h; tflite-micro, concatenation.cc, pack.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.ops._axes import element_bytes
from tinystream.ops.concatenation_constant import beside_constant
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

CONCATENATION_AXIS, CONCATENATION_ACTIVATION = 0, 1  # slots of ConcatenationOptions
PACK_AXIS = 1  # slot of PackOptions


@dataclass(frozen=True, eq=False)
class Concatenation:
    """How many rows each tensor has.

    inputs: in their order, None for one that flows, counts [rows, …] for a constant; all flow where nothing is said.
    """

    rows: int
    inputs: tuple[np.ndarray | None, ...] = ()

    @classmethod
    def read(cls, operator: Operator) -> Concatenation:
        pack = operator.kind == "pack"
        x = [t for t in operator.inputs if t is not None]
        rank = len(operator.y.shape)
        axis = operator.option(PACK_AXIS if pack else CONCATENATION_AXIS)
        if not -rank <= axis < rank or any(len(t.shape) != rank - pack for t in x):
            raise operator.refuse(f"has axis {axis} of {rank}, and inputs of {[len(t.shape) for t in x]}")
        if len(x) < 2 or not all(same_scale(t, operator.y) and t.dtype == operator.y.dtype for t in x):
            raise operator.refuse("has a single input, or inputs of another scale than its output", "convert the model again")
        if not pack and operator.option(CONCATENATION_ACTIVATION, 0, "b"):
            raise operator.refuse("has a fused activation", "use a layer of its own")
        rows = prod(operator.y.shape[: axis % rank])
        if rows < 1 or any(t.size % rows or not t.size for t in x):
            raise operator.refuse(f"has inputs that are not {rows} rows")
        return cls(rows, tuple(None if t.data is None else t.data.reshape(rows, -1) for t in x))

    def plan(self, *x: Signal) -> list[Step]:
        steps: list[Step] = []
        first, *rest = self.pieces(x)
        joined, source = first if isinstance(first, tuple) else (None, 0)
        before = None if isinstance(first, tuple) else first
        for piece in rest:
            if joined is None:
                assert before is not None and isinstance(piece, tuple), "constants side by side are one"
                step = beside_constant(self.rows, piece[0], before, left=True, source=piece[1])
            elif isinstance(piece, tuple):
                step = self.beside(joined, piece[0], (source, piece[1]))
            else:
                step = beside_constant(self.rows, joined, piece, left=False, source=source)
            steps.append(step)
            joined, source = step.y, len(steps) - 1
        return steps

    def pieces(self, x: tuple[Signal, ...]) -> list[tuple[Signal, int] | np.ndarray]:
        """A signal and its source, or a constant, from left to right; neighbouring constants are one."""
        flows = iter([(signal, -1 - i) for i, signal in enumerate(x)])
        pieces: list[tuple[Signal, int] | np.ndarray] = []
        for known in self.inputs or [None] * len(x):
            if known is None:
                pieces.append(next(flows))
            elif pieces and not isinstance(last := pieces[-1], tuple):
                pieces[-1] = np.concatenate([last, known], axis=1)
            else:
                pieces.append(known)
        return pieces

    def beside(self, a: Signal, b: Signal, sources: tuple[int, int]) -> Step:
        width = (a.size + b.size) // self.rows
        y = Signal((self.rows, width) if self.rows > 1 else (width,), a.dtype, a.rate_hz, a.scale, a.zero)
        return Step(
            module=__name__,
            x=(a, b),
            y=y,
            params=dict(bytes=element_bytes(a), rows=self.rows, left=a.size // self.rows, right=b.size // self.rows),
            sources=sources,
            cost=dict(mem=2 * y.size),
            says="side by side",
        )

    def ideal(self, x, *blocks):
        flows = iter(blocks)
        parts = [
            next(flows).reshape(len(blocks[0]), self.rows, -1)
            if known is None
            else np.broadcast_to(x[0].real(known), (len(blocks[0]), *known.shape))
            for known in self.inputs or [None] * len(blocks)
        ]
        y = np.concatenate(parts, axis=2)
        return y.reshape(len(y), *self.plan(*x)[-1].y.shape)


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, a, b):
    y = np.concatenate([a.reshape(len(a), k.rows, k.left), b.reshape(len(b), k.rows, k.right)], axis=2)
    return y.reshape(len(y), *([k.rows] if k.rows > 1 else []), k.left + k.right)


def _signal(*shape, dtype="int8"):
    return Signal(shape, dtype, Fraction(30), 0.05, -7)


def _constant(*shape):
    return np.random.default_rng(shape[1]).integers(-128, 128, shape).astype(np.int8)


EXAMPLES = [
    (Concatenation(1), _signal(4, 6), _signal(3, 6)),
    (Concatenation(12), _signal(3, 4, 5), _signal(3, 4, 2), _signal(12, 1)),
    (Concatenation(2, (_constant(2, 3), None, _constant(2, 1), _constant(2, 2), None)), _signal(2, 4), _signal(2, 5)),
    (Concatenation(6), _signal(6, 5, dtype="int16"), _signal(6, 2, dtype="int16")),
]
