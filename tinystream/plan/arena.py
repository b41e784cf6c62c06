"""Where each buffer lies in the arena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

ALIGN = 8  # of every buffer: the widest element, int64


@dataclass(frozen=True)
class Buffer:
    """`size` elements of `dtype`, in use from step `first` to step `last`.

    step, member: it is written in C as arena.<step>.<member>.
    over:         the step whose y it takes the place of (the kernel works in place).
    """

    step: str
    member: str
    dtype: str
    size: int
    first: int
    last: int
    offset: int = 0
    over: str | None = None

    @property
    def bytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize


def place(buffers: Sequence[Buffer]) -> tuple[Buffer, ...]:
    """Largest first, each at the lowest offset that is free for as long as it is in use.

    Source: greedy by size, as in Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020, §5.
    """
    owner: dict[tuple[str, str], tuple[str, str]] = {}
    for b in buffers:  # a chain of in-place steps is one buffer with several names
        owner[b.step, b.member] = owner[b.over, "y"] if b.over else (b.step, b.member)
    groups: dict[tuple[str, str], list[Buffer]] = {}
    for b in buffers:
        groups.setdefault(owner[b.step, b.member], []).append(b)

    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last
    offsets = {}
    for key, group in sorted(groups.items(), key=lambda item: (-max(b.bytes for b in item[1]), item[1][0].first)):
        size, first, last = max(b.bytes for b in group), min(b.first for b in group), max(b.last for b in group)
        offset = 0
        for start, end, begin, until in sorted(placed):
            if begin <= last and first <= until:
                if offset + size <= start:
                    break
                offset = max(offset, -(-end // ALIGN) * ALIGN)
        placed.append((offset, offset + size, first, last))
        offsets[key] = offset
    return tuple(replace(b, offset=offsets[owner[b.step, b.member]]) for b in buffers)
