"""What firmware tests itself with at its start: stored samples, and a digest of what each step gives for them on the host."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine

STORED_BYTES = 2048
"""At most so much flash for samples, unless a single block is longer."""
LIMIT = 4000
"""Blocks after which a step that has not run is not waited for."""
MORE = 4
"""Times that the last step runs: what it remembers is looked at, too."""


@dataclass(frozen=True, eq=False)
class Golden:
    """The self-test of an app.

    x:       stored blocks [n, *shape], which are played over and over.
    blocks:  how many are played in all.
    digests: CRC-32 of each step's outputs; each follows the number of its block, 4 bytes, little-endian.
    silent:  steps that never gave anything, such as a detector that heard nothing: only that is tested of them.
    """

    x: np.ndarray
    blocks: int
    digests: tuple[int, ...]
    silent: tuple[str, ...]


def golden(plan: Plan) -> Golden:
    """The shortest test that reaches every step, as far as noise does."""
    x = stored(plan)
    every = range(len(plan.steps))
    needed = [i for i in every if i not in {d.step for d in plan.detections}]
    fired = dict.fromkeys(every, 0)
    crcs = dict.fromkeys(every, 0)
    engine, played = Engine(plan), 0
    for block in over_and_over(x):
        for i, given in engine.push(block[None]).items():
            for y in given.y:
                crcs[i] = zlib.crc32(np.ascontiguousarray(y).tobytes(), zlib.crc32(played.to_bytes(4, "little"), crcs[i]))
                fired[i] += 1
        played += 1
        if played >= LIMIT or (played >= len(x) and all(fired[i] >= MORE for i in needed)):
            break
    return Golden(x, played, tuple(crcs[i] for i in every), tuple(plan.steps[i].name for i in every if not fired[i]))


def stored(plan: Plan) -> np.ndarray:
    """Noise of every loudness, from full scale down, so that a saturation and a shift each have something to do."""
    (signal,) = plan.x
    count = max(1, STORED_BYTES // signal.bytes)
    limits = np.iinfo(signal.dtype)
    loudness = 2.0 ** -np.linspace(0, 9, count).reshape(-1, *[1] * len(signal.shape))
    noise = np.random.default_rng(0).integers(limits.min, limits.max, (count, *signal.shape), endpoint=True)
    return (noise * loudness).astype(signal.dtype)


def over_and_over(x: np.ndarray) -> Iterator[np.ndarray]:
    while True:
        yield from x
