"""TFLite DIV, int8: the quotient of two tensors, each with its own scale; the divisor may be repeated along axes that it lacks.

    y[i] = clamp(rounding_divide(srdhm(srdhm(a << room, inverse), multiplier), room + bits - shift) + y_zero)

a is a[i] - a_zero with the sign of b[i] - b_zero, room its leading bits that are only sign; inverse[] is 1 / |b| in Q31 without its leading
zeros, bits[] how many bits |b| lies above 1: gemmlowp's, for each count of b, made at plan time.
multiplier * 2**(shift - 31) = a_scale / (b_scale * y_scale), in float32.  0 where more than 31 bits fall away, and a
divisor of 0 is taken for 1: TFLM defines neither.

Source: tensorflow/lite/kernels/internal/reference/div.h, DivElementwise; tflite-micro, div.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._binary import Spread, pair_spread, read_pair, spread_of
from tinystream.ops._shared import Activation, activate, clamp, out_signal, read_activation
from tinystream.plan.fixed import msb, quantize_multiplier, rounding_divide, srdhm
from tinystream.plan.gemmlowp import one_over_one_plus
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION = 0  # slot of DivOptions
LARGEST_SHIFT = 22  # a has 9 bits, so that at least 23 others are only sign


@dataclass(frozen=True, eq=False)
class Div:
    """The output's scale and zero; how the divisor is repeated."""

    y_scale: float
    y_zero: int
    activation: Activation = "none"
    spread: Spread | None = None

    @classmethod
    def read(cls, operator: Operator):
        """Div for two tensors that flow, DivConstant where one of them is one number."""
        from tinystream.ops.div_constant import DivConstant  # which is built on this module

        spread, small, constant = read_pair(operator)
        told = dict(**out_signal(operator.y), activation=read_activation(operator, ACTIVATION))
        if constant is not None and constant.values.size == 1:
            return DivConstant(int(constant.values[0]), constant.scale, small, **told)
        if constant is not None or (small == 0 and spread.repeat > 1):
            raise operator.refuse("divides by several constants, or repeats what it divides", "multiply by the inverse")
        return cls(**told, spread=spread)

    def plan(self, a: Signal, b: Signal) -> Step:
        return Step(
            module=__name__,
            x=(a, b),
            y=Signal(a.shape, "int8", a.rate_hz, self.y_scale, self.y_zero),
            params=dict(**pair_spread(self.spread, a, b).params(), a_zero=a.zero, b_zero=b.zero, **quotient_params(self, a.scale, b.scale)),
            tables=inverses(np.arange(-128, 128) - b.zero),
            sources=(-1, -2),
            inplace=True,
            cost=dict(table=a.size, mul=2 * a.size, mem=3 * a.size),
            says="quotient",
        )

    def ideal(self, x, a, b):
        spread = pair_spread(self.spread, *x)
        divisor = np.where(b == 0, x[1].scale, b)
        y = a.reshape(len(a), *spread) / spread.expand(divisor, len(a))
        return activate(y, self.activation, self.y_scale, self.y_zero).reshape(a.shape)


def quotient_params(told, a_scale: float, b_scale: float) -> dict[str, int]:
    """How a quotient becomes the output; told: its y_scale, y_zero and activation."""
    multiplier, shift = quantize_multiplier(float(np.float32(a_scale) / (np.float32(b_scale) * np.float32(told.y_scale))))
    if shift > LARGEST_SHIFT:
        raise ModelError(f"a quotient is magnified by more than 2**{LARGEST_SHIFT}", "convert the model again")
    low, high = clamp(told.activation, told.y_scale, told.y_zero)
    return dict(multiplier=multiplier, shift=shift, y_zero=told.y_zero, low=low, high=high)


def inverses(values: np.ndarray) -> dict[str, np.ndarray]:
    """1 / |value| in Q31 and the bits that |value| lies above 1, of each."""
    magnitudes = [max(abs(int(v)), 1) for v in values]
    bits = [v.bit_length() - 1 for v in magnitudes]
    inverse = [one_over_one_plus((v << 31 - n) - (1 << 31)) for v, n in zip(magnitudes, bits)]
    return dict(inverse=np.array(inverse, np.int32), bits=np.array(bits, np.int8))


BOUND = 1.0  # counts: half from the last rounding, and what the one before loses
BATCHED = True


def run(k, s, a, b):
    spread = spread_of(k)
    divisor = spread.expand(b.reshape(len(b), -1).astype(np.int64), len(a))
    value = (a.astype(np.int64) - k.a_zero).reshape(divisor.shape)
    return quotient(k, np.where(divisor < k.b_zero, -value, value), divisor + 128).reshape(a.shape)


def quotient(k, value: np.ndarray, at: np.ndarray) -> np.ndarray:
    """int8 of values divided by those whose inverses are entries `at` of the tables."""
    room = 30 - msb(np.where(value < 0, ~value, value))
    room += (value == 0) | (value == -1)  # msb of 0 is that of 1
    fine = srdhm(srdhm(value << room, k.inverse.astype(np.int64)[at]), k.multiplier)
    right = room + k.bits.astype(np.int64)[at] - k.shift
    y = np.where(right > 31, 0, rounding_divide(fine, np.minimum(right, 31)))
    return np.clip(y + k.y_zero, k.low, k.high).astype(np.int8)


def _signal(scale, zero, *shape):
    return Signal(shape, "int8", Fraction(30), scale, zero)


EXAMPLES = [
    (Div(0.005, 3), _signal(0.05, -7, 5, 12), _signal(0.04, -128, 5, 12)),
    (Div(0.03, -100, "relu"), _signal(0.05, 4, 5, 3, 4), _signal(0.01, 20, 5, 3, 4)),
    (Div(2e-5, 3, "none", Spread(1, 15, 4)), _signal(0.002, -7, 15, 4), _signal(1.0, 5, 4)),
    (Div(0.2, 3, "none", Spread(5, 12, 1)), _signal(0.9, -128, 5, 12), _signal(0.04, 90, 5)),
    (Div(0.5, 3), _signal(0.05, -7, 5, 12), _signal(0.9, -128, 5, 12)),  # of which more than 31 bits fall away
]
