"""Count what the emulated core executes: exact instructions, by function, by step and by address."""

from __future__ import annotations

import ctypes
import hashlib
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.emit.compiler import compiler
from tinystream.emit.templates import templates
from tinystream.firmware.image import Image
from tinystream.run.cache import cached

EDGES = 1 << 16  # twice what the largest app here has
EDGE = np.dtype([("from", "u4"), ("to", "u4"), ("bytes", "u4"), ("step", "u4"), ("count", "u8"), ("next", "u4"), ("after", "u4")])
MARK = np.dtype([("address", "u4"), ("step", "u4")])


class Told(ctypes.Structure):
    """struct ts_counter of firmware_templates/host/counter.c."""

    _fields_ = [
        ("edges", ctypes.c_void_p), ("slots", ctypes.c_void_p), ("mask", ctypes.c_uint32), ("used", ctypes.c_uint32),
        ("last", ctypes.c_uint32), ("step", ctypes.c_uint32), ("lost", ctypes.c_uint64), ("marks", ctypes.c_void_p),
        ("mark_count", ctypes.c_uint64),
    ]  # fmt: skip


class BlockCounter:
    """How often the core went from one basic block to another.

    A block is what the emulator translates at once: it has one entry, and control leaves it only at its end, so all of its
    instructions count as often as it was entered.  An instruction whose IT condition is false counts, as it takes its turn
    in the pipeline.  Source: Arm v7-M Architecture Reference Manual, A7.3 (IT) and A5.1 (width of an instruction).
    """

    def __init__(self, image: Image, code: bytes, base: int):
        self.image = image
        self.edges = np.zeros(EDGES + 1, EDGE)
        self._slots = np.zeros(2 * EDGES, np.uint32)
        self._wide = is_first_of_two(np.frombuffer(code, "<u2"))
        self._base = base
        self._marks = np.array([(mark.address, mark.step) for mark in image.marks], MARK)
        self.told = Told(self.edges.ctypes.data, self._slots.ctypes.data, 2 * EDGES - 1, 1)  # edge 0: from nowhere
        self.told.marks, self.told.mark_count = self._marks.ctypes.data, len(self._marks)
        self._instructions = np.zeros(0, np.int64)  # of the block at each edge's end

    def reset(self) -> None:
        """Forget the counts."""
        self.edges["count"] = 0
        self.told.step = 0

    @property
    def seen(self) -> np.ndarray:
        """Edges that were ever taken, with their counts since the reset."""
        assert self.told.lost == 0, f"more than {EDGES} edges between basic blocks"
        return self.edges[1 : self.told.used]

    def instructions(self) -> np.ndarray:
        """Executed since the reset, for each edge of `seen`: the block at its end."""
        edges = self.seen
        new = [self.length(int(e["to"]), int(e["bytes"])) for e in edges[len(self._instructions) :]]
        self._instructions = np.concatenate([self._instructions, np.array(new, np.int64)])
        return self._instructions * edges["count"].astype(np.int64)

    def length(self, address: int, size: int) -> int:
        """Instructions of the block that begins there."""
        assert size, f"the emulator did not say how long the block at {address:#x} is"
        at, end, count = (address - self._base) // 2, (address + size - self._base) // 2, 0
        while at < end:
            at += 2 if self._wide[at] else 1
            count += 1
        assert at == end, f"the block at {address:#x} ends inside an instruction"
        return count

    def total(self) -> int:
        return int(self.instructions().sum())

    def by_function(self) -> Counter[str]:
        """Instructions of each function's own code."""
        counts: Counter[str] = Counter()
        for edge, executed in zip(self.seen, self.instructions()):
            counts[self.image.function_at(int(edge["to"]))] += int(executed)
        return +counts

    def by_step(self) -> Counter[int]:
        """Instructions while each step ran, in an image of the variant `profile`."""
        counts: Counter[int] = Counter()
        for edge in self.seen[self.seen["count"] > 0]:
            for step, start, end in self.pieces(edge):
                counts[step] += self.length(start, end - start) * int(edge["count"])
        return counts

    def pieces(self, edge: Any) -> list[tuple[int, int, int]]:
        """(step, start, end) of each part of the block at the edge's end: a mark inside ends a part."""
        at, end, step = int(edge["to"]), int(edge["to"]) + int(edge["bytes"]), int(edge["step"])
        pieces = []
        for mark in self.image.marks:
            if at <= mark.address < end:
                pieces.append((step, at, mark.address))
                at, step = mark.address, mark.step
        pieces.append((step, at, end))
        return [(step, start, end) for step, start, end in pieces if start < end]

    def by_address(self) -> Counter[int]:
        """How often each instruction was executed."""
        counts: Counter[int] = Counter()
        for edge in self.seen[self.seen["count"] > 0]:
            at, end = int(edge["to"]), int(edge["to"]) + int(edge["bytes"])
            while at < end:
                counts[at] += int(edge["count"])
                at += 4 if self._wide[(at - self._base) // 2] else 2
        return counts


def is_first_of_two(halfwords: np.ndarray) -> np.ndarray:
    """Whether an instruction that begins here has 32 bits: bits 15-11 are 0b11101, 0b11110 or 0b11111."""
    return halfwords >> 11 >= 0b11101


@cache
def library() -> ctypes.CDLL:
    """counter.c, compiled for this machine."""
    source = templates() / "host/counter.c"
    with_compiler = compiler()
    digest = hashlib.sha256(with_compiler.version.encode() + source.read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory(prefix="tinystream-") as folder:
        flags = ("-std=c11", "-O2", "-shared", "-fPIC")
        build = lambda: with_compiler.build([source], Path(folder) / "counter.so", *flags)  # noqa: E731
        return ctypes.CDLL(str(cached(f"counter-{digest[:32]}.so", build, "XDG_CACHE_HOME = a folder of yours")))
