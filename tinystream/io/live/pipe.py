"""A pipe of raw samples, such as standard input."""

from __future__ import annotations

from collections.abc import Generator
from typing import BinaryIO

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.live.base import Item, Live


class Pipe(Live):
    """Raw signed 16-bit little-endian samples, channels interleaved; of a camera, bytes.

    A pipe holds its writer back, so that nothing is lost here.
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
        while missing and (part := self.stream.read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
