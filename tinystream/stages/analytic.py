"""Magnitude of the analytic signal: the envelope of a band, without waiting for a lowpass.

    y = round(sqrt(d**2 + h**2)),   d = x delayed by m = (taps - 1) / 2,   h = sum_i c[i] (x[m - 1 - 2i] - x[m + 1 + 2i])

x[j] is the sample j ago, d = x[m].  h is d turned by 90 degrees, by an antisymmetric FIR filter whose every second tap is zero:
c[i] = 2 / (pi n) w(n), n = 2i + 1, i = 0 .. (taps - 3) / 4, with a Hamming window w of `taps` points.  It turns what is not near 0 or
half the sample rate: the magnitude of a sine is true to 1 % from 1.8 / taps of the sample rate up, and as near to half of it
(tests/test_analytic.py measures it).  So it stands behind a bandpass.

Taps are Q30, h and d have 4 bits below a count, isqrt is floor; y saturates at int16, which the band-limited samples
of a bandpass hardly reach.  Each channel is transformed alone.  y is late by m samples; before the first one x is 0.

Source: Oppenheim and Schafer, Discrete-Time Signal Processing, 3rd ed., §12.4 (type III Hilbert transformer by windows).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, quantize_table, rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

GUARD = 4          # bits below a count of d and h


class Analytic(Stage):
    """Magnitude of the analytic signal: the envelope of a band, without waiting for a lowpass."""

    taps: int = Field(default=31, ge=15, le=511, description="length of the filter, 4 n + 3; a longer one turns lower frequencies, too")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'analytic' takes int16 samples, [n] or [n, channels], and is given {x}")
        if self.taps % 4 != 3:
            raise AppError(("taps",), f"taps = {self.taps} is not 4 n + 3: the outermost taps would be zero",
                           f"taps = {self.taps // 4 * 4 + 3}")
        length, channels = (*x.shape, 1)[:2]
        return Step(
            module=__name__,
            x=(x,),
            y=x,
            params=dict(length=length, channels=channels, taps=self.taps),
            tables=dict(half=quantize_table(half_of(self.taps), 30)),
            state=dict(past=np.zeros((channels, self.taps - 1), np.int16)),
            scratch=dict(work=("int16", self.taps - 1 + length)),
            inplace=True,
            cost=dict(mul64=(self.taps // 4 + 3) * x.size, add=80 * x.size, mem=(self.taps // 2 + 4) * x.size),
            says=f"magnitude of the analytic signal, {self.taps} taps, {self.taps // 2} samples late",
        )

    def ideal(self, x, blocks):
        stream = blocks.reshape(-1, *x[0].shape[1:])
        half, middle = half_of(self.taps), self.taps // 2
        whole = np.zeros(self.taps)
        whole[middle - 1 :: -2], whole[middle + 1 :: 2] = half, -half
        turned = np.apply_along_axis(np.convolve, 0, stream, whole)[: len(stream)]
        late = np.concatenate([np.zeros((middle, *stream.shape[1:])), stream])[: len(stream)]
        return np.minimum(np.hypot(late, turned), 32767 * x[0].scale).reshape(blocks.shape)


BOUND = 0.6  # counts: half from rounding, a sixteenth from isqrt, as much from h


def half_of(taps: int) -> np.ndarray:
    """c: the taps beside the middle, going outwards."""
    n = np.arange(1, taps // 2 + 1, 2)
    return 2 / (np.pi * n) * (0.54 + 0.46 * np.cos(2 * np.pi * n / (taps - 1)))


def run(k, s, x):
    columns, y = x.reshape(k.length, k.channels), np.empty((k.length, k.channels), np.int16)
    middle = k.taps // 2
    for channel in range(k.channels):
        work = np.concatenate([s.past[channel], columns[:, channel]]).astype(np.int64)
        s.past[channel] = work[k.length :]
        now = np.arange(k.length) + middle                                  # where d lies in work
        apart = 2 * np.arange(k.half.size)[:, None] + 1
        h = rshift((k.half.astype(np.int64)[:, None] * (work[now + apart] - work[now - apart])).sum(0), 30 - GUARD)
        d = work[now] << GUARD
        y[:, channel] = sat16(rshift(isqrt(d * d + h * h), GUARD))
    return y.reshape(x.shape)


EXAMPLES = [
    (Analytic(), Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))),
    (Analytic(taps=63), Signal((20, 3), "int16", Fraction(80), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))),
    (Analytic(taps=15), Signal((1,), "int16", Fraction(1600), 2.0**-15, unit="FS", sample_hz=Fraction(1600))),
]
