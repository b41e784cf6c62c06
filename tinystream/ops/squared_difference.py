"""TFLite SQUARED_DIFFERENCE, int8: the square of the difference of two tensors, each with its own scale; one may be repeated.

    y[i] = sat8(requant((a_table[a[i] + 128] - b_table[b[i] + 128])**2, multiplier, shift) + y_zero)
    a_table = requant((a - a_zero) * 2**7, a_scale / (2 * largest)),  b_table alike,  largest = the larger scale of the two
    multiplier * 2**(shift - 31) = (2 * largest)**2 / (2**14 * y_scale)

Source: tflite-micro, squared_difference.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._binary import Spread, pair_spread, read_pair, spread_of
from tinystream.ops._shared import activate, out_signal
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

COUNTS = np.arange(-128, 128, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class SquaredDifference:
    """The output's scale and zero; which of the two is repeated, and how."""

    y_scale: float
    y_zero: int
    spread: Spread | None = None
    small: int = 1

    @classmethod
    def read(cls, operator: Operator):
        """SquaredDifference for two tensors that flow, SquaredDifferenceConstant where one is a constant."""
        from tinystream.ops.squared_difference_constant import SquaredDifferenceConstant  # which is built on this module

        spread, small, constant = read_pair(operator)
        if constant is None:
            return cls(**out_signal(operator.y), spread=spread, small=small)
        return SquaredDifferenceConstant(constant.values, constant.scale, **out_signal(operator.y), spread=spread)

    def plan(self, a: Signal, b: Signal) -> Step:
        order = (1 - self.small, self.small)
        large, small = ((a, b)[i] for i in order)
        scale = max(a.scale, b.scale)
        return Step(
            module=__name__,
            x=(large, small),
            y=Signal(large.shape, "int8", large.rate_hz, self.y_scale, self.y_zero),
            params=dict(**pair_spread(self.spread, a, b).params(), **square_params(self, scale)),
            tables=dict(a_table=halved(COUNTS - large.zero, large.scale, scale), b_table=halved(COUNTS - small.zero, small.scale, scale)),
            sources=tuple(-1 - i for i in order),
            inplace=True,
            cost=dict(table=2 * large.size, mul=large.size, requant=large.size, mem=3 * large.size),
            says="square of the difference",
        )

    def ideal(self, x, a, b):
        large, small = (a, b)[1 - self.small], (a, b)[self.small]
        spread = pair_spread(self.spread, *x)
        y = (large.reshape(len(a), *spread) - spread.expand(small, len(a))) ** 2
        return activate(y, "none", self.y_scale, self.y_zero).reshape(large.shape)


def halved(counts: np.ndarray, scale: float, largest: float) -> np.ndarray:
    """Counts from their zero at twice the common scale, times 2**7; 15 bits, so that a difference squared has 31."""
    return requant(counts << 7, *quantize_multiplier(scale / (2 * largest))).astype(np.int16)


def square_params(told, largest: float) -> dict[str, int]:
    """How a square becomes the output; told: its y_scale and y_zero."""
    multiplier, shift = quantize_multiplier((2 * largest) ** 2 / ((1 << 14) * told.y_scale))
    if shift >= 0:
        raise ModelError(f"a squared difference at scale {largest:.4g} is magnified by more than 2**14", "convert the model again")
    return dict(multiplier=multiplier, shift=shift, y_zero=told.y_zero)


# counts: half from the last rounding, the rest that of both inputs to 1/64 of the larger one's count before the square
BOUND = (0.6, 0.02)
BATCHED = True


def run(k, s, a, b):
    spread = spread_of(k)
    small = k.b_table[b.astype(np.int64).reshape(len(b), -1) + 128].astype(np.int64)
    difference = k.a_table[a.astype(np.int64) + 128].astype(np.int64).reshape(len(a), *spread) - spread.expand(small, len(a))
    return sat8(requant(difference**2, k.multiplier, k.shift) + k.y_zero).reshape(a.shape)


def _signal(scale, zero, shape=(5, 3, 4)):
    return Signal(shape, "int8", Fraction(30), scale, zero)


EXAMPLES = [
    (SquaredDifference(0.6, -128), _signal(0.05, 2), _signal(0.04, -60)),
    (SquaredDifference(0.05, -128, Spread(1, 15, 4)), _signal(0.01, -128), _signal(0.02, 5, (4,))),
    (SquaredDifference(2.0, 4, Spread(15, 4, 1), 0), _signal(0.003, 0, (5, 3, 1)), _signal(0.05, 0)),
    (SquaredDifference(0.2, -128, Spread(5, 3, 4)), _signal(0.02, 0), _signal(0.05, 0, (5, 1, 4))),
]
