"""SensiML's Simple Streaming Interface, version 1: a line of JSON says what the device sends; after "connect" it sends raw int16.

The line, which is sent again and again until then, holds `sample_rate` in Hz and `column_location`, name -> column.  Source: SensiML
documentation, "Describing Output Data" and "Sending Output Data".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.counts import counts, ways_of
from tinystream.io.live.decoder import Decoder, Lost
from tinystream.io.wanted import How, Wanted

LONGEST = 4096
COLUMNS = 64


class SensiML(Decoder):
    """Columns hold the sensor's integers, where --unit does not say otherwise."""

    def __init__(self, name: str, wanted: Wanted, how: How):
        super().__init__()
        self.name, self.wanted, self.how = Path(name), wanted, how
        self._rest = b""
        self._line: bytes | None = None  # the description, once it was understood
        self._expecting = True  # it may come (again)
        self._paused = False
        self._columns: tuple[int, ...] = ()
        self._width = 0

    def push(self, raw: bytes) -> Iterator[np.ndarray | Lost]:
        self._rest += raw
        while self._line is None:
            line, end, rest = self._rest.partition(b"\n")
            if not end:
                self._rest = line[-LONGEST:]
                return
            self._rest = rest
            told = description_of(line)
            if told is not None:
                self._take(told)
                self._line, self.answer, self._expecting = line + end, b"connect", True
            elif line.strip():
                self.garbage += 1
        yield from self._samples()

    def again(self) -> None:
        self._rest, self._line = b"", None

    def paused(self) -> None:
        self._rest, self._expecting, self._paused = b"" if self._line else self._rest, True, True

    def _samples(self) -> Iterator[np.ndarray | Lost]:
        assert self._line is not None, "a description came first"
        while self._expecting and self._rest:
            start = self._rest[: len(self._line)]
            if not self._line.startswith(start):
                self._expecting = False
            elif len(start) < len(self._line):
                return  # it may become one
            else:
                self._rest = self._rest[len(self._line) :]
                self.answer = b"connect" if self._paused else self.answer
                self._paused = False
        size = 2 * self._width
        whole = len(self._rest) // size * size
        raw, self._rest = self._rest[:whole], self._rest[whole:]
        if not raw:
            return
        values = np.frombuffer(raw, "<i2").reshape(-1, self._width)
        y = np.empty((len(values), len(self._columns)), np.int16)
        for i, (column, way) in enumerate(zip(self._columns, self._ways)):
            y[:, i], beyond = counts(values[:, column] * way.step.factor + way.step.offset, way.scale)
            self.limited += beyond
        self.values += y.size
        yield y

    def _take(self, told: Mapping[str, Any]) -> None:
        if told.get("version", 1) != 1:
            what = f"{self.name} speaks version {told['version']!s:.10} of simple streaming, and version 1 is read"
            raise RecordingError(what, "build its firmware for version 1")
        names = sorted(told["column_location"], key=told["column_location"].get)
        picked = chosen(self.name, names, self.wanted, self.how)
        self._columns, self._width = picked.columns, len(names)
        self._ways = ways_of(self.name, () if self.how.unit else ("counts",) * self.wanted.channels, self.wanted, self.how)
        rate = told.get("sample_rate")
        self.rate_hz = float(rate) if isinstance(rate, int | float) and 0 < rate < 1e9 else None
        self.news += picked.notes


def description_of(line: bytes) -> dict[str, Any] | None:
    """What a line of JSON says of a device's columns, each from 0 on once; None for any other line."""
    if len(line) > LONGEST or b"column_location" not in line:
        return None
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    places = told.get("column_location") if isinstance(told, dict) else None
    if not isinstance(places, dict) or not 0 < len(places) <= COLUMNS:
        return None
    numbers = [place for place in places.values() if isinstance(place, int) and not isinstance(place, bool)]
    return told if sorted(numbers) == list(range(len(places))) else None
