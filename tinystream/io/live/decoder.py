"""From bytes as they come to samples: what all ways of writing samples have in common, and the plainest of them.

Bytes may be anything: whoever sends them may be broken or hostile.  A decoder keeps no more than a bounded rest of them, never fails for
what they are, and says where samples are missing.  It raises RecordingError only where the sender clearly means something else than the
app reads, such as another number of columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Lost(NamedTuple):
    """So many samples are missing here.  exact: they were counted."""

    samples: int
    why: str
    exact: bool = True


class Decoder:
    """push() gives rows of samples, [n, channels] of the app's type, and what is lost between them.

    garbage:  pieces that were no samples.
    limited:  values beyond full scale, of `values` in all.
    answer:   bytes to be sent to the device; whoever has sent them empties it.
    rate_hz:  as the device says; None where it says nothing.
    counts:   it sees for itself where samples are missing, so that a pause is not a sign of it.
    news:     sentences for people, once each; whoever has told them empties it.
    """

    counts = False

    def __init__(self) -> None:
        self.garbage = self.limited = self.values = 0
        self.answer = b""
        self.rate_hz: float | None = None
        self.news: list[str] = []

    def push(self, raw: bytes) -> Iterator[np.ndarray | Lost]:
        raise NotImplementedError

    def again(self) -> None:
        """The line was opened again: what was half there is gone, and what comes may begin in the middle of anything."""

    def paused(self) -> None:
        """Nothing came for a while: the device may have started again."""


class Raw(Decoder):
    """Little-endian samples, channels interleaved.

    datagrams: what is pushed at once begins with a whole sample; a rest behind the last one is garbage, and its sample lost.
    """

    def __init__(self, channels: int, dtype: str = "int16", datagrams: bool = False):
        super().__init__()
        self.channels, self.dtype, self.datagrams = channels, dtype, datagrams
        self.wire = np.dtype(dtype).newbyteorder("<")
        self._rest = b""

    def push(self, raw: bytes) -> Iterator[np.ndarray | Lost]:
        size = self.wire.itemsize * self.channels
        raw = self._rest + raw
        whole = len(raw) // size * size
        self._rest = b"" if self.datagrams else raw[whole:]
        if whole:
            yield np.frombuffer(raw[:whole], self.wire).astype(self.dtype).reshape(-1, self.channels)
        if self.datagrams and whole < len(raw):
            self.garbage += 1
            yield Lost(1, "a datagram that ends inside a sample")

    def again(self) -> None:
        self._rest = b""
