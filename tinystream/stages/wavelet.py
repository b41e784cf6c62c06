"""Energy of a window in octaves of frequency, by a discrete wavelet transform.

    a_0 = x;   a_l[k] = sum_j h[j] a_(l-1)[2k + j - m],   d_l[k] = sum_j g[j] a_(l-1)[2k + j - m],   l = 1 .. levels
    y = sum a_L**2, sum d_L**2, …, sum d_1**2, each over the window's length n: what they add to its mean square

h is Daubechies' filter of `order` vanishing moments, 2 order taps, m = order - 1, g[j] = (-1)**j h[2 order - 1 - j].  Indices are modulo
the length of a_(l-1): the window is taken as periodic ("periodization" in PyWavelets, whose coefficients these are), so the transform
is orthonormal, and the energies of all levels add up to that of the window.  d_l is what lies between rate / 2**(l+1) and rate / 2**l,
roughly: the filters are short.  n is a multiple of 2**levels.

Samples get `guard` more bits, as many as no int16 input at all can overflow int32 with (the sum of |h| bounds a level's
growth); h is Q30, each a and d is rounded once.  Squares are summed with `fraction` bits below a count, so that they fit int64, and
y.scale is x.scale**2 / (4**fraction n).

how = "relative" gives each one's part of their sum instead, int32 in 2**-24, whatever the loudness; silence has no parts, all 0.
y is [levels + 1], from low to high frequencies, or [channels, levels + 1]; with `log` a stage `log` follows.

Source: Mallat, IEEE Trans. PAMI-11 (1989), §III; h: Daubechies, Ten Lectures on Wavelets, 1992, table 6.1.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, log2
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import msb, quantize_table, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._wavelets import ORTHONORMAL
from tinystream.stages.bands import FLOOR_DB, LOG_UNIT, LogUnit, logged, logged_ideal

LONGEST = 8192
RELATIVE = 24


class Wavelet(Stage):
    """Energy of a window in octaves of frequency, by a discrete wavelet transform."""

    levels: int = Field(default=4, ge=1, le=6, description="octaves below half the sample rate; what is below them is one value more")
    wavelet: Literal["db2", "db4"] = Field(
        default="db4", description="Daubechies' with 2 or 4 vanishing moments; db2 is quicker, db4 sharper")
    how: Literal["energy", "relative"] = Field(default="energy", description="energies, or the part that each has of their sum")
    log: bool = Field(default=False, description="of energies: logarithms, int16, as stage 'log' gives them")
    unit: LogUnit = Field(default=None, description=LOG_UNIT)
    floor_db: float | None = Field(default=None, description=FLOOR_DB)

    def plan(self, x: Signal) -> Step | list[Step]:
        if x.dtype != "int16" or x.zero or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'wavelet' transforms windows of int16 samples, [length] or [length, channels], and is given {x}")
        if self.how == "relative" and self.log:
            raise AppError(("log",), 'log is that of energies, and how = "relative" gives parts of 1', 'how = "energy"')
        return logged(self._transform(x), self.log, self.unit, self.floor_db)

    def ideal(self, x, blocks):
        rows = np.moveaxis(blocks, 1, -1)
        h, energies, length = np.array(ORTHONORMAL[self.wavelet]), [], rows.shape[-1]
        g = h[::-1] * (-1) ** np.arange(h.size)
        for _ in range(self.levels):
            n = rows.shape[-1]
            seen = rows[..., (2 * np.arange(n // 2)[:, None] + np.arange(h.size) - self._order() + 1) % n]
            rows, detail = seen @ h, seen @ g
            energies.append((detail**2).sum(-1) / length)
        y = np.stack([(rows**2).sum(-1) / length, *energies[::-1]], axis=-1)
        if self.how == "relative":
            total = y.sum(-1, keepdims=True)
            return np.divide(y, total, out=np.zeros_like(y), where=total > 0)
        return logged_ideal(self._transform(x[0]).y, y, self.log, self.unit, self.floor_db)

    def _order(self) -> int:
        return int(self.wavelet[2:])

    def _transform(self, x: Signal) -> Step:
        length, channels = (*x.shape, 1)[:2]
        self._check(length)
        h = np.array(ORTHONORMAL[self.wavelet])
        guard = floor(15.99 - self.levels * log2(np.abs(h).sum()))
        fraction = min(guard, (31 - ceil(log2(length))) // 2)
        relative, scale = self.how == "relative", x.scale**2 / (4.0**fraction * length)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((*x.shape[1:], self.levels + 1), "int32" if relative else "int64", x.rate_hz,
                     2.0**-RELATIVE if relative else scale, unit="" if relative else squared(x.unit)),
            params=dict(length=length, channels=channels, levels=self.levels, taps=h.size, relative=int(relative), guard=guard,
                        fraction=fraction),
            tables=dict(h=quantize_table(h, 30)),
            scratch=dict(a=("int32", length), half=("int32", length // 2), energy=("int64", self.levels + 1)),
            cost=dict(mul64=2 * h.size * x.size, add=4 * x.size, mem=4 * h.size * x.size),
            says=f"{'parts' if relative else 'energy'} of {self.wavelet} levels {self._names(x)}",
        )

    def _check(self, length: int) -> None:
        taps, step = 2 * self._order(), 2**self.levels
        if length > LONGEST:
            raise AppError((), f"a window of {length} samples is longer than {LONGEST}", f"a window of {LONGEST} samples or fewer")
        fits = max((n for n in range(1, self.levels) if length % 2**n == 0 and length >> (n - 1) >= taps), default=0)
        if length % step:
            raise AppError(("levels",), f"levels = {self.levels} needs a window of a multiple of {step} samples, and this one has {length}",
                           f"levels = {fits}" if fits else f"a window of {max(1, round(length / step)) * step} samples")
        if length >> (self.levels - 1) < taps:
            raise AppError(("levels",), f"levels = {self.levels} leaves {length >> (self.levels - 1)} values for the last of them, "
                           f"and {self.wavelet} has {taps} taps", f"levels = {fits}" if fits else f"a window of {taps} samples or more")

    def _names(self, x: Signal) -> str:
        """a3 0-200 Hz, d3 200-400 Hz …, in the order of y."""
        edges = [0.0, *(2.0**-level for level in range(self.levels + 1, 0, -1))]
        names = [f"a{self.levels}", *(f"d{level}" for level in range(self.levels, 0, -1))]
        if x.sample_hz is None:
            return ", ".join(names)
        hz = float(x.sample_hz)
        return ", ".join(f"{name} {low * hz:g}-{high * hz:g} Hz" for name, (low, high) in zip(names, pairwise(edges), strict=True))


BOUND = 2.0**16, 2.0**-12  # counts of 2**58 at full scale, -127 dB: what the roundings of six levels add up to
BATCHED = True


def squared(unit: str) -> str:
    return f"{unit}²" if unit else ""


def run(k, s, x):
    a = np.moveaxis(x, 1, -1).astype(np.int64) << k.guard
    h = k.h.astype(np.int64)
    g = h[::-1] * (1 - 2 * (np.arange(k.taps) % 2))
    energies = []
    for _ in range(k.levels):
        n = a.shape[-1]
        at = [(2 * np.arange(n // 2) + j - k.taps // 2 + 1) % n for j in range(k.taps)]
        detail = rshift(sum(a[..., i] * tap for i, tap in zip(at, g)), 30)
        a = rshift(sum(a[..., i] * tap for i, tap in zip(at, h)), 30)
        energies.append(square_sum(k, detail))
    y = np.stack([square_sum(k, a), *energies[::-1]], axis=-1)
    return parts(y) if k.relative else y


def square_sum(k, v) -> np.ndarray:
    """Of v, with `fraction` bits below a count."""
    v = rshift(v, k.guard - k.fraction)
    return (v * v).sum(-1)


def parts(energies) -> np.ndarray:
    """Each over their sum, Q24."""
    total = energies.sum(-1, keepdims=True)
    down = np.maximum(msb(total) - 37, 0)                                   # then 38 + 24 bits
    divisor = np.maximum(total >> down, 1)
    return (((energies >> down << RELATIVE) + divisor // 2) // divisor).astype(np.int32)


def window(*shape: int) -> Signal:
    return Signal(shape, "int16", Fraction(25), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))


EXAMPLES = [
    (Wavelet(), window(128)),
    (Wavelet(levels=6, wavelet="db2", how="relative"), window(192, 3)),
    (Wavelet(levels=6), window(256, 2)),
    (Wavelet(levels=3, log=True, unit="db"), window(64, 3)),
    (Wavelet(levels=1, wavelet="db2"), window(6)),
    (Wavelet(levels=2, how="relative"), window(16)),
]
