"""TFLite ADD, int16: the sum of two tensors, each with its own scale; one may be repeated along axes that it lacks.

    y[i] = clamp(requant(a' + b', multiplier, shift))
    a' = requant(a * 2**15, a_multiplier, a_shift) for a_scale / (2 * largest),  b' alike,  largest = the larger scale of the two
    multiplier * 2**(shift - 31) = 2 * largest / (2**15 * y_scale)

SUB is the same with b' negated.

Source: tensorflow/lite/kernels/internal/reference/add.h, AddElementwise; the scales from tflite-micro, add_common.cc, sub_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._binary import Spread, pair_spread, read_pair, spread_of
from tinystream.ops._int16 import activate16, check_symmetric, clamp16, signal16
from tinystream.ops._shared import Activation, read_activation
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION = 0  # slot of AddOptions and SubOptions
LEFT = 15  # bits that a count is raised by before it is rescaled


@dataclass(frozen=True, eq=False)
class AddInt16:
    """The output's scale; the signs of the two; which one is repeated, and how."""

    y_scale: float
    activation: Activation = "none"
    spread: Spread | None = None
    small: int = 1
    signs: tuple[int, int] = (1, 1)

    @classmethod
    def read(cls, operator: Operator):
        return read_sum16(operator, (1, 1))

    def plan(self, a: Signal, b: Signal) -> Step:
        signals, order = (a, b), (1 - self.small, self.small)
        large, small = (signals[i] for i in order)
        scales = common_scale(a.scale, b.scale)
        told = {f"{name}_{what}": value for name, i in zip("ab", order)
                for what, value in zip(("multiplier", "shift", "sign"), (*scales[i], self.signs[i]))}
        return Step(
            module="tinystream.ops.add_int16",
            x=(large, small),
            y=signal16(large.shape, large, self.y_scale),
            params=dict(**pair_spread(self.spread, a, b).params(), **told, **sum16_params(self, max(a.scale, b.scale))),
            sources=tuple(-1 - i for i in order),
            inplace=True,
            cost=dict(requant=3 * large.size, mem=6 * large.size),
            says="sum" if self.signs == (1, 1) else "difference",
        )

    def ideal(self, x, a, b):
        real = [block * sign for block, sign in zip((a, b), self.signs)]
        large, small = real[1 - self.small], real[self.small]
        spread = pair_spread(self.spread, *x)
        y = large.reshape(len(a), *spread) + spread.expand(small, len(a))
        return activate16(y, self.activation, self.y_scale).reshape(large.shape)


def read_sum16(operator: Operator, signs: tuple[int, int]):
    """AddInt16 for two tensors that flow, AddConstantInt16 where one is a constant."""
    from tinystream.ops.add_constant_int16 import AddConstantInt16  # which is built on this module

    check_symmetric(operator)
    spread, small, constant = read_pair(operator)
    activation = read_activation(operator, ACTIVATION)
    if constant is None:
        return AddInt16(operator.y.scale, activation, spread, small, signs)
    if constant.zero:
        raise operator.refuse(f"has a constant of int16 with zero {constant.zero}", "convert the model again")
    return AddConstantInt16(constant.values, constant.scale, operator.y.scale, spread, activation, signs, small)


def common_scale(*scales: float) -> list[tuple[int, int]]:
    """(multiplier, shift) by which each is brought to twice the larger scale."""
    return [quantize_multiplier(scale / (2 * max(scales))) for scale in scales]


def sum16_params(told, largest: float) -> dict[str, int]:
    """How a sum at the common scale becomes the output; told: its y_scale and activation."""
    multiplier, shift = quantize_multiplier(2 * largest / ((1 << LEFT) * told.y_scale))
    if shift > 0:
        raise ModelError(f"an addition at scale {largest:.4g} is magnified by more than 2**14", "convert the model again")
    low, high = clamp16(told.activation, told.y_scale)
    return dict(multiplier=multiplier, shift=shift, low=low, high=high)


BOUND = 1.01  # counts: half from each of the two roundings of y; those of a' and b' are much finer
BATCHED = True


def run(k, s, a, b):
    spread = spread_of(k)
    large = k.a_sign * requant(a.astype(np.int64) << LEFT, k.a_multiplier, k.a_shift)
    small = k.b_sign * requant(b.astype(np.int64).reshape(len(b), -1) << LEFT, k.b_multiplier, k.b_shift)
    total = large.reshape(len(a), *spread) + spread.expand(small, len(a))
    return np.clip(requant(total, k.multiplier, k.shift), k.low, k.high).astype(np.int16).reshape(a.shape)


def _signal(scale, shape=(5, 3, 4)):
    return Signal(shape, "int16", Fraction(30), float(np.float32(scale)))


EXAMPLES = [
    (AddInt16(0.0007), _signal(0.0005), _signal(0.0004)),
    (AddInt16(0.0005, "relu"), _signal(0.0001), _signal(0.0009, (60,))),
    (AddInt16(0.0003, "relu6", Spread(5, 3, 4)), _signal(0.0005), _signal(0.0005, (5, 1, 4))),
    (AddInt16(0.00006, "relu_n1_to_1", Spread(1, 15, 4), 0), _signal(0.00003, (4,)), _signal(0.0005)),
]
