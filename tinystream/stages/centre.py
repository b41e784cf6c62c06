"""Take the mean out of each window and keep what is below a count.

    y[i] = rshift(n x[i] - sum x, down)        or that, shifted left by -down; n samples, each channel alone

n x - sum x is the deviation times n, exact in 48 bits; down is the least with which every deviation that can be fits int32, so that y
counts n times 2**-down of a count of x, and is rounded once at most.

Source: ours; what `detrend` does in counts, for filters whose roundings would otherwise be seen in quiet windows.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.quantize import type_of

LONGEST = 1 << 15


class Centre(Stage):
    """Take the mean out of each window and keep what is below a count."""

    def plan(self, x: Signal) -> Step:
        if x.dtype not in ("int16", "int32") or len(x.shape) not in (1, 2) or x.shape[0] > LONGEST:
            raise AppError((), f"stage 'centre' takes windows of up to {LONGEST} int16 or int32 samples, [n] or [n, channels], "
                           f"and is given {x}")
        length, channels = (*x.shape, 1)[:2]
        down = np.iinfo(x.dtype).bits + 1 + (length - 1).bit_length() - 32
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, dtype="int32", scale=float(Fraction(x.scale) / length * Fraction(2) ** down), zero=0),
            params=dict(type=type_of(x.dtype), length=length, channels=channels, down=down),
            inplace=x.dtype == "int32",
            cost=dict(mul=x.size, add=3 * x.size, mem=3 * x.size),
            says="without its mean, in fractions of a count",
        )

    def ideal(self, x, blocks):
        return blocks - blocks.mean(1, keepdims=True)


BOUND = 0.501, 2.0**-40     # counts: the one rounding; relative: that of the textbook's float64
BATCHED = True


def run(k, s, x):
    v = x.astype(np.int64)
    d = k.length * v - v.sum(1, keepdims=True)
    return sat32(rshift(d, k.down) if k.down >= 0 else d << -k.down)


def window(dtype: str, *shape: int, scale: float = 2.0**-13, zero: int = 0) -> Signal:
    return Signal(shape, dtype, Fraction(1), scale, zero, unit="g", sample_hz=Fraction(125, 2))


EXAMPLES = [
    (Centre(), window("int16", 125, 3)),
    (Centre(), window("int16", 1, scale=0.3, zero=7)),
    (Centre(), window("int32", 64, 2, scale=2.0**-28)),
    (Centre(), window("int32", 33)),
    (Centre(), window("int16", 1 << 15)),
]
