"""TFLite GATHER with constant places and MIRROR_PAD, of any type: of each axis some places, in an order, also several times.

    y[i, j, …] = x[places0[i], places1[j], …]

MIRROR_PAD continues an axis with its mirror image, with its border (SYMMETRIC) or without (REFLECT).  Axes of length 1 are left out,
and neighbours that are taken whole are one axis; three remain, and what lies together behind them.

Source: tensorflow/lite/kernels/internal/reference/gather.h; tflite-micro, gather.cc, mirror_pad.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

AXIS, BATCH_DIMS = 0, 1  # slots of GatherOptions
MODE = 0  # slot of MirrorPadOptions: 0 is REFLECT
MOST_AXES = 3


@dataclass(frozen=True, eq=False)
class Gather:
    """x_shape, with the batch or without; of each of its axes the places that are taken, in their order."""

    x_shape: tuple[int, ...]
    places: tuple[np.ndarray, ...]

    @classmethod
    def read(cls, operator: Operator):
        """Gather for constant places, GatherComputed and Embedding for computed ones."""
        from tinystream.ops.embedding import Embedding
        from tinystream.ops.gather_computed import GatherComputed

        if operator.kind == "gather" and len(operator.inputs) == 2 and operator.inputs[1] in operator.flowing:
            return Embedding.read(operator) if operator.inputs[0] not in operator.flowing else GatherComputed.read(operator)
        x = operator.flow()
        if not same_scale(x, operator.y):
            raise operator.refuse("changes the scale", "convert the model again")
        places = mirrored(operator, x.shape) if operator.kind == "mirror_pad" else gathered(operator, x.shape)
        if any(not p.size or p.min() < 0 or p.max() >= n for p, n in zip(places, x.shape)):
            raise operator.refuse(f"takes nothing, or what lies outside of {list(x.shape)}")
        return cls(x.shape, places)

    def plan(self, x: Signal) -> Step:
        axes, together = self.merged()
        if len(axes) > MOST_AXES:
            raise ModelError(f"places of {len(axes)} axes of {list(self.x_shape)} are chosen; {MOST_AXES} at most", "reshape before it")
        told = [np.zeros(1, np.int64)] * (MOST_AXES - len(axes)) + axes
        width = np.dtype(x.dtype).itemsize
        y = Signal(self.shape, x.dtype, x.rate_hz, x.scale, x.zero)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(bytes=together * width) | {f"size{n}": len(at) for n, at in enumerate(told)},
            tables={f"at{n}": (at * width).astype(np.int32) for n, at in enumerate(told)},
            cost=dict(mem=2 * y.size),
            says=f"{'x'.join(map(str, self.shape))} chosen of {'x'.join(map(str, self.x_shape))}",
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of y, without axes of length 1."""
        axes, together = self.merged()
        return tuple(n for n in (*map(len, axes), together) if n > 1) or (1,)

    def merged(self) -> tuple[list[np.ndarray], int]:
        """Where in x the values of each axis begin, outermost first; and how many lie together behind them."""
        merged: list[tuple[int, np.ndarray]] = []  # (length in x, places)
        for n, at in zip(self.x_shape, self.places):
            if n == 1 and len(at) == 1:
                continue
            if merged and is_whole(n, at) and is_whole(*merged[-1]):
                merged[-1] = merged[-1][0] * n, np.arange(merged[-1][0] * n)
            else:
                merged.append((n, at))
        together = merged.pop()[0] if merged and is_whole(*merged[-1]) else 1
        distances = [together * prod(n for n, _ in merged[i + 1 :]) for i in range(len(merged))]
        return [at * distance for (_, at), distance in zip(merged, distances)], together

    def ideal(self, x, blocks):
        y = blocks.reshape(len(blocks), *self.x_shape)[np.ix_(np.arange(len(blocks)), *self.places)]
        return y.reshape(len(blocks), *self.shape)


def is_whole(n: int, at: np.ndarray) -> bool:
    return n == len(at) and bool((at == np.arange(n)).all())


def gathered(operator: Operator, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    tensor = operator.inputs[1] if len(operator.inputs) > 1 else None
    if tensor is None or tensor.data is None or not tensor.counts:
        raise operator.refuse("has no places of int32 or int64")
    axis = gather_axis(operator, shape)
    return tuple(tensor.data.ravel().astype(np.int64) if n == axis else np.arange(size) for n, size in enumerate(shape))


def gather_axis(operator: Operator, shape: tuple[int, ...]) -> int:
    axis = operator.option(AXIS)
    if not -len(shape) <= axis < len(shape):
        raise operator.refuse(f"has axis {axis} of {len(shape)}")
    if prod(shape[: operator.option(BATCH_DIMS)]) != 1:
        raise operator.refuse("has other places for each batch; the same for all are supported")
    return axis % len(shape)


def mirrored(operator: Operator, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    tensor = operator.inputs[1] if len(operator.inputs) > 1 else None
    if tensor is None or tensor.data is None or tensor.size != 2 * len(shape):
        raise operator.refuse(f"has no two paddings for each of {len(shape)} axes")
    border = int(operator.option(MODE, 0, "b") == 0)  # how many values the mirror image leaves out
    pads = tensor.data.reshape(-1, 2).tolist()
    if any(not 0 <= pad <= n - border for n, pair in zip(shape, pads) for pad in pair):
        raise operator.refuse(f"pads {list(shape)} by {pads}, further than its mirror image reaches", "pad less")
    return tuple(mirror(n, before, behind, border) for n, (before, behind) in zip(shape, pads))


def mirror(n: int, before: int, behind: int, border: int) -> np.ndarray:
    left = np.arange(before + border - 1, border - 1, -1)
    right = np.arange(n - 1 - border, n - 1 - border - behind, -1)
    return np.concatenate([left, np.arange(n), right])


BOUND = 1e-9  # counts: values only move
ANY_TYPE = True
BATCHED = True


def run(k, s, x):
    flat = np.ascontiguousarray(x).reshape(len(x), -1)
    starts = np.add.outer(np.add.outer(k.at0, k.at1), k.at2) // x.itemsize
    at = starts[..., None] + np.arange(k.bytes // x.itemsize)
    return flat[:, at.ravel()].reshape(len(x), *([n for n in at.shape if n > 1] or [1]))


def _example(x_shape, *places, dtype="int8"):
    at = tuple(np.arange(n) if p is None else np.array(p) for n, p in zip(x_shape, places))
    return Gather(x_shape, at), Signal(x_shape, dtype, Fraction(30), 0.0625, -7 if dtype == "int8" else 0)


EXAMPLES = [
    _example((1, 6, 8), None, (3, 1, 1, 5), None),
    _example((5, 4), None, (2, 0, 3, 3, 1)),
    _example((4, 5, 3), mirror(4, 2, 1, 1), mirror(5, 0, 3, 1), None),
    _example((3, 4, 2), mirror(3, 3, 2, 0), mirror(4, 1, 4, 0), mirror(2, 2, 1, 0)),
    _example((3, 4, 2), None, (2, 0), None, dtype="int16"),
    _example((7,), (6, 0), dtype="int32"),
]
