"""A TFLite variable that is a delay line: READ_VARIABLE, CONCATENATION, STRIDED_SLICE and ASSIGN_VARIABLE in one.

    y = past, x;   then past = the end of y

`past` are the last values before x, oldest first: `start` each, before there were any.  How the four become one is told in
tinystream/plan/variables.py.

Source: tflite-micro, read_variable.cc, assign_variable.cc, micro_resource_variable.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._axes import element_bytes
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class History:
    """How many values are remembered, and what each is at the start."""

    past: int
    start: int

    @classmethod
    def read(cls, operator: Operator) -> History:
        start = operator.constant(1, operator.y.dtype)
        if start is None or not start.size or (start != start.flat[0]).any():
            raise operator.refuse("starts with values that differ from each other", "start a variable with one value, such as zeros")
        return cls(start.size, int(start.flat[0]))

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((self.past + x.size,), x.dtype, x.rate_hz, x.scale, x.zero),
            params=dict(bytes=element_bytes(x), past=self.past, fresh=x.size),
            state=dict(values=np.full(self.past, self.start, x.dtype)),
            cost=dict(mem=4 * self.past + 2 * x.size),
            says=f"the {self.past} values before, and {x.size} new",
        )

    def ideal(self, x, blocks):
        stream = np.concatenate([np.full(self.past, x[0].real(self.start)), blocks.ravel()])
        return np.stack([stream[i * x[0].size :][: self.past + x[0].size] for i in range(len(blocks))])


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True


def run(k, s, x):
    y = np.concatenate([s.values, x.ravel()])
    s.values = y[k.fresh :]
    return y


def run_many(k, s, x):
    """The same for many blocks."""
    stream = np.concatenate([s.values, x.ravel()])
    s.values = stream[len(x) * k.fresh :]
    windows = np.lib.stride_tricks.sliding_window_view(stream, k.past + k.fresh)[:: k.fresh]
    return np.ones(len(x), bool), windows


def _signal(*shape, dtype="int8"):
    return Signal(shape, dtype, Fraction(30), 0.05, -7)


EXAMPLES = [
    (History(80, -128), _signal(3, 40)),
    (History(50, -7), _signal(1, 1, 9)),
    (History(5, 3), _signal(5)),
    (History(7, -300), _signal(2, 4, dtype="int16")),
]
