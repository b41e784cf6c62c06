"""TFLite SOFTMAX, int16, over the last axis, at scale 2**-15.

    e[i] = look_up(exp, sat16(requant(x[i] - max(x), multiplier, shift) + 32767))       exp(d) for -10 <= d <= 0
    z = leading zeros of sum(e) in 32 bits,   n = (sum(e) << (z - 1) + 2**13) >> 14      2**16 <= n <= 2**17: sum(e) without them
    y[i] = clamp((e[i] * look_up(reciprocal, sat16(n - 2**16 - 2**15)) + 2**(30 - z)) >> (31 - z), 0, 32767)

multiplier * 2**(shift - 31) = beta * x_scale * 65535 / 10.  look_up() is linear between the 513 entries of a table that are made from
float32, each corrected by half of how far the chord to the next one misses its middle.

Source: tensorflow/lite/kernels/internal/reference/softmax.h, SoftmaxInt16, and common.h, LUTPopulate; tflite-micro, softmax_common.cc.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._int16 import check_symmetric, signal16
from tinystream.plan.fixed import msb, quantize_multiplier, requant, sat16
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

BETA = 0  # slot of SoftmaxOptions
Y_SCALE = 2.0**-15
LARGEST_SHIFT = 14  # a difference has 17 bits
MOST_CLASSES = 65535  # a sum of exponentials has 31 bits


@dataclass(frozen=True, eq=False)
class SoftmaxInt16:
    """classes is the length of the last axis; beta multiplies the logits."""

    classes: int
    beta: float = 1.0

    @classmethod
    def read(cls, operator: Operator) -> SoftmaxInt16:
        check_symmetric(operator)
        if operator.y.dtype != "int16" or abs(operator.y.scale / Y_SCALE - 1) > 0.001:
            raise operator.refuse(f"gives {operator.y}; only int16 of scale 2**-15 is defined")
        beta = operator.options.real(BETA) if operator.options else 0.0
        if not 0 < beta < 1e6:
            raise operator.refuse(f"has beta = {beta:g}")
        return cls(operator.flow().dims[-1], beta)

    def plan(self, x: Signal) -> Step:
        multiplier, shift = quantize_multiplier(x.scale * self.beta / (10 / 65535))
        if shift > LARGEST_SHIFT or not 1 <= self.classes <= MOST_CLASSES:
            raise ModelError(f"a softmax over {self.classes} classes at scale {x.scale:.4g}; {MOST_CLASSES} and scale 2.5 at most",
                             "leave the softmax away and detect on logits")
        return Step(
            module=__name__,
            x=(x,),
            y=signal16(x.shape, x, Y_SCALE),
            params=dict(rows=x.size // self.classes, classes=self.classes, multiplier=multiplier, shift=shift),
            tables=dict(exp=table_of(10, 32767, np.exp), reciprocal=table_of(1, -32768, lambda v: 1 / (1 + v))),
            inplace=True,
            cost=dict(table=x.size, requant=2 * x.size, mem=6 * x.size),
            says=f"softmax over {self.classes}",
        )

    def ideal(self, x, blocks):
        rows = blocks.reshape(-1, self.classes)
        e = np.exp(self.beta * (rows - rows.max(axis=1, keepdims=True)))
        return np.minimum(e / e.sum(axis=1, keepdims=True), 32767 * Y_SCALE).reshape(blocks.shape)


def table_of(reach: int, zero: int, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """513 entries, at scale 2 / 65535, of a function over an int16 of scale reach / 65535 and this zero; float32, as TFLM has it.

    Each is lowered by half of how far the chord to the next one misses the middle, but for the last.
    """
    f = np.float32

    def at(place: np.ndarray) -> np.ndarray:
        return (function(place.astype(np.float64)).astype(f) * (f(65536) / (high - low))).astype(f)  # correctly rounded

    def rounded(v: np.ndarray) -> np.ndarray:
        return np.trunc(v + np.copysign(f(0.5), v))

    scale, low, high = f(reach) / f(65535), f(2) / f(65535) * f(-32768), f(2) / f(65535) * f(32767)
    first, last = scale * f(-32768 - zero), scale * f(32767 - zero)
    step = (last - first) / f(512)
    i = np.arange(512, dtype=f)
    here, middle, following = at(first + i * step), at(first + i * step + step / f(2)), at(first + (i + 1) * step)
    miss = rounded((following + rounded(here)) / f(2)) - rounded(middle)
    entries = np.append(rounded(here) - rounded(miss / f(2)), rounded(at(np.array([last]))))
    return np.clip(entries, -32768, 32767).astype(np.int16)


BOUND = 24.0  # counts: a class below exp(-10) counts as one of 1.5 counts, eleven of which are in an example; else 3
BATCHED = True


def look_up(table: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The table at an int16, linear in between."""
    table, at, x = table.astype(np.int64), (x.astype(np.int64) >> 7) + 256, x.astype(np.int64)
    return table[at] + (((table[at + 1] - table[at]) * (x & 127) + 64) >> 7)


def run(k, s, x):
    rows = x.reshape(-1, k.classes).astype(np.int64)
    e = look_up(k.exp, sat16(requant(rows - rows.max(axis=1, keepdims=True), k.multiplier, k.shift) + 32767))
    total = e.sum(axis=1, keepdims=True)
    zeros = 31 - msb(total)
    whole = ((total << (zeros - 1)) + (1 << 13)) >> 14
    scale = look_up(k.reciprocal, sat16(whole - 3 * (1 << 15)))
    return np.clip((e * scale + (np.int64(1) << (30 - zeros))) >> (31 - zeros), 0, 32767).astype(np.int16).reshape(x.shape)


def _signal(scale, *shape):
    return Signal(shape, "int16", Fraction(30), scale)


EXAMPLES = [
    (SoftmaxInt16(12), _signal(0.0004, 12)),
    (SoftmaxInt16(4, beta=2.5), _signal(0.00005, 3, 4)),
    (SoftmaxInt16(2), _signal(0.02, 2)),
    (SoftmaxInt16(300), _signal(0.00001, 300)),
    (SoftmaxInt16(1), _signal(0.001, 1)),
]
