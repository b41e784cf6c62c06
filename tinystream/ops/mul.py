"""TFLite MUL, int8: the product of two tensors, each with its own scale; one may be repeated along axes that it lacks.

    y[i] = clamp(requant((a[i] - a_zero) * (b[i] - b_zero), multiplier, shift) + y_zero)
    multiplier * 2**(shift - 31) = a_scale * b_scale / y_scale

Source: tensorflow/lite/kernels/internal/reference/integer_ops/mul.h, MulElementwise; the scale from tflite-micro, mul_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._binary import Spread, pair_spread, read_pair, spread_of
from tinystream.ops._shared import Activation, activate, clamp, out_signal, read_activation
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION = 0  # slot of MulOptions
LARGEST_SHIFT = 15  # a product has 16 bits: 255 * 255 << 15 < 2**31


@dataclass(frozen=True, eq=False)
class Mul:
    """The output's scale and zero; which of the two is repeated, and how."""

    y_scale: float
    y_zero: int
    activation: Activation = "none"
    spread: Spread | None = None
    small: int = 1

    @classmethod
    def read(cls, operator: Operator):
        """Mul for two tensors that flow, MulConstant where one is a constant."""
        from tinystream.ops.mul_constant import MulConstant  # which is built on this module

        spread, small, constant = read_pair(operator)
        options = dict(**out_signal(operator.y), activation=read_activation(operator, ACTIVATION), spread=spread)
        if constant is None:
            return cls(**options, small=small)
        return MulConstant(constant.values, constant.scale, **options)

    def plan(self, a: Signal, b: Signal) -> Step:
        order = (1 - self.small, self.small)
        large, small = ((a, b)[i] for i in order)
        return Step(
            module=__name__,
            x=(large, small),
            y=Signal(large.shape, "int8", large.rate_hz, self.y_scale, self.y_zero),
            params=dict(
                **pair_spread(self.spread, a, b).params(), a_zero=large.zero, b_zero=small.zero, **product_params(self, a.scale, b.scale)
            ),
            sources=tuple(-1 - i for i in order),
            inplace=True,
            cost=dict(mul=large.size, requant=large.size, mem=3 * large.size),
            says="product",
        )

    def ideal(self, x, a, b):
        large, small = (a, b)[1 - self.small], (a, b)[self.small]
        spread = pair_spread(self.spread, *x)
        y = large.reshape(len(a), *spread) * spread.expand(small, len(a))
        return activate(y, self.activation, self.y_scale, self.y_zero).reshape(large.shape)


def product_params(told, a_scale: float, b_scale: float) -> dict[str, int]:
    """How a product becomes the output; told: its y_scale, y_zero and activation."""
    multiplier, shift = quantize_multiplier(a_scale * b_scale / told.y_scale)
    if shift > LARGEST_SHIFT:
        raise ModelError(f"a product magnifies by {a_scale * b_scale / told.y_scale:.4g}; 2**15 at most", "convert the model again")
    low, high = clamp(told.activation, told.y_scale, told.y_zero)
    return dict(multiplier=multiplier, shift=shift, y_zero=told.y_zero, low=low, high=high)


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, a, b):
    spread = spread_of(k)
    small = b.astype(np.int64).reshape(len(b), -1) - k.b_zero
    product = (a.astype(np.int64) - k.a_zero).reshape(len(a), *spread) * spread.expand(small, len(a))
    return np.clip(requant(product, k.multiplier, k.shift) + k.y_zero, k.low, k.high).astype(np.int8).reshape(a.shape)


def _signal(scale, zero, shape=(5, 3, 4)):
    return Signal(shape, "int8", Fraction(30), scale, zero)


EXAMPLES = [
    (Mul(0.07, -3), _signal(0.05, 2), _signal(0.4, -60)),
    (Mul(0.05, -128, "relu", Spread(1, 15, 4)), _signal(0.1, -128), _signal(0.09, 5, (4,))),
    (Mul(0.03, 4, "relu6", Spread(15, 4, 1), 0), _signal(0.5, 0, (5, 3, 1)), _signal(0.05, 0)),
    (Mul(0.02, 4, "none", Spread(5, 3, 4)), _signal(3.0, 0), _signal(8.0, 0, (5, 1, 4))),
]
