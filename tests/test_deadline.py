"""Is a deadline missed exactly when a ring of buffers would have been overrun?  Against the ring itself, cycle by cycle."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystream.firmware.deadline import minimum_clock_hz, replay_in_time


def ring(cycles: list[int], period: int, buffers: int) -> tuple[list[int], list[int], int]:
    """(late, lost, longest latency): a sensor that fills one buffer after the other and a loop that reads them, one cycle at a time."""
    place = [-1] * buffers  # which block lies, or is being written, in each
    place[0] = 0
    complete, last_read, busy, left = 0, -1, -1, 0
    late, lost, latency, spoiled = [], [], 0, False
    for now in count():
        if busy >= 0:
            left -= 1
        if now and now % period == 0:
            complete += 1
            place[complete % buffers] = complete
        spoiled |= busy >= 0 and place[busy % buffers] != busy
        if busy >= 0 and left <= 0:
            late += [busy] * spoiled
            latency = max(latency, now - (busy + 1) * period)
            busy = -1
        if busy < 0 and last_read + 1 < complete:
            block = last_read + 1
            if place[block % buffers] != block:  # the sensor has begun to write over it
                block = complete - 1
                lost += range(last_read + 1, min(block, len(cycles)))
            if block >= len(cycles):
                return late, lost, latency
            busy, last_read, left, spoiled = block, block, cycles[block], False
    raise AssertionError("time does not end")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=25), st.integers(3, 20), st.integers(2, 4))
def test_blocks_are_late_and_lost_as_in_a_ring_of_buffers(cycles, period, buffers):
    found = replay_in_time(np.array(cycles, float), 1.0, float(period), buffers)
    late, lost, latency = ring(cycles, period, buffers)
    assert (list(found.late), list(found.lost), found.latency_s) == (late, lost, latency)
    assert found.missed == len(late) + len(lost)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=25), st.integers(3, 20), st.integers(2, 4))
def test_above_the_minimum_clock_nothing_is_missed_and_below_it_something_is(cycles, period, buffers):
    work = np.array(cycles, float)
    clock_hz = minimum_clock_hz(work, float(period), buffers)
    assert replay_in_time(work, clock_hz * 1.0001, float(period), buffers).missed == 0
    assert replay_in_time(work, clock_hz * 0.999, float(period), buffers).missed > 0


def test_more_buffers_bridge_a_dear_block():
    """Every third block takes 1.8 periods and the others 0.3: two buffers lose, three do not."""
    work = np.tile([0.3, 0.3, 1.8], 20)
    assert replay_in_time(work, 1.0, 1.0, 2).missed and not replay_in_time(work, 1.0, 1.0, 3).missed
    assert minimum_clock_hz(work, 1.0, 2) == pytest.approx(1.8, rel=1e-4)
    assert minimum_clock_hz(work, 1.0, 3) == pytest.approx(0.9, rel=1e-4)
