"""Count a block's values in 255 steps, from its loudest down, as Silicon Labs' MLTK does before a model.

    high = max(x), at least 1      low = max(high - range, 0)
    y    = 255 max(x - low, 0) // (high - low) - 128

y is what the model was trained on: a count of 1 is 1.  Over a stack of features, each window is so scaled by its own loudest,
whatever the loudness of the room; so the stage stands behind the stack, and every window is scaled anew.

Widths: x < 2**16, so 255 x < 2**24.

Source: SiliconLabs/mltk, cpp/shared/gecko_sdk/audio_feature_generation, quantize_dynamic_scale.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class DynamicRange(Stage):
    """Count a block's values in 255 steps, from its loudest down, as Silicon Labs' MLTK does before a model."""

    range: float = Field(gt=0, description="how far below the loudest value -128 lies, in the input's unit")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "uint16" or x.zero:
            raise AppError((), f"stage 'dynamic_range' takes uint16 values from zero up, and is given {x}")
        counts = self._counts(x)
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, dtype="int8", scale=1.0, zero=0, unit=""),
            params=dict(length=x.size, range=counts),
            cost=dict(mul=x.size, div=x.size, add=4 * x.size, mem=2 * x.size),
            says=f"in 255 steps of the {self.range:g} {x.unit}".rstrip() + " below the loudest",
        )

    def ideal(self, x, blocks):
        values = (blocks / x[0].scale).reshape(len(blocks), -1)
        high = values.max(axis=1, keepdims=True, initial=1)
        low = np.maximum(high - self.range / x[0].scale, 0)
        return (255 * np.clip(values - low, 0, None) / (high - low) - 128).reshape(blocks.shape)

    def _counts(self, x: Signal) -> int:
        counts = int(Fraction(str(self.range)) / Fraction(x.scale))
        if not 1 <= counts <= 65535:
            limit = x.scale if counts < 1 else 65535 * x.scale
            raise AppError(("range",), f"range = {self.range:g} is {counts} counts of the input, outside 1 to 65535", f"range = {limit:g}")
        return counts


BOUND = 2.0  # counts: cut off, not rounded, and a range that is cut to whole counts
BATCHED = True


def run(k, s, x):
    values = x.reshape(len(x), -1).astype(np.int64)
    high = values.max(axis=1, keepdims=True, initial=1)
    low = np.maximum(high - k.range, 0)
    return (255 * np.maximum(values - low, 0) // (high - low) - 128).astype(np.int8).reshape(x.shape)


def features(*shape: int) -> Signal:
    return Signal(shape, "uint16", Fraction(10), 2.5 / 64, unit="log energy")


EXAMPLES = [
    (DynamicRange(range=11.484375), features(49, 20)),
    (DynamicRange(range=16), features(7)),
    (DynamicRange(range=2559.9), features(3, 5)),
    (DynamicRange(range=12.5), features(1)),
]


def inputs(x, rng, count):
    """Windows of every loudness and every spread: two values alone, near the range and far from it, and many."""
    top = 2.0 ** rng.uniform(0, 16, (count, 1))
    spread = 2.0 ** rng.uniform(0, 16, (count, 1))
    values = top - spread * rng.random((count, x[0].size))
    values[0], values[1], values[2] = 0, 65535, np.arange(x[0].size) % 2 * 65535
    return [np.clip(values, 0, 65535).astype(np.uint16).reshape(-1, *x[0].shape)]
