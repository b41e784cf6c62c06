"""TFLite MAXIMUM and MINIMUM of a tensor and one constant, int8: a clamp.

    y[i] = table[x[i] + 128];   table = clamp(x)

Source: as ops/maximum.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._table import look_up, table_step
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Limit:
    """The counts between which y stays.  read() is Maximum's and Minimum's."""

    low: int = -128
    high: int = 127

    def plan(self, x: Signal) -> Step:
        return table_step(__name__, x, x.scale, x.zero, lambda count: min(max(count, self.low), self.high), "clamp")

    def ideal(self, x, blocks):
        return np.clip(blocks, x[0].real(self.low), x[0].real(self.high))


BOUND = 1e-9  # counts: values are only chosen
BATCHED = True
run = look_up

EXAMPLES = [
    (Limit(low=-7), Signal((300,), "int8", Fraction(30), 0.05, -7)),
    (Limit(high=50), Signal((300,), "int8", Fraction(30), 0.05, -7)),
]
