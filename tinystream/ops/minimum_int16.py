"""TFLite MINIMUM, int16: the smaller of two values of one scale; one tensor may be repeated along axes that it lacks.

    y[i] = min(a[i], b[i])

Source: tensorflow/lite/kernels/internal/reference/maximum_minimum.h; tflite-micro, maximum_minimum.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, pair_spread, pair_step, read_same_scale, spread_of
from tinystream.ops.limit_int16 import LimitInt16
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class MinimumInt16:
    """Which of the two is repeated, and how."""

    spread: Spread | None = None
    small: int = 1

    @classmethod
    def read(cls, operator: Operator) -> MinimumInt16 | LimitInt16:
        """MinimumInt16 for two tensors that flow, LimitInt16 where one is a constant."""
        spread, small, constant = read_same_scale(operator)
        if constant is None:
            return cls(spread, small)
        if constant.size > 1:
            raise operator.refuse(f"has a constant of {constant.size} values; int16 is compared with one", "compare with one value")
        return LimitInt16(high=int(constant[0]))

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
    return Signal(shape, "int16", Fraction(30), 0.0005)


EXAMPLES = [
    (MinimumInt16(), _signal(5, 3, 4), _signal(5, 3, 4)),
    (MinimumInt16(Spread(5, 3, 4), 0), _signal(5, 1, 4), _signal(5, 3, 4)),
]
