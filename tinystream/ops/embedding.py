"""TFLite GATHER of a constant with computed places: rows of a table by number, as a model of words begins.

    y[o, m, :] = table[o, places[m], :]

A place below 0 is counted from the end, and one outside of the table is its nearest end; TFLM does not check them, TFLite
refuses them.

Source: as ops/gather_computed.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tinystream.ops.gather_computed import inputs as inputs_of_two
from tinystream.ops.gather_computed import nearest, read_rows, row_shape, rows_step
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Embedding:
    """table is [outer][n][inner], as counts; what a count of it is worth."""

    table: np.ndarray
    scale: float
    zero: int

    @classmethod
    def read(cls, operator: Operator) -> Embedding:
        table = operator.inputs[0]
        if table is None or table.data is None or not table.quantised:
            raise operator.refuse(f"has the table {table}; int8 with one scale is supported")
        return cls(table.data.reshape(read_rows(operator, table)), table.scale, table.zero)

    def plan(self, places: Signal) -> Step:
        rows = Signal(self.span, str(self.table.dtype), places.rate_hz, self.scale, self.zero)
        return rows_step(__name__, self.span, (places,), rows, places, tables=dict(table=self.table))

    @property
    def span(self) -> tuple[int, int, int]:
        outer, n, inner = self.table.shape
        return outer, n, inner

    def ideal(self, x, places):
        at = nearest(places, self.span[1]).astype(np.int64)
        real = (self.table.astype(np.float64) - self.zero) * self.scale
        return np.stack([real[:, i] for i in at]).reshape(len(at), *row_shape(self.span, at.shape[1]))


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, places):
    at = nearest(places, k.n)
    y = k.table[:, at].swapaxes(0, 1)
    return y.reshape(len(at), *([n for n in y.shape[1:] if n > 1] or [1]))


def inputs(x, rng, count):
    """As of GATHER_COMPUTED, without the tensor that is a constant here."""
    return inputs_of_two((replace(x[0], shape=(1,), dtype="int8"), x[0]), rng, count)[1:]


def _example(shape, count, dtype="int32"):
    table = np.random.default_rng(shape[1]).integers(-128, 128, shape).astype(np.int8)
    return Embedding(table, 0.02, 5), Signal((count,), dtype, Fraction(30))


EXAMPLES = [_example((1, 7, 5), 6), _example((2, 6, 1), 3, "int64"), _example((1, 5, 3), 1)]
