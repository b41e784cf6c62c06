"""TFLite SUB, int16: the difference of two tensors, computed by ops/add_int16.py with the second one negated.

Source: tensorflow/lite/kernels/internal/reference/sub.h, SubElementwise; the scales from tflite-micro, sub_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinystream.ops._binary import Spread
from tinystream.ops.add_int16 import BATCHED as BATCHED
from tinystream.ops.add_int16 import BOUND as BOUND
from tinystream.ops.add_int16 import AddInt16, _signal, read_sum16
from tinystream.ops.add_int16 import run as run
from tinystream.plan.operator import Operator


@dataclass(frozen=True, eq=False)
class SubInt16(AddInt16):
    """As AddInt16."""

    signs: tuple[int, int] = (1, -1)

    @classmethod
    def read(cls, operator: Operator):
        return read_sum16(operator, (1, -1))


EXAMPLES = [
    (SubInt16(0.0007), _signal(0.0005), _signal(0.0004)),
    (SubInt16(0.0006, "relu", Spread(1, 15, 4), 0), _signal(0.0003, (4,)), _signal(0.0005)),
]
