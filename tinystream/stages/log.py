"""Logarithm of energies.

    y[i] = (max(log2_q16(x[i]) + offset, floor) * multiplier + 2**(shift - 1)) >> shift

log2_q16 is the table of plan/fixed.py; 0 and less count as 1.  offset = log2(x.scale), so that y is the logarithm of the real
value: 0 is 1.0, full scale.  multiplier / 2**shift holds unit and scale of y.  y.scale is the finest power of two, 2**-12 at most,
with which the whole range fits int16, from the floor to the largest count of x, so nothing saturates.

unit = "log2" | "ln" are of x as it is.  "db" is 10 log10 of a power (a unit that ends in ²; or none) and 20 log10 of an
amplitude ("FS", "g" …); floor_db is measured alike in all units.

Source: ours; the error of log2_q16 is in its own docstring.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import log2, log10
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import LOG2_TABLE, log2_q16, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

FINEST = 12  # fraction bits of y: below that is the error of log2_q16
TYPES = ("int64", "int32", "uint32", "int16", "uint16")


class Log(Stage):
    """Logarithm of energies."""

    unit: Literal["log2", "ln", "db"] = Field(default="log2", description="octaves, natural logarithm, or decibels")
    floor_db: float = Field(default=-100.0, description="what is quieter is held here; dB of the real value 1, full scale")

    def plan(self, x: Signal) -> Step:
        if x.dtype not in TYPES or x.zero:
            raise AppError((), f"stage 'log' takes values of 16 to 64 bits from zero up, and is given {x}")
        offset = log2(x.scale)
        top = offset + log2(np.iinfo(x.dtype).max)
        floor = max(self.floor_db / decibels(x), offset)
        if floor >= top:
            raise AppError(
                ("floor_db",),
                f"floor_db = {self.floor_db:g} is not below the loudest that can be, {top * decibels(x):.4g} dB",
                f"floor_db = {min(-100, 10 * int(top * decibels(x) / 10 - 5))}",
            )
        per_octave = {"log2": 1.0, "ln": np.log(2), "db": decibels(x)}[self.unit]
        bits = min(FINEST, int(np.floor(log2(32766 / (max(abs(floor), abs(top)) * per_octave)))))
        shift = 44 - bits  # 2**27 < multiplier < 2**31
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, dtype="int16", scale=2.0**-bits, unit={"log2": "octaves", "ln": "ln", "db": "dB"}[self.unit]),
            params=dict(
                type=TYPES.index(x.dtype),
                size=x.size,
                offset=round(offset * 2**16),
                floor=round(floor * 2**16),
                multiplier=round(per_octave * 2.0 ** (bits - 16 + shift)),
                shift=shift,
            ),
            tables=dict(log2=LOG2_TABLE),
            cost=dict(mul64=2 * x.size, add=20 * x.size, mem=4 * x.size),
            says=f"{self.unit} of {x.size} values, floor {self.floor_db:g} dB",
        )

    def ideal(self, x, blocks):
        floor = max(10 ** (self.floor_db / (10 if decibels(x[0]) < 4 else 20)), x[0].scale)
        held = np.maximum(blocks, floor)
        if self.unit == "db":
            return (10 if decibels(x[0]) < 4 else 20) * np.log10(held)
        return np.log2(held) if self.unit == "log2" else np.log(held)


BOUND = 1.0  # counts: half from rounding, the rest 6 counts of Q16 from log2_q16 and from the floor's own rounding
BATCHED = True


def decibels(x: Signal) -> float:
    """dB per octave: 3.01 of a power, 6.02 of an amplitude."""
    return (20 if x.unit and "²" not in x.unit else 10) * log10(2)


def run(k, s, x):
    octaves = np.maximum(log2_q16(k.log2, x) + k.offset, k.floor)
    return rshift(octaves * k.multiplier, k.shift).astype(np.int16)


ENERGY = Signal((40,), "int64", Fraction(50), 2.0**-46, unit="FS²")

EXAMPLES = [
    (Log(), ENERGY),
    (Log(unit="ln", floor_db=-120.0), ENERGY),
    (Log(unit="db"), replace(ENERGY, scale=3e-17, unit="FS²/Hz")),
    (Log(unit="db", floor_db=-60.0), Signal((8, 3), "int16", Fraction(50), 2.0**-13, unit="g")),
    (Log(unit="ln"), Signal((9,), "uint16", Fraction(50))),
    (Log(unit="log2"), Signal((5,), "int32", Fraction(50), 2.0**-31, unit="FS")),
    (Log(unit="db", floor_db=-300.0), Signal((5,), "uint32", Fraction(50), 1.0)),
]
