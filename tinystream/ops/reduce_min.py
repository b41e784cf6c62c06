"""TFLite REDUCE_MIN, int8: the smallest value over axes.

    y[o, i] = min over n of x[o, n, i]

Source: tensorflow/lite/kernels/internal/reference/reduce.h, ReduceGeneric; tflite-micro, reduce_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tinystream.ops._reduce import Span, read_span, span_shape
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class ReduceMin:
    """span: x is [outer][n][inner]."""

    span: Span

    @classmethod
    def read(cls, operator: Operator) -> ReduceMin:
        if not same_scale(operator.flow(), operator.y):
            raise operator.refuse("changes the scale", "convert the model again")
        return cls(read_span(operator))

    def plan(self, x: Signal) -> Step:
        outer, n, inner = self.span
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(span_shape(self.span), "int8", x.rate_hz, x.scale, x.zero),
            params=dict(outer=outer, n=n, inner=inner),
            cost=dict(add=x.size, mem=x.size),
            says=f"smallest of {n}",
        )

    def ideal(self, x, blocks):
        return blocks.reshape(len(blocks), *self.span).min(axis=2).reshape(len(blocks), *span_shape(self.span))


BOUND = 1e-9  # counts: values are only chosen
BATCHED = True


def run(k, s, x):
    return x.reshape(len(x), k.outer, k.n, k.inner).min(axis=2).reshape(len(x), *span_shape((k.outer, k.n, k.inner)))


EXAMPLES = [
    (ReduceMin((1, 15, 4)), Signal((3, 5, 4), "int8", Fraction(30), 0.05, -128)),
    (ReduceMin((3, 5, 2)), Signal((3, 5, 2), "int8", Fraction(30), 0.05, -7)),
    (ReduceMin((6, 9, 1)), Signal((6, 9), "int8", Fraction(30), 0.05, 8)),
]
