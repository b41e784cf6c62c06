"""The value of a TFLite variable at the end of a call, kept for the next one: ASSIGN_VARIABLE, where it is computed from the one before.

    what ops/recall.py gives in the next call = x;   y = x

Source: tflite-micro, assign_variable.cc, micro_resource_variable.cc.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tinystream.ops.recall import Recall
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Remember:
    """It has no options."""

    @classmethod
    def read(cls, operator: Operator) -> Remember:
        return cls()

    def plan(self, x: Signal, past: Signal) -> Step:
        """past: what the step of ops/recall.py gives whose state is written."""
        return Step(
            module=__name__,
            x=(x, past),
            y=x,
            params=dict(bytes=x.bytes),
            sources=(-1, -2),
            writes=True,
            inplace=True,
            cost=dict(mem=2 * x.size),
            says=f"{x.size} values for the next call",
        )


BOUND = 1e-6  # counts: values only move
ANY_TYPE = True


def run(k, s, x):
    s.values = x.reshape(s.values.shape).copy()
    return x


@dataclass(frozen=True, eq=False)
class Delay:
    """Both sides of one variable: y is x of the call before."""

    recall: Recall

    def plan(self, x: Signal) -> list[Step]:
        past = self.recall.plan(x)
        return [past, replace(Remember().plan(x, past.y), sources=(-1, 0))]

    def ideal(self, x, blocks):
        return blocks


EXAMPLES = [
    (Delay(Recall(np.arange(12, dtype=np.int8).reshape(3, 4), 0.05, -7)), Signal((3, 4), "int8", Fraction(30), 0.05, -7)),
    (Delay(Recall(np.full(5, 90000, np.int32), 0.05, 0)), Signal((5,), "int32", Fraction(30), 0.05)),
]
