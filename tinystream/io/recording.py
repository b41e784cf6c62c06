"""Recordings: int16 samples at the app's rate, or an error that says how to get there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.acquisition import is_acquisition, read_acquisition
from tinystream.io.arrays import read_array
from tinystream.io.content import Content
from tinystream.io.counts import counts_of
from tinystream.io.gaps import without_gaps
from tinystream.io.health import health
from tinystream.io.images import IMAGES, is_folder_of_images, read_images
from tinystream.io.matlab import read_matlab
from tinystream.io.parquet import read_parquet
from tinystream.io.sds import read_sds
from tinystream.io.sound import read_sound
from tinystream.io.stamps import in_their_unit, measured, stray
from tinystream.io.table import read_table
from tinystream.io.truth import truth_path
from tinystream.io.wanted import How, Wanted

READERS = {
    **dict.fromkeys((".wav", ".flac"), read_sound),
    **dict.fromkeys((".csv", ".tsv", ".txt"), read_table),
    **dict.fromkeys((".json", ".cbor"), read_acquisition),
    ".sds": read_sds,
    **dict.fromkeys((".npy", ".npz"), read_array),
    ".mat": read_matlab,
    ".parquet": read_parquet,
    **dict.fromkeys(IMAGES, read_images),
}
EXTENSIONS = tuple(READERS)
IN_FOLDERS = tuple(ext for ext in EXTENSIONS if ext not in (".txt", *IMAGES))  # a text beside recordings is more often about them
BY_STAMPS = "its time stamps measure"
NEAR = Fraction(1, 100)  # time stamps this close to the app's rate are its rate: sensors' clocks are seldom better
LONGEST_FILTER = 100_000  # up and down factor of a resampling


@dataclass(frozen=True, eq=False)
class Recording:
    """What one file holds, as an app reads it.

    samples:   int16, [n] for one channel, [n, channels] for more; of a camera uint8 [n, height, width].
    clipped:   samples at either rail, -32768 or 32767: the sensor, or a conversion, may have cut them.
    saturated: samples beyond int16 that were limited while the file was read or resampled.
    truth:     the file beside it that says what is to be detected, if there is one (see io/truth.py).
    notes:     what was assumed or converted, and what looks wrong, a sentence each, for people.
    label:     what the whole recording is of; "" where the file does not say.
    """

    path: Path
    samples: np.ndarray
    rate_hz: Fraction
    clipped: int
    saturated: int
    truth: Path | None
    notes: tuple[str, ...]
    label: str = ""

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
    """read_as() for channels without names or units, as of a microphone."""
    wanted = Wanted(rate_hz, ("",) * channels, (scale,) * channels)
    return read_as(path, wanted, How(resample, None if channel is None else str(channel)))


def read_as(path: str | Path, wanted: Wanted, how: How = How()) -> Recording:  # noqa: B008 - it is frozen
    """One file as the app wants it; RecordingError where that would need a guess.

    Sound files have their own full scale, and int16 arrays are counts; what else there is holds real values, in the
    unit that it states or in the app's.
    """
    path = Path(path)
    content = _read(_regular(path), wanted, how)
    if not len(content.values):
        raise RecordingError(f"{path} holds no samples", "record it again")
    content = _timed(path, content, wanted, how)
    if wanted.frame:
        return _frames(path, content, wanted)
    content = _counted(path, content, wanted, how)
    content, rate_hz = _at_rate(path, content, wanted.rate_hz, how.resample)
    x, notes = content.values, content.notes
    if content.saturated:
        notes = (*notes, f"{content.saturated} of {x.size} values exceeded full scale and were limited")
    notes = (*notes, *health(x, float(rate_hz), wanted))
    clipped = int(np.count_nonzero((x == 32767) | (x == -32768)))
    x = np.ascontiguousarray(x[:, 0] if wanted.channels == 1 else x)
    return Recording(path, x, rate_hz, clipped, content.saturated, truth_path(path), notes, content.label)


def _timed(path: Path, content: Content, wanted: Wanted, how: How) -> Content:
    """The content with what its time stamps tell: rate, jitter and gaps."""
    if content.stamps is None:
        return without_gaps(path, content, (), how.gaps)
    stamps, notes = in_their_unit(content.stamps, measured(path, content.stamps).rate_hz, wanted.rate_hz)
    found = measured(path, stamps)
    content = without_gaps(path, replace(content, notes=(*content.notes, *notes, *stray(found))), found.gaps, how.gaps)
    if content.rate_hz is None:
        return replace(content, rate_hz=found.rate_hz, measured=BY_STAMPS)
    if abs(found.rate_hz - content.rate_hz) <= NEAR * content.rate_hz:
        return content
    note = f"it says {hz(content.rate_hz)}, its time stamps measure {hz(found.rate_hz)}"
    return replace(content, notes=(*content.notes, note))


def _counted(path: Path, content: Content, wanted: Wanted, how: How) -> Content:
    """The content as int16 counts of the app's unit and scale."""
    if content.values.dtype == np.int16:
        return content
    y, saturated, notes = counts_of(path, content.values, content.units, wanted, how)
    return replace(content, values=y, saturated=content.saturated + saturated, notes=(*content.notes, *notes))


