"""TFLite PAD and PADV2, of any type: a tensor in a larger one that is filled with a value.

    y[start + i * step0 + j * step1 + …] = x[i, j, …];   value elsewhere

The value is that of PADV2's third input, and the zero of the scale for PAD.  Axes of length 1 are left out, and neighbours
that stay together are one axis; up to four remain.

Source: tensorflow/lite/kernels/internal/reference/pad.h; tflite-micro, pad_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._axes import MOST_AXES, element_bytes, merge
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Pad:
    """x_shape, with the batch or without; of each of its axes, how much goes before and behind; the count to fill with."""

    x_shape: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    value: int

    @classmethod
    def read(cls, operator: Operator) -> Pad:
        x = operator.flow()
        pads = operator.constant(1, "int32")
        if pads is None or pads.shape != (len(x.shape), 2) or not 0 <= pads.min() <= pads.max() < 1 << 16:
            raise operator.refuse(f"has no two paddings from 0 to 65535 for each of {len(x.shape)} axes")
        if not same_scale(x, operator.y):
            raise operator.refuse("changes the scale", "convert the model again")
        value = operator.constant(2, x.dtype)
        tensor = operator.inputs[2] if len(operator.inputs) > 2 else None
        if value is not None and tensor is not None and (value.size != 1 or not same_scale(tensor, operator.y)):
            raise operator.refuse("fills with several values, or with one of another scale", "convert the model again")
        return cls(x.shape, tuple((int(a), int(b)) for a, b in pads), operator.y.zero if value is None else int(value.flat[0]))

    @property
    def y_shape(self) -> tuple[int, ...]:
        return tuple(size + before + behind for size, (before, behind) in zip(self.x_shape, self.pads))

    def plan(self, x: Signal) -> Step:
        steps = [prod(self.y_shape[n + 1 :]) for n in range(len(self.y_shape))]
        axes = merge(zip(self.x_shape, steps))
        axes = axes if axes and axes[-1][1] == 1 else [*axes, (1, 1)]       # a row is a run of values
        if len(axes) > MOST_AXES:
            raise ModelError(f"a padding of {list(self.x_shape)} has {len(axes)} axes; {MOST_AXES} at most", "pad before reshaping")
        axes = [(1, 0)] * (MOST_AXES - len(axes)) + axes
        y = Signal((prod(self.y_shape),), x.dtype, x.rate_hz, x.scale, x.zero)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(bytes=element_bytes(x), length=y.size, value=self.value)
            | dict(start=sum(step * before for step, (before, _) in zip(steps, self.pads)))
            | {f"size{n}": size for n, (size, _) in enumerate(axes)}
            | {f"step{n}": step for n, (_, step) in enumerate(axes[:-1])},
            cost=dict(mem=2 * x.size + y.size),
            says=f"{'x'.join(map(str, self.x_shape))} in {'x'.join(map(str, self.y_shape))}",
        )

    def ideal(self, x, blocks):
        blocks = blocks.reshape(len(blocks), *self.x_shape)
        y = np.pad(blocks, ((0, 0), *self.pads), constant_values=float(x[0].real(self.value)))
        return y.reshape(len(y), -1)


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x):
    y = np.full((len(x), k.length), k.value, x.dtype)
    i, j, n, m = np.ogrid[: k.size0, : k.size1, : k.size2, : k.size3]
    at = k.start + i * k.step0 + j * k.step1 + n * k.step2 + m
    y[:, at.ravel()] = x.reshape(len(x), -1)
    return y


def _signal(*shape, dtype="int8", zero=-7):
    return Signal(shape, dtype, Fraction(30), 0.0625, zero)


EXAMPLES = [
    (Pad((1, 4, 5, 3), ((0, 0), (1, 2), (0, 3), (0, 0)), -7), _signal(4, 5, 3)),
    (Pad((2, 3, 2, 4), ((1, 0), (0, 2), (2, 1), (3, 1)), 100), _signal(2, 3, 2, 4)),
    (Pad((1, 6), ((0, 0), (4, 0)), -128), _signal(6)),
    (Pad((1, 5, 1), ((0, 0), (0, 0), (1, 1)), 0), _signal(5, 1)),
    (Pad((1, 4, 5, 3), ((0, 0), (1, 2), (2, 3), (0, 1)), -3000), _signal(4, 5, 3, dtype="int16", zero=0)),
    (Pad((3, 4), ((1, 0), (0, 2)), 70000), _signal(3, 4, dtype="int32", zero=0)),
]
