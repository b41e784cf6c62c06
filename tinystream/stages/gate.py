"""Let blocks through while they are loud, so that nothing after it runs while it is quiet.

    level = sum of x[i]**2   (of = "power"), or max |x[i]| (of = "peak")
    loud  = level >= open_limit while closed, level >= close_limit while open
    open  = loud, or one of the last `hold` blocks was loud while the gate was open
    y     = x while open, nothing while closed

0 dBFS is the power, or the peak, of a square wave at full scale, 32768 counts; a full-scale sine has a power of
-3.01 dBFS.  The limits are whole numbers, rounded up: a level that reaches the exact limit is loud.

Source: ours; a noise gate with hold and hysteresis, as in Zölzer, DAFX, 2nd ed., §4.2.3.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Gate(Stage):
    """Let blocks through while they are loud, so that nothing after it runs while it is quiet."""

    open_db: float = Field(ge=-120, le=0, description="dBFS at which it opens")
    close_db: float | None = Field(
        default=None, ge=-126, le=0, description="dBFS below which it may close; 6 dB less than open_db where nothing is said")
    hold_ms: float = Field(
        default=0, ge=0, le=3_600_000, description="stays open this long after the last loud block; rounded up to whole blocks")
    of: Literal["power", "peak"] = Field(default="power", description="what of a block is compared: its mean power or its peak")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero:
            raise AppError((), f"stage 'gate' measures int16 samples whose zero is 0, and is given {x}")
        close_db = self._close_db()
        if close_db > self.open_db:
            raise AppError(("close_db",), f"close_db = {close_db:g} lies above open_db, {self.open_db:g}",
                           f"close_db = {self.open_db - 6:g}")
        limits = dict(open=limit(self.open_db, self.of, x.size), close=limit(close_db, self.of, x.size))
        if limits["close"] < 1 or limits["open"] > limit(0, self.of, x.size):
            raise AppError(("open_db",), f"open_db = {self.open_db:g} is out of the range of int16")
        hold = ceil(Fraction(str(self.hold_ms)) * x.rate_hz / 1000)
        return Step(
            module=__name__,
            x=(x,),
            y=x,
            params=dict(length=x.size, peak=int(self.of == "peak"), hold=hold, **limits),
            state=dict(left=0),
            waits=True,
            inplace=True,
            cost=dict(mul=x.size if self.of == "power" else 0, add=x.size, mem=2 * x.size),
            says=f"opens at {self.open_db:g} dBFS of {self.of}, holds {1000 * hold / float(x.rate_hz):g} ms",
        )

    def ideal(self, x, blocks):
        full_scale = 32768 * x[0].scale
        spoken = np.abs(blocks.reshape(len(blocks), -1)) / full_scale
        level = np.sqrt(np.mean(spoken**2, axis=1)) if self.of == "power" else spoken.max(axis=1)
        with np.errstate(divide="ignore"):
            level_db = 20 * np.log10(level)
        passed, is_open, quiet = [], False, 0
        for block, db in zip(blocks, level_db, strict=True):
            if db >= (self._close_db() if is_open else self.open_db):
                is_open, quiet = True, 0
            else:
                quiet += 1
            is_open = is_open and quiet / float(x[0].rate_hz) < self.hold_ms / 1000 + 1 / float(x[0].rate_hz) - 1e-9
            if is_open:
                passed.append(block)
        return np.array(passed)

    def _close_db(self) -> float:
        return self.open_db - 6 if self.close_db is None else self.close_db


BOUND = 0   # what passes is unchanged


def limit(db: float, of: str, size: int) -> int:
    """The smallest level that is at least `db`: 47 bits of power for a block of 65536, 16 bits of peak."""
    if of == "peak":
        return ceil(32768 * 10 ** (db / 20))
    return ceil(size * 2**30 * 10 ** (db / 10))


def run(k, s, x):
    wide = np.abs(x.astype(np.int64))
    level = wide.max() if k.peak else (wide * wide).sum()
    if level >= (k.close if s.left > 0 else k.open):
        s.left = k.hold + 1
    elif s.left > 0:
        s.left -= 1
    return x if s.left > 0 else None


AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((20, 3), "int16", Fraction(80), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))

EXAMPLES = [
    (Gate(open_db=-30), AUDIO),
    (Gate(open_db=-20, close_db=-50, hold_ms=20), AUDIO),
    (Gate(open_db=-24, hold_ms=13, of="peak"), THREE_AXES),
    (Gate(open_db=0, close_db=0, of="peak"), AUDIO),
    (Gate(open_db=-120, close_db=-120), AUDIO),                      # one count in one sample is loud
    (Gate(open_db=-91, close_db=-91, of="peak"), THREE_AXES),
]


def inputs(x, rng, count):
    """Noise whose loudness wanders: blocks between the two levels, after loud ones and after quiet ones, are what a gate is about.

    Between silences there is also the least that can be heard, in the first value alone, and in the last.
    """
    loud = 10 ** (rng.uniform(-60, 0, (4 * count, *[1] * len(x[0].shape))) / 20)
    blocks = np.clip(rng.normal(0, 20000, (4 * count, *x[0].shape)) * loud, -32768, 32767).astype(np.int16)
    blocks[0], blocks[1], blocks[2] = 0, 32767, -32768
    blocks[3:9] = 0
    blocks[4].flat[0], blocks[7].flat[-1] = 2, -2
    return [blocks]
