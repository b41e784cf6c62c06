"""TFLite TRANSPOSE, of any type: the axes in another order.

    y[i, j, ...] = x[...],   axis n of y is axis order[n] of x

Axes of length 1 are left out, in y's shape too, and neighbours that stay together are one axis; up to four remain.

Source: tensorflow/lite/kernels/internal/reference/transpose.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

from tinystream.errors import ModelError
from tinystream.ops._axes import MOST_AXES, axes_params, element_bytes, merge, view
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Transpose:
    """x_shape, with the batch or without, and the order of its axes."""

    x_shape: tuple[int, ...]
    order: tuple[int, ...]

    @classmethod
    def read(cls, operator: Operator) -> Transpose:
        order = operator.constant(1, "int32")
        shape = operator.flow().shape
        if order is None or sorted(order.ravel()[:9].tolist()) != list(range(len(shape))):
            raise operator.refuse(f"has the order {None if order is None else order.ravel()[:9].tolist()} of {len(shape)} axes")
        if not same_scale(operator.flow(), operator.y):
            raise operator.refuse("changes the scale", "convert the model again")
        return cls(shape, tuple(order.ravel().tolist()))

    def plan(self, x: Signal) -> Step:
        axes = self.merged()
        if len(axes) > MOST_AXES:
            raise ModelError(
                f"a transposition of {list(self.x_shape)} moves {len(axes)} axes; {MOST_AXES} at most", "reshape before transposing"
            )
        shape = tuple(size for size, _ in axes) or (1,)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(shape, x.dtype, x.rate_hz, x.scale, x.zero),
            params=dict(bytes=element_bytes(x), **axes_params(axes)),
            cost=dict(mem=2 * x.size),
            says=f"axes in the order {', '.join(map(str, self.order))}",
        )

    def merged(self) -> list[tuple[int, int]]:
        """(length, distance in x) of the axes of y, outermost first."""
        return merge((self.x_shape[n], prod(self.x_shape[n + 1 :])) for n in self.order)

    def ideal(self, x, blocks):
        y = blocks.reshape(len(blocks), *self.x_shape).transpose(0, *(n + 1 for n in self.order))
        return y.reshape(len(blocks), *self.plan(*x).y.shape)


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x):
    return view(k, x)


EXAMPLES = [
    (Transpose((1, 13, 16), (0, 2, 1)), Signal((13, 16), "int8", Fraction(30), 0.05, -7)),
    (Transpose((2, 3, 4, 5), (3, 1, 0, 2)), Signal((2, 3, 4, 5), "int8", Fraction(30), 0.05, -7)),
    (Transpose((1, 6, 4, 3), (0, 2, 1, 3)), Signal((6, 4, 3), "int8", Fraction(30), 0.05, -7)),
    (Transpose((5, 7), (1, 0)), Signal((5, 7), "int16", Fraction(30), 0.05, 0)),
    (Transpose((3, 4, 2), (2, 0, 1)), Signal((3, 4, 2), "int32", Fraction(30), 0.0625, 0)),
]
