"""An app on duty: it listens for a while, and is off until the next window, as its firmware is."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from tinystream.plan.plan import Duty, Plan
from tinystream.run.engine import Fired, Runs
from tinystream.run.trace import joined


class InStretches:
    """An engine that hears only stretches of blocks, begin <= block < end, each from a reset; between them blocks count on.

    forgets: what was learnt is lost before each stretch, too.
    """

    forgets = False

    def __init__(self, plan: Plan, engine: Runs):
        self.plan, self.engine, self.name = plan, engine, engine.name
        self.reset()

    def stretches(self, first: int, last: int) -> Iterable[tuple[int, int]]:
        """In order, at least those that hold one of the blocks first <= block < last."""
        raise NotImplementedError

    def reset(self) -> None:
        """Back to the first moment; what was learnt stays."""
        self.blocks = 0

    def forget(self) -> None:
        """As Engine.forget."""
        self.engine.forget()

    def learnt(self) -> bytes:
        """As Engine.learnt."""
        return self.engine.learnt()

    def restore(self, blob: bytes) -> None:
        """As Engine.restore."""
        self.engine.restore(blob)

    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]:
        """As Engine.push."""
        begun, ended = self.blocks, self.blocks + len(x[0])
        parts: dict[int, list[Fired]] = {i: [] for i in (range(len(self.plan.steps)) if want is None else want)}
        for begin, end in self.stretches(begun, ended):
            first, last = max(begin, begun), min(end, ended)
            if first >= last:
                continue
            if first == begin:
                if self.forgets:
                    self.engine.forget()
                self.engine.reset()
            given = self.engine.push(*(blocks[first - begun : last - begun] for blocks in x), want=want)
            for i, fired in given.items():
                parts[i].append(Fired(fired.when + begin, fired.y))
        self.blocks = ended
        return {i: joined(found, self.plan.steps[i].y) for i, found in parts.items()}


class OnDuty(InStretches):
    """An engine that hears only what lies in a window.  What it has learnt lasts from one to the next, as RAM does in deep sleep."""

    def __init__(self, plan: Plan, duty: Duty, engine: Runs):
        self.duty = duty
        super().__init__(plan, engine)

    def stretches(self, first: int, last: int) -> Iterable[tuple[int, int]]:
        on, every = self.duty
        return ((begin, begin + on) for begin in range(first // every * every, last, every))


def on_duty(plan: Plan, engine: Runs) -> Runs:
    """The engine as the plan wants it to listen."""
    return OnDuty(plan, plan.duty, engine) if plan.duty else engine
