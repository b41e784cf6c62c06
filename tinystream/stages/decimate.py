"""Keep every so-manieth sample, after taking out what half the new rate cannot hold.

    y[m] = sat16(rshift(sum_t taps[t] x[m factor - t], shift)),   t = 0 .. count-1;   x before a reset is 0

taps: a linear-phase FIR in int16, as fine as its largest tap allows; they sum up to exactly 2**shift, so a constant passes
unchanged.  Only the samples that are kept are computed.  A product has 31 bits, a sum of 2**16 of them 47, in int64.

A factor that factorises is taken in up to three steps, in the order that costs least: the first ones need only keep out what would
fold into the new band, and are short.  Together they pass 0 to 0.8 of half the new rate within 0.1 dB and hold everything from
half the new rate on down by stopband_db; plan() lengthens each filter until its integers do.  All delay is constant, and said.

Source: Crochiere and Rabiner, Multirate Digital Signal Processing, 1983, §5 (multistage); Kaiser windows, Oppenheim and Schafer,
Discrete-Time Signal Processing, 3rd ed., §7.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, log2

import numpy as np
from pydantic import Field
from scipy.signal import firwin, kaiser_beta, upfirdn

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

PASSED = 0.8            # of half the new rate
LARGEST_AT_ONCE = 64    # by one step: beyond it, taps are too many
STEPS = 3               # at most


class Decimate(Stage):
    """Keep every so-manieth sample, after taking out what half the new rate cannot hold."""

    factor: int = Field(ge=2, le=4096, description="samples that come in for one that goes out")
    stopband_db: float = Field(default=60.0, ge=40, le=70, description="how far down what would fold into the band is held")

    def plan(self, x: Signal) -> list[Step]:
        if x.dtype != "int16" or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'decimate' takes int16 samples, [n] or [n, channels], and is given {x}")
        if x.rate_hz * x.shape[0] != x.sample_hz:
            raise AppError((), f"stage 'decimate' works on the stream, and is given overlapping frames, {x}", "put it before the frame")
        if x.shape[0] % self.factor:
            near = max(1, round(x.shape[0] / self.factor)) * self.factor
            raise AppError(("factor",), f"factor = {self.factor} does not divide the {x.shape[0]} samples of a block",
                           f"source.block_ms = {float(1000 * near / x.sample_hz):.6g}")
        steps: list[Step] = []
        for i, filter_ in enumerate(self._filters()):
            steps.append(step_of(filter_, steps[-1].y if steps else x, i))
        delay_ms = sum(500 * (s.params["count"] - 1) / float(s.x[0].sample_hz or 1) for s in steps)
        return [*steps[:-1], replace(steps[-1], says=f"{steps[-1].says}; {delay_ms:.4g} ms late in all")]

    def ideal(self, x, blocks):
        full_scale = 32768 * x[0].scale
        stream = blocks.reshape(-1, *x[0].shape[1:])
        for filter_ in self._filters():
            stream = upfirdn(filter_.design, stream, down=filter_.factor, axis=0)[: len(stream) // filter_.factor]
            stream = np.clip(stream, -full_scale, full_scale - x[0].scale)
        return stream.reshape(len(blocks), -1, *x[0].shape[1:])

    def _filters(self) -> list[Filter]:
        """One for each step, in order."""
        ways = list(ordered(self.factor, STEPS))
        if not ways:
            near = next(f for d in range(1, self.factor) for f in (self.factor + d, self.factor - d) if f > 1 and list(ordered(f, STEPS)))
            raise AppError(("factor",), f"factor = {self.factor} is not a product of {STEPS} numbers up to {LARGEST_AT_ONCE}",
                           f"factor = {near}")
        best = min(ways, key=lambda factors: cost(factors, self.stopband_db))
        return [designed(factor, edges, self.stopband_db) for factor, edges in zip(best, bands(best))]


BOUND = 4.0  # counts: half from each step's rounding, the rest the taps' own 16 bits against samples at full scale


@dataclass(frozen=True)
class Filter:
    """One step: its factor, its taps in float and in integers of 2**-shift."""

    factor: int
    design: np.ndarray
    taps: np.ndarray
    shift: int


def ordered(factor: int, steps: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a factor as a product of up to `steps` factors, in every order."""
    if factor <= LARGEST_AT_ONCE:
        yield (factor,)
    for first in range(2, min(factor // 2, LARGEST_AT_ONCE) + 1) if steps > 1 else ():
        if factor % first == 0:
            yield from ((first, *rest) for rest in ordered(factor // first, steps - 1))


def bands(factors: tuple[int, ...]) -> list[tuple[float, float]]:
    """For each step, where its pass band ends and its stop band begins, in units of the rate that comes in."""
    total = float(np.prod(factors))
    found, done = [], 1
    for factor in factors:
        half = done / total / 2                 # half the last rate, seen from this one
        found.append((PASSED * half, 1 / factor - half))
        done *= factor
    return found


def taps_needed(edges: tuple[float, float], stopband_db: float) -> int:
    """Odd; Kaiser's estimate."""
    return int((stopband_db - 7.95) / (14.36 * (edges[1] - edges[0])) / 2) * 2 + 3


def cost(factors: tuple[int, ...], stopband_db: float) -> float:
    """Products for each sample that comes in, and what moving it costs."""
    rate, total = 1.0, 0.0
    for factor, edges in zip(factors, bands(factors)):
        total += rate * (taps_needed(edges, stopband_db) / factor + 4)
        rate /= factor
    return total


def designed(factor: int, edges: tuple[float, float], stopband_db: float) -> Filter:
    """The shortest Kaiser-windowed FIR whose integers keep the stop band."""
    window = ("kaiser", kaiser_beta(stopband_db + 1))
    for count in range(taps_needed(edges, stopband_db), 8 * taps_needed(edges, stopband_db), 2):
        design = firwin(count, sum(edges) / 2, window=window, fs=1.0)
        shift = floor(log2(32700 / design.max()))
        taps = np.rint(design * 2.0**shift).astype(np.int64)
        taps[count // 2] += (1 << shift) - taps.sum()
        response = np.abs(np.fft.rfft(taps / 2.0**shift, 1 << 15))
        if response[int(edges[1] * (1 << 15)) :].max() <= 0.98 * 10 ** (-stopband_db / 20):   # the other steps' ripple
            return Filter(factor, design, taps.astype(np.int16), shift)
    raise AppError(("stopband_db",), f"stopband_db = {stopband_db:g} is more than 16-bit taps can do with this factor", "stopband_db = 60")


def step_of(filter_: Filter, x: Signal, i: int) -> Step:
    """The i-th step of a stage, on what the one before it gives."""
    assert x.sample_hz is not None, "plan() takes samples at a rate"
    length, channels = (*x.shape, 1)[:2]
    count, factor = len(filter_.taps), filter_.factor
    y = replace(x, shape=(length // factor, *x.shape[1:]), sample_hz=x.sample_hz / factor)
    return Step(
        module=__name__,
        x=(x,),
        y=y,
        params=dict(length=length, channels=channels, factor=factor, count=count, shift=filter_.shift),
        tables=dict(taps=filter_.taps),
        state=dict(past=np.zeros((count - 1) * channels, np.int16)),
        scratch=dict(work=("int16", (count - 1 + length) * channels)),
        sources=(i - 1,),
        cost=dict(mul=count * y.size, add=2 * count * y.size, mem=2 * (x.size + (count - 1) * channels) + 2 * count * y.size),
        says=f"every {factor}. sample, {float(y.sample_hz or 0):g} Hz, {count} taps",
    )


def run(k, s, x):
    return decimated(k, s, x).reshape(k.length // k.factor, *x.shape[1:])


def run_many(k, s, x):
    """The same for many blocks."""
    return np.ones(len(x), bool), decimated(k, s, x).reshape(len(x), k.length // k.factor, *x.shape[2:])


def decimated(k, s, x) -> np.ndarray:
    """Any number of blocks.  Sums are below 2**47, so float64 holds them exactly, in any order."""
    stream = np.concatenate([s.past, x.ravel()])
    s.past = stream[stream.size - s.past.size :]
    sums = upfirdn(k.taps.astype(np.float64), stream.reshape(-1, k.channels).astype(np.float64), down=1, axis=0)
    return sat16(rshift(sums[k.count - 1 : k.count - 1 + x.size // k.channels : k.factor].astype(np.int64), k.shift))


AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((60, 3), "int16", Fraction(10), 4 * 2.0**-15, unit="g", sample_hz=Fraction(600))

EXAMPLES = [
    (Decimate(factor=2), AUDIO),
    (Decimate(factor=5, stopband_db=70), replace(AUDIO, shape=(5,), rate_hz=Fraction(3200))),
    (Decimate(factor=10), THREE_AXES),
    (Decimate(factor=60, stopband_db=40), replace(THREE_AXES, shape=(60, 1))),
    (Decimate(factor=100), replace(AUDIO, shape=(400,), rate_hz=Fraction(40))),
]
