"""A node that lives from what it harvests: the storage's energy block by block, when power fails, and what is missed by it.

    joules += harvested - used - leaked, and what is more than full is spilled

Up, the node draws what the timeline of an uninterrupted replay draws at that block (after a restart, a few windows of a detector fill anew,
which is not seen in the draw); through a switching regulator as a power, else as a current, at the storage's voltage.  When the voltage
falls below the brown-out's at the end of a block, the block is not heard, all state is lost and nothing draws but the leakage.  When it
has risen to that of the restart, firmware starts: it boots, tests itself, and begins as if for the first time.

Recordings are heard one after the other, over and over, each from a fresh start as in a replay; an app on duty goes on to the end of its
cycle where a recording ends before it.

Many blocks are computed at once: the voltage, for leakage and for what is drawn as a current, is taken anew when the energy has moved by
STEP of what is full, or by more where less depends on it.  Every joule that is counted as harvested is used, leaked, spilled or there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from tinystream.plan.plan import Plan
from tinystream.power.store import Store
from tinystream.power.sun import Sun
from tinystream.run.engine import Runs
from tinystream.run.outage import Interrupted
from tinystream.run.replay import replay
from tinystream.run.trace import Event

STEP = 0.005
AT_ONCE = 8192
"""Blocks."""
MOST_REPLAYS = 60
"""Passes of a recording, interrupted in different places, that are replayed."""


SAME_S = 0.5
"""Two events of one label that are no farther apart are one: after a restart, windows of a detector fall on other blocks."""


@dataclass(frozen=True, eq=False)
class Load:
    """What the node draws out of the storage: watts + amperes × volts, at each block of the passes, one recording after the other.

    passes: blocks of each recording; for an app on duty, up to the end of a cycle.
    every:  blocks of a duty cycle, 0 without: then watts and amperes are those at each block of a cycle.
    boot:   blocks until the app listens, and what it draws meanwhile.
    """

    watts: np.ndarray
    amperes: np.ndarray
    passes: tuple[int, ...]
    block_s: float
    every: int = 0
    boot_blocks: int = 0
    boot_watts: float = 0.0
    boot_amperes: float = 0.0

    @property
    def tape(self) -> int:
        return sum(self.passes)

    def mean_w(self, volts: float) -> float:
        return float(self.watts.mean() + self.amperes.mean() * volts)


@dataclass(frozen=True)
class Limits:
    """Volts of the storage."""

    brown_out_v: float
    restart_v: float
    start_v: float


@dataclass(frozen=True)
class Outage:
    """Blocks since the begin: power failed, power was back, the app listened again; None where that did not come."""

    failed: int
    back: int | None
    listens: int | None


@dataclass
class Balance:
    """Joules."""

    begin: float
    end: float = 0.0
    harvested: float = 0.0
    used: float = 0.0
    leaked: float = 0.0
    spilled: float = 0.0

    @property
    def rest(self) -> float:
        """What is not accounted for: rounding."""
        return self.begin + self.harvested - self.used - self.leaked - self.spilled - self.end


@dataclass(frozen=True)
class Course:
    """What happened in `blocks` blocks.  up: stretches in which the app listened, or slept between its windows."""

    blocks: int
    block_s: float
    up: tuple[tuple[int, int], ...]
    outages: tuple[Outage, ...]
    joules: Balance
    volts: tuple[tuple[float, float], ...]

    @property
    def availability(self) -> float:
        return sum(end - begin for begin, end in self.up) / self.blocks


def simulate(store: Store, load: Load, sun: Sun, limits: Limits, blocks: int) -> Course:
    """From the begin of the sun's day on."""
    return _Life(store, load, sun, limits, blocks).course()


