"""What scores of feature vectors share: each feature in standard deviations from its mean, in Q20, and distances in Q12.

    d = rshift((x << up) - mean, down)           one of up and down is 0; held within +-2**30
    z = rshift(d * multiplier, 29)               held within +-(2**30 - 1): 1024 standard deviations count as the most there is

up and down are such that a standard deviation is 2**19 to 2**20 of d (or, where even 2**30 of d are less than a count of x, as near as
that), so the mean is right to 2**-20 of it and the multiplier to 2**-30.

Widths: x << up has 32 + 30 bits, mean is held below 2**62; |d| <= 2**30, multiplier <= 2**30.

Source: ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, log2
from typing import Any

import numpy as np

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.plan.signal import Signal

Q = 20
MOST = (1 << 30) - 1
FURTHEST = 1024.0
"""Standard deviations; what is further from its mean counts as that far."""
TYPES = {"int8": -1, "int16": -2, "int32": -4}
DISTANCE_Q = 12
FEATURES = 1024
"""At most: (2**26)**2 times 1024 is what a sum of squares has room for."""

Row = tuple[float, ...]
Vector = Row | float | None
"""A number for each feature; one number is for all."""


def type_of(x: Signal, kind: str) -> int:
    """How ts_load.h is told the type of the features."""
    if x.dtype not in TYPES or x.size > FEATURES or abs(x.zero) > 1 << 30:
        raise AppError((), f"stage '{kind}' reads up to {FEATURES} int8, int16 or int32 features, and is given {x}")
    return TYPES[x.dtype]


def row(value: Vector, default: float, size: int, option: str) -> np.ndarray:
    """A number for each of `size` features."""
    if value is None or isinstance(value, int | float):
        return np.full(size, default if value is None else float(value))
    if len(value) != size:
        raise AppError((option,), f"{option} has {len(value)} numbers for {size} features", "fit it again on what this stage reads")
    return np.array(value, np.float64)


def table(rows: Any, columns: int, option: str) -> np.ndarray:
    """Rows of numbers as an array [n, columns]."""
    for i, numbers in enumerate(rows):
        if len(numbers) != columns:
            raise AppError((option,), f"row {i} of {option} has {len(numbers)} numbers for {columns} features",
                           "fit it again on what this stage reads")
    if not rows:
        raise AppError((option,), f"{option} is empty", "fit it again")
    return np.array(rows, np.float64)


def standard(x: Signal, mean: np.ndarray, std: np.ndarray) -> dict[str, np.ndarray]:
    """The tables of z: mean, multiplier and lift (up, or down below 0) of each feature."""
    found = [one(x, j, m, s) for j, (m, s) in enumerate(zip(mean.tolist(), std.tolist()))]
    means, multipliers, lifts = zip(*found)
    return dict(mean=np.array(means, np.int64), multiplier=np.array(multipliers, np.int32), lift=np.array(lifts, np.int8))


def one(x: Signal, j: int, mean: float, std: float) -> tuple[int, int, int]:
    """mean, multiplier and lift of one feature."""
    if std <= 0:
        raise AppError(("std",), f"std of feature {j} is {std:g}: it was always the same when this was fitted",
                       "leave the feature out, or give it the least std that matters")
    centre, spread = mean / x.scale + x.zero, std / x.scale
    if abs(centre) >= 1 << 31:
        raise AppError(("mean",), f"mean of feature {j}, {mean:g}, is far beyond what it can be, {np.iinfo(x.dtype).max * x.scale:.6g}",
                       "fit it again on what this stage reads")
    if spread < 2.0**-10:
        raise AppError(("std",), f"std of feature {j}, {std:g}, is less than a thousandth of a count, {x.scale:.4g}",
                       f"std = {x.scale:.4g}, or leave the feature out")
    lift = max(min(Q - 1 - floor(log2(spread)), 30), -31)
    return round(centre * 2.0 ** max(lift, 0)), min(round(2.0 ** (Q + 29 - lift) / spread), 1 << 30), lift


def z_of(k, x: np.ndarray) -> np.ndarray:
    """z in Q20, int64, of features on the last axis."""
    up, down = np.maximum(k.lift, 0).astype(np.int64), np.maximum(-k.lift.astype(np.int64), 0)
    d = np.clip(rshift((x.astype(np.int64) << up) - k.mean, down), -(1 << 30), 1 << 30)
    return np.clip(rshift(d * k.multiplier, 29), -MOST, MOST)


def z_ideal(blocks: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """The same in float64: [n, features], held within what z is held in."""
    return np.clip((blocks.reshape(len(blocks), -1) - mean) / std, -FURTHEST, FURTHEST)


@dataclass(frozen=True, eq=False)
class Space:
    """Where distances to rows of numbers are measured: z = (x - mean) / std, and a distance in z times `factor` is what is told.

    rows: in z, held within what z is held in.
    """

    mean: np.ndarray
    std: np.ndarray
    rows: np.ndarray
    factor: float
    unit: str


def space(x: Signal, rows: np.ndarray, mean: Vector, std: Vector) -> Space:
    """The space of centres or prototypes.

    With a std the rows are in standard deviations, as they are after a scaler.  Without one all are in real units, and so are the
    distances: the largest is 64 times that of the furthest row from the middle of all, or more.
    """
    if std is not None:
        return Space(row(mean, 0, x.size, "mean"), row(std, 1, x.size, "std"), np.clip(rows, -FURTHEST, FURTHEST), 1.0, "")
    if mean is not None:
        raise AppError(("std",), "there is a mean and no std", "std = [1.0, …], one for each feature")
    middle = rows.mean(axis=0)
    reach = max(float(np.abs(rows - middle).max()), np.iinfo(x.dtype).max * x.scale / 2**16, x.scale)
    factor = 2.0 ** ceil(log2(reach / 16))
    return Space(middle, np.full(x.size, factor), (rows - middle) / factor, factor, x.unit)


def distance_signal(x: Signal, shape: tuple[int, ...], factor: float = 1.0, unit: str = "") -> Signal:
    """A distance in Q12, times a factor."""
    return Signal(shape, "int32", x.rate_hz, factor * 2.0**-DISTANCE_Q, 0, unit)


def names(numbers: Sequence[int]) -> str:
    """Features for people: 'feature 3', 'features 1, 4 and 7'."""
    words = [str(n) for n in numbers]
    return f"feature {words[0]}" if len(words) == 1 else f"features {', '.join(words[:-1])} and {words[-1]}"


def features(dtype: str, *shape: int, scale: float = 2.0**-12, zero: int = 0, unit: str = "") -> Signal:
    """A feature vector, for examples."""
    return Signal(shape, dtype, Fraction(25, 2), scale, zero, unit)


def around(x: Signal, mean: Vector, std: Vector, rng: np.random.Generator, count: int) -> np.ndarray:
    """Blocks for tests: the corners of the type, then, most of them, what lies within some standard deviations of the mean."""
    info = np.iinfo(x.dtype)
    centre, spread = row(mean, 0, x.size, "mean"), row(std, 1, x.size, "std")
    wide = 10 ** rng.uniform(-2, 2, (count, 1))
    real = centre + spread * rng.normal(0, wide, (count, x.size))
    blocks = np.clip(np.rint(real / x.scale + x.zero), info.min, info.max).astype(x.dtype)
    blocks[0], blocks[1], blocks[2] = x.zero, info.max, info.min
    blocks[3] = np.where(np.arange(x.size) % 2, info.max, info.min)
    blocks[4], blocks[5] = np.clip(np.rint(centre / x.scale + x.zero), info.min, info.max), blocks[4]
    blocks[4][0], blocks[5][-1] = info.max, info.min
    return blocks.reshape(count, *x.shape)
