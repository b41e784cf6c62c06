"""What operators share that give each value by itself: a table of all 256 answers, made at plan time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


def table_step(module: str, x: Signal, y_scale: float, y_zero: int, answer: Callable[[int], int], says: str) -> Step:
    """y[i] = table[x[i] + 128]; answer(count) is the table's entry for a count of x."""
    table = np.array([answer(count) for count in range(-128, 128)])
    assert table.min() >= -128 and table.max() <= 127, "an answer is an int8"
    return Step(
        module=module,
        x=(x,),
        y=Signal(x.shape, "int8", x.rate_hz, y_scale, y_zero),
        params=dict(length=x.size),
        tables=dict(table=table.astype(np.int8)),
        inplace=True,
        cost=dict(table=x.size, mem=x.size),
        says=says,
    )


def look_up(k, s, x):
    """The run() of such an operator."""
    return k.table[x.astype(np.int64) + 128]


def ratio(x_scale: float, y_scale: float) -> float:
    """x_scale / y_scale in float32, as TFLM divides the scales of an activation."""
    return float(np.float32(x_scale) / np.float32(y_scale))
