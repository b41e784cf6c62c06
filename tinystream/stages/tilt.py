"""Angles to gravity, in degrees, of each sample of three axes.

    inclination = atan2(sqrt(h1**2 + h2**2), v)      0 to 180: between the axis that points up at rest, and up
    roll        = atan2(h2, v)                       -180 to 180: about h1
    pitch       = atan2(-h1, sqrt(h2**2 + v**2))     -90 to 90: about h2
    y = rshift(angle in 2**-20 degrees, 13)          counts of 2**-7 degrees

v is the axis `up`, and h1, h2 the two that follow it: x, y for up = "z"; y, z for "x"; z, x for "y".  An accelerometer at rest reads 1 g
upwards.  A root is isqrt(2**28 sum), so that it has 14 bits below a count, and so have what it is compared with.

atan2(b, a) is CORDIC: both are brought to 28 bits, a < 0 is turned by 180 degrees, then 20 times, by `turns` = atan(2**-i), towards
b = 0.  |error| < 0.55 counts (0.0043 degrees) for vectors longer than 8 counts of x, 0.8 for any; atan2(0, 0) is 0.  At rest, noise of
1 mg is 0.06 degrees: smooth the samples before it, as angles jump from 180 to -180.

Source: Freescale AN3461 (2013), eq. 25, 26 and 28; Volder, IRE Trans. Electronic Computers EC-8 (1959).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, msb, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

ANGLES = ("inclination", "roll", "pitch")
Q = 14          # bits below a count of x
BITS = 28       # of what is turned: 1.65 sqrt(2) times as much is below 2**31
TURNS = 20


class Tilt(Stage):
    """Angles to gravity, in degrees, of each sample of three axes."""

    angles: tuple[Literal["inclination", "roll", "pitch"], ...] = Field(
        default=("inclination",), min_length=1, max_length=3, description="which, in the order of y's channels")
    up: Literal["x", "y", "z"] = Field(default="z", description="the axis that points up at rest")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero or len(x.shape) != 2 or x.shape[1] != 3:
            raise AppError((), f"stage 'tilt' takes int16 samples of three axes, [n, 3], and is given {x}")
        if len(set(self.angles)) < len(self.angles):
            raise AppError(("angles",), f"angles names one twice: {', '.join(self.angles)}",
                           f"angles = [{', '.join(f'{a!r}' for a in dict.fromkeys(self.angles))}]".replace("'", '"'))
        count = len(self.angles)
        shape = x.shape[:1] if count == 1 else (x.shape[0], count)
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, shape=shape, scale=2.0**-7, unit="degrees"),
            params=dict(length=x.shape[0], count=count, up="xyz".index(self.up)),
            tables=dict(angles=np.array([ANGLES.index(a) for a in self.angles], np.uint8),
                        turns=np.rint(np.degrees(np.arctan(2.0 ** -np.arange(TURNS))) * 2**20).astype(np.int32)),
            cost=dict(mul=2 * x.size * count, add=count * x.shape[0] * (8 * TURNS + 130), mem=2 * x.size * count),
            says=f"{', '.join(self.angles)} in degrees, {self.up} up",
        )

    def ideal(self, x, blocks):
        v, h1, h2 = (blocks[..., ("xyz".index(self.up) + i) % 3] for i in range(3))
        found = {"inclination": np.arctan2(np.hypot(h1, h2), v), "roll": np.arctan2(h2, v), "pitch": np.arctan2(-h1, np.hypot(h2, v))}
        return np.degrees(np.stack([found[a] for a in self.angles], axis=-1)).reshape(len(blocks), *self.plan(*x).y.shape)


BOUND = 0.8     # counts: half from rounding, 0.25 from the root of a vector of a count or two
BATCHED = True


def run(k, s, x):
    v, h1, h2 = (x[..., (k.up + i) % 3].astype(np.int64) for i in range(3))
    pairs = [(root(h1, h2), v << Q), (h2 << Q, v << Q), (-h1 << Q, root(h2, v))]
    y = np.stack([atan2(k.turns, *pairs[angle]) for angle in k.angles], axis=-1)
    return rshift(y, 13).astype(np.int16).reshape(x.shape[:-1] if k.count == 1 else y.shape)


def root(a, b):
    """sqrt(a**2 + b**2) with Q more bits."""
    return isqrt((a * a + b * b) << 2 * Q)


def atan2(turns, b, a):
    """The angle of (a, b) in 2**-20 degrees."""
    left = BITS - 1 - msb(np.maximum(np.abs(a), np.abs(b)))
    a, b = (np.where(left >= 0, v << np.maximum(left, 0), v >> np.maximum(-left, 0)) for v in (a, b))
    back = np.where(a < 0, np.where(b < 0, -(180 << 20), 180 << 20), 0)
    nothing = (a == 0) & (b == 0)
    a, b = np.where(a < 0, -a, a), np.where(a < 0, -b, b)
    angle = np.zeros_like(a)
    for i, turn in enumerate(turns.tolist()):
        up = b > 0
        a, b = np.where(up, a + (b >> i), a - (b >> i)), np.where(up, b - (a >> i), b + (a >> i))
        angle += np.where(up, turn, -turn)
    return np.where(nothing, 0, angle + back)


THREE_AXES = Signal((20, 3), "int16", Fraction(5), 2 * 2.0**-15, unit="g", sample_hz=Fraction(100))

EXAMPLES = [
    (Tilt(), THREE_AXES),
    (Tilt(angles=("roll", "pitch"), up="x"), THREE_AXES),
    (Tilt(angles=("pitch", "inclination", "roll"), up="y"), replace(THREE_AXES, shape=(1, 3))),
]


def inputs(x, rng, count):
    """Gravity in every direction, of every length down to a count, and along each axis."""
    way = rng.normal(size=(count, *x[0].shape))
    long = 2.0 ** rng.uniform(0, 15.5, (count, x[0].shape[0], 1))
    blocks = np.clip(np.rint(way / np.linalg.norm(way, axis=-1, keepdims=True) * long), -32768, 32767).astype(np.int16)
    blocks[0], blocks[1], blocks[2] = 0, 32767, -32768
    for i in range(6):
        blocks[3 + i] = 0
        blocks[3 + i, :, i // 2] = [1, -32768][i % 2]
    blocks[10:14] = rng.integers(-2, 3, blocks[10:14].shape)
    return [blocks]
