"""TFLite SUM, int16, over neighbouring axes: computed by ops/mean_int16.py, without its division.

Source: as ops/mean_int16.py, with compute_sum.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinystream.ops.mean_int16 import BATCHED as BATCHED
from tinystream.ops.mean_int16 import BOUND as BOUND
from tinystream.ops.mean_int16 import MeanInt16, _signal
from tinystream.ops.mean_int16 import run as run


@dataclass(frozen=True, eq=False)
class SumInt16(MeanInt16):
    """As MeanInt16."""

    divided: bool = False


EXAMPLES = [
    (SumInt16((1, 15, 4), 0.002), _signal(3, 5, 4)),
    (SumInt16((6, 9, 1), 0.0001), _signal(6, 9)),
]
