"""TFLite QUANTIZE from int8 to int8: the same values at another scale.

    y[i] = table[x[i] + 128];   table = sat8(requant(x - x_zero, x_scale / y_scale) + y_zero)

Where every count stays what it is, there is no step at all.

Source: tensorflow/lite/kernels/internal/reference/requantize.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._table import look_up, table_step
from tinystream.ops.requantize_wide import RequantizeWide
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Requantize:
    """The scale and zero it gives."""

    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> Requantize | RequantizeWide:
        """Requantize to int8, RequantizeWide to another type."""
        if operator.flow().dtype != "int8" or operator.y.dtype != "int8":
            return RequantizeWide.read(operator)
        return cls(operator.y.scale, operator.y.zero)

    def plan(self, x: Signal) -> Step | list[Step]:
        multiplier, shift = quantize_multiplier(x.scale / self.y_scale)

        def answer(count: int) -> int:
            return int(sat8(requant(count - x.zero, multiplier, shift) + self.y_zero))

        if all(answer(count) == count for count in range(-128, 128)):
            return []  # the same counts: what reads it reads x
        return table_step(__name__, x, self.y_scale, self.y_zero, answer, f"to scale {self.y_scale:.4g}, zero {self.y_zero}")

    def ideal(self, x, blocks):
        return np.clip(blocks, (-128 - self.y_zero) * self.y_scale, (127 - self.y_zero) * self.y_scale)


BOUND = 1.0     # counts: two roundings, half each at the most
BATCHED = True
run = look_up

EXAMPLES = [
    (Requantize(0.03, -5), Signal((300,), "int8", Fraction(30), 0.1, 10)),
    (Requantize(0.1, 127), Signal((3, 7), "int8", Fraction(30), 0.01, -128)),
    (Requantize(0.25, 0), Signal((64,), "int8", Fraction(30), 0.25, 3)),
]
