"""A recording in true time."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from fractions import Fraction
from typing import Any

import numpy as np

from tinystream.io.live.base import Item, Live


class Paced(Live):
    """A recording in true time: block i comes when its last sample would have been taken.

    Pacing waits outside the pipeline and changes no sample: outputs are those of a replay at full speed.  A reader
    that is more than a block late counts as an overrun, since a real sensor would have lost samples then.
    """

    def __init__(
        self,
        samples: np.ndarray,
        rate_hz: Fraction,
        length: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] | None = None,
        shape: tuple[int, ...] | None = None,
    ):
        super().__init__(length, samples[0].size, shape or (length, *samples.shape[1:]), samples.dtype.name)
        self.samples = samples
        self.rate_hz = rate_hz
        self.clock = clock
        self.sleep = sleep or self.rest

    def items(self) -> Generator[Item, None, None]:
        block_s = float(self.length / self.rate_hz)
        start = self.clock()
        for i in range(len(self.samples) // self.length):
            ahead = start + (i + 1) * block_s - self.clock()
            if ahead > 0:
                self.sleep(ahead)
            self.overruns += ahead < -block_s
            yield self._shaped(self.samples[i * self.length : (i + 1) * self.length])
        self.left = len(self.samples) % self.length
