"""Rectify samples: their magnitude, or their square.

    how = "magnitude"   y = |x|, int16;     |-32768| is 32767
    how = "power"       y = x**2, int32;    y.scale is x.scale**2

The first step of an envelope: what is left behind a lowpass is the loudness.  A sine of amplitude a has a mean magnitude of 2 a / pi,
and a mean power of a**2 / 2.

Source: ours; full-wave rectification, Lyons, Understanding Digital Signal Processing, 3rd ed., §13.31.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Rectify(Stage):
    """Rectify samples: their magnitude, or their square."""

    how: Literal["magnitude", "power"] = Field(default="magnitude", description="|x| as int16, or x squared as int32")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero:
            raise AppError((), f"stage 'rectify' takes int16 samples whose zero is 0, and is given {x}")
        power = self.how == "power"
        y = replace(x, dtype="int32", scale=x.scale**2, unit=f"{x.unit}²" if x.unit else "") if power else x
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(size=x.size, power=int(power)),
            inplace=not power,
            cost=dict(mul=x.size * power, add=x.size, mem=2 * x.size),
            says=f"{self.how} of {x.size} samples",
        )

    def ideal(self, x, blocks):
        return blocks**2 if self.how == "power" else np.abs(blocks)


BOUND = 1.0  # counts: |-32768|, which int16 does not hold; everything else is exact
BATCHED = True


def run(k, s, x):
    wide = x.astype(np.int32)
    return wide * wide if k.power else sat16(np.abs(wide))


EXAMPLES = [
    (Rectify(), Signal((20, 3), "int16", Fraction(80), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))),
    (Rectify(how="power"), Signal((33,), "int16", Fraction(80), 2.0**-15, unit="FS", sample_hz=Fraction(2640))),
]
