"""TFLite ADD and SUB of a tensor and a constant, int16: ops/add_int16.py, with one of the two known at plan time.

    y[i] = clamp(requant(x' + c[i], multiplier, shift)),   x' = sign * requant(x * 2**15, x_multiplier, x_shift)

c is the constant at the common scale, repeated along axes that it lacks.

Source: as ops/add_int16.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, spread_of
from tinystream.ops._int16 import activate16, signal16
from tinystream.ops._shared import Activation
from tinystream.ops.add_int16 import LEFT, common_scale, sum16_params
from tinystream.plan.fixed import requant
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class AddConstantInt16:
    """The constant and its scale; the signs of the two inputs in their order; which of them is the constant.  read() is AddInt16's."""

    constant: np.ndarray
    scale: float
    y_scale: float
    spread: Spread
    activation: Activation = "none"
    signs: tuple[int, int] = (1, 1)
    small: int = 1

    def plan(self, x: Signal) -> Step:
        of_x, of_c = common_scale(x.scale, self.scale)
        c = self.signs[self.small] * requant(self.constant << LEFT, *of_c)
        return Step(
            module=__name__,
            x=(x,),
            y=signal16(x.shape, x, self.y_scale),
            params=dict(
                **self.spread.params(),
                x_multiplier=of_x[0],
                x_shift=of_x[1],
                x_sign=self.signs[1 - self.small],
                **sum16_params(self, max(x.scale, self.scale)),
            ),
            tables=dict(c=c.astype(np.int32)),
            inplace=True,
            cost=dict(requant=2 * x.size, mem=6 * x.size),
            says=f"plus {c.size} constants",
        )

    def ideal(self, x, blocks):
        c = self.spread.expand((self.constant * self.scale * self.signs[self.small])[None], len(blocks))
        y = blocks.reshape(c.shape) * self.signs[1 - self.small] + c
        return activate16(y, self.activation, self.y_scale).reshape(blocks.shape)


BOUND = 1.01  # counts: as add_int16
BATCHED = True


def run(k, s, x):
    spread = spread_of(k)
    large = k.x_sign * requant(x.astype(np.int64) << LEFT, k.x_multiplier, k.x_shift)
    total = large.reshape(len(x), *spread) + spread.expand(k.c[None], len(x))
    return np.clip(requant(total, k.multiplier, k.shift), k.low, k.high).astype(np.int16).reshape(x.shape)


def _example(outer, repeat, inner, *, x_scale=0.0005, **options):
    c = np.random.default_rng(inner).integers(-32767, 32768, outer * inner)
    layer = AddConstantInt16(c, float(np.float32(0.0003)), 0.0007, Spread(outer, repeat, inner), **options)
    return layer, Signal((outer, repeat, inner), "int16", Fraction(30), float(np.float32(x_scale)))


EXAMPLES = [
    _example(1, 8, 4),
    _example(3, 5, 2, activation="relu", x_scale=0.0001, signs=(1, -1)),
    _example(1, 40, 1, activation="relu6", signs=(1, -1), small=0),
]
