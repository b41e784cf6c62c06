"""An app whose power fails: it hears nothing while it is off, and begins anew when it is back, as its firmware does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from tinystream.plan.plan import Plan
from tinystream.run.engine import Fired, Runs
from tinystream.run.trace import joined


class Interrupted:
    """An engine that hears only the blocks begin <= block < end of each stretch, each from a fresh start; its blocks count on between them.

    The stretches follow one another.  An app on duty begins a cycle with each: put this around OnDuty.
    """

    def __init__(self, plan: Plan, engine: Runs, up: Sequence[tuple[int, int]]):
        assert all(begin < end for begin, end in up) and all(a[1] <= b[0] for a, b in pairwise(up)), "stretches in a row"
        self.plan, self.engine, self.up, self.name = plan, engine, up, engine.name
        self.reset()

    def reset(self) -> None:
        """Back to the first moment."""
        self.blocks = 0

    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]:
        """As Engine.push."""
        count = len(x[0])
        parts: dict[int, list[Fired]] = {i: [] for i in (range(len(self.plan.steps)) if want is None else want)}
        for begin, end in self.up:
            first, last = max(begin, self.blocks), min(end, self.blocks + count)
            if first >= last:
                continue
            if first == begin:
                self.engine.reset()
            given = self.engine.push(*(blocks[first - self.blocks : last - self.blocks] for blocks in x), want=want)
            for i, fired in given.items():
                parts[i].append(Fired(fired.when + begin, fired.y))
        self.blocks += count
        return {i: joined(found, self.plan.steps[i].y) for i, found in parts.items()}
