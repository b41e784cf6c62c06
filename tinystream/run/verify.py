"""Prove on recordings that two engines compute the same: every output of every step, and what was learnt, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tinystream.plan.plan import Plan
from tinystream.run.learnt import begin, learnt_otherwise
from tinystream.run.replay import CHUNK, Runs, Samples, blocks_of
from tinystream.run.trace import Difference, first_unequal


@dataclass
class Compared:
    """How much was found equal, by step name: outputs and values; over all recordings so far."""

    blocks: int = 0
    outputs: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)


def verify(
    plan: Plan, a: Runs, b: Runs, samples: Samples, compared: Compared, progress: Callable[[int], None] | None = None
) -> Difference | None:
    """Both engines over one recording from a fresh start; the first difference in time, then in the order of steps.

    What was learnt is compared at the end: it is the last to differ, for all that is learnt comes from outputs.
    """
    begin(plan, a)
    begin(plan, b)
    fired_before = dict.fromkeys(range(len(plan.steps)), 0)
    for chunk in blocks_of(plan, samples).chunks(CHUNK):
        left, right = a.push(*chunk), b.push(*chunk)
        unequal = [first_unequal(step.name, left[i], right[i], (a.name, b.name), fired_before[i]) for i, step in enumerate(plan.steps)]
        if any(unequal):
            return min((found for found in unequal if found), key=lambda found: found.block or 0)  # of one block, the earliest step
        for i, step in enumerate(plan.steps):
            fired_before[i] += len(left[i].when)
            compared.outputs[step.name] = compared.outputs.get(step.name, 0) + len(left[i].when)
            compared.values[step.name] = compared.values.get(step.name, 0) + left[i].y.size
        compared.blocks += chunk.beats
        if progress:
            progress(chunk.beats)
    return learnt_otherwise(plan, a, b)
