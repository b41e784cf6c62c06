"""Let blocks through while another stage, or a model, says so: a voice-activity model that guards a wake word.

    v    = newest score (its value number `value`), as often as x comes;  from = ["x", "score"]
    left = v >= limit ? hold + 1 : max(left - 1, 0)
    y    = x where left > 0, else nothing yet

limit is the smallest count that is at least `threshold`.  What follows does not run while it is shut, so a small model saves the work of
a large one; behind the large one it only holds back what that one says.  Before the first score it is shut.

Source: ours; a noise gate with a key input.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.hold import held
from tinystream.stages.quantize import type_of


class Guard(Stage):
    """Let blocks through while another stage, or a model, says so: a voice-activity model that guards a wake word."""

    threshold: float = Field(description="the score that opens, in the unit of the score", examples=[0.5])
    value: int = Field(default=0, ge=0, description="which value of the score counts, from 0")
    hold_ms: float = Field(default=0, ge=0, le=86_400_000, description="how long it stays open after the last score that opens")

    def plan(self, x: Signal, score: Signal) -> list[Step]:
        if self.value >= score.size:
            raise AppError(("value",), f"value = {self.value}, the score has {score.size} values, from 0", f"value = {score.size - 1}")
        limit = ceil(self.threshold / score.scale - 1e-9) + score.zero
        low, high = int(np.iinfo(score.dtype).min), int(np.iinfo(score.dtype).max)
        if score.dtype == "uint64" or not low < limit <= high:
            ends = f"{(low - score.zero) * score.scale:g} to {(high - score.zero) * score.scale:g}"
            raise AppError(("threshold",), f"threshold = {self.threshold:g} never opens or never shuts: the score goes from {ends}")
        hold = ceil(Fraction(str(self.hold_ms)) * x.rate_hz / 1000)
        kept, newest = held(score, x, (-2, -1))
        gate = Step(
            module=__name__,
            x=(x, newest.y),
            y=x,
            params=dict(bytes=x.bytes, type=type_of(score.dtype), value=self.value, limit=limit, hold=hold),
            state=dict(left=0),
            sources=(-1, 1),
            waits=True,
            inplace=True,
            cost=dict(mem=2 * x.size, add=4),
            says=f"open from a score of {self.threshold:g}" + (f", for {self.hold_ms:g} ms" if self.hold_ms else ""),
        )
        return [kept, newest, gate]

    def ideal(self, x, blocks, scores):
        hold, left, passed = self.hold_ms / 1000 * float(x[0].rate_hz), -1.0, []
        for block, score in zip(blocks, scores, strict=True):
            left = hold if score.ravel()[self.value] >= self.threshold - 1e-9 * x[1].scale else left - 1
            if left > -1 + 1e-9:
                passed.append(block)
        return np.array(passed)


BOUND = 0   # what passes is unchanged


def run(k, s, x, score):
    s.left = k.hold + 1 if int(score.ravel()[k.value]) >= k.limit else max(s.left - 1, 0)
    return x if s.left > 0 else None


AUDIO = Signal((16,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(1600))

EXAMPLES = [
    (Guard(threshold=0.5), AUDIO, Signal((1,), "uint8", Fraction(100), 2.0**-8, unit="probability")),
    (Guard(threshold=0.1, value=2, hold_ms=30), AUDIO, Signal((3,), "int8", Fraction(100), 2.0**-7, zero=3)),
    (Guard(threshold=-200.0, value=1, hold_ms=15), Signal((3, 2), "int32", Fraction(100)), Signal((2, 1), "int16", Fraction(100))),
]
