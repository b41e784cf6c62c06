"""Where each buffer lies in the arena."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from random import Random

import numpy as np

ALIGN = 4  # of every buffer at least, so that a kernel may read bytes by words; 8 where elements are wider
WORK = 1_000_000  # pairs of places that the search may look at


@dataclass(frozen=True)
class Buffer:
    """`size` elements of `dtype`, in use from step `first` to step `last`.

    step, member: it is written in C as arena.<step>.<member>.
    over:         the step whose y it takes the place of (the kernel works in place).
    below, gap:   the step whose y it may lie over, if it begins `gap` bytes before it.
    """

    step: str
    member: str
    dtype: str
    size: int
    first: int
    last: int
    offset: int = 0
    over: str | None = None
    below: str | None = None
    gap: int = 0

    @property
    def bytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def align(self) -> int:
        return max(ALIGN, np.dtype(self.dtype).itemsize)


@dataclass(frozen=True)
class Place:
    """What needs memory: one buffer, or several that take each other's place; in use from step `first` to step `last`."""

    key: tuple[str, str]
    bytes: int
    align: int
    first: int
    last: int
    below: tuple[str, str] | None = None
    gap: int = 0

    def forbids(self, other: Place, offset: int) -> tuple[int, int] | None:
        """The offsets, first and last left out, that this place at `offset` leaves no room at for the other; None where they never meet."""
        if not (self.first <= other.last and other.first <= self.last):
            return None
        before, behind = other.bytes, self.bytes
        if other.below == self.key and other.first == self.last:
            before = min(before, other.gap)
        if self.below == other.key and self.first == other.last:
            behind = min(behind, self.gap)
        return offset - before, offset + behind


def place(buffers: Sequence[Buffer]) -> tuple[Buffer, ...]:
    """Every buffer where nothing else is for as long as it is in use, in as little memory as the search below finds.

    Each order of the places gives an arrangement: one after the other, each at the lowest offset that is free.  Orders that are good in
    most graphs are tried first; then the best of them, and that by size, are changed at random places (always the same ones), until the
    lower bound is reached or the work is enough.  Source: greedy by size, as in Pisarchyk and Lee, Efficient Memory Management for Deep
    Neural Net Inference, 2020, §5; the search is ours.
    """
    owner = owners(buffers)
    places = places_of(buffers, owner)
    live = live_bytes(places)
    orders = [
        sorted(places, key=lambda p: (-p.bytes, p.first)),
        sorted(places, key=lambda p: (-max(live[p.first : p.last + 1]), -p.bytes)),
        sorted(places, key=lambda p: (-p.bytes * (p.last - p.first + 1), p.first)),
        sorted(places, key=lambda p: (p.first, -p.bytes)),
        sorted(places, key=lambda p: (-p.first, -p.bytes)),  # a layer that lies below what it has read comes after it
        sorted(places, key=lambda p: (p.first == p.last, -p.first)),
    ]
    tried = [(size, found, order) for order in orders for found, size in [arranged(order)]]
    bound, (best, offsets, order) = max(live, default=0), min(tried, key=lambda t: t[0])
    for changed in chain(shuffled(order), shuffled(orders[0])) if best > bound else ():
        found, size = arranged(changed)
        if size < best:
            best, offsets = size, found
        if best <= bound:
            break
    return tuple(replace(b, offset=offsets[owner[b.step, b.member]]) for b in buffers)


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The most bytes that are in use at once: no arrangement needs less."""
    return max(live_bytes(places_of(buffers, owners(buffers))), default=0)


def owners(buffers: Sequence[Buffer]) -> dict[tuple[str, str], tuple[str, str]]:
    """The first of the buffers whose place each one takes: a chain of in-place steps is one buffer with several names."""
    owner: dict[tuple[str, str], tuple[str, str]] = {}
    for b in buffers:
        owner[b.step, b.member] = owner[b.over, "y"] if b.over else (b.step, b.member)
    return owner


def places_of(buffers: Sequence[Buffer], owner: dict[tuple[str, str], tuple[str, str]]) -> list[Place]:
    groups: dict[tuple[str, str], list[Buffer]] = {}
    for b in buffers:
        groups.setdefault(owner[b.step, b.member], []).append(b)
    return [place_of(key, group, owner) for key, group in groups.items()]


def place_of(key: tuple[str, str], group: Sequence[Buffer], owner: dict[tuple[str, str], tuple[str, str]]) -> Place:
    head = group[0]
    below = owner[head.below, "y"] if head.below else None
    first, last = min(b.first for b in group), max(b.last for b in group)
    return Place(key, max(b.bytes for b in group), max(b.align for b in group), first, last, below, head.gap)


def live_bytes(places: Sequence[Place]) -> list[int]:
    """Bytes in use at each step; where one place may lie over another, what the two need together."""
    live = [0] * (max((p.last for p in places), default=-1) + 1)
    known = {p.key: p for p in places}
    for p in places:
        for step in range(p.first, p.last + 1):
            live[step] += p.bytes
        other = known[p.below] if p.below else None
        if other and other.last == p.first:
            together = max(p.bytes, max(p.gap, 0) + other.bytes, other.bytes)
            live[p.first] -= max(0, p.bytes + other.bytes - together)
    return live


def arranged(order: Sequence[Place]) -> tuple[dict[tuple[str, str], int], int]:
    """(offset of each place, bytes in all) where each in turn takes the lowest offset that is free."""
    placed: list[tuple[Place, int]] = []
    offsets, size = {}, 0
    for p in order:
        offset = 0
        for low, high in sorted(found for other, at in placed if (found := other.forbids(p, at))):
            if offset <= low:
                break
            offset = max(offset, -(-high // p.align) * p.align)
        placed.append((p, offset))
        offsets[p.key], size = offset, max(size, offset + p.bytes)
    return offsets, size


def shuffled(order: Sequence[Place]) -> Iterator[list[Place]]:
    """The order with a few places moved, as often as takes a fraction of a second."""
    chance = Random(0)
    for _ in range(min(400, WORK // max(1, len(order) ** 2))):
        changed = list(order)
        for _ in range(chance.randint(1, 4)):
            changed.insert(chance.randrange(len(changed)), changed.pop(chance.randrange(len(changed))))
        yield changed
