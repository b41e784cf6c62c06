"""TFLite LEAKY_RELU and RELU, int16: x, or alpha * x where x is negative; alpha is 0 for RELU.

    y[i] = sat16(requant(x, multiplier, shift))                          for x >= 0,  x_scale / y_scale
           sat16(sign * requant(x, below_multiplier, below_shift))       below,       x_scale * |alpha| / y_scale

TFLite (not TFLM) computes it so, too, in its reference kernels.

Source: tensorflow/lite/kernels/internal/reference/leaky_relu.h; the scales from tflite-micro, leaky_relu_common.cc, activations_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._int16 import activate16, check_symmetric, signal16, value_step
from tinystream.ops._table import ratio
from tinystream.plan.fixed import quantize_multiplier, requant, sat16
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ALPHA = 0  # slot of LeakyReluOptions
LARGEST_SHIFT = 15  # 2**15 << 15 < 2**31


@dataclass(frozen=True, eq=False)
class LeakyReluInt16:
    """The slope below 0; the scale it gives."""

    alpha: float
    y_scale: float

    @classmethod
    def read(cls, operator: Operator) -> LeakyReluInt16:
        operator.flow()
        check_symmetric(operator)
        alpha = operator.options.real(ALPHA) if operator.options and operator.kind == "leaky_relu" else 0.0
        if not abs(alpha) < 1e6:
            raise operator.refuse(f"has alpha = {alpha:g}")
        return cls(alpha, operator.y.scale)

    def plan(self, x: Signal) -> Step:
        multiplier, shift = quantize_multiplier(ratio(x.scale, self.y_scale))
        below = np.float32(x.scale) * np.float32(abs(self.alpha)) / np.float32(self.y_scale)
        below_multiplier, below_shift = quantize_multiplier(float(below))
        if max(shift, below_shift) > LARGEST_SHIFT:
            what = f"a leaky relu from scale {x.scale:.4g} to {self.y_scale:.4g} magnifies by more than 2**15"
            raise ModelError(what, "convert the model again")
        params = dict(multiplier=multiplier, shift=shift, below_multiplier=below_multiplier, below_shift=below_shift,
                      sign=-1 if self.alpha < 0 else 1)
        return value_step(__name__, x, signal16(x.shape, x, self.y_scale), f"relu, {self.alpha:.4g} below 0", params)

    def ideal(self, x, blocks):
        return activate16(np.where(blocks >= 0, blocks, self.alpha * blocks), "none", self.y_scale)


BOUND = 1.0  # counts: two roundings, half each at the most
BATCHED = True


def run(k, s, x):
    x = x.astype(np.int64)
    return sat16(np.where(x >= 0, requant(x, k.multiplier, k.shift), k.sign * requant(x, k.below_multiplier, k.below_shift)))


def _signal(scale, *shape):
    return Signal(shape, "int16", Fraction(30), float(np.float32(scale)))


EXAMPLES = [
    (LeakyReluInt16(0.3, float(np.float32(0.0007))), _signal(0.0009, 300)),
    (LeakyReluInt16(-0.2, float(np.float32(0.001))), _signal(0.0003, 3, 7)),
    (LeakyReluInt16(1.5, float(np.float32(0.0001))), _signal(0.0005, 40)),
    (LeakyReluInt16(0.0, float(np.float32(0.0005))), _signal(0.0003, 40)),
]
