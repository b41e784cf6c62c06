"""Each feature in standard deviations from its mean, as most models want to be fed: scikit-learn's StandardScaler on the device.

    z = (x - mean) / std of each feature, in Q20; 1024 is the most there is (see stages/_standard.py)
    y = sat16(rshift(z, 20 - bits)),   counts of 2**-bits = reach / 2**15 standard deviations

mean and std are in real units, of each feature on the last axis (of every row of it, where there are several), or of each value of the
block; one number is for all.  What is `reach` standard deviations from its mean, or more, saturates.

Source: sklearn.preprocessing.StandardScaler (mean_ and scale_); integers: ours.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages._standard import FEATURES, TYPES, Vector, around, features, row, standard, z_ideal, z_of


class Normalise(Fitted):
    """Each feature in standard deviations from its mean, as most models want to be fed."""

    FITTED: ClassVar[tuple[str, ...]] = ("mean", "std")
    mean: Vector = Field(default=None, description="of each feature, in real units; sklearn's mean_")
    std: Vector = Field(default=None, description="standard deviation of each feature, in real units; sklearn's scale_")
    reach: Literal[1, 2, 4, 8, 16, 32, 64] = Field(default=8, description="standard deviations that y can hold; less is finer")

    def plan(self, x: Signal) -> Step:
        each = self._each(x)
        if x.dtype not in TYPES or each > FEATURES or abs(x.zero) > 1 << 30:
            raise AppError((), f"stage 'normalise' takes up to {FEATURES} int8, int16 or int32 features, and is given {x}")
        bits = 16 - self.reach.bit_length()
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, dtype="int16", scale=2.0**-bits, zero=0, unit=""),
            params=dict(type=TYPES[x.dtype], rows=x.size // each, size=each, shift=20 - bits),
            tables=standard(x, row(self.mean, 0, each, "mean"), row(self.std, 1, each, "std")),
            cost=dict(mul64=x.size, add=10 * x.size, mem=4 * x.size),
            says=f"{each} features in standard deviations, up to {self.reach}",
        )

    def ideal(self, x, blocks):
        each = self._each(x[0])
        z = z_ideal(blocks.reshape(-1, each), row(self.mean, 0, each, "mean"), row(self.std, 1, each, "std"))
        return np.clip(z, -self.reach, self.reach * (1 - 2.0**-15)).reshape(blocks.shape)

    def _each(self, x: Signal) -> int:
        """How many features have numbers of their own: the last axis, or the whole block."""
        given = [len(v) for v in (self.mean, self.std) if isinstance(v, tuple)]
        return x.size if x.size in given else x.shape[-1]


BOUND = 0.55    # counts: half from rounding, the rest from z, 2**-20 of a mean and 2**-30 of a multiplier
BATCHED = True


def run(k, s, x):
    return sat16(rshift(z_of(k, x.reshape(-1, k.size)), k.shift)).reshape(x.shape)


GRAVITY = Signal((20, 3), "int16", Fraction(5), 2 * 2.0**-15, unit="g", sample_hz=Fraction(100))

EXAMPLES = [
    (Normalise(mean=(0.5, -3.0, 100.0), std=(0.1, 2.0, 31.0)), features("int32", 3)),
    (Normalise(mean=(0.01, -0.02, 0.98), std=(0.03, 0.05, 0.02), reach=16), GRAVITY),
    (Normalise(mean=0.0, std=(1.0, 2.0, 0.25, 8.0, 3.0, 0.7), reach=64), features("int16", 2, 3, scale=0.01)),
    (Normalise(mean=(1.0, 2.0), std=0.5, reach=1), features("int8", 4, 2, scale=0.1, zero=-20)),
]


def inputs(x, rng, count):
    """What lies around the means: a type's whole range would nearly always saturate."""
    stage = next(stage for stage, signal in EXAMPLES if signal == x[0])
    many = x[0].size // stage._each(x[0])
    mean, std = (np.tile(row(v, d, x[0].size // many, "mean"), many) for v, d in ((stage.mean, 0), (stage.std, 1)))
    return [around(x[0], tuple(mean.tolist()), tuple(std.tolist()), rng, count)]
