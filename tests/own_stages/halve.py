"""Half of every sample.

y[i] = x[i] >> shift

Source: ours, to show the form of a stage of one's own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Halve(Stage):
    """Half of every sample."""

    times: int = Field(default=1, ge=1, le=15, description="how often it is halved")
    edges_hz: tuple[float, ...] = Field(default=(), description="not used; a list of numbers")
    mix: float | tuple[float, ...] = Field(default=1.0, description="not used; a number or a list")
    quick: bool = Field(default=False, description="not used; true or false")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16":
            raise AppError((), f"stage 'halve' halves int16, and is given {x}")
        return Step(module=__name__, x=(x,), y=replace(x, scale=x.scale * 2**self.times), params=dict(length=x.size, shift=self.times))


BATCHED = True


def run(k, s, x):
    return (x >> k.shift).astype(np.int16)


EXAMPLES = []
