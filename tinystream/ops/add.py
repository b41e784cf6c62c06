"""TFLite ADD, int8: the sum of two tensors, each with its own scale; one may be repeated along axes that it lacks.

    y[i] = clamp(requant(a_table[a[i] + 128] + b_table[b[i] + 128], multiplier, shift) + y_zero)
    a_table = requant((a - a_zero) * 2**20, a_scale / (2 * largest)),  b_table alike,  largest = the larger scale of the two
    multiplier * 2**(shift - 31) = 2 * largest / (2**20 * y_scale)

SUB is the same with b_table negated.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/add.h, AddElementwise; the scales from tflite-micro, add_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._binary import Spread, pair_spread, read_pair, spread_of
from tinystream.ops._plain import is_plain
from tinystream.ops._shared import Activation, activate, clamp, out_signal, read_activation
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION = 0  # slot of AddOptions and SubOptions
COUNTS = np.arange(-128, 128, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Add:
    """The output's scale and zero; the signs of the two; which one is repeated, and how."""

    y_scale: float
    y_zero: int
    activation: Activation = "none"
    spread: Spread | None = None
    small: int = 1
    signs: tuple[int, int] = (1, 1)

    @classmethod
    def read(cls, operator: Operator) -> Add:
        return read_sum(operator, (1, 1))

    def plan(self, a: Signal, b: Signal) -> Step:
        signals, order = (a, b), (1 - self.small, self.small)
        large, small = (signals[i] for i in order)
        spread = pair_spread(self.spread, a, b)
        tables = [rescaled(COUNTS - signals[i].zero, signals[i].scale, largest_of(a, b)) * self.signs[i] for i in order]
        return Step(
            module="tinystream.ops.add",
            x=(large, small),
            y=Signal(large.shape, "int8", large.rate_hz, self.y_scale, self.y_zero),
            params=dict(**spread.params(), **sum_params(self, largest_of(a, b))),
            tables=dict(a_table=tables[0].astype(np.int32), b_table=tables[1].astype(np.int32)),
            sources=tuple(-1 - i for i in order),
            inplace=True,
            cost=dict(table=2 * large.size, requant=large.size, mem=3 * large.size),
            says="sum" if self.signs == (1, 1) else "difference",
        )

    def ideal(self, x, a, b):
        real = [block * sign for block, sign in zip((a, b), self.signs)]
        large, small = real[1 - self.small], real[self.small]
        spread = pair_spread(self.spread, *x)
        y = large.reshape(len(a), *spread) + spread.expand(small, len(a))
        return activate(y, self.activation, self.y_scale, self.y_zero).reshape(large.shape)


def largest_of(a: Signal, b: Signal) -> float:
    """Twice the larger scale: what both are brought to."""
    return 2 * max(a.scale, b.scale)


def rescaled(counts: np.ndarray, scale: float, largest: float) -> np.ndarray:
    """Counts from their zero, at the common scale, times 2**20."""
    return requant(counts << 20, *quantize_multiplier(scale / largest))


def sum_params(told, largest: float) -> dict[str, int]:
    """How a sum at the common scale becomes the output; told: its y_scale, y_zero and activation."""
    multiplier, shift = quantize_multiplier(largest / ((1 << 20) * told.y_scale))
    if shift >= 0:
        raise ModelError(f"an addition at scale {largest / 2:.4g} is magnified by more than 2**19", "convert the model again")
    low, high = clamp(told.activation, told.y_scale, told.y_zero)
    return dict(multiplier=multiplier, shift=shift, plain=is_plain(low, high, shift), y_zero=told.y_zero, low=low, high=high)


def read_sum(operator: Operator, signs: tuple[int, int]):
    """Add for two tensors that flow, AddConstant where one is a constant."""
    from tinystream.ops.add_constant import AddConstant  # which is built on this module

    spread, small, constant = read_pair(operator)
    options = dict(**out_signal(operator.y), activation=read_activation(operator, ACTIVATION))
    if constant is None:
        return Add(**options, spread=spread, small=small, signs=signs)
    return AddConstant(
        constant.values,
        constant.scale,
        **options,
        spread=spread,
        signs=(signs[1 - small], signs[small]),
    )


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, a, b):
    spread = spread_of(k)
    small = k.b_table[b.astype(np.int64).reshape(len(b), -1) + 128]
    total = k.a_table[a.astype(np.int64) + 128].reshape(len(a), *spread) + spread.expand(small, len(a))
    return np.clip(requant(total, k.multiplier, k.shift) + k.y_zero, k.low, k.high).astype(np.int8).reshape(a.shape)


def _signal(scale, zero, shape=(5, 3, 4)):
    return Signal(shape, "int8", Fraction(30), scale, zero)


EXAMPLES = [
    (Add(0.07, -3), _signal(0.05, 2), _signal(0.04, -60)),
    (Add(0.05, -128, "relu"), _signal(0.01, -128), _signal(0.09, 5, (60,))),
    (Add(0.03, 4, "relu6", Spread(5, 3, 4)), _signal(0.05, 0), _signal(0.05, 0, (5, 1, 4))),
    (Add(0.06, 4, "none", Spread(1, 15, 4), 0), _signal(0.03, 7, (4,)), _signal(0.05, 0)),
]
