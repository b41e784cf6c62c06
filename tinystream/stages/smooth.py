"""Smooth each channel over time: the mean of its last samples, or an exponential one.

    mean:         y = divide(sum of the last `samples` of x, samples),   divide(a, b) = floor((a + floor(b / 2)) / b)
    exponential:  level += rshift((d >> 16) a + (((d mod 2**16) a) >> 16), shift - 16),   d = 2**16 x - level
                  y = rshift(level, 16),   a / 2**shift = 1 - exp(-1 / samples), 2**29 <= a <= 2**30

The past begins as the first sample that comes, so that what rests at 1 g does not rise from 0.  Samples of a stream follow each other
within a block, [n] or [n, channels]; of vectors, such as features, each block is one moment and each value a channel.

A mean is exact to its rounding; its sum has 44 bits, and is divided in 32 where x is int16.  level is int64, 48 bits; the first product
has 62.  An exponential one lags by `samples`, a mean by half of that; a mean remembers them all, an exponential one nothing but
its level.

Source: Smith, The Scientist and Engineer's Guide to Digital Signal Processing, 1997, §15 and §19.
"""

from __future__ import annotations

from fractions import Fraction
from math import exp, frexp
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.signal import lfilter

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._moments import moments
from tinystream.stages.frame import samples as whole_samples

MOST = {"mean": 4096, "exponential": 16384}


class Smooth(Stage):
    """Smooth each channel over time: the mean of its last samples, or an exponential one."""

    type: Literal["mean", "exponential"] = Field(default="mean", description="of the last samples alike, or of all with fading weight")
    samples: int | None = Field(default=None, ge=2, description="samples (of vectors: vectors) in a mean, or the time constant")
    length_ms: float | None = Field(default=None, gt=0, description="the same as a duration, instead of samples")

    def plan(self, x: Signal) -> Step:
        length, channels, _, called = moments(x, "smooth")
        many = self._samples(x)
        type_ = -2 if x.dtype == "int16" else -4
        params, state = dict(type=type_, length=length, channels=channels), dict[str, np.ndarray | int](at=0, begun=0)
        if self.type == "mean":
            params |= dict(samples=int(many), multiplier=0, shift=0)
            state |= dict(past=np.zeros((int(many), channels), x.dtype), sum=np.zeros(channels, np.int64))
        else:
            multiplier, shift = mantissa(1 - exp(-1 / many))
            params |= dict(samples=0, multiplier=multiplier, shift=shift)
            state |= dict(sum=np.zeros(channels, np.int64))
        return Step(
            module=__name__,
            x=(x,),
            y=x,
            params=params,
            state=state,
            inplace=True,
            cost=dict(mul=2 * x.size, add=8 * x.size, mem=6 * x.size),
            says=f"mean of {many:g} {called}" if self.type == "mean" else f"exponential mean, time constant {many:.4g} {called}",
        )

    def ideal(self, x, blocks):
        _, channels, _, _ = moments(x[0], "smooth")
        many = self._samples(x[0])
        stream = blocks.reshape(-1, channels)
        first = stream[:1]
        if self.type == "mean":
            smooth = lfilter(np.full(int(many), 1 / many), 1, stream - first, axis=0)
        else:
            smooth = lfilter([1 - exp(-1 / many)], [1, -exp(-1 / many)], stream - first, axis=0)
        return (smooth + first).reshape(blocks.shape)

    def _samples(self, x: Signal) -> float:
        """How many, or a time constant of how many."""
        if (self.samples is None) == (self.length_ms is None):
            both = self.samples is not None
            raise AppError(("length_ms",) if both else (), "samples and length_ms say the same thing twice" if both else
                           "stage 'smooth' needs samples or length_ms", "leave one of them out" if both else "samples = 8")
        _, _, rate_hz, called = moments(x, "smooth")
        option = "samples" if self.length_ms is None else "length_ms"
        if self.length_ms is None:
            many = float(self.samples or 0)
        elif self.type == "mean":
            many = whole_samples(self.length_ms, rate_hz, "length_ms")
        else:
            many = float(Fraction(str(self.length_ms)) * rate_hz / 1000)
        most, least = MOST[self.type], 2
        if not least <= many <= most:
            bound = most if many > most else least
            nearest = f"{bound}" if option == "samples" else f"{float(bound * 1000 / rate_hz):g}"
            raise AppError((option,), f"{option} = {getattr(self, option):g} is {many:g} {called}, and {self.type} takes {least} to {most}",
                           f"{option} = {nearest}")
        return many


BOUND = 1.5     # counts: half from rounding; an exponential mean of int32 adds 2**-30 of its multiplier at full scale


def mantissa(real: float) -> tuple[int, int]:
    """(a, shift) with a / 2**shift nearest to 0 < real < 1, 2**29 <= a <= 2**30."""
    shift = 30 - frexp(real)[1]
    return round(real * 2.0**shift), shift


def run(k, s, x):
    return smoothed(k, s, x).reshape(x.shape)


def run_many(k, s, x):
    """The same for many blocks."""
    return np.ones(len(x), bool), smoothed(k, s, x).reshape(x.shape)


def smoothed(k, s, x) -> np.ndarray:
    """Any number of blocks."""
    stream = x.reshape(-1, k.channels).astype(np.int64)
    if not s.begun:
        s.begun = 1
        s.sum = stream[0] << 16
        if k.samples:
            s.past = np.tile(stream[0], (k.samples, 1))
    if not k.samples:
        return rshift(levels(k, s, stream), 16).astype(x.dtype)
    whole = np.concatenate([s.past, stream])
    s.past = whole[-k.samples :]
    total = np.concatenate([np.zeros((1, k.channels), np.int64), np.cumsum(whole, axis=0)])
    sums = (total[k.samples :] - total[: -k.samples])[1:]
    return ((sums + k.samples // 2) // k.samples).astype(x.dtype)      # a mean lies between the least and the greatest


def levels(k, s, stream: np.ndarray) -> np.ndarray:
    """The level after each moment."""
    found = np.empty_like(stream)
    for i, now in enumerate(stream << 16):
        d = now - s.sum
        s.sum = s.sum + rshift((d >> 16) * k.multiplier + (((d & 0xFFFF) * k.multiplier) >> 16), k.shift - 16)
        found[i] = s.sum
    return found


AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((20, 3), "int16", Fraction(5), 4 * 2.0**-15, unit="g", sample_hz=Fraction(100))
FEATURES = Signal((6,), "int32", Fraction(2), 2.0**-20)

EXAMPLES = [
    (Smooth(samples=5), AUDIO),
    (Smooth(length_ms=640), THREE_AXES),
    (Smooth(samples=7), FEATURES),
    (Smooth(type="exponential", length_ms=333), THREE_AXES),
    (Smooth(type="exponential", samples=16384), AUDIO),
    (Smooth(type="exponential", samples=20), FEATURES),
]


def inputs(x, rng, count):
    """Noise of every loudness, full scale of either sign, and a first moment that is not 0: what the past begins as."""
    info = np.iinfo(x[0].dtype)
    loud = 2.0 ** rng.uniform(1, info.bits - 1, (count, *[1] * len(x[0].shape)))
    blocks = np.clip(np.rint(rng.uniform(-1, 1, (count, *x[0].shape)) * loud + loud / 3), info.min, info.max).astype(x[0].dtype)
    blocks[0] = 1000 + np.arange(x[0].size).reshape(x[0].shape) % 7
    blocks[5:8], blocks[8:11], blocks[12] = info.max, info.min, np.where(np.arange(x[0].size) % 2, info.max, info.min).reshape(x[0].shape)
    return [blocks]
