"""How unusual a feature vector is, by a mixture of Gaussians: its negative log likelihood, in nats.

    q[c] = (x - means[c])' covariances[c]^-1 (x - means[c])          in Q32, see stages/_whiten.py
    u[c] = constant[c] - rshift(q[c], 17)                            in Q16
    constant[c] = ln weights[c] - ln det(covariances[c]) / 2 - n/2 ln 2 pi - offset
    y    = -(max u + ln sum exp(u - max u))                          in Q8, int32, saturating

exp by stages/_exp2.py, ln by log2_q16: together within 2e-5 nats.  `variances` instead of `covariances` are of features that do not
depend on each other: z is squared as it is.  A feature counts as 1024 standard deviations from a mean at most, and so does
each whitened direction.

Source: Bishop, Pattern Recognition and Machine Learning, 2006, §9.2; integers: ours.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import LOG2_TABLE, log2_q16, rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages._exp2 import EXP2_TABLE, exp_q30
from tinystream.stages._standard import Row, around, features, standard, table, type_of, z_ideal, z_of
from tinystream.stages._whiten import HELD, Whitening, squared, squared_ideal, whitening
from tinystream.stages.mahalanobis import correlated

LN2_Q16 = round(np.log(2) * 2**16)
Y_Q = 8


class Gmm(Fitted):
    """How unusual a feature vector is, by a mixture of Gaussians: its negative log likelihood, in nats."""

    FITTED: ClassVar[tuple[str, ...]] = ("weights", "means")
    weights: Row | None = Field(default=None, description="share of each Gaussian")
    means: tuple[Row, ...] | None = Field(default=None, description="a row for each Gaussian, in real units")
    covariances: tuple[tuple[Row, ...], ...] | None = Field(default=None, description="a matrix for each Gaussian, in real units squared")
    variances: tuple[Row, ...] | None = Field(default=None, description="a row for each Gaussian whose features are independent, instead")
    ridge: float = Field(default=0, ge=0, le=10, description="share of each variance that is added to it")
    offset: float = Field(default=0, ge=-1e6, le=1e6, description="added to the score")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        means, parts = self._parts(x)
        tables = [standard(x, mean, part.std) for mean, part in zip(means, parts)]
        full = self.covariances is not None
        whole = dict(whiten=np.zeros(1, np.int32), shift=np.zeros(1, np.int8))
        if full:
            whole = {key: np.concatenate([part.tables[key] for part in parts]) for key in whole}
        count = len(parts) * x.size * ((x.size + 1) // 2 if full else 1)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((1,), "int32", x.rate_hz, 2.0**-Y_Q, unit="nats"),
            params=dict(type=type_, size=x.size, parts=len(parts), full=int(full), ln2=LN2_Q16),
            tables={key: np.concatenate([t[key] for t in tables]) for key in tables[0]} | whole
            | dict(constant=np.rint(self._constants(parts) * 2**16).astype(np.int64), exp2=EXP2_TABLE, log2=LOG2_TABLE),
            scratch=dict(z=("int32", x.size), u=("int64", len(parts))),
            cost=dict(mul=count, mul64=2 * len(parts) * x.size, add=count + 12 * len(parts) * x.size, mem=2 * count),
            says=f"negative log likelihood of {x.size} features, {len(parts)} {'full' if full else 'diagonal'} Gaussians",
        )

    def ideal(self, x, blocks):
        means, parts = self._parts(x[0])
        q = np.stack([squared_ideal(part.rows, z_ideal(blocks, mean, part.std)) for mean, part in zip(means, parts)], axis=1)
        u = self._constants(parts) - q / 2
        most = u.max(axis=1, keepdims=True)
        nll = -(most + np.log(np.exp(u - most).sum(axis=1, keepdims=True)))
        return np.minimum(nll, (2.0**31 - 1) * 2.0**-Y_Q)

    def _constants(self, parts: list[Whitening]) -> np.ndarray:
        """ln of what each Gaussian has at its mean."""
        inside = [np.log(np.diag(part.rows)).sum() - np.log(part.std).sum() - len(part.std) / 2 * np.log(2 * np.pi) for part in parts]
        return np.log(self.weights or ()) + inside - self.offset

    def _parts(self, x: Signal) -> tuple[np.ndarray, list[Whitening]]:
        """Mean and whitening of each Gaussian."""
        means = table(self.means or (), x.size, "means")
        if (self.covariances is None) == (self.variances is None):
            raise AppError((), "stage 'gmm' needs covariances or variances, one of them", "variances = [[…], …]")
        for option in ("weights", "covariances", "variances"):
            value = getattr(self, option)
            if value is not None and len(value) != len(means):
                raise AppError((option,), f"there are {len(value)} {option} for {len(means)} means", "fit it again")
        if min(self.weights or (0,)) <= 0:
            raise AppError(("weights",), f"the weight of Gaussian {np.argmin(self.weights or ())} is not above 0", "leave it out")
        if self.covariances is not None:
            squares = [table(rows, x.size, "covariances") for rows in self.covariances]
            for i, square in enumerate(squares):
                if len(square) != x.size:
                    raise AppError(("covariances",), f"covariance {i} has {len(square)} rows for {x.size} features", "fit it again")
            return means, [whitening(c, self.ridge, "covariances", f"covariance {i}") for i, c in enumerate(squares)]
        variances = table(self.variances, x.size, "variances") * (1 + self.ridge)
        if (variances <= 0).any():
            i, j = np.argwhere(variances <= 0)[0].tolist()
            raise AppError(("variances",), f"feature {j} of Gaussian {i} has no variance", "leave out what never changes")
        one = np.eye(x.size)
        return means, [Whitening(np.sqrt(v), one, np.zeros(x.size, int), 0.0, 0.0) for v in variances]


BOUND = (12.0, 2e-4)    # counts: as whitening is, times a distance; independent features are within 2
BATCHED = True


def run(k, s, x):
    x, u = x.reshape(len(x), -1), np.empty((len(x), k.parts), np.int64)
    for i in range(k.parts):
        at, rows = slice(i * k.size, (i + 1) * k.size), k.size * (k.size + 1) // 2
        z = z_of(SimpleNamespace(mean=k.mean[at], multiplier=k.multiplier[at], lift=k.lift[at]), x)
        if k.full:
            q = squared(dict(whiten=k.whiten[i * rows : (i + 1) * rows], shift=k.shift[at]), z)
        else:
            q = (np.clip(rshift(z, 4), -HELD, HELD) ** 2).sum(axis=-1)
        u[:, i] = k.constant[i] - rshift(q, 17)
    most = u.max(axis=1)
    total = exp_q30(k.exp2, most[:, None] - u).sum(axis=1)
    log = rshift((log2_q16(k.log2, total) - (30 << 16)) * k.ln2, 16)
    return sat32(rshift(-(most + log), 16 - Y_Q))[:, None]


def rows_of(count: int, size: int, wide: float, seed: int) -> tuple[Row, ...]:
    return tuple(map(tuple, np.random.default_rng(seed).normal(0, wide, (count, size)).tolist()))


def positive(count: int, size: int, seed: int) -> tuple[Row, ...]:
    return tuple(map(tuple, np.random.default_rng(seed).uniform(0.01, 4, (count, size)).tolist()))


EXAMPLES = [
    (Gmm(weights=(0.5, 0.3, 0.2), means=rows_of(3, 4, 2.0, 0), covariances=(correlated(4, 1), correlated(4, 2), correlated(4, 3))),
     features("int32", 4)),
    (Gmm(weights=(0.25, 0.75), means=rows_of(2, 6, 2.0, 1), variances=positive(2, 6, 1), offset=-3.5), features("int16", 2, 3, zero=12)),
    (Gmm(weights=(1.0,), means=((0.5,),), variances=((0.04,),)), features("int8", 1, scale=0.05)),
    (Gmm(weights=(0.9, 0.1), means=rows_of(2, 3, 1.0, 2), covariances=(correlated(3, 4), correlated(3, 5)), ridge=0.01),
     features("int32", 3, scale=2.0**-16)),
    (Gmm(weights=(0.1,) * 10, means=rows_of(10, 20, 3.0, 3), variances=positive(10, 20, 3)), features("int32", 20)),
]


def inputs(x, rng, count):
    """As stages/_standard.py says, around the Gaussians of the examples."""
    return [around(x[0], 0.0, 1.0, rng, 4 * count)]
