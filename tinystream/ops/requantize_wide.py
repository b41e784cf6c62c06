"""TFLite QUANTIZE between int8, int16 and int32: the same values at another scale, or of another width.

    y[i] = saturated(requant(x[i] - x_zero, x_scale / y_scale) + y_zero)

From int8 to int8 it is a table, ops/requantize.py.

Source: tensorflow/lite/kernels/internal/reference/requantize.h; tflite-micro, quantize_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._int16 import value_step
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class RequantizeWide:
    """The type, scale and zero it gives."""

    dtype: str
    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> RequantizeWide:
        if (operator.flow().dtype, operator.y.dtype) == ("int32", "int32"):
            raise operator.refuse("goes from int32 to int32", "TFLM does not compute it either: convert the model again")
        return cls(operator.y.dtype, operator.y.scale, operator.y.zero)

    def plan(self, x: Signal) -> Step:
        multiplier, shift = quantize_multiplier(x.scale / self.y_scale)
        info, y_info = np.iinfo(x.dtype), np.iinfo(self.dtype)
        reach = max(int(info.max) - x.zero, x.zero - int(info.min) - (x.dtype == "int32"))
        if reach << max(shift, 0) >= 1 << 31:
            raise ModelError(f"a change of scale from {x.scale:.4g} to {self.y_scale:.4g} magnifies {x.dtype} to more than 32 bits",
                             "convert the model again")
        params = dict(type=-info.bits // 8, y_type=-y_info.bits // 8, multiplier=multiplier, shift=shift, x_zero=x.zero, y_zero=self.y_zero,
                      low=int(y_info.min), high=int(y_info.max))
        y = Signal(x.shape, self.dtype, x.rate_hz, self.y_scale, self.y_zero)
        return value_step(__name__, x, y, f"to {self.dtype} of scale {self.y_scale:.4g}, zero {self.y_zero}", params)

    def ideal(self, x, blocks):
        info = np.iinfo(self.dtype)
        return np.clip(blocks, (int(info.min) - self.y_zero) * self.y_scale, (int(info.max) - self.y_zero) * self.y_scale)


BOUND = 1.5, 2.0**-31  # counts: two roundings, and a multiplier of 31 bits
BATCHED = True


def run(k, s, x):
    y = requant(x.astype(np.int64) - k.x_zero, k.multiplier, k.shift) + k.y_zero
    return np.clip(y, k.low, k.high).astype(f"int{-8 * k.y_type}")


def _example(x_type, x_scale, y_type, y_scale, x_zero=0, y_zero=0, shape=(40,)):
    return RequantizeWide(y_type, y_scale, y_zero), Signal(shape, x_type, Fraction(30), x_scale, x_zero)


EXAMPLES = [
    _example("int8", 0.1, "int16", 0.0007, 10),
    _example("int8", 0.1, "int32", 0.00001, -128),
    _example("int16", 0.0003, "int8", 0.03, y_zero=-7, shape=(3, 7)),
    _example("int16", 0.0003, "int16", 0.00009),
    _example("int16", 2.0**-16, "int32", 2.0**-15, -32768),
    _example("int32", 1e-7, "int16", 0.003),
    _example("int32", 1e-7, "int8", 1.5, y_zero=100),
]
