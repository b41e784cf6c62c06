"""Run a plan on the host, by the integer definition of its steps (numpy)."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from tinystream.plan.plan import Plan
from tinystream.plan.step import Step


class Fired(NamedTuple):
    """What one step gave: when[i] is the block (counted from the reset) at which y[i] came out."""

    when: np.ndarray
    y: np.ndarray


class Engine:
    """The definition: every step's run(), many blocks at a time.

    A step only reads earlier steps of the same block, so a whole chunk may pass through one step before the next
    step sees it.  Steps without state take the chunk as one batch; a step with state may have a run_many(k, s, *x) ->
    (which blocks fired, their outputs) beside its run(), for the same numbers sooner.  Outputs do not depend on the chunking.
    """

    name = "python"

    def __init__(self, plan: Plan):
        self.plan = plan
        self.reset()

    def reset(self) -> None:
        """Back to the first moment."""
        self.states = [step.fresh_state() for step in self.plan.steps]
        self.blocks = 0

    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]:
        """Take n blocks of each input, [n, *shape]; give what the wanted steps (all by default) fired, by index."""
        for block, signal in zip(x, self.plan.x, strict=True):
            assert block.shape[1:] == signal.shape and block.dtype == signal.dtype, f"the app's input is {signal}"
        now = self.blocks + np.arange(len(x[0]))
        self.blocks += len(x[0])
        fired: dict[int, Fired] = {-1 - i: Fired(now, block) for i, block in enumerate(x)}
        for i, (step, state) in enumerate(zip(self.plan.steps, self.states, strict=True)):
            fired[i] = fire(step, state, [fired[j] for j in step.sources])
        return {i: f for i, f in fired.items() if i >= 0 and (want is None or i in want)}


def fire(step: Step, state, sources: list[Fired]) -> Fired:
    """One step over all blocks at which every source has something new."""
    when = sources[0].when
    for source in sources[1:]:
        when = np.intersect1d(when, source.when, assume_unique=True)
    x = [s.y if len(s.when) == len(when) else s.y[np.isin(s.when, when)] for s in sources]
    empty = np.empty((0, *step.y.shape), step.y.dtype)
    if not len(when):
        return Fired(when, empty)
    if step.batched:
        return Fired(when, checked(step, step.run(step.k, state, *x)))
    run_many = getattr(step.code, "run_many", None)
    if run_many and len(when) > 1:
        now, y = run_many(step.k, state, *x)
        return Fired(when[now], checked(step, y))
    outputs = [(t, y) for t, *block in zip(when, *x) if (y := step.run(step.k, state, *block)) is not None]
    if not outputs:
        return Fired(when[:0], empty)
    return Fired(np.array([t for t, _ in outputs]), checked(step, np.stack([y for _, y in outputs])))


def checked(step: Step, y: np.ndarray | None) -> np.ndarray:
    assert y is not None, f"{step.name} has no state, so it has something at once"
    assert y.shape[1:] == step.y.shape and y.dtype == step.y.dtype, f"{step.name} promised {step.y}, gave {y.shape[1:]} {y.dtype}"
    return y
