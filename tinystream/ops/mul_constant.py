"""TFLite MUL of a tensor and a constant, int8: ops/mul.py, with one of the two known at plan time.

    y[i] = clamp(requant((x[i] - x_zero) * c[i], multiplier, shift) + y_zero)

c is the constant from its zero, repeated along axes that it lacks: a batch normalisation that was not folded.

Source: as ops/mul.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, spread_of
from tinystream.ops._shared import Activation, activate
from tinystream.ops.mul import product_params
from tinystream.plan.fixed import requant
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class MulConstant:
    """The constant, counted from its zero, and its scale.  read() is Mul's."""

    constant: np.ndarray
    scale: float
    y_scale: float
    y_zero: int
    spread: Spread
    activation: Activation = "none"

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(**self.spread.params(), x_zero=x.zero, **product_params(self, x.scale, self.scale)),
            tables=dict(c=self.constant.astype(np.int16)),
            inplace=True,
            cost=dict(mul=x.size, requant=x.size, mem=3 * x.size),
            says=f"times {self.constant.size} constants",
        )

    def ideal(self, x, blocks):
        c = self.spread.expand((self.constant * self.scale)[None], len(blocks))
        return activate(blocks.reshape(c.shape) * c, self.activation, self.y_scale, self.y_zero).reshape(blocks.shape)


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    spread = spread_of(k)
    product = (x.astype(np.int64) - k.x_zero).reshape(len(x), *spread) * spread.expand(k.c.astype(np.int64)[None], len(x))
    return np.clip(requant(product, k.multiplier, k.shift) + k.y_zero, k.low, k.high).astype(np.int8).reshape(x.shape)


def _example(outer, repeat, inner, *, x_scale=0.05, x_zero=-7, **options):
    c = np.random.default_rng(inner).integers(-127, 128, outer * inner) + 100
    layer = MulConstant(c, 0.3, 0.07, 5, spread=Spread(outer, repeat, inner), **options)
    return layer, Signal((outer, repeat, inner), "int8", Fraction(30), x_scale, x_zero)


EXAMPLES = [
    _example(1, 8, 4),
    _example(3, 5, 2, activation="relu", x_scale=2.0),
    _example(1, 40, 1, activation="relu6", x_zero=20),
]
