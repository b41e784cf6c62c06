"""The value of a TFLite variable at the beginning of a call: READ_VARIABLE, where the new value is computed from it.

    y = what ops/remember.py has kept in the call before; `start` at first

x is looked at for when it comes, not for what it is: a variable is read when the model is called.  Which variables are planned so is
told in tinystream/plan/variables.py.

Source: tflite-micro, read_variable.cc, micro_resource_variable.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Recall:
    """start is what is given first; it may differ from place to place."""

    start: np.ndarray
    scale: float
    zero: int

    @classmethod
    def read(cls, operator: Operator) -> Recall:
        start = operator.constant(1, operator.y.dtype)
        assert start is not None, "plan/variables.py has put it there"
        return cls(start.reshape(operator.y.dims), operator.y.scale, operator.y.zero)

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(self.start.shape, str(self.start.dtype), x.rate_hz, self.scale, self.zero),
            params=dict(bytes=self.start.nbytes),
            state=dict(values=self.start),
            cost=dict(mem=2 * self.start.size),
            says=f"{self.start.size} values as the call before has left them",
        )

    def ideal(self, x, blocks):
        return np.tile((self.start - self.zero) * self.scale, (len(blocks), *[1] * self.start.ndim))


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True


def run(k, s, x):
    return s.values.copy()


def _signal(*shape):
    return Signal(shape, "int8", Fraction(30), 0.05, -7)


EXAMPLES = [
    (Recall(np.arange(-8, 7, dtype=np.int8).reshape(3, 5), 0.1, 3), _signal(4)),
    (Recall(np.array([70000, -1, 2], np.int32), 0.001, 0), _signal(2)),
    (Recall(np.full(6, -300, np.int16), 0.01, 0), _signal(1)),
]
