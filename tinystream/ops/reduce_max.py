"""TFLite REDUCE_MAX, int8: the largest value over axes.

    y[o, i] = max over n of x[o, n, i]

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
class ReduceMax:
    """span: x is [outer][n][inner]."""

    span: Span

    @classmethod
    def read(cls, operator: Operator) -> ReduceMax:
        return cls(read_choice(operator))

    def plan(self, x: Signal) -> Step:
        return choice_step(__name__, x, self.span, "largest")

    def ideal(self, x, blocks):
        return blocks.reshape(len(blocks), *self.span).max(axis=2).reshape(len(blocks), *span_shape(self.span))


BOUND = 1e-9  # counts: values are only chosen
BATCHED = True


def run(k, s, x):
    return x.reshape(len(x), k.outer, k.n, k.inner).max(axis=2).reshape(len(x), *span_shape((k.outer, k.n, k.inner)))


EXAMPLES = [
    (ReduceMax((1, 15, 4)), Signal((3, 5, 4), "int8", Fraction(30), 0.05, -128)),
    (ReduceMax((3, 5, 2)), Signal((3, 5, 2), "int8", Fraction(30), 0.05, -7)),
    (ReduceMax((6, 9, 1)), Signal((6, 9), "int8", Fraction(30), 0.05, 8)),
]
