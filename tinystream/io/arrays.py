"""NPY and NPZ: arrays of int16 counts, or of floats in the app's unit."""

from __future__ import annotations

import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.content import Content
from tinystream.io.gaps import FILL
from tinystream.io.wanted import How, Wanted
from tinystream.io.words import first_line

KEYS = ("samples", "x")


def read_array(path: Path, wanted: Wanted, how: How) -> Content:
    """An array [n] or [n, channels]; an NPZ holds it as `samples` or `x`, and may hold `rate_hz`."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            x, rate_hz = loaded, None
        else:
            with loaded:
                x, rate_hz = _member(path, loaded), _rate(path, loaded)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as e:
        what = "holds Python objects, which are not loaded" if "allow_pickle" in str(e) else f"cannot be read: {first_line(e)}"
        raise RecordingError(f"{path} {what}", "numpy.save(path, samples.astype('int16'))") from None
    if wanted.frame:
        return _frames(path, x, wanted.frame, rate_hz)
    if x.ndim not in (1, 2):
        raise RecordingError(f"{path} has {x.ndim} axes: a recording is [n] or [n, channels]", "numpy.save(path, x.reshape(-1, channels))")
    x = x.reshape(len(x), -1) if x.size else x.reshape(0, x.shape[1] if x.ndim == 2 else 1)
    picked = chosen(path, [str(i) for i in range(x.shape[1])], wanted, how)
    return Content(_numbers(path, x[:, picked.columns], how), rate_hz=rate_hz)


def _frames(path: Path, x: np.ndarray, size: tuple[int, int], rate_hz: Fraction | None) -> Content:
    if x.dtype != np.uint8 or x.ndim != 3 or x.shape[1:] != size:
        what = f"{path} holds {x.dtype} of shape {'x'.join(map(str, x.shape))}, the app's camera gives {size[1]}x{size[0]}"
        raise RecordingError(what, f"an array of uint8 [n, {size[0]}, {size[1]}]")
    return Content(x, rate_hz=rate_hz)


def _numbers(path: Path, x: np.ndarray, how: How) -> np.ndarray:
    """int16 counts as they are, finite floats as float64, other integers where a person says what they are; RecordingError for the rest."""
    if x.dtype == np.int16 and how.unit is None:
        return x
    if x.dtype.kind != "f" and not (x.dtype.kind in "iu" and (how.counts or how.unit)):
        raise RecordingError(f"{path} holds {x.dtype}: int16 counts or floats are read", "numpy.save(path, x.astype('int16'))")
    good = np.isfinite(x) | (np.isnan(x) & how.fills)
    if not good.all():
        raise RecordingError(f"{path}: row {int(np.argmin(good.all(axis=1)))} is not a finite number", f"{FILL}, where it is NaN")
    return x.astype(np.float64)


def _member(path: Path, file: np.lib.npyio.NpzFile) -> np.ndarray:
    for key in KEYS:
        if key in file.files:
            return file[key]
    raise RecordingError(
        f"{path} has no array 'samples' or 'x', but {', '.join(file.files) or 'nothing'}", "numpy.savez(path, samples=x, rate_hz=16000)"
    )


def _rate(path: Path, file: np.lib.npyio.NpzFile) -> Fraction | None:
    if "rate_hz" not in file.files:
        return None
    rate = file["rate_hz"]
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not np.isfinite(rate).all() or rate.item() <= 0:
        raise RecordingError(f"{path}: rate_hz is not one number above 0", "numpy.savez(path, samples=x, rate_hz=16000)")
    return Fraction(rate.item()).limit_denominator(10**6)
