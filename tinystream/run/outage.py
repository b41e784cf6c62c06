"""An app whose power fails: it hears nothing while it is off, and begins anew when it is back, as its firmware does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from tinystream.plan.plan import Plan
from tinystream.run.duty import InStretches
from tinystream.run.engine import Runs


class Interrupted(InStretches):
    """An engine that hears only the stretches in which its power is up.

    The stretches follow one another.  An app on duty begins a cycle with each: put this around OnDuty.
    What was learnt is lost with the power.
    """

    forgets = True

    def __init__(self, plan: Plan, engine: Runs, up: Sequence[tuple[int, int]]):
        assert all(begin < end for begin, end in up) and all(a[1] <= b[0] for a, b in pairwise(up)), "stretches in a row"
        self.up = up
        super().__init__(plan, engine)

    def stretches(self, first: int, last: int) -> Iterable[tuple[int, int]]:
        return self.up
