"""TFLite SUB, int8: the difference of two tensors, computed by ops/add.py with the second one negated.

Source: tensorflow/lite/kernels/internal/reference/sub.h, SubElementwise; the scales from tflite-micro, sub_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinystream.ops._binary import Spread
from tinystream.ops.add import BATCHED as BATCHED
from tinystream.ops.add import BOUND as BOUND
from tinystream.ops.add import Add, _signal, read_sum
from tinystream.ops.add import run as run
from tinystream.plan.operator import Operator


@dataclass(frozen=True, eq=False)
class Sub(Add):
    """As Add."""

    signs: tuple[int, int] = (1, -1)

    @classmethod
    def read(cls, operator: Operator) -> Add:
        return read_sum(operator, (1, -1))


EXAMPLES = [
    (Sub(0.07, -3), _signal(0.05, 2), _signal(0.04, -60)),
    (Sub(0.06, 4, "relu", Spread(1, 15, 4), 0), _signal(0.03, 7, (4,)), _signal(0.05, 0)),
]
