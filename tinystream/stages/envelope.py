"""Envelope of a band: how loud the ringing between two frequencies is, sample by sample.  A shorthand for stages in a row.

    how = "rectify"     biquad (bandpass low_hz .. high_hz) -> rectify -> biquad (lowpass smooth_hz)
    how = "hilbert"     biquad (bandpass low_hz .. high_hz) -> analytic [-> biquad (lowpass smooth_hz), where it is said]

Each is planned as if it stood in the app by itself, and a plan shows all of them.  Of a ringing a(t) sin(…) "hilbert" gives a(t), and
"rectify" its mean magnitude, 2/pi a(t).  Hilbert costs more and follows faster: it needs no lowpass to take the carrier out.
The spectrum of an envelope shows how often something strikes, such as a bearing's fault frequencies (`fault_bands`), however high it rings.
Its mean is large and lies at 0 Hz: a highpass behind it keeps that out of a window's slopes.

Source: envelope analysis, McFadden and Smith, Tribology International 17 (1984); Randall and Antoni, Mech. Syst. Signal Process. 25
(2011), §5.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Literal

from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.analytic import Analytic
from tinystream.stages.biquad import Biquad
from tinystream.stages.rectify import Rectify

LARGEST = 511
FINE = 1.8         # taps of `analytic` times the lowest frequency, over the sample rate, that it turns to 1 %


class Envelope(Stage):
    """Envelope of a band: how loud the ringing between two frequencies is, sample by sample."""

    low_hz: float = Field(gt=0, description="lower edge of the band that rings, such as a resonance of the housing")
    high_hz: float = Field(gt=0, description="upper edge of the band")
    order: int = Field(default=2, ge=1, le=12, description="of the bandpass")
    how: Literal["rectify", "hilbert"] = Field(default="rectify", description="magnitude and a lowpass, or the analytic signal")
    smooth_hz: float | None = Field(
        default=None, gt=0,
        description="edge of the lowpass; where nothing is said half the band's width and at most low_hz, and none for hilbert")
    taps: int | None = Field(
        default=None, ge=15, le=LARGEST, description="of hilbert: length of the filter, 4 n + 3; what the band needs where nothing is said")

    def plan(self, x: Signal) -> list[Step]:
        steps: list[Step] = []
        for i, stage in enumerate(self.stages(x)):
            try:
                step = stage.plan(steps[-1].y if steps else x)
            except AppError as mistake:
                path = tuple("smooth_hz" if key == "cutoff_hz" else key for key in mistake.path)
                what, help = (text.replace("cutoff_hz", "smooth_hz") for text in (mistake.what, mistake.help))
                raise AppError(path, what, help) from None
            steps.append(replace(step, sources=(i - 1,)))
        return steps

    def stages(self, x: Signal) -> list[Biquad | Rectify | Analytic]:
        """What it is short for."""
        if self.how == "rectify" and self.taps is not None:
            raise AppError(("taps",), 'taps means nothing to how = "rectify"', 'how = "hilbert"')
        smooth_hz = self.smooth_hz
        if smooth_hz is None and self.how == "rectify":
            smooth_hz = min((self.high_hz - self.low_hz) / 2, self.low_hz)
        band = Biquad(type="bandpass", low_hz=self.low_hz, high_hz=self.high_hz, order=self.order)
        band.plan(x)        # what is wrong with the band is said before what follows from it
        return [
            band,
            Rectify() if self.how == "rectify" else Analytic(taps=self._taps(x)),
            *([Biquad(type="lowpass", cutoff_hz=smooth_hz, order=2)] if smooth_hz is not None else []),
        ]

    def ideal(self, x, blocks):
        for stage, step in zip(self.stages(*x), self.plan(*x)):
            blocks = stage.ideal(step.x, blocks)
        return blocks

    def _taps(self, x: Signal) -> int:
        if self.taps is not None:
            return self.taps
        assert x.sample_hz is not None, "the bandpass takes samples at a rate"
        rate_hz = float(x.sample_hz)
        option = "low_hz" if self.low_hz < rate_hz / 2 - self.high_hz else "high_hz"
        nearest_hz = min(self.low_hz, rate_hz / 2 - self.high_hz)
        taps = max(15, ceil((FINE * rate_hz / nearest_hz - 3) / 4) * 4 + 3)
        if taps > LARGEST:
            least_hz = FINE * rate_hz / LARGEST
            best = ceil(least_hz) if option == "low_hz" else int(rate_hz / 2 - least_hz)
            end = "0" if option == "low_hz" else "half the sample rate"
            raise AppError((option,), f"a band {nearest_hz:g} Hz from {end} needs {taps} taps, {LARGEST} are the most",
                           f'{option} = {best}, or how = "rectify"')
        return taps


BOUND = 4.0  # counts: a sample is rounded two or three times, and |h| grows what the bandpass rounded

AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((32, 3), "int16", Fraction(50), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))

EXAMPLES = [
    (Envelope(low_hz=2000, high_hz=4000), AUDIO),
    (Envelope(low_hz=200, high_hz=400, order=1, smooth_hz=50), THREE_AXES),
    (Envelope(low_hz=2000, high_hz=4000, how="hilbert"), AUDIO),
    (Envelope(low_hz=300, high_hz=500, how="hilbert", smooth_hz=100, taps=31), THREE_AXES),
]
