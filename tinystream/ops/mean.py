"""TFLite MEAN, int8, over neighbouring axes, such as the height and width of an image.

    y[o, c] = sat8(requant(sum over p of (x[o, p, c] - x_zero), multiplier, shift) + y_zero)

multiplier * 2**(shift - 31) is x_scale / (y_scale * n), n = the number of p: the multiplier of x_scale / y_scale, times
2**j / n rounded down, the shift less j, with 2**j <= n < 2**(j + 1).  SUM is the same without n.

Source: tensorflow/lite/kernels/internal/reference/reduce.h, QuantizedMeanOrSum; tflite-micro, reduce_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._reduce import Span, read_span, span_shape
from tinystream.ops._shared import activate, out_signal
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Mean:
    """span: x is [outer][n][inner]; the mean is over n."""

    span: Span
    y_scale: float
    y_zero: int
    divided: bool = True

    @classmethod
    def read(cls, operator: Operator) -> Mean:
        return cls(read_span(operator), **out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        outer, n, inner = self.span
        if not 1 <= n < 1 << 20:
            raise ModelError(f"a mean or sum over {n} values; 1 to {(1 << 20) - 1} are supported", "pool before it")
        multiplier, shift = quantize_multiplier(x.scale / self.y_scale)
        if self.divided:
            j = min(n.bit_length() - 1, 31 + shift)
            multiplier, shift = (multiplier << j) // n, shift - j
        return Step(
            module="tinystream.ops.mean",
            x=(x,),
            y=Signal(span_shape(self.span), "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(
                outer=outer, pixels=n, channels=inner, x_zero=x.zero, y_zero=self.y_zero, multiplier=multiplier, shift=shift
            ),
            scratch=dict(acc=("int32", inner)),
            cost=dict(add=x.size, mul=outer * inner, mem=x.size),
            says=f"{'mean' if self.divided else 'sum'} of {n}",
        )

    def ideal(self, x, blocks):
        y = blocks.reshape(len(blocks), *self.span).sum(axis=2) / (self.span[1] if self.divided else 1)
        return activate(y.reshape(len(blocks), *span_shape(self.span)), "none", self.y_scale, self.y_zero)


BOUND = 1.0         # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    total = x.reshape(len(x), k.outer, k.pixels, k.channels).astype(np.int64).sum(axis=2) - k.pixels * k.x_zero
    return sat8(requant(total, k.multiplier, k.shift) + k.y_zero).reshape(len(x), *span_shape((k.outer, k.pixels, k.channels)))


EXAMPLES = [
    (Mean((1, 96, 5), 0.02, -20), Signal((12, 8, 5), "int8", Fraction(30), 0.05, -128)),
    (Mean((1, 15, 4), 0.05, -7), Signal((3, 5, 4), "int8", Fraction(30), 0.05, -7)),
    (Mean((1, 2, 3), 0.001, 9), Signal((2, 1, 3), "int8", Fraction(30), 0.05, 8)),
    (Mean((4, 7, 3), 0.03, 9), Signal((4, 7, 3), "int8", Fraction(30), 0.05, 8)),
    (Mean((6, 9, 1), 0.03, 9), Signal((6, 9), "int8", Fraction(30), 0.05, 8)),
]
