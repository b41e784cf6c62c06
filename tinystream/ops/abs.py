"""TFLite ABS, int8: |x| of each value.

    y[i] = table[x[i] + 128];   table = sat8(requant(|x - x_zero|, x_scale / y_scale) + y_zero)

Source: tflite-micro, elementwise.cc, AbsEvalQuantized.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._shared import activate, out_signal
from tinystream.ops._table import look_up, ratio, table_step
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Abs:
    """The scale and zero it gives."""

    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> Abs:
        operator.flow()
        return cls(**out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        multiplier, shift = quantize_multiplier(ratio(x.scale, self.y_scale))

        def answer(count: int) -> int:
            return int(sat8(requant(abs(count - x.zero), multiplier, shift) + self.y_zero))

        return table_step(__name__, x, self.y_scale, self.y_zero, answer, "|x|")

    def ideal(self, x, blocks):
        return activate(np.abs(blocks), "none", self.y_scale, self.y_zero)


BOUND = 1.0  # counts: two roundings, half each at the most
BATCHED = True
run = look_up

EXAMPLES = [
    (Abs(0.03, -128), Signal((300,), "int8", Fraction(30), 0.03, 10)),
    (Abs(0.1, -5), Signal((3, 7), "int8", Fraction(30), 0.07, -100)),
]
