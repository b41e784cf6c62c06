"""TFLite CONCATENATION and PACK of a tensor and a constant, of any type: ops/concatenation.py, with one of the two known at plan time.

    y[row] = c[row], x[row],  or x[row], c[row]

Source: as ops/concatenation.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class ConcatenationConstant:
    """The constant, [rows, width]; whether it stands left.  read() is Concatenation's."""

    constant: np.ndarray
    left: bool

    def plan(self, x: Signal) -> Step:
        return beside_constant(len(self.constant), x, self.constant, self.left, -1)

    def ideal(self, x, blocks):
        rows = blocks.reshape(len(blocks), len(self.constant), -1)
        c = np.broadcast_to(x[0].real(self.constant), (len(blocks), *self.constant.shape))
        return np.concatenate([c, rows] if self.left else [rows, c], axis=2).reshape(len(blocks), *self.plan(*x).y.shape)


def beside_constant(rows: int, x: Signal, constant: np.ndarray, left: bool, source: int) -> Step:
    """The step that puts a constant beside x."""
    given = x.size // rows
    width, bytes_each = given + constant.shape[1], np.dtype(x.dtype).itemsize
    y = Signal((rows, width) if rows > 1 else (width,), x.dtype, x.rate_hz, x.scale, x.zero)
    return Step(
        module=__name__,
        x=(x,),
        y=y,
        params=dict(rows=rows, x_bytes=given * bytes_each, c_bytes=constant.shape[1] * bytes_each, left=int(left)),
        tables=dict(c=np.ascontiguousarray(constant).astype(x.dtype).view(np.uint8).ravel()),
        sources=(source,),
        cost=dict(mem=2 * y.size),
        says="a constant on the left" if left else "a constant on the right",
    )


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x):
    rows = x.reshape(len(x), k.rows, -1)
    c = np.broadcast_to(k.c.view(x.dtype).reshape(k.rows, -1), (len(x), k.rows, k.c_bytes // x.itemsize))
    y = np.concatenate([c, rows] if k.left else [rows, c], axis=2)
    return y if k.rows > 1 else y[:, 0]


def _example(rows, given, width, left, dtype="int8"):
    constant = np.random.default_rng(width).integers(-128, 128, (rows, width)).astype(dtype)
    return ConcatenationConstant(constant, left), Signal((rows, given), dtype, Fraction(30), 0.0625, -7 if dtype == "int8" else 0)


EXAMPLES = [_example(1, 6, 4, True), _example(3, 5, 2, False), _example(4, 1, 3, True, "int16")]
