"""TFLite AVERAGE_POOL_2D, int8: the mean of each window, of what lies inside the image.

    y = clamp(sum / n to nearest, halves away from zero),   n values of the window lie inside

n is the whole window but for borders; then the quotient is a product: with d = 4 n, 2**m <= d < 2**(m + 1) and
reciprocal = ceil(2**(m + 30) / d) it is (4 |sum| + 2 n) * reciprocal >> (m + 30), exactly for n < 2**18.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h, AveragePool.  Reciprocal: Granlund and
Montgomery, Division by Invariant Integers using Multiplication, 1994, theorem 4.2.
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
class AveragePool2d(Pool):
    """The mean of each window."""

    def plan(self, x: Signal) -> Step:
        place = self.place()
        y = self.y(x, place)
        full = self.window[0] * self.window[1]
        over = (4 * full).bit_length() - 1
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(**place, reciprocal=-(-(1 << (over + 30)) // (4 * full)), reciprocal_shift=over - 2, **self.range(x)),
            scratch=dict(acc=("int32", self.x_shape[2])),
            cost=dict(add=y.size * full, mul=y.size, mem=y.size * full),
            says=f"average {self.says}",
        )

    def ideal(self, x, blocks):
        y = np.empty((len(blocks), *self.plan(*x).y.shape))
        for i, j, part in self.pools(x, blocks):
            y[:, i, j] = part.mean(axis=(1, 2))
        return activate(y, self.activation, x[0].scale, x[0].zero)


BOUND = 0.5 + 1e-9      # counts: one rounding
BATCHED = True


def run(k, s, x):
    total = taps(k, x, 0).sum(axis=(3, 4))
    n = taps(k, np.ones_like(x[:1]), 0).sum(axis=(3, 4))
    mean = np.sign(total) * ((np.abs(total) + n // 2) // n)
    return np.clip(mean, k.low, k.high).astype(np.int8)


EXAMPLES = [
    (AveragePool2d((25, 5, 6), (25, 5), (1, 1)), Signal((25, 5, 6), "int8", Fraction(30), 0.05, -128)),
    (AveragePool2d((7, 5, 3), (3, 3), (2, 2), "same", "relu6"), Signal((7, 5, 3), "int8", Fraction(30), 0.05, -7)),
    (AveragePool2d((4, 4, 1), (1, 1), (2, 1), "valid", "relu"), Signal((4, 4, 1), "int8", Fraction(30), 0.05, 5)),
    (AveragePool2d((3, 9, 2), (2, 4), (1, 3)), Signal((3, 9, 2), "int8", Fraction(30), 0.05, 5)),
]