@dataclass
class _Life:
    """One course, as it goes on."""

    store: Store
    load: Load
    sun: Sun
    limits: Limits
    blocks: int
    up: list[tuple[int, int]] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def course(self) -> Course:
        store, limits = self.store, self.limits
        self.full, self.low = store.joules(store.max_v), store.joules(limits.brown_out_v)
        self.restart = store.joules(limits.restart_v)
        self.joules = store.joules(limits.start_v)
        self.balance = Balance(self.joules)
        self.at, self.many, self.volts = 0, 16, [(0.0, limits.start_v)]
        if self.joules < self.restart:  # it has to be charged first
            self.outages.append(Outage(0, None, None))
            self.off()
        while self.at < self.blocks:
            self.live()
            if self.at < self.blocks:
                self.off()
        self.balance.end = self.joules
        return Course(self.blocks, self.load.block_s, tuple(self.up), tuple(self.outages), self.balance, tuple(self.volts))

    def live(self) -> None:
        """Boot where there was an outage, listen, until power fails or the time is over."""
        if self.outages and self.load.boot_blocks:
            last = min(self.blocks, self.at + self.load.boot_blocks)
            while self.at < last:
                n = min(self.many, last - self.at)
                watts, amperes = np.full(n, self.load.boot_watts), np.full(n, self.load.boot_amperes)
                if self.advance(watts, amperes, self.low, falling=True):
                    self.outages.append(Outage(self.at - 1, None, None))
                    return
        if self.at >= self.blocks:
            return
        if self.outages:
            self.outages[-1] = Outage(self.outages[-1].failed, self.outages[-1].back, self.at)
        begin = self.at
        while self.at < self.blocks:
            n, watts, amperes = self.draw(begin)
            if self.advance(watts[:n], amperes[:n], self.low, falling=True):
                if self.at - 1 > begin:
                    self.up.append((begin, self.at - 1))
                self.outages.append(Outage(self.at - 1, None, None))
                return
        self.up.append((begin, self.at))

    def off(self) -> None:
        """Until the storage has been charged to the restart."""
        while self.at < self.blocks:
            n = min(self.many, self.blocks - self.at)
            if self.advance(np.zeros(n), np.zeros(n), self.restart, falling=False):
                self.outages[-1] = Outage(self.outages[-1].failed, self.at, None)
                return

    def draw(self, begin: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Of the next blocks, no more than the pass has."""
        load = self.load
        first, last = pass_at(load.passes, self.at)
        n = min(self.many, self.blocks - self.at, last - self.at)
        if load.every:
            index = (np.arange(self.at, self.at + n) - max(begin, first)) % load.every
            return n, load.watts[index], load.amperes[index]
        offset = self.at % load.tape
        return n, load.watts[offset : offset + n], load.amperes[offset : offset + n]

    def advance(self, watts: np.ndarray, amperes: np.ndarray, limit: float, falling: bool) -> bool:
        """As many of these blocks as the voltage bears; whether the limit was passed in the last one."""
        n, block_s, volts = len(watts), self.load.block_s, self.store.volts(self.joules)
        came = self.sun((self.at + np.arange(n) + 0.5) * block_s) * block_s
        if not falling and self.joules < self.low:
            came = np.where(came >= self.sun.start_w * block_s, came, 0.0)  # a converter does not start by itself with less
        used = (watts + amperes * volts) * block_s
        leaked = min(self.store.leak_w(volts) * block_s, self.joules / n)
        net = np.cumsum(came - used - leaked)
        flows = float(came.sum() + used.sum()) + leaked * n
        by_volts = (float(amperes.sum()) * volts * block_s + leaked * n) / flows if flows else 0.0
        over = np.maximum.accumulate(np.maximum(self.joules + net - self.full, 0.0))
        level = self.joules + net - over
        moved = np.abs(level - self.joules) > STEP * self.full / max(by_volts, STEP)
        n = int(np.argmax(moved)) + 1 if moved.any() else n
        level = level[:n]
        passed = level < limit if falling else level >= limit
        found = bool(passed.any())
        n = int(np.argmax(passed)) + 1 if found else n
        end, balance = float(level[n - 1]), self.balance
        balance.harvested += float(came[:n].sum())
        balance.used += float(used[:n].sum()) + min(end, 0.0)  # what was not there was not used
        balance.leaked += leaked * n
        balance.spilled += float(over[n - 1])
        self.joules = max(end, 0.0)
        self.at += n
        self.many = min(AT_ONCE, max(16, 2 * n))
        self.volts.append((self.at * block_s, self.store.volts(self.joules)))
        return found


def pass_at(passes: Sequence[int], block: int) -> tuple[int, int]:
    """First block of the pass that a block lies in, and of the next one."""
    tape = sum(passes)
    begin = block // tape * tape
    for length in passes:
        if block < begin + length:
            return begin, begin + length
        begin += length
    raise AssertionError("a block lies in a pass")


# --- what is missed ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Missed:
    """An event that an uninterrupted node tells at a block since the begin, and the outage that it was missed by."""

    block: int
    event: Event
    outage: int


@dataclass(frozen=True)
class Hearing:
    """until: blocks for which events were told; expected: of an uninterrupted node; others: told where that one tells none near."""

    until: int
    expected: int
    missed: tuple[Missed, ...]
    others: int


def hearing(plan: Plan, engine: Runs, recordings: Sequence[np.ndarray], load: Load, course: Course) -> Hearing:
    """Every pass that was interrupted is replayed as it was heard; those that were not are the uninterrupted replay.

    After MOST_REPLAYS different ones no more is told.
    """
    samples = plan.x[0].shape[0]
    whole = [replay(plan, engine, x).events for x in recordings]
    replayed: dict[tuple[int, tuple[tuple[int, int], ...]], tuple[Event, ...]] = {}
    missed: list[Missed] = []
    expected = others = 0
    failed = [outage.failed for outage in course.outages]
    for begin, number, up in passes_of(load, course):
        length = len(recordings[number]) // samples
        heard_of = min(length, course.blocks - begin)
        parts = tuple((max(a - begin, 0), min(b - begin, heard_of)) for a, b in up if a - begin < heard_of)
        due = [event for event in whole[number] if event.sample <= heard_of * samples]
        expected += len(due)
        if parts == ((0, heard_of),):
            continue
        if not parts:
            got: tuple[Event, ...] = ()
        elif (number, parts) in replayed:
            got = replayed[number, parts]
        elif len(replayed) == MOST_REPLAYS:
            return Hearing(begin, expected - len(due), tuple(missed), others)
        else:
            got = replayed[number, parts] = replay(plan, Interrupted(plan, engine, parts), recordings[number]).events
        left = list(got)
        for event in due:
            near = [other for other in left if other.label == event.label and abs(other.time_s - event.time_s) <= SAME_S]
            if near:
                left.remove(min(near, key=lambda other: abs(other.time_s - event.time_s)))
            else:
                block = begin + ceil(event.sample / samples) - 1
                missed.append(Missed(block, event, bisect_right(failed, block) - 1))
        others += len(left)
    return Hearing(course.blocks, expected, tuple(missed), others)


def passes_of(load: Load, course: Course) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """First block and number of the recording of each pass, and the stretches in which the node was up in it."""
    begin, stretch = 0, 0
    while begin < course.blocks:
        for number, length in enumerate(load.passes):
            if begin >= course.blocks:
                return
            while stretch < len(course.up) and course.up[stretch][1] <= begin:
                stretch += 1
            last = stretch
            while last < len(course.up) and course.up[last][0] < begin + length:
                last += 1
            yield begin, number, list(course.up[stretch:last])
            begin += length


def windows(plan: Plan, load: Load, course: Course) -> tuple[int, int]:
    """Windows of the duty cycle of an uninterrupted node, and how many of them this one did not hear whole."""
    assert plan.duty, "an app on duty has windows"
    due = missed = 0
    for begin, number, up in passes_of(load, course):
        for first in range(begin, begin + load.passes[number], plan.duty.every):
            last = first + plan.duty.on
            if last <= course.blocks:
                due += 1
                missed += not any(a <= first and last <= b for a, b in up)
    return due, missed


# --- how much is needed ------------------------------------------------------------------------------------------------

NEAR, LARGEST = 0.01, 2.0**12
"""How near the least is told, and how many times more than was named is tried."""


def least(enough: Callable[[float], bool]) -> float | None:
    """The least factor from which on it is enough, to NEAR, where more is never worse; None where nothing is up to LARGEST.

    >>> least(lambda factor: factor >= 3.7)  # doctest: +ELLIPSIS
    3.7...
    """
    low, high = 1.0, 1.0
    if enough(1.0):
        while enough(low / 2):
            low /= 2
            if low < 1 / LARGEST:
                return low
        low, high = low / 2, low
    else:
        while not enough(high := high * 2):
            if high >= LARGEST:
                return None
        low = high / 2
    while high / low > 1 + NEAR:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
