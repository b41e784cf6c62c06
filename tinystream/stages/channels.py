"""Take some of the channels, in any order.

    y[i, j] = x[i, take[j]]

Exact.  One channel alone gives [n], as from a sensor that has no other.

Source: ours.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Annotated

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Channels(Stage):
    """Take some of the channels, in any order."""

    take: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        min_length=1, max_length=1024, description="numbers of the columns, from 0; such as [3, 4, 5] for the gyroscope of six axes")

    def plan(self, x: Signal) -> Step:
        if len(x.shape) != 2 or x.bin_hz is not None:
            raise AppError((), f"stage 'channels' takes samples of several channels, [n, channels], and is given {x}")
        length, channels = x.shape
        for i, column in enumerate(self.take):
            if column >= channels:
                raise AppError(("take", i), f"there is no channel {column}: it has {channels}, and counts from 0", f"0 to {channels - 1}")
            if column in self.take[:i]:
                raise AppError(("take", i), f"channel {column} is taken twice", "leave one of them out")
        count = len(self.take)
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, shape=(length,) if count == 1 else (length, count)),
            params=dict(length=length, channels=channels, count=count, width=np.dtype(x.dtype).itemsize),
            tables=dict(take=np.array(self.take, np.int16)),
            cost=dict(mem=2 * length * count),
            says=f"{', '.join(map(str, self.take))} of {channels} channels",
        )

    def ideal(self, x, blocks):
        return blocks[:, :, list(self.take)].reshape(len(blocks), *self.plan(*x).y.shape)


BOUND = 0
BATCHED = True


def run(k, s, x):
    y = x[:, :, k.take]
    return y[:, :, 0] if k.count == 1 else y


def samples(dtype: str, length: int, channels: int) -> Signal:
    return Signal((length, channels), dtype, Fraction(10), 2.0**-15, unit="FS", sample_hz=Fraction(10 * length))


EXAMPLES = [
    (Channels(take=(3, 4, 5)), samples("int16", 5, 6)),
    (Channels(take=(2, 0)), samples("int8", 1, 4)),
    (Channels(take=(1,)), samples("int32", 4, 3)),
    (Channels(take=(0,)), samples("int64", 3, 1)),
]
