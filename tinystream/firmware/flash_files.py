"""Files that a programmer, or a board's own boot loader, takes: Intel HEX, UF2 and plain binary."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tinystream.errors import BuildError, writing
from tinystream.firmware.board import Board
from tinystream.firmware.image import Image, Segment

PAGE = 256  # of UF2: what the RP2040's boot loader programs at once
UF2_HAS_FAMILY = 0x2000
PLACES = {".hex": "Intel HEX", ".uf2": "UF2", ".bin": "what flash holds, from its first byte on"}


def flash_suffix(board: Board) -> str | None:
    """What the board is loaded with; None where a process or an emulator takes the program as it is."""
    if board.core == "host" or board.firmware is None or (board.firmware.qemu and not board.firmware.emulated):
        return None
    return ".hex" if board.firmware.uf2_family is None else ".uf2"


def write_flash_file(program: Path, board: Board, out: Path) -> None:
    """The program, an ELF file, in the format that the name of `out` asks for; BuildError where it asks for none that the board takes."""
    segments = Image(program).segments
    if out.suffix == ".uf2":
        family = board.firmware.uf2_family if board.firmware else None
        if family is None:
            raise BuildError(f"the boot loader of '{board.name}' takes no UF2 file", f"{out.with_suffix('.hex').name}")
        data = uf2(segments, family)
    elif out.suffix == ".hex":
        data = intel_hex(segments).encode()
    elif out.suffix == ".bin":
        data = binary(segments)
    else:
        raise BuildError(f"'{out.name}' names no format of a flash file", ", ".join(f"{suffix}: {what}" for suffix, what in PLACES.items()))
    with writing(out, "another place"):
        out.write_bytes(data)


def binary(segments: list[Segment], fill: int = 0xFF) -> bytes:
    """From the first byte to the last, with what erased flash holds between the segments."""
    first = min(s.address for s in segments)
    data = bytearray([fill]) * (max(s.address + len(s.data) for s in segments) - first)
    for segment in segments:
        at = segment.address - first
        data[at : at + len(segment.data)] = segment.data
    return bytes(data)


def intel_hex(segments: list[Segment]) -> str:
    """Intel Hexadecimal Object File Format Specification, revision A, 1988: data and extended linear addresses.

    >>> print(intel_hex([Segment(0x1000FFFE, b"four")]), end="")
    :020000041000EA
    :02FFFE00666F2C
    :020000041001E9
    :02000000757217
    :00000001FF
    """
    lines, upper = [], 0
    for address, data in rows_of(segments):
        if address >> 16 != upper:
            upper = address >> 16
            lines.append(record(0, 4, upper.to_bytes(2, "big")))
        lines.append(record(address & 0xFFFF, 0, data))
    return "\n".join([*lines, record(0, 1, b"")]) + "\n"


def rows_of(segments: list[Segment], size: int = 16) -> Iterator[tuple[int, bytes]]:
    """Up to so many bytes at a time, none across a multiple of it."""
    for segment in segments:
        at = 0
        while at < len(segment.data):
            address = segment.address + at
            data = segment.data[at : at + size - address % size]
            yield address, data
            at += len(data)


def record(address: int, kind: int, data: bytes) -> str:
    body = struct.pack(">BHB", len(data), address, kind) + data
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}"


def uf2(segments: list[Segment], family: int) -> bytes:
    """github.com/microsoft/uf2, "File Format": 512 bytes for each page of 256, which is whole: zeros are what no segment has.

    family: the chip that may take it, of the list there.
    """
    pages: dict[int, bytearray] = {}
    for address, data in rows_of(segments, PAGE):
        page = pages.setdefault(address // PAGE * PAGE, bytearray(PAGE))
        page[address % PAGE : address % PAGE + len(data)] = data
    blocks = [
        struct.pack("<8I", 0x0A324655, 0x9E5D5157, UF2_HAS_FAMILY, address, PAGE, i, len(pages), family)
        + bytes(page).ljust(476, b"\0")
        + struct.pack("<I", 0x0AB16F30)
        for i, (address, page) in enumerate(sorted(pages.items()))
    ]
    return b"".join(blocks)
