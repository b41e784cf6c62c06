"""TFLite SOFTMAX, int8, over the last axis, at scale 1/256, zero -128.

    y[i] = sat8(rounding_divide(srdhm(scale, e[i]), over + 23) - 128),   e[i] = exp[max(x) - x[i]] in Q31

    sum = rounding_divide(e[0], 12) + rounding_divide(e[1], 12) + ...
    scale, over: 1 / sum in Q31 without its leading zeros, and the bits that sum lies above 1, by gemmlowp's Newton steps

exp[] is gemmlowp's exp of each difference of two int8, times beta * x_scale, made at plan time; it is 0 where the
difference leaves the 5 integer bits that it is computed with.

Source: tensorflow/lite/kernels/internal/reference/softmax.h and common.h (GetReciprocal); tflite-micro, softmax_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.fixed import msb, quantize_multiplier, requant, rounding_divide, sat8, srdhm
from tinystream.plan.gemmlowp import exp_of_negative, input_radius
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

BETA = 0  # slot of SoftmaxOptions


@dataclass(frozen=True, eq=False)
class Softmax:
    """classes is the length of the last axis; beta multiplies the logits."""

    classes: int
    beta: float = 1.0

    @classmethod
    def read(cls, operator: Operator):
        """Softmax to int8, SoftmaxWide to int16."""
        from tinystream.ops.softmax_wide import Y_SCALE, SoftmaxWide  # which is built on this module

        y = operator.y
        wide = y.dtype == "int16" and y.zero == -32768 and abs(y.scale / Y_SCALE - 1) < 0.001
        if not wide and (y.dtype, y.scale, y.zero) != ("int8", 1 / 256, -128):
            raise operator.refuse(f"gives {y}; only scale 1/256, zero -128 is defined")
        beta = operator.options.real(BETA) if operator.options else 0.0
        if not 0 < beta < 1e6:
            raise operator.refuse(f"has beta = {beta:g}")
        softmax = cls(operator.flow().dims[-1], beta)
        return SoftmaxWide(softmax) if wide else softmax

    def plan(self, x: Signal) -> Step:
        if not 1 <= self.classes <= 511:
            raise ModelError(
                f"a softmax over {self.classes} classes; its arithmetic is defined for 511 at most",
                "leave the softmax away and detect on logits",
            )
        multiplier, shift = quantize_multiplier(min(self.beta * x.scale * 2.0**26, 2.0**31 - 1))
        radius = input_radius(5, shift)
        exp = [exp_of_negative(int(requant(-d, multiplier, shift)), 5) if d <= radius else 0 for d in range(256)]
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, 1 / 256, -128),
            params=dict(rows=x.size // self.classes, classes=self.classes),
            tables=dict(exp=np.array(exp, np.int32)),
            inplace=True,
            cost=dict(table=2 * x.size, requant=2 * x.size, mem=3 * x.size),
            says=f"softmax over {self.classes}",
        )

    def ideal(self, x, blocks):
        rows = blocks.reshape(-1, self.classes)
        e = np.exp(self.beta * (rows - rows.max(axis=1, keepdims=True)))
        return np.minimum(e / e.sum(axis=1, keepdims=True), 255 / 256).reshape(blocks.shape)


BOUND = 0.6  # counts: half from rounding, the rest gemmlowp's exp and reciprocal
BATCHED = True


def run(k, s, x):
    return sat8(quotients(k, x, 8) - 128).reshape(x.shape)


def quotients(k, x: np.ndarray, bits: int) -> np.ndarray:
    """exp(x) over their sum in so many bits, [rows, classes]."""
    rows = x.reshape(-1, k.classes).astype(np.int64)
    e = k.exp.astype(np.int64)[rows.max(axis=1, keepdims=True) - rows]
    total = rounding_divide(e, 12).sum(axis=1, keepdims=True)
    zeros = 31 - msb(total)  # leading zeros of 32 bits
    scale = one_over_one_plus((total << zeros) - (1 << 31))
    return rounding_divide(srdhm(scale, e), 12 - zeros + 31 - bits)


def one_over_one_plus(a: np.ndarray) -> np.ndarray:
    """1 / (1 + a) in Q31 for 0 <= a < 1 in Q31: gemmlowp's one_over_one_plus_x_for_x_in_0_1."""
    half = (a + (1 << 31)) >> 1
    x = 1515870810 + srdhm(half, -1010580540)  # 48/17 - 32/17 d, in Q29
    for _ in range(3):
        x = x + 4 * srdhm(x, (1 << 29) - srdhm(half, x))
    return np.minimum(2 * x, 2**31 - 1)


EXAMPLES = [
    (Softmax(12), Signal((12,), "int8", Fraction(30), 0.15, 20)),
    (Softmax(4, beta=2.5), Signal((3, 4), "int8", Fraction(30), 0.05, -128)),
    (Softmax(2), Signal((2,), "int8", Fraction(30), 3.0, 0)),
    (Softmax(300), Signal((300,), "int8", Fraction(30), 0.001, 0)),
    (Softmax(1), Signal((1,), "int8", Fraction(30), 0.1, 0)),
]
