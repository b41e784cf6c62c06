"""Weighted sums of features: logistic regression, a linear support vector machine, a projection (PCA, LDA), a regression.

    v[i] = bias[i] + sum_j rshift(x[j] weight[i][j], shift[i][j])      in Q of as many bits as 2**61 has room for

A weight has 31 bits and a shift of its own, so that features of very different size keep their weight in full.

    activation = "none"      y = v, int32, in the finest power of two, down to 2**-20, in which no input saturates; or one that `largest`
                             just fits, beyond which y saturates
    activation = "sigmoid"   y = 1 / (1 + exp(-v)), int16 in Q15, by the table of ops/_sigmoid.py, linear in between
    activation = "softmax"   y = exp(v - max v) over their sum, int16 in Q15; powers by stages/_exp2.py, in Q30

A weight is right to 2**-31 of itself, so probabilities are within BOUND while the terms of a sum stay below some thousands.

Widths: the plan bounds |bias| + sum |weight| max |x| by 2**61; x has 32 bits and a weight 31 with their signs.

Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed., §4.4, §12.2, §14.5; integers: ours.
"""

from __future__ import annotations

from math import ceil, log2
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.ops._sigmoid import SIGMOID, interpolated
from tinystream.plan.fixed import rshift, sat16, sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Fitted
from tinystream.plan.step import Step
from tinystream.stages._exp2 import EXP2_TABLE, exp_q30
from tinystream.stages._standard import Row, Vector, around, features, row, table, type_of

ACTIVATIONS = ("none", "sigmoid", "softmax")
ROOM = 61


class Linear(Fitted):
    """Weighted sums of features: logistic regression, a linear support vector machine, a projection, a regression."""

    FITTED: ClassVar[tuple[str, ...]] = ("weights",)
    weights: tuple[Row, ...] | None = Field(default=None, description="a row for each output, a number for each feature in real units")
    bias: Vector = Field(default=None, description="added to each output; 0 where nothing is said")
    activation: Literal["none", "sigmoid", "softmax"] = Field(default="none", description="what becomes of the sums")
    largest: float | None = Field(default=None, gt=0, description='of the sums that matter, with activation = "none"; y saturates there')

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        weights, bias = self._rows(x)
        info = np.iinfo(x.dtype)
        each = np.abs(weights) * x.scale
        reach = float((np.abs(bias) + np.abs(weights * x.scale * x.zero).sum(axis=1) + each.sum(axis=1) * -info.min).max())
        fine = min(ROOM - ceil(log2(max(reach, 2.0**-60))), 30 - ceil(log2(max(float(each.max()), 2.0**-60))))
        bits = self._bits(reach, fine)
        if fine < bits + 2:
            raise AppError(("weights",), f"the sums reach {reach:.3g}, which leaves them no digits", "standardise the features first")
        exact = weights * x.scale
        shift = np.clip(30 - np.ceil(np.log2(np.maximum(np.abs(exact), 2.0**-200))) - fine, 0, 62).astype(int)
        counted = np.rint(exact * 2.0 ** (fine + shift)).astype(np.int64)
        start = np.rint((bias - (exact * x.zero).sum(axis=1)) * 2.0**fine).astype(np.int64)
        count = len(weights)
        plain = self.activation == "none"
        y = Signal((count,), "int32" if plain else "int16", x.rate_hz, 2.0 ** -(bits if plain else 15), unit="" if plain else "probability")
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(type=type_, size=x.size, outputs=count, activation=ACTIVATIONS.index(self.activation), narrow=fine - bits),
            tables=dict(bias=start, weight=counted.astype(np.int32), shift=shift.astype(np.uint8),
                        table=SIGMOID if self.activation == "sigmoid" else SIGMOID[:1],
                        exp2=EXP2_TABLE if self.activation == "softmax" else EXP2_TABLE[:1]),
            scratch=dict(v=("int64", count)),
            cost=dict(mul64=count * x.size, add=2 * count * x.size, mem=3 * count * x.size),
            says=f"{count} weighted sum{'s' * (count > 1)} of {x.size} features{'' if plain else f', {self.activation}'}",
        )

    def ideal(self, x, blocks):
        weights, bias = self._rows(x[0])
        v = blocks.reshape(len(blocks), -1) @ weights.T + bias
        if self.activation == "sigmoid":
            return 1 / (1 + np.exp(-np.clip(v, -700, 700)))
        if self.activation == "softmax":
            e = np.exp(v - v.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)
        scale = self.plan(*x).y.scale
        return np.clip(v, -(2.0**31) * scale, (2.0**31 - 1) * scale)

    def _rows(self, x: Signal) -> tuple[np.ndarray, np.ndarray]:
        weights = table(self.weights or (), x.size, "weights")
        if self.activation == "softmax" and len(weights) < 2:
            raise AppError(("activation",), 'activation = "softmax" needs two outputs or more', 'activation = "sigmoid"')
        if self.largest is not None and self.activation != "none":
            raise AppError(("largest",), f'largest means nothing to activation = "{self.activation}"', 'activation = "none"')
        return weights, row(self.bias, 0, len(weights), "bias")

    def _bits(self, reach: float, fine: int) -> int:
        """Of a sum below 1: those of y, or 16, from which an activation is computed."""
        if self.activation != "none":
            return 16
        most = reach if self.largest is None else min(self.largest, reach)
        return min(30 - ceil(log2(max(most, 2.0**-10))), 20 if self.largest is None else 30, fine - 2)


