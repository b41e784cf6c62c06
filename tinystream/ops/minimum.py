"""TFLite MINIMUM, int8: the smaller of two values of one scale; one tensor may be repeated along axes that it lacks.

    y[i] = min(a[i], b[i])

Source: tensorflow/lite/kernels/internal/reference/maximum_minimum.h; tflite-micro, maximum_minimum.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, pair_spread, pair_step, read_same_scale, spread_of
from tinystream.ops.limit import Limit
from tinystream.ops.limit_each import LimitEach
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Minimum:
    """Which of the two is repeated, and how."""

    spread: Spread | None = None
    small: int = 1

    @classmethod
    def read(cls, operator: Operator) -> Minimum | Limit | LimitEach:
        """Minimum for two tensors that flow, Limit where one is a constant, LimitEach where one is several."""
        spread, small, constant = read_same_scale(operator)
        if constant is None:
            return cls(spread, small)
        return LimitEach(constant, spread, above=False) if constant.size > 1 else Limit(high=int(constant[0]))

    def plan(self, a: Signal, b: Signal) -> Step:
        return pair_step(__name__, self.spread, self.small, a, b, "the smaller")

    def ideal(self, x, a, b):
        large, small = (a, b)[1 - self.small], (a, b)[self.small]
        spread = pair_spread(self.spread, *x)
        return np.minimum(large.reshape(len(a), *spread), spread.expand(small, len(a))).reshape(large.shape)


BOUND = 1e-9  # counts: values are only chosen
BATCHED = True


def run(k, s, a, b):
    spread = spread_of(k)
    return np.minimum(a.reshape(len(a), *spread), spread.expand(b, len(a))).reshape(a.shape)


def _signal(*shape):
    return Signal(shape, "int8", Fraction(30), 0.05, -7)


EXAMPLES = [
    (Minimum(), _signal(5, 3, 4), _signal(5, 3, 4)),
    (Minimum(Spread(5, 3, 4), 0), _signal(5, 1, 4), _signal(5, 3, 4)),
]
