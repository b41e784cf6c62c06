"""TFLite MAXIMUM and MINIMUM of a tensor and several constants of its scale, int8; they are repeated along axes that they lack.

    y[i] = max(x[i], c[i]),  or min

Source: as ops/maximum.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, spread_of
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class LimitEach:
    """The constants, as counts; whether y lies above them.  read() is Maximum's and Minimum's."""

    limits: np.ndarray
    spread: Spread
    above: bool

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, x.scale, x.zero),
            params=dict(**self.spread.params(), above=int(self.above)),
            tables=dict(c=self.limits.astype(np.int8)),
            inplace=True,
            cost=dict(add=x.size, mem=3 * x.size),
            says=f"{'the larger' if self.above else 'the smaller'} of x and {self.limits.size} constants",
        )

    def ideal(self, x, blocks):
        c = self.spread.expand(x[0].real(self.limits)[None], len(blocks))
        return (np.maximum if self.above else np.minimum)(blocks.reshape(c.shape), c).reshape(blocks.shape)


BOUND = 1e-9  # counts: values are only chosen
BATCHED = True


def run(k, s, x):
    spread = spread_of(k)
    choose = np.maximum if k.above else np.minimum
    return choose(x.reshape(len(x), *spread), spread.expand(k.c[None], len(x))).reshape(x.shape)


def _example(above, *spread):
    limits = np.random.default_rng(spread[2]).integers(-128, 128, spread[0] * spread[2])
    return LimitEach(limits, Spread(*spread), above), Signal(spread, "int8", Fraction(30), 0.05, -7)


EXAMPLES = [_example(True, 1, 8, 4), _example(False, 3, 5, 2), _example(True, 2, 1, 7)]
