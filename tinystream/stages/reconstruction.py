"""How far what a model gave is from what it was given: mean squared, mean absolute or root mean squared error, in real units.

    a = rshift((given - zero) multiplier, shift), b alike of what it gave     in units of 2**-29 of the largest difference there can be
    d = rshift(a - b, 6)                                                      23 bits

    error = "squared"     y = rshift(sum d**2 / n, 15)
    error = "absolute"    y = sum |d| / n
    error = "rms"         y = isqrt(sum d**2 / n)

The quotients are whole, to nearest.  Both inputs may be counted in any scale from any zero; an autoencoder's output seldom has
those of its input.  y.scale is a power of two.

Widths: |a|, |b| < 2**30; d**2 has 46 bits, and up to 32768 of them 61.

Source: Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006; integers: ours.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, log2
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, rshift, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._standard import TYPES

ERRORS = ("squared", "absolute", "rms")
LARGEST = 32768


class Reconstruction(Stage):
    """How far what a model gave is from what it was given: mean squared, mean absolute or root mean squared error."""

    error: Literal["squared", "absolute", "rms"] = Field(default="squared", description="mean of squares, of sizes, or root of the first")

    def plan(self, given: Signal, gave: Signal) -> Step:
        for x in (given, gave):
            if x.dtype not in TYPES or abs(x.zero) > 1 << 30:
                raise AppError(("from",), f"stage 'reconstruction' compares int8, int16 or int32 values, and is given {x}")
        if given.size != gave.size or given.size > LARGEST:
            raise AppError(("from",), f"stage 'reconstruction' compares up to {LARGEST} values with as many, and is given {given} "
                           f"and {gave}")
        if given.rate_hz != gave.rate_hz:
            raise AppError(("from",), f"what was given comes at {float(given.rate_hz):g} Hz, what it gave at {float(gave.rate_hz):g} Hz")
        unit = 2.0 ** (ceil(log2(reach(given, gave))) - 23)         # of d
        scale, bits = (unit**2 * 2.0**15, 15) if self.error == "squared" else (unit, 0)
        same = given.unit if given.unit == gave.unit else ""
        told: dict[str, int] = {}
        for name, x in (("given", given), ("gave", gave)):
            multiplier, shift = ratio(x.scale / unit * 2**6)
            told |= {f"{name}_type": TYPES[x.dtype], f"{name}_zero": x.zero, f"{name}_multiplier": multiplier, f"{name}_shift": shift}
        return Step(
            module=__name__,
            x=(given, gave),
            y=Signal((1,), "int32", given.rate_hz, scale, 0, f"{same}²" if same and bits else same),
            params=dict(size=given.size, error=ERRORS.index(self.error), **told),
            sources=(-1, -2),
            cost=dict(mul64=3 * given.size, add=8 * given.size, mem=2 * given.size),
            says=f"{self.error} error of {given.size} values",
        )

    def ideal(self, x, given, gave):
        apart = (given.reshape(len(given), -1) - gave.reshape(len(gave), -1))
        mean = np.abs(apart).mean(axis=1) if self.error == "absolute" else (apart**2).mean(axis=1)
        scale = self.plan(*x).y.scale
        return np.minimum(np.sqrt(mean) if self.error == "rms" else mean, (2.0**31 - 1) * scale)[:, None]


BOUND = (3.0, 2.0**-17)     # counts: (0.52 d)**2 2**18 2**-15 = 2.2 of squares, half from each rounding; the rest is relative to d
BATCHED = True


def reach(a: Signal, b: Signal) -> float:
    """The largest difference there can be."""
    low, high = zip(*(x.real([np.iinfo(x.dtype).min, np.iinfo(x.dtype).max]).tolist() for x in (a, b)))
    return max(high[0] - low[1], high[1] - low[0], a.scale, b.scale, -low[0], -low[1], high[0], high[1])


def ratio(real: float) -> tuple[int, int]:
    """multiplier / 2**shift nearest to real, multiplier below 2**29."""
    shift = min(max(28 - ceil(log2(real)), 0), 60)
    return round(Fraction(real) * 2**shift), shift


def run(k, s, given, gave):
    a = counted(given, k.given_zero, k.given_multiplier, k.given_shift)
    d = rshift(a - counted(gave, k.gave_zero, k.gave_multiplier, k.gave_shift), 6)
    total = np.abs(d).sum(axis=1) if k.error == 1 else (d * d).sum(axis=1)
    mean = (total + k.size // 2) // k.size
    if k.error == 0:
        return sat32(rshift(mean, 15))[:, None]
    return sat32(mean if k.error == 1 else isqrt(mean))[:, None]


def counted(x: np.ndarray, zero: int, multiplier: int, shift: int) -> np.ndarray:
    return rshift((x.reshape(len(x), -1).astype(np.int64) - zero) * multiplier, shift)


def values(dtype: str, *shape: int, scale: float = 0.1, zero: int = 0, unit: str = "") -> Signal:
    return Signal(shape, dtype, Fraction(10), scale, zero, unit)


EXAMPLES = [
    (Reconstruction(), values("int8", 40, scale=0.1, zero=-128), values("int8", 40, scale=0.13, zero=5)),
    (Reconstruction(error="absolute"), values("int8", 3, 4), values("int16", 12, scale=0.0004, zero=-9)),
    (Reconstruction(error="rms"), values("int32", 9, scale=2.0**-20, unit="g"), values("int8", 9, scale=16.0, zero=3, unit="g")),
    (Reconstruction(), values("int16", 2, scale=1.0, unit="g"), values("int16", 2, scale=1.0, unit="g")),
    (Reconstruction(), values("int32", 1, scale=3.0, zero=1 << 30), values("int32", 1, scale=0.001, zero=-(1 << 30))),
]


def inputs(x, rng, count):
    """Corners of each against corners of the other, then an answer that is near what was given, from a little to a lot."""
    blocks = []
    given = rng.normal(0, 10 ** rng.uniform(-2, 2, (4 * count, 1)), (4 * count, x[0].size))
    gave = given + rng.normal(0, 10 ** rng.uniform(-3, 1, (4 * count, 1)), given.shape)
    for i, (signal, real) in enumerate(zip(x, (given, gave))):
        info = np.iinfo(signal.dtype)
        counts = np.clip(np.rint(real / signal.scale + signal.zero), info.min, info.max)
        corners = [info.max, info.min, signal.zero]
        for at in range(9):
            counts[at] = corners[at % 3 if i == 0 else at // 3]
        blocks.append(counts.astype(signal.dtype).reshape(4 * count, *signal.shape))
    return blocks
