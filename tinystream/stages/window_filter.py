"""Filter each window by itself, from a fresh start.

    y = (the filter of stage 'biquad', over the samples of one window)[::every]

settled = false begins as if silence had gone before; settled = true as if the first sample had always been there.  Windows may overlap:
nothing is remembered from one to the next.

The sections are those of `biquad`, quantised and proved by it; y keeps their guard bits, as int32, so that nothing is rounded.  An
int32 x is first shifted right by 16 - guard.  A section that is settled begins with x1 = x2 and y1 = y2 = gain x1, its gain in Q20.

Source: as `biquad`; the settled start, scipy.signal.sosfilt_zi.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.signal import sosfilt, sosfilt_zi

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.biquad import Biquad, Q, quantized
from tinystream.stages.quantize import type_of


class WindowFilter(Stage):
    """Filter each window by itself, from a fresh start."""

    type: Literal["lowpass", "highpass"] = Field(description="what passes")
    family: Literal["butterworth", "chebyshev1"] = Field(default="butterworth", description="how the edge is shaped")
    order: int = Field(default=2, ge=1, le=12, description="of the filter")
    cutoff_hz: float = Field(gt=0, description="its edge")
    ripple_db: float | None = Field(
        default=None, gt=0, le=12, description="ripple in the pass band of chebyshev1; 1 where nothing is said")
    every: int = Field(default=1, ge=1, le=1000, description="samples of which one is kept, the first of the window among them")
    settled: bool = Field(default=False, description="begin as if the first sample had always been there; else after silence")

    def plan(self, x: Signal) -> Step:
        if x.dtype not in ("int16", "int32") or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'window_filter' filters int16 or int32 samples, [n] or [n, channels], and is given {x}")
        filter_ = quantized(self._design(x), "cutoff_hz")
        length, channels = (*x.shape, 1)[:2]
        lift = filter_.guard - (16 if x.dtype == "int32" else 0)
        kept = -(-length // self.every)
        sections = len(filter_.taps)
        gains = [0 if sum_a == 0 else round(Fraction(sum_b, sum_a) * 2**20) for sum_b, sum_a in filter_.taps[:, 3:5].tolist()]
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, shape=(kept, *x.shape[1:]), dtype="int32", scale=x.scale * 2.0**-lift, sample_hz=x.sample_hz / self.every),
            params=dict(type=type_of(x.dtype), length=length, channels=channels, sections=sections, lift=lift, every=self.every),
            tables=dict(taps=filter_.taps.astype(np.int32), gain=np.array(gains if self.settled else [0] * sections, np.int32),
                        settled=np.array([self.settled], np.uint8)),
            scratch=dict(work=("int32", length)),
            cost=dict(mul=5 * sections * x.size, add=12 * sections * x.size, mem=2 * (sections + 2) * x.size),
            says=f"{self.type} {self.cutoff_hz:g} Hz, {sections} section{'s' * (sections > 1)}, each window by itself"
            + (f", every {self.every}th sample" if self.every > 1 else ""),
        )

    def ideal(self, x, blocks):
        sos = self._design(x[0])
        if self.settled:
            start = sosfilt_zi(sos).reshape(len(sos), *[1] * (blocks.ndim - 1), 2)
            start = start * np.moveaxis(blocks[:, :1], 1, -1)[None]
            return np.moveaxis(sosfilt(sos, np.moveaxis(blocks, 1, -1), zi=start)[0], -1, 1)[:, :: self.every]
        return sosfilt(sos, blocks, axis=1)[:, :: self.every]

    def _design(self, x: Signal) -> np.ndarray:
        return Biquad(type=self.type, family=self.family, order=self.order, cutoff_hz=self.cutoff_hz, ripple_db=self.ripple_db)._design(x)


BOUND = 2.0**10, 2.0**-20    # counts, of which there are 2**30: what biquad proves, without its last rounding
BATCHED = True


def run(k, s, x):
    v = x.reshape(len(x), k.length, k.channels).astype(np.int64)
    v = v << k.lift if k.lift >= 0 else rshift(v, -k.lift)
    for (b0, b2, a2, sum_b, sum_a, shift), gain in zip(k.taps.reshape(-1, 6).tolist(), k.gain.tolist()):
        x1 = x2 = v[:, 0] if k.settled[0] else np.zeros_like(v[:, 0])
        y1 = y2 = rshift(x1 * gain, 20)
        r1 = r2 = np.zeros_like(y1)
        out = np.empty_like(v)
        for i in range(k.length):
            x0 = v[:, i]
            acc = b0 * (x0 - x1) + b2 * (x2 - x1) + a2 * (y1 - y2) + ((sum_b * x1 - sum_a * y1) >> shift) + 2 * r1 - r2
            y0 = y1 + (acc >> Q)
            x2, x1, y2, y1, r2, r1 = x1, x0, y1, y0, r1, acc & ((1 << Q) - 1)
            out[:, i] = y0
        v = out
    return v[:, :: k.every].astype(np.int32).reshape(len(x), -1, *x.shape[2:])


def window(dtype: str, *shape: int) -> Signal:
    return Signal(shape, dtype, Fraction(1), 2.0**-13 if dtype == "int16" else 2.0**-28, unit="g", sample_hz=Fraction(125, 2))


EXAMPLES = [
    (WindowFilter(type="lowpass", cutoff_hz=3, order=6), window("int16", 62, 3)),
    (WindowFilter(type="highpass", cutoff_hz=3, order=4), window("int16", 62)),
    (
        WindowFilter(type="lowpass", family="chebyshev1", ripple_db=0.05, order=8, cutoff_hz=2.5, every=10, settled=True),
        window("int16", 95, 2),
    ),
    (WindowFilter(type="lowpass", cutoff_hz=10, settled=True), window("int32", 30, 3)),
]
