"""TFLite MEAN, int16, over neighbouring axes, such as the height and width of an image.

    y[o, c] = sat16(requant(sum over p of x[o, p, c], multiplier, shift))

multiplier * 2**(shift - 31) is x_scale / (y_scale * n), n = the number of p, as in ops/mean.py.  SUM is the same without n.

Source: tensorflow/lite/kernels/internal/reference/reduce.h, QuantizedMeanOrSum; tflite-micro, reduce_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._int16 import activate16, check_symmetric, signal16
from tinystream.ops._reduce import Span, read_span, span_shape
from tinystream.plan.fixed import quantize_multiplier, requant, sat16
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class MeanInt16:
    """span: x is [outer][n][inner]; the mean is over n."""

    span: Span
    y_scale: float
    divided: bool = True

    @classmethod
    def read(cls, operator: Operator) -> MeanInt16:
        check_symmetric(operator)
        return cls(read_span(operator), operator.y.scale)

    def plan(self, x: Signal) -> Step:
        outer, n, inner = self.span
        multiplier, shift = quantize_multiplier(x.scale / self.y_scale)
        if self.divided:
            j = min(n.bit_length() - 1, 31 + shift)
            multiplier, shift = (multiplier << j) // n, shift - j
        if (n << 15) << max(shift, 0) >= 1 << 31:
            raise ModelError(f"a mean or sum over {n} values of int16 from scale {x.scale:.4g} to {self.y_scale:.4g} may exceed 32 bits",
                             "pool before it")
        return Step(
            module="tinystream.ops.mean_int16",
            x=(x,),
            y=signal16(span_shape(self.span), x, self.y_scale),
            params=dict(outer=outer, pixels=n, channels=inner, multiplier=multiplier, shift=shift),
            scratch=dict(acc=("int32", inner)),
            cost=dict(add=x.size, mul=outer * inner, mem=2 * x.size),
            says=f"{'mean' if self.divided else 'sum'} of {n}",
        )

    def ideal(self, x, blocks):
        y = blocks.reshape(len(blocks), *self.span).sum(axis=2) / (self.span[1] if self.divided else 1)
        return activate16(y.reshape(len(blocks), *span_shape(self.span)), "none", self.y_scale)


BOUND = 1.01        # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    total = x.reshape(len(x), k.outer, k.pixels, k.channels).astype(np.int64).sum(axis=2)
    return sat16(requant(total, k.multiplier, k.shift)).reshape(len(x), *span_shape((k.outer, k.pixels, k.channels)))


def _signal(*shape):
    return Signal(shape, "int16", Fraction(30), 0.0005)


EXAMPLES = [
    (MeanInt16((1, 96, 5), 0.0002), _signal(12, 8, 5)),
    (MeanInt16((1, 15, 4), 0.0005), _signal(3, 5, 4)),
    (MeanInt16((1, 2, 3), 0.00001), _signal(2, 1, 3)),
    (MeanInt16((4, 7, 3), 0.0003), _signal(4, 7, 3)),
    (MeanInt16((6, 9, 1), 0.0003), _signal(6, 9)),
]
