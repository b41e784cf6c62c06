"""TFLite PRELU, int8: x, or alpha * x where x is negative; alpha is a constant, one for each channel or place.

    y[i] = table[x[i] + 128]                                                          for x >= x_zero
    y[i] = sat8(requant((x[i] - x_zero) * alpha[i], multiplier, shift) + y_zero)      below
    table = sat8(requant(x - x_zero, x_scale / y_scale) + y_zero),   multiplier * 2**(shift - 31) = x_scale * alpha_scale / y_scale

alpha is counted from its zero, and repeated along axes that it lacks.

Source: tensorflow/lite/kernels/internal/reference/prelu.h; the scales from tflite-micro, prelu_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Spread, read_pair, spread_of
from tinystream.ops._shared import activate, out_signal
from tinystream.ops.mul import product_params
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Prelu:
    """constant: alpha, counted from its zero; its scale; what it gives; how alpha is repeated."""

    constant: np.ndarray
    scale: float
    y_scale: float
    y_zero: int
    spread: Spread
    activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> Prelu:
        operator.flow(0)
        spread, _, alpha = read_pair(operator)
        if alpha is None:
            raise operator.refuse("computes its alpha", "alpha must be a constant")
        return cls(alpha.values, alpha.scale, **out_signal(operator.y), spread=spread)

    def plan(self, x: Signal) -> Step:
        counts = np.arange(-128, 128, dtype=np.int64) - x.zero
        told = product_params(self, x.scale, self.scale)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(x.shape, "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(**self.spread.params(), x_zero=x.zero, **{n: told[n] for n in ("multiplier", "shift", "y_zero")}),
            tables=dict(
                alpha=self.constant.astype(np.int16),
                table=sat8(requant(counts, *quantize_multiplier(x.scale / self.y_scale)) + self.y_zero),
            ),
            inplace=True,
            cost=dict(table=x.size, mul=x.size, requant=x.size, mem=2 * x.size),
            says=f"x, or one of {self.constant.size} slopes below 0",
        )

    def ideal(self, x, blocks):
        alpha = self.spread.expand((self.constant * self.scale)[None], len(blocks))
        rows = blocks.reshape(alpha.shape)
        return activate(np.where(rows >= 0, rows, rows * alpha), "none", self.y_scale, self.y_zero).reshape(blocks.shape)


BOUND = 1.0  # counts: two roundings, half each at the most
BATCHED = True


def run(k, s, x):
    spread = spread_of(k)
    value = (x.astype(np.int64) - k.x_zero).reshape(len(x), *spread)
    below = sat8(requant(value * spread.expand(k.alpha.astype(np.int64)[None], len(x)), k.multiplier, k.shift) + k.y_zero)
    above = k.table[x.astype(np.int64) + 128].reshape(value.shape)
    return np.where(value >= 0, above, below).reshape(x.shape)


def _example(outer, repeat, inner, **scales):
    alpha = np.random.default_rng(inner).integers(-100, 128, outer * inner)
    shape = (outer, repeat, inner)
    return Prelu(alpha, 0.004, 0.06, 5, Spread(*shape)), Signal(shape, "int8", Fraction(30), scales.get("x_scale", 0.05), 20)


EXAMPLES = [_example(1, 8, 4), _example(3, 5, 2, x_scale=20.0), _example(1, 40, 1)]
