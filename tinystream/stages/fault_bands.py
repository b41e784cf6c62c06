"""Energy at the fault frequencies of a rolling bearing, usually of the spectrum of an envelope.

With N balls of diameter d on a pitch circle of diameter D, contact angle a, r = d / D cos a, outer ring at rest, shaft at f:

    bpfo = N f / 2 (1 - r)          a fault of the outer ring, passed by each ball
    bpfi = N f / 2 (1 + r)          of the inner ring
    bsf  = f D / (2 d) (1 - r**2)   of a ball, which meets one ring
    bsf2 = 2 bsf                    of a ball, which meets both rings
    ftf  = f / 2 (1 - r)            of the cage

A value is the energy, summed over harmonics h = 1 .. `harmonics`, from h F - t to h F + t, as `bands` sums it (its kernel does it); t is
`tolerance` h F, or `tolerance_hz`; where neither is said, h F / 50, and one bin at least.  Balls slide: frequencies are 1 to 2 % off
what geometry says.

how = "ratio" compares them with what is around, so that loudness and gain fall out: decibels, int16 in 2**-7 dB,

    y = 10 log10((16 in + p) / (16 around + q) q / p),   p = 256 w_in,  q = 256 w_around

in is the energy within, w_in its width in bins; around is the same from h F - around t to h F + around t without the inner part, as
far as it lies between 0 and half the sample rate.  p and q stand for 16 counts a bin, as much as int16 samples' own rounding
gives: silence is 0 dB, not noise over noise.  Logarithms are log2_q16's.  y is [faults], or [channels, faults].

Source: Randall and Antoni, Rolling element bearing diagnostics: a tutorial, Mech. Syst. Signal Process. 25 (2011), eq. 1-4; the
integers are ours.
"""

from __future__ import annotations

from dataclasses import replace
from math import cos, log2, log10, pi, radians
from typing import Any, Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import LOG2_TABLE, log2_q16, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages import bands
from tinystream.stages.bands import FLOOR_DB, LOG_UNIT, LogUnit, check_spectrum, energy, half_rate_hz, logged, logged_ideal, spectra, sums

Fault = Literal["bpfo", "bpfi", "bsf", "bsf2", "ftf"]
Range = tuple[float, float]
FRACTION = 7       # bits of y: 256 dB either way; log2 of an int64 is below 190 dB, and what is around at most 99 times as wide
PAD = 16           # counts a bin


