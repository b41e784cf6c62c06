"""How far a feature vector is from the nearest of some centres.

    z    = (x - mean) / std                                        in Q20, see stages/_standard.py;  z16 = rshift(z, 4)
    d[c] = rshift(isqrt(sum_j clamp(z16[j] - centre[c][j])**2), 4)  in Q12; each difference is held below 1024

    rule = "distance"         y = min_c d[c]
    rule = "edge_impulse"     y = min_c (d[c] - max_error[c]): above 0 is further from its centre than any of the training set
    give = "each"             y[c] is the distance to each centre, less its max_error under that rule

With std (and mean) centres are in standard deviations, as they are behind a scaler.  Without both, centres and distances are in the
units of x; all is then measured from the middle of the centres, up to 64 times as far as the furthest of them, or further.

Source: Lloyd, Least squares quantization in PCM, 1982; rule "edge_impulse": edgeimpulse/inferencing-sdk-cpp, run_kmeans_anomaly.
Integers: ours.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, rshift
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
    row,
    space,
    standard,
    table,
    type_of,
    z_ideal,
    z_of,
)

HELD = (1 << 26) - 1


class Kmeans(Fitted):
    """How far a feature vector is from the nearest of some centres."""

    FITTED: ClassVar[tuple[str, ...]] = ("centres",)
    centres: tuple[Row, ...] | None = Field(default=None, description="a row for each centre, in standard deviations if there is a std")
    mean: Vector = Field(default=None, description="of each feature, in real units")
    std: Vector = Field(default=None, description="standard deviation of each feature, in real units")
    rule: Literal["distance", "edge_impulse"] = Field(default="distance", description="edge_impulse takes each centre's max_error off")
    max_error: Row | None = Field(default=None, description='greatest distance to each centre in training, for rule = "edge_impulse"')
    give: Literal["nearest", "each"] = Field(default="nearest", description="one score, or one for each centre")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        where, errors = self._rows(x)
        count, each = len(where.rows), self.give == "each"
        return Step(
            module=__name__,
            x=(x,),
            y=distance_signal(x, (count if each else 1,), where.factor, where.unit),
            params=dict(type=type_, size=x.size, centres=count, each=int(each)),
            tables=dict(standard(x, where.mean, where.std), centre=np.rint(where.rows * 2**16).astype(np.int32),
                        max_error=np.rint(np.clip(errors / where.factor * 2**12, -(2**30), 2**30)).astype(np.int32)),
            scratch=dict(z=("int32", x.size)),
            cost=dict(mul64=2 * x.size, mul=count * x.size, add=4 * count * x.size, mem=2 * count * x.size),
            says=f"distance to {'each' if each else 'the nearest'} of {count} centres",
        )

    def ideal(self, x, blocks):
        where, errors = self._rows(x[0])
        apart = np.clip(z_ideal(blocks, where.mean, where.std)[:, None] - where.rows, -FURTHEST, FURTHEST)
        d = where.factor * np.sqrt((apart**2).sum(axis=-1)) - errors
        return d if self.give == "each" else d.min(axis=1, keepdims=True)

    def _rows(self, x: Signal) -> tuple[Space, np.ndarray]:
        """Where the centres are, and what is taken off the distance to each."""
        centres = table(self.centres or (), x.size, "centres")
        if self.rule == "edge_impulse" and self.max_error is None:
            raise AppError(("rule",), 'rule = "edge_impulse" needs max_error', "max_error = [0.5, …], one for each centre")
        if self.rule == "distance" and self.max_error is not None:
            raise AppError(("max_error",), 'max_error means nothing to rule = "distance"', 'rule = "edge_impulse"')
        if self.max_error is not None and len(self.max_error) != len(centres):
            raise AppError(("max_error",), f"max_error has {len(self.max_error)} numbers for {len(centres)} centres")
        return space(x, centres, self.mean, self.std), row(self.max_error, 0, len(centres), "max_error")


BOUND = (3.0, 2.0**-26)     # counts: 1.1 for 1024 features rounded to Q16, 1 for a centre, half for y, half for max_error
BATCHED = True


def run(k, s, x):
    z = rshift(z_of(k, x.reshape(len(x), -1)), 4)
    d = np.empty((len(x), k.centres), np.int64)
    for c, centre in enumerate(k.centre.reshape(k.centres, -1)):
        apart = np.clip(z - centre, -HELD, HELD)
        d[:, c] = rshift(isqrt((apart * apart).sum(axis=-1)), 4) - k.max_error[c]
    return (d if k.each else d.min(axis=1, keepdims=True)).astype(np.int32)


def spread(count: int, size: int, wide: float = 2.0, seed: int = 0) -> tuple[Row, ...]:
    """Centres for examples."""
    return tuple(map(tuple, np.random.default_rng(seed).normal(0, wide, (count, size)).tolist()))


EXAMPLES = [
    (Kmeans(centres=spread(4, 6), mean=(0.5, -3.0, 10.0, 0.0, 0.1, 7.0), std=(0.1, 2.0, 5.0, 0.01, 0.05, 30.0)), features("int32", 6)),
    (Kmeans(centres=spread(3, 6), mean=0.2, std=1.5, rule="edge_impulse", max_error=(1.5, 0.25, 3.0)), features("int32", 2, 3)),
    (Kmeans(centres=spread(5, 4, 3.0)), features("int16", 4, scale=2.0**-12, zero=9, unit="g")),
    (Kmeans(centres=spread(2, 12, 30.0), give="each"), features("int8", 12, scale=0.5, zero=-3)),
    (Kmeans(centres=((0.0,),)), features("int32", 1, scale=2.0**-16)),
    (Kmeans(centres=spread(3, 40, 100.0), mean=0.0, std=1.0, give="each", rule="edge_impulse", max_error=(1.0, 2.0, 3.0)),
     features("int32", 40)),
]


def inputs(x, rng, count):
    """As stages/_standard.py says, around the centres of the examples."""
    return [around(x[0], 0.0, 1.0, rng, 4 * count)]
