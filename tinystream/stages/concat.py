"""Lay the outputs of several stages side by side, along the last axis.

    y[…, :] = x0[…, :], x1[…, :], …      in the order of `from`

Two at a time: n sources are n - 1 steps, each joining one more, so that one C function serves any number.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Concat(Stage):
    """Lay the outputs of several stages side by side, along the last axis."""

    def plan(self, *x: Signal) -> Step | list[Step]:
        if len(x) < 2:
            raise AppError(("from",), f"stage 'concat' joins two or more sources, and is given {len(x)}", 'from = ["one", "another"]')
        steps = [join(x[0], x[1], (-1, -2))]
        for i, signal in enumerate(x[2:]):
            steps.append(join(steps[-1].y, signal, (i, -3 - i)))
        return steps

    def ideal(self, x, *blocks):
        return np.concatenate(blocks, axis=-1)


BOUND = 0   # nothing is computed
BATCHED = True


def join(a: Signal, b: Signal, sources: tuple[int, int]) -> Step:
    """The step that lays b beside a."""
    for what, one, other in [("types", a.dtype, b.dtype), ("rates", f"{a.rate_hz} Hz", f"{b.rate_hz} Hz"),
                             ("scales", a.scale, b.scale), ("zeros", a.zero, b.zero)]:
        if one != other:
            raise AppError(("from",), f"stage 'concat' cannot join different {what}: {one} and {other}",
                           "put a 'quantize' with one scale and zero behind each" if what != "rates" else "")
    if not a.shape or a.shape[:-1] != b.shape[:-1]:
        raise AppError(("from",), f"stage 'concat' joins the last axis, the others must be equal: {a} and {b}")
    y = replace(a, shape=(*a.shape[:-1], a.shape[-1] + b.shape[-1]), unit=a.unit if a.unit == b.unit else "",
                sample_hz=a.sample_hz if a.sample_hz == b.sample_hz and len(a.shape) > 1 else None, bin_hz=None)
    rows = prod(a.shape[:-1])
    return Step(module=__name__, x=(a, b), y=y, params=dict(rows=rows, left=a.bytes // rows, right=b.bytes // rows),
                sources=sources, cost=dict(mem=y.size), says=f"{a.shape[-1]} and {b.shape[-1]} side by side")


def run(k, s, a, b):
    return np.concatenate([a, b], axis=-1)


def signal(dtype: str, *shape: int) -> Signal:
    return Signal(shape, dtype, Fraction(25, 2), 2.0**-4, zero=1, unit="dB")


EXAMPLES = [
    (Concat(), signal("int8", 3), signal("int8", 5)),
    (Concat(), signal("int16", 4, 2), signal("int16", 4, 1), signal("int16", 4, 3), signal("int16", 4, 1)),
    (Concat(), signal("uint32", 1), signal("uint32", 1), signal("uint32", 2)),
]
