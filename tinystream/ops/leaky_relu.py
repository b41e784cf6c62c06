"""TFLite LEAKY_RELU, int8: x, or alpha * x where x is negative.

    y[i] = table[x[i] + 128];   table = sat8(requant(x - x_zero, x_scale / y_scale) + y_zero)   for x >= x_zero,
                                        sat8(requant(x - x_zero, x_scale * alpha / y_scale) + y_zero)   below

Source: tensorflow/lite/kernels/internal/reference/leaky_relu.h; the scales from tflite-micro, leaky_relu_common.cc.
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

ALPHA = 0  # slot of LeakyReluOptions


@dataclass(frozen=True, eq=False)
class LeakyRelu:
    """The slope below 0; the scale and zero it gives."""

    alpha: float
    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> LeakyRelu:
        operator.flow()
        alpha = operator.options.real(ALPHA) if operator.options else 0.0
        if not abs(alpha) < 1e6:
            raise operator.refuse(f"has alpha = {alpha:g}")
        return cls(alpha, **out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        above = quantize_multiplier(ratio(x.scale, self.y_scale))
        slope = np.float32(x.scale) * np.float32(abs(self.alpha)) / np.float32(self.y_scale)
        below = quantize_multiplier(float(slope))
        sign = -1 if self.alpha < 0 else 1

        def answer(count: int) -> int:
            distance = count - x.zero
            y = requant(distance, *above) if distance >= 0 else sign * requant(distance, *below)
            return int(sat8(y + self.y_zero))

        return table_step(__name__, x, self.y_scale, self.y_zero, answer, f"leaky relu, {self.alpha:.4g} below 0")

    def ideal(self, x, blocks):
        return activate(np.where(blocks >= 0, blocks, self.alpha * blocks), "none", self.y_scale, self.y_zero)


BOUND = 1.0  # counts: two roundings, half each at the most
BATCHED = True
run = look_up

EXAMPLES = [
    (LeakyRelu(0.1, 0.03, -100), Signal((300,), "int8", Fraction(30), 0.1, 10)),
    (LeakyRelu(0.3, 0.1, -5), Signal((3, 7), "int8", Fraction(30), 0.01, 100)),
]