class FaultBands(Stage):
    """Energy at the fault frequencies of a rolling bearing, usually of the spectrum of an envelope."""

    balls: int = Field(ge=3, le=200, description="rolling elements in one row")
    ball_diameter_mm: float = Field(gt=0, description="diameter of a ball or roller")
    pitch_diameter_mm: float = Field(gt=0, description="diameter of the circle on which their centres run")
    contact_deg: float = Field(default=0.0, ge=0, lt=90, description="contact angle; 0 of a deep groove bearing under radial load")
    shaft_hz: float | None = Field(default=None, gt=0, description="turns of the inner ring per second")
    rpm: float | None = Field(default=None, gt=0, description="instead of shaft_hz: turns per minute")
    faults: tuple[Fault, ...] = Field(
        default=("bpfo", "bpfi", "bsf", "ftf"), min_length=1, description="which frequencies, in the order of the output")
    harmonics: int = Field(default=3, ge=1, le=64, description="multiples of each that are summed, from the first")
    tolerance: float | None = Field(
        default=None, gt=0, lt=0.5,
        description="half the width at a harmonic, of its frequency; where nothing is said 0.02, and a bin at least")
    tolerance_hz: float | None = Field(default=None, gt=0, description="instead of tolerance: half the width at every harmonic")
    how: Literal["energy", "ratio"] = Field(default="energy", description="the energy itself, or decibels above what is around")
    around: float = Field(default=4.0, ge=1.5, le=100, description="of a ratio: how far around, in tolerances")
    log: bool = Field(default=False, description="of energies: logarithms, int16, as stage 'log' gives them")
    unit: LogUnit = Field(default=None, description=LOG_UNIT)
    floor_db: float | None = Field(default=None, description=FLOOR_DB)

    def plan(self, x: Signal) -> Step | list[Step]:
        check_spectrum("fault_bands", x)
        within = self._within(x)
        frequencies = self.frequencies_hz()
        names = ", ".join(f"{fault} {frequencies[fault]:.5g} Hz" for fault in self.faults)
        if self.how == "energy":
            return logged(sums(x, within, f"{self.harmonics} harmonics of {names}"), self.log, self.unit, self.floor_db)
        for option in ("log", "unit", "floor_db"):
            if getattr(self, option) not in (None, False):
                raise AppError((option,), f'{option} is that of energies, and how = "ratio" is in decibels already', 'how = "energy"')
        summed = sums(x, [*within, *self._beyond(x)], f"{self.harmonics} harmonics of {', '.join(self.faults)}, and around them")
        return [summed, self._compared(x, summed.y, f"dB above what is around, of {names}")]

    def frequencies_hz(self) -> dict[str, float]:
        """Every fault frequency there is."""
        shaft_hz, n, d, pitch = self._shaft_hz(), self.balls, self.ball_diameter_mm, self.pitch_diameter_mm
        if d >= pitch:
            raise AppError(("ball_diameter_mm",), f"ball_diameter_mm = {d:g} is not below pitch_diameter_mm = {pitch:g}")
        if n * d >= pi * pitch:
            raise AppError(("balls",), f"{n} balls of {d:g} mm do not fit on a circle of {pitch:g} mm",
                           f"balls = {int(0.95 * pi * pitch / d)}")
        r = d / pitch * cos(radians(self.contact_deg))
        bsf = shaft_hz * pitch / (2 * d) * (1 - r * r)
        return dict(bpfo=n * shaft_hz / 2 * (1 - r), bpfi=n * shaft_hz / 2 * (1 + r), bsf=bsf, bsf2=2 * bsf, ftf=shaft_hz / 2 * (1 - r))

    def ideal(self, x, blocks):
        bare = replace(x[0], bin_hz=None)
        inner = total(x[0], blocks, self._within(x[0]))
        if self.how == "energy":
            return logged_ideal(bare, inner, self.log, self.unit, self.floor_db)
        beyond = self._beyond(x[0])
        wide, far = width(x[0], self._within(x[0])), width(x[0], beyond)
        least = PAD * x[0].scale
        around = np.maximum(total(x[0], blocks, beyond) - inner, 0)         # float64's own rounding
        return 10 * np.log10((inner / wide + least) / (around / (far - wide) + least))

    def _shaft_hz(self) -> float:
        if (self.shaft_hz is None) == (self.rpm is None):
            what = "shaft_hz or rpm is needed" if self.rpm is None else "shaft_hz and rpm exclude each other"
            raise AppError(() if self.rpm is None else ("rpm",), what, "shaft_hz = 25" if self.rpm is None else "leave one of them out")
        return self.shaft_hz if self.shaft_hz is not None else (self.rpm or 0) / 60

    def _half_width_hz(self, harmonic_hz: float, bin_hz: float) -> float:
        if self.tolerance is not None and self.tolerance_hz is not None:
            raise AppError(("tolerance_hz",), "tolerance and tolerance_hz exclude each other", "leave one of them out")
        if self.tolerance_hz is not None:
            return self.tolerance_hz
        return max(0.02 * harmonic_hz, bin_hz) if self.tolerance is None else self.tolerance * harmonic_hz

    def _within(self, x: Signal) -> list[list[Range]]:
        """For each fault, the ranges around its harmonics, in Hz."""
        frequencies = self.frequencies_hz()
        return [[self._range(fault, frequencies[fault], h, x) for h in range(1, self.harmonics + 1)] for fault in self.faults]

    def _range(self, fault: str, fault_hz: float, harmonic: int, x: Signal) -> Range:
        centre_hz, top_hz, bin_hz = harmonic * fault_hz, half_rate_hz(x), float(x.bin_hz or 0)
        half_hz = self._half_width_hz(centre_hz, bin_hz)
        option = "tolerance" if self.tolerance_hz is None else "tolerance_hz"
        name = f"harmonic {harmonic} of {fault}, {centre_hz:.5g} Hz"
        if centre_hz + half_hz > top_hz:
            raise AppError(("harmonics",), f"{name}, lies beyond half the sample rate, {top_hz:g} Hz",
                           f"harmonics = {harmonic - 1}" if harmonic > 1 else
                           f"a source of more than {2 * (centre_hz + half_hz):.5g} samples per second")
        if 2 * half_hz < bin_hz:
            least = bin_hz / 2 if option == "tolerance_hz" else bin_hz / 2 / centre_hz
            raise AppError((option,), f"{name} ± {half_hz:.3g} Hz is narrower than a bin of the spectrum, {bin_hz:.4g} Hz",
                           f"{option} = {rounded_up(least):g}, or a longer frame before the spectrum")
        if (half_hz > fault_hz / 2 * (1 + 1e-9) and self.harmonics > 1) or half_hz >= centre_hz:
            most = 0.99 * (fault_hz / 2 if option == "tolerance_hz" else 1 / (2 * self.harmonics))
            fits = 2 * most * (1 if option == "tolerance_hz" else centre_hz) > bin_hz
            raise AppError((option,), f"{name} ± {half_hz:.4g} Hz overlaps the next harmonic",
                           f"{option} = {most:.2g}" if fits else f"a longer frame before the spectrum, whose bins are {bin_hz:.4g} Hz")
        return centre_hz - half_hz, centre_hz + half_hz

    def _beyond(self, x: Signal) -> list[list[Range]]:
        """The same ranges, with what is around them."""
        wider = []
        for group in self._within(x):
            centres = [((low + high) / 2, (high - low) / 2) for low, high in group]
            wider.append([(max(0.0, c - self.around * half), min(half_rate_hz(x), c + self.around * half)) for c, half in centres])
        return wider

    def _compared(self, x: Signal, y: Signal, says: str) -> Step:
        """The step that sets the first half of all sums against the second."""
        inner, outer = width(x, self._within(x)), width(x, self._beyond(x))
        pads = np.maximum(np.rint(PAD * 16 * np.array([inner, outer - inner])), 1).astype(np.int32)
        multiplier = round(10 * log10(2) * 2.0 ** (FRACTION + 20 - 16))
        return Step(
            module=__name__,
            x=(y,),
            y=Signal((*y.shape[:-1], len(self.faults)), "int16", y.rate_hz, 2.0**-FRACTION, unit="dB"),
            params=dict(channels=y.size // y.shape[-1], faults=len(self.faults), multiplier=multiplier),
            tables=dict(pad=pads, offset=np.array([round(2**16 * log2(q / p)) for p, q in pads.T.tolist()], np.int32), log2=LOG2_TABLE),
            sources=(0,),
            cost=dict(mul64=3 * y.size, add=40 * y.size, mem=8 * y.size),
            says=says,
        )


BOUND = 20.0, 2.0**-13  # counts: half a count of x a range, where each has 16 a bin at least, is 0.13 dB, 17 counts; relative: see bands
BATCHED = True


def rounded_up(value: float) -> float:
    """To two digits, and no less."""
    step = 10 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / step * (1 - 1e-12)) * step)