def _frames(path: Path, content: Content, wanted: Wanted) -> Recording:
    """Of a camera: pixels are counts already, and a frame is a sample."""
    x = content.values
    if x.dtype != np.uint8 or x.shape[1:] != wanted.frame:
        height, width = wanted.frame or (0, 0)
        what = f"{path} holds no images, the app's camera gives {width}x{height}"
        raise RecordingError(what, f"a file, or a folder of them: {', '.join(IMAGES)}")
    content, rate_hz = _at_rate(path, content, wanted.rate_hz, resample=False)
    return Recording(path, np.ascontiguousarray(x), rate_hz, 0, 0, truth_path(path), content.notes, content.label)


def find_recordings(paths: Iterable[str | Path]) -> list[Path]:
    """Files as they are named, and all recordings inside the folders, sorted within each; each file once.

    A folder's hidden files and folders are left out.  A folder of images, and of no other recording, is one recording.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            found[_regular(path)] = None
            continue
        inside = sorted(Path(folder, name) for folder, name in _walk(path))
        if not inside:
            raise RecordingError(f"folder {path} holds no recording", f"put files in it that end in {', '.join(IN_FOLDERS)}")
        found.update(dict.fromkeys(inside))
    return list(found)


def _walk(folder: Path) -> Iterable[tuple[str, str]]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found = [name for name in names if _is_recording(Path(here, name))]
        if not found and is_folder_of_images(Path(here)):
            yield here, ""
        yield from ((here, name) for name in found)


def _is_recording(path: Path) -> bool:
    ending = path.suffix.lower()
    return not path.name.startswith(".") and ending in IN_FOLDERS and (ending != ".json" or is_acquisition(path))


def _regular(path: Path) -> Path:
    try:
        if not path.exists():
            raise RecordingError(f"{path} does not exist", "check the name, and the folder that you are in")
        if path.is_dir() and is_folder_of_images(path):
            return path
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


def _read(path: Path, wanted: Wanted, how: How) -> Content:
    reader = read_images if path.is_dir() else READERS[path.suffix.lower()]
    try:
        return reader(path, wanted, how)
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
        if float(here) != float(rate_hz):
            content = replace(content, notes=(*content.notes, f"{content.measured} {hz(here)}: taken as {hz(rate_hz)}"))
        return content, rate_hz
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
    y = np.floor(resample_poly(content.values.astype(np.float64), up, down, axis=0) + 0.5)
    beyond = int(np.count_nonzero((y < -32768) | (y > 32767)))
    y = np.clip(y, -32768, 32767).astype(np.int16)
    notes = (*content.notes, f"resampled from {hz(here)} to {hz(there)} by {up}/{down}")
    return replace(content, values=y, saturated=content.saturated + beyond, notes=notes)


def hz(rate: Fraction) -> str:
    return f"{float(rate):.6g} Hz"
