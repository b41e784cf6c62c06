"""When each step of a plan gives something: what meets never, though its rates are equal, is told while it is planned."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm
from typing import NamedTuple

import numpy as np

from tinystream.plan.step import Step

PATIENCE = 5000
"""Blocks of zeros after which a step counts as one whose times depend on what it hears, such as a gate."""


class When(NamedTuple):
    """The blocks first, first + every, first + 2 every …, counted from 0."""

    first: int
    every: int


def meet(a: When, b: When) -> When | None:
    """The blocks that are in both; None where there is none.

    >>> meet(When(9, 10), When(4, 5)), meet(When(8, 10), When(4, 5))
    (When(first=9, every=10), None)
    """
    common = gcd(a.every, b.every)
    if (a.first - b.first) % common:
        return None
    every = lcm(a.every, b.every)
    steps = (b.first - a.first) // common * pow(a.every // common, -1, b.every // common) if b.every > common else 0
    first = a.first + a.every * (steps % (b.every // common))
    latest = max(a.first, b.first)
    return When(first + -(-max(0, latest - first) // every) * every, every)


class Schedule:
    """When the steps of a growing list fire; None for what depends on the samples."""

    def __init__(self, steps: Sequence[Step]):
        self.steps = steps
        self.known: dict[int, When | None] = {}

    def of(self, i: int) -> When | None:
        """Of step i; an input comes with every block."""
        if i < 0:
            return When(0, 1)
        if i not in self.known:
            self.known[i] = self._of(self.steps[i])
        return self.known[i]

    def _of(self, step: Step) -> When | None:
        together: When | None = When(0, 1)
        for source in step.awaited:
            when = self.of(source)
            together = meet(together, when) if together and when else None
        if together is None or not step.waits:
            return together
        own = None if step.apart else probed(step)
        return own and When(together.first + own.first * together.every, own.every * together.every)

    def apart(self, i: int) -> tuple[int, int] | None:
        """Two sources of step i that never give in the same block, by their places among those it waits for."""
        whens = [self.of(source) for source in self.steps[i].awaited]
        for n, a in enumerate(whens):
            for m, b in enumerate(whens[:n]):
                if a and b and meet(a, b) is None:
                    return m, n
        return None


def probed(step: Step) -> When | None:
    """When it gives something, counted in what it is given: found by giving it zeros."""
    state, fired = step.fresh_state(), []
    x = [np.full(signal.shape, signal.zero, signal.dtype) for signal in step.x[: len(step.given)]]
    for i in range(PATIENCE):
        if step.run(step.k, state, *x) is not None:
            fired.append(i)
        if len(fired) == 3:
            return When(fired[0], fired[1] - fired[0]) if fired[2] - fired[1] == fired[1] - fired[0] else None
    return None
