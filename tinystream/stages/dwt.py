"""Coefficients of a discrete wavelet transform of each window, as they are: one part of one level.

    a_0 = x;   a_l[k] = sum_j h[j] a_(l-1)[2k + 2 - T + j],   d_l[k] = sum_j g[j] a_(l-1)[2k + 2 - T + j],   k = 0 .. (n + T - 1) // 2 - 1

h and g are the wavelet's filters of T taps (stages/_wavelets.py): Daubechies', a symlet's, a coiflet's, or those of a biorthogonal wavelet;
n is the length of a_(l-1).  Beyond its ends a window goes on as in a mirror whose glass lies half a sample behind the last one,
x[-1 - i] = x[i] ("symmetric", the default of PyWavelets, whose wavedec gives these numbers, signs too).  So a level has a few values more
than half of the one before.  y is a_level or d_level, [values] or [values, channels]; each level is a step.

The integers: taps are divided by S, the sum of their sizes, and Q31, so that int32 holds every sum; y.scale is S times that of the level
before.  int16 samples get 16 bits below a count at the first level.  Sums have 62 bits and are rounded once a level.

Full scale of y is what a window could give at most: full scale of x times (sum |h|)**(level - 1) sum |f|, f = h or g.  No window at all
errs by more than 8 counts, 2**-28 of that (tests/test_dwt.py adds up the worst that taps and roundings can do).  sum |h| is 1.4 of haar
and rbio1.* to rbio3.*, 1.6 to 2.7 of most, 2.8 of bior3.*; coefficients grow by sqrt(2) a level, so the rest is bits that a level costs.
Those of bior3.1 grow by 2.4: its h is no filter of a function of finite energy.

Source: Mallat, IEEE Trans. PAMI-11 (1989), section III; Daubechies, Ten Lectures on Wavelets, 1992; the mirror, PyWavelets'
documentation, Signal extension modes, symmetric.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import quantize_table, rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._wavelets import Name, filters
from tinystream.stages.quantize import type_of

LONGEST = 1 << 15


class Dwt(Stage):
    """Coefficients of a discrete wavelet transform of each window, as they are: one part of one level."""

    part: Literal["approximation", "detail"] = Field(description="what is below the level's half of the band, or what is in its upper half")
    level: int = Field(default=1, ge=1, le=10, description="how often the band is halved")
    wavelet: Name = Field(default="db4", description="by its name in PyWavelets; haar is db1, bior1.1 and rbio1.1")

    def plan(self, x: Signal) -> list[Step]:
        if x.dtype not in ("int16", "int32") or x.zero or len(x.shape) not in (1, 2) or x.shape[0] > LONGEST:
            raise AppError((), f"stage 'dwt' transforms windows of up to {LONGEST} int16 or int32 samples, [length] or "
                           f"[length, channels], and is given {x}")
        steps: list[Step] = []
        for level in range(1, self.level + 1):
            detail = level == self.level and self.part == "detail"
            steps.append(replace(self._level(x, level, detail), sources=(level - 2,)))
            x = steps[-1].y
        return steps

    def _level(self, x: Signal, level: int, detail: bool) -> Step:
        """One part of one level, from the approximation x."""
        h = filters(self.wavelet)[detail]
        length, channels = (*x.shape, 1)[:2]
        if length < h.size:
            raise AppError(("level",), f"{self.wavelet} has {h.size} taps, and level {level} is made from {length} values",
                           f"level = {level - 1}" if level > 1 else f"a window of {h.size} samples or more")
        growth = float(np.abs(h).sum())
        lift = 32 - np.iinfo(x.dtype).bits
        count = (length + h.size - 1) // 2
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, shape=(count, *x.shape[1:]), dtype="int32", scale=x.scale * 2.0**-lift * growth,
                      sample_hz=x.sample_hz / 2 if x.sample_hz else None),
            params=dict(type=type_of(x.dtype), length=length, channels=channels, count=count, taps=h.size, shift=31 - lift),
            tables=dict(filter=quantize_table(h / growth, 31)),
            cost=dict(mul64=h.size * count * channels, add=4 * h.size * count * channels, mem=2 * h.size * count * channels),
            says=f"{'d' if detail else 'a'}{level} of {self.wavelet}" + self._band(x, detail),
        )

    def _band(self, x: Signal, detail: bool) -> str:
        if x.sample_hz is None:
            return ""
        quarter = float(x.sample_hz) / 4
        return f", {quarter:g}-{2 * quarter:g} Hz" if detail else f", 0-{quarter:g} Hz"

    def ideal(self, x, blocks):
        rows, (h, g) = np.moveaxis(blocks, 1, -1), filters(self.wavelet)
        for _ in range(self.level - 1):
            rows = transformed(rows, h)
        return np.moveaxis(transformed(rows, g if self.part == "detail" else h), -1, 1)


BOUND = 8.0  # counts: half a one a level and the taps' roundings, which no level makes greater; 7.9 at most, of rbio1.5 at level 10
BATCHED = True


def transformed(rows: np.ndarray, filter_: np.ndarray) -> np.ndarray:
    """The textbook of one level, rows [..., n]."""
    return rows[..., mirrored(rows.shape[-1], filter_.size)] @ filter_


def mirrored(length: int, taps: int) -> np.ndarray:
    """Indices that each value is made from, [values, taps]."""
    at = 2 * np.arange((length + taps - 1) // 2)[:, None] + 2 - taps + np.arange(taps)
    at = np.where(at < 0, -1 - at, at)
    return np.where(at >= length, 2 * length - 1 - at, at)


def run(k, s, x):
    rows = np.moveaxis(x, 1, -1).astype(np.int64)
    at = mirrored(k.length, k.taps)
    total = sum(rows[..., at[:, j]] * tap for j, tap in enumerate(k.filter.tolist()))
    return np.ascontiguousarray(np.moveaxis(sat32(rshift(total, k.shift)), -1, 1))


def window(*shape: int, dtype: str = "int16", scale: float = 4 * 2.0**-15) -> Signal:
    return Signal(shape, dtype, Fraction(1), scale, unit="g", sample_hz=Fraction(125, 2))


EXAMPLES = [
    (Dwt(part="detail"), window(125, 3)),
    (Dwt(part="approximation", level=3), window(64)),
    (Dwt(part="detail", level=2, wavelet="haar"), window(3, 2, scale=0.3)),
    (Dwt(part="approximation", wavelet="db10"), window(20)),
    (Dwt(part="detail", level=4, wavelet="db7"), window(150, 2, dtype="int32", scale=2.0**-29)),
    (Dwt(part="detail", level=7, wavelet="db2"), window(600)),
    (Dwt(part="approximation", level=8, wavelet="bior3.1"), window(400)),
    (Dwt(part="detail", wavelet="rbio3.9"), window(20, 2)),
    (Dwt(part="approximation", level=3, wavelet="bior2.8"), window(97, scale=0.3)),
    (Dwt(part="detail", level=2, wavelet="bior5.5"), window(60, dtype="int32", scale=2.0**-29)),
    (Dwt(part="approximation", level=2, wavelet="rbio6.8"), window(55, 3)),
    (Dwt(part="detail", level=5, wavelet="sym9"), window(300)),
    (Dwt(part="approximation", level=2, wavelet="coif3"), window(51, 2, dtype="int32")),
]
