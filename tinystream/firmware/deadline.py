"""Does each block get done in time?  The firmware's loop over a recording in true time, with its ring of buffers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Replayed:
    """What became of the blocks.

    late:      overwritten while they were processed, by number.
    lost:      never processed, as newer ones were there.
    latency_s: the longest time from a block's last sample to its result, of those that were processed.
    """

    late: tuple[int, ...]
    lost: tuple[int, ...]
    latency_s: float

    @property
    def missed(self) -> int:
        return len(self.late) + len(self.lost)


def replay_in_time(cycles: np.ndarray, clock_hz: float, period_s: float, buffers: int = 2) -> Replayed:
    """Blocks that take so many cycles arrive one a period, in a ring of buffers of which the sensor fills one.

    When the loop looks and `buffers` or more are complete that it has not taken, the sensor has begun to overwrite the oldest: all but
    the newest are lost.  When as many are complete after it has processed one, that one was overwritten meanwhile: it is late.
    Cycles of a block after a lost one are those that it takes where nothing is lost.  The sensor goes on after the last block.
    """
    assert buffers >= 2, "one buffer is being filled while another is processed"
    work_s = cycles / clock_hz
    late: list[int] = []
    lost: list[int] = []
    latency_s, taken, now = 0.0, 0, 0.0
    while True:
        now = max(now, (taken + 1) * period_s)
        filled = complete(now, period_s)
        if filled - taken >= buffers:
            lost += range(taken, min(filled - 1, len(cycles)))
            taken = filled - 1
        if taken >= len(cycles):
            return Replayed(tuple(late), tuple(lost), latency_s)
        now += work_s[taken]
        latency_s = max(latency_s, now - (taken + 1) * period_s)
        if now >= (taken + buffers) * period_s:
            late.append(taken)
        taken += 1


def complete(now: float, period_s: float) -> int:
    """Blocks that are complete by now; at the very moment counts."""
    filled = int(now / period_s)
    while (filled + 1) * period_s <= now:
        filled += 1
    while filled * period_s > now:
        filled -= 1
    return filled


def minimum_clock_hz(cycles: np.ndarray, period_s: float, buffers: int = 2) -> float:
    """The clock above which no block is missed: whatever came before, a block has `buffers` - 1 periods from its last sample on.

    Blocks j to k are done in time when their cycles fit from the arrival of j to the moment at which k is overwritten; the largest
    such ratio over all j and k is found by bisection, each clock tried by one pass over the blocks.
    """
    total = np.concatenate([[0.0], np.cumsum(cycles)])
    arrival = np.arange(1, len(cycles) + 1) * period_s

    def in_time(clock_hz: float) -> bool:
        begin = np.maximum.accumulate(arrival * clock_hz - total[:-1])
        return bool(np.all(begin + total[1:] < (arrival + (buffers - 1) * period_s) * clock_hz))

    low, high = 0.0, float(np.max(cycles)) / period_s * 1.001 + 1.0  # each block in its own period
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if in_time(middle) else (middle, high)
    return high
