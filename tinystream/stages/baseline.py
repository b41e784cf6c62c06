"""Learn what is normal from the first vectors, then tell how far each vector is from it.

While it learns, count < learn, "nothing yet" is given, and of features x[i] there are exact sums

    sum[i] += x[i],   product[i, j] += x[i] x[j]          in 64 and 96 bits; how = "diagonal" has i = j alone

Once it has learnt, with N = learn, all by whole numbers (V has up to 102 bits, and each is cut to the bits that are told):

    V[i, j] = N product[i, j] - sum[i] sum[j]             N**2 times the covariance
    mean[i] = sum[i] / N                                  Q24, nearest
    std[i]  = max(sqrt(V[i, i]) / N, least_std)           31 bits and an exponent
    R[i, j] = V[i, j] / (N std[i] N std[j]),  R[i, i] = 1 Q30
    factor  = Cholesky(R + ridge I)                       Q30; a pivot is at least ridge / 2, so that nothing is ever divided by 0

and for each vector from then on

    z[i] = (x[i] - mean[i]) / std[i]                      Q20, nearest, not beyond 2048
    distance = sqrt(sum z[i]**2 / features)               how = "diagonal"
    distance = |u|, factor u = z                          how = "covariance": Mahalanobis, sqrt(z (R + ridge I)**-1 z)

y is the distance, int32 in Q16, saturated at 2**15; or, for gives = "scores", z[i] in Q16.  Normal vectors have a distance of about 1 by
"diagonal", and of about the root of the number of features by "covariance".

A feature that did not vary has least_std instead of 0: `floored` counts those.  One that is a sum of others, as features of two axes
that move together may be, has only the ridge to itself: `dependent` counts those whose own share of their variance is below it.

follow_s: where the distance, before it is told, is below follow_below, mean[i] += (x[i] - mean[i]) / follow, and is then held within
follow_limit std[i] of where it was learnt.  The spread does not follow: a fault that grows slowly would become normal.

All it remembers is learnt: it outlives a reset, so that windows of duty add up; only `forget` begins anew.  While it learns, sums are
exact, so the order of vectors and windows does not matter.  Sums of 2**20 vectors of int32 never overflow; nor does anything else,
for any input: |u| is looked at no further once y is saturated, and until then |sum factor u| <= sqrt(1 + ridge) 2**61 (Cauchy-Schwarz).

Source: P. C. Mahalanobis, On the Generalised Distance in Statistics, 1936; Cholesky, Golub and Van Loan, Matrix Computations, 4th ed.,
§4.2; following by an exponential mean, Roberts, Control Chart Tests Based on Geometric Moving Averages, 1959.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, isqrt, sqrt
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._learning import DIVISION, LONGEST, ROOT, check_features, divide, learn_vectors, type_of

MEAN_Q, SCORE_Q, Q = 24, 20, 16
ONE = 1 << 30


class Baseline(Stage):
    """Learn what is normal from the first vectors, then tell how far each vector is from it."""

    learn_s: float | None = Field(default=None, gt=0, description="seconds of listening that it learns from, rounded up to whole vectors")
    learn_blocks: int | None = Field(default=None, ge=2, description="vectors that it learns from, instead of learn_s")
    how: Literal["diagonal", "covariance"] = Field(
        default="diagonal", description="each feature by itself, or how they vary together, too: Mahalanobis distance")
    gives: Literal["distance", "scores"] = Field(
        default="distance", description="one distance, or each feature's own score: how many standard deviations it is from its mean")
    least_std: float | None = Field(
        default=None, gt=0, description="a feature that varied less counts as if it had varied so much, in its unit; one count where "
        "nothing is said")
    ridge: float = Field(default=1e-3, ge=1e-4, le=1, description="of each variance, added to it, so that features may depend on others")
    follow_s: float = Field(default=0, ge=0, description="time constant by which the mean follows slow drift; 0: it does not")
    follow_below: float | None = Field(
        default=None, gt=0, le=2**14, description="distance below which it follows; 2 where nothing is said, times the root of the number "
        "of features for a covariance")
    follow_limit: float = Field(
        default=3.0, gt=0, le=100, description="standard deviations that the mean may move from where it was learnt")

    def plan(self, x: Signal) -> Step:
        check_features(self.kind, x)
        learn, size = self._learn(x), x.size
        least, least_exponent = scaled(self._least(x))
        pairs = size * (size + 1) // 2 if self.how == "covariance" else size
        divisions = 1 + (self.how == "covariance") + 2 * (self.follow_s > 0)
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, shape=(1,) if self.gives == "distance" else (size,), dtype="int32", scale=2.0**-Q, zero=0, unit="", bin_hz=None,
                      sample_hz=None),
            params=dict(size=size, type=type_of(x.dtype), learn=learn,
                        covariance=int(self.how == "covariance"), scores=int(self.gives == "scores"), least=least,
                        least_exponent=least_exponent, ridge=round(self.ridge * ONE), follow=self._follow(x),
                        follow_below=round(self._below(x) * 2**Q), follow_limit=max(1, round(self.follow_limit * 2**8))),
            state=dict(count=0, floored=0, dependent=0, sum=np.zeros(size, np.int64), high=np.zeros(pairs, np.int64),
                       low=np.zeros(pairs, np.uint32), mean=np.zeros(size, np.int64), std=np.zeros(size, np.int32),
                       exponent=np.zeros(size, np.int32), factor=np.zeros(pairs if self.how == "covariance" else 1, np.int32)),
            learnt=("count", "floored", "dependent", "sum", "high", "low", "mean", "std", "exponent", "factor"),
            scratch=dict(u=("int32", size)),
            waits=True,
            cost=dict(mul64=ROOT + DIVISION * size * divisions + pairs, add=8 * size, mem=8 * size + pairs),
            says=f"{self.gives} of {size} features from what {learn} vectors were, by {self.how}",
        )

    def ideal(self, x, blocks):
        counts = (blocks / x[0].scale + x[0].zero).reshape(len(blocks), -1)
        learn, size = self._learn(x[0]), x[0].size
        seen = counts[:learn]
        home = seen.mean(axis=0)
        mean, std = home.copy(), np.maximum(seen.std(axis=0), self._least(x[0]))
        together = (seen - home).T @ (seen - home) / learn / np.outer(std, std)
        together[np.diag_indices(size)] = 1 + self.ridge
        given = []
        for vector in counts[learn:]:
            z = np.clip((vector - mean) / std, -2048, 2048)
            distance = sqrt(z @ np.linalg.solve(together, z)) if self.how == "covariance" else sqrt((z**2).mean())
            given.append(z if self.gives == "scores" else [min(distance, 2**15)])
            if self._follow(x[0]) and distance < self._below(x[0]):
                reach = self.follow_limit * std
                mean = np.clip(mean + (vector - mean) / self._follow(x[0]), home - reach, home + reach)
        return np.array(given)

    def _learn(self, x: Signal) -> int:
        return learn_vectors(self.kind, self.learn_s, self.learn_blocks, x)

    def _least(self, x: Signal) -> float:
        """The smallest standard deviation, in counts; never less than one."""
        least = 1.0 if self.least_std is None else max(self.least_std / x.scale, 1.0)
        if least >= 2**31:
            raise AppError(("least_std",), f"least_std = {self.least_std:g} is more than any feature can vary, {2**31 * x.scale:.4g}",
                           f"least_std = {x.scale * 2**8:.4g}")
        return least

    def _follow(self, x: Signal) -> int:
        """Vectors of the time constant; 0 where it does not follow."""
        follow = ceil(Fraction(str(self.follow_s)) * x.rate_hz)
        if follow > LONGEST:
            raise AppError(("follow_s",), f"follow_s = {self.follow_s:g} is so slow that the mean would stand still",
                           f"follow_s = {floor(LONGEST / x.rate_hz)}")
        return follow

    def _below(self, x: Signal) -> float:
        return self.follow_below or 2.0 * (sqrt(x.size) if self.how == "covariance" else 1)


BOUND = 16, 1e-6   # counts of Q16: u is rounded, and factor passes that on, 1 / sqrt(ridge) at most; 1.5 of the other distance


def scaled(value: float) -> tuple[int, int]:
    """(mantissa, exponent) of a standard deviation in counts as Q24: 2**30 <= mantissa < 2**31."""
    exact = Fraction(value) * 2**MEAN_Q
    exponent = floor(exact).bit_length() - 31
    return min(round(exact / Fraction(2) ** exponent), 2**31 - 1), exponent


# --- learning -------------------------------------------------------------------------------------------------


def run(k, s, x):
    x = x.reshape(-1).astype(np.int64)
    if s.count < k.learn:
        add(k, s, x)
        s.count += 1
        if s.count == k.learn:
            settle(k, s)
        return None
    z = scores(s, x)
    distance = mahalanobis(s, z) if k.covariance else isqrt(int((rshift(z, SCORE_Q - Q) ** 2).sum()) // k.size)
    y = rshift(z, SCORE_Q - Q).astype(np.int32) if k.scores else np.array([distance], np.int32)
    if k.follow and distance < k.follow_below:
        follow(k, s, x)
    return y


def add(k, s, x):
    i, j = pairs(k)
    product = x[i] * x[j]
    low = s.low.astype(np.int64) + (product & 0xFFFFFFFF)
    s.sum += x
    s.high += (product >> 32) + (low >> 32)
    s.low[:] = low & 0xFFFFFFFF


def pairs(k) -> tuple[np.ndarray, np.ndarray]:
    """Which products are summed, in their order."""
    every = np.arange(k.size)
    return np.tril_indices(k.size) if k.covariance else (every, every)


def settle(k, s):
    """From sums to mean, standard deviation and factor."""
    count, sums = s.count, [int(v) for v in s.sum]
    wide = {(int(i), int(j)): count * ((int(high) << 32) + int(low)) - sums[i] * sums[j]
            for i, j, high, low in zip(*pairs(k), s.high, s.low)}
    for i in range(k.size):
        s.mean[i] = divide(sums[i] << MEAN_Q, count)
        s.std[i], s.exponent[i], raised = spread(k, count, wide[i, i])
        s.floored += raised
    for i in range(k.size if k.covariance else 0):
        for j in range(i + 1):
            eliminate(k, s, i, j, ONE if i == j else correlation(s, wide[i, j], i, j))
    for i in range(k.size):
        s.std[i], more = cut((int(s.std[i]) << 31) // count, 31)
        s.exponent[i] += more - 31


def spread(k, count: int, square: int) -> tuple[int, int, bool]:
    """count times the standard deviation as mantissa and exponent, and whether it had to be raised."""
    least, exponent = cut(k.least * count, 31)
    least_exponent = exponent + k.least_exponent
    shift = (max(square.bit_length() - 1, 0) - 60) & ~1
    root, exponent = isqrt(shifted(square, shift)), shift // 2 + MEAN_Q
    raised = root == 0 or (exponent, root) < (least_exponent, least)
    return (least, least_exponent, True) if raised else (root, exponent, False)


def correlation(s, covariance: int, i: int, j: int) -> int:
    size = abs(covariance)
    if size == 0:
        return 0
    mantissa, shift = cut(size, 62)
    twice = mantissa // int(s.std[i]) * ONE // int(s.std[j])
    up = shift + 2 * MEAN_Q - int(s.exponent[i]) - int(s.exponent[j])
    most = min(twice * 2 if up > 0 else int(rshift(twice, -up)) if up > -62 else 0, ONE)
    return most if covariance > 0 else -most


def eliminate(k, s, i: int, j: int, correlation: int):
    """One number of the factor from those before it."""
    left, right = s.factor[i * (i + 1) // 2 :], s.factor[j * (j + 1) // 2 :]
    rest = correlation * ONE - sum(int(a) * int(b) for a, b in zip(left[:j], right[:j]))
    if i > j:
        left[j] = sat32(divide(rest, int(right[j])))
        return
    ridge = k.ridge * ONE
    s.dependent += rest < ridge
    left[i] = isqrt(max(rest + ridge, ridge // 2))


def cut(x: int, bits: int) -> tuple[int, int]:
    """x > 0 as mantissa of so many bits and exponent, the rest cut."""
    shift = x.bit_length() - bits
    return shifted(x, shift), shift


def shifted(x: int, shift: int) -> int:
    return x >> shift if shift > 0 else x << -shift


# --- once it has learnt ---------------------------------------------------------------------------------------


def scores(s, x: np.ndarray) -> np.ndarray:
    """Q20, int64."""
    differences = (x << MEAN_Q) - s.mean
    return np.array([score(*told) for told in zip(differences.tolist(), s.std.tolist(), s.exponent.tolist())], np.int64)


def score(difference: int, std: int, exponent: int) -> int:
    up, most = SCORE_Q - exponent, (1 << 62) - 1
    wide = difference << up if up > 0 else int(rshift(difference, -up))
    return max(min(divide(max(min(wide, most), -most), std), 2**31 - 1), 1 - 2**31)


def mahalanobis(s, z: np.ndarray) -> int:
    u: list[int] = []
    total, factor, at = 0, s.factor.tolist(), 0
    for i, value in enumerate(z.tolist()):
        rest = (value << (30 + Q - SCORE_Q)) - sum(a * b for a, b in zip(factor[at : at + i], u))
        u.append(int(sat32(divide(rest, factor[at + i]))))
        at += i + 1
        total += u[-1] ** 2
        if total >= 1 << 62:
            return 2**31 - 1
    return isqrt(total)


def follow(k, s, x: np.ndarray):
    """The mean goes a step towards x, not further from where it was learnt than it may."""
    for i, value in enumerate(x.tolist()):
        home = divide(int(s.sum[i]) << MEAN_Q, s.count)
        limit, up = int(s.std[i]) * k.follow_limit, int(s.exponent[i]) - 8
        reach = limit << up if up > 0 else int(rshift(limit, -up))
        mean = int(s.mean[i]) + divide((value << MEAN_Q) - int(s.mean[i]), k.follow)
        s.mean[i] = max(min(mean, home + reach), home - reach)


def features(dtype: str, *shape: int, zero: int = 0, scale: float = 2.0**-8) -> Signal:
    return Signal(shape, dtype, Fraction(25, 8), scale, zero)


EXAMPLES = [
    (Baseline(learn_blocks=20), features("int16", 3)),
    (Baseline(learn_s=7), features("int32", 2, 4, scale=2.0**-20)),
    (Baseline(learn_blocks=20, how="covariance"), features("int16", 5, zero=100)),
    (Baseline(learn_blocks=24, how="covariance", ridge=0.01), features("int32", 8)),
    (Baseline(learn_blocks=16, how="covariance", gives="scores"), features("int32", 1)),
    (Baseline(learn_blocks=30, gives="scores", least_std=200.0), features("int16", 6)),
    (Baseline(learn_blocks=16, follow_s=2, follow_below=40.0, follow_limit=0.5), features("int8", 4)),
    (Baseline(learn_blocks=16, follow_s=0.5, follow_below=16000.0, how="covariance"), features("int32", 3)),
]


def inputs(x, rng, count):
    """Vectors of all sizes first, then some around one place, as they are when nothing is wrong, and all extremes after them."""
    info = np.iinfo(x[0].dtype)
    wild = np.stack([rng.integers(info.min >> n, (info.max >> n) + 1, x[0].shape) for n in rng.integers(0, info.bits - 2, count)])
    near = rng.normal(info.max / 3, info.max / 50, (2 * count, *x[0].shape))
    ends = [np.full(x[0].shape, v) for v in (info.min, info.max, 0)]
    return [np.concatenate([ends, wild, np.clip(near, info.min, info.max), ends]).astype(x[0].dtype)]
