"""What tests for drift share: two sums of how far values are above and below what is usual, each of which begins again at 0.

    up   = clamp(up + d - slack, 0, 2**61)        d in Q24 counts of x
    down = clamp(down - d - slack, 0, 2**61)
    y    = sat32(rshift(max(up, down), narrow))

y has 8 bits below a count of an int8 or int16, none below one of an int32.

Widths: |d| < 2**58, slack <= 2**57, so no sum reaches 2**63.

Source: ours.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Literal

import numpy as np

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.stages._standard import Vector, row

Q = 24
MOST = 1 << 61
SIDES = {"both": (1, 1), "up": (1, 0), "down": (0, 1)}
Side = Literal["both", "up", "down"]
Give = Literal["worst", "all"]


def narrow(x: Signal) -> int:
    """Bits of a sum below a count of y."""
    return Q if x.dtype == "int32" else Q - 8


def signal(x: Signal, give: str) -> Signal:
    return Signal(x.shape if give == "all" else (1,), "int32", x.rate_hz, x.scale * 2.0 ** (narrow(x) - Q), 0, x.unit)


def slacks(x: Signal, value: Vector) -> np.ndarray:
    """The slack of each feature, in Q24 counts."""
    real = row(value, 0, x.size, "slack")
    if (real < 0).any():
        j = int(np.argmax(real < 0))
        raise AppError(("slack",), f"the slack of feature {j}, {real[j]:g}, is below 0", "slack = 0.5, of a standard deviation that is 1")
    return np.rint(np.minimum(real / x.scale * 2.0**Q, 2.0**57)).astype(np.int64)


def restart(x: Signal, value: float | None) -> int:
    """The sum at which it begins again, in Q24 counts; beyond every sum where there is none."""
    return 1 << 62 if value is None else min(ceil(Fraction(str(value)) / Fraction(x.scale) * 2**Q), 1 << 62)


def add(s, d: np.ndarray, k) -> np.ndarray:
    """One block: the larger of the two sums of each feature.  The sums of a side that is not asked for stay 0."""
    s.up = np.clip(s.up + d - k.slack, 0, MOST) * k.above
    s.down = np.clip(s.down - d - k.slack, 0, MOST) * k.below
    return np.maximum(s.up, s.down)


def told(sums: np.ndarray, k, shape: tuple[int, ...]) -> np.ndarray:
    """y of the sums of a block."""
    y = sat32(rshift(sums, k.narrow))
    return y.reshape(shape) if k.each else y.max(keepdims=True)


def wandering(x: Signal, rng: np.random.Generator, count: int) -> np.ndarray:
    """Blocks for tests: steps of some blocks each, with noise; then full scale, so that sums grow beyond what y can hold."""
    info = np.iinfo(x.dtype)
    levels = rng.uniform(info.min / 2, info.max / 2, (count // 2, x.size)).repeat(8, axis=0)
    blocks = np.clip(levels + rng.normal(0, float(info.max) / 50, levels.shape), info.min, info.max).astype(x.dtype)
    blocks[:4], blocks[4:8] = 0, info.max
    return blocks.reshape(-1, *x.shape)
