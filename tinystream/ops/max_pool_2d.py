"""TFLite MAX_POOL_2D, int8: the largest value of each window, of what lies inside the image.

    y = clamp(max of the window)

Source: tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h, MaxPool.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._pool import Pool, taps
from tinystream.ops._shared import activate
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class MaxPool2d(Pool):
    """The largest of each window."""

    def plan(self, x: Signal) -> Step:
        place = self.place()
        y = self.y(x, place)
        work = y.size * self.window[0] * self.window[1]
        return Step(
            module=__name__, x=(x,), y=y, params=dict(**place, **self.range(x)), cost=dict(add=work, mem=work), says=f"largest {self.says}"
        )

    def ideal(self, x, blocks):
        y = np.empty((len(blocks), *self.plan(*x).y.shape))
        for i, j, part in self.pools(x, blocks):
            y[:, i, j] = part.max(axis=(1, 2))
        return activate(y, self.activation, x[0].scale, x[0].zero)


BOUND = 0.5  # counts: relu6's 6 need not lie on a count; else exact
BATCHED = True


def run(k, s, x):
    return np.clip(taps(k, x, -128).max(axis=(3, 4)), k.low, k.high).astype(np.int8)


EXAMPLES = [
    (MaxPool2d((9, 1, 17), (2, 1), (2, 1)), Signal((9, 1, 17), "int8", Fraction(30), 0.05, -128)),
    (MaxPool2d((7, 6, 3), (3, 3), (2, 2), "same", "relu6"), Signal((7, 6, 3), "int8", Fraction(30), 0.05, -7)),
    (MaxPool2d((5, 5, 2), (2, 3), (1, 1), "same", "relu"), Signal((5, 5, 2), "int8", Fraction(30), 0.05, 5)),
]
