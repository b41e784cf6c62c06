"""Greatest power that each bin has in the frames of a window, of each channel alone.

    y[k] = max over frames f of |X_f[k]|**2 / size,   X_f = DFT of (x[i] - mean), i = f hop .. f hop + size - 1,   k = first .. last

Frames begin every size / 2 samples (overlap = true) or every `size` while they begin within the window; beyond its end are zeros.
There is no taper.  That is Welch's method with a maximum in place of the mean.

The integers: d[i] = n x[i] - sum x, exact, is shifted by the exponent e with which the largest |d| of the window fits 15 bits, up or
down, so quiet windows lose nothing; the FFT is that of `spectrum` (32 bits), where size < 64 padded to 64 points of which every
64 / size-th is a bin; its power is shifted by 2 e to the one scale of y, of which 2**61 is the loudest.

A bin is within 2**-14 of the square root of the greatest |X|**2 that frames of this loudness can have (size times the largest |d|).

Source: Welch, IEEE Trans. AU-15 (1967), for the frames; the maximum, as in Edge Impulse's spectral analysis; exponents, ours.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import msb, rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.quantize import type_of
from tinystream.stages.spectrum import LARGEST, SMALLEST, Spectrum, powers

BITS = 15       # of the samples that are transformed
LIFT = 15       # 2**46 is the most that a bin of 15-bit samples has; y ends at 2**61


class MaxSpectrum(Stage):
    """Greatest power that each bin has in the frames of a window, of each channel alone."""

    size: int = Field(default=64, ge=4, le=LARGEST, description="samples of a frame, a power of two")
    overlap: bool = Field(default=True, description="frames begin every half frame; else every frame")
    first: int = Field(default=0, ge=0, description="the first bin that is told")
    last: int | None = Field(default=None, ge=0, description="the last; that of half the sample rate where nothing is said")

    def plan(self, x: Signal) -> Step:
        if x.dtype not in ("int16", "int32") or x.zero or len(x.shape) not in (1, 2) or x.shape[0] > 1 << 15:
            raise AppError((), "stage 'max_spectrum' reads windows of up to 32768 int16 or int32 samples, [length] or [length, channels], "
                           f"and is given {x}")
        if self.size & (self.size - 1):
            raise AppError(("size",), f"size = {self.size} is not a power of two", f"size = {1 << (self.size - 1).bit_length()}")
        length, channels = (*x.shape, 1)[:2]
        last = self.size // 2 if self.last is None else self.last
        if last > self.size // 2:
            raise AppError(("last",), f"last = {last} is beyond the last bin, {self.size // 2}", f"last = {self.size // 2}")
        if self.first > last:
            raise AppError(("first",), f"first = {self.first} is beyond the last bin that is told, {last}", f"first = {last}")
        points = max(self.size, SMALLEST)
        hop = self.size // (1 + self.overlap)
        loudest = np.iinfo(x.dtype).bits + (length - 1).bit_length() - BITS         # the exponent of full scale
        fft = Spectrum(size=points).plan(Signal((self.size,), "int16", x.rate_hz))
        frames = -(-length // hop)
        bins = last - self.first + 1
        scale = Fraction(x.scale) ** 2 * Fraction(points, length) ** 2 / self.size * Fraction(2) ** (2 * loudest - LIFT - 16)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((*x.shape[1:], bins), "int64", x.rate_hz, float(scale), unit=f"{x.unit}²" if x.unit else "",
                     bin_hz=x.sample_hz / self.size if x.sample_hz else Fraction(1, self.size)),
            params=dict(type=type_of(x.dtype), window=length, channels=channels, length=self.size, hop=hop, loudest=loudest,
                        first=self.first, bins=bins, apart=points // self.size, precision=32, size=points,
                        log2_size=fft.params["log2_size"], radix=fft.params["radix"]),
            tables=fft.tables,
            scratch=dict(frame=("int16", self.size), power=("int64", points // 2 + 1), **fft.scratch),
            cost={what: frames * channels * count for what, count in fft.cost.items()},
            says=f"greatest power of bins {self.first} to {last} in {frames} frames of {self.size} samples"
            + (f", of each of {channels} channels" if len(x.shape) == 2 else ""),
        )

    def ideal(self, x, blocks):
        data = blocks.swapaxes(1, 2) if len(x[0].shape) == 2 else blocks
        last = self.size // 2 if self.last is None else self.last
        return max_hold(data - data.mean(-1, keepdims=True), self.size, self.overlap)[..., self.first : last + 1]


BOUND = 2.0**48, 2.0**-9  # counts (of 2**61, for full scale) and relative; what a quiet window keeps, the docstring says
BATCHED = True


def max_hold(data: np.ndarray, size: int, overlap: bool) -> np.ndarray:
    """The textbook: greatest |DFT|**2 / size of the frames of data [..., n]."""
    starts = range(0, data.shape[-1], size // 2 if overlap else size)
    return np.max([np.abs(np.fft.rfft(data[..., start : start + size], size)) ** 2 / size for start in starts], axis=0)


def run(k, s, x):
    v = x.reshape(len(x), k.window, k.channels).astype(np.int64).swapaxes(1, 2)
    d = k.window * v - v.sum(-1, keepdims=True)
    most = np.abs(d).max(-1)
    exponent = np.where(most > 0, msb(most) - (BITS - 1), 0)
    down, up = np.maximum(exponent, 0)[..., None], np.maximum(-exponent, 0)[..., None]
    d = sat16(rshift(d, down) << up)
    padded = np.concatenate([d, np.zeros((*d.shape[:-1], k.length), np.int16)], axis=-1)
    frames = np.stack([padded[..., start : start + k.length] for start in range(0, k.window, k.hop)], axis=-2)
    bins = powers(k, frames.reshape(-1, k.length)).reshape(*frames.shape[:-1], -1)
    chosen = bins[..., k.first * k.apart :: k.apart][..., : k.bins].max(-2)
    lift = (LIFT - 2 * (k.loudest - exponent))[..., None]
    y = rshift(chosen, np.clip(-lift, 0, 62)) << np.maximum(lift, 0)
    return y.reshape(len(x), *([] if x.ndim == 2 else [k.channels]), k.bins)


def _examples():
    def window(*shape, scale=2.0**-13):
        return Signal(shape, "int16", Fraction(1), scale, unit="g", sample_hz=Fraction(125, 2))

    return [
        (MaxSpectrum(size=16), window(62, 3)),
        (MaxSpectrum(size=4, overlap=False), window(9)),
        (MaxSpectrum(size=128, first=1), window(300, 2, scale=9.81 / 2048)),
        (MaxSpectrum(size=64, overlap=False, first=3, last=20), window(64)),
        (MaxSpectrum(size=32), window(7, 1)),
        (MaxSpectrum(size=16), Signal((40, 2), "int32", Fraction(1), 2.0**-26, unit="g", sample_hz=Fraction(50))),
    ]


EXAMPLES = _examples()
