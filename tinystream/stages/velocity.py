"""Velocity of vibration, in mm/s, from acceleration: what ISO 20816 judges machines by.

    V(z) = H(z) L(z) N(z) T / (1 - 1/z)

H: Butterworth highpass of `order` at low_hz; L: lowpass of second order at high_hz, where one is said; T: 1 / rate.  One of H's zeros
at 1 is cancelled by the integrator's pole before a number is made of either, so that nothing drifts: it is sections of
second order, and runs as a `biquad` step, with its proof.  N, of two taps or three, follows sin(w/2) / (w/2), by which a difference is
smaller than a slope, up to high_hz, or to 0.8 of half the rate: in that band the gain is an integrator's within 0.3 % where it ends
at a quarter of the rate or before, within 0.7 % where it ends at 0.4 (a trapezoid's: 22 % and 60 %); before what H and L
take at their edges, 30 % at low_hz, 18 % at 1.2 low_hz, 1 % at 2.7 low_hz.

y.scale is the power of two that holds whatever x can hold; range_mm_s says less, for finer counts, and what is beyond saturates.  After a
reset gravity looks like a jump: it is down to a thousandth after 1.6 / low_hz seconds (order 2).

The r.m.s. of y over 1 s or so, 10 to 1000 Hz, is the broad-band vibration severity.

Source: ISO 20816-1:2016, §4; ISO 2954 for the band; with two taps the integrator is Al-Alaoui's (Electronics Letters 29(4), 1993),
fitted anew.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, log2

import numpy as np
from pydantic import Field
from scipy.signal import iirfilter, sosfilt

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages import biquad
from tinystream.stages.biquad import BOUND, Filter, quantized

__all__ = ["BOUND"]     # that of the step

MM_S2 = {"g": 9806.65, "m/s²": 1000.0, "m/s2": 1000.0}
"""Of one unit of acceleration; g by definition (CGPM 1901)."""
FULL = 0.8              # of half the rate: beyond it no few taps follow an integrator
CLOSE = 0.003           # two taps are enough where they are so close to it


class Velocity(Stage):
    """Velocity of vibration, in mm/s, from acceleration."""

    low_hz: float = Field(default=10.0, gt=0, description="slower vibration is held down; ISO 20816 has 10, and 2 for slow machines")
    high_hz: float | None = Field(default=None, gt=0, description="faster vibration is held down, such as 1000; none where nothing is said")
    order: int = Field(default=2, ge=2, le=6, description="of the highpass at low_hz")
    range_mm_s: float | None = Field(default=None, gt=0, description="largest velocity that is held; all that can be where nothing is said")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2) or x.unit not in MM_S2:
            raise AppError((), f"stage 'velocity' takes int16 samples of acceleration, in g or m/s², and is given {x} in '{x.unit}'")
        if x.rate_hz * x.shape[0] != x.sample_hz:
            raise AppError((), f"stage 'velocity' works on the stream, and is given overlapping frames, {x}", "put it before the frame")
        sos = self._design(x)
        most = 32768 * x.scale * loudest(sos)
        reach = self.range_mm_s or most
        if reach > most:
            raise AppError(("range_mm_s",), f"range_mm_s = {reach:g} is more than these samples can give, {most:.4g} mm/s", "leave it out")
        y = replace(x, scale=2.0 ** ceil(log2(reach / 32767)), unit="mm/s")
        filter_ = self._counted(sos, x.scale / y.scale)
        length, channels = (*x.shape, 1)[:2]
        sections = len(filter_.taps)
        return Step(
            module=biquad.__name__,
            x=(x,),
            y=y,
            params=dict(length=length, channels=channels, sections=sections, guard=filter_.guard),
            tables=dict(taps=filter_.taps.astype(np.int32)),
            state=dict(past=np.zeros((channels, sections, 6), np.int32)),
            scratch=dict(work=("int32", length)),
            inplace=True,
            cost=dict(mul=5 * sections * x.size, add=12 * sections * x.size, mem=2 * (sections + 2) * x.size),
            name=self.kind,
            says=f"velocity from {self.low_hz:g} to {self.high_hz or float(x.sample_hz) / 2:g} Hz, up to {32768 * y.scale:g} mm/s",
        )

    def ideal(self, x, blocks):
        y = self.plan(*x).y
        velocity = sosfilt(self._design(x[0]), blocks.reshape(-1, *x[0].shape[1:]), axis=0)
        return np.clip(velocity, -32768 * y.scale, 32767 * y.scale).reshape(blocks.shape)

    def _counted(self, sos: np.ndarray, gain: float) -> Filter:
        """The sections from counts to counts, in integers."""
        try:
            return quantized(amplified(sos, gain), "low_hz")
        except AppError:
            wider = next((n for n in 2 ** np.arange(1, 21) if proved(amplified(sos, gain / n))), None)
            if self.range_mm_s is None or wider is None:
                raise
            raise AppError(("range_mm_s",), f"range_mm_s = {self.range_mm_s:g} asks for finer counts than 32 bits can prove",
                           f"range_mm_s = {wider * self.range_mm_s:g}") from None

    def _design(self, x: Signal) -> np.ndarray:
        """Second-order sections in float64, from x's unit to mm/s."""
        assert x.sample_hz is not None, "plan() takes samples at a rate"
        rate_hz = float(x.sample_hz)
        top_hz = FULL * rate_hz / 2
        if (self.high_hz or 0) > top_hz:
            raise AppError(("high_hz",), f"high_hz = {self.high_hz:g} is above {FULL:g} of half the sample rate, {top_hz:g} Hz",
                           f"high_hz = {top_hz:g}")
        end_hz = self.high_hz or top_hz
        if 2 * self.low_hz > end_hz:
            raise AppError(("low_hz",), f"low_hz = {self.low_hz:g} is not an octave below the end of the band, {end_hz:g} Hz",
                           f"low_hz = {end_hz / 10:.3g}")
        sos = iirfilter(self.order, self.low_hz, btype="highpass", ftype="butter", fs=rate_hz, output="sos")
        gain = np.prod(sos[:, 0])                                   # scipy puts it into the first; each numerator is 1, -2, 1 or 1, -1
        sos[:, :3] = [[1, -2, 1] if section[2] else [1, -1, 0] for section in sos]
        taps = gain * MM_S2[x.unit] / rate_hz * integrator(2 * np.pi * end_hz / rate_hz)
        sos[-1, :3] = taps[0] * np.array([1, -1, 0]) + taps[1] * np.array([0, 1, -1]) if len(taps) == 2 else [1, -1, 0]
        if len(taps) == 3:
            sos = np.concatenate([sos, [[*taps, 1, 0, 0]]])
        if self.high_hz is not None:
            sos = np.concatenate([sos, iirfilter(2, self.high_hz, btype="lowpass", ftype="butter", fs=rate_hz, output="sos")])
        return sos


