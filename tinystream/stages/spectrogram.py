"""Edge Impulse's Spectrogram, version 4: the power of each bin in the frames of a window, between a noise floor and 12 dB.

    P_f[k] = |X_f[k]|**2 / fft_length,   X_f = DFT of the frame's first fft_length samples, zeros behind a shorter one
    y[f][k] = max((10 log10 P - noise_floor_db) / (12 - noise_floor_db), 0)

Frames have frame_length seconds and begin every frame_stride; a last one that is not full is dropped.  There is no taper.  Samples of
audio ("FS") count as int16, as Edge Impulse has them.  A power of 0 counts as 1e-10.

`mfe` and Edge Impulse's `mfcc` are the same step with a pre-emphasis v[n] = x[n] - c x[n - 1 modulo the window] before it, a bank of
filters behind the powers, and another unit of the logarithm.

The integers: v in 2**-15 of a count of x, exact but for c in Q15; each frame is shifted, up or down, by the exponent e with which its
largest |v| fits 15 bits; the FFT is that of `spectrum` (32 bits), of 64 points at least; weights are Q15; log2_q16 of the sum, to which
2 e is added: a quiet frame is as exact as a loud one.  An energy is within 1e-8 of that of the loudest bin of its frame.

Against the published algorithm in float64: within 0.0005 where a bin is less than 60 dB below the loudest of its
frame, or beneath the floor, and within 0.002 of any that noise reaches.

Source: Edge Impulse, processing-blocks, spectrogram, implementation version 4; exponents, ours.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, log2, log10
from typing import NamedTuple

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import LOG2_TABLE, log2_q16, msb, rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step
from tinystream.stages._edge_impulse import Block, raw
from tinystream.stages.spectrum import LARGEST, SMALLEST, Spectrum, powers

EMPTY = 1e-10           # what a power of 0 counts as
DECIBELS = 10 * log10(2)
BITS = 15               # of the samples that are transformed: audio without pre-emphasis is left as it is


class Spectrogram(Block):
    """Edge Impulse's Spectrogram, version 4: the power of each bin in the frames of a window."""

    frame_length: float = Field(default=0.02, gt=0, description="of a frame, s")
    frame_stride: float = Field(default=0.01, gt=0, description="from one frame to the next, s")
    fft_length: int = Field(default=128, ge=4, le=LARGEST, description="points of the FFT, a power of two")
    noise_floor_db: float = Field(default=-52.0, ge=-200, le=0, description="what is quieter is 0")
    show_axes: bool = Field(default=True, description="of a picture; it means nothing here")

    def plan(self, x: Signal) -> Step:
        frames = cut(x, "spectrogram", self.frame_length, self.frame_stride, self.fft_length)
        loudest = (10 * log10((32768 * raw(x).scale) ** 2 * self.fft_length) - self.noise_floor_db) / (12 - self.noise_floor_db)
        bits = min(14, floor(log2(32767 / max(loudest, 1.0))))
        return step_of(x, frames, Told(raw(x).scale, DECIBELS * 2.0**bits / (12 - self.noise_floor_db), -self.noise_floor_db / DECIBELS,
                                       0, 32767), scale=2.0**-bits,
                       says=f"{frames.number} frames of {self.fft_length // 2 + 1} bins, from {self.noise_floor_db:g} dB")

    def ideal(self, x, blocks):
        frames = cut(x[0], "spectrogram", self.frame_length, self.frame_stride, self.fft_length)
        power = textbook_power(blocks.reshape(len(blocks), -1) * (raw(x[0]).scale / x[0].scale), frames)
        decibels = 10 * np.log10(np.where(power == 0, EMPTY, power))
        return np.maximum((decibels - self.noise_floor_db) / (12 - self.noise_floor_db), 0)


BOUND = 33.0   # counts, the finest being 2**-14: 0.002
BATCHED = True


class Frames(NamedTuple):
    """How a window is cut: samples of a frame that are used, from one to the next, how many; points of the FFT."""

    used: int
    hop: int
    number: int
    fft_length: int
    rate_hz: float


class Told(NamedTuple):
    """What becomes of a power: its unit as an amplitude, counts of y an octave, octaves that are added; least and greatest count."""

    unit: float
    per_octave: float
    above: float
    low: int
    high: int


def cut(x: Signal, kind: str, frame_length: float, frame_stride: float, fft_length: int) -> Frames:
    """The frames of a window, as Edge Impulse counts them; mistakes are those of a block that is called `kind`."""
    if x.dtype != "int16" or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2):
        raise AppError((), f"stage '{kind}' reads windows of int16 samples, [length], and is given {x}",
                       'kind = "frame" above it, window = "boxcar"')
    if x.size != x.shape[0]:
        raise AppError((), f"stage '{kind}' reads one axis, and is given {x}")
    if fft_length & (fft_length - 1):
        raise AppError(("fft_length",), f"fft_length = {fft_length} is not a power of two",
                       f"fft_length = {1 << (fft_length - 1).bit_length()}")
    length, hop = rounded_up(frame_length * float(x.sample_hz)), rounded_up(frame_stride * float(x.sample_hz))
    count = (x.size - length) // hop + 1
    if count < 1:
        raise AppError(("frame_length",), f"frame_length = {frame_length:g} s is longer than the window, {x.size / float(x.sample_hz):g} s",
                       f"frame_length = {x.size / float(x.sample_hz):g}")
    if count > 500:
        raise AppError(("frame_stride",), f"frame_stride = {frame_stride:g} s makes {count} frames of the window, more than 500",
                       f"frame_stride = {x.size / float(x.sample_hz) / 400:.4g}")
    return Frames(min(length, fft_length), hop, count, fft_length, float(x.sample_hz))


