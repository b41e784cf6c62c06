"""TFLite ADD and SUB of a tensor and a constant, int8: ops/add.py, with one of the two known at plan time.

    y[i] = clamp(requant(x_table[x[i] + 128] + c[i], multiplier, shift) + y_zero)

c is the constant at the common scale, repeated along axes that it lacks; a minus lies in x_table or c.

Source: as ops/add.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, spread_of
from tinystream.ops._shared import Activation, activate
from tinystream.ops.add import COUNTS, rescaled, sum_params
from tinystream.plan.fixed import requant
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class AddConstant:
    """The constant, counted from its zero; its scale; signs of the tensor and of the constant.  read() is Add's."""

    constant: np.ndarray
    scale: float
    y_scale: float
    y_zero: int
    spread: Spread
    activation: Activation = "none"
    signs: tuple[int, int] = (1, 1)

    def plan(self, x: Signal) -> Step:
        largest = 2 * max(x.scale, self.scale)
        x_table = rescaled(COUNTS - x.zero, x.scale, largest) * self.signs[0]
        c = rescaled(self.constant, self.scale, largest) * self.signs[1]
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(**self.spread.params(), **sum_params(self, largest)),
            tables=dict(x_table=x_table.astype(np.int32), c=c.astype(np.int32)),
            inplace=True,
            cost=dict(table=x.size, requant=x.size, mem=3 * x.size),
            says=f"plus {c.size} constants",
        )

    def ideal(self, x, blocks):
        c = self.spread.expand((self.constant * self.scale * self.signs[1])[None], len(blocks))
        y = blocks.reshape(c.shape) * self.signs[0] + c
        return activate(y, self.activation, self.y_scale, self.y_zero).reshape(blocks.shape)


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    spread = spread_of(k)
    total = k.x_table[x.astype(np.int64) + 128].reshape(len(x), *spread) + spread.expand(k.c[None], len(x))
    return np.clip(requant(total, k.multiplier, k.shift) + k.y_zero, k.low, k.high).astype(np.int8).reshape(x.shape)


def _example(outer, repeat, inner, *, x_scale=0.05, x_zero=-7, **options):
    c = np.random.default_rng(inner).integers(-127, 128, outer * inner)
    layer = AddConstant(c, 0.03, 0.07, 5, spread=Spread(outer, repeat, inner), **options)
    return layer, Signal((outer, repeat, inner), "int8", Fraction(30), x_scale, x_zero)


EXAMPLES = [
    _example(1, 8, 4),
    _example(3, 5, 2, activation="relu", x_scale=0.01, signs=(1, -1)),
    _example(1, 40, 1, activation="relu6", x_zero=20, signs=(-1, 1)),
]