def total(x: Signal, blocks: np.ndarray, ranges: list[list[Range]]) -> np.ndarray:
    return np.stack([sum(energy(x, blocks, *edges) for edges in group) for group in ranges], axis=-1)


def width(x: Signal, ranges: list[list[Range]]) -> np.ndarray:
    """Of each group, in bins."""
    return np.array([sum(high - low for low, high in group) for group in ranges]) / float(x.bin_hz or 1)


def run(k, s, x):
    inner, outer = x[..., : k.faults], x[..., k.faults :]
    octaves = log2_q16(k.log2, inner * 16 + k.pad[0]) - log2_q16(k.log2, (outer - inner) * 16 + k.pad[1]) + k.offset
    return rshift(octaves * k.multiplier, 20).astype(np.int16)


def inputs(x, rng, count):
    return bands.inputs(x, rng, count)


def bearing(**options: Any) -> FaultBands:
    """A 6205 of SKF, whose figures every tutorial has."""
    return FaultBands(**{"balls": 9, "ball_diameter_mm": 7.94, "pitch_diameter_mm": 39.04, "shaft_hz": 29.5, **options})


EXAMPLES = [
    (bearing(tolerance_hz=2), spectra(2048, rate_hz=3200)),
    (bearing(contact_deg=15, harmonics=2, faults=("bsf2", "bpfo"), log=True, unit="db"), spectra(4096, 2, rate_hz=3200)),
    (bearing(harmonics=5, tolerance_hz=1, how="ratio", faults=("bpfo", "bpfi", "bsf", "bsf2", "ftf")), spectra(4096, rate_hz=3200)),
    (bearing(shaft_hz=50, harmonics=1, tolerance=0.05, how="ratio", around=20, faults=("bpfi", "ftf", "bpfo")),
     spectra(4096, 3, rate_hz=3200)),
]
