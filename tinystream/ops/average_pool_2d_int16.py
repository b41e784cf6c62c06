"""TFLite AVERAGE_POOL_2D, int16: the mean of each window, of what lies inside the image.

    y = clamp(sum / n to nearest, halves away from zero),   n values of the window lie inside

Source: tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h, AveragePool for int16.
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

MOST_TAPS = 65535  # 32 bits hold the sum of so many


@dataclass(frozen=True, eq=False)
class AveragePool2dInt16(Pool):
    """The mean of each window."""

    def plan(self, x: Signal) -> Step:
        if self.window[0] * self.window[1] > MOST_TAPS or x.zero:
            what = f"an average of {self.window[0]}x{self.window[1]} values of int16 with zero {x.zero}; {MOST_TAPS} with zero 0 at most"
            raise ModelError(what, "pool in two steps")
        place = self.place()
        low, high = clamp16(self.activation, x.scale)
        y = signal16((place["y_height"], place["y_width"], self.x_shape[2]), x, x.scale)
        work = y.size * self.window[0] * self.window[1]
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(**place, low=low, high=high),
            scratch=dict(acc=("int32", self.x_shape[2])),
            cost=dict(add=work, mul=y.size, mem=2 * work),
            says=f"average {self.says}",
        )

    def ideal(self, x, blocks):
        y = np.empty((len(blocks), *self.plan(*x).y.shape))
        for i, j, part in self.pools(x, blocks):
            y[:, i, j] = part.mean(axis=(1, 2))
        return activate16(y, self.activation, x[0].scale)


BOUND = 0.5 + 1e-9      # counts: one rounding; relu6's 6 need not lie on a count either
BATCHED = True


def run(k, s, x):
    total = taps(k, x, 0).astype(np.int64).sum(axis=(3, 4))
    n = taps(k, np.ones_like(x[:1]), 0).sum(axis=(3, 4))
    mean = np.sign(total) * ((np.abs(total) + n // 2) // n)
    return np.clip(mean, k.low, k.high).astype(np.int16)


def _signal(*shape):
    return Signal(shape, "int16", Fraction(30), 0.0005)


EXAMPLES = [
    (AveragePool2dInt16((25, 5, 6), (25, 5), (1, 1)), _signal(25, 5, 6)),
    (AveragePool2dInt16((7, 5, 3), (3, 3), (2, 2), "same", "relu6"), _signal(7, 5, 3)),
    (AveragePool2dInt16((4, 4, 1), (1, 1), (2, 1), "valid", "relu"), _signal(4, 4, 1)),
    (AveragePool2dInt16((3, 9, 2), (2, 4), (1, 3)), _signal(3, 9, 2)),
]
