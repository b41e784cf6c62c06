"""CSV: one row a sample, with or without a header, with or without a column of time stamps."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime
from math import isfinite, nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.content import Content
from tinystream.io.gaps import FILL
from tinystream.io.stamps import Stamps
from tinystream.io.units import read_unit, split_unit
from tinystream.io.wanted import How, Wanted

TIMES = {"timestamp": 1000, "time": 1, "t": 1}  # name -> ticks a second, where the name does not say: as Edge Impulse writes them
MISSING = ("", "nan", "na", "n/a", "null", "none", "-")
COMMENTS = ("#", "%", "//")
COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.I)
NUMBER = re.compile(r"[+-]?(\d[\d.,]*|[.,]\d+)(e[+-]?\d+)?", re.I)


class Table(NamedTuple):
    """lines: of the whole file; comments are empty, so that every line keeps its number.  start: lines of header.
    names: of all columns; numbers where there is no header.  time: the column of time stamps, `per_s` of them a second; 0 for dates.
    """

    lines: list[str]
    start: int
    delimiter: str
    names: list[str]
    time: int | None
    per_s: float
    notes: tuple[str, ...] = ()


EMPTY = Table([], 0, ",", ["0"], None, 1)


def read_table(path: Path, wanted: Wanted, how: How) -> Content:
    """A table of real values, in the units of its header or in the app's.

    A column `timestamp` (milliseconds, as Edge Impulse writes it), `time` (seconds), either with a unit, or of dates gives the rate.
    """
    table = _open(path)
    others = [i for i, name in enumerate(table.names) if i != table.time and name]
    picked = chosen(path, [table.names[i] for i in others], wanted, how)
    columns = [others[i] for i in picked.columns]
    values = _values(path, table, [*columns, *([] if table.time is None else [table.time])], how)
    x = values[:, : len(columns)]
    notes = (*table.notes, *picked.notes)
    if table.time is None or not len(values):
        return Content(x, picked.units, notes=notes)
    name = table.names[table.time]
    stamps = Stamps(values[:, -1], table.per_s or 1, np.arange(len(x)), lambda row: f"line {_line(table, row)}", name.lower() in TIMES)
    return Content(x, picked.units, stamps=stamps, notes=notes)


def _open(path: Path) -> Table:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as e:
        raise RecordingError(f"{path} is not text: byte {e.start} is not UTF-8", "save it as CSV in UTF-8") from None
    if "\0" in text:
        raise RecordingError(f"{path} is not text: it holds NUL characters", "save it as CSV in UTF-8")
    lines, comment = _without_comments(text.splitlines())
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return EMPTY
    lines, delimiter = _delimited(lines, lines[first])
    while lines and not lines[-1].strip(delimiter + ' "'):  # what a spreadsheet leaves below its rows
        lines.pop()
    if not lines:
        return EMPTY
    cells = _cells(lines[first], delimiter)
    header = not any(_is_number(cell) or _date(cell) for cell in cells)
    names, start = (cells, first + 1) if header else (_cells(comment, delimiter), 0)
    if not header and len(names) != len(cells):
        names = [str(i) for i in range(len(cells))]
    below = next((_cells(line, delimiter) for line in lines[start:] if line.strip()), [])
    if header and len(below) == len(names) + 1:
        names = ["", *names]
    names = ["" if name.startswith("Unnamed: ") else name for name in names]
    time, per_s = _time(path, names, below)
    unnamed = any(not name for i, name in enumerate(names) if i != time)
    notes = ("a column without a name is left out: it numbers the rows",) if unnamed else ()
    return Table(lines, start, delimiter, names, time, per_s, notes)


def _without_comments(lines: list[str]) -> tuple[list[str], str]:
    """Comments as empty lines, and the last one before the numbers: it may name the columns."""
    last, begun = "", False
    for i, line in enumerate(lines):
        text = line.strip()
        if text.startswith(COMMENTS) or (not begun and re.fullmatch(r"sep=.", text)):
            last, lines[i] = last if begun else text.lstrip("#%/ \t"), ""
        begun = begun or bool(lines[i].strip())
    return lines, last


def _delimited(lines: list[str], first: str) -> tuple[list[str], str]:
    """Lines with a decimal point between the digits, and what stands between the cells."""
    delimiter = max(";\t,", key=lambda c: (first.count(c), c != ","))
    if delimiter not in first:
        last = next(line for line in reversed(lines) if line.strip()).split()
        if len(last) > 1 and all(_is_number(cell) for cell in last):
            return ["\t".join(line.split()) for line in lines], "\t"
        return lines, ","
    if delimiter != "," and _has_decimal_commas(lines, delimiter):
        lines = [delimiter.join(c.replace(",", ".") if COMMA.fullmatch(c.strip()) else c for c in line.split(delimiter)) for line in lines]
    return lines, delimiter


def _has_decimal_commas(lines: list[str], delimiter: str) -> bool:
    """Numbers with a comma, and none with a point, in the first rows."""
    cells = [cell.strip() for line in lines[:100] for cell in line.split(delimiter)]
    numbers = [cell for cell in cells if NUMBER.fullmatch(cell)]
    return any(COMMA.fullmatch(cell) for cell in numbers) and not any("." in cell for cell in numbers)


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def _time(path: Path, names: list[str], row: list[str]) -> tuple[int | None, float]:
    """Which column holds time stamps, and how many of them are a second: 0 for dates."""
    dates = [i for i, (_, cell) in enumerate(zip(names, row)) if _date(cell)]
    stamps = [(i, per_s) for i, name in enumerate(names) if i not in dates and (per_s := ticks(name))]
    found = [*stamps, *((i, 0.0) for i in dates)]
    if len(found) > 1:
        columns = ", ".join(names[i] or str(i) for i, _ in sorted(found))
        raise RecordingError(f"{path} has {len(found)} columns of time stamps: {columns}", "keep one of them")
    return found[0] if found else (None, 1)


def ticks(name: str) -> float:
    """Of a column's name such as `timestamp`, `time_us` or `Time [s]`; 0 for any other."""
    plain, unit = split_unit(name.lower())
    head, _, tail = plain.rpartition("_")
    if not unit and head in TIMES:
        plain, unit = head, tail
    if plain in ("millis", "milliseconds", "micros", "microseconds", "seconds", "ms") and not unit:
        plain, unit = "time", plain
    if plain not in TIMES:
        return 0
    known = read_unit(unit, "time")
    return TIMES[plain] if not unit else 1 / known.factor if known and known.dimension == "time" else 0


