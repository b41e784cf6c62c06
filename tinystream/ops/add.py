"""TFLite ADD, int8: the sum of two tensors of one shape, each with its own scale.

    y[i] = clamp(requant(a_table[a[i] + 128] + b_table[b[i] + 128], multiplier, shift) + y_zero)
    a_table = requant((a - a_zero) * 2**20, a_scale / (2 * largest)),  b_table alike,  largest = the larger scale of the two
    multiplier * 2**(shift - 31) = 2 * largest / (2**20 * y_scale)

Source: tensorflow/lite/kernels/internal/reference/integer_ops/add.h, AddElementwise; the scales from tflite-micro, add_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._shared import Activation, activate, clamp, out_signal, read_activation
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION = 0          # slot of AddOptions


@dataclass(frozen=True, eq=False)
class Add:
    """The output's scale and zero."""

    y_scale: float
    y_zero: int
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> Add:
        if operator.flow(0).size != operator.flow(1).size or operator.flow(0).size != operator.y.size:
            raise operator.refuse(f"adds {operator.flow(0)} and {operator.flow(1)}; equal shapes are supported")
        return cls(**out_signal(operator.y), activation=read_activation(operator, ACTIVATION))

    def plan(self, a: Signal, b: Signal) -> Step:
        largest = 2 * max(a.scale, b.scale)
        multiplier, shift = quantize_multiplier(largest / ((1 << 20) * self.y_scale))
        if shift >= 0:
            raise ModelError(f"an addition of {a} and {b} magnifies by more than 2**19", "convert the model again")
        low, high = clamp(self.activation, self.y_scale, self.y_zero)
        counts = np.arange(-128, 128, dtype=np.int64)
        rescaled = {f"{name}_table": requant((counts - x.zero) << 20, *quantize_multiplier(x.scale / largest)).astype(np.int32)
                    for name, x in (("a", a), ("b", b))}
        return Step(
            module=__name__,
            x=(a, b),
            y=Signal(a.shape, "int8", a.rate_hz, self.y_scale, self.y_zero),
            params=dict(length=a.size, multiplier=multiplier, shift=shift, y_zero=self.y_zero, low=low, high=high),
            tables=rescaled,
            sources=(-1, -2),
            inplace=True,
            cost=dict(table=2 * a.size, requant=a.size, mem=3 * a.size),
            says="sum",
        )

    def ideal(self, x, a, b):
        return activate(a + b.reshape(a.shape), self.activation, self.y_scale, self.y_zero)


BOUND = 1.0         # counts: half from each of the two roundings
BATCHED = True


def run(k, s, a, b):
    total = k.a_table[a.astype(np.int64) + 128] + k.b_table[b.astype(np.int64) + 128].reshape(a.shape)
    return np.clip(requant(total, k.multiplier, k.shift) + k.y_zero, k.low, k.high).astype(np.int8)


def _signal(scale, zero, shape=(5, 3, 4)):
    return Signal(shape, "int8", Fraction(30), scale, zero)


EXAMPLES = [
    (Add(0.07, -3), _signal(0.05, 2), _signal(0.04, -60)),
    (Add(0.05, -128, "relu"), _signal(0.01, -128), _signal(0.09, 5, (60,))),
    (Add(0.03, 4, "relu6"), _signal(0.05, 0), _signal(0.05, 0)),
]
