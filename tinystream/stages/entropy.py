"""Entropy of the values of a window, by a histogram, of each channel alone.

    c[b] = how many of the n values have  min(floor((x - least) bins / (greatest - least)), bins - 1) = b
    y = -sum_b c[b] / n ln(c[b] / n)           in nats: 0 where all values are one, ln(bins) where they fill all bins alike

The integers:  (n log2_q16(n) - sum_b c[b] log2_q16(c[b])) ln 2 / n, the bins by exact division, the logarithms by the table of
plan/fixed.py.  y is int32; its scale, where none is said, is the finest power of two with which ln(bins) fits.

Within 0.0003 of the textbook (log2_q16 is within 0.0001 octaves, and is used twice), where no value lies on the edge of a bin.

Source: Shannon, A Mathematical Theory of Communication, 1948, section 6; bins, numpy.histogram.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, log, log2

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import LOG2_TABLE, log2_q16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._scaled import scaled
from tinystream.stages.quantize import mantissa, type_of

LONGEST = 1 << 15
COARSEST, FINEST = 2.0**-7, 2.0**-28


class Entropy(Stage):
    """Entropy of the values of a window, by a histogram, of each channel alone."""

    bins: int = Field(default=100, ge=2, le=1024, description="of the histogram, between the least and the greatest value")
    scale: float | None = Field(
        default=None, ge=FINEST, le=COARSEST,
        description="real value of one count of the output; the finest power of two that fits where nothing is said")

    def plan(self, x: Signal) -> Step:
        if x.dtype not in ("int16", "int32") or x.zero or x.bin_hz is not None or len(x.shape) not in (1, 2) or x.shape[0] > LONGEST:
            raise AppError((), f"stage 'entropy' looks at windows of up to {LONGEST} int16 or int32 values, [n] or [n, channels], "
                           f"and is given {x}")
        length, channels = (*x.shape, 1)[:2]
        scale = 2.0 ** -floor(log2((2**31 - 1) / log(self.bins))) if self.scale is None else self.scale
        multiplier, shift = mantissa(Fraction(log(2)) / (length * 2**16) / Fraction(scale))
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((*x.shape[1:], 1), "int32", x.rate_hz, scale, unit="nat"),
            params=dict(type=type_of(x.dtype), length=length, channels=channels, bins=self.bins, all=int(log2_q16(LOG2_TABLE, length)),
                        multiplier=multiplier, shift=shift),
            tables=dict(log2=LOG2_TABLE),
            scratch=dict(count=("int32", self.bins)),
            cost=dict(div=x.size, mul64=2 * x.size, add=6 * x.size + 20 * self.bins * channels, mem=3 * x.size + 3 * self.bins * channels),
            says=f"entropy of {self.bins} bins" + (f" of each of {channels} channels" if len(x.shape) == 2 else ""),
        )

    def ideal(self, x, blocks):
        counts = np.rint(np.moveaxis(blocks, 1, -1) / x[0].scale)
        return textbook(counts, self.bins)[..., None]


BOUND = 2.0**17, 0.0    # counts of 2**-29 or coarser: 0.0003
BATCHED = True


def textbook(data: np.ndarray, bins: int) -> np.ndarray:
    """Of data [..., n], by numpy's histogram."""
    share = np.apply_along_axis(lambda row: np.histogram(row, bins)[0], -1, data) / data.shape[-1]
    return -(share * np.log(np.where(share > 0, share, 1))).sum(-1)


def run(k, s, x):
    rows = np.moveaxis(x.reshape(len(x), k.length, k.channels), 1, 2).astype(np.int64)
    low, high = rows.min(-1, keepdims=True), rows.max(-1, keepdims=True)
    bin_of = np.minimum((rows - low) * k.bins // np.maximum(high - low, 1), k.bins - 1)
    count = np.zeros((*rows.shape[:2], k.bins), np.int64)
    block, channel = np.ogrid[: rows.shape[0], : rows.shape[1]]
    np.add.at(count, (block[..., None], channel[..., None], bin_of), 1)
    left = k.length * k.all - (count * log2_q16(k.log2, count)).sum(-1)
    return scaled(left, 0, k.multiplier, k.shift).reshape(len(x), *x.shape[2:], 1)


def window(*shape: int, dtype: str = "int16") -> Signal:
    return Signal(shape, dtype, Fraction(1), 2.0**-13, unit="g", sample_hz=Fraction(125, 2))


EXAMPLES = [
    (Entropy(), window(125, 3)),
    (Entropy(bins=7), window(1000)),
    (Entropy(scale=2.0**-20), window(66, 2, dtype="int32")),
    (Entropy(bins=2), window(1)),
    (Entropy(bins=1024), window(4000, dtype="int32")),
]
