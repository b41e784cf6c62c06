"""Named columns of numbers, one of which may be time: what MATLAB and Parquet files hold."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.content import Content
from tinystream.io.gaps import FILL
from tinystream.io.stamps import Stamps
from tinystream.io.table import ticks
from tinystream.io.wanted import How, Wanted


def content_of(
    path: Path,
    columns: Mapping[str, np.ndarray],
    wanted: Wanted,
    how: How,
    units: Mapping[str, str] | None = None,
    rate_hz: Fraction | None = None,
) -> Content:
    """int16 columns are counts, floats are values in their unit or the app's; of other integers --counts or --unit says what they are."""
    times = [name for name in columns if ticks(name) or columns[name].dtype.kind == "M"]
    if len(times) > 1:
        raise RecordingError(f"{path} has {len(times)} columns of time stamps: {', '.join(times)}", "keep one of them")
    names = [name for name in columns if name not in times]
    said = [(units or {}).get(name, "") for name in names]
    picked = chosen(path, names, wanted, how, said if any(said) else ())
    parts = [numbers(path, names[i], columns[names[i]], how) for i in picked.columns]
    if not all(part.dtype == np.int16 for part in parts):
        parts = [_real(path, names[i], part) for i, part in zip(picked.columns, parts)]
    x = np.stack(parts, axis=1)
    stamps = _stamps(path, times[0], columns[times[0]]) if times and len(x) else None
    return Content(x, picked.units, rate_hz, stamps=stamps, notes=picked.notes)


def numbers(path: Path, name: str, x: np.ndarray, how: How) -> np.ndarray:
    """One column as int16 counts or float64; NaN where a value is missing and gaps are filled."""
    if x.dtype == np.int16 and how.unit is None:
        return x
    if x.dtype.kind in "iu" and not (how.counts or how.unit or x.dtype == np.int16):
        what = f"{path}: '{name}' holds {x.dtype}: int16 counts or floats are read as they are"
        raise RecordingError(what, "--counts, if they are the sensor's integers; --unit says what they are in, such as --unit mg")
    if x.dtype.kind not in "iuf":
        raise RecordingError(f"{path}: '{name}' holds {x.dtype}, no numbers", "--channel takes other columns")
    x = x.astype(np.float64)
    missing = np.isnan(x) & how.fills
    bad = ~np.isfinite(x) & ~missing
    if bad.any():
        raise RecordingError(f"{path}: row {int(np.argmax(bad))} of '{name}' is not a finite number", FILL)
    return x


def _real(path: Path, name: str, x: np.ndarray) -> np.ndarray:
    if x.dtype == np.int16:
        what = f"{path}: '{name}' holds int16, other columns do not: counts and real values are not taken together"
        raise RecordingError(what, "--counts or --unit says what all of them are")
    return x


def _stamps(path: Path, name: str, x: np.ndarray) -> Stamps:
    index = np.arange(len(x))
    if x.dtype.kind == "M":
        if np.isnat(x).any():
            raise RecordingError(f"{path}: row {int(np.argmax(np.isnat(x)))} of '{name}' is no date", "mend the row")
        ns = x.astype("datetime64[ns]").astype(np.int64)
        return Stamps((ns - ns[0]) / 1e9, 1, index, lambda row: f"row {row}")
    if x.dtype.kind not in "iuf" or not np.isfinite(x.astype(np.float64)).all():
        raise RecordingError(f"{path}: '{name}' is no time: it holds what is no finite number", "mend or remove the column")
    return Stamps(x.astype(np.float64), ticks(name), index, lambda row: f"row {row}")
