"""Take the constant part out of samples, and what is slower than a cutoff: a shorthand for a highpass of first order.

    biquad, type = "highpass", order = 1

A plan shows that step.  It rounds once, at its end, and never wraps; what is left of a constant is nothing at all.  After a reset
the constant looks like a jump, which is gone, to one part in 148, within 5 / (2 pi cutoff_hz) seconds.

Source: as of `biquad`.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.biquad import BOUND, THREE_AXES, Biquad

__all__ = ["BOUND"]     # that of the step


class RemoveDc(Stage):
    """Take the constant part out of samples, and what is slower than a cutoff."""

    cutoff_hz: float = Field(gt=0, description="half of the power passes here; a tenth of the lowest frequency that matters is a good one")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'remove_dc' takes int16 samples, [n] or [n, channels], and is given {x}")
        if x.rate_hz * x.shape[0] != x.sample_hz:
            raise AppError((), f"stage 'remove_dc' works on the stream, and is given overlapping frames, {x}",
                           "put it before the frame, or 'detrend' behind it")
        try:
            step = self.highpass().plan(x)
        except AppError as mistake:
            if "half the sample rate, " in mistake.what:
                raise
            raise AppError(("cutoff_hz",), f"cutoff_hz = {self.cutoff_hz:g} is too near to 0 Hz for samples at {float(x.sample_hz):g} Hz",
                           f"cutoff_hz = {float(x.sample_hz) / 50_000:.3g}") from None
        return replace(step, name=self.kind, says=f"without what is below {self.cutoff_hz:g} Hz")

    def ideal(self, x, blocks):
        return self.highpass().ideal(x, blocks)

    def highpass(self) -> Biquad:
        """What it is short for."""
        return Biquad(type="highpass", order=1, cutoff_hz=self.cutoff_hz)


EXAMPLES = [
    (RemoveDc(cutoff_hz=1), THREE_AXES),
    (RemoveDc(cutoff_hz=20), Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))),
    (RemoveDc(cutoff_hz=0.05), Signal((10, 2), "int16", Fraction(10), 2.0**-15, unit="FS", sample_hz=Fraction(100))),
]
