"""TFLite BROADCAST_TO, of any type: a tensor repeated along axes in which it has length 1.

    y[i, j, …] = x[…],   the place along a repeated axis left out

Also what comes before a sum or product of two tensors that are both repeated.  Axes of length 1 are left out, and neighbours
of which both or none are repeated are one axis; up to four remain.

Source: tensorflow/lite/kernels/internal/reference/broadcast_to.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._axes import MOST_AXES
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class BroadcastTo:
    """Both shapes, with the batch or without."""

    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]

    @classmethod
    def read(cls, operator: Operator) -> BroadcastTo:
        x, y = operator.flow(), operator.y
        if not same_scale(x, y) or x.dtype != y.dtype:
            raise operator.refuse("changes the scale or the type", "convert the model again")
        aligned = (1,) * (len(y.shape) - len(x.shape)) + x.shape
        if len(aligned) != len(y.shape) or any(n not in (1, m) for n, m in zip(aligned, y.shape)):
            raise operator.refuse(f"repeats {list(x.shape)} to {list(y.shape)}")
        return cls(x.shape, y.shape)

    def plan(self, x: Signal) -> Step | list[Step]:
        groups = self.groups()
        if all(kept for _, kept in groups):
            return []
        if len(groups) > MOST_AXES:
            raise ModelError(f"{list(self.x_shape)} repeated to {list(self.y_shape)} is {len(groups)} axes; {MOST_AXES} at most")
        told = [(1, True)] * (MOST_AXES - len(groups)) + groups
        # a step of 0 repeats
        steps = [prod(size for size, kept in told[n + 1 :] if kept) if kept else 0 for n, (_, kept) in enumerate(told)]
        y = Signal(self.shape, x.dtype, x.rate_hz, x.scale, x.zero)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(bytes=np.dtype(x.dtype).itemsize)
            | {f"size{n}": size for n, (size, _) in enumerate(told)}
            | {f"step{n}": step for n, step in enumerate(steps)},
            cost=dict(mem=2 * y.size),
            says=f"{'x'.join(map(str, self.x_shape))} to {'x'.join(map(str, self.y_shape))}",
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of y, without axes of length 1."""
        return tuple(size for size, _ in self.groups()) or (1,)

    def groups(self) -> list[tuple[int, bool]]:
        """(length, whether x has it) of the axes of y, outermost first."""
        merged: list[tuple[int, bool]] = []
        for given, wanted in zip(self.aligned(), self.y_shape):
            if wanted == 1:
                continue
            kept = given == wanted
            if merged and merged[-1][1] == kept:
                merged[-1] = merged[-1][0] * wanted, kept
            else:
                merged.append((wanted, kept))
        return merged

    def ideal(self, x, blocks):
        y = np.broadcast_to(blocks.reshape(len(blocks), *self.aligned()), (len(blocks), *self.y_shape))
        return y.reshape(len(y), *self.shape)

    def aligned(self) -> tuple[int, ...]:
        """x's shape with as many axes as y's."""
        return (1,) * (len(self.y_shape) - len(self.x_shape)) + tuple(self.x_shape)


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x):
    sizes, steps = (k.size0, k.size1, k.size2, k.size3), (k.step0, k.step1, k.step2, k.step3)
    given = [size if step else 1 for size, step in zip(sizes, steps)]
    y = np.broadcast_to(x.reshape(len(x), *given), (len(x), *sizes))
    return y.reshape(len(x), *([size for size in sizes if size > 1] or [1]))


def _example(x_shape, y_shape, dtype="int8"):
    return BroadcastTo(x_shape, y_shape), Signal(x_shape, dtype, Fraction(30), 0.0625, 0 if dtype != "int8" else -7)


EXAMPLES = [
    _example((3, 1), (3, 5)),
    _example((1, 4, 1, 3), (2, 4, 5, 3)),
    _example((2, 1, 3, 1), (2, 4, 3, 5)),
    _example((7,), (2, 3, 7)),
    _example((3, 1, 2), (3, 4, 2), "int16"),
    _example((1,), (6,), "int32"),
]
