"""Take the constant part out of samples, as the front end of Silicon Labs' MLTK does.

    y[n] = x[n] - x[n-1] + ((c y[n-1] + 2**14) >> 15),   c = coefficient in Q15, cut off;   x[-1] = y[-1] = 0 after a reset

Both the difference and y wrap at 16 bits, as the original's do: a sound that stays within half of full scale never wraps, as
the sum of the filter's |impulse response| is 2.  At (1 - c) rate / (2 pi), 127 Hz for 0.95 at 16 kHz, half of the power passes.

It works on the stream, so it stands before the stage that cuts frames.  For a filter of your own choice, `biquad` does not wrap.

Source: SiliconLabs/mltk, cpp/shared/microfrontend, dc_notch_filter.c; the leaky differentiator of every audio codec.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class DcNotch(Stage):
    """Take the constant part out of samples, as the front end of Silicon Labs' MLTK does."""

    coefficient: float = Field(default=0.95, ge=0, lt=1, description="the pole; nearer to 1 is a narrower notch, and a slower one")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or len(x.shape) != 1:
            raise AppError((), f"stage 'dc_notch' takes one channel of int16 samples, and is given {x}")
        if x.sample_hz is not None and x.rate_hz * x.size != x.sample_hz:
            raise AppError((), f"stage 'dc_notch' works on the stream, and is given overlapping frames, {x}", "put it before the frame")
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x),
            params=dict(length=x.size, coefficient=min(int(np.float32(self.coefficient) * np.float32(32768)), 32767)),
            state=dict(x=0, y=0),
            inplace=True,
            cost=dict(mul=x.size, add=3 * x.size, mem=2 * x.size),
            says=f"without its constant part, pole at {self.coefficient:g}",
        )

    def ideal(self, x, blocks):
        y, last, out = 0.0, 0.0, []
        for now in blocks.ravel():
            y = now - last + self.coefficient * y
            last = now
            out.append(y)
        return np.array(out).reshape(blocks.shape)


BOUND = 20.0  # counts: each sample's rounding and the cut coefficient, half a count each, live on for 1 / (1 - 0.95) samples


def run(k, s, x):
    out = np.empty(x.size, np.int16)
    before, y = s.x, s.y
    for i, now in enumerate(x.tolist()):
        y = wrap16(wrap16(now - before) + (k.coefficient * y + 16384 >> 15))
        before = now
        out[i] = y
    s.x, s.y = before, y
    return out


def wrap16(x: int) -> int:
    return (x + 32768 & 0xFFFF) - 32768


EXAMPLES = [
    (DcNotch(), Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))),
    (DcNotch(coefficient=0.5), Signal((7,), "int16", Fraction(10), 2.0**-12, unit="g")),
    (DcNotch(coefficient=0.9), Signal((1,), "int16", Fraction(16000), 2.0**-15, unit="FS", sample_hz=Fraction(16000))),
    (DcNotch(coefficient=0), Signal((20,), "int16", Fraction(16000), 2.0**-15, unit="FS")),
]


def inputs(x, rng, count):
    """Within half of full scale, where nothing wraps and the textbook holds; test_dc_notch has what wraps."""
    loud = 2.0 ** rng.uniform(2, 14, (count, 1))
    noise = np.clip(rng.normal(0, loud / 3, (count, x[0].size)) + loud / 4, -16383, 16383)
    steps = np.where(np.arange(x[0].size) % 2, 8191, -8191)
    noise[0], noise[1], noise[2] = 0, 8191, steps
    return [np.clip(noise, -8191, 8191).astype(np.int16)]
