"""Does every buffer have its own place while it is in use, in little more memory than is in use at once?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinystream.ops._shared import gap, windows
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


def test_a_buffer_may_lie_over_what_has_been_read():
    def chained(gap, more=()):
        buffers = [Buffer("a", "y", "int8", 100, 0, 1), Buffer("b", "y", "int8", 80, 1, 2, below="a", gap=gap), *more]
        return buffers, {b.step: b.offset for b in place(buffers)}

    assert chained(20)[1] == {"a": 20, "b": 0}
    assert chained(7)[1] == {"a": 8, "b": 0}, "8 for the alignment"
    assert chained(-24)[1] == {"a": 0, "b": 0}
    assert chained(200)[1] == {"a": 0, "b": 100}, "too far below to be of use"
    assert lower_bound(chained(20)[0]) == 120
    assert lower_bound(chained(200)[0]) == 180
    held = [Buffer("c", "y", "int8", 60, 1, 1)]
    buffers, at = chained(20, held)
    assert lower_bound(buffers) == 180
    assert at["a"] >= at["b"] + 20
    assert at["c"] >= 120 or at["c"] + 60 <= at["b"]


def test_a_buffer_that_is_read_again_is_not_written_over():
    buffers = [Buffer("a", "y", "int8", 100, 0, 2), Buffer("b", "y", "int8", 80, 1, 2, below="a", gap=20)]
    placed = place(buffers)
    assert abs(placed[0].offset - placed[1].offset) >= 80
    assert lower_bound(buffers) == 180


@pytest.mark.parametrize("seed", range(20))
def test_places_over_each_other_keep_their_distance(seed):
    rng = np.random.default_rng(seed)
    buffers = [
        replace(b, below=f"s{i - 1}" if i and rng.random() < 0.7 else None, gap=int(rng.integers(-50, 200)))
        for i, b in enumerate(chain(seed, 20))
    ]
    placed = {b.step: b for b in place(buffers)}
    assert used(placed.values()) < 1.35 * lower_bound(buffers)
    for b in placed.values():
        for a in placed.values():
            if a is b or not (a.first <= b.last and b.first <= a.last):
                continue
            over = b.below == a.step and a.last == b.first and b.offset + b.gap <= a.offset
            under = a.below == b.step and b.last == a.first and a.offset + a.gap <= b.offset
            assert over or under or a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset


def geometry(rng) -> tuple[dict[str, int], int]:
    """A window over an image, and how many channels it gives."""
    shape = (*map(int, rng.integers(1, 9, 2)), int(rng.integers(1, 6)))
    kernel, stride, dilation = (tuple(int(n) for n in rng.integers(1, 4, 2)) for _ in range(3))
    return windows(shape, kernel, stride, dilation, "same"), int(rng.integers(1, 12))


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("at_once", [1, 2])
def test_the_gap_of_a_window_is_as_small_as_is_safe(seed, at_once):
    place, outputs = geometry(np.random.default_rng(seed))
    pixels = place["y_height"] * place["y_width"]

    def reads(pixel):
        i, j = divmod(pixel, place["y_width"])
        for u in range(place["kernel_height"]):
            for v in range(place["kernel_width"]):
                row = i * place["stride_y"] - place["pad_y"] + u * place["dilation_y"]
                column = j * place["stride_x"] - place["pad_x"] + v * place["dilation_x"]
                if 0 <= row < place["height"] and 0 <= column < place["width"]:
                    yield (row * place["width"] + column) * place["channels"]

    def safe(distance):
        """No value is written, from `distance` before x on, that these or later windows read."""
        return all(
            at + distance >= min(pixels, first + at_once) * outputs
            for first in range(0, pixels, at_once)
            for pixel in range(first, pixels)
            for at in reads(pixel)
        )

    found = gap(place, outputs, at_once)
    assert safe(found)
    if place["dilation_y"] == place["dilation_x"] == 1:
        assert not safe(found - place["channels"]) or any(not list(reads(p)) for p in range(pixels))


def test_nothing_needs_no_memory():
    assert place([]) == ()
    assert lower_bound([]) == 0
