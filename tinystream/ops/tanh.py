"""TFLite TANH, int8: tanh of each value, at scale 1/128, zero 0.

    y[i] = table[x[i] + 128];   table = sat8(rounding_divide(tanh(q), 24)),   q = requant(x - x_zero) in Q27

-128 or 127 where |x - x_zero| reaches the radius at which q would leave 32 bits.  tanh() is gemmlowp's, in Q31.
TFLite (not TFLM) makes the table from float tanh, and is one count off in rare places.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/tanh.h; the scales from tflite-micro, tanh.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._table import look_up, table_step
from tinystream.plan.fixed import requant
from tinystream.plan.gemmlowp import input_radius, tanh, times_power
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Tanh:
    """It has no options."""

    @classmethod
    def read(cls, operator: Operator) -> Tanh:
        if operator.y.zero != 0 or operator.y.scale != 1 / 128:
            raise operator.refuse(f"gives {operator.y}; only scale 1/128, zero 0 is defined")
        operator.flow()
        return cls()

    def plan(self, x: Signal) -> Step:
        fraction, shift = np.frexp(x.scale * 2.0**27)
        multiplier = min(int(np.floor(fraction * 2.0**31 + 0.5)), 2**31 - 1)
        radius = input_radius(4, int(shift))

        def answer(count: int) -> int:
            distance = count - x.zero
            if abs(distance) >= radius:
                return 127 if distance >= radius else -128
            return max(-128, min(times_power(tanh(int(requant(distance, multiplier, int(shift)))), -24), 127))

        return table_step(__name__, x, 1 / 128, 0, answer, "tanh")

    def ideal(self, x, blocks):
        return np.minimum(np.tanh(blocks), 127 / 128)


BOUND = 0.6  # counts: half from rounding, the rest gemmlowp's exp
BATCHED = True
run = look_up

EXAMPLES = [
    (Tanh(), Signal((300,), "int8", Fraction(30), 0.03, 10)),
    (Tanh(), Signal((5, 9), "int8", Fraction(30), 1 / 256, -128)),
    (Tanh(), Signal((40,), "int8", Fraction(30), 1.7, 0)),
]
