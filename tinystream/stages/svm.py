"""A support vector machine with a Gaussian (RBF) kernel: a class against the rest, or what is usual against what is not.

    z = (x - mean) / std                                        in Q20, see stages/_standard.py;  z18 = rshift(z, 2)
    e = sum_j clamp(z18[j] - vector[v][j])**2                   in Q36; each difference is held below 256
    u = rshift(min(e >> early, furthest) octaves, shift)        in Q20: gamma log2(e) |x - vector|**2
    K = 2**-u                                                   in Q30, by stages/_exp2.py
    y = rshift(bias + sum_v coefficient[v] K, 40)               int32, in 20 bits of sum |coefficient| + |bias|

y above 0 is the class, or usual, as scikit-learn's decision_function has it.  With std (and mean) vectors are in standard deviations, as
they are behind a scaler, and so is gamma; without both, in the units of x.

Source: Cortes and Vapnik, Support-vector networks, 1995; Schölkopf et al., Estimating the support of a high-dimensional distribution, 2001.
Integers: ours.
"""

from __future__ import annotations

from math import ceil, floor, log2
from typing import ClassVar

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages._exp2 import EXP2_TABLE, exp2_q30
from tinystream.stages._standard import Row, Space, Vector, around, features, space, standard, table, type_of, z_ideal, z_of

HELD = (1 << 26) - 1
FAR = 256.0


class Svm(Fitted):
    """A support vector machine with a Gaussian (RBF) kernel: a class against the rest, or what is usual against what is not."""

    FITTED: ClassVar[tuple[str, ...]] = ("vectors", "coefficients", "gamma")
    vectors: tuple[Row, ...] | None = Field(default=None, description="support vectors, in standard deviations if there is a std")
    coefficients: Row | None = Field(default=None, description="of each support vector, with its sign")
    bias: float = Field(default=0, description="added to the sum")
    gamma: float | None = Field(default=None, gt=0, description="of exp(-gamma |x - vector|²)")
    mean: Vector = Field(default=None, description="of each feature, in real units")
    std: Vector = Field(default=None, description="standard deviation of each feature, in real units")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        where = self._rows(x)
        octaves = self._gamma(where) * np.log2(np.e)            # of |z - vector|**2, each
        furthest = min(32 / octaves, FAR**2 * x.size)
        early = max(0, ceil(log2(furthest)) + 36 - 31)
        shift = min(30 - ceil(log2(octaves * 2.0 ** (early - 16))), 60)
        coefficients = np.array(self.coefficients or ())
        total = float(np.abs(coefficients).sum() + abs(self.bias))
        top = ceil(log2(max(total, 2.0**-30)))
        fine = 30 - top                                         # bits of a coefficient: with K's 30 all of them stay within 2**60
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((1,), "int32", x.rate_hz, 2.0 ** (top - 20)),
            params=dict(type=type_, size=x.size, vectors=len(coefficients), furthest=floor(furthest * 2.0**36) >> early, early=early,
                        octaves=round(octaves * 2.0 ** (early - 16 + shift)), shift=shift, bias=round(self.bias * 2.0 ** (fine + 30))),
            tables=dict(standard(x, where.mean, where.std), vector=np.rint(where.rows * 2**18).astype(np.int32),
                        coefficient=np.rint(coefficients * 2.0**fine).astype(np.int32), exp2=EXP2_TABLE),
            scratch=dict(z=("int32", x.size)),
            cost=dict(mul64=2 * x.size + 2 * len(coefficients), mul=len(coefficients) * x.size, add=4 * len(coefficients) * x.size,
                      mem=2 * len(coefficients) * x.size),
            says=f"{len(coefficients)} support vectors, gamma {self.gamma:g}",
        )

    def ideal(self, x, blocks):
        where = self._rows(x[0])
        apart = np.clip(z_ideal(blocks, where.mean, where.std)[:, None] - where.rows, -FAR, FAR)
        kernel = np.exp(-self._gamma(where) * (apart**2).sum(axis=-1))
        return (kernel @ np.array(self.coefficients or ()) + self.bias)[:, None]

    def _gamma(self, where: Space) -> float:
        """gamma where z is measured."""
        return (self.gamma or 1.0) * where.factor**2

    def _rows(self, x: Signal) -> Space:
        """Where the support vectors are."""
        rows = table(self.vectors or (), x.size, "vectors")
        if len(self.coefficients or ()) != len(rows):
            raise AppError(("coefficients",), f"there are {len(self.coefficients or ())} coefficients for {len(rows)} vectors",
                           "fit it again")
        where = space(x, rows, self.mean, self.std)
        if np.abs(where.rows).max() > FAR:
            raise AppError(("vectors",), f"a support vector lies {np.abs(where.rows).max():g} standard deviations from the mean",
                           "fit it again")
        if not 1e-6 <= self._gamma(where) <= 512 / x.size:
            least, most = 1e-6 / where.factor**2, 512 / x.size / where.factor**2
            raise AppError(("gamma",), f"gamma = {self.gamma:g} is not within {least:.3g} and {most:.3g}",
                           f"gamma = {1 / x.size / where.factor**2:.3g}")
        return where


BOUND = 40.0    # counts: 0.86 sqrt(gamma features) 2 for features rounded to Q18, which is 39 at the largest gamma, and half from rounding
BATCHED = True


def run(k, s, x):
    z = rshift(z_of(k, x.reshape(len(x), -1)), 2)
    total = np.full(len(x), k.bias, np.int64)
    for vector, coefficient in zip(k.vector.reshape(k.vectors, -1), k.coefficient.astype(np.int64)):
        apart = np.clip(z - vector, -HELD, HELD)
        near = np.minimum((apart * apart).sum(axis=-1) >> k.early, k.furthest)
        total += coefficient * exp2_q30(k.exp2, rshift(near * k.octaves, k.shift))
    return sat32(rshift(total, 40))[:, None]


def machine(vectors: int, size: int, gamma: float, seed: int, wide: float = 1.5, **more) -> Svm:
    """For examples."""
    rng = np.random.default_rng(seed)
    rows = tuple(map(tuple, rng.normal(0, wide, (vectors, size)).tolist()))
    return Svm(vectors=rows, coefficients=tuple(rng.normal(0, 1, vectors).tolist()), gamma=gamma, **more)


EXAMPLES = [
    (machine(20, 4, 0.25, 0, bias=0.3), features("int32", 4)),
    (machine(9, 6, 0.1, 1, std=(0.1, 2.0, 5.0, 1.0, 0.5, 1.0), mean=0.2, bias=-2.0), features("int16", 2, 3)),
    (machine(5, 1, 30.0, 2, std=1.0), features("int32", 1)),
    (machine(12, 3, 0.001, 3, 20.0), features("int8", 3, scale=0.5, zero=10)),
    (machine(1, 2, 1e-5, 4, mean=0.0, std=1.0), features("int32", 2)),
]


def inputs(x, rng, count):
    """As stages/_standard.py says, around the vectors of the examples."""
    return [around(x[0], 0.0, 1.0, rng, 4 * count)]
