"""How much values have drifted from their own mean so far: the test of Page and Hinkley, to each side.

    n    = min(n + 1, memory)
    mean = mean + floor(((x << 24) - mean + n / 2) / n)          of each feature, in Q24 counts; n / 2 is whole
    d    = (x << 24) - mean
    up   = max(0, up + d - slack),   down = max(0, down - d - slack)      once `learn` blocks have been heard, 0 before
    y    = max(up, down)                                         of the worst feature, or of each (give = "all"), in real units

That is the sum of x - mean - slack less its minimum so far, and the other way round.  After `memory` blocks the mean forgets: it
follows the last ones, an older one counting by 1 / e after `memory` more.  With restart_at a feature begins again, its mean with it,
after a block in which a sum of it has reached that.

Source: Page, Continuous inspection schemes, 1954; Hinkley, Inference about the change-point from cumulative sum tests, 1971; as in Gama et
al., A survey on concept drift adaptation, 2014, §3.2.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages import _drift
from tinystream.stages._drift import SIDES, Give, Side, add, narrow, restart, slacks, told, wandering
from tinystream.stages._standard import Vector, features, row, type_of


class PageHinkley(Stage):
    """How much values have drifted from their own mean so far: the test of Page and Hinkley, to each side."""

    slack: Vector = Field(description="how far from the mean does not count, of each feature or of all, in real units")
    memory: int = Field(default=10_000, ge=2, le=1 << 20, description="blocks in the mean, at most")
    learn: int = Field(default=30, ge=1, le=1 << 20, description="blocks that only the mean learns from, at the beginning")
    side: Side = Field(default="both", description="which drift counts: up, down or both")
    give: Give = Field(default="worst", description="one score, the greatest, or one for each feature")
    restart_at: float | None = Field(default=None, gt=0, description="begin again once a sum has reached this; never if not said")

    def plan(self, x: Signal) -> Step:
        if self.learn >= self.memory:
            raise AppError(("learn",), f"learn = {self.learn} is not less than memory, {self.memory}", f"memory = {10 * self.learn}")
        above, below = SIDES[self.side]
        return Step(
            module=__name__,
            x=(x,),
            y=_drift.signal(x, self.give),
            params=dict(type=type_of(x, self.kind), size=x.size, each=int(self.give == "all"), above=above, below=below, narrow=narrow(x),
                        memory=self.memory, learn=self.learn, restart=restart(x, self.restart_at)),
            tables=dict(slack=slacks(x, self.slack)),
            state=dict(up=np.zeros(x.size, np.int64), down=np.zeros(x.size, np.int64), mean=np.zeros(x.size, np.int64),
                       heard=np.zeros(x.size, np.int32)),
            cost=dict(add=20 * x.size, div=x.size, mem=10 * x.size),
            says=f"drift of {x.size} feature{'s' * (x.size > 1)} from their mean, {self.side}",
        )

    def ideal(self, x, blocks):
        size, slack = x[0].size, row(self.slack, 0, x[0].size, "slack")
        up: np.ndarray = np.zeros(size)
        down, mean, heard = up, up, up
        above, below = SIDES[self.side]
        y = []
        for values in blocks.reshape(len(blocks), -1):
            heard = np.minimum(heard + 1, self.memory)
            mean = mean + (values - mean) / heard
            known = heard > self.learn
            up = np.where(known, np.maximum(0.0, up + values - mean - slack), 0.0) * above
            down = np.where(known, np.maximum(0.0, down - values + mean - slack), 0.0) * below
            worst = np.maximum(up, down)
            y.append(worst.reshape(x[0].shape) if self.give == "all" else worst.max(keepdims=True))
            if self.restart_at is not None:
                up, down, mean, heard = (np.where(worst >= self.restart_at, 0.0, part) for part in (up, down, mean, heard))
        return np.minimum(np.array(y), (2.0**31 - 1) * _drift.signal(x[0], self.give).scale)


BOUND = (1.0, 2.0**-30)     # counts, over thousands of blocks: the mean is off by memory / 4 of 2**-24 counts of x, at most


def run(k, s, x):
    v = x.reshape(-1).astype(np.int64) << _drift.Q
    s.heard = np.minimum(s.heard + 1, k.memory)
    s.mean = s.mean + (v - s.mean + s.heard // 2) // s.heard
    before = s.heard <= k.learn
    sums = np.where(before, 0, add(s, v - s.mean, k))
    again = before | (sums >= k.restart)
    s.up, s.down = np.where(again, 0, s.up), np.where(again, 0, s.down)
    s.mean, s.heard = np.where(sums >= k.restart, 0, s.mean), np.where(sums >= k.restart, 0, s.heard)
    return told(sums, k, x.shape)


EXAMPLES = [
    (PageHinkley(slack=0.05, learn=3), features("int16", 1, scale=2.0**-12, unit="g")),
    (PageHinkley(slack=(0.0, 1.0, 2.0), learn=1, memory=20, give="all", restart_at=3e5), features("int32", 3)),
    (PageHinkley(slack=0.5, side="up", learn=10, memory=12), features("int8", 2, 2, scale=0.1, zero=-20)),
    (PageHinkley(slack=0.1, side="down", restart_at=900.0, learn=5), Signal((5,), "int16", Fraction(1), 0.01)),
]


def inputs(x, rng, count):
    """Steps that last, as stages/_drift.py says."""
    return [wandering(x[0], rng, count)]
