"""Samples as lines of text: values with commas, semicolons, tabs or spaces between them, one line a sample of all channels.

That is what Edge Impulse's data forwarder reads, and CSV.  A header may name the columns and their units, and one of them may be time
stamps; which are taken is decided as for a recording (io/axes.py, io/counts.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.counts import counts, ways_of
from tinystream.io.live.decoder import Decoder, Lost
from tinystream.io.stamps import GAP
from tinystream.io.table import TIMES, ticks
from tinystream.io.wanted import How, Wanted

LONGEST = 4096
"""Characters of a line; one without an end is not kept beyond."""
UNFIT = 5  # lines in a row of the same, wrong width: no noise, but a device that sends something else
COMMENTS = ("#", "%", "//")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?", re.I)  # linear in the length of what is hostile
TICKS = (1.0, 1e3, 1e6, 1e9)  # a second, where the header does not say which
DAY_S = 86_400


class Lines(Decoder):
    """joined: the stream may begin inside a line, as a serial port's does, so that a first line of numbers is not taken."""

    def __init__(self, name: str, wanted: Wanted, how: How, joined: bool = False):
        super().__init__()
        self.name, self.wanted, self.how, self.joined = Path(name), wanted, how, joined
        self.example = ""
        self._rest, self._endless, self._first = b"", False, joined
        self._header: list[str] | None = None
        self._columns: tuple[int, ...] | None = None
        self._width, self._time, self._per_s = 0, -1, 0.0
        self._tick: float | None = None
        self._whole_ticks, self._begun = True, False
        self._unfit, self._unfit_width = 0, 0
        self._refused: tuple[int, RecordingError] | None = None
        self._held: list[float] | None = None

    def push(self, raw: bytes) -> Iterator[np.ndarray | Lost]:
        *lines, rest = (self._rest + raw).split(b"\n")
        rows: list[list[float]] = []
        for line in lines:
            if self._endless or len(line) > LONGEST:
                self._endless = False
                found: list[float] | Lost | None = self._garbage(line[:LONGEST])
            else:
                found = self._line(line)
            if isinstance(found, list):
                rows.append(found)
            elif found is not None:
                yield from self._counted(rows)
                rows = []
                yield found
                if self._held is not None:  # the row behind a gap in the time stamps
                    rows, self._held = [self._held], None
        yield from self._counted(rows)
        if len(rest) > LONGEST:
            self._endless, rest = True, b""
        self._rest = rest

    def again(self) -> None:
        self._rest, self._endless, self._first, self._tick = b"", False, self.joined, None

    def paused(self) -> None:
        self._tick = None

    def _line(self, line: bytes) -> list[float] | Lost | None:
        """The values of a line; Lost where it holds none but should; None where it need not."""
        first, self._first = self._first, False
        text = line.decode("latin-1").strip()
        if not text or text.startswith(COMMENTS):
            return None
        cells = cells_of(text)
        if not all(NUMBER.fullmatch(cell) for cell in cells):
            return self._words(text, cells, first)
        if first:
            return None
        values = [float(cell) for cell in cells]
        if self._columns is None:
            self._fit(len(cells))
        if self._columns is None or len(values) != self._width or not all(map(math.isfinite, values)):
            self._check_width(len(values))
            return self._garbage(line)
        self._unfit, self._begun = 0, True
        return self._in_time(values)

    def _words(self, text: str, cells: list[str], first: bool) -> Lost | None:
        """A line that is no row of numbers: a header, once or again, or garbage."""
        named = all(cells) and not any(NUMBER.fullmatch(cell) for cell in cells)
        if named and cells == self._header:
            return Lost(0, "the device has started again", exact=False)
        if named and not self._begun:
            try:
                self._take_header(cells)
                return None
            except RecordingError as error:  # or words of another kind: rows of that width will tell
                self._refused = len(cells), error
                self._columns = None if self._width == len(cells) else self._columns
        return None if first else self._garbage(text.encode("latin-1"))

    def _take_header(self, cells: list[str]) -> None:
        times = [i for i, cell in enumerate(cells) if ticks(cell)]
        others = [i for i in range(len(cells)) if i not in times]
        picked = chosen(self.name, [cells[i] for i in others], self.wanted, self.how)
        self._lay_out([others[i] for i in picked.columns], picked.units, len(cells))
        self._header, self._refused = cells, None
        if len(times) == 1:
            self._time = times[0]
            self._per_s = 0.0 if cells[self._time].lower() in TIMES else ticks(cells[self._time])
        self.news += picked.notes

    def _fit(self, width: int) -> None:
        """Columns in their order, where no header named them."""
        if self._refused is not None and self._refused[0] == width:
            raise self._refused[1]
        try:
            picked = chosen(self.name, [str(i) for i in range(width)], self.wanted, self.how)
        except RecordingError:
            return
        self._lay_out(list(picked.columns), picked.units, width)

    def _lay_out(self, columns: list[int], units: tuple[str, ...], width: int) -> None:
        ways = ways_of(self.name, units, self.wanted, self.how)
        self._columns, self._width = tuple(columns), width
        self._ways = ways

    def _check_width(self, width: int) -> None:
        """RecordingError where a device clearly sends another number of columns than the app reads."""
        self._unfit = self._unfit + 1 if width == self._unfit_width else 1
        self._unfit_width = width
        if self._unfit >= UNFIT and not self._begun:
            chosen(self.name, [str(i) for i in range(width)], self.wanted, self.how)
            self._fit(width)

    def _garbage(self, line: bytes) -> Lost | None:
        self.garbage += 1
        if not self.example:
            self.example = repr(line[:40].decode("latin-1"))
            self.news.append(f"a line that is no sample: {self.example}")
        return None if not self._begun else Lost(1, "a line that could not be read")

    def _in_time(self, values: list[float]) -> list[float] | Lost:
        """The row; Lost before it where its time stamp says so."""
        if self._time < 0:
            return values
        now, before = values[self._time], self._tick
        self._tick, self._whole_ticks = now, self._whole_ticks and now.is_integer()
        rate = float(self.wanted.rate_hz or 0)
        if before is None or not rate:
            return values
        if not self._per_s:
            if now <= before:
                return values
            self._per_s = min(TICKS, key=lambda per_s: abs(math.log((now - before) * rate / per_s)))
        samples = (now - before) * rate / self._per_s
        if now < before or samples > DAY_S * rate:
            self._held = values
            return Lost(0, "its time stamps jumped: the device has started again, or its clock was set", exact=False)
        if samples > GAP + self._whole_ticks * rate / self._per_s:  # a tick more by rounding is no gap
            self._held = values
            return Lost(round(samples) - 1, "samples missing by its time stamps")
        return values

    def _counted(self, rows: list[list[float]]) -> Iterator[np.ndarray]:
        if not rows:
            return
        assert self._columns is not None, "a row was taken, so its columns are known"
        values = np.array(rows)
        y = np.empty((len(rows), len(self._columns)), np.int16)
        for i, (column, way) in enumerate(zip(self._columns, self._ways)):
            with np.errstate(over="ignore"):
                y[:, i], beyond = counts(values[:, column] * way.step.factor + way.step.offset, way.scale)
            self.limited += beyond
        self.values += y.size
        yield y


def cells_of(text: str) -> list[str]:
    """What stands between the commas; or semicolons, or tabs, or spaces where there are none of the others.

    >>> cells_of("1, 2,3"), cells_of("1\\t2"), cells_of("1  2"), cells_of("1,,2")
    (['1', '2', '3'], ['1', '2'], ['1', '2'], ['1', '', '2'])
    """
    for mark in (",", ";", "\t"):
        if mark in text:
            cells = [cell.strip() for cell in text.split(mark)]
            return cells[:-1] if len(cells) > 1 and not cells[-1] else cells
    return text.split()
