"""Length of the vector that the channels of each sample are, such as of three axes.

    y = rshift(isqrt(2**16 sum_c x[c]**2) - one, 8 + down),   one = round(2**8 / x.scale) with minus_g, else 0

down is the least with which no x at all leaves int16: 1 for two or three channels, so that a count of y is two of x, and everything
that takes samples takes y.  The sum has at most 2**30 a channel, 2**16 more below the root.

With minus_g what rests reads 0, however it lies: what is left is how much faster it is pulled, or less, than it falls.

Source: signal vector magnitude, and Euclidean norm minus one (van Hees et al., PLoS ONE 8(4), 2013) without its cut at 0.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import sqrt

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

Q = 8
MOST = 1 << 14  # channels: 2**60 below the root


class Magnitude(Stage):
    """Length of the vector that the channels of each sample are, such as of three axes."""

    minus_g: bool = Field(default=False, description="take 1 g off, so that what rests reads 0; for samples in g")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero or len(x.shape) != 2 or not 2 <= x.shape[1] <= MOST:
            raise AppError((), f"stage 'magnitude' takes int16 samples of two channels or more, [n, channels], and is given {x}")
        if self.minus_g and x.unit != "g":
            raise AppError(("minus_g",), f"minus_g takes 1 g off, and samples are in {x.unit or 'no unit'}", "minus_g = false")
        length, channels = x.shape
        down = next(n for n in range(9) if round(sqrt(channels) * 32768 / 2**n) <= 32767)
        one = round(2**Q / x.scale) if self.minus_g else 0
        if one >= 1 << (Q + 16):
            raise AppError(("minus_g",), f"1 g is more than these samples can hold, {32768 * x.scale:.3g} g", "source.range_g = 2")
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, shape=(length,), scale=x.scale * 2**down),
            params=dict(length=length, channels=channels, one=one, shift=Q + down),
            cost=dict(mul=x.size, add=x.size + 124 * length, mem=x.size + length),
            says=f"length of {channels} channels" + ", less 1 g" * self.minus_g,
        )

    def ideal(self, x, blocks):
        y = self.plan(*x).y
        return np.clip(np.linalg.norm(blocks, axis=2) - self.minus_g, -32768 * y.scale, 32767 * y.scale)


BOUND = 0.51    # counts: half from rounding, the rest 2**-8 of the root and of 1 g
BATCHED = True


def run(k, s, x):
    wide = x.astype(np.int64)
    return rshift(isqrt((wide * wide).sum(-1) << 2 * Q) - k.one, k.shift).astype(np.int16)     # plan() chose what fits


THREE_AXES = Signal((32, 3), "int16", Fraction(50), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))

EXAMPLES = [
    (Magnitude(), THREE_AXES),
    (Magnitude(minus_g=True), THREE_AXES),
    (Magnitude(minus_g=True), replace(THREE_AXES, scale=0.000061)),
    (Magnitude(), replace(THREE_AXES, shape=(1, 2), unit="FS")),
    (Magnitude(), replace(THREE_AXES, shape=(3, 9))),
]
