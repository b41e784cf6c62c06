"""Remember the newest block, for a `hold` that reads it at times of its own.

    y = x, and what the hold behind it gives from now on is x

An app writes `hold`, which plans both.

Source: ours; the sample-and-hold of every converter.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Keep(Stage):
    """Remember the newest block, for a `hold` that reads it at times of its own."""

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=x,
            params=dict(bytes=x.bytes),
            state=dict(value=np.zeros(x.shape, x.dtype), full=0),
            inplace=True,
            cost=dict(mem=3 * x.size),
            says=f"the newest {x.size} values",
        )

    def ideal(self, x, blocks):
        return blocks


BOUND = 0   # nothing is computed


def run(k, s, x):
    s.value[...] = x
    s.full = 1
    return x


EXAMPLES = [
    (Keep(), Signal((7,), "int16", Fraction(50), 2.0**-15, unit="FS")),
    (Keep(), Signal((2, 3), "int32", Fraction(25), 2.0**-15, unit="g")),
]
