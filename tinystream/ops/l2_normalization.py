"""TFLite L2_NORMALIZATION, int8, over the last axis, at scale 1/128, zero 0: a row divided by its length.

    y[i] = sat8(requant(x[i] - x_zero, root, shift + 7)),   root * 2**(shift - 31) = 1 / sqrt(sum of (x[i] - x_zero)**2)

root comes by five of Newton's steps in Q28.  A row of nothing but zeros stays so.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/l2normalization.h; common.h, GetInvSqrtQuantizedMultiplierExp.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.fixed import msb, requant, rounding_divide, sat8, srdhm
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION = 0  # slot of L2NormOptions
LONGEST = (1 << 29) // 255**2  # values of a row: the sum of their squares has 29 bits


@dataclass(frozen=True, eq=False)
class L2Normalization:
    """length is that of the last axis."""

    length: int

    @classmethod
    def read(cls, operator: Operator) -> L2Normalization:
        if (operator.y.scale, operator.y.zero) != (1 / 128, 0):
            raise operator.refuse(f"gives {operator.y}; only scale 1/128, zero 0 is defined")
        if operator.option(ACTIVATION, 0, "b"):
            raise operator.refuse("has a fused activation", "use a layer of its own")
        return cls(operator.flow().dims[-1])

    def plan(self, x: Signal) -> Step:
        if not 1 <= self.length <= LONGEST:
            raise ModelError(f"a row of {self.length} values is normalised; {LONGEST} at most", "normalise less")
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, 1 / 128, 0),
            params=dict(rows=x.size // self.length, length=self.length, x_zero=x.zero),
            inplace=True,
            cost=dict(mac8=x.size, requant=x.size, mem=3 * x.size),
            says=f"rows of {self.length} to length 1",
        )

    def ideal(self, x, blocks):
        rows = blocks.reshape(-1, self.length)
        length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
        return np.minimum(rows / np.where(length > 0, length, 1), 127 / 128).reshape(blocks.shape)


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    rows = x.reshape(-1, k.length).astype(np.int64) - k.x_zero
    root, shift = inverse_root((rows**2).sum(axis=1, keepdims=True))
    return sat8(requant(rows, root, shift + 7)).reshape(x.shape)


def inverse_root(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """plan/gemmlowp.py's inverse_root of many, 0 <= x < 2**29; 0 is taken for 1."""
    tiny, x = x <= 1, np.maximum(x, 1)
    pairs = (30 - msb(x)) // 2 - 1
    fixed = (x << 2 * pairs) >> 1
    half, root = rounding_divide(fixed, 1), np.full_like(x, 1 << 28)
    for _ in range(5):
        cube = srdhm(srdhm(root, root), root) << 6  # below 2**31, as 1 <= root < 2 and x lies between 1/4 and 1
        root = (srdhm((1 << 28) + (1 << 27), root) - srdhm(half, cube)) << 3
    root, right = srdhm(root, 1518500250), 11 - pairs
    return np.where(tiny, 2**31 - 1, root << np.maximum(-right, 0)), np.where(tiny, 0, -np.maximum(right, 0))


EXAMPLES = [
    (L2Normalization(8), Signal((6, 8), "int8", Fraction(30), 0.03, -8)),
    (L2Normalization(2), Signal((90, 2), "int8", Fraction(30), 3.0, 0)),
    (L2Normalization(700), Signal((700,), "int8", Fraction(30), 0.2, -128)),
    (L2Normalization(1), Signal((9, 1), "int8", Fraction(30), 0.2, 5)),
]
