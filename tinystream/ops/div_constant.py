"""TFLite DIV of a tensor and one number, int8: ops/div.py, as a table.

    y[i] = table[x[i] + 128];   table = the quotient of x and the number, or of the number and x

Source: as ops/div.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from tinystream.ops._shared import Activation, activate
from tinystream.ops._table import look_up, table_step
from tinystream.ops.div import inverses, quotient, quotient_params
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class DivConstant:
    """The number, counted from its zero, and its scale; its place: 1 divides by it.  read() is Div's."""

    number: int
    scale: float
    place: int
    y_scale: float
    y_zero: int
    activation: Activation = "none"

    def plan(self, x: Signal) -> Step:
        counts = np.arange(-128, 128, dtype=np.int64) - x.zero
        number = np.full(256, self.number, np.int64)
        a, b = (counts, number) if self.place == 1 else (number, counts)
        scales = (x.scale, self.scale) if self.place == 1 else (self.scale, x.scale)
        k = SimpleNamespace(**quotient_params(self, *scales), **inverses(b))
        answers = quotient(k, np.where(b < 0, -a, a), np.arange(256))
        return table_step(__name__, x, self.y_scale, self.y_zero, lambda count: int(answers[count + 128]), "quotient")

    def ideal(self, x, blocks):
        number = self.number * self.scale
        y = blocks / number if self.place == 1 else number / np.where(blocks == 0, x[0].scale, blocks)
        return activate(y, self.activation, self.y_scale, self.y_zero)


BOUND = 1.0  # as ops/div.py
BATCHED = True
run = look_up

EXAMPLES = [
    (DivConstant(255, 0.011, 1, 0.02, -7), Signal((300,), "int8", Fraction(30), 0.05, -7)),
    (DivConstant(255, 0.0039, 0, 0.2, -128), Signal((300,), "int8", Fraction(30), 0.05, -128)),
    (DivConstant(-3, 0.5, 1, 0.02, 10, "relu6"), Signal((300,), "int8", Fraction(30), 0.05, 30)),
]
