"""CSV: one row a sample, with or without a header, with or without a column of time stamps."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.content import Content, checked_counts, chosen

TIMES = {"timestamp": 1000, "timestamp_ms": 1000, "time_ms": 1000, "time": 1, "time_s": 1}  # name -> ticks a second
GAP = 1.75  # of the median interval: at least one row is missing


class Table(NamedTuple):
    lines: list[str]  # of the whole file
    start: int  # lines of header
    delimiter: str
    names: list[str]  # of all columns; numbers where there is no header
    time: int | None  # the column of time stamps
    ticks: int  # time stamps a second


def read_table(path: Path, channels: int, channel: int | str | None, scale: float) -> Content:
    """A table of real values, `scale` of them a count.

    A column `timestamp` (milliseconds, as Edge Impulse writes it) or `time` (seconds) gives the rate: the slope of
    the longest stretch without a gap, by least squares, since single stamps are rounded or late.
    """
    table = _open(path)
    others = [i for i in range(len(table.names)) if i != table.time]
    columns = [others[i] for i in chosen(path, [table.names[i] for i in others], channels, channel)]
    wanted = [*columns, *([] if table.time is None else [table.time])]
    values = _values(path, table, wanted)
    y, saturated = checked_counts(path, values[:, : len(columns)], scale) if len(values) else (np.empty((0, channels), np.int16), 0)
    if table.time is None or not len(values):
        return Content(y, saturated=saturated)
    rate_hz, notes = _rate(path, table, values[:, -1])
    return Content(y, rate_hz, measured=True, saturated=saturated, notes=notes)


def _open(path: Path) -> Table:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as e:
        raise RecordingError(f"{path} is not text: byte {e.start} is not UTF-8", "save it as CSV in UTF-8") from None
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    cells = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    header = bool(cells) and not any(_is_number(cell) for cell in cells)
    names = cells if header else [str(i) for i in range(len(cells))]
    found = [i for i, name in enumerate(names) if name.lower() in TIMES]
    if len(found) > 1:
        raise RecordingError(f"{path} has {len(found)} columns of time stamps: {', '.join(names[i] for i in found)}", "keep one of them")
    time = found[0] if found else None
    start = lines.index(first) + 1 if header else 0
    return Table(lines, start, delimiter, names, time, 1 if time is None else TIMES[names[time].lower()])


def _values(path: Path, table: Table, columns: list[int]) -> np.ndarray:
    """The cells of these columns, [rows, columns]; RecordingError at the first one that is no finite number."""
    lines = table.lines[table.start :]
    if not any(line.strip() for line in lines):
        return np.empty((0, len(columns)))
    width = len(table.names) - 1
    even = all(line.count(table.delimiter) == width or not line.strip() for line in lines)
    try:
        x = np.loadtxt(lines, delimiter=table.delimiter, usecols=columns, quotechar='"', comments=None, ndmin=2)
    except ValueError:
        x = None
    if x is None or not even or not np.isfinite(x).all():
        x = _slowly(path, table, columns)
    return x


def _slowly(path: Path, table: Table, columns: list[int]) -> np.ndarray:
    """The same by Python's csv, which knows the line of every cell, so that the first bad one can be named."""
    values = []
    for line, row in _rows(table):
        if len(row) != len(table.names):
            raise RecordingError(
                f"{path}, line {line}: {len(row)} cells, the first line has {len(table.names)}",
                "one row a sample, a decimal point, no thousands separators",
            )
        for i in columns:
            if not _is_number(row[i]) or not isfinite(float(row[i])):
                raise RecordingError(
                    f"{path}, line {line}, column '{table.names[i]}': '{row[i].strip()}' is not a finite number",
                    "mend the row, or interpolate it: a row left out would shift time",
                )
        values.append([float(row[i]) for i in columns])
    return np.array(values)


def _rows(table: Table) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(table.lines[table.start :], delimiter=table.delimiter)
    for row in rows:
        if "".join(row).strip():
            yield table.start + rows.line_num, row


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _rate(path: Path, table: Table, stamps: np.ndarray) -> tuple[Fraction, tuple[str, ...]]:
    """Rows a second, with a note on gaps."""
    step = np.diff(stamps)
    if len(stamps) < 2 or stamps[-1] <= stamps[0]:
        what = f"{path}: its time stamps span no time, so that they give no rate"
        raise RecordingError(what, "remove the column: the app's rate is taken then")
    if (step < 0).any():
        raise RecordingError(
            f"{path}, line {_line(table, int(np.argmax(step < 0)) + 1)}: the time stamp goes back from {stamps[:-1][step < 0][0]:.10g} "
            f"to {stamps[1:][step < 0][0]:.10g}",
            "sort the rows, or cut the file where the clock was set",
        )
    grain = 1.0 if (stamps == np.floor(stamps)).all() else 0.0  # whole ticks: an interval may be one longer by rounding
    gaps = np.flatnonzero(step > GAP * np.median(step) + grain) + 1
    edges = [0, *gaps, len(stamps)]
    start, end = max(itertools.pairwise(edges), key=lambda run: run[1] - run[0])
    run = stamps[start:end] if end - start > 1 and stamps[end - 1] > stamps[start] else stamps
    t, i = run - run.mean(), np.arange(len(run)) - (len(run) - 1) / 2
    rate_hz = Fraction(float(t @ i / (t @ t) * table.ticks)).limit_denominator(1000)
    if rate_hz <= 0:
        raise RecordingError(f"{path}: its time stamps are more than 1000 s apart", "remove the column: the app's rate is taken then")
    if not len(gaps):
        return rate_hz, ()
    worst = int(gaps[np.argmax(step[gaps - 1])])
    gap = f"{step[worst - 1] / table.ticks:.3g} s before line {_line(table, worst)}"
    return rate_hz, (f"{len(gaps)} gap{'s' * (len(gaps) > 1)} in its time stamps, the longest {gap}: later alerts come too early",)


def _line(table: Table, row: int) -> int:
    """The line of the file that holds this row."""
    for i, (line, _) in enumerate(_rows(table)):
        if i == row:
            return line
    raise AssertionError("a row that was read has a line")
