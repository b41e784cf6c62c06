"""Rewrite a list of steps so that it costs less and gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple

from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

STACK = "tinystream.stages.stack"


class Rewritten(NamedTuple):
    """The new steps; at[i] is the step that now gives what old step i gave, None where nothing does."""

    steps: list[Step]
    at: list[int | None]


def reuse_windows(steps: Sequence[Step], keep: Sequence[int] = ()) -> Rewritten:
    """Compute each column of a sliding window once, not once for every window that holds it.

    A `stack` gives the last F vectors every E vectors, and a convolution over them with stride E, VALID in time, makes
    the same columns again and again, one place further to the left.  Here that convolution sees only its own K newest
    vectors and gives one column every E vectors; a small stack before each following convolution keeps as many columns as
    it needs, and one behind the last gathers what the rest of the model looks at as a whole.  Since F - K is a multiple
    of E, the last column of a window comes with its last vector: outputs keep their bytes and their times.

    keep: steps whose output must stay as it is, because somebody looks at it.
    """
    chains = {chain[0]: chain for chain in found_chains(steps, frozenset(keep))}
    place = {i: chain for chain in chains.values() for i in chain}
    out: list[Step] = []
    at: list[int] = []
    taken = {step.name for step in steps}

    def unused(name: str) -> str:
        taken.add(free := next(n for n in (name, *map(f"{name}{{}}".format, range(2, len(steps) + 3))) if n not in taken))
        return free

    def add(step: Step) -> int:
        out.append(step)
        return len(out) - 1

    for i, step in enumerate(steps):
        chain = place.get(i)
        sources = tuple(s if s < 0 else at[s] for s in step.sources)
        if chain is None:
            x = tuple(out[s].y if s >= 0 else signal for s, signal in zip(sources, step.x))     # the same values, perhaps 5x1x2 for 5x2
            at.append(add(replace(step, sources=sources, x=x)))
        elif i == chain[0]:
            rows, every = reach(steps[chain[1]])
            at.append(add(stack(step.x[0], rows, every, step.name, sources[0])))
        else:
            rows, _ = reach(step)
            if i != chain[1] and rows > 1:
                sources = (add(stack(out[sources[0]].y, rows, 1, unused(f"{step.name}_past"), sources[0])),)
            last = add(one_row(step, out[sources[0]].y, sources[0]))
            if i == chain[-1] and step.y.shape[0] > 1:
                last = add(stack(out[last].y, step.y.shape[0], 1, unused(f"{step.name}_columns"), last))
            at.append(last)
    inside = {i for chain in chains.values() for i in chain[:-1]}
    return Rewritten(out, [None if i in inside else j for i, j in enumerate(at)])


def found_chains(steps: Sequence[Step], keep: frozenset[int]) -> Iterator[list[int]]:
    """Lists of a stack and the convolutions behind it that can work column by column."""
    readers: dict[int, list[int]] = {}
    for i, step in enumerate(steps):
        for s in step.sources:
            readers.setdefault(s, []).append(i)
    for i, step in enumerate(steps):
        if step.module != STACK:
            continue
        chain, rows = [i], step.params["frames"]
        while chain[-1] not in keep and len(readers.get(chain[-1], [])) == 1:
            reader = steps[readers[chain[-1]][0]]
            stride = step.params["every"] if len(chain) == 1 else 1
            if len(reader.sources) != 1 or reach(reader)[1] != stride or reader.params["height"] != rows or rows == 1:
                break
            chain.append(readers[chain[-1]][0])
            rows = reader.y.shape[0]
        if len(chain) > 1 and steps[chain[1]].y.shape[0] > 1:
            yield chain


def reach(step: Step) -> tuple[int, int]:
    """(rows that one row of the output looks at, rows from one to the next) of a convolution, VALID along its first axis; else (0, 0)."""
    k = step.params
    if "kernel_height" not in k or k["pad_y"]:
        return 0, 0
    rows = (k["kernel_height"] - 1) * k["dilation_y"] + 1
    exact = (k["y_height"] - 1) * k["stride_y"] + rows == k["height"]
    return (rows, k["stride_y"]) if exact else (0, 0)


def one_row(step: Step, given: Signal, source: int) -> Step:
    """The same convolution where it has to make a single row."""
    count = step.y.shape[0]
    y = replace(step.y, shape=(1, *step.y.shape[1:]), rate_hz=given.rate_hz)
    cost = {name: n // count for name, n in step.cost.items()}
    one = replace(step, x=(given,), y=y, sources=(source,), params=step.params | dict(height=reach(step)[0], y_height=1), cost=cost)
    return getattr(step.code, "ARRANGED", lambda step: step)(one)       # what follows from its params


def stack(x: Signal, frames: int, every: int, name: str, source: int) -> Step:
    """A stack of what step `source` gives."""
    made = import_module(STACK).Stack(frames=frames, every=every).plan(x)
    return replace(made, name=name, sources=(source,))
