"""TFLite REDUCE_MIN, int8: the smallest value over axes.

    y[o, i] = min over n of x[o, n, i]

Source: tensorflow/lite/kernels/internal/reference/reduce.h, ReduceGeneric; tflite-micro, reduce_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tinystream.ops._reduce import Span, choice_step, read_choice, span_shape
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class ReduceMin:
    """span: x is [outer][n][inner]."""

    span: Span

    @classmethod
    def read(cls, operator: Operator) -> ReduceMin:
        return cls(read_choice(operator))

    def plan(self, x: Signal) -> Step:
        return choice_step(__name__, x, self.span, "smallest")

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
