"""Learn a few kinds of normal from the first vectors, then tell how far each vector is from the nearest.

A machine that idles, works and cleans itself has three kinds of normal and no one mean.  Each is a centre, by sequential k-means:

    first vectors   are kept.  The first of them is a centre; then, until there are `centres`, the one whose nearest centre is farthest,
                    of equals the first.  Then each other one, in order, joins the nearest centre.
    until learn     distance += |x - nearest centre|, then x joins that centre

    a centre is the mean of its members, sum / members to nearest: the step of sequential k-means by 1 / members, without its rounding
    typical  = distance / (learn - first)           Q8, at least one count: `floored` is 1 where it was less

and from then on

    y = |x - nearest centre| / typical              int32, Q16, saturated at 2**15

While it learns, "nothing yet" is given.  |…| is the Euclidean length, cut to whole parts: features must be of one scale, such as bands in
dB, or the scores of a `baseline`.  A part is a count of 32-bit features and 2**-8 counts of others; in one feature 2**27 parts are the
farthest that is looked at, so that squares of 64 features fit 60 bits.

All it remembers is learnt: it outlives a reset, so that windows of duty add up; only `forget` begins anew.

Source: J. MacQueen, Some Methods for Classification and Analysis of Multivariate Observations, 1967, §2; first centres: T. F. Gonzalez,
Clustering to Minimize the Maximum Intercluster Distance, 1985.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._learning import DIVISION, ROOT, check_features, divide, learn_vectors, type_of

FARTHEST, Q = 1 << 27, 16


class Clusters(Stage):
    """Learn a few kinds of normal from the first vectors, then tell how far each vector is from the nearest."""

    centres: int = Field(ge=1, le=32, description="kinds of normal")
    learn_s: float | None = Field(default=None, gt=0, description="seconds of listening that it learns from, rounded up to whole vectors")
    learn_blocks: int | None = Field(default=None, ge=2, description="vectors that it learns from, instead of learn_s")
    first_blocks: int | None = Field(
        default=None, ge=1, le=1024, description="vectors that are kept to choose the first centres from; 4 for each where nothing is said")

    def plan(self, x: Signal) -> Step:
        check_features(self.kind, x)
        learn, first, size = learn_vectors(self.kind, self.learn_s, self.learn_blocks, x), self._first(), x.size
        if first < self.centres:
            raise AppError(("first_blocks",), f"first_blocks = {first} are fewer than the {self.centres} centres",
                           f"first_blocks = {4 * self.centres}")
        if first >= learn:
            option = "learn_s" if self.learn_s is not None else "learn_blocks"
            longer = 10 * first / (float(x.rate_hz) if self.learn_s is not None else 1)
            raise AppError((option,), f"{option} = {getattr(self, option):g} is {learn} vectors, and the first {first} only choose centres",
                           f"{option} = {longer:g}")
        each = (self.centres, size)
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, shape=(1,), dtype="int32", scale=2.0**-Q, zero=0, unit="", bin_hz=None, sample_hz=None),
            params=dict(size=size, type=type_of(x.dtype), bytes=x.bytes, centres=self.centres, first=first, learn=learn, up=parts(x)),
            state=dict(count=0, floored=0, past=np.zeros((first, size), x.dtype), members=np.zeros(self.centres, np.int32),
                       sum=np.zeros(each, np.int64), centre=np.zeros(each, np.int32), total=np.zeros(1, np.int64),
                       typical=np.zeros(1, np.int64)),
            learnt=("count", "floored", "past", "members", "sum", "centre", "total", "typical"),
            scratch=dict(chosen=("int32", self.centres)),
            waits=True,
            cost=dict(mul64=ROOT + DIVISION + self.centres * size, add=2 * self.centres * size, mem=3 * self.centres * size),
            says=f"distance to the nearest of {self.centres} centres of {learn} vectors",
        )

    def ideal(self, x, blocks):
        counts = (blocks / x[0].scale + x[0].zero).reshape(len(blocks), -1)
        learn, first = learn_vectors(self.kind, self.learn_s, self.learn_blocks, x[0]), self._first()
        farthest = FARTHEST / 2 ** parts(x[0])

        def apart(vector, centres):
            return np.sqrt((np.clip(vector - np.array(centres), -farthest, farthest) ** 2).sum(axis=1))

        chosen = [0]
        while len(chosen) < self.centres:
            near = [-1 if i in chosen else apart(counts[i], counts[chosen]).min() for i in range(first)]
            chosen.append(int(np.argmax(near)))
        members = [[counts[i]] for i in chosen]
        distances = []
        for i, vector in enumerate(counts[:learn]):
            if i not in chosen:
                far = apart(vector, [np.mean(m, axis=0) for m in members])
                members[int(np.argmin(far))].append(vector)
                distances += [far.min()] if i >= first else []
        typical, centres = max(np.mean(distances), 1), [np.mean(m, axis=0) for m in members]
        return np.array([[min(apart(vector, centres).min() / typical, 2**15)] for vector in counts[learn:]])

    def _first(self) -> int:
        """Vectors that the first centres are chosen from."""
        return 4 * self.centres if self.first_blocks is None else self.first_blocks


BOUND = 2, 1e-3   # counts of Q16; a distance is cut to a part, which is a thousandth of a typical distance of a thousand


def parts(x: Signal) -> int:
    """Bits of a centre below a count."""
    return 0 if x.dtype == "int32" else 8


def run(k, s, x):
    x = x.reshape(-1)
    if s.count < k.learn:
        learn(k, s, x)
        return None
    _, square = nearest(k, s, x, k.centres)
    return sat32([divide(isqrt(square) << 24, int(s.typical[0]))])


def learn(k, s, x):
    if s.count < k.first:
        s.past[s.count] = x
    else:
        c, square = nearest(k, s, x, k.centres)
        s.total[0] += isqrt(square)
        join(k, s, x, c)
    s.count += 1
    if s.count == k.first:
        choose(k, s)
    if s.count == k.learn:
        typical, least = divide(int(s.total[0]) << 8, k.learn - k.first), 1 << (8 + k.up)
        s.floored, s.typical[0] = int(typical < least), max(typical, least)


def nearest(k, s, x, centres: int) -> tuple[int, int]:
    """The nearest of so many centres, of equals the first, and its squared distance."""
    far = np.clip((x.astype(np.int64) << k.up) - s.centre[:centres], -FARTHEST, FARTHEST)
    squares = (far * far).sum(axis=1)
    return int(squares.argmin()), int(squares.min())


def join(k, s, x, c: int):
    """One member more of a centre, which moves to their mean."""
    s.members[c] += 1
    s.sum[c] += x
    s.centre[c] = [divide(int(v) << k.up, int(s.members[c])) for v in s.sum[c]]


def choose(k, s):
    """The first centres from the vectors that were kept; then every other one joins the nearest."""
    chosen: list[int] = []
    for c in range(k.centres):
        near = [-1 if i in chosen else nearest(k, s, x, c)[1] if c else 0 for i, x in enumerate(s.past)]
        chosen.append(int(np.argmax(near)))
        join(k, s, s.past[chosen[-1]], c)
    for i, x in enumerate(s.past):
        if i not in chosen:
            join(k, s, x, nearest(k, s, x, k.centres)[0])


def features(dtype: str, *shape: int, scale: float = 2.0**-8) -> Signal:
    return Signal(shape, dtype, Fraction(25, 8), scale, zero=3)


EXAMPLES = [
    (Clusters(centres=3, learn_blocks=30), features("int16", 4)),
    (Clusters(centres=2, learn_s=7), features("int32", 2, 3, scale=2.0**-20)),
    (Clusters(centres=1, learn_blocks=12), features("int8", 5)),
    (Clusters(centres=4, learn_blocks=40, first_blocks=4), features("uint16", 2)),
]


def inputs(x, rng, count):
    """Vectors around a few places while it learns, as k-means is made for, and then everything there is."""
    info = np.iinfo(x[0].dtype)
    places = rng.uniform(0.8 * info.min, 0.8 * info.max, (4, *x[0].shape))
    near = places[rng.integers(0, 4, count)] + rng.normal(0, info.max / 40, (count, *x[0].shape))
    wild = rng.integers(info.min, info.max, (count, *x[0].shape), endpoint=True)
    ends = [np.full(x[0].shape, v) for v in (info.min, info.max, 0)]
    return [np.concatenate([np.clip(near, info.min, info.max), wild, ends]).astype(x[0].dtype)]