BOUND = (2.0, 2.0**-20)     # counts: half from rounding, and of a probability what the tables miss; the rest is of the weights
BATCHED = True


def run(k, s, x):
    x = x.reshape(len(x), 1, -1).astype(np.int64)
    terms = rshift(x * k.weight.reshape(k.outputs, k.size), k.shift.reshape(k.outputs, k.size))
    v = rshift(terms.sum(axis=-1) + k.bias, k.narrow)
    if k.activation == 0:
        return sat32(v)
    return sigmoid(k, v) if k.activation == 1 else softmax(k, v)


def sigmoid(k, v: np.ndarray) -> np.ndarray:
    """Q15 of v in Q16."""
    steps = rshift(3 * np.minimum(np.abs(v), 1 << 20), 4)       # of 1 / (24 * 512); 16 is beyond the table
    upper = rshift(interpolated(k.table, steps, 9, 1 << 25), 10)
    return sat16(np.where(v < 0, 32768 - upper, upper))


def softmax(k, v: np.ndarray) -> np.ndarray:
    """Q15 of v in Q16, over the last axis."""
    e = exp_q30(k.exp2, v.max(axis=-1, keepdims=True) - v)
    total = e.sum(axis=-1, keepdims=True)
    return sat16((e * 32768 + (total >> 1)) // total)


def weights(outputs: int, size: int, wide: float = 1.0, seed: int = 0) -> tuple[Row, ...]:
    """Weights for examples."""
    return tuple(map(tuple, np.random.default_rng(seed).normal(0, wide, (outputs, size)).tolist()))


EXAMPLES = [
    (Linear(weights=weights(1, 6), bias=-0.5), features("int32", 6, scale=2.0**-16)),
    (Linear(weights=((1e-6, 3.0, -2000.0, 0.0),), bias=(4.0,)), features("int32", 4)),
    (Linear(weights=weights(3, 8), bias=(1.0, 0.0, -20.0), largest=100.0), features("int16", 2, 4, scale=2.0**-8, zero=50)),
    (Linear(weights=weights(1, 5), bias=0.25, activation="sigmoid"), features("int32", 5)),
    (Linear(weights=weights(2, 10, 0.1), activation="sigmoid"), features("int8", 10, scale=0.05, zero=-128)),
    (Linear(weights=weights(4, 6), bias=(0.0, 1.0, 2.0, -3.0), activation="softmax"), features("int32", 6)),
    (Linear(weights=weights(2, 1, 0.01), activation="softmax"), features("int16", 1, scale=2.0**-4)),
]


def inputs(x, rng, count):
    """As stages/_standard.py says, so that activations are met where they are not 0 or 1."""
    return [around(x[0], 0.0, 1.0, rng, 4 * count)]
