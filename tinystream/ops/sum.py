"""TFLite SUM, int8, over neighbouring axes: computed by ops/mean.py, without its division.

Source: as ops/mean.py, with compute_sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tinystream.ops.mean import BATCHED as BATCHED
from tinystream.ops.mean import BOUND as BOUND
from tinystream.ops.mean import Mean
from tinystream.ops.mean import run as run
from tinystream.plan.signal import Signal


@dataclass(frozen=True, eq=False)
class Sum(Mean):
    """As Mean."""

    divided: bool = False


EXAMPLES = [
    (Sum((1, 15, 4), 0.2, -20), Signal((3, 5, 4), "int8", Fraction(30), 0.05, -128)),
    (Sum((6, 9, 1), 0.01, 9), Signal((6, 9), "int8", Fraction(30), 0.05, 8)),
]
