"""TFLite LOG_SOFTMAX, int8, over the last axis, at scale 16/256, zero 127.

    y[i] = sat8(rounding_divide(difference[d] - log_sum, 22) + 127),   d = max(x) - x[i];   -128 where d >= far
    log_sum = log(rounding_divide(exp[d], 12) + …) in Q26
    far = min(-requant(log_sum - 2**31, reverse, reverse_shift), limit),   limit = the first d of which exp is not computed

difference[] is -d times x_scale in Q26, exp[] gemmlowp's exp of it, 0 where d leaves the 5 integer bits that it is computed with; both made
at plan time.  reverse * 2**(reverse_shift - 31) is their inverse, counts of x in one of Q26.

Source: tensorflow/lite/kernels/internal/reference/log_softmax.h, LogSoftmaxQuantized; common.h,
log_x_for_x_greater_than_or_equal_to_1_impl; tflite-micro, log_softmax.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops.softmax import one_over_one_plus
from tinystream.plan.fixed import msb, quantize_multiplier, requant, rounding_divide, rshift, sat8, sat32, srdhm
from tinystream.plan.gemmlowp import exp_of_negative, input_radius
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

Y_SCALE, Y_ZERO = 16 / 256, 127
MOST_CLASSES = 4095  # a sum of so many ones has 12 integer bits


@dataclass(frozen=True, eq=False)
class LogSoftmax:
    """classes is the length of the last axis."""

    classes: int

    @classmethod
    def read(cls, operator: Operator) -> LogSoftmax:
        if (operator.y.scale, operator.y.zero) != (Y_SCALE, Y_ZERO):
            raise operator.refuse(f"gives {operator.y}; only scale 16/256, zero 127 is defined")
        return cls(operator.flow().dims[-1])

    def plan(self, x: Signal) -> Step:
        if not 1 <= self.classes <= MOST_CLASSES:
            raise ModelError(f"a log softmax over {self.classes} classes; {MOST_CLASSES} at most", "detect on logits")
        multiplier, shift = quantize_multiplier(min(x.scale * 2.0**26, 2.0**31 - 1))
        if shift < 1:
            raise ModelError(f"a log softmax of values at scale {x.scale:.4g}; more than 2**-26 is supported", "convert the model again")
        radius = input_radius(5, shift)
        difference = [int(requant(-d, multiplier, shift)) if d <= radius else 0 for d in range(256)]
        reverse, reverse_shift = quantize_multiplier((1 << (31 - shift)) / multiplier)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, Y_SCALE, Y_ZERO),
            params=dict(
                rows=x.size // self.classes, classes=self.classes, limit=min(radius, 255) + 1, reverse=reverse, reverse_shift=reverse_shift
            ),
            tables=dict(
                exp=np.array([exp_of_negative(v, 5) if d <= radius else 0 for d, v in enumerate(difference)], np.int32),
                difference=np.array(difference, np.int32),
            ),
            inplace=True,
            cost=dict(table=2 * x.size, mem=3 * x.size),
            says=f"logarithm of a softmax over {self.classes}",
        )

    def ideal(self, x, blocks):
        rows = blocks.reshape(-1, self.classes)
        rows = rows - rows.max(axis=1, keepdims=True)
        y = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
        return np.maximum(y, (-128 - Y_ZERO) * Y_SCALE).reshape(blocks.shape)


BOUND = 0.51  # counts: half from rounding, the rest gemmlowp's exp and logarithm
BATCHED = True


def run(k, s, x):
    rows = x.reshape(-1, k.classes).astype(np.int64)
    d = rows.max(axis=1, keepdims=True) - rows
    log_sum = log_above_one(rounding_divide(k.exp.astype(np.int64)[d], 12).sum(axis=1, keepdims=True))
    far = np.minimum(-requant(log_sum - (1 << 31), k.reverse, k.reverse_shift), k.limit)
    y = rounding_divide(k.difference.astype(np.int64)[d] - log_sum, 22) + Y_ZERO
    return np.where(d < far, sat8(y), -128).astype(np.int8).reshape(x.shape)


def log_above_one(x: np.ndarray) -> np.ndarray:
    """log(x) in Q26 for 1 <= x < 2**12 in Q19: gemmlowp's log_x_for_x_greater_than_or_equal_to_1, 12 integer bits to 5."""
    quarter = 1 << 23  # 1/4 in Q25, in which powers of two are counted
    zeros = 31 - msb(x)
    scaled = sat32(2 * srdhm(x << (zeros - 1), SQRT_HALF)).astype(np.int64)
    power = ((12 - zeros) << 25) + quarter
    below = srdhm(x, SQRT_HALF)
    room = 30 - msb(below)
    r = np.minimum(scaled, sat32(x << room))
    power = np.maximum(power, ((12 - room) << 25) - quarter)
    p, q = rshift(r + FOURTH_ROOT_HALF, 1), 2 * (r - FOURTH_ROOT_HALF)
    square = srdhm(q, q)
    num = srdhm(q, r) + srdhm(srdhm(q, square), 117049297)
    denominator = srdhm(p, 1057819769 + q + srdhm(127690142, square)) + srdhm(638450708, q)
    part = srdhm(rounding_divide(num, 6), one_over_one_plus(denominator))
    return 2 * (srdhm(power, 1488522236) + part)


SQRT_HALF, FOURTH_ROOT_HALF = 1518500250, 1805811301  # in Q31; the other constants are of its rational approximation, and log 2

EXAMPLES = [
    (LogSoftmax(12), Signal((12,), "int8", Fraction(30), 0.15, 20)),
    (LogSoftmax(4), Signal((3, 4), "int8", Fraction(30), 0.05, -128)),
    (LogSoftmax(2), Signal((2,), "int8", Fraction(30), 3.0, 0)),
    (LogSoftmax(900), Signal((900,), "int8", Fraction(30), 0.001, 0)),
    (LogSoftmax(1), Signal((1,), "int8", Fraction(30), 0.1, 0)),
    (LogSoftmax(7), Signal((5, 7), "int8", Fraction(30), 0.1, 0)),
    (LogSoftmax(2), Signal((90, 2), "int8", Fraction(30), 0.2, 0)),  # rows whose difference is just beyond what exp is computed of
]
