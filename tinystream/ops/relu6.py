"""TFLite RELU6, int8: min(max(x, 0), 6) of each value, at x's scale.

    y[i] = table[x[i] + 128];   table = clamp(x),   from the count of 0 to the count of 6

TFLM keeps the scale of x whatever the file says of y; a file that says another one is refused.

Source: tflite-micro, activations_common.cc and activations.h, Relu6Quantized.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tinystream.ops._shared import activate, clamp
from tinystream.ops._table import look_up, table_step
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Relu6:
    """It has no options."""

    @classmethod
    def read(cls, operator: Operator) -> Relu6:
        if not same_scale(operator.flow(), operator.y):
            raise operator.refuse("changes the scale", "fuse it with the layer before it")
        return cls()

    def plan(self, x: Signal) -> Step:
        low, high = clamp("relu6", x.scale, x.zero)
        return table_step(__name__, x, x.scale, x.zero, lambda count: min(max(count, low), high), "min(max(x, 0), 6)")

    def ideal(self, x, blocks):
        return activate(blocks, "relu6", x[0].scale, x[0].zero)


BOUND = 0.5  # counts: 6 need not lie on a count
BATCHED = True
run = look_up

EXAMPLES = [
    (Relu6(), Signal((300,), "int8", Fraction(30), 0.1, 10)),
    (Relu6(), Signal((3, 7), "int8", Fraction(30), 0.035, -100)),
]
