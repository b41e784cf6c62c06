"""TFLite MUL of a tensor and a constant, int16: ops/mul_int16.py, with one of the two known at plan time.

    y[i] = clamp(requant(x[i] * c[i], multiplier, shift))

Source: as ops/mul_int16.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, spread_of
from tinystream.ops._int16 import activate16, signal16
from tinystream.ops._shared import Activation
from tinystream.ops.mul_int16 import product16_params
from tinystream.plan.fixed import requant
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class MulConstantInt16:
    """The constant and its scale.  read() is MulInt16's."""

    constant: np.ndarray
    scale: float
    y_scale: float
    spread: Spread
    activation: Activation = "none"

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=signal16(x.shape, x, self.y_scale),
            params=dict(**self.spread.params(), **product16_params(self, x.scale, self.scale)),
            tables=dict(c=self.constant.astype(np.int16)),
            inplace=True,
            cost=dict(mul=x.size, requant=x.size, mem=6 * x.size),
            says=f"times {self.constant.size} constants",
        )

    def ideal(self, x, blocks):
        c = self.spread.expand((self.constant * self.scale)[None], len(blocks))
        return activate16(blocks.reshape(c.shape) * c, self.activation, self.y_scale).reshape(blocks.shape)


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    spread = spread_of(k)
    product = x.astype(np.int64).reshape(len(x), *spread) * spread.expand(k.c[None].astype(np.int64), len(x))
    return np.clip(requant(product, k.multiplier, k.shift), k.low, k.high).astype(np.int16).reshape(x.shape)


def _example(outer, repeat, inner, **options):
    c = np.random.default_rng(inner).integers(-32768, 32768, outer * inner)
    layer = MulConstantInt16(c, float(np.float32(0.003)), 0.0007, Spread(outer, repeat, inner), **options)
    return layer, Signal((outer, repeat, inner), "int16", Fraction(30), float(np.float32(0.0005)))


EXAMPLES = [
    _example(1, 8, 4),
    _example(3, 5, 2, activation="relu"),
    _example(1, 40, 1, activation="relu6"),
]
