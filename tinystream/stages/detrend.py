"""Take the mean, or the straight line that fits best, out of each window.

    constant:  base = divide(2**20 sum_i x[i], n),  slope = 0
    linear:    base as above,  slope = divide(2**20 sum_i c[i] x[i], n (n**2 - 1) / 3),   c[i] = 2i - (n - 1)
    y[i] = sat16(x[i] - rshift(base + slope c[i], 20)),   i = 0 .. n-1,   divide(a, b) = floor((a + floor(b / 2)) / b)

Each channel of a window, [n, channels], is taken alone; c is twice the distance from the middle, so that it is whole.  Sums have at
most 14 + 15 + 14 bits, 20 more before they are divided, in int64; base and slope c have 36 and 38.  y saturates where a sample lies
further than full scale from its line.

It works on what it is given: behind a `frame` on its windows, else on blocks.

Source: scipy.signal.detrend; the normal equations of a line on evenly spaced samples.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.signal import detrend

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

Q = 20
LONGEST = 1 << 14   # samples: beyond it, sums need more than 63 bits


class Detrend(Stage):
    """Take the mean, or the straight line that fits best, out of each window."""

    type: Literal["constant", "linear"] = Field(default="constant", description="what is taken out: the mean, or the line of least squares")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'detrend' takes windows of int16 samples, [n] or [n, channels], and is given {x}")
        length, channels = (*x.shape, 1)[:2]
        if length > LONGEST:
            raise AppError((), f"stage 'detrend' takes windows of up to {LONGEST} samples, and is given {x}", "a shorter frame before it")
        if self.type == "linear" and length < 2:
            raise AppError(("type",), "a line needs two samples, and a window has one", 'type = "constant"')
        linear = self.type == "linear"
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, zero=0),
            params=dict(length=length, channels=channels, linear=int(linear)),
            inplace=True,
            cost=dict(mul=2 * x.size * linear, add=(6 if linear else 2) * x.size, mem=3 * x.size),
            says="without its line" if linear else "without its mean",
        )

    def ideal(self, x, blocks):
        full_scale = 32768 * x[0].scale
        return np.clip(detrend(blocks, axis=1, type=self.type), -full_scale, full_scale - x[0].scale)


BOUND = 0.51    # counts: half from rounding the line, the rest from its slope at the ends of the longest window
BATCHED = True


def run(k, s, x):
    v = x.reshape(-1, k.length, k.channels).astype(np.int64)
    c = 2 * np.arange(k.length) - (k.length - 1)
    line = divide(v.sum(1) << Q, k.length)[:, None, :]
    if k.linear:
        slope = divide((v * c[:, None]).sum(1) << Q, k.length * (k.length**2 - 1) // 3)
        line = line + slope[:, None, :] * c[:, None]
    return sat16(v - rshift(line, Q)).reshape(x.shape)


def divide(a, b):
    """a / b to nearest, halves towards +infinity where b is even; b > 0."""
    return (a + b // 2) // b


AUDIO = Signal((480,), "int16", Fraction(50), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((51, 3), "int16", Fraction(50), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))

EXAMPLES = [
    (Detrend(), AUDIO),
    (Detrend(type="linear"), AUDIO),
    (Detrend(), THREE_AXES),
    (Detrend(type="linear"), THREE_AXES),
    (Detrend(type="linear"), replace(THREE_AXES, shape=(2, 3))),
    (Detrend(), replace(THREE_AXES, shape=(1, 3), zero=5)),
]
