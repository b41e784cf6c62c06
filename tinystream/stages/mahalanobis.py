"""How far a feature vector is from what it was, by mean and covariance: a Mahalanobis distance.

    q = (x - mean)' covariance^-1 (x - mean)      as stages/_whiten.py computes it, in Q32
    y = rshift(isqrt(q), 4)                       in Q12

y counts standard deviations along the direction in which x is off.  Of n features that are normal, y**2 is chi-squared with n
degrees of freedom: sqrt(n) is usual, and scipy.stats.chi2.ppf(0.999, n) ** 0.5 is reached once in a thousand.  A feature counts as 1024
standard deviations from its mean at most, and so does each whitened direction.

`ridge` adds a share of each variance to it, so that features that depend on each other do not make the matrix singular.

Source: Mahalanobis, On the generalised distance in statistics, 1936; integers: ours.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from tinystream.plan.fixed import isqrt, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages._standard import Row, Vector, around, distance_signal, features, row, standard, table, type_of, z_ideal, z_of
from tinystream.stages._whiten import Whitening, squared, squared_ideal, whitening


class Mahalanobis(Fitted):
    """How far a feature vector is from what it was, by mean and covariance: a Mahalanobis distance."""

    FITTED: ClassVar[tuple[str, ...]] = ("mean", "covariance")
    mean: Vector = Field(default=None, description="of each feature, in real units")
    covariance: tuple[Row, ...] | None = Field(default=None, description="rows of the covariance matrix, in real units squared")
    ridge: float = Field(default=0, ge=0, le=10, description="share of each variance that is added to it")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        white = self._white(x)
        count = x.size * (x.size + 1) // 2
        return Step(
            module=__name__,
            x=(x,),
            y=distance_signal(x, (1,)),
            params=dict(type=type_, size=x.size),
            tables=dict(standard(x, row(self.mean, 0, x.size, "mean"), white.std), **white.tables),
            scratch=dict(z=("int32", x.size)),
            cost=dict(mul=count, mul64=2 * x.size, add=count + 12 * x.size, mem=2 * count),
            says=f"Mahalanobis distance of {x.size} features",
        )

    def ideal(self, x, blocks):
        white = self._white(x[0])
        z = z_ideal(blocks, row(self.mean, 0, x[0].size, "mean"), white.std)
        return np.sqrt(squared_ideal(white.rows, z))[:, None]

    def _white(self, x: Signal) -> Whitening:
        covariance = table(self.covariance or (), x.size, "covariance")
        return whitening(table(covariance.T.tolist(), x.size, "covariance").T, self.ridge)


BOUND = (16.0, 1.1e-5)      # counts: proved by plan(), which refuses a matrix for which it is more; one with no ties is within 1
BATCHED = True


def run(k, s, x):
    q = squared(dict(whiten=k.whiten, shift=k.shift), z_of(k, x.reshape(len(x), -1)))
    return rshift(isqrt(q), 4).astype(np.int32)[:, None]


def correlated(size: int, seed: int, std: float = 1.0, least: float = 0.05) -> tuple[Row, ...]:
    """A covariance for examples: directions of very different length, and features of very different size."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
    scale = std * 10 ** rng.uniform(-1, 1, size)
    c = turn @ np.diag(np.geomspace(least, 2, size) ** 2) @ turn.T
    c = (c + c.T) / 2 * np.outer(scale, scale)
    return tuple(map(tuple, c.tolist()))


FIVE = correlated(5, 0)
EXAMPLES = [
    (Mahalanobis(mean=(1.0, -2.0, 3.0, 0.0, 0.5), covariance=FIVE), features("int32", 5)),
    (Mahalanobis(mean=0.0, covariance=correlated(24, 1, least=0.002)), features("int32", 3, 8, scale=2.0**-16)),
    (Mahalanobis(mean=0.1, covariance=correlated(6, 2, 0.1)), features("int16", 6, scale=2.0**-13, zero=-7)),
    (Mahalanobis(mean=-2.0, covariance=((4.0, 3.9), (3.9, 4.0)), ridge=0.01), features("int8", 2, scale=0.1, zero=-100)),
    (Mahalanobis(mean=(3.0,), covariance=((0.25,),)), features("int32", 1, scale=2.0**-20)),
    (Mahalanobis(mean=0.0, covariance=((1.0, 1.0), (1.0, 1.0)), ridge=1e-3), features("int16", 2, scale=2.0**-12)),
]


def inputs(x, rng, count):
    """As stages/_standard.py says, some near the mean of the examples, and some where no training set was."""
    return [around(x[0], 0.0, 0.3, rng, 4 * count)]
