"""TFLite HARD_SWISH, int8: x * min(max(x + 3, 0), 6) / 6 of each value.

    y[i] = table[x[i] + 128];   table = sat8(rounding_divide(high(relu, srdhm16(128 * (x - x_zero), output)), n) + y_zero)

relu is (x + 3) / 6 in Q15, saturated, from x at 16 bits; output and n are x_scale / (128 * y_scale) as a 16-bit multiplier;
high() is a product / 2**15, rounded towards zero.

Source: tensorflow/lite/kernels/internal/reference/hard_swish.h; the scales from tflite-micro, hard_swish_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._shared import activate, out_signal
from tinystream.ops._table import look_up, table_step
from tinystream.plan.fixed import quantize_multiplier, rounding_divide
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class HardSwish:
    """The scale and zero it gives."""

    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> HardSwish:
        scales = np.float32(operator.flow().scale) * np.float32(1 / 128), np.float32(operator.y.scale)
        if multiplier16(scales[0] / scales[1])[1] > 0:
            raise operator.refuse("magnifies by more than 128", "convert the model again")
        return cls(**out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        fine = np.float32(x.scale) * np.float32(1 / 128)
        output, n = multiplier16(fine / np.float32(self.y_scale))
        sloped, left = multiplier16(fine / np.float32(3 / 32768))

        def answer(count: int) -> int:
            value = 128 * (count - x.zero)
            relu = shifted16(value, left - 1) if left > 0 else value
            relu = srdhm16(relu, sloped)
            relu = shifted16(relu, 1) if left > 0 else int(rounding_divide(relu, -left))
            product = ((relu + (1 << 15)) >> 1) * srdhm16(value, output)
            high = abs(product) >> 15
            return int(np.clip(rounding_divide(high if product >= 0 else -high, -n) + self.y_zero, -128, 127))

        return table_step(__name__, x, self.y_scale, self.y_zero, answer, "hard swish")

    def ideal(self, x, blocks):
        return activate(blocks * np.clip(blocks + 3, 0, 6) / 6, "none", self.y_scale, self.y_zero)


def multiplier16(real: np.float32) -> tuple[int, int]:
    """(multiplier in Q15, shift): DownScaleInt32ToInt16Multiplier of quantize_multiplier."""
    multiplier, shift = quantize_multiplier(float(real))
    return min((multiplier + (1 << 15)) >> 16, 32767), shift


def shifted16(value: int, n: int) -> int:
    """value * 2**n, saturated at 16 bits."""
    return max(-32768, min(value << n, 32767))


def srdhm16(a: int, b: int) -> int:
    """a * b / 2**15 to nearest, halves away from zero, of 16 bits: gemmlowp's SaturatingRoundingDoublingHighMul."""
    return (a * b + (1 << 14)) >> 15 if a * b >= 0 else -((-a * b + (1 << 14) - 1) >> 15)


BOUND = 1.3  # counts: three roundings of 16 bits and one of 8
BATCHED = True
run = look_up

EXAMPLES = [
    (HardSwish(0.03, -118), Signal((300,), "int8", Fraction(30), 0.03, 10)),
    (HardSwish(0.1, -5), Signal((3, 7), "int8", Fraction(30), 0.2, -100)),
    (HardSwish(0.004, 3), Signal((40,), "int8", Fraction(30), 0.011, 0)),
]
