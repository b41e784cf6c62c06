"""Values as an app's counts: in its unit, then in its scale, once and for each channel by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.units import Conversion, conversion, is_counts, is_said, read_unit
from tinystream.io.wanted import How, Wanted

MANY = 0.1  # of all values beyond full scale: no longer a loud moment, but a wrong unit
SAME = Conversion(1, 0)


def counts_of(path: Path, values: np.ndarray, units: tuple[str, ...], wanted: Wanted, how: How) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """Finite float64 [n, channels] as int16, rounded half up; how many values had to be limited; and what was converted."""
    names = wanted.names or tuple(map(str, range(wanted.channels)))
    y = np.empty(values.shape, np.int16)
    saturated, told = 0, []
    for i, (unit, step, scale) in enumerate(ways_of(path, units, wanted, how)):
        with np.errstate(over="ignore"):
            real = values[:, i] * step.factor + step.offset if step != SAME else values[:, i]
        y[:, i], beyond = counts(real, scale)
        if beyond > MANY * len(real):
            raise _beyond(path, names[i] if wanted.channels > 1 else "", real, beyond, scale, unit)
        saturated += beyond
        if step != SAME:
            told.append((names[i], unit, wanted.units[i]))
    return y, saturated, _notes(told, wanted.channels)


class Way(NamedTuple):
    """From a value in `unit`, "" where none is stated, to counts: converted, then in steps of scale."""

    unit: str
    step: Conversion
    scale: float


def ways_of(path: Path, units: tuple[str, ...], wanted: Wanted, how: How) -> list[Way]:
    """How each channel becomes counts; RecordingError where its unit cannot become the app's."""
    names = wanted.names or tuple(map(str, range(wanted.channels)))
    found = []
    for i, unit in enumerate(_stated(path, units, wanted, how)):
        integers = how.counts or is_counts(unit)
        step = SAME if integers else _converted(path, names[i], unit, wanted.units[i])
        found.append(Way(unit, step, 1.0 if integers else wanted.scales[i]))
    return found


def counts(real: np.ndarray, scale: float) -> tuple[np.ndarray, int]:
    """Finite real values in counts of `scale`, rounded half up into int16; and how many had to be limited."""
    with np.errstate(over="ignore"):
        y = np.floor(real / scale + 0.5)
    saturated = int(np.count_nonzero((y < -32768) | (y > 32767)))
    return np.clip(y, -32768, 32767).astype(np.int16), saturated


def _stated(path: Path, units: tuple[str, ...], wanted: Wanted, how: How) -> Sequence[str]:
    if how.unit is None:
        return [unit if is_said(unit) else "" for unit in units] or [""] * wanted.channels
    given = [unit.strip() for unit in how.unit.split(",")]
    if len(given) == 1:
        given *= wanted.channels
    if len(given) != wanted.channels:
        raise RecordingError(f"--unit gives {len(given)} units for {wanted.channels} channels of {path}", "one for all, or one for each")
    for unit in given:
        if not (is_counts(unit) or read_unit(unit) or unit in wanted.units):
            raise RecordingError(f"--unit {unit} is no unit that is known here", "such as m/s2, mg, g, rad/s, dps, °C, K, %, lux, hPa")
    return given


def _converted(path: Path, name: str, unit: str, wanted: str) -> Conversion:
    if not unit or not wanted:
        return SAME
    step = conversion(unit, wanted)
    if step is None:
        known = read_unit(unit)
        what = f"is {known.dimension} in '{unit}'" if known else f"is in '{unit}', which is no unit that is known here"
        help = f"--unit {wanted}, if the file is wrong about it; --counts, if it holds the sensor's integers; --channel takes other columns"
        raise RecordingError(f"{path}: channel '{name}' {what}, the app reads {wanted}", help)
    return step


def _beyond(path: Path, name: str, real: np.ndarray, beyond: int, scale: float, unit: str) -> RecordingError:
    where = f" of '{name}'" if name else ""
    return RecordingError(
        f"{path}: {beyond} of {real.size} values{where} exceed full scale: they reach {np.abs(real).max():g}, it is {32768 * scale:g}",
        "a source with a larger range"
        if unit
        else "--unit says what they are in, such as --unit m/s2; --counts, if they are the sensor's integers",
    )


def _notes(told: list[tuple[str, str, str]], channels: int) -> tuple[str, ...]:
    """One sentence for all channels that came from one unit to another."""
    pairs = dict.fromkeys((unit, wanted) for _, unit, wanted in told)
    notes = []
    for unit, wanted in pairs:
        names = [name for name, u, w in told if (u, w) == (unit, wanted)]
        whose = "" if len(names) == channels else f"{', '.join(names)} "
        notes.append(f"{whose}converted from {unit} to {wanted}")
    return tuple(notes)
