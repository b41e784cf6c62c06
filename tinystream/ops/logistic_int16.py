"""TFLite LOGISTIC, int16: 1 / (1 + exp(-x)) of each value, at scale 2**-15.

    q = (x * multiplier + 2**(shift - 1)) >> shift,   sigmoid(|q| / (24 * 512)) from a table of 256, linear in between, in Q25
    y = (it + 2**9) >> 10 for q >= 0,   (2**25 - it + 2**9 - 1) >> 10 below

multiplier and shift bring x to steps of 1 / (24 * 512): ops/_sigmoid.py.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/logistic.h; tflite-micro, logistic_common.cc.
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
class LogisticInt16:
    """It has no options."""

    @classmethod
    def read(cls, operator: Operator) -> LogisticInt16:
        check_ends(operator)
        return cls()

    def plan(self, x: Signal) -> Step:
        return value_step(__name__, x, signal16(x.shape, x, Y_SCALE), "logistic", to_steps(x.scale, (0,)), dict(table=SIGMOID))

    def ideal(self, x, blocks):
        return np.minimum(1 / (1 + np.exp(-np.clip(blocks, -700, None))), 32767 * Y_SCALE)


BOUND = 1.5  # counts: the chord over 1/24 is 0.35 off after its correction, the table 0.25, y half; the rest a multiplier of 15 bits
BATCHED = True


def run(k, s, x):
    q = steps(k, x)
    magnitude = interpolated(k.table, np.abs(q), 9, 0x7FFF << 10)
    return (np.where(q >= 0, magnitude + (1 << 9), (1 << 25) - magnitude + (1 << 9) - 1) >> 10).astype(np.int16)


def _signal(scale, *shape):
    return Signal(shape, "int16", Fraction(30), scale)


EXAMPLES = [
    (LogisticInt16(), _signal(2.0**-12, 300)),
    (LogisticInt16(), _signal(0.00037, 5, 9)),
    (LogisticInt16(), _signal(1.7, 40)),
    (LogisticInt16(), _signal(2.0**-11, 40)),
]