def rounded_up(samples: float) -> int:
    """To a whole number, but for a thousandth of one."""
    return max(1, floor(samples) + (samples - floor(samples) >= 0.001))


def step_of(x: Signal, frames: Frames, told: Told, scale: float, says: str, weights: np.ndarray | None = None, energy: bool = False,
            coefficient: float = 0.0, back: int = 1) -> Step:
    """The step; `weights` [bands, bins] is a bank, `energy` tells that of all bins before the bands."""
    points = max(frames.fft_length, SMALLEST)
    fft = Spectrum(size=points).plan(Signal((frames.used,), "int16", x.rate_hz))
    bands = frames.fft_length // 2 + 1 if weights is None else len(weights)
    offset = log2(told.unit**2 * points**2 / frames.fft_length) - 46 - 15 + told.above
    shift = min(46, 46 - max(0, int(np.ceil(log2(told.per_octave)))))      # 2**30 or less
    bank = {} if weights is None else sparse(weights)
    y = Signal((frames.number, bands + energy), "int16", x.rate_hz, scale, sample_hz=Fraction(x.sample_hz or 1) / frames.hop)
    return Step(
        module=__name__,
        x=(x,),
        y=y,
        params=dict(window=x.size, frames=frames.number, hop=frames.hop, length=frames.used, coefficient=round(coefficient * 2**15),
                    back=back % x.size, energy=int(energy), banked=int(weights is not None), bands=bands,
                    apart=points // frames.fft_length, bins=frames.fft_length // 2 + 1, offset=round(offset * 2**16),
                    empty=round((log2(EMPTY) + told.above) * 2**16), multiplier=round(told.per_octave * 2.0 ** (shift - 16)), shift=shift,
                    low=told.low, high=told.high, precision=32, size=points, log2_size=fft.params["log2_size"],
                    radix=fft.params["radix"]),
        tables=dict(log2=LOG2_TABLE, **bank, **fft.tables),
        scratch=dict(frame=("int16", frames.used), power=("int64", points // 2 + 1), **fft.scratch),
        cost={what: frames.number * count for what, count in fft.cost.items()} | dict(mul=frames.number * (3 * frames.used + 4 * bands)),
        says=says,
    )


def sparse(weights: np.ndarray) -> dict[str, np.ndarray]:
    """A bank in Q15, without the zeros at both ends of a row."""
    table = np.rint(weights * 2**15).astype(np.uint16)
    first = (table > 0).argmax(1)
    count = np.where(table.any(1), table.shape[1] - (table > 0)[:, ::-1].argmax(1) - first, 0)
    rows = [row[f : f + c] for row, f, c in zip(table, first.tolist(), count.tolist())]
    return dict(first=first.astype(np.uint16), count=count.astype(np.uint16), weight=np.concatenate(rows))


def textbook_power(data: np.ndarray, frames: Frames) -> np.ndarray:
    """|DFT|**2 / fft_length of the frames of data [..., n]: [..., frames, bins]."""
    cut_out = np.stack([data[..., i * frames.hop : i * frames.hop + frames.used] for i in range(frames.number)], axis=-2)
    return np.abs(np.fft.rfft(cut_out, frames.fft_length)) ** 2 / frames.fft_length


def run(k, s, x):
    v = x.reshape(len(x), k.window).astype(np.int64)
    v = (v << 15) - k.coefficient * np.roll(v, k.back, axis=1)
    v = np.stack([v[:, i * k.hop : i * k.hop + k.length] for i in range(k.frames)], axis=1)
    most = np.abs(v).max(-1)
    exponent = np.where(most > 0, msb(most) - (BITS - 1), 0)
    v = rshift(v, np.maximum(exponent, 0)[..., None]) << np.maximum(-exponent, 0)[..., None]
    bins = powers(k, sat16(v).reshape(-1, k.length)).reshape(len(x), k.frames, -1)[..., :: k.apart]
    energies = [bins.sum(-1, keepdims=True) << 15] if k.energy else []
    energies.append(banked(k, bins) if k.banked else bins << 15)
    energy = np.concatenate(energies, axis=-1)
    octaves = np.where(energy > 0, log2_q16(k.log2, energy) + k.offset + 131072 * exponent[..., None], k.empty)
    return np.clip(rshift(octaves * k.multiplier, k.shift), k.low, k.high).astype(np.int16)


def banked(k, bins: np.ndarray) -> np.ndarray:
    """Sums of weighted bins, Q15."""
    y, w = np.empty((*bins.shape[:-1], k.bands), np.int64), 0
    for b, (first, count) in enumerate(zip(k.first.tolist(), k.count.tolist())):
        y[..., b] = (bins[..., first : first + count] * k.weight[w : w + count].astype(np.int64)).sum(-1)
        w += count
    return y


def inputs(x, rng, count):
    """Windows of noise of every loudness, and silence: what rests on nothing but roundings has no level to compare."""
    loud = 2.0 ** rng.uniform(2, 15, (count, *[1] * len(x[0].shape)))
    blocks = np.clip(np.rint(loud * rng.uniform(-1, 1, (count, *x[0].shape))), -32768, 32767).astype(np.int16)
    blocks[0] = 0
    return [blocks]


def audio(length: int, rate_hz: int = 16000) -> Signal:
    return Signal((length,), "int16", Fraction(1), 2.0**-15, unit="FS", sample_hz=Fraction(rate_hz))


EXAMPLES = [
    (Spectrogram(), audio(1600)),
    (Spectrogram(frame_length=0.032, frame_stride=0.0205, fft_length=512, noise_floor_db=-20.0), audio(1600)),
    (Spectrogram(frame_length=0.5, frame_stride=0.25, fft_length=32),
     Signal((125, 1), "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(125, 2))),
]
