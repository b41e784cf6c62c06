"""Discrete cosine transform of a row of bands, as cepstral coefficients are made.

    y[i] = (sum_b (x[b] - zero) basis[i][b] + 2**(shift - 1)) >> shift,   k = first + i,   i = 0 .. coefficients-1
    basis[i][b] ~ lift(k) norm(k) cos(pi k (2b + 1) / (2 bands)),   norm(0) = sqrt(1 / bands), norm(k) = sqrt(2 / bands)

That is DCT-II, orthonormal.  lift(k) = 1 + lifter/2 sin(pi k / lifter), or 1 where lifter = 0.  The basis is int16, scaled
by the power of two that lets its largest value fill it: 15 bits where that is just below 1, more below.  y.scale is the
finest power of two times x.scale with which no int16 input at all can leave int16, so nothing saturates.

Source: Ahmed, Natarajan and Rao (1974); the lifter: HTK Book 3.4, §5.3, eq. 5.12.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from pydantic import Field
from scipy.fft import dct

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Dct(Stage):
    """Discrete cosine transform of a row of bands, as cepstral coefficients are made."""

    coefficients: int = Field(default=13, ge=1, le=256, description="how many are kept")
    first: int = Field(default=0, ge=0, le=255, description="the first that is kept; 1 leaves out the mean")
    lifter: int = Field(default=0, ge=0, le=256, description="length of the sine that lifts higher coefficients (HTK has 22); 0 is none")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or len(x.shape) != 1:
            raise AppError((), f"stage 'dct' transforms a row of int16 values, and is given {x}")
        if self.first >= x.size:
            raise AppError(("first",), f"first = {self.first} is beyond the last of {x.size} bands, {x.size - 1}", "first = 0")
        if self.first + self.coefficients > x.size:
            raise AppError(
                ("coefficients",),
                f"coefficients = {self.coefficients} from {self.first} on are more than {x.size} bands have",
                f"coefficients = {x.size - self.first}",
            )
        basis = self._basis(x.size)
        bits = int(np.floor(np.log2(32767.4 / np.abs(basis).max())))
        table = np.rint(basis * 2.0**bits).astype(np.int16)
        down = next(n for n in range(16) if fits(table.astype(np.int64), x.zero, bits + n))
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((self.coefficients,), "int16", x.rate_hz, x.scale * 2**down, unit=x.unit),
            params=dict(size=x.size, coefficients=self.coefficients, zero=x.zero, shift=bits + down),
            tables=dict(basis=table),
            cost=dict(mul64=basis.size, mem=2 * basis.size),
            says=f"{self.coefficients} cosine coefficients of {x.size} bands",
        )

    def ideal(self, x, blocks):
        kept = slice(self.first, self.first + self.coefficients)
        return dct(blocks, type=2, norm="ortho", axis=-1)[:, kept] * self._lift()

    def _basis(self, bands: int) -> np.ndarray:
        k = self.first + np.arange(self.coefficients)[:, None]
        norm = np.where(k == 0, np.sqrt(1 / bands), np.sqrt(2 / bands))
        return self._lift()[:, None] * norm * np.cos(np.pi * k * (2 * np.arange(bands) + 1) / (2 * bands))

    def _lift(self) -> np.ndarray:
        k = self.first + np.arange(self.coefficients)
        return 1 + self.lifter / 2 * np.sin(np.pi * k / self.lifter) if self.lifter else np.ones(k.size)


BOUND = 1.5  # counts: half from rounding, the rest half a count of the basis at every one of all bands at full scale
BATCHED = True


def fits(table: np.ndarray, zero: int, shift: int) -> bool:
    """Is no y outside int16, whatever x is?"""
    high, low = 2**15 - 1 - zero, -(2**15) - zero
    positive, negative = np.maximum(table, 0).sum(1), np.minimum(table, 0).sum(1)
    ends = rshift([positive * high + negative * low, positive * low + negative * high], shift)
    return bool(ends.min() >= -(2**15) and ends.max() < 2**15)


def run(k, s, x):
    return rshift((x.astype(np.int64) - k.zero) @ k.basis.astype(np.int64).T, k.shift).astype(np.int16)


LOGS = Signal((40,), "int16", Fraction(50), 2.0**-9, unit="octaves")

EXAMPLES = [
    (Dct(), LOGS),
    (Dct(coefficients=12, first=1, lifter=22), Signal((26,), "int16", Fraction(50), 2.0**-10, unit="ln")),
    (Dct(coefficients=8), Signal((8,), "int16", Fraction(50), 2.0**-8, zero=-128)),
    (Dct(coefficients=1), Signal((1,), "int16", Fraction(50), 1.0)),
]
