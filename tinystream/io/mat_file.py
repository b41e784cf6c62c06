"""The numeric arrays in a MATLAB 5 file, the format of versions 5 to 7.

Source: "MAT-File Format", The MathWorks, chapter 1 (Level 5 MAT-files).  Ours, as the usual reader does not survive damage.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from math import prod

import numpy as np

TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
MATRIX, COMPRESSED = 14, 15
COMPLEX = 0x0800
HEADER = 128
LARGEST = 1 << 30  # bytes of one variable


class MatFileError(ValueError):
    """What is wrong with the file."""


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Real numeric arrays of up to two axes by name, as MATLAB holds them; what else there is is passed over."""
    if len(data) < HEADER or data[126:128] not in (b"IM", b"MI"):
        raise MatFileError("it is no MATLAB 5 file")
    order = "<" if data[126:128] == b"IM" else ">"
    found = {}
    for kind, body in _elements(data[HEADER:], order):
        if kind == COMPRESSED:
            kind, body = next(_elements(_inflated(body), order), (0, b""))
        if kind == MATRIX:
            name, array = _matrix(body, order)
            if array is not None:
                found[name] = array
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each; short ones lie inside their tag, long ones begin at a multiple of 8 bytes unless they are compressed."""
    at = 0
    while at + 8 <= len(data):
        first, size = struct.unpack_from(order + "II", data, at)
        if first >> 16:
            kind, size, begin, after = first & 0xFFFF, first >> 16, at + 4, at + 8
            if size > 4:
                raise MatFileError(f"a short element at byte {at} has {size} bytes")
        else:
            kind, begin = first, at + 8
            after = begin + size + (-size % 8 if kind != COMPRESSED else 0)
        if begin + size > len(data):
            raise MatFileError(f"it is cut short: {begin + size - len(data)} bytes are missing")
        yield kind, data[begin : begin + size]
        at = after


def _inflated(body: bytes) -> bytes:
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(body, LARGEST)
    except zlib.error as e:
        raise MatFileError(f"a compressed variable is damaged: {e}") from None
    if not unpack.eof:
        raise MatFileError("a compressed variable is cut short, or larger than a gigabyte")
    return data


def _matrix(body: bytes, order: str) -> tuple[str, np.ndarray | None]:
    """Name and values; None for text, cells, structures, and what is complex or sparse or has more axes."""
    parts = [part for _, part in zip(range(4), _elements(body, order))]
    if len(parts) < 4 or len(parts[0][1]) < 4 or len(parts[1][1]) % 4:
        return "", None
    flags = struct.unpack_from(order + "I", parts[0][1])[0]
    shape = struct.unpack(f"{order}{len(parts[1][1]) // 4}i", parts[1][1])
    name, (kind, values) = parts[2][1].decode("ascii", "replace"), parts[3]
    if flags & 0xFF not in CLASSES or flags & COMPLEX or len(shape) > 2 or kind not in TYPES:
        return name, None
    if min(shape, default=-1) < 0 or prod(shape) * int(TYPES[kind][1]) != len(values):
        raise MatFileError(f"variable '{name}' of {'x'.join(map(str, shape))} has {len(values)} bytes")
    array = np.frombuffer(values, order + TYPES[kind]).reshape(shape, order="F")
    with np.errstate(invalid="ignore"):
        return name, array.astype(CLASSES[flags & 0xFF])
