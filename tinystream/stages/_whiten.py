"""What Mahalanobis and Gaussian mixtures share: z turned and scaled so that its covariance is 1.

    v[i] = rshift(sum_j whiten[i][j] z[j], shift[i] + 4)     j <= i;  z in Q20, v in Q16, held below 2**26
    q    = sum_i v[i]**2                                     in Q32: the squared Mahalanobis distance

whiten is the inverse of the Cholesky factor of the correlation matrix: C = D R D with D the standard deviations, R = L L',
x' C^-1 x = |L^-1 D^-1 x|**2.  Row i has shift[i] bits, as many as fit.

Widths: plan() gives each row a shift with which sum |whiten| < 2**32, so with |z| < 2**30 no sum reaches 2**62; 1024 squares of
2**52 neither.

Source: Golub and Van Loan, Matrix Computations, 4th ed., §4.2; integers: ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.stages._standard import FURTHEST, names

HELD = (1 << 26) - 1
"""1024 in Q16, less a count, so that 1024 squares stay below 2**62."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """std: of each feature.  rows: L^-1.  absolute, relative: the most that |v| can be wrong by, in Q16 counts and as a part of it."""

    std: np.ndarray
    rows: np.ndarray
    shift: np.ndarray
    absolute: float
    relative: float

    @property
    def tables(self) -> dict[str, np.ndarray]:
        """The rows up to their diagonals, one after the other, and their shifts."""
        whole = np.rint(self.rows * 2.0 ** self.shift[:, None]).astype(np.int32)
        return dict(whiten=whole[np.tril_indices(len(whole))], shift=self.shift.astype(np.int8))


def whitening(covariance: np.ndarray, ridge: float, option: str = "covariance", who: str = "covariance") -> Whitening:
    """From a covariance matrix; refused where it is none, or is singular, naming the features to blame."""
    size = len(covariance)
    if not np.allclose(covariance, covariance.T, rtol=1e-6, atol=0):
        i, j = np.unravel_index(np.argmax(np.abs(covariance - covariance.T)), covariance.shape)
        raise AppError((option,), f"{who} is not symmetric: [{i}][{j}] is {covariance[i, j]:g}, [{j}][{i}] is {covariance[j, i]:g}",
                       "fit it again")
    variance = np.diag(covariance) * (1 + ridge)
    if (variance <= 0).any():
        blame = np.flatnonzero(variance <= 0).tolist()
        have = "has" if len(blame) == 1 else "have"
        raise AppError((option,), f"{who}: {names(blame)} {have} no variance", "leave out what never changes")
    std = np.sqrt(variance)
    correlation = covariance / np.outer(std, std)
    correlation[np.diag_indices(size)] = 1.0
    values, vectors = np.linalg.eigh(correlation)
    if values[0] <= 1e-12 * size:
        weight = np.abs(vectors[:, 0])
        blame = np.flatnonzero(weight > 0.1 * weight.max()).tolist()
        what = "says the same twice" if values[0] > -1e-9 else "is no covariance: it has a negative direction"
        raise AppError((option,), f"{who} {what}: {names(blame)} depend on each other", "ridge = 0.001, or leave out one of them")
    rows = solve_triangular(np.linalg.cholesky(correlation), np.eye(size), lower=True)
    sums = np.abs(rows).sum(axis=1)
    shift = np.minimum(31 - np.ceil(np.log2(np.maximum(sums, 2.0**-20))), 30).astype(int)
    absolute = float(np.linalg.norm(2 * sums / 16 + 0.5))
    relative = float(np.linalg.norm(0.5 * 2.0**-shift) * np.sqrt(size * values[-1])) + 2.0**-29
    if shift.min() < 0 or absolute > 240 or relative > 1e-5:
        weight = np.abs(vectors[:, 0])
        blame = np.flatnonzero(weight > 0.3 * weight.max()).tolist()
        raise AppError((option,), f"{who} says nearly the same twice: {names(blame)} depend on each other, its least direction "
                       f"has {values[0]:.1e} of a feature's variance", "ridge = 0.001, or leave out one of them")
    return Whitening(std, rows, shift, absolute, relative)


def squared(tables: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """q of z [..., features]."""
    size = len(tables["shift"])
    whole = np.zeros((size, size), np.int64)
    whole[np.tril_indices(size)] = tables["whiten"]
    v = np.clip(rshift(z @ whole.T, tables["shift"].astype(np.int64) + 4), -HELD, HELD)
    return (v * v).sum(axis=-1)


def squared_ideal(rows: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The same in float64."""
    return (np.clip(z @ rows.T, -FURTHEST, FURTHEST) ** 2).sum(axis=-1)
