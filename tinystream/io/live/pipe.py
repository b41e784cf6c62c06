"""A pipe of raw samples, such as standard input."""

from __future__ import annotations

import os
from collections.abc import Generator
from io import RawIOBase
from select import select
from typing import BinaryIO

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.live.base import LOOK_S, Item, Live


class Pipe(Live):
    """Raw signed 16-bit little-endian samples, channels interleaved; of a camera, bytes.

    A pipe holds its writer back, so that nothing is lost here.  One without a buffer (FileIO) is looked at before it is read, so that
    stop() ends it where nothing comes; not on Windows, which cannot look at a pipe.
    """

    def __init__(self, stream: BinaryIO, length: int, channels: int, shape: tuple[int, ...] | None = None, dtype: str = "int16"):
        super().__init__(length, channels, shape, dtype)
        self.stream = stream

    def items(self) -> Generator[Item, None, None]:
        wire = np.dtype(self.dtype).newbyteorder("<")
        frame = wire.itemsize * self.channels
        while len(block := self._exactly(self.length * frame)) == self.length * frame:
            yield self._shaped(np.frombuffer(block, wire).astype(self.dtype))
        self.left = len(block) // frame
        if len(block) % frame:
            raise RecordingError(
                f"the stream ends inside a sample: {len(block) % frame} of {frame} bytes", "send 16-bit little-endian, all channels"
            )

    def _exactly(self, size: int) -> bytes:
        """size bytes, or fewer at the end; a pipe gives them in pieces."""
        parts, missing = [], size
        looks = isinstance(self.stream, RawIOBase) and os.name == "posix"
        while missing:
            while looks and not select([self.stream], [], [], LOOK_S)[0]:
                self.look()
            part = self.stream.read(missing)
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
