"""TFLite TANH, int16: the hyperbolic tangent of each value, at scale 2**-15; 2 * sigmoid(2 x) - 1.

    q = (x * multiplier + 2**(shift - 1)) >> shift,   sigmoid(|q| / (24 * 256)) from a table of 256, linear in between, in Q24
    y = (it - 2**23 + 2**7) >> 8 for q >= 0,   (2**23 - it + 2**7 - 1) >> 8 below

multiplier and shift bring 2 x to steps of 1 / (24 * 256): ops/_sigmoid.py.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/tanh.h; tflite-micro, tanh.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._int16 import signal16, value_step
from tinystream.ops._sigmoid import SIGMOID, Y_SCALE, check_ends, interpolated, steps, to_steps
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class TanhInt16:
    """It has no options."""

    @classmethod
    def read(cls, operator: Operator) -> TanhInt16:
        check_ends(operator)
        return cls()

    def plan(self, x: Signal) -> Step:
        return value_step(__name__, x, signal16(x.shape, x, Y_SCALE), "tanh", to_steps(x.scale, (0, 1)), dict(table=SIGMOID))

    def ideal(self, x, blocks):
        return np.minimum(np.tanh(blocks), 32767 * Y_SCALE)


BOUND = 3.0  # counts: twice that of logistic, whose range is half of it
BATCHED = True


def run(k, s, x):
    q = steps(k, x)
    magnitude = interpolated(k.table, np.abs(q), 8, 0xFFFF << 8) - (1 << 23)
    return (np.where(q >= 0, magnitude + (1 << 7), -magnitude + (1 << 7) - 1) >> 8).astype(np.int16)


def _signal(scale, *shape):
    return Signal(shape, "int16", Fraction(30), scale)


EXAMPLES = [
    (TanhInt16(), _signal(2.0**-12, 300)),
    (TanhInt16(), _signal(0.00037, 5, 9)),
    (TanhInt16(), _signal(1.7, 40)),
    (TanhInt16(), _signal(2.0**-11, 40)),
    (TanhInt16(), _signal(2.0**-10, 40)),
]
