"""The median of each channel's last samples: spikes shorter than half of them are gone, and edges stay edges.

    y = the one in the middle of the last `samples` of x, in order of size

The past begins as the first sample that comes.  Samples of a stream follow each other within a block, [n] or [n, channels]; of
vectors, such as features, each block is one moment and each value a channel.  The last samples are kept in order: what goes out
makes room for what comes in, and those between the two move by one, `samples` moves at most.

Source: Tukey, Exploratory Data Analysis, 1977, §7; scipy.ndimage.median_filter, late by half its length.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._moments import moments
from tinystream.stages.smooth import inputs

__all__ = ["inputs"]


class Median(Stage):
    """The median of each channel's last samples: spikes shorter than half of them are gone, and edges stay edges."""

    samples: int = Field(ge=3, le=63, description="samples (of vectors: vectors) of which it is the middle one, an odd number")

    def plan(self, x: Signal) -> Step:
        length, channels, _, called = moments(x, "median")
        if self.samples % 2 == 0:
            raise AppError(("samples",), f"samples = {self.samples} is even, and has no middle", f"samples = {self.samples - 1}")
        ring = np.zeros((channels, self.samples), np.int32)
        return Step(
            module=__name__,
            x=(x,),
            y=x,
            params=dict(type=-2 if x.dtype == "int16" else -4, length=length, channels=channels, samples=self.samples),
            state=dict(past=ring, sorted=ring, at=0, begun=0),
            inplace=True,
            cost=dict(add=3 * self.samples * x.size, mem=2 * self.samples * x.size),
            says=f"median of {self.samples} {called}",
        )

    def ideal(self, x, blocks):
        stream = blocks.reshape(-1, moments(x[0], "median").channels)
        padded = np.concatenate([np.tile(stream[:1], (self.samples - 1, 1)), stream])
        return np.median(np.lib.stride_tricks.sliding_window_view(padded, self.samples, axis=0), axis=-1).reshape(blocks.shape)


BOUND = 0   # nothing is computed


def run(k, s, x):
    return middles(k, s, x)


def run_many(k, s, x):
    """The same for many blocks."""
    return np.ones(len(x), bool), middles(k, s, x)


def middles(k, s, x) -> np.ndarray:
    """Any number of blocks."""
    stream = x.reshape(-1, k.channels)
    if not s.begun:
        s.begun, s.past = 1, np.tile(stream[0], (k.samples, 1))
    whole = np.concatenate([s.past, stream])
    s.past = whole[-k.samples :]
    windows = np.lib.stride_tricks.sliding_window_view(whole[1:], k.samples, axis=0)
    return np.partition(windows, k.samples // 2, axis=-1)[..., k.samples // 2].reshape(x.shape)


AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((20, 3), "int16", Fraction(5), 4 * 2.0**-15, unit="g", sample_hz=Fraction(100))

EXAMPLES = [
    (Median(samples=3), AUDIO),
    (Median(samples=63), AUDIO),
    (Median(samples=7), THREE_AXES),
    (Median(samples=5), Signal((6,), "int32", Fraction(2), 2.0**-20, zero=7)),
]
