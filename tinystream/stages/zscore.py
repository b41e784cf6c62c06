"""How far features are from what they were, in standard deviations: the worst of them, or all.

    z = |x - mean| / (std limit)      of each feature, in Q20; 1024 is the most there is (see stages/_standard.py)
    y = rshift(max z, 8)              in Q12;  with give = "all": rshift(z, 8) of each

Without `limits` y counts standard deviations.  With a limit for each feature, y is 1 where one of them reaches its own.

Source: Shewhart, Economic Control of Quality of Manufactured Product, 1931, part VI; integers: ours.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages._standard import Vector, around, distance_signal, features, row, standard, type_of, z_ideal, z_of


class Zscore(Fitted):
    """How far features are from what they were, in standard deviations: the worst of them, or all."""

    FITTED: ClassVar[tuple[str, ...]] = ("mean", "std")
    mean: Vector = Field(default=None, description="of each feature, in real units")
    std: Vector = Field(default=None, description="standard deviation of each feature, in real units")
    limits: Vector = Field(default=None, description="standard deviations that y counts as 1, of each feature or of all; 1 if not said")
    give: Literal["worst", "all"] = Field(default="worst", description="one score, the greatest, or one for each feature")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        each = self.give == "all"
        mean, std = self._space(x)
        return Step(
            module=__name__,
            x=(x,),
            y=distance_signal(x, x.shape if each else (1,)),
            params=dict(type=type_, size=x.size, each=int(each)),
            tables=standard(x, mean, std),
            cost=dict(mul64=x.size, add=10 * x.size, mem=4 * x.size),
            says=f"{'each' if each else 'worst'} of {x.size} features, in {'limits' if self.limits is not None else 'standard deviations'}",
        )

    def ideal(self, x, blocks):
        z = np.abs(z_ideal(blocks, *self._space(x[0])))
        return z.reshape(blocks.shape) if self.give == "all" else z.max(axis=1, keepdims=True)

    def _space(self, x: Signal) -> tuple[np.ndarray, np.ndarray]:
        """mean and std of each feature, a limit being part of its std."""
        limits = row(self.limits, 1, x.size, "limits")
        if (limits <= 0).any():
            j = int(np.argmax(limits <= 0))
            raise AppError(("limits",), f"the limit of feature {j}, {limits[j]:g}, is not above 0", "limits = 4.0")
        return row(self.mean, 0, x.size, "mean"), row(self.std, 1, x.size, "std") * limits


BOUND = (0.52, 2.0**-28)    # counts: half from rounding, 2 counts of z's Q20; the rest is of its multiplier
BATCHED = True


def run(k, s, x):
    z = np.abs(z_of(k, x.reshape(len(x), -1)))
    y = rshift(z if k.each else z.max(axis=1, keepdims=True), 8).astype(np.int32)
    return y.reshape(x.shape) if k.each else y


EIGHT: dict[str, Any] = dict(mean=(0.5, -3.0, 100.0, 0.0, 0.001, 7.0, -900.0, 2.5), std=(0.1, 2.0, 5.0, 0.001, 0.0005, 300.0, 20.0, 1.5))
EXAMPLES = [
    (Zscore(**EIGHT), features("int32", 8)),
    (Zscore(**EIGHT, give="all", limits=(1.0, 3.0, 4.0, 2.0, 5.0, 0.5, 6.0, 3.5)), features("int32", 2, 4)),
    (Zscore(mean=0.25, std=0.05, limits=4.0), features("int16", 5, scale=2.0**-15, zero=100)),
    (Zscore(mean=-3.0, std=1.7, give="all"), features("int8", 9, scale=0.1, zero=-128)),
    (Zscore(mean=1e6, std=3e5), features("int32", 1, scale=1.0)),
]


def inputs(x, rng, count):
    """As stages/_standard.py says, around the first example's features, or around ones."""
    known = x[0].size == 8
    return [around(x[0], EIGHT["mean"] if known else 0.0, EIGHT["std"] if known else 1.0, rng, 4 * count)]
