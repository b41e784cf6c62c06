"""Time stamps: the rate that they measure, how even they are, and where samples are missing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinystream.errors import RecordingError

GAP = 1.75  # of the median interval: a sample is missing, or late
NEAR = 32  # stamps on either side that tell a sample that is missing from one that is late
LONGEST = 1e10  # s, three centuries
UNEVEN = 0.02  # of an interval, rms: what is less is not worth a word


@dataclass(frozen=True, eq=False)
class Stamps:
    """When samples were taken: a stamp a sample, or one a record of several.

    ticks: float64 [m], as they are in the file; per_s of them a second.
    first: index of the sample that each stamp belongs to, rising.
    place: where stamp i is, for people, such as "line 17".
    guessed: per_s is what is usual, the file does not say it.
    """

    ticks: np.ndarray
    per_s: float
    first: np.ndarray
    place: Callable[[int], str]
    guessed: bool = False


class Gap(NamedTuple):
    """missing: samples before sample `at`, in a pause of `seconds` before stamp number `stamp`."""

    at: int
    missing: int
    seconds: float
    stamp: int


class Measured(NamedTuple):
    """jitter_ms: how far stamps stray from even ones, rms; 0 where no more than their rounding explains."""

    rate_hz: Fraction
    jitter_ms: float
    gaps: tuple[Gap, ...]


def measured(path: Path, stamps: Stamps) -> Measured:
    """Rate by least squares over the longest stretch without a gap, since single stamps are rounded or late.

    A long interval is a gap only where the stamps after it stay behind: after a late one they catch up.
    """
    t, at = stamps.ticks, stamps.first
    _check(path, stamps)
    interval = np.diff(t) / np.diff(at)
    grain = 1.0 if (t == np.floor(t)).all() else 0.0  # whole ticks: an interval may be one longer by rounding
    suspects = np.flatnonzero(np.diff(t) > GAP * np.median(interval) * np.diff(at) + grain) + 1
    period = _fit(t, at, suspects)[0]
    for _ in range(2):  # the second time by a period that no gap has stretched
        lost = _lost(t - period * at, at, suspects, period)
        real = suspects[lost > 0]
        period, strays = _fit(t, at, real)
    if not 0 < period < np.inf or stamps.per_s / period < 1e-6:
        raise RecordingError(f"{path}: its time stamps are more than 11 days apart", "remove the column: the app's rate is taken then")
    rate_hz = Fraction(stamps.per_s / period)
    jitter = strays if strays > max(0.4 * grain, UNEVEN * period) else 0.0
    gaps = [Gap(int(at[i]), int(n), float(t[i] - t[i - 1]) / stamps.per_s, int(i)) for i, n in zip(real, lost[lost > 0])]
    return Measured(rate_hz.limit_denominator(1000 if rate_hz > 1 else 10**6), 1000 * jitter / stamps.per_s, tuple(gaps))


def in_their_unit(stamps: Stamps, found: Fraction, wanted_hz: Fraction | None) -> tuple[Stamps, tuple[str, ...]]:
    """The stamps in another unit than the usual one, with a note, where in that one alone they give the app's rate."""
    if not stamps.guessed or wanted_hz is None:
        return stamps, ()
    for per_s, name in ((1, "s"), (10**3, "ms"), (10**6, "us"), (10**9, "ns")):
        if per_s != stamps.per_s and abs(found * per_s / Fraction(stamps.per_s) - wanted_hz) <= wanted_hz / 50:
            return replace(stamps, per_s=per_s), (f"its time stamps are taken as {name}: so they fit the app's rate",)
    return stamps, ()


def _check(path: Path, stamps: Stamps) -> None:
    t = stamps.ticks
    step = np.diff(t)
    if len(t) < 2 or not t[-1] > t[0]:
        what = f"{path}: its time stamps span no time, so that they give no rate"
        raise RecordingError(what, "remove the column: the app's rate is taken then")
    if t[-1] - t[0] > LONGEST * stamps.per_s:
        raise RecordingError(f"{path}: its time stamps span {(t[-1] - t[0]) / stamps.per_s:.3g} s: they are no times", "remove the column")
    if (step < 0).any():
        i = int(np.argmax(step < 0)) + 1
        raise RecordingError(
            f"{path}, {stamps.place(i)}: the time stamp goes back from {t[i - 1]:.10g} to {t[i]:.10g}",
            "sort the rows, or cut the file where the clock was set",
        )


def _fit(t: np.ndarray, at: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    """Ticks a sample over the longest stretch between two edges, and by how much its stamps stray, rms."""
    start, end = max(itertools.pairwise([0, *edges, len(t)]), key=lambda run: run[1] - run[0])
    if end - start < 2 or t[end - 1] <= t[start]:
        start, end = 0, len(t)
    x, y = at[start:end] - at[start:end].mean(), t[start:end] - t[start:end].mean()
    slope = float(x @ y / (x @ x))
    return slope, float(np.sqrt(np.mean((y - slope * x) ** 2))) if end - start > 2 else 0.0


def _lost(late: np.ndarray, at: np.ndarray, suspects: np.ndarray, period: float) -> np.ndarray:
    """Samples missing before each suspect: by how much the stamps after it are behind those before it.

    Both the earliest must be, since those that are late catch up, and the median, since those that stray come back.
    late: stamps less the even ones.  Of records, whole ones are missing.
    """
    lost, previous = np.zeros(len(suspects), np.int64), 0
    for k, i in enumerate(suspects):
        before, after = late[max(previous, i - NEAR) : i], late[i : i + NEAR]
        behind = min(after.min() - before.min(), np.median(after) - np.median(before)) / period
        whole = int(at[i] - at[i - 1])
        lost[k] = max(0, round(min(behind / whole, 2.0**40))) * whole
        previous = i if lost[k] else previous
    return lost


def stray(found: Measured) -> tuple[str, ...]:
    """A note on uneven stamps."""
    if not found.jitter_ms:
        return ()
    return (f"its time stamps stray by {found.jitter_ms:.3g} ms rms from even ones: samples are taken as evenly spaced",)
