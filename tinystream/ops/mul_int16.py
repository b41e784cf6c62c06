"""TFLite MUL, int16: the product of two tensors, each with its own scale; one may be repeated along axes that it lacks.

    y[i] = clamp(requant(a[i] * b[i], multiplier, shift)),   multiplier * 2**(shift - 31) = a_scale * b_scale / y_scale

Source: tensorflow/lite/kernels/internal/reference/integer_ops/mul.h, MulElementwise; the scale from tflite-micro, mul_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._binary import Spread, pair_spread, read_pair, spread_of
from tinystream.ops._int16 import activate16, check_symmetric, clamp16, signal16
from tinystream.ops._shared import Activation, read_activation
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION = 0  # slot of MulOptions


@dataclass(frozen=True, eq=False)
class MulInt16:
    """The output's scale; which of the two is repeated, and how."""

    y_scale: float
    activation: Activation = "none"
    spread: Spread | None = None
    small: int = 1

    @classmethod
    def read(cls, operator: Operator):
        """MulInt16 for two tensors that flow, MulConstantInt16 where one is a constant."""
        from tinystream.ops.mul_constant_int16 import MulConstantInt16  # which is built on this module

        check_symmetric(operator)
        spread, small, constant = read_pair(operator)
        activation = read_activation(operator, ACTIVATION)
        if constant is None:
            return cls(operator.y.scale, activation, spread, small)
        if constant.zero:
            raise operator.refuse(f"has a constant of int16 with zero {constant.zero}", "convert the model again")
        return MulConstantInt16(constant.values, constant.scale, operator.y.scale, spread, activation)

    def plan(self, a: Signal, b: Signal) -> Step:
        order = (1 - self.small, self.small)
        large, small = ((a, b)[i] for i in order)
        return Step(
            module=__name__,
            x=(large, small),
            y=signal16(large.shape, large, self.y_scale),
            params=dict(**pair_spread(self.spread, a, b).params(), **product16_params(self, a.scale, b.scale)),
            sources=tuple(-1 - i for i in order),
            inplace=True,
            cost=dict(mul=large.size, requant=large.size, mem=6 * large.size),
            says="product",
        )

    def ideal(self, x, a, b):
        large, small = (a, b)[1 - self.small], (a, b)[self.small]
        spread = pair_spread(self.spread, *x)
        y = large.reshape(len(a), *spread) * spread.expand(small, len(a))
        return activate16(y, self.activation, self.y_scale).reshape(large.shape)


def product16_params(told, a_scale: float, b_scale: float) -> dict[str, int]:
    """How a product becomes the output; told: its y_scale and activation."""
    multiplier, shift = quantize_multiplier(a_scale * b_scale / told.y_scale)
    if shift > 0:  # a product has 31 bits already
        raise ModelError(f"a product of int16 magnifies by {a_scale * b_scale / told.y_scale:.4g}; 1 at most", "convert the model again")
    low, high = clamp16(told.activation, told.y_scale)
    return dict(multiplier=multiplier, shift=shift, low=low, high=high)


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, a, b):
    spread = spread_of(k)
    small = b.astype(np.int64).reshape(len(b), -1)
    product = a.astype(np.int64).reshape(len(a), *spread) * spread.expand(small, len(a))
    return np.clip(requant(product, k.multiplier, k.shift), k.low, k.high).astype(np.int16).reshape(a.shape)


def _signal(scale, shape=(5, 3, 4)):
    return Signal(shape, "int16", Fraction(30), float(np.float32(scale)))


EXAMPLES = [
    (MulInt16(0.004), _signal(0.0005), _signal(0.004)),
    (MulInt16(0.0005, "relu", Spread(1, 15, 4)), _signal(0.001), _signal(0.0009, (4,))),
    (MulInt16(0.0003, "relu6", Spread(15, 4, 1), 0), _signal(0.005, (5, 3, 1)), _signal(0.0005)),
    (MulInt16(0.00004, "relu_n1_to_1", Spread(5, 3, 4)), _signal(0.006), _signal(0.006, (5, 1, 4))),
]
