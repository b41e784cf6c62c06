"""Count in other steps, around 0.

    y = sat32((x - x.zero) * multiplier / 2**shift), to nearest        sat16 for type = "int16"

where multiplier / 2**shift is x.scale / scale, in 31 bits: exact where that is a power of two.  A distance of more than 31 bits is first
rounded to 31.  Where no scale is said, it is the finest power of two with which every count of x fits.

Source: ours; what lets outputs of several stages stand side by side.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages._scaled import scaled
from tinystream.stages.quantize import ceil_log2, mantissa, type_of


class Rescale(Stage):
    """Count in other steps, around 0."""

    scale: float | None = Field(
        default=None, gt=0, description="real value of one count of the output; the finest power of two that fits where nothing is said")
    type: Literal["int32", "int16"] = Field(default="int32", description="of the output")

    def plan(self, x: Signal) -> Step:
        if x.dtype == "uint64" or abs(x.zero) >= 1 << 30:
            raise AppError((), f"stage 'rescale' takes integers of up to 64 bits with a sign, and is given {x}")
        scale = finest(x, self.type) if self.scale is None else self.scale
        ratio = Fraction(x.scale) / Fraction(scale)
        self._check_range(x, ratio)
        multiplier, shift = mantissa(ratio)
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, dtype=self.type, scale=scale, zero=0),
            params=dict(length=x.size, type=type_of(x.dtype), y_type=type_of(self.type), zero=x.zero, multiplier=multiplier, shift=shift),
            inplace=x.dtype == self.type,
            cost=dict(mul64=x.size, add=4 * x.size, mem=2 * x.size),
            says=f"counts of {scale:.6g}",
        )

    def ideal(self, x, blocks):
        scale = self.plan(*x).y.scale
        info = np.iinfo(self.type)
        return np.clip(blocks, info.min * scale, info.max * scale)

    def _check_range(self, x: Signal, ratio: Fraction) -> None:
        """The greatest input is two counts of y at least, and one count of x is not all of them."""
        assert ratio > 0, "scales are positive"
        reach, high = distance(x), int(np.iinfo(self.type).max)
        if reach * ratio < 1:
            raise AppError(("scale",), f"scale = {self.scale:g} is more than the greatest input, {reach * x.scale:.4g} {x.unit}".rstrip(),
                           f"scale = {finest(x, self.type):g}")
        if ratio > high:
            raise AppError(("scale",), f"scale = {self.scale:g} is so small that one count of the input, {x.scale:.4g}, fills {self.type}",
                           f"scale = {finest(x, self.type):g}")


BOUND = 0.501, 2.0**-30     # counts: rounding; relative: 31 bits of the multiplier and of a distance
BATCHED = True
MOST = 2**63 - 2**33     # leaves room for a zero, and for rounding to 31 bits


def distance(x: Signal) -> int:
    """The most counts that x can be away from its zero."""
    info = np.iinfo(x.dtype)
    return int(max(int(info.max) - x.zero, x.zero - int(info.min) - (x.zero == 0)))     # -2**31 fits int32, too


def finest(x: Signal, type_: str) -> float:
    """The finest power of two with which every count of x fits."""
    return 2.0 ** ceil_log2(distance(x) * Fraction(x.scale) / -int(np.iinfo(type_).min))


def run(k, s, x):
    away = np.clip(x.astype(np.int64), -MOST, MOST) - k.zero
    y = scaled(away, 0, k.multiplier, k.shift)
    return sat16(y) if k.y_type == -2 else y


def signal(dtype: str, scale: float, *shape: int, zero: int = 0) -> Signal:
    return Signal(shape, dtype, Fraction(100), scale, zero, unit="octaves")


EXAMPLES = [
    (Rescale(), signal("int16", 2.0**-12, 3, 5)),
    (Rescale(), signal("uint16", 1 / 25.6, 40)),
    (Rescale(scale=2.0**-20), signal("int8", 0.1, 7, zero=-128)),
    (Rescale(scale=2.0**-3), signal("int64", 2.0**-14, 9, zero=1000)),
    (Rescale(), signal("int64", 3e-17, 33)),
    (Rescale(scale=0.3), signal("int32", 2.0**-21, 4, 2)),
    (Rescale(type="int16"), signal("int32", 2.0**-21, 6)),
    (Rescale(type="int16", scale=2.0**-15), signal("int16", 2.0**-13, 6)),
    (Rescale(), signal("uint32", 1.0, 5, zero=1 << 29)),
]


def inputs(x, rng, count):
    """Everything a type holds, and as often what is small: int64 would else always saturate."""
    info = np.iinfo(x[0].dtype)
    bits = rng.integers(1, info.bits - (info.min < 0), (count, *x[0].shape), endpoint=True)
    values = [(int(rng.integers(0, 2**63)) >> (63 - int(b))) * int(rng.choice([1, -1])) for b in bits.ravel()]
    blocks = np.array([min(max(v, info.min), info.max) for v in values], x[0].dtype).reshape(count, *x[0].shape)
    blocks[0], blocks[1], blocks[2] = 0, info.max, info.min
    return [blocks]
