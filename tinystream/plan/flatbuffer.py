"""Read flatbuffers whose bytes nobody vouches for: every access is checked, every mistake is a ModelError.

A table is reached from its position; its fields by slot number, the order in which the schema lists them (counted
from 0; a union takes two).  Vectors of numbers are views into the file, so a damaged length costs nothing.

Source: FlatBuffers internals, https://flatbuffers.dev/internals; schema: tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from tinystream.errors import ModelError

LONGEST_NAME = 4096         # bytes; a longer string is damage


class Table:
    """One flatbuffer table; absent fields give the default."""

    def __init__(self, data: bytes, position: int):
        self._data = data
        self._position = position
        self._fields = position - self._number("<i", position)
        self._count = (self._number("<H", self._fields) - 4) // 2
        if self._count < 0 or self._fields + 4 + 2 * self._count > len(data):
            raise damaged(f"a table at byte {position} has no field list")

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The outermost table of a file."""
        if len(data) < 8:
            raise damaged(f"it has {len(data)} bytes")
        return cls(data, struct.unpack_from("<I", data)[0])

    def integer(self, slot: int, default: int = 0, kind: str = "i") -> int:
        """kind is struct's letter of its type."""
        at = self._at(slot)
        return default if at is None else self._number("<" + kind, at)

    def real(self, slot: int, default: float = 0.0, kind: str = "f") -> float:
        at = self._at(slot)
        return default if at is None else self._number("<" + kind, at)

    def string(self, slot: int) -> str:
        """A name, without what would do something to a terminal: names are shown to people."""
        text = bytes(self.vector(slot, np.uint8)[:LONGEST_NAME]).decode("utf-8", "replace")
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)

    def strings(self, slot: int) -> list[str]:
        """A vector of strings."""
        start, length = self._vector(slot, 4)
        texts = []
        for i in range(length):
            at = self._follow(start + 4 * i)
            size = self._number("<I", at)
            if at + 4 + size > len(self._data):
                raise damaged(f"a text at byte {at} says it has {size} bytes")
            texts.append(self._data[at + 4 : at + 4 + min(size, LONGEST_NAME)].decode("utf-8", "replace"))
        return texts

    def vector(self, slot: int, dtype: type) -> np.ndarray:
        """Numbers, as a view; empty where the field is absent."""
        start, length = self._vector(slot, np.dtype(dtype).itemsize)
        return np.frombuffer(self._data, np.dtype(dtype).newbyteorder("<"), length, start) if length else np.empty(0, dtype)

    def table(self, slot: int) -> Table | None:
        at = self._at(slot)
        return None if at is None else Table(self._data, self._follow(at))

    def tables(self, slot: int) -> Iterator[Table]:
        """A vector of tables."""
        start, length = self._vector(slot, 4)
        return (Table(self._data, self._follow(start + 4 * i)) for i in range(length))

    def count(self, slot: int) -> int:
        """How long a vector of tables is."""
        return self._vector(slot, 4)[1]

    def _at(self, slot: int) -> int | None:
        offset = self._number("<H", self._fields + 4 + 2 * slot) if slot < self._count else 0
        return self._position + offset if offset else None

    def _follow(self, at: int) -> int:
        return at + self._number("<I", at)

    def _vector(self, slot: int, item: int) -> tuple[int, int]:
        at = self._at(slot)
        if at is None:
            return 0, 0
        at = self._follow(at)
        length = self._number("<I", at)
        if at + 4 + length * item > len(self._data):
            raise damaged(f"a list at byte {at} says it has {length} entries")
        return at + 4, length

    def _number(self, letter: str, at: int):
        if not 0 <= at <= len(self._data) - struct.calcsize(letter):
            raise damaged(f"it has {len(self._data)} bytes, and refers to byte {at}")
        return struct.unpack_from(letter, self._data, at)[0]


def damaged(why: str) -> ModelError:
    return ModelError(f"the model file is damaged or not a .tflite file: {why}", "copy or convert it again")
