"""TFLite BATCH_MATMUL, int8: products of matrices, each of the two transposed or not, one of them for all batches or each for its own.

    y[n, i, j] = sat8(requant(sum over k of (a[n, i, k] - a_zero) * (b[n, k, j] - b_zero), multiplier, shift) + y_zero)
    multiplier * 2**(shift - 31) = a_scale * b_scale / y_scale,   the product of the scales in float32

A sum must fit 32 bits: k < 2**15.

Source: tensorflow/lite/kernels/internal/reference/batch_matmul.h; the scale from kernel_util.cc, GetQuantizedConvolutionMultipler.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._binary import read_constant
from tinystream.ops._shared import activate, in_parts, out_signal
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator, Tensor
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ADJ_X, ADJ_Y = 0, 1  # slots of BatchMatMulOptions
LONGEST = (1 << 15) - 1  # terms of a sum: 255 * 255 each


@dataclass(frozen=True, eq=False)
class BatchMatmul:
    """Shapes as [batches, rows, columns] of the file, batches 1 for a matrix that meets all of the other's; which are transposed."""

    a_shape: tuple[int, int, int]
    b_shape: tuple[int, int, int]
    y_scale: float
    y_zero: int
    adj_x: bool = False
    adj_y: bool = False

    @classmethod
    def read(cls, operator: Operator):
        """BatchMatmul for two tensors that flow, BatchMatmulConstant where one is a constant."""
        from tinystream.ops.batch_matmul_constant import BatchMatmulConstant  # which is built on this module

        x = [t for t in operator.inputs if t is not None]
        if len(x) != 2 or len(operator.flowing) < 1 or min(len(t.shape) for t in x) < 2:
            raise operator.refuse(f"multiplies {', '.join(map(str, x))}; two matrices are supported, one of them computed")
        told = cls(matrices_of(x[0]), matrices_of(x[1]), **out_signal(operator.y), adj_x=flag(operator, ADJ_X), adj_y=flag(operator, ADJ_Y))
        if told.a_terms != told.b_terms or not 1 <= told.a_terms <= LONGEST or prod(told.shape) != operator.y.size:
            raise operator.refuse(f"multiplies {list(x[0].shape)} by {list(x[1].shape)} to {list(operator.y.shape)}")
        constants = [i for i in (0, 1) if x[i].data is not None]
        return BatchMatmulConstant(told, read_constant(operator, x[constants[0]]), constants[0]) if constants else told

    @property
    def a_terms(self) -> int:
        return self.a_shape[1 if self.adj_x else 2]

    @property
    def b_terms(self) -> int:
        return self.b_shape[2 if self.adj_y else 1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """[batches, rows, columns] of y; 0 batches where those of a and b do not fit."""
        batches = {self.a_shape[0], self.b_shape[0]} - {1}
        rows, columns = self.a_shape[2 if self.adj_x else 1], self.b_shape[1 if self.adj_y else 2]
        return (0 if len(batches) > 1 else max(batches, default=1)), rows, columns

    def plan(self, a: Signal, b: Signal) -> Step:
        return matrix_step(__name__, self, (a, b), (a.scale, a.zero), (b.scale, b.zero))

    def ideal(self, x, a, b):
        y = np.matmul(*self.matrices(a, b))
        return activate(y, "none", self.y_scale, self.y_zero).reshape(len(y), *y_shape(self))

    def matrices(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[n, batches, rows, terms] and [n, batches, terms, columns]: views."""
        a, b = a.reshape(-1, *self.a_shape), b.reshape(-1, *self.b_shape)
        return (a.swapaxes(2, 3) if self.adj_x else a), (b.swapaxes(2, 3) if self.adj_y else b)


def matrices_of(t: Tensor) -> tuple[int, int, int]:
    return prod(t.shape[:-2]), t.shape[-2], t.shape[-1]


def flag(operator: Operator, slot: int) -> bool:
    return bool(operator.option(slot, 0, "b"))


def y_shape(told: BatchMatmul) -> tuple[int, ...]:
    return told.shape if told.shape[0] > 1 else told.shape[1:]


def matrix_step(module: str, told: BatchMatmul, x: tuple[Signal, ...], a: tuple[float, int], b: tuple[float, int], **more) -> Step:
    """The step of a product; a, b: scale and zero of both."""
    batches, rows, columns = told.shape
    # distances from one to the next, in values
    a_steps = (1, told.a_shape[2]) if told.adj_x else (told.a_shape[2], 1)
    b_steps = (1, told.b_shape[2]) if told.adj_y else (told.b_shape[2], 1)
    multiplier, shift = quantize_multiplier(float(np.float32(a[0]) * np.float32(b[0])) / told.y_scale)
    if shift > 0:
        raise ModelError("a product of matrices magnifies its sums", "convert the model again")
    return Step(
        module=module,
        x=x,
        y=Signal(y_shape(told), "int8", x[0].rate_hz, told.y_scale, told.y_zero),
        params=dict(
            batches=batches,
            rows=rows,
            columns=columns,
            terms=told.a_terms,
            a_batch=prod(told.a_shape[1:]) if told.a_shape[0] > 1 else 0,
            a_row=a_steps[0],
            a_term=a_steps[1],
            b_batch=prod(told.b_shape[1:]) if told.b_shape[0] > 1 else 0,
            b_term=b_steps[0],
            b_column=b_steps[1],
            a_zero=a[1],
            b_zero=b[1],
            y_zero=told.y_zero,
            multiplier=multiplier,
            shift=shift,
        ),
        sources=tuple(-1 - i for i in range(len(x))),
        scratch=dict(row=("int16", told.a_terms)),
        cost=dict(mac8=batches * rows * columns * told.a_terms, requant=batches * rows * columns, mem=2 * batches * rows * told.a_terms),
        says=f"{rows}x{told.a_terms} by {told.a_terms}x{columns}{f', {batches} times' if batches > 1 else ''}",
        **more,
    )


BOUND = 1.0  # counts: half from each of the two roundings, the first one a power of two finer
BATCHED = True


def run(k, s, a, b):
    return product(k, a, b)


def product(k, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The definition; a or b may be one block that meets all of the other's."""
    n = max(len(a), len(b))
    a, b = (np.broadcast_to(x.reshape(len(x), -1), (n, x[:1].size)) for x in (a, b))
    parts = []
    for at in in_parts(np.arange(n), k.batches * (k.rows + k.columns) * (k.terms + k.rows) * 8):
        left = strided(a[at], (k.batches, k.rows, k.terms), (k.a_batch, k.a_row, k.a_term))
        right = strided(b[at], (k.batches, k.terms, k.columns), (k.b_batch, k.b_term, k.b_column))
        acc = np.matmul(left - float(k.a_zero), right - float(k.b_zero)).astype(np.int64)  # sums below 2**31: exact in float64
        parts.append(sat8(requant(acc, k.multiplier, k.shift) + k.y_zero))
    y = np.concatenate(parts)
    return y if k.batches > 1 else y[:, 0]


def strided(x: np.ndarray, shape: tuple[int, int, int], steps: tuple[int, int, int]) -> np.ndarray:
    x = np.ascontiguousarray(x)
    return np.lib.stride_tricks.as_strided(x, (len(x), *shape), (x.strides[0], *steps), writeable=False)


def _signal(scale, zero, *shape):
    return Signal(shape, "int8", Fraction(30), scale, zero)


EXAMPLES = [
    (BatchMatmul((2, 5, 7), (2, 7, 3), 0.02, 9), _signal(0.01, -4, 2, 5, 7), _signal(0.02, -1, 2, 7, 3)),
    (BatchMatmul((3, 4, 6), (3, 5, 6), 0.1, -20, adj_y=True), _signal(0.004, -128, 3, 4, 6), _signal(0.2, 127, 3, 5, 6)),
    (BatchMatmul((1, 6, 4), (2, 6, 5), 0.03, 3, adj_x=True), _signal(0.01, 0, 1, 6, 4), _signal(0.02, 7, 2, 6, 5)),
    (BatchMatmul((2, 7, 1), (2, 4, 7), 0.004, 0, adj_x=True, adj_y=True), _signal(0.01, 11, 2, 7, 1), _signal(0.02, -7, 2, 4, 7)),
]
