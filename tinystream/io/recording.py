"""Recordings: int16 samples at the app's rate, or an error that says how to get there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.arrays import read_array
from tinystream.io.content import Content
from tinystream.io.sound import read_sound
from tinystream.io.table import read_table
from tinystream.io.truth import truth_path

EXTENSIONS = (".wav", ".flac", ".csv", ".npy", ".npz")
NEAR = Fraction(1, 100)  # time stamps this close to the app's rate are its rate: sensors' clocks are seldom better
LONGEST_FILTER = 100_000  # up and down factor of a resampling


@dataclass(frozen=True, eq=False)
class Recording:
    """What one file holds, as an app reads it.

    samples:   int16, [n] for one channel, [n, channels] for more.
    clipped:   samples at either rail, -32768 or 32767: the sensor, or a conversion, may have cut them.
    saturated: samples beyond int16 that were limited while the file was read or resampled.
    truth:     the file beside it that says what is to be detected, if there is one (see io/truth.py).
    notes:     what was assumed or converted, a sentence each, for people.
    """

    path: Path
    samples: np.ndarray
    rate_hz: Fraction
    clipped: int
    saturated: int
    truth: Path | None
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return float(len(self.samples) / self.rate_hz)


def read_recording(
    path: str | Path,
    *,
    rate_hz: Fraction | None,
    channels: int,
    channel: int | str | None = None,
    resample: bool = False,
    scale: float = 2.0**-15,
) -> Recording:
    """One file as the app wants it; RecordingError where that would need a guess.

    rate_hz: the app's; None takes the file's own, which then must be known.
    channel: channels or columns to take, in the app's order: numbers from 0, or names, with commas between them.
    scale:   real value of one count, for tables and arrays of floats; 1 where they hold counts.  Sound files have
             their own full scale, int16 arrays are counts.
    """
    path = Path(path)
    content = _read(_regular(path), channels, channel, scale)
    if not len(content.samples):
        raise RecordingError(f"{path} holds no samples", "record it again")
    content, rate_hz = _at_rate(path, content, rate_hz, resample)
    x, notes = content.samples, content.notes
    if content.saturated:
        notes = (*notes, f"{content.saturated} of {x.size} values exceeded full scale and were limited")
    clipped = int(np.count_nonzero((x == 32767) | (x == -32768)))
    x = np.ascontiguousarray(x[:, 0] if channels == 1 else x)
    return Recording(path, x, rate_hz, clipped, content.saturated, truth_path(path), notes)


def find_recordings(paths: Iterable[str | Path]) -> list[Path]:
    """Files as they are named, and all recordings inside the folders, sorted within each; each file once.

    A folder's hidden files and folders are left out.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            found[_regular(path)] = None
            continue
        inside = sorted(Path(folder, name) for folder, name in _walk(path))
        if not inside:
            raise RecordingError(f"folder {path} holds no recording", f"put files in it that end in {', '.join(EXTENSIONS)}")
        found.update(dict.fromkeys(inside))
    return list(found)


def _walk(folder: Path) -> Iterable[tuple[str, str]]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from ((here, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS)


def _regular(path: Path) -> Path:
    try:
        if not path.exists():
            raise RecordingError(f"{path} does not exist", "check the name, and the folder that you are in")
        if path.is_dir():
            raise RecordingError(f"{path} is a folder", f"name a file that ends in {', '.join(EXTENSIONS)}")
        if not path.is_file():
            raise RecordingError(f"{path} is not a regular file", "a live source is read by `tinystream run`")
        if path.suffix.lower() not in EXTENSIONS:
            raise RecordingError(f"{path} is of an unknown kind '{path.suffix}'", f"convert it: {', '.join(EXTENSIONS)} are read")
        if not path.stat().st_size:
            raise RecordingError(f"{path} is empty", "record it again")
    except OSError as e:
        raise _unreadable(path, e) from None
    return path


def _read(path: Path, channels: int, channel: int | str | None, scale: float) -> Content:
    try:
        match path.suffix.lower():
            case ".csv":
                return read_table(path, channels, channel, scale)
            case ".npy" | ".npz":
                return read_array(path, channels, channel, scale)
            case _:
                return read_sound(path, channels, channel)
    except OSError as e:
        raise _unreadable(path, e) from None


def _unreadable(path: Path, e: OSError) -> RecordingError:
    return RecordingError(f"{path} cannot be read: {(e.strerror or str(e)).lower()}", "check its permissions")


def _at_rate(path: Path, content: Content, rate_hz: Fraction | None, resample: bool) -> tuple[Content, Fraction]:
    """The content at the app's rate, and that rate."""
    here = content.rate_hz
    if here is None:
        if rate_hz is None:
            raise RecordingError(f"{path} does not say its rate", "give rate_hz")
        return replace(content, notes=(*content.notes, f"it does not say its rate: taken as {hz(rate_hz)}")), rate_hz
    if rate_hz is None or here == rate_hz:
        return content, here
    if content.measured and abs(here - rate_hz) <= NEAR * rate_hz:
        return replace(content, notes=(*content.notes, f"its time stamps measure {hz(here)}: taken as {hz(rate_hz)}")), rate_hz
    if not resample:
        raise RecordingError(f"{path} is at {hz(here)}, the app reads {hz(rate_hz)}", "--resample, or a recording at the app's own rate")
    return _resampled(path, content, here, rate_hz), rate_hz


def _resampled(path: Path, content: Content, here: Fraction, there: Fraction) -> Content:
    """By the exact ratio, through scipy's default Kaiser (5.0) low-pass in float64, rounded half up."""
    from scipy.signal import resample_poly  # a second to import, and seldom needed

    ratio = there / here
    up, down = ratio.numerator, ratio.denominator
    if max(up, down) > LONGEST_FILTER:
        raise RecordingError(f"{path}: from {hz(here)} to {hz(there)} is {up}/{down}, too fine a ratio to resample", "sox's `rate` can")
    y = np.floor(resample_poly(content.samples.astype(np.float64), up, down, axis=0) + 0.5)
    beyond = int(np.count_nonzero((y < -32768) | (y > 32767)))
    y = np.clip(y, -32768, 32767).astype(np.int16)
    notes = (*content.notes, f"resampled from {hz(here)} to {hz(there)} by {up}/{down}")
    return replace(content, samples=y, saturated=content.saturated + beyond, notes=notes)


def hz(rate: Fraction) -> str:
    return f"{float(rate):.6g} Hz"