def _date(cell: str) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d", cell):
        return None
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None


def _values(path: Path, table: Table, columns: list[int], how: How) -> np.ndarray:
    """The cells of these columns, [rows, columns]; RecordingError at the first one that is no finite number.

    An empty one is NaN where gaps are to be filled.
    """
    lines = table.lines[table.start :]
    if not any(line.strip() for line in lines):
        return np.empty((0, len(columns)))
    width = len(table.names) - 1
    even = all(line.count(table.delimiter) == width or not line.strip() for line in lines)
    x = None
    if even and table.per_s:
        try:
            x = np.loadtxt(lines, delimiter=table.delimiter, usecols=columns, quotechar='"', comments=None, ndmin=2)
        except ValueError:
            x = None
    if x is None or not np.isfinite(x).all():
        x = _slowly(path, table, columns, how)
    return x


def _slowly(path: Path, table: Table, columns: list[int], how: How) -> np.ndarray:
    """The same by Python's csv, which knows the line of every cell, so that the first bad one can be named."""
    values, begin = [], None
    for line, row in _rows(path, table):
        if len(row) != len(table.names):
            raise RecordingError(
                f"{path}, line {line}: {len(row)} cells, the first line has {len(table.names)}",
                "one row a sample, a decimal point, no thousands separators",
            )
        numbers = []
        for i in columns:
            if i == table.time and not table.per_s:
                begin = begin or _dated(path, line, row[i], None)
                numbers.append((_dated(path, line, row[i], begin) - begin).total_seconds())
            else:
                numbers.append(_number(path, line, table.names[i], row[i].strip(), how.fills and i != table.time))
        values.append(numbers)
    return np.array(values)


def _number(path: Path, line: int, name: str, cell: str, fill: bool) -> float:
    if cell.lower() in MISSING and fill:
        return nan
    if not _is_number(cell) or not isfinite(float(cell)):
        way = FILL if cell.lower() in MISSING else "mend the row, or empty the cell"
        what = f"{path}, line {line}, column '{name}': '{cell}' is not a finite number"
        raise RecordingError(what, f"{way}: a row left out would shift time")
    return float(cell)


def _dated(path: Path, line: int, cell: str, begin: datetime | None) -> datetime:
    found = _date(cell.strip())
    if found is None or (begin and (found.tzinfo is None) != (begin.tzinfo is None)):
        what = f"{path}, line {line}: '{cell.strip()}' is no date like the first one"
        raise RecordingError(what, "2026-01-31 12:00:00.5, with or without a zone")
    return found


def _rows(path: Path, table: Table) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(table.lines[table.start :], delimiter=table.delimiter, skipinitialspace=True)
    try:
        for row in rows:
            if len(row) > 1 or "".join(row).strip():
                yield table.start + rows.line_num, row
    except csv.Error as e:
        raise RecordingError(f"{path}, line {table.start + rows.line_num}: {e}", "one row a sample, and no stray quotes") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _line(table: Table, row: int) -> int:
    """The line of the file that holds this row."""
    return next(line for i, (line, _) in enumerate(_rows(Path(), table)) if i == row)
