"""How much values have drifted from a target: a cumulative sum (CUSUM) to each side.

    d    = (x << 24) - target                          of each feature, in Q24 counts
    up   = max(0, up + d - slack),   down = max(0, down - d - slack)
    y    = max(up, down)                               of the worst feature, or of each (give = "all"), in real units

Half of the shift that matters is a usual slack.  The sums saturate, see stages/_drift.py.  With restart_at a feature's sums begin again
at 0 after a block in which they have reached it; without, only a reset, and values on the other side, bring them down.

Source: Page, Continuous inspection schemes, 1954; Montgomery, Introduction to Statistical Quality Control, 8th ed., §9.1.
"""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages import _drift
from tinystream.stages._drift import SIDES, Give, Side, add, narrow, restart, slacks, told, wandering
from tinystream.stages._standard import Vector, features, row, type_of


class Cusum(Fitted):
    """How much values have drifted from a target: a cumulative sum (CUSUM) to each side."""

    FITTED: ClassVar[tuple[str, ...]] = ("target", "slack")
    target: Vector = Field(default=None, description="what is usual, of each feature or of all, in real units")
    slack: Vector = Field(default=None, description="how far from it does not count, of each feature or of all, in real units")
    side: Side = Field(default="both", description="which drift counts: up, down or both")
    give: Give = Field(default="worst", description="one score, the greatest, or one for each feature")
    restart_at: float | None = Field(default=None, gt=0, description="sums begin again once they have reached this; never if not said")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        target = row(self.target, 0, x.size, "target") / x.scale + x.zero
        if (np.abs(target) >= 2.0**32).any():
            j = int(np.argmax(np.abs(target) >= 2.0**32))
            raise AppError(("target",), f"the target of feature {j} is far beyond what it can be, {np.iinfo(x.dtype).max * x.scale:.6g}")
        above, below = SIDES[self.side]
        return Step(
            module=__name__,
            x=(x,),
            y=_drift.signal(x, self.give),
            params=dict(type=type_, size=x.size, each=int(self.give == "all"), above=above, below=below, narrow=narrow(x),
                        restart=restart(x, self.restart_at)),
            tables=dict(target=np.rint(target * 2.0**_drift.Q).astype(np.int64), slack=slacks(x, self.slack)),
            state=dict(up=np.zeros(x.size, np.int64), down=np.zeros(x.size, np.int64)),
            cost=dict(add=12 * x.size, mem=6 * x.size),
            says=f"cumulative sums of {x.size} feature{'s' * (x.size > 1)}, {self.side}",
        )

    def ideal(self, x, blocks):
        target, slack = row(self.target, 0, x[0].size, "target"), row(self.slack, 0, x[0].size, "slack")
        up, down, most = np.zeros(x[0].size), np.zeros(x[0].size), (2.0**31 - 1) * _drift.signal(x[0], self.give).scale
        above, below = SIDES[self.side]
        y = []
        for values in blocks.reshape(len(blocks), -1):
            up = np.maximum(0, up + values - target - slack) * above
            down = np.maximum(0, down - values + target - slack) * below
            worst = np.maximum(up, down)
            y.append(worst.reshape(x[0].shape) if self.give == "all" else worst.max(keepdims=True))
            if self.restart_at is not None:
                up, down = (np.where(worst >= self.restart_at, 0, side) for side in (up, down))
        return np.minimum(np.array(y), most)


BOUND = 1.0     # counts: half from rounding; a step is off by 2**-24 counts of x at most, so thousands of them are not seen


def run(k, s, x):
    sums = add(s, (x.reshape(-1).astype(np.int64) << _drift.Q) - k.target, k)
    again = sums >= k.restart
    s.up, s.down = np.where(again, 0, s.up), np.where(again, 0, s.down)
    return told(sums, k, x.shape)


EXAMPLES = [
    (Cusum(target=0.25, slack=0.5), features("int16", 1, scale=2.0**-12, unit="g")),
    (Cusum(target=(0.0, 1.5, -20.0), slack=(0.0, 1.0, 2.0), give="all", restart_at=3e5), features("int32", 3)),
    (Cusum(target=-3.0, slack=1.0, side="up"), features("int8", 2, 2, scale=0.1, zero=-20)),
    (Cusum(target=0.0, slack=0.1, side="down", restart_at=900.0), Signal((5,), "int16", Fraction(1), 0.01)),
]


def inputs(x, rng, count):
    """Steps that last, as stages/_drift.py says."""
    return [wandering(x[0], rng, count)]
