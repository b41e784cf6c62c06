"""How fast vectors change: against an earlier one, or as the slope of a line through several.

    difference:  y = sat(x[t] - x[t - frames])
    regression:  y = sat(divide(sum_n n (x[t + n] - x[t - n]), 2 sum_n n**2)),   n = 1 .. width
                 divide(a, b) = floor((a + floor(b / 2)) / b)

A regression looks `width` vectors ahead, so it is late by as many; speech recognition calls it delta features, and takes it twice for
delta-deltas.  Nothing is given until all of its vectors are there: the first output comes with vector frames + 1, or
2 width + 1.  (Toolkits that have a whole file repeat its first and its last vector instead.)

y has the type and the scale of x, per vector, and saturates where that is left: only by a difference of more than half of what x
can hold.  Each value is taken alone.  Sums have 31 + 10 bits where x is int32, and are divided in 32 bits where it is int16.

Source: HTK Book 3.4, §5.9, eq. 5.16.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import sat16, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Delta(Stage):
    """How fast vectors change: against an earlier one, or as the slope of a line through several."""

    type: Literal["difference", "regression"] = Field(default="difference", description="against an earlier vector, or a slope")
    frames: int | None = Field(default=None, ge=1, le=4096, description="how many vectors ago a difference looks; 1 where nothing is said")
    width: int | None = Field(default=None, ge=1, le=16, description="vectors on each side of a regression; 2 where nothing is said")

    def plan(self, x: Signal) -> Step:
        if x.dtype not in ("int16", "int32"):
            raise AppError((), f"stage 'delta' takes int16 or int32 vectors, and is given {x}")
        for option, owner in (("frames", "difference"), ("width", "regression")):
            if getattr(self, option) is not None and self.type != owner:
                raise AppError((option,), f'{option} means nothing to type = "{self.type}"', f'type = "{owner}"')
        width, window = self._width(), self._window()
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, zero=0),
            params=dict(type=-2 if x.dtype == "int16" else -4, size=x.size, window=window, width=width, divisor=divisor(width)),
            state=dict(past=np.zeros((window, x.size), x.dtype), at=0, wait=window),
            waits=True,
            cost=dict(mul=width * x.size, add=(2 * width + 8) * x.size, mem=(2 * width + 4) * x.size),
            says=f"slope over {window} vectors" if width else f"difference to {window - 1} vectors ago",
        )

    def ideal(self, x, blocks):
        info, width, window = np.iinfo(x[0].dtype), self._width(), self._window()
        count = max(len(blocks) - window + 1, 0)
        if width:
            n = np.arange(-width, width + 1)
            slope = sum(w * blocks[i : i + count] for i, w in enumerate(n / (n**2).sum()))
        else:
            slope = blocks[window - 1 :] - blocks[:count]
        return np.clip(slope, info.min * x[0].scale, info.max * x[0].scale)

    def _width(self) -> int:
        """0 for a difference."""
        return (self.width or 2) if self.type == "regression" else 0

    def _window(self) -> int:
        """Vectors that one output sees, or remembers."""
        return 2 * self._width() + 1 if self.type == "regression" else (self.frames or 1) + 1


BOUND = 0.501   # counts: the rounding, and what float64 loses


def divisor(width: int) -> int:
    return 2 * sum(n * n for n in range(1, width + 1)) if width else 1


def run(k, s, x):
    s.past[s.at] = x.ravel()
    s.at = (s.at + 1) % k.window
    s.wait -= s.wait > 0
    if s.wait > 0:
        return None
    return slopes(k, np.roll(s.past, -s.at, axis=0)).reshape(x.shape)


def run_many(k, s, x):
    """The same for many vectors."""
    stream = np.concatenate([np.roll(s.past, -s.at, axis=0)[1:], x.reshape(len(x), -1)])
    fired = np.arange(1, len(x) + 1) >= s.wait
    s.past, s.at, s.wait = stream[-k.window :], 0, max(s.wait - len(x), 0)
    return fired, slopes(k, stream)[fired].reshape(-1, *x.shape[1:])


def slopes(k, stream: np.ndarray) -> np.ndarray:
    """Of each `window` vectors that follow each other."""
    stream = stream.astype(np.int64)
    count = len(stream) - k.window + 1
    acc = stream[k.window - 1 :] - stream[:count]
    if k.width:
        middle = k.width
        acc = sum(n * (stream[middle + n : middle + n + count] - stream[middle - n : middle - n + count]) for n in range(1, k.width + 1))
    return (sat16 if k.type == -2 else sat32)((acc + k.divisor // 2) // k.divisor)


def vectors(dtype: str, *shape: int, zero: int = 0) -> Signal:
    return Signal(shape, dtype, Fraction(100), 2.0**-9, zero, unit="octaves")


EXAMPLES = [
    (Delta(), vectors("int16", 13)),
    (Delta(frames=7), vectors("int32", 3, 4, zero=9)),
    (Delta(type="regression"), vectors("int16", 13)),
    (Delta(type="regression", width=1), vectors("int16", 2, 5)),
    (Delta(type="regression", width=16), vectors("int16", 3)),
    (Delta(type="regression", width=9), vectors("int32", 3)),
]
