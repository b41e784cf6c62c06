"""A TFLite variable that is a delay line: READ_VARIABLE, CONCATENATION, STRIDED_SLICE and ASSIGN_VARIABLE in one.

    y = past, x;   then past = the end of y

`past` are the last values before x, oldest first: `start`, before there were any.  How the four become one is told in
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
    """What is remembered at the start."""

    start: np.ndarray

    @classmethod
    def read(cls, operator: Operator) -> History:
        start = operator.constant(1, operator.y.dtype)
        assert start is not None, "plan/variables.py has put it there"
        return cls(start.ravel())

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((self.start.size + x.size,), x.dtype, x.rate_hz, x.scale, x.zero),
            params=dict(bytes=element_bytes(x), past=self.start.size, fresh=x.size),
            state=dict(values=self.start),
            cost=dict(mem=4 * self.start.size + 2 * x.size),
            says=f"the {self.start.size} values before, and {x.size} new",
        )

    def ideal(self, x, blocks):
        stream = np.concatenate([x[0].real(self.start), blocks.ravel()])
        return np.stack([stream[i * x[0].size :][: self.start.size + x[0].size] for i in range(len(blocks))])


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
    (History(np.full(80, -128, np.int8)), _signal(3, 40)),
    (History(np.full(50, -7, np.int8)), _signal(1, 1, 9)),
    (History(np.arange(5, dtype=np.int8)), _signal(5)),
    (History(np.full(7, -300, np.int16)), _signal(2, 4, dtype="int16")),
]
