"""TFLite SQUARED_DIFFERENCE of a tensor and a constant, int8: ops/squared_difference.py, with one of the two known at plan time.

    y[i] = sat8(requant((x_table[x[i] + 128] - c[i])**2, multiplier, shift) + y_zero)

Source: as ops/squared_difference.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, spread_of
from tinystream.ops._shared import activate
from tinystream.ops.squared_difference import COUNTS, halved, square_params
from tinystream.plan.fixed import requant, sat8
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class SquaredDifferenceConstant:
    """The constant, counted from its zero, and its scale.  read() is SquaredDifference's."""

    constant: np.ndarray
    scale: float
    y_scale: float
    y_zero: int
    spread: Spread

    def plan(self, x: Signal) -> Step:
        largest = max(x.scale, self.scale)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(**self.spread.params(), **square_params(self, largest)),
            tables=dict(x_table=halved(COUNTS - x.zero, x.scale, largest), c=halved(self.constant, self.scale, largest)),
            inplace=True,
            cost=dict(table=x.size, mul=x.size, requant=x.size, mem=3 * x.size),
            says=f"square of the difference to {self.constant.size} constants",
        )

    def ideal(self, x, blocks):
        c = self.spread.expand((self.constant * self.scale)[None], len(blocks))
        return activate((blocks.reshape(c.shape) - c) ** 2, "none", self.y_scale, self.y_zero).reshape(blocks.shape)


BOUND = (0.6, 0.02)  # as ops/squared_difference.py
BATCHED = True


def run(k, s, x):
    spread = spread_of(k)
    rows = k.x_table[x.astype(np.int64) + 128].astype(np.int64).reshape(len(x), *spread)
    difference = rows - spread.expand(k.c.astype(np.int64)[None], len(x))
    return sat8(requant(difference**2, k.multiplier, k.shift) + k.y_zero).reshape(x.shape)


def _example(outer, repeat, inner, *, x_scale=0.05, x_zero=-7, y_scale=1.0):
    c = np.random.default_rng(inner).integers(-127, 128, outer * inner)
    layer = SquaredDifferenceConstant(c, 0.03, y_scale, -120, Spread(outer, repeat, inner))
    return layer, Signal((outer, repeat, inner), "int8", Fraction(30), x_scale, x_zero)


EXAMPLES = [_example(1, 8, 4), _example(3, 5, 2, x_scale=0.01, y_scale=0.1), _example(1, 40, 1, x_zero=20, y_scale=0.1)]
