"""What a recording's file held, before it is fitted to an app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError

MANY = 0.1  # of all values beyond full scale: no longer a loud moment, but a wrong unit


@dataclass(frozen=True, eq=False)
class Content:
    """samples: int16 [n, channels], only the channels asked for.

    rate_hz:   as the file says; None where it says nothing.
    measured:  the rate comes from time stamps, so that it is not exact.
    saturated: values that did not fit int16 and were limited.
    """

    samples: np.ndarray
    rate_hz: Fraction | None = None
    measured: bool = False
    saturated: int = 0
    notes: tuple[str, ...] = ()


def chosen(path: Path, names: Sequence[str], channels: int, channel: int | str | None) -> list[int]:
    """Which of the file's channels (or columns) become the app's, by index.

    channel: a number from 0, or names or numbers with commas, in the app's order; None: the file must hold exactly
    what the app reads.
    """
    named = any(name != str(i) for i, name in enumerate(names))
    if channel is None:
        if len(names) == channels:
            return list(range(channels))
        there = f"of {', '.join(names)}" if named else f"of 0 to {len(names) - 1}"
        raise RecordingError(
            f"{path} has {_count(len(names), named)}, the app reads {channels}",
            f"--channel {','.join(names[:channels])}  ({there})"
            if len(names) > channels
            else "use a recording of every axis that the app reads",
        )
    pick = [word.strip() for word in str(channel).split(",")]
    if len(pick) != channels:
        raise RecordingError(f"--channel picks {len(pick)} of {path}, the app reads {channels}", f"--channel {','.join(names[:channels])}")
    return [_index(path, names, word) for word in pick]


def _index(path: Path, names: Sequence[str], wanted: str) -> int:
    if list(names).count(wanted) > 1:
        raise RecordingError(
            f"{path} has several channels '{wanted}'", f"--channel {list(names).index(wanted)}  (their numbers are unique)"
        )
    if wanted in names:
        return list(names).index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise RecordingError(f"{path} has no channel '{wanted}'", f"--channel {names[0]}  (there are {', '.join(names)})")


def _count(n: int, columns: bool) -> str:
    return f"{n} {'column' if columns else 'channel'}{'' if n == 1 else 's'}"


def counts(real: np.ndarray, scale: float) -> tuple[np.ndarray, int]:
    """Finite real values in counts of `scale`, rounded half up into int16; and how many had to be limited."""
    y = np.floor(real / scale + 0.5)
    saturated = int(np.count_nonzero((y < -32768) | (y > 32767)))
    return np.clip(y, -32768, 32767).astype(np.int16), saturated


def checked_counts(path: Path, real: np.ndarray, scale: float) -> tuple[np.ndarray, int]:
    """counts(), but RecordingError where so many values exceed full scale that their unit must be another one."""
    y, saturated = counts(real, scale)
    if saturated > MANY * real.size:
        raise RecordingError(
            f"{path}: {saturated} of {real.size} values exceed full scale: they reach {np.abs(real).max():g}, it is {32768 * scale:g}",
            "--counts, if the file holds the sensor's integers; else convert it to the app's unit",
        )
    return y, saturated
