"""TFLite RELU6, and MAXIMUM and MINIMUM of a tensor and one constant, int16: a clamp.

    y[i] = min(max(x[i], low), high);   from 0 to the count of 6 for RELU6

RELU6 keeps the scale of x; a file that says another one is refused.

Source: tflite-micro, activations_common.cc and activations.h, Relu6Quantized; else as ops/maximum_int16.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._int16 import check_symmetric, clamp16, signal16, value_step
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class LimitInt16:
    """The counts between which y stays."""

    low: int = -32768
    high: int = 32767

    @classmethod
    def read(cls, operator: Operator) -> LimitInt16:
        """Of RELU6; that of the others is MaximumInt16's and MinimumInt16's."""
        check_symmetric(operator)
        if not same_scale(operator.flow(), operator.y):
            raise operator.refuse("changes the scale", "fuse it with the layer before it")
        return cls(*clamp16("relu6", operator.flow().scale))

    def plan(self, x: Signal) -> Step:
        return value_step(__name__, x, signal16(x.shape, x, x.scale), "clamp", dict(low=self.low, high=self.high))

    def ideal(self, x, blocks):
        return np.clip(blocks, x[0].real(self.low), x[0].real(self.high))


BOUND = 1e-9  # counts: values are only chosen
BATCHED = True


def run(k, s, x):
    return np.clip(x, k.low, k.high)


EXAMPLES = [
    (LimitInt16(low=-700), Signal((300,), "int16", Fraction(30), 0.0005)),
    (LimitInt16(high=5000), Signal((300,), "int16", Fraction(30), 0.0005)),
    (LimitInt16(0, 12000), Signal((3, 7), "int16", Fraction(30), 0.0005)),
]
