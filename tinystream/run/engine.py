"""Run a plan on the host, by the integer definition of its steps (numpy)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import NamedTuple, Protocol

import numpy as np

from tinystream.plan.learnt import pack, unpack
from tinystream.plan.plan import Plan
from tinystream.plan.step import Step


class Fired(NamedTuple):
    """What one step gave: when[i] is the block (counted from the reset) at which y[i] came out."""

    when: np.ndarray
    y: np.ndarray


class Runs(Protocol):
    """What an engine can do.  run/learnt.py says what the last three are for."""

    name: str

    def reset(self) -> None: ...
    def forget(self) -> None: ...
    def learnt(self) -> bytes: ...
    def restore(self, blob: bytes) -> None: ...
    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]: ...


class Engine:
    """The definition: every step's run(), many blocks at a time.

    A step only reads earlier steps of the same block, so a whole chunk may pass through one step before the next
    step sees it.  Steps without state take the chunk as one batch; a step with state may have a run_many(k, s, *x) ->
    (which blocks fired, their outputs) beside its run(), for the same numbers sooner.  Where a step writes the state of an earlier
    one, those between the two take turns, block by block.  Outputs do not depend on the chunking.
    """

    name = "python"

    def __init__(self, plan: Plan):
        self.plan = plan
        self.turns = taking_turns(plan.steps)
        after = followers(plan.steps, self.turns)
        others = [i for i in range(len(plan.steps)) if i not in self.turns]
        self.before, self.after = ([i for i in others if (i in after) == late] for late in (False, True))
        self.states: list[SimpleNamespace] = []
        self.reset()

    def reset(self) -> None:
        """Back to the first moment; what was learnt stays."""
        before, self.states = self.states, []
        for i, step in enumerate(self.plan.steps):
            state = self.states[step.sources[-1]] if step.writes else step.fresh_state()
            if before:
                vars(state).update({name: getattr(before[i], name) for name in step.learnt})
            self.states.append(state)
        self.blocks = 0

    def forget(self) -> None:
        """Nothing is learnt: it begins anew with the next block."""
        for step, state in zip(self.plan.steps, self.states):
            vars(state).update({name: getattr(step.fresh_state(), name) for name in step.learnt})

    def learnt(self) -> bytes:
        """What was learnt so far, to be restored by any engine of the same definition."""
        return pack(self.plan, self.states)

    def restore(self, blob: bytes) -> None:
        """What learnt() gave takes the place of what is learnt here; LearntError, and nothing is changed, where it is not this plan's."""
        for member, value in unpack(self.plan, blob):
            setattr(self.states[member.step], member.name, value)

    def push(self, *x: np.ndarray, want: Collection[int] | None = None) -> dict[int, Fired]:
        """Take n blocks of each input, [n, *shape]; give what the wanted steps (all by default) fired, by index."""
        for block, signal in zip(x, self.plan.x, strict=True):
            assert block.shape[1:] == signal.shape and block.dtype == signal.dtype, f"the app's input is {signal}"
        now = self.blocks + np.arange(len(x[0]))
        self.blocks += len(x[0])
        fired: dict[int, Fired] = {-1 - i: Fired(now, block) for i, block in enumerate(x)}
        for i in self.before:
            self._fire(i, fired)
        if self.turns:
            self._take_turns(now, fired)
        for i in self.after:
            self._fire(i, fired)
        return {i: f for i, f in fired.items() if i >= 0 and (want is None or i in want)}

    def _fire(self, i: int, fired: dict[int, Fired]) -> None:
        step = self.plan.steps[i]
        fired[i] = fire(step, self.states[i], [fired[j] for j in step.awaited])

    def _take_turns(self, now: np.ndarray, fired: dict[int, Fired]) -> None:
        """The steps of a circle, one block after the other."""
        outside = {j for i in self.turns for j in self.plan.steps[i].sources} - set(self.turns)
        parts: dict[int, list[Fired]] = {i: [] for i in self.turns}
        for t in now:
            block = {j: at_block(fired[j], t) for j in outside}
            for i in self.turns:
                self._fire(i, block)
                parts[i].append(block[i])
        for i, found in parts.items():
            if not found:
                fired[i] = Fired(now, np.empty((0, *self.plan.steps[i].y.shape), self.plan.steps[i].y.dtype))
                continue
            fired[i] = Fired(np.concatenate([f.when for f in found]), np.concatenate([f.y for f in found]))


def taking_turns(steps: Sequence[Step]) -> list[int]:
    """The steps between one whose state is written and one that writes it, both among them, in their order."""
    writers = [i for i, step in enumerate(steps) if step.writes]
    owners = [steps[i].sources[-1] for i in writers]
    before = set(writers)
    for i in reversed(range(len(steps))):
        if i in before:
            before |= {j for j in steps[i].sources if j >= 0}
    return [i for i in sorted(followers(steps, owners)) if i in before]


def followers(steps: Sequence[Step], first: Collection[int]) -> set[int]:
    """These steps and all that depend on one of them."""
    found = set(first)
    for i, step in enumerate(steps):
        if found.intersection(step.sources):
            found.add(i)
    return found


def at_block(fired: Fired, t: int) -> Fired:
    """What was given at one block."""
    low, high = np.searchsorted(fired.when, [t, t + 1])
    return Fired(fired.when[low:high], fired.y[low:high])


def fire(step: Step, state, sources: list[Fired]) -> Fired:
    """One step over all blocks at which every source has something new."""
    when = sources[0].when
    for source in sources[1:]:
        when = np.intersect1d(when, source.when, assume_unique=True)
    given = sources[: len(step.given)]
    x = [s.y if len(s.when) == len(when) else s.y[np.isin(s.when, when)] for s in given]
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
