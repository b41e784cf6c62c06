"""Which way of writing samples a device has, told by what it sends first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinystream.io.live.decoder import Decoder, Lost
from tinystream.io.live.frames import LONGEST, Frames, body_of
from tinystream.io.live.lines import LONGEST as LONGEST_LINE
from tinystream.io.live.lines import NUMBER, Lines, cells_of
from tinystream.io.live.sensiml import SensiML, description_of
from tinystream.io.wanted import How, Wanted

ROWS = 2  # lines of numbers, behind the first one, that are no chance


class Detected(Decoder):
    """Frames with a right CRC, a description of SensiML's, or lines of numbers; until one of them comes, all is garbage."""

    def __init__(self, name: str, wanted: Wanted, how: How, joined: bool = False):
        super().__init__()
        self.name, self.wanted, self.how, self.joined = name, wanted, how, joined
        self.found: Decoder | None = None
        self._begin = bytearray()
        self.again()

    def push(self, raw: bytes) -> Iterator[np.ndarray | Lost]:
        if self.found is None:
            self._begin += raw
            self.found = self._told()
            if self.found is None:
                if len(self._begin) > LONGEST:
                    self.garbage += 1
                    self.again()
                return
            raw, self._begin = bytes(self._begin), bytearray()
        found, before = self.found, self.found.garbage
        yield from found.push(raw)
        self.garbage += found.garbage - before
        self.limited, self.values, self.rate_hz, self.counts = found.limited, found.values, found.rate_hz, found.counts
        self.answer, found.answer = found.answer, b""
        self.news += found.news
        found.news = []

    def again(self) -> None:
        self._begin = bytearray()
        self._piece_at = self._line_at = 0  # where what was not looked at begins: each byte is looked at once
        self._rows = -int(self.joined)
        if self.found is not None:
            self.found.again()

    def paused(self) -> None:
        if self.found is not None:
            self.found.paused()

    def _told(self) -> Decoder | None:
        *pieces, _ = bytes(self._begin[self._piece_at :]).split(b"\0")
        self._piece_at += sum(len(piece) + 1 for piece in pieces)
        if any(piece and body_of(piece) for piece in pieces):
            return Frames(self.wanted.channels, self.wanted.dtype)
        *lines, _ = bytes(self._begin[self._line_at :]).split(b"\n")
        self._line_at += sum(len(line) + 1 for line in lines)
        for line in lines:
            if description_of(line):
                return SensiML(self.name, self.wanted, self.how)
            self._rows += is_row(line)
        return Lines(self.name, self.wanted, self.how, self.joined) if self._rows >= ROWS else None


def is_row(line: bytes) -> bool:
    """Numbers, and nothing else?"""
    cells = cells_of(line[:LONGEST_LINE].decode("latin-1").strip())
    return bool(cells) and all(NUMBER.fullmatch(cell) for cell in cells)
