"""What time it was: samples are counted, and the wall clock says now and then which count it sees.

    wall(n) = n / rate_hz + base,   base = (wall clock - monotonic clock) + least delay seen in the last `window_s`

Blocks come late, never early, so the block that came with the least delay tells best when its last sample was taken.  The uncertainty is
how much the delays differ, and a block.  A wall clock that jumps (set by hand, by NTP, or after sleep) moves wall times from then on and is
counted; the count of samples, which is what an app knows, never moves.  A sensor's clock that is fast or slow against this computer's
shows as drift_ppm.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

JUMP_S = 0.5
"""A wall clock that moves by more against the monotonic one has been set."""


@dataclass(frozen=True)
class Moment:
    """A wall time, and how far it may be off."""

    wall_s: float
    uncertainty_s: float

    @property
    def iso(self) -> str:
        """ISO 8601, in UTC, to the millisecond."""
        return datetime.fromtimestamp(self.wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """seen() with every block; at() for the moment of a sample.

    jumps: how often the wall clock was set since the start.
    """

    def __init__(
        self,
        rate_hz: Fraction,
        block: int,
        window_s: float = 60.0,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self.rate_hz, self.block, self.window_s = rate_hz, block, window_s
        self.wall, self.monotonic = wall, monotonic
        self.jumps = 0
        self._between: float | None = None
        self.restart()

    def restart(self, count: int = 0) -> None:
        """A source begins again: the next sample is number `count`, and older anchors say nothing of it."""
        self._seen: deque[tuple[float, float]] = deque()  # (monotonic time, delay of a block against its count)
        self._first: tuple[int, float] | None = None
        self._count = count

    def seen(self, count: int) -> None:
        """The block whose last sample makes `count` of them has just come."""
        now, between = self.monotonic(), self.wall() - self.monotonic()
        if self._between is not None and abs(between - self._between) > JUMP_S:
            self.jumps += 1
        self._between, self._count = between, count
        self._first = self._first or (count, now)
        self._seen.append((now, now - float(count / self.rate_hz)))
        while self._seen[0][0] < now - self.window_s:
            self._seen.popleft()

    def at(self, count: int) -> Moment:
        """When sample number `count` was taken.  Before any block was seen it is now, and as uncertain as the window is long."""
        if not self._seen or self._between is None:
            return Moment(self.wall(), self.window_s)
        delays = [delay for _, delay in self._seen]
        uncertainty_s = max(delays) - min(delays) + float(self.block / self.rate_hz)
        return Moment(float(count / self.rate_hz) + min(delays) + self._between, uncertainty_s)

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than it says the sensor samples, since the start; None before a window has passed."""
        if self._first is None or not self._seen or self._seen[-1][0] - self._first[1] < self.window_s:
            return None
        counted = float((self._count - self._first[0]) / self.rate_hz)
        return 1e6 * (counted / (self._seen[-1][0] - self._first[1]) - 1)
