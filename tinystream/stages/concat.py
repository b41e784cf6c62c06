"""Lay the outputs of several stages side by side, along the last axis.

    y[…, :] = x0[…, :], x1[…, :], …      in the order of `from`

Two at a time: n sources are n - 1 steps, each joining one more, so that one C function serves any number.

Sources of one type, scale and zero are joined as they are.  Others are first brought to int32 around 0, with the finest power of two as
scale with which all that any of them can hold fits, by a step `rescale` each.

With flat = true, and where numbers of axes differ, each source is one row of values: all of channel 0 first, as it lies in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.rescale import Rescale, distance, finest


class Concat(Stage):
    """Lay the outputs of several stages side by side, along the last axis."""

    flat: bool = Field(default=False, description="as one row of values, whatever axes they have; so it is where numbers of axes differ")

    def plan(self, *x: Signal) -> list[Step]:
        if len(x) < 2:
            raise AppError(("from",), f"stage 'concat' joins two or more sources, and is given {len(x)}", 'from = ["one", "another"]')
        for signal in x[1:]:
            if signal.rate_hz != x[0].rate_hz:
                raise AppError(("from",), f"stage 'concat' cannot join different rates: {x[0].rate_hz} Hz and {signal.rate_hz} Hz")
        flat = self.flat or len({len(signal.shape) for signal in x}) > 1
        steps, given = alike(x)
        joined, source = given[0]
        for signal, other in given[1:]:
            steps.append(join(joined, signal, (source, other), flat))
            joined, source = steps[-1].y, len(steps) - 1
        return steps

    def ideal(self, x, *blocks):
        if self.flat or len({len(signal.shape) for signal in x}) > 1:
            blocks = tuple(b.reshape(len(b), *self.plan(*x)[-1].y.shape[:-1], -1) for b in blocks)
        return np.concatenate(blocks, axis=-1)


BOUND = 0.501, 2.0**-30     # of `rescale`; where sources count alike, nothing is computed
BATCHED = True
COARSEST = 2.0**-10         # of the range of a source: what a count of y may be at most


def alike(x: Sequence[Signal]) -> tuple[list[Step], list[tuple[Signal, int]]]:
    """(steps that bring all to one type, scale and zero; what they give, and its source)."""
    if len({(signal.dtype, signal.scale, signal.zero) for signal in x}) == 1:
        return [], [(signal, -1 - i) for i, signal in enumerate(x)]
    scale = max(finest(signal, "int32") for signal in x)
    stage = Rescale(scale=scale)
    steps: list[Step] = []
    given: list[tuple[Signal, int]] = []
    for i, signal in enumerate(x):
        range_ = distance(signal) * signal.scale
        if scale > COARSEST * range_:
            raise AppError(("from",), f"stage 'concat' would count {signal} in steps of {scale:.3g}, where it reaches {range_:.3g}",
                           "a 'log' or a 'rescale' behind the source that reaches so far")
        if (signal.dtype, signal.scale, signal.zero) == ("int32", scale, 0):
            given.append((signal, -1 - i))
        else:
            steps.append(replace(stage.plan(signal), sources=(-1 - i,)))
            given.append((steps[-1].y, len(steps) - 1))
    return steps, given


def join(a: Signal, b: Signal, sources: tuple[int, int], flat: bool) -> Step:
    """The step that lays b beside a."""
    if not a.shape or (not flat and a.shape[:-1] != b.shape[:-1]):
        raise AppError(("from",), f"stage 'concat' joins the last axis, the others must be equal: {a} and {b}", "flat = true")
    leading = a.shape[:-1]
    if flat and not (leading == b.shape[:-1] and prod(leading) == 1):       # what leads and is 1 stays
        leading = ()
    rows = prod(leading)
    y = replace(a, shape=(*leading, (a.size + b.size) // rows), unit=a.unit if a.unit == b.unit else "",
                sample_hz=a.sample_hz if a.sample_hz == b.sample_hz and len(a.shape) > 1 and not flat else None, bin_hz=None)
    return Step(module=__name__, x=(a, b), y=y, params=dict(rows=rows, left=a.bytes // rows, right=b.bytes // rows),
                sources=sources, cost=dict(mem=y.size), says=f"{a.size // rows} and {b.size // rows} side by side")


def run(k, s, a, b):
    if a.shape[1:-1] != b.shape[1:-1] or k.rows != prod(a.shape[1:-1]):
        a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    return np.concatenate([a, b], axis=-1)


def signal(dtype: str, *shape: int, scale: float = 2.0**-4, zero: int = 1) -> Signal:
    return Signal(shape, dtype, Fraction(25, 2), scale, zero, unit="dB")


EXAMPLES = [
    (Concat(), signal("int8", 3), signal("int8", 5)),
    (Concat(), signal("int16", 4, 2), signal("int16", 4, 1), signal("int16", 4, 3), signal("int16", 4, 1)),
    (Concat(), signal("uint32", 1), signal("uint32", 1), signal("uint32", 2)),
    (Concat(), signal("int32", 3, scale=2.0**-21, zero=0), signal("int16", 4, scale=2.0**-9), signal("int8", 2, scale=0.1, zero=-128)),
    (Concat(), signal("int16", 2, 3), signal("int32", 2, 2)),
    (Concat(flat=True), signal("int16", 3, 2), signal("int16", 2, 2)),
    (Concat(), signal("int16", 3, 2), signal("int16", 5), signal("int16", 1, 4, scale=0.3)),
    (Concat(flat=True), signal("int8", 1, 2), signal("int8", 1, 3)),
]
