"""Greatest peak of the real cepstrum of a log spectrum: how strongly a spectrum repeats, and with which period.

    c[q] = (L[0] + (-1)**q L[n/2] + 2 sum_{k=1}^{n/2-1} L[k] cos(2 pi k q / n)) / n,   q = first .. last,   n / 2 + 1 bins
    y = [c[q], q in ms] at the least q with the greatest c[q]

L is what stage `log` gives of a spectrum.  Harmonics of f, or sidebands f apart, are a ripple of L and a peak at the quefrency 1 / f,
whichever of them are loud; an echo is a peak at its delay.  Quefrencies are whole samples from low_ms to high_ms.

The sum is exact but for the cosines, Q30; its lowest 15 bits are cut off, and the greatest c is rounded.  y is int32 with one scale
for both values, a power of two with which the longest quefrency and the highest log fit; it is [2], or [channels, 2].  Each quefrency
costs a product a bin.

Source: Bogert, Healy and Tukey (1963); Randall, A history of cepstrum analysis and its application to mechanical problems, Mech. Syst.
Signal Process. 97 (2017), §2.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, log2

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import quantize_table, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

FINEST = 20        # bits of y below 1


class Cepstrum(Stage):
    """Greatest peak of the real cepstrum of a log spectrum: how strongly a spectrum repeats, and with which period."""

    low_ms: float = Field(gt=0, description="shortest period that is looked at; below it is the spectrum's own shape")
    high_ms: float = Field(gt=0, description="longest period; half a frame is the most there is")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero or len(x.shape) not in (1, 2) or x.bin_hz is None:
            raise AppError((), f"stage 'cepstrum' reads the logarithm of a spectrum, and is given {x}",
                           'kind = "log" behind the spectrum')
        size = 2 * (x.shape[-1] - 1)
        if size < 8 or size & (size - 1):
            raise AppError((), f"stage 'cepstrum' needs all bins of a spectrum, and is given {x}")
        first, last = self._range(x)
        period_ms = 1000 / (float(x.bin_hz) * size)
        most = max(last * period_ms, 32768 * x.scale)
        bits = min(FINEST, floor(30 - log2(most)))
        c = x.scale / size * 2.0 ** (bits - 15)                  # counts of y, of what is left of the sum
        shift = min(floor(19 - log2(c)), 62)
        ms_shift = min(floor(30 - log2(period_ms * 2.0**bits)), 40)
        channels, count = x.size // x.shape[-1], last - first + 1
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((*x.shape[:-1], 2), "int32", x.rate_hz, 2.0**-bits),
            params=dict(channels=channels, size=size, first=first, last=last, multiplier=round(c * 2.0**shift), shift=shift,
                        ms=round(period_ms * 2.0 ** (bits + ms_shift)), ms_shift=ms_shift),
            tables=dict(sine_q30=quantize_table(np.sin(2 * np.pi * np.arange(size) / size), 30)),
            cost=dict(mul64=channels * count * x.shape[-1], mem=3 * channels * count * x.shape[-1]),
            says=f"[peak of the cepstrum, its quefrency in ms], from {first * period_ms:.4g} to {last * period_ms:.4g} ms",
        )

    def ideal(self, x, blocks):
        first, last = self._range(x[0])
        c = np.fft.irfft(blocks, axis=-1)[..., first : last + 1]
        period_ms = 1000 / (float(x[0].bin_hz) * 2 * (x[0].shape[-1] - 1))
        return np.stack([c.max(axis=-1), (first + c.argmax(axis=-1)) * period_ms], axis=-1)

    def _range(self, x: Signal) -> tuple[int, int]:
        """The first and the last quefrency, in samples."""
        assert x.bin_hz is not None, "plan() refused what is no spectrum"
        half = x.shape[-1] - 1
        rate_hz = x.bin_hz * 2 * half
        if self.low_ms >= self.high_ms:
            raise AppError(("low_ms",), f"low_ms = {self.low_ms:g} is not below high_ms = {self.high_ms:g}",
                           f"low_ms = {self.high_ms / 2:g}")
        first, last = ceil(Fraction(str(self.low_ms)) * rate_hz / 1000), floor(Fraction(str(self.high_ms)) * rate_hz / 1000)
        if last > half:
            most_ms = float(1000 * half / rate_hz)
            raise AppError(("high_ms",), f"high_ms = {self.high_ms:g} is longer than half the spectrum's frame, {most_ms:g} ms",
                           f"high_ms = {most_ms:g}")
        if first > last:
            nearest_ms = float(1000 * first / rate_hz)
            raise AppError(("high_ms",), f"no sample lies between low_ms = {self.low_ms:g} and high_ms = {self.high_ms:g}",
                           f"high_ms = {nearest_ms:.6g}")
        return first, last


BOUND = 1.0, 2.0**-18  # counts: half from rounding; relative: the multiplier has 20 bits
BATCHED = True


def run(k, s, x):
    doubled = x.reshape(-1, k.size // 2 + 1).astype(np.int64)
    doubled[:, 1:-1] *= 2
    q = np.arange(k.first, k.last + 1)
    cosine = k.sine_q30.astype(np.int64)[(q[:, None] * np.arange(k.size // 2 + 1) + k.size // 4) % k.size]
    sums = np.stack([(doubled * row).sum(1) for row in cosine], axis=1) >> 15       # 42 bits: far below a count of y
    best = sums.argmax(axis=1)
    c, ms = rshift(sums.max(axis=1) * k.multiplier, k.shift), rshift(q[best] * k.ms, k.ms_shift)
    return np.stack([c, ms], axis=-1).astype(np.int32).reshape(*x.shape[:-1], 2)


def inputs(x, rng, count):
    """Log spectra with harmonics of every distance: which of two peaks is greater by less than a rounding, nobody can say."""
    shape, bins = x[0].shape, x[0].shape[-1]
    ripple = np.cos(2 * np.pi * np.arange(bins) * rng.integers(1, bins - 1, (count, *shape[:-1], 1)) / (2 * (bins - 1)))
    loud = rng.uniform(0, 1, (count, *[1] * len(shape)))
    loud[0] = 0     # of quefrencies that are alike the first one counts
    return [np.rint(loud * (12000 * ripple + rng.normal(0, 2000, (count, *shape)) - 8000)).clip(-32768, 32767).astype(np.int16)]


def logs(size: int, *channels: int, rate_hz: int = 16000, scale: float = 2.0**-9, unit: str = "octaves") -> Signal:
    return Signal((*channels, size // 2 + 1), "int16", Fraction(25), scale, unit=unit, bin_hz=Fraction(rate_hz, size))


EXAMPLES = [
    (Cepstrum(low_ms=2, high_ms=15), logs(512)),
    (Cepstrum(low_ms=0.7, high_ms=40), logs(128, 3, rate_hz=1600, scale=2.0**-8, unit="dB")),
    (Cepstrum(low_ms=1, high_ms=1.01), logs(64)),
    (Cepstrum(low_ms=0.1, high_ms=2.9), logs(256, rate_hz=44_100)),
]
