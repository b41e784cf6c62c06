"""Raise the treble of speech: each sample less most of the one before.

    y[n] = sat16((x[n] * 2**15 - c x[n-1] + 2**14) >> 15),   c = coefficient in Q15,   x[-1] = 0 after a reset

It works on the stream, so it stands before the stage that cuts frames, and the sample before a block is the last of the
block before.  Toolkits that apply it inside each frame (HTK) differ in a frame's first sample alone.  y saturates only
where a signal jumps by more than full scale from one sample to the next.

Source: Rabiner and Schafer, Theory and Applications of Digital Speech Processing (2011), §9.5; HTK Book 3.4, §5.2.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import quantize_table, rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Preemphasis(Stage):
    """Raise the treble of speech: each sample less most of the one before."""

    coefficient: float = Field(default=0.97, gt=0, lt=1, description="how much of the sample before is taken away")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or len(x.shape) != 1:
            raise AppError((), f"stage 'preemphasis' takes one channel of int16 samples, and is given {x}")
        if x.sample_hz is not None and x.rate_hz * x.size != x.sample_hz:
            raise AppError((), f"stage 'preemphasis' works on the stream, and is given overlapping frames, {x}", "put it before the frame")
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x),
            params=dict(length=x.size, coefficient=int(quantize_table(self.coefficient, 15))),
            state=dict(last=0),
            inplace=True,
            cost=dict(mul=x.size, add=2 * x.size, mem=2 * x.size),
            says=f"pre-emphasis of {self.coefficient:g}",
        )

    def ideal(self, x, blocks):
        stream = np.concatenate([[0.0], blocks.ravel()])
        y = stream[1:] - self.coefficient * stream[:-1]
        full = 2.0**15 * x[0].scale
        return np.clip(y, -full, full - x[0].scale).reshape(blocks.shape)


BOUND = 1.0  # counts: half from rounding, half from the coefficient's own Q15 at full scale


def run(k, s, x):
    past = np.concatenate([[s.last], x[:-1]]).astype(np.int64)
    s.last = int(x[-1])
    return sat16(rshift((x.astype(np.int64) << 15) - k.coefficient * past, 15))


EXAMPLES = [
    (Preemphasis(), Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))),
    (Preemphasis(coefficient=0.5), Signal((7,), "int16", Fraction(10), 2.0**-12, unit="g")),
    (Preemphasis(coefficient=0.99999), Signal((1,), "int16", Fraction(16000), 2.0**-15, unit="FS", sample_hz=Fraction(16000))),
]
