"""Numbered blocks with a CRC, as `io/feed.py` writes them and firmware reads them.

    frame = COBS(number: uint16 LE | samples: int16 LE, channels interleaved | CRC: uint16 BE) | 0x00

The CRC is CCITT's, polynomial 0x1021 from 0xFFFF, over number and samples.  Numbers count frames, modulo 2**16, so that what is lost or
broken on the way is known to the frame; every frame holds as many samples as the one before, but for the last.  One without samples
says that the device begins afresh with the next one.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterator

import numpy as np
from cobs import cobs

from tinystream.io.live.decoder import Decoder, Lost

LONGEST = 1 << 17
"""Bytes of a frame; noise without a zero is not kept beyond."""
FRESH = 0x8000  # a number that is so far ahead is one of a device that has started again, or one that came too late


class Frames(Decoder):
    """Frames in pieces of any size."""

    counts = True

    def __init__(self, channels: int, dtype: str = "int16"):
        super().__init__()
        self.channels, self.dtype = channels, dtype
        self.wire = np.dtype(dtype).newbyteorder("<")
        self._rest = b""
        self._next: int | None = None
        self._rows = 0  # of the last frame
        self._joined = True  # the first piece may be the end of a frame

    def push(self, raw: bytes) -> Iterator[np.ndarray | Lost]:
        *pieces, self._rest = (self._rest + raw).split(b"\0")
        if len(self._rest) > LONGEST:
            self._rest = self._rest[-1:]  # enough for what follows to be no frame
            self.garbage += 1
        for piece in pieces:
            joined, self._joined = self._joined, False
            if not piece:
                continue
            found = body_of(piece)
            if found is None or (len(found) - 2) % (self.wire.itemsize * self.channels):
                self.garbage += not joined
                continue
            yield from self._taken(int.from_bytes(found[:2], "little"), found[2:])

    def again(self) -> None:
        self._rest, self._joined, self._next = b"", True, None  # what is missing since is told by the clock

    def _taken(self, number: int, samples: bytes) -> Iterator[np.ndarray | Lost]:
        ahead = 0 if self._next is None else (number - self._next) & 0xFFFF
        if not samples:
            if self._next is not None:
                yield Lost(0, "the device has ended a stretch")
            self._next = None
            return
        if ahead >= FRESH:
            yield Lost(0, "frame numbers went back: the device has started again, or a frame came late", exact=False)
        elif ahead:
            yield Lost(ahead * self._rows, f"{ahead} frame{'s' * (ahead > 1)} lost or broken")
        self._next = (number + 1) & 0xFFFF
        rows = np.frombuffer(samples, self.wire).astype(self.dtype).reshape(-1, self.channels)
        self._rows = len(rows)
        yield rows


def body_of(piece: bytes) -> bytes | None:
    """Number and samples of what lies between two zeros; None where it is no frame."""
    try:
        raw = cobs.decode(piece)
    except cobs.DecodeError:
        return None
    if len(raw) < 4 or crc_hqx(raw[:-2], 0xFFFF) != int.from_bytes(raw[-2:], "big"):
        return None
    return bytes(raw[:-2])
