"""Make one step of two where the second needs little of the first; the same bytes come out.

A table of a table is a table: QUANTIZE before TANH costs nothing.  A table that leaves every value in some range as it is and puts the
others on its ends is a clamp, such as a RELU at the scale of what it reads; layers end with a clamp of their own, which takes it over.
An image that is padded with zeros and then read by windows is read as it is, by windows that begin further outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinystream.plan.passes import Rewritten
from tinystream.plan.step import Step

COUNTS = np.arange(-128, 128)


def fused(steps: Sequence[Step], keep: Sequence[int] = ()) -> Rewritten:
    """The steps with each such pair as one.

    keep: steps whose output must stay as it is, because somebody looks at it.
    """
    readers = [0] * len(steps)
    for step in steps:
        for s in step.sources:
            if s >= 0:
                readers[s] += 1
    out: list[Step] = []
    at: list[int | None] = []
    for step in steps:
        source = step.sources[0]
        given = at[source] if source >= 0 and readers[source] == 1 and source not in keep else None
        one = joined(out[given], step) if given is not None and given == len(out) - 1 else None
        if one is None:
            out.append(replace(step, sources=tuple(s if s < 0 else known(at[s]) for s in step.sources)))
        else:
            at[source] = None
            out[-1] = one
        at.append(len(out) - 1)
    return Rewritten(out, at)


def known(index: int | None) -> int:
    assert index is not None, "only what nobody else reads is taken away"
    return index


def joined(first: Step, second: Step) -> Step | None:
    """The step that does what both do one after the other; None where there is none."""
    if first.kind == "pad":
        return without_pad(first, second)
    table = table_of(second)
    if table is None:
        return None
    before = table_of(first)
    if before is not None:
        return replace(second, x=first.x, sources=first.sources, tables=dict(table=table[before.astype(np.int64) + 128]))
    limits = clamp_of(table)
    ends_so = first.module.startswith("tinystream.ops.") and {"low", "high"} <= set(first.params) and first.y.dtype == "int8"
    if limits is None or not ends_so:
        return None
    low, high = (min(max(first.params[end], limits[0]), limits[1]) for end in ("low", "high"))
    y = replace(first.y, scale=second.y.scale, zero=second.y.zero)
    return replace(first, y=y, params=first.params | dict(low=low, high=high))


def table_of(step: Step) -> np.ndarray | None:
    """The answers of a step that is nothing but a table of int8."""
    plain = set(step.tables) == {"table"} and set(step.params) == {"length"} and not step.state and not step.scratch and not step.waits
    return step.tables["table"] if plain and step.y.dtype == "int8" and step.x[0].dtype == "int8" else None


def clamp_of(table: np.ndarray) -> tuple[int, int] | None:
    """(low, high) where a table is nothing but a clamp to them."""
    low, high = int(table.min()), int(table.max())
    return (low, high) if np.array_equal(table, np.clip(COUNTS, low, high)) else None


def without_pad(pad: Step, windows: Step) -> Step | None:
    """Windows over a padded image, as windows over the image; None where the padding is something else.

    The module of such windows says PADDED = function(step, x, (height, width), (rows, columns before)) -> Step.
    """
    smaller, k = getattr(windows.code, "PADDED", None), windows.params
    if smaller is None or pad.params["value"] != k["x_zero"] or windows.x[0].size != k["height"] * k["width"] * k["channels"]:
        return None
    row, sizes = k["width"] * k["channels"], [pad.params[f"size{n}"] for n in range(4)]
    (top, rest), run = divmod(pad.params["start"], row), sizes[3]
    height, run = (sizes[2], run) if sizes[2] > 1 else (run // row, row) if rest == 0 and run % row == 0 else (1, run)
    exact = rest % k["channels"] == run % k["channels"] == 0 and rest + run <= row and pad.params["step2"] in (0, row)
    if sizes[0] * sizes[1] != 1 or not exact or height * run != pad.x[0].size:
        return None
    step = smaller(windows, pad.x[0], (height, run // k["channels"]), (top, rest // k["channels"]))
    return replace(step, sources=pad.sources)
