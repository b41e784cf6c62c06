"""TFLite SOFTMAX from int8 to int16, over the last axis, at scale 2**-16, zero -32768.

    y[i] = sat16(rounding_divide(srdhm(scale, e[i]), over + 15) - 32768)

All else as in ops/softmax.py: the exponentials are those of int8, the quotient has 16 bits.

Source: as ops/softmax.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tinystream.ops.softmax import Softmax, quotients
from tinystream.plan.fixed import sat16
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

Y_SCALE = 2.0**-16


@dataclass(frozen=True, eq=False)
class SoftmaxWide:
    """The softmax of int8 that it is.  read() is Softmax's."""

    of: Softmax

    def plan(self, x: Signal) -> Step:
        narrow = self.of.plan(x)
        return replace(narrow, module=__name__, y=Signal(x.shape, "int16", x.rate_hz, Y_SCALE, -32768), inplace=False)

    def ideal(self, x, blocks):
        rows = blocks.reshape(-1, self.of.classes)
        e = np.exp(self.of.beta * (rows - rows.max(axis=1, keepdims=True)))
        return np.minimum(e / e.sum(axis=1, keepdims=True), 65535 * Y_SCALE).reshape(blocks.shape)


BOUND = 0.6  # counts: half from rounding, the rest gemmlowp's exp and reciprocal
BATCHED = True


def run(k, s, x):
    return sat16(quotients(k, x, 16) - 32768).reshape(x.shape)


EXAMPLES = [
    (SoftmaxWide(Softmax(12)), Signal((12,), "int8", Fraction(30), 0.15, 20)),
    (SoftmaxWide(Softmax(4, beta=2.5)), Signal((3, 4), "int8", Fraction(30), 0.05, -128)),
    (SoftmaxWide(Softmax(2)), Signal((2,), "int8", Fraction(30), 3.0, 0)),
    (SoftmaxWide(Softmax(300)), Signal((300,), "int8", Fraction(30), 0.001, 0)),
]
