"""How far a feature vector is from examples that are kept: nearest neighbours.

    z    = (x - mean) / std                                     in Q20, see stages/_standard.py;  z16 = rshift(z, 4)
    e[p] = sum_j clamp(z16[j] - prototype[p][j])**2             or sum_j |…| with distance = "manhattan"; differences are held below 1024
    d[p] = rshift(isqrt(e[p]), 4)                               in Q12, int32;  rshift(e[p], 4) with "manhattan"

    give = "nearest"    y = the distance to the nearest prototype, or to the neighbours-th nearest: how unusual x is
    give = "each"       y[c] = the distance to the nearest prototype of class c
    give = "votes"      y[c] = how many of the nearest `neighbours` are of class c, over `neighbours`, int16 in Q15

Of prototypes that are equally near the earlier one is nearer.  With std (and mean) prototypes are in standard deviations, as they are
behind a scaler; without both, prototypes and distances are in the units of x.

Source: Cover and Hart, Nearest neighbor pattern classification, 1967; Ramaswamy, Rastogi and Shim, Efficient algorithms for mining outliers
from large data sets, 2000; integers: ours.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, rshift, sat16, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages._standard import (
    FURTHEST,
    Row,
    Space,
    Vector,
    around,
    distance_signal,
    features,
    space,
    standard,
    table,
    type_of,
    z_ideal,
    z_of,
)

HELD = (1 << 26) - 1
GIVES = ("nearest", "each", "votes")


class Prototypes(Fitted):
    """How far a feature vector is from examples that are kept: nearest neighbours."""

    FITTED: ClassVar[tuple[str, ...]] = ("prototypes",)
    prototypes: tuple[Row, ...] | None = Field(default=None, description="a row for each, in standard deviations if there is a std")
    classes: tuple[int, ...] | None = Field(default=None, description="class of each prototype, from 0; for each and votes")
    mean: Vector = Field(default=None, description="of each feature, in real units")
    std: Vector = Field(default=None, description="standard deviation of each feature, in real units")
    distance: Literal["euclidean", "manhattan"] = Field(default="euclidean", description="root of squares, or sum of sizes")
    neighbours: int = Field(default=1, ge=1, le=64, description="nearest prototypes that count, for nearest and votes")
    give: Literal["nearest", "each", "votes"] = Field(default="nearest", description="one distance, one a class, or a share a class")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        where, classes = self._rows(x)
        rows, count = len(where.rows), int(classes.max()) + 1
        y = distance_signal(x, (1 if self.give == "nearest" else count,), where.factor, where.unit)
        if self.give == "votes":
            y = Signal((count,), "int16", x.rate_hz, 2.0**-15, unit="probability")
        kept = count if self.give == "each" else self.neighbours
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(type=type_, size=x.size, prototypes=rows, scores=count, manhattan=int(self.distance == "manhattan"),
                        give=GIVES.index(self.give), kept=kept),
            tables=dict(standard(x, where.mean, where.std), prototype=np.rint(where.rows * 2**16).astype(np.int32),
                        label=classes.astype(np.int16)),
            scratch=dict(near=("int64", kept), whose=("int16", kept), z=("int32", x.size)),
            cost=dict(mul64=2 * x.size, mul=rows * x.size, add=4 * rows * x.size, mem=2 * rows * x.size),
            says=f"{self.distance} distance to {rows} prototypes, {self.give}",
        )

    def ideal(self, x, blocks):
        where, classes = self._rows(x[0])
        apart = np.clip(z_ideal(blocks, where.mean, where.std)[:, None] - where.rows, -FURTHEST, FURTHEST)
        d = np.abs(apart).sum(axis=-1) if self.distance == "manhattan" else np.sqrt((apart**2).sum(axis=-1))
        count = int(classes.max()) + 1
        if self.give == "each":
            return where.factor * np.stack([d[:, classes == c].min(axis=1) for c in range(count)], axis=1)
        order = np.argsort(d, axis=1, kind="stable")[:, : self.neighbours]
        if self.give == "nearest":
            return where.factor * np.take_along_axis(d, order[:, -1:], axis=1)
        return np.stack([(classes[order] == c).mean(axis=1) for c in range(count)], axis=1)

    def _rows(self, x: Signal) -> tuple[Space, np.ndarray]:
        """Where the prototypes are, and the class of each."""
        rows = table(self.prototypes or (), x.size, "prototypes")
        if self.classes is None and self.give != "nearest":
            raise AppError(("give",), f'give = "{self.give}" needs classes', "classes = [0, 1, …], one for each prototype")
        classes = np.zeros(len(rows), int) if self.classes is None else np.array(self.classes, int)
        if len(classes) != len(rows):
            raise AppError(("classes",), f"there are {len(classes)} classes for {len(rows)} prototypes")
        if sorted(set(classes.tolist())) != list(range(int(classes.max()) + 1)) or classes.max() > 1000:
            raise AppError(("classes",), "classes are not 0, 1, 2 … without a gap", "count those that there are")
        if self.neighbours > len(rows) or (self.give == "each" and self.neighbours > 1):
            what = f"is more than the {len(rows)} prototypes" if self.neighbours > len(rows) else 'means nothing to give = "each"'
            raise AppError(("neighbours",), f"neighbours = {self.neighbours} {what}", "neighbours = 1")
        return space(x, rows, self.mean, self.std), classes


BOUND = (34.0, 2.0**-26)    # counts: 1024 features rounded to Q16 and their sizes added; of a root 2, of votes half
BATCHED = True


def run(k, s, x):
    z = rshift(z_of(k, x.reshape(len(x), -1)), 4)
    e = np.empty((len(x), k.prototypes), np.int64)
    for p, prototype in enumerate(k.prototype.reshape(k.prototypes, -1)):
        apart = np.clip(z - prototype, -HELD, HELD)
        e[:, p] = np.abs(apart).sum(axis=-1) if k.manhattan else (apart * apart).sum(axis=-1)
    if k.give == 1:
        return distance(k, np.stack([e[:, k.label == c].min(axis=1) for c in range(k.scores)], axis=1))
    order = np.argsort(e, axis=1, kind="stable")[:, : k.kept]
    if k.give == 0:
        return distance(k, np.take_along_axis(e, order[:, -1:], axis=1))
    votes = np.stack([(k.label[order] == c).sum(axis=1) for c in range(k.scores)], axis=1)
    return sat16((votes * 32768 + k.kept // 2) // k.kept)


def distance(k, e: np.ndarray) -> np.ndarray:
    return sat32(rshift(e if k.manhattan else isqrt(e), 4))


def spread(count: int, size: int, wide: float = 2.0, seed: int = 0) -> tuple[Row, ...]:
    """Prototypes for examples."""
    return tuple(map(tuple, np.random.default_rng(seed).normal(0, wide, (count, size)).tolist()))


CLASSES = (0, 1, 2, 0, 1, 2, 2, 1, 0, 2)
EXAMPLES = [
    (Prototypes(prototypes=spread(10, 6), mean=0.2, std=(0.1, 2.0, 5.0, 1.0, 0.5, 1.0), give="each", classes=CLASSES),
     features("int32", 6)),
    (Prototypes(prototypes=spread(10, 6), give="votes", neighbours=4, classes=CLASSES), features("int16", 2, 3, zero=5)),
    (Prototypes(prototypes=spread(7, 4), neighbours=3), features("int32", 4)),
    (Prototypes(prototypes=spread(10, 3, 20.0), distance="manhattan", classes=CLASSES, give="votes", neighbours=10),
     features("int8", 3, scale=0.5)),
    (Prototypes(prototypes=spread(9, 30), distance="manhattan", std=1.0), features("int32", 30)),
    (Prototypes(prototypes=((0.5,),), distance="manhattan"), features("int8", 1, scale=0.05, unit="g")),
]


def inputs(x, rng, count):
    """As stages/_standard.py says, around the prototypes of the examples."""
    return [around(x[0], 0.0, 1.0, rng, 4 * count)]
