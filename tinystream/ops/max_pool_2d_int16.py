"""TFLite MAX_POOL_2D, int16: the largest value of each window, of what lies inside the image.

    y = clamp(max)

Source: tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h, MaxPool for int16.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._int16 import activate16, clamp16, signal16
from tinystream.ops._pool import Pool, taps
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class MaxPool2dInt16(Pool):
    """The largest of each window."""

    def plan(self, x: Signal) -> Step:
        if x.zero:
            raise ModelError(f"a pool of int16 with zero {x.zero}; int16 is counted from 0", "convert the model again")
        place = self.place()
        low, high = clamp16(self.activation, x.scale)
        y = signal16((place["y_height"], place["y_width"], self.x_shape[2]), x, x.scale)
        work = y.size * self.window[0] * self.window[1]
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(**place, low=low, high=high),
            cost=dict(add=work, mem=2 * work),
            says=f"largest {self.says}",
        )

    def ideal(self, x, blocks):
        y = np.empty((len(blocks), *self.plan(*x).y.shape))
        for i, j, part in self.pools(x, blocks):
            y[:, i, j] = part.max(axis=(1, 2))
        return activate16(y, self.activation, x[0].scale)


BOUND = 0.5 + 1e-9  # counts: relu6's 6 need not lie on a count; else exact
BATCHED = True


def run(k, s, x):
    return np.clip(taps(k, x, -32768).max(axis=(3, 4)), k.low, k.high).astype(np.int16)


def _signal(*shape):
    return Signal(shape, "int16", Fraction(30), 0.0005)


EXAMPLES = [
    (MaxPool2dInt16((9, 1, 17), (2, 1), (2, 1)), _signal(9, 1, 17)),
    (MaxPool2dInt16((7, 6, 3), (3, 3), (2, 2), "same", "relu6"), _signal(7, 6, 3)),
    (MaxPool2dInt16((5, 5, 2), (2, 3), (1, 1), "same", "relu"), _signal(5, 5, 2)),
]