def integrator(high: float) -> np.ndarray:
    """Two or three taps whose gain is near to sin(w/2) / (w/2) up to a frequency, radians a sample, and whose sum is 1."""
    w = high * np.cos(np.pi * (np.arange(200) + 0.5) / 400)         # Chebyshev's places, at which least squares are nearly minimax
    u, wanted = 1 - np.cos(w), np.sinc(w / 2 / np.pi) ** 2
    for count in (2, 3):                                            # gain**2 = 1 - p u + q u**2
        p, *q = np.linalg.lstsq(np.stack([-u, u**2][: count - 1], axis=1) / wanted[:, None], 1 - 1 / wanted, rcond=None)[0]
        p, q = round(float(p), 6), round(float(q[0]), 6) if q else 0.0
        if np.abs(np.sqrt((1 - p * u + q * u**2) / wanted) - 1).max() <= CLOSE:
            break
    autocorrelation = [q / 4, p / 2 - q, 1 - p + 1.5 * q, p / 2 - q, q / 4] if q else [p / 2, 1 - p, p / 2]
    roots = np.roots(autocorrelation)
    taps = np.real(np.poly(roots[np.abs(roots) < 1]))
    return taps / taps.sum()


def amplified(sos: np.ndarray, gain: float) -> np.ndarray:
    """The same sections with more gain."""
    return np.concatenate([sos[:1] * ([gain] * 3 + [1.0] * 3), sos[1:]])


def proved(sos: np.ndarray) -> bool:
    """Whether 32 bits can hold them within BOUND."""
    try:
        quantized(sos, "low_hz")
    except AppError:
        return False
    return True


def loudest(sos: np.ndarray) -> float:
    """The most that comes out of samples of up to 1."""
    radius = max(np.abs(np.roots(section[3:])).max() for section in sos)
    impulse = np.zeros(min(int(20 / (1 - radius)) + 64, 1 << 21))
    impulse[0] = 1
    return float(np.abs(sosfilt(sos, impulse)).sum())


THREE_AXES = Signal((32, 3), "int16", Fraction(50), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))
ONE_AXIS = Signal((256,), "int16", Fraction(25), 16 * 2.0**-15, unit="g", sample_hz=Fraction(6400))

EXAMPLES = [
    (Velocity(), THREE_AXES),
    (Velocity(high_hz=1000), ONE_AXIS),
    (Velocity(low_hz=2, range_mm_s=500), ONE_AXIS),
    (Velocity(low_hz=10, high_hz=500, order=3), replace(THREE_AXES, unit="m/s²", scale=80 * 2.0**-15)),
]
