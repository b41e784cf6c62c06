"""Does every buffer have its own place while it is in use, in little more memory than is in use at once?"""

from __future__ import annotations

import numpy as np
import pytest

from tinystream.plan.arena import Buffer, lower_bound, place


def chain(seed: int, count: int) -> list[Buffer]:
    """Buffers as a network with branches has them."""
    rng = np.random.default_rng(seed)
    return [
        Buffer(f"s{i}", "y", rng.choice(["int8", "int16", "int32", "int64"]), int(rng.integers(1, 400)), i, i + int(rng.geometric(0.5)))
        for i in range(count)
    ]


def used(placed) -> int:
    return max(b.offset + b.bytes for b in placed)


@pytest.mark.parametrize("seed", range(25))
def test_buffers_in_use_at_once_do_not_overlap_and_are_aligned(seed):
    placed = place(chain(seed, 20))
    assert [(b.step, b.bytes) for b in placed] == [(b.step, b.bytes) for b in chain(seed, 20)]
    for i, a in enumerate(placed):
        assert a.offset % max(4, np.dtype(a.dtype).itemsize) == 0
        for b in placed[i + 1 :]:
            if a.first <= b.last and b.first <= a.last:
                assert a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset


def test_arrangements_are_close_to_the_lower_bound():
    ratios = [used(place(chain(seed, 20))) / lower_bound(chain(seed, 20)) for seed in range(25)]
    print(f"arena over lower bound: median {np.median(ratios):.3f}, worst {max(ratios):.3f}")
    assert np.median(ratios) < 1.01
    assert max(ratios) < 1.1


def test_an_arrangement_that_no_simple_order_finds():
    """Placed by size, by time or by both, these need 1734 bytes."""
    sizes = [("int32", 281, 0, 2), ("int16", 218, 1, 4), ("int8", 1, 2, 3), ("int32", 250, 3, 4), ("int16", 87, 4, 5), ("int8", 61, 5, 6)]
    buffers = [Buffer(f"s{i}", "y", *b) for i, b in enumerate(sizes)]
    assert used(place(buffers)) == lower_bound(buffers) == 1610


def test_the_same_buffers_are_placed_the_same_way_every_time():
    assert place(chain(3, 40)) == place(chain(3, 40))


def test_a_chain_of_steps_in_place_is_one_buffer():
    buffers = [
        Buffer("a", "y", "int8", 100, 0, 1),
        Buffer("b", "y", "int8", 60, 1, 2, over="a"),
        Buffer("c", "y", "int8", 60, 2, 2, over="b"),
        Buffer("c", "patch", "int32", 9, 2, 2),
    ]
    placed = place(buffers)
    assert [b.offset for b in placed[:3]] == [0, 0, 0]
    assert placed[3].offset == 100
    assert lower_bound(buffers) == 136


def test_nothing_needs_no_memory():
    assert place([]) == ()
    assert lower_bound([]) == 0
