"""Join the last feature vectors to one block, as a model wants to see them.

    y[t] = x_(now - frames + 1 + t),   t = 0 .. frames-1, oldest first

The first output comes with the vector that makes `frames` of them, then one with each `every` vectors.

Source: ours; the ring that lies behind every streaming feature extractor.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Stack(Stage):
    """Join the last feature vectors to one block, as a model wants to see them."""

    frames: int = Field(ge=1, le=65536, description="vectors in an output")
    every: int = Field(default=1, ge=1, le=65536, description="new vectors from one output to the next")

    def plan(self, x: Signal) -> Step:
        y = replace(x, shape=(self.frames, *x.shape), rate_hz=x.rate_hz / self.every, sample_hz=x.rate_hz)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(frames=self.frames, bytes=x.bytes, every=self.every),
            state=dict(past=np.zeros((self.frames, *x.shape), x.dtype), at=0, wait=self.frames),
            waits=True,
            cost=dict(mem=x.size + y.size),
            says=f"the last {self.frames} vectors, every {self.every}",
        )

    def ideal(self, x, blocks):
        ends = range(self.frames, len(blocks) + 1, self.every)
        return np.stack([blocks[end - self.frames : end] for end in ends])


BOUND = 0   # nothing is computed


def run(k, s, x):
    s.past[s.at] = x
    s.at = (s.at + 1) % k.frames
    s.wait -= 1
    if s.wait > 0:
        return None
    s.wait = k.every
    return np.roll(s.past, -s.at, axis=0)


def run_many(k, s, x):
    """The same for many vectors."""
    stream = np.concatenate([np.roll(s.past, -s.at, axis=0), x])
    late = np.arange(1, len(x) + 1) - s.wait                    # vectors since an output was due
    fired = (late >= 0) & (late % k.every == 0)
    s.past[:], s.at = stream[len(x) :], 0
    s.wait = -int(late[-1]) if late[-1] < 0 else k.every - int(late[-1]) % k.every
    windows = np.lib.stride_tricks.sliding_window_view(stream, k.frames, axis=0)[1:][fired]
    return fired, np.moveaxis(windows, -1, 1)


def features(dtype: str, *shape: int) -> Signal:
    return Signal(shape, dtype, Fraction(100, 3), 0.5, zero=3, unit="octaves", bin_hz=Fraction(125, 4))


EXAMPLES = [
    (Stack(frames=5), features("int8", 7)),
    (Stack(frames=3, every=2), features("uint16", 4)),
    (Stack(frames=2, every=5), features("int32", 3, 2)),
    (Stack(frames=1), features("int64", 1)),
]
