"""An app on duty: it listens for a while, and is off until the next window, as its firmware is."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tinystream.plan.plan import Duty, Plan
from tinystream.run.engine import Fired, Runs
from tinystream.run.trace import joined


class OnDuty:
    """An engine that hears only what lies in a window, each from a fresh start; its blocks count on while it is off."""

    def __init__(self, plan: Plan, duty: Duty, engine: Runs):
        self.plan, self.duty, self.engine, self.name = plan, duty, engine, engine.name
        self.reset()

    def reset(self) -> None:
        """Back to the first moment."""
        self.blocks = 0

    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]:
        """As Engine.push."""
        count, every = len(x[0]), self.duty.every
        parts: dict[int, list[Fired]] = {i: [] for i in (range(len(self.plan.steps)) if want is None else want)}
        for begin in range(self.blocks // every * every, self.blocks + count, every):
            first, last = max(begin, self.blocks), min(begin + self.duty.on, self.blocks + count)
            if first >= last:
                continue
            if first == begin:
                self.engine.reset()
            given = self.engine.push(*(blocks[first - self.blocks : last - self.blocks] for blocks in x), want=want)
            for i, fired in given.items():
                parts[i].append(Fired(fired.when + begin, fired.y))
        self.blocks += count
        return {i: joined(found, self.plan.steps[i].y) for i, found in parts.items()}


def on_duty(plan: Plan, engine: Runs) -> Runs:
    """The engine as the plan wants it to listen."""
    return OnDuty(plan, plan.duty, engine) if plan.duty else engine
