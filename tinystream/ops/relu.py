"""TFLite RELU, int8: max(x, 0) of each value, at a scale of its own.

    y[i] = table[x[i] + 128];   table = clamp(requant(x - x_zero, x_scale / y_scale) + y_zero),   from y_zero to 127

Source: tflite-micro, activations_common.cc and activations.h, ReluQuantized.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._shared import activate, clamp, out_signal
from tinystream.ops._table import look_up, ratio, table_step
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Relu:
    """The scale and zero it gives."""

    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> Relu:
        operator.flow()
        return cls(**out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        multiplier, shift = quantize_multiplier(ratio(x.scale, self.y_scale))
        low, high = clamp("relu", self.y_scale, self.y_zero)

        def answer(count: int) -> int:
            return int(np.clip(requant(count - x.zero, multiplier, shift) + self.y_zero, low, high))

        return table_step(__name__, x, self.y_scale, self.y_zero, answer, "max(x, 0)")

    def ideal(self, x, blocks):
        return activate(blocks, "relu", self.y_scale, self.y_zero)


BOUND = 1.0  # counts: two roundings, half each at the most
BATCHED = True
run = look_up

EXAMPLES = [
    (Relu(0.03, -128), Signal((300,), "int8", Fraction(30), 0.1, 10)),
    (Relu(0.1, -5), Signal((3, 7), "int8", Fraction(30), 0.01, -100)),
]
