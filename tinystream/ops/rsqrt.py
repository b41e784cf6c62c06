"""TFLite RSQRT, int8: 1 / sqrt(x) of each value.

    y[i] = table[x[i] + 128];   table = sat8(requant(requant(1, root, root_shift + 20), multiplier, shift - 20) + y_zero)

root * 2**(root_shift - 31) = 1 / sqrt(x - x_zero), by five of Newton's steps in Q28
multiplier * 2**(shift - 31) = 1 / (sqrt(x_scale) * y_scale)

127 for x <= x_zero.  TFLM stops at a value below x_zero, which has no root.

Source: tflite-micro, elementwise.cc, RsqrtEvalQuantized; tensorflow/lite/kernels/internal/common.h, GetInvSqrtQuantizedMultiplierExp.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._shared import out_signal
from tinystream.ops._table import look_up, table_step
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.gemmlowp import inverse_root
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

FINER = 20  # bits of the root that its first requant keeps below one


@dataclass(frozen=True, eq=False)
class Rsqrt:
    """What it gives."""

    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> Rsqrt:
        operator.flow()
        return cls(**out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        # float32 as in TFLM: the root, and its product with the scale
        multiplier, shift = quantize_multiplier(1.0 / float(np.sqrt(np.float32(x.scale)) * np.float32(self.y_scale)))

        def answer(count: int) -> int:
            if count <= x.zero:
                return 127
            root, root_shift = inverse_root(count - x.zero)
            fine = requant(1, root, root_shift + FINER)
            return int(sat8(requant(fine, multiplier, shift - FINER) + self.y_zero))

        return table_step(__name__, x, self.y_scale, self.y_zero, answer, "1 / square root")

    def ideal(self, x, blocks):
        with np.errstate(all="ignore"):
            y = np.where(blocks > 0, 1 / np.sqrt(np.maximum(blocks, 0)), np.inf)
        return np.clip(y, (-128 - self.y_zero) * self.y_scale, (127 - self.y_zero) * self.y_scale)


BOUND = 0.51  # counts: half from the last rounding, the rest that of the root to 20 bits
BATCHED = True
run = look_up

EXAMPLES = [
    (Rsqrt(0.04389, -128), Signal((300,), "int8", Fraction(30), 0.009059, -128)),
    (Rsqrt(0.0092, 0), Signal((300,), "int8", Fraction(30), 3.7, -100)),
    (Rsqrt(0.5, -20), Signal((5, 9), "int8", Fraction(30), 0.0004, -7)),
]
