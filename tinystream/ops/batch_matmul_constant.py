"""TFLite BATCH_MATMUL of a tensor and a constant, int8: ops/batch_matmul.py, with one of the two known at plan time.

Source: as ops/batch_matmul.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._binary import Constant
from tinystream.ops._shared import activate
from tinystream.ops.batch_matmul import BatchMatmul, matrix_step, product, y_shape
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class BatchMatmulConstant:
    """Shapes and output; the constant; which of the two it is.  read() is BatchMatmul's."""

    told: BatchMatmul
    constant: Constant
    place: int

    def plan(self, x: Signal) -> Step:
        both = [(x.scale, x.zero)] * 2
        both[self.place] = (self.constant.scale, self.constant.zero)
        step = matrix_step(__name__, self.told, (x,), *both, tables=dict(c=self.counts))
        step.params["constant_is_left"] = int(self.place == 0)
        return step

    @property
    def counts(self) -> np.ndarray:
        return (self.constant.values + self.constant.zero).astype(np.int8)

    def ideal(self, x, blocks):
        known = (self.constant.values * self.constant.scale)[None]
        y = np.matmul(*self.told.matrices(*((known, blocks) if self.place == 0 else (blocks, known))))
        return activate(y, "none", self.told.y_scale, self.told.y_zero).reshape(len(blocks), *y_shape(self.told))


BOUND = 1.0  # as ops/batch_matmul.py
BATCHED = True


def run(k, s, x):
    return product(k, k.c[None], x) if k.constant_is_left else product(k, x, k.c[None])


def _example(place, a_shape, b_shape, **options):
    shape = (a_shape, b_shape)[place]
    values = np.random.default_rng(place).integers(-128, 128, shape).ravel() - 20
    x_shape = (a_shape, b_shape)[1 - place]
    told = BatchMatmul(a_shape, b_shape, 0.05, -3, **options)
    return BatchMatmulConstant(told, Constant(values, 0.01, 20), place), Signal(x_shape, "int8", Fraction(30), 0.03, -18)


EXAMPLES = [
    _example(0, (1, 4, 6), (3, 6, 5)),
    _example(1, (2, 4, 6), (1, 3, 6), adj_y=True),
    _example(1, (2, 6, 3), (2, 6, 4), adj_x=True),
]
