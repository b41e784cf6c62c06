"""Read a part of a tensor where it lies, instead of a copy of it; the same bytes come out.

A streaming model keeps one window of all channels, and takes some rows of some channels of it for each of its convolutions.  A kernel
that is told where its image starts and how far its pixels lie apart (`start` and `pixel` are among its params) needs no SLICE for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tinystream.plan.passes import Rewritten
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


class View(NamedTuple):
    """The values of x, which old step `source` gives, that a slice gives: their places, in its order."""

    source: int
    x: Signal
    places: np.ndarray


def viewed(steps: Sequence[Step], keep: Sequence[int] = ()) -> Rewritten:
    """The steps without the slices that nobody needs any more.

    keep: steps whose output must stay as it is, because somebody looks at it.
    """
    views: dict[int, View] = {}
    changed: list[Step] = []
    for i, step in enumerate(steps):
        before = views.get(step.sources[0])
        if step.kind == "slice":
            views[i] = view(step, before)
        changed.append(looking(step, before) if before else step)
    needed = set(keep)
    for i in reversed(range(len(steps))):
        if i not in views or i in needed:
            needed |= set(changed[i].sources)
    left = [i for i in range(len(steps)) if i not in views or i in needed]
    at = {old: new for new, old in enumerate(left)}
    out = [replace(changed[i], sources=tuple(at.get(s, s) for s in changed[i].sources)) for i in left]
    return Rewritten(out, [at.get(i) for i in range(len(steps))])


def view(step: Step, before: View | None) -> View:
    """What a slice gives: it is shown the places of its input's values, a block for each of their four bytes."""
    numbers = np.arange(step.x[0].size, dtype="<i4")[:, None].view(np.int8).T
    chosen = step.run(step.k, None, np.ascontiguousarray(numbers))
    assert chosen is not None, "a slice does not wait"
    places = np.ascontiguousarray(chosen.reshape(4, -1).T).view("<i4").ravel()
    return View(before.source, before.x, before.places[places]) if before else View(step.sources[0], step.x[0], places)


def looking(step: Step, before: View) -> Step:
    """The step, reading what was sliced, where it can be told how; else as it is."""
    k, places = step.params, before.places
    if not {"start", "pixel"} <= set(k) or k["start"] or k["pixel"] != k["channels"] or len(step.sources) > 1:
        return step
    pixels, channels = k["height"] * k["width"], k["channels"]
    start, pixel = int(places[0]), int(places[channels] - places[0]) if pixels > 1 else channels
    if pixel < 0 or not np.array_equal(places, (start + pixel * np.arange(pixels)[:, None] + np.arange(channels)).ravel()):
        return step
    told = replace(step, x=(before.x,), sources=(before.source,), params=k | dict(start=start, pixel=pixel))
    return told.code.ARRANGED(told)
