"""Samples that are missing: refused, closed up or filled, as a person has said; nothing is made up in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.content import Content
from tinystream.io.stamps import Gap
from tinystream.io.wanted import Gaps

FILL = "--gaps hold or --gaps linear fills them, and counts what was filled"


def without_gaps(path: Path, content: Content, gaps: Sequence[Gap], how: Gaps) -> Content:
    """The content with its gaps in time and its missing values (NaN) seen to; RecordingError where `how` is to refuse."""
    content = _closed(path, content, gaps, how)
    if content.values.dtype.kind != "f" or not np.isnan(content.values).any():
        return content
    values, n = _filled(path, content.values, linear=how == "linear")
    return replace(content, values=values, notes=(*content.notes, f"{n} missing value{'s' * (n > 1)} {_by(how)}"))


def _closed(path: Path, content: Content, gaps: Sequence[Gap], how: Gaps) -> Content:
    if not gaps or content.stamps is None:
        return content
    n, missing, worst = len(gaps), sum(gap.missing for gap in gaps), max(gaps, key=lambda gap: gap.seconds)
    samples = f"{missing} sample{'s' * (missing > 1)}"
    place = f"{worst.seconds:.3g} s before {content.stamps.place(worst.stamp)}"
    what = f"{n} gap{'s' * (n > 1)} in its time stamps, {samples} missing, the longest {place}"
    if how == "refuse":
        raise RecordingError(f"{path} has {what}", f"{FILL}; --gaps keep closes them up: later alerts come too early then")
    if how == "keep":
        return replace(content, notes=(*content.notes, f"{what}: later alerts come too early"))
    if missing > len(content.values):
        there = f"the file holds only {len(content.values)}"
        raise RecordingError(f"{path} has {what}: {there}", "cut it at its gaps, or --gaps keep: more would be made up than was measured")
    x = content.values
    holes = np.repeat([gap.at for gap in gaps], [gap.missing for gap in gaps])
    values = np.insert(x.astype(np.float64), holes, np.nan, axis=0)
    rows = np.insert(np.zeros(len(x), bool), holes, True)
    whole, _ = _filled(path, values, linear=how == "linear", rows=rows)
    if x.dtype != np.float64:
        whole = np.floor(whole + 0.5).astype(x.dtype)
    return replace(content, values=whole, notes=(*content.notes, f"{what}: {_by(how)}"))


def _by(how: Gaps) -> str:
    return "filled by straight lines between their neighbours" if how == "linear" else "filled by the value before"


def _filled(path: Path, values: np.ndarray, linear: bool, rows: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """NaN (of these rows alone) replaced from the same channel; at the begin, where nothing lies before, by what follows."""
    y, n = values.reshape(len(values), -1).copy(), 0
    index = np.arange(len(y))
    for column in y.T:
        missing = np.isnan(column) if rows is None else rows
        there = np.flatnonzero(~missing)
        if not len(there):
            raise RecordingError(f"{path}: a channel has no value at all", "--channel takes other columns")
        if linear:
            column[missing] = np.interp(index[missing], there, column[there])
        else:
            before = np.maximum(np.searchsorted(there, index[missing], side="right") - 1, 0)
            column[missing] = column[there[before]]
        n += int(np.count_nonzero(missing))
    return y.reshape(values.shape), n
