"""Which blocks of several devices belong together: pure bookkeeping, without threads or devices.

Time is counted in heartbeats, the blocks of the first source.  While all is well, what came n-th is joined with what came n-th: the promise
that a recording of it replays as the same.  What two devices call the same time parts in two ways, and both are a gap of all:

- One says that samples are missing (it was unplugged, a frame was lost).  So much is left out of the others, that what is joined behind the
  gap was heard at the same time, to half a block.
- One is ahead of another by more than SLACK_S: its clock is faster, or the other stalled.  Its older blocks are left out until both are
  near; what the other sends next then meets the newest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from typing import Any

import numpy as np

from tinystream.io.live.base import Beat, Gap, counted
from tinystream.plan.signal import Signal

SLACK_S = 0.5
"""Less would take for drift what is none: serial adapters, Bluetooth and a busy machine hold samples back for some tenths of a second.
More would join what a window of a second no longer sees together.  Quartz clocks that differ by 100 ppm part so far in 80 minutes."""


@dataclass
class Apart:
    """Between two stretches that are joined.

    passed:   for each source, the heartbeats since the last that was given.
    left_out: samples of each source.
    behind:   of a source that has sent nothing meanwhile, who is ahead of it, and how much of its `passed` is no more than that.
    why:      for people.
    exact:    nothing but counts has told what is missing.
    """

    passed: list[Fraction]
    left_out: list[int]
    behind: dict[int, tuple[int, Fraction]] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)
    exact: bool = True


class Join:
    """come() takes what one source gave; found() gives what is complete.

    lasts:    heartbeats of a block of each source.
    left_out: samples of each that were left out because another did not have them.
    """

    def __init__(self, names: Sequence[str], x: Sequence[Signal], tell: Callable[[str], Any] = lambda _: None):
        self.names, self.x, self.tell = names, x, tell
        self.lasts = [int(x[0].rate_hz / one.rate_hz) for one in x]
        self.beat_s = float(1 / x[0].rate_hz)
        self.left_out = [0] * len(x)
        self._waiting: list[deque[tuple[float, np.ndarray | Gap]]] = [deque() for _ in x]
        self._ended = [False] * len(x)
        self._last: list[tuple[float, Any]] = [(0.0, None)] * len(x)  # the block in use, and when it came
        self._rest = [0] * len(x)  # heartbeats that it still lasts
        self._late = [Fraction(0)] * len(x)  # heartbeats by which its blocks are later than they are joined, less than one of its blocks
        self._apart: Apart | None = Apart([Fraction(0)] * len(x), [0] * len(x))
        self._given = False
        self._gone = [0] * len(x)

    def come(self, i: int, at: float, item: Any) -> None:
        """A block or a Gap that has come at that moment, or None for the end."""
        if item is None:
            self._ended[i] = True
        else:
            self._waiting[i].append((at, item))

    def found(self, now: float) -> Iterator[Beat | Gap]:
        while True:
            if self._apart:
                self._leave_out(self._apart)
                if all(self._waiting):
                    yield from self._together_again(self._apart)
                    continue
            elif beats := min(self._there(i) for i in range(len(self.x))):
                self._given = True
                for _ in range(beats):
                    yield self._beat()
                continue
            elif any(self._at_gap(i) for i in range(len(self.x))):
                self._apart = self._parted()
                continue
            if not self._is_ahead(now):
                return

    @property
    def over(self) -> bool:
        """One of them has ended, and nothing can follow."""
        each = zip(self._ended, self._waiting, self._rest, strict=True)
        return any(ended and not waiting and (self._apart is not None or not rest) for ended, waiting, rest in each)

    def gone(self) -> list[int]:
        """Items of each source that no longer wait, since it was last asked."""
        gone, self._gone = self._gone, [0] * len(self.x)
        return gone

    # --- joined

    def _there(self, i: int) -> int:
        """Heartbeats for which it has blocks, up to a gap."""
        blocks = sum(1 for _ in takewhile(lambda one: not isinstance(one[1], Gap), self._waiting[i]))
        return self._rest[i] + blocks * self.lasts[i]

    def _at_gap(self, i: int) -> bool:
        return not self._rest[i] and bool(self._waiting[i]) and isinstance(self._waiting[i][0][1], Gap)

    def _beat(self) -> Beat:
        x, new = [], []
        for i, lasts in enumerate(self.lasts):
            new.append(None if self._rest[i] else self._pop(i))
            self._rest[i] = (self._rest[i] or lasts) - 1
            x.append(self._last[i][1][np.newaxis])
        return Beat(tuple(x), tuple(new))

    def _pop(self, i: int) -> Any:
        self._gone[i] += 1
        self._last[i] = self._waiting[i].popleft()
        return self._last[i][1]

    # --- apart

    def _parted(self) -> Apart:
        """What is left of a block in use has come, and is not joined any more."""
        apart = Apart([late + rest for late, rest in zip(self._late, self._rest)], [0] * len(self.x))
        self._rest = [0] * len(self.x)
        return apart

    def _leave_out(self, apart: Apart) -> None:
        """Until each begins where the one begins that misses most, to the nearest block."""
        before: list[Fraction] = []
        while before != apart.passed:
            before = list(apart.passed)
            for i, waiting in enumerate(self._waiting):
                while waiting and self._passes(apart, i, waiting[0][1]):
                    self._pop(i)

    def _passes(self, apart: Apart, i: int, item: np.ndarray | Gap) -> bool:
        """Whether it lies before the next stretch."""
        if isinstance(item, Gap):
            self._misses(apart, i, item)
            return True
        if i in apart.behind:
            self._meets_the_newest(apart, i)
        if apart.passed[i] + Fraction(self.lasts[i], 2) >= max(apart.passed):
            return False
        self._leaves_out(apart, i)
        return True

    def _leaves_out(self, apart: Apart, i: int) -> None:
        apart.passed[i] += self.lasts[i]
        self.left_out[i] += self.x[i].shape[0]
        apart.left_out[i] += self.x[i].shape[0]

    def _misses(self, apart: Apart, i: int, gap: Gap) -> None:
        """What was counted stands for what was taken for another's lead; what a clock told does where it is more, as nobody knows how long
        a device takes from its connection to its first sample."""
        missing, (_, ahead) = self._length(i, gap), apart.behind.get(i, (0, Fraction(0)))
        apart.passed[i] += missing - ahead if gap.exact else max(Fraction(0), missing - ahead)
        if gap.exact:
            apart.behind.pop(i, None)
        apart.exact &= gap.exact
        apart.why.append(f"{self.names[i]}: {gap.why}")

    def _meets_the_newest(self, apart: Apart, i: int) -> None:
        """The first that it sends again was heard when the last was that others have sent."""
        first, ahead = apart.behind.pop(i)
        more = max(self._end(j) for j in range(len(self.x))) - self._end(i)
        apart.passed[i] += more
        apart.why.append(f"{self.names[first]} was ahead of {self.names[i]} by {float(ahead + more) * self.beat_s:.2f} s")
        apart.exact = False

    def _together_again(self, apart: Apart) -> Iterator[Gap]:
        """Each has a block to begin with."""
        self._apart, most = None, max(apart.passed)
        self._late = [passed - most for passed in apart.passed]
        why = "; ".join(apart.why)
        left_out = ", ".join(f"{counted(n, 'sample')} of {name}" for name, n in zip(self.names, apart.left_out) if n)
        if why:
            self.tell(f"{'warning' if self._given else 'note'}: {why}{f'; left out: {left_out}' if left_out else ''}")
        if self._given:
            yield Gap(round(most * self.x[0].shape[0]), why, apart.exact)

    def _is_ahead(self, now: float) -> bool:
        """One is, so that they have parted, or are more apart than before.

        A block that is not complete may have come but for its last sample, so only what is more is sure.  What has only just come waits
        for nobody: a sender that is faster than true time is held back, and not left out.
        """
        ends = [self._end(i) for i in range(len(self.x))]
        first = max(range(len(ends)), key=lambda i: ends[i])
        ahead, last = max((ends[first] - end - lasts, i) for i, (end, lasts) in enumerate(zip(ends, self.lasts, strict=True)))
        since, _ = (self._waiting[first] or [self._last[first]])[0]
        if ahead * Fraction(self.beat_s) <= SLACK_S or now - since <= SLACK_S:
            return False
        self._falls_behind(self._apart or self._parted(), last, first, ahead)
        return True

    def _falls_behind(self, apart: Apart, i: int, first: int, ahead: Fraction) -> None:
        """What still waits of it is older than what others have by as much, and of no use."""
        self._apart = apart
        while self._waiting[i]:
            if isinstance(item := self._pop(i), Gap):
                self._misses(apart, i, item)
            else:
                self._leaves_out(apart, i)
        apart.passed[i] += ahead
        apart.behind[i] = (first, apart.behind.get(i, (first, Fraction(0)))[1] + ahead)

    def _end(self, i: int) -> Fraction:
        """Heartbeats that have passed for it with the last of what waits."""
        begin = self._apart.passed[i] if self._apart else self._late[i] + self._rest[i]
        return begin + sum((self._length(i, item) for _, item in self._waiting[i]), Fraction(0))

    def _length(self, i: int, item: np.ndarray | Gap) -> Fraction:
        return Fraction(item.samples * self.lasts[i], self.x[i].shape[0]) if isinstance(item, Gap) else Fraction(self.lasts[i])
