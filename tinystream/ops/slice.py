"""TFLite SLICE, STRIDED_SLICE, SPLIT, SPLIT_V and UNPACK, of any type: a part of a tensor.

    y[i, j, …] = x[begin0 + i * step0, begin1 + j * step1, …]

Of an operator with several outputs, this is one.  Axes of length 1 are left out, in y's shape too, and neighbours that
stay together are one axis; up to four remain.

Source: tensorflow/lite/kernels/internal/strided_slice_logic.h; reference/slice.h, strided_slice.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._axes import MOST_AXES, axes_params, element_bytes, merge, view
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

BEGIN_MASK, END_MASK, ELLIPSIS_MASK, NEW_AXIS_MASK, SHRINK_AXIS_MASK, OFFSET = range(6)  # slots of StridedSliceOptions
UNPACK_AXIS = 1  # slot of UnpackOptions


@dataclass(frozen=True, eq=False)
class Slice:
    """x_shape, with the batch or without; of each of its axes the part that is taken."""

    x_shape: tuple[int, ...]
    parts: tuple[range, ...]

    @classmethod
    def read(cls, operator: Operator) -> Slice:
        x = operator.flow(1 if operator.kind == "split" else 0)
        if not same_scale(x, operator.y):
            raise operator.refuse("changes the scale", "convert the model again")
        return cls(x.shape, cls.parts_of(operator, x.shape))

    @staticmethod
    def parts_of(operator: Operator, shape: tuple[int, ...]) -> tuple[range, ...]:
        """Of each axis the part that is taken of a tensor of this shape."""
        parts = READERS[operator.kind](operator, shape)
        if not all(parts) or any(part[-1] >= n or part[0] >= n for part, n in zip(parts, shape)):
            raise operator.refuse(f"takes nothing, or what lies outside of {list(shape)}")
        return parts

    def plan(self, x: Signal) -> Step | list[Step]:
        if self.run_of() == (0, x.size):
            return []
        axes = self.merged()
        if len(axes) > MOST_AXES:
            raise ModelError(f"a slice of {list(self.x_shape)} has {len(axes)} axes; {MOST_AXES} at most", "reshape before slicing")
        shape = tuple(size for size, _ in axes) or (1,)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(shape, x.dtype, x.rate_hz, x.scale, x.zero),
            params=dict(bytes=element_bytes(x), start=self.start, **axes_params(axes)),
            cost=dict(mem=2 * prod(shape)),
            says=f"{'x'.join(map(str, shape))} of {'x'.join(map(str, self.x_shape))}",
        )

    @property
    def start(self) -> int:
        """Where the first value lies in x."""
        return sum(part[0] * prod(self.x_shape[n + 1 :]) for n, part in enumerate(self.parts))

    def merged(self) -> list[tuple[int, int]]:
        """(length, distance in x) of the axes of y, outermost first."""
        return merge((len(part), part.step * prod(self.x_shape[n + 1 :])) for n, part in enumerate(self.parts))

    def run_of(self) -> tuple[int, int] | None:
        """(first, last + 1) where the part is one run of values; else None."""
        axes = self.merged() or [(1, 1)]
        return (self.start, self.start + axes[0][0]) if len(axes) == 1 and axes[0][1] == 1 else None

    def ideal(self, x, blocks):
        y = blocks.reshape(len(blocks), *self.x_shape)[np.ix_(np.arange(len(blocks)), *(np.array(part) for part in self.parts))]
        return y.reshape(len(blocks), *(size for size, _ in self.merged() or [(1, 1)]))


# --- the part that each kind of operator means ------------------------------------------------------------------------


def numbers(operator: Operator, position: int, count: int | None = None) -> list[int]:
    """A constant input of int32, `count` of them."""
    values = operator.constant(position, "int32")
    if values is None or (count is not None and values.size != count) or values.size > 4096:
        raise operator.refuse(f"has {0 if values is None else values.size} numbers as input {position}, where it needs {count}")
    return values.ravel().tolist()


def whole_but(shape: tuple[int, ...], axis: int, part: range) -> tuple[range, ...]:
    return tuple(part if n == axis else range(size) for n, size in enumerate(shape))


def axis_of(operator: Operator, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise operator.refuse(f"has axis {axis} of {rank}")
    return axis % rank


def sliced(operator: Operator, shape: tuple[int, ...]) -> tuple[range, ...]:
    begin, size = numbers(operator, 1, len(shape)), numbers(operator, 2, len(shape))
    if min([*begin, 0]) < 0:
        raise operator.refuse(f"begins at {begin}")
    return tuple(range(b, n if s == -1 else b + s) for b, s, n in zip(begin, size, shape))


def strided(operator: Operator, shape: tuple[int, ...]) -> tuple[range, ...]:
    begin, end, step = (numbers(operator, n, len(shape)) for n in (1, 2, 3))
    if operator.option(ELLIPSIS_MASK) or operator.option(NEW_AXIS_MASK) or operator.option(OFFSET, 0, "b") or 0 in step:
        raise operator.refuse("has an ellipsis, a new axis, an offset or a step of 0", "slice with a begin and an end for each axis")
    masks = [operator.option(slot) for slot in (BEGIN_MASK, END_MASK, SHRINK_AXIS_MASK)]

    def part(n: int, size: int) -> range:
        no_begin, no_end, single = (mask >> n & 1 for mask in masks)
        if single:
            at = 0 if no_begin else begin[n] % size if -size <= begin[n] < size else size
            return range(at, at + 1)
        return range(*slice(None if no_begin else begin[n], None if no_end else end[n], step[n]).indices(size))

    return tuple(part(n, size) for n, size in enumerate(shape))


def split(operator: Operator, shape: tuple[int, ...]) -> tuple[range, ...]:
    axis = axis_of(operator, numbers(operator, 0, 1)[0], len(shape))
    size = operator.y.shape[axis] if len(operator.y.shape) == len(shape) else 0
    return whole_but(shape, axis, range(operator.part * size, (operator.part + 1) * size))


def split_v(operator: Operator, shape: tuple[int, ...]) -> tuple[range, ...]:
    axis = axis_of(operator, numbers(operator, 2, 1)[0], len(shape))
    sizes = numbers(operator, 1)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(sizes) - 1
    if min(sizes, default=0) < 1 or operator.part >= len(sizes) or sum(sizes) != shape[axis]:
        raise operator.refuse(f"splits {shape[axis]} into {sizes}")
    start = sum(sizes[: operator.part])
    return whole_but(shape, axis, range(start, start + sizes[operator.part]))


def unpack(operator: Operator, shape: tuple[int, ...]) -> tuple[range, ...]:
    return whole_but(shape, axis_of(operator, operator.option(UNPACK_AXIS), len(shape)), range(operator.part, operator.part + 1))


READERS = {"slice": sliced, "strided_slice": strided, "split": split, "split_v": split_v, "unpack": unpack}

BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x):
    return view(k, x, k.start)


def _signal(*shape, dtype="int8"):
    return Signal(shape, dtype, Fraction(30), 0.0625, 0 if dtype == "int32" else -7)


EXAMPLES = [
    (Slice((1, 11, 1, 64), (range(1), range(4, 11), range(1), range(32, 64))), _signal(11, 1, 64)),
    (Slice((1, 5, 40), (range(1), range(3, 5), range(40))), _signal(5, 40)),
    (Slice((7, 6, 5, 4), (range(5, -1, -2), range(1, 6, 2), range(0, 4, 3), range(3, 0, -1))), _signal(7, 6, 5, 4)),
    (Slice((3, 9), (range(1, 2), range(8, 9))), _signal(27)),
    (Slice((3, 8, 5), (range(3), range(1, 8, 3), range(4))), _signal(3, 8, 5, dtype="int16")),
    (Slice((6, 7), (range(1, 6, 2), range(6, 0, -2))), _signal(6, 7, dtype="int16")),
    (Slice((6, 7), (range(1, 6, 2), range(0, 7, 2))), _signal(6, 7, dtype="int32")),
]
