"""Energy of a spectrum in bands of frequency.

    y[b] = E(high[b]) - E(low[b]),   E(u) = sum of x[i] for i < u, the last bin by the part of it that lies below u

An edge cuts a bin in two, and each band gets its part: bin i reaches from (i - 1/2) bin_hz to (i + 1/2) bin_hz, the first and the
last one only inwards, and its power lies evenly in it.  So bands that meet lose nothing and count nothing twice, and those from 0
to half the sample rate sum up to all bins.  In integers, edges are Q15 of a bin, u = 2**15 i + part:

    y = sum_{i = a}^{b-1} x[i] + ((x[b] part_b - x[a] part_a + 2**14) >> 15),   a, b = the bins that the edges cut

Where a frequency lies, p = round(2**15 hz / bin_hz):  u = p + 2**14, but 2 p below half a bin, and alike at the other end.

Of a spectrum [channels, bins] each channel has its own bands, y is [channels, bands].  A sine of amplitude a, of a whole number of
periods and without a window, gives a**2 / 4: `spectrum` has one side of two.  Unit and scale of y are those of x; with `log` a stage
`log` follows.  The bins of a spectrum are at most 2**46, so products have 61 bits and sums 58; any other input is taken modulo 2**64.

Source: ours; the sum of a power spectral density over a band, Bendat and Piersol, Random Data, 4th ed., §5.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.log import Log

LogUnit = Literal["log2", "ln", "db"] | None
LOG_UNIT = "octaves, natural logarithm or decibels, with log = true; log2 where nothing is said"
FLOOR_DB = "with log = true, what is quieter is held here; dB of the real value 1; -100 where nothing is said"


class Bands(Stage):
    """Energy of a spectrum in bands of frequency."""

    edges_hz: tuple[float, ...] | None = Field(default=None, description="where one band ends and the next begins, rising")
    bands: tuple[tuple[float, float], ...] | None = Field(
        default=None, description="instead of edges_hz: [low, high] of each band in Hz; they may overlap and leave gaps")
    log: bool = Field(default=False, description="logarithms, int16, as stage 'log' gives them; otherwise energies, int64")
    unit: LogUnit = Field(default=None, description=LOG_UNIT)
    floor_db: float | None = Field(default=None, description=FLOOR_DB)

    def plan(self, x: Signal) -> Step | list[Step]:
        check_spectrum("bands", x)
        bands = self._bands()
        for option, (low_hz, high_hz) in bands:
            check_range(option, low_hz, high_hz, x)
        ranges = [[edges] for _, edges in bands]
        names = ", ".join(f"{low_hz:g}-{high_hz:g}" for _, (low_hz, high_hz) in bands)
        return logged(sums(x, ranges, f"energy of {names} Hz"), self.log, self.unit, self.floor_db)

    def ideal(self, x, blocks):
        energies = np.stack([energy(x[0], blocks, *edges) for _, edges in self._bands()], axis=-1)
        return logged_ideal(replace(x[0], bin_hz=None), energies, self.log, self.unit, self.floor_db)

    def _bands(self) -> list[tuple[str, tuple[float, float]]]:
        """Each band, with the option that it is from."""
        if self.edges_hz is not None and self.bands is not None:
            raise AppError(("bands",), "edges_hz and bands exclude each other", "leave one of them out")
        if self.bands:
            return [("bands", edges) for edges in self.bands]
        edges = self.edges_hz or ()
        if len(edges) < 2:
            raise AppError(("edges_hz",) if self.edges_hz is not None else (), "stage 'bands' needs two edges at least",
                           "edges_hz = [10, 100, 1000]")
        return [("edges_hz", band) for band in pairwise(edges)]


BOUND = 1.0, 2.0**-13  # counts and relative: an edge is rounded to 2**-16 of a bin, where bins are alike; see the docstring
BATCHED = True


# --- what stages that sum over a spectrum have in common ------------------------------------------------------


def check_spectrum(kind: str, x: Signal) -> None:
    if x.dtype != "int64" or x.zero or len(x.shape) not in (1, 2) or x.bin_hz is None:
        raise AppError((), f"stage '{kind}' reads the bins of a spectrum, and is given {x}", 'kind = "spectrum" above it')


def check_range(option: str, low_hz: float, high_hz: float, x: Signal, name: str = "band") -> None:
    """Within the spectrum, in order, and no narrower than a bin."""
    top_hz, bin_hz = half_rate_hz(x), float(x.bin_hz or 0)
    where = f"{name} {low_hz:g} to {high_hz:g} Hz"
    if low_hz < 0 or high_hz > top_hz:
        raise AppError((option,), f"{where} does not lie between 0 and half the sample rate, {top_hz:g} Hz",
                       f"no edge above {top_hz:g}" if low_hz >= 0 else "no edge below 0")
    if low_hz >= high_hz:
        raise AppError((option,), f"{where} ends before it begins", "edges that rise")
    if high_hz - low_hz < bin_hz:
        raise AppError((option,), f"{where} is narrower than a bin of the spectrum, {bin_hz:g} Hz",
                       f"edges {bin_hz:g} Hz apart, or a longer frame before the spectrum")


def half_rate_hz(x: Signal) -> float:
    """Where the last bin of a spectrum lies."""
    assert x.bin_hz is not None, "plan() refused what is no spectrum"
    return float(x.bin_hz * (x.shape[-1] - 1))


def sums(x: Signal, ranges: Sequence[Sequence[tuple[float, float]]], says: str) -> Step:
    """The step that gives, for each output, the energy in one or more ranges of Hz."""
    assert x.bin_hz is not None, "plan() refused what is no spectrum"
    bins, each = x.shape[-1], [edges for group in ranges for edges in group]
    low, high = (position(np.array([edge_place(edges[i], x) for edges in each], np.int64), bins) for i in (0, 1))
    channels = x.size // bins
    covered = int(((high - low) >> 15).sum()) + 2 * len(each)
    return Step(
        module=__name__,
        x=(x,),
        y=Signal((*x.shape[:-1], len(ranges)), "int64", x.rate_hz, x.scale, unit=x.unit),
        params=dict(channels=channels, bins=bins, bands=len(ranges)),
        tables=dict(ranges=np.array([len(group) for group in ranges], np.uint16), low=low.astype(np.int32), high=high.astype(np.int32)),
        cost=dict(mul64=2 * channels * len(each), add=2 * channels * covered, mem=2 * channels * covered),
        says=says,
    )


def edge_place(hz: float, x: Signal) -> int:
    """A frequency in bins, Q15."""
    assert x.bin_hz is not None, "plan() refused what is no spectrum"
    return round(Fraction(hz) / x.bin_hz * 2**15)


def position(p, bins: int):
    """u of a frequency that lies p / 2**15 bins above 0, 0 <= p <= 2**15 (bins - 1)."""
    last = (bins - 1) << 15
    return np.where(p < 1 << 14, 2 * p, np.where(p > last - (1 << 14), (bins << 15) - 2 * (last - p), p + (1 << 14)))


def between(x, low: int, high: int):
    """Energy of spectra x [..., bins] (uint64) from u = low to u = high."""
    a, b = low >> 15, high >> 15
    cut = np.zeros(x.shape[:-1], np.uint64)
    for at, part, sign in [(b, high & 0x7FFF, 1), (a, low & 0x7FFF, -1)]:
        if part:
            product = x[..., at] * np.uint64(part)
            cut = cut + product if sign > 0 else cut - product
    whole = x[..., a:b].sum(-1, dtype=np.uint64)
    return whole.view(np.int64) + ((cut + np.uint64(1 << 14)).view(np.int64) >> 15)


def energy(x: Signal, blocks: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """The textbook: spectra [..., bins] in real units, bins as rectangles that an edge cuts."""
    assert x.bin_hz is not None, "plan() refused what is no spectrum"
    bins = x.shape[-1]
    walls = np.concatenate([[0], np.arange(bins - 1) + 0.5, [bins - 1]]) * float(x.bin_hz)
    part = np.clip((high_hz - walls[:-1]) / np.diff(walls), 0, 1) - np.clip((low_hz - walls[:-1]) / np.diff(walls), 0, 1)
    return blocks @ part


def logged(step: Step, log: bool, unit: LogUnit, floor_db: float | None) -> Step | list[Step]:
    """A step that gives energies, and a `log` behind it where one is wanted."""
    if not log:
        for option, value in [("unit", unit), ("floor_db", floor_db)]:
            if value is not None:
                raise AppError((option,), f"{option} is that of a logarithm, and energies are wanted", "log = true")
        return step
    behind = as_log(unit, floor_db).plan(step.y)
    return [step, replace(behind, sources=(0,))]


def as_log(unit: LogUnit, floor_db: float | None) -> Log:
    return Log(unit=unit or "log2", floor_db=-100.0 if floor_db is None else floor_db)


def logged_ideal(x: Signal, energies: np.ndarray, log: bool, unit: LogUnit, floor_db: float | None) -> np.ndarray:
    return as_log(unit, floor_db).ideal((x,), energies) if log else energies


def run(k, s, x):
    x = x.astype(np.uint64)
    y, at = np.zeros((*x.shape[:-1], k.bands), np.int64), 0
    for b, count in enumerate(k.ranges.tolist()):
        for low, high in zip(k.low[at : at + count].tolist(), k.high[at : at + count].tolist()):
            y[..., b] += between(x, low, high)
        at += count
    return y


def inputs(x, rng, count):
    """Spectra: bins from zero up with a sum of at most 2**46, as Parseval has it; silence, each end alone, then every loudness."""
    shape = x[0].shape
    share = rng.uniform(0.2, 1, (count, *shape))
    loud = 2.0 ** rng.uniform(12, 46, (count, *[1] * len(shape)))
    bins = (share / share.sum(-1, keepdims=True) * loud).astype(np.int64)
    bins[:4] = 0
    bins[1] = (1 << 46) // shape[-1]
    bins[2, ..., 0] = bins[3, ..., -1] = 1 << 46
    return [bins]


def spectra(size: int, *channels: int, rate_hz: int = 16000) -> Signal:
    return Signal((*channels, size // 2 + 1), "int64", Fraction(25), 2.0**-46, unit="FS²", bin_hz=Fraction(rate_hz, size))


EXAMPLES = [
    (Bands(edges_hz=(0, 100, 1234.5, 4000, 8000)), spectra(512)),
    (Bands(bands=((50, 200), (100, 700), (750, 800))), spectra(256, 3, rate_hz=1600)),
    (Bands(edges_hz=(10, 50, 100, 200, 400, 800), log=True), spectra(512, 3, rate_hz=1600)),
    (Bands(bands=((0, 8000),), log=True, unit="db", floor_db=-120), spectra(64)),
]
