"""TFLite TRANSPOSE_CONV, int8: each pixel of a small image spreads a kernel over a larger one.

    y[i, j, o] = clamp(requant(acc, multiplier[o], shift[o]) + y_zero)
    acc = bias[o] + sum over u, v, c of weight[o, u, v, c] * (x[r, s, c] - x_zero),   i = r * stride_y + u - pad_y, j alike

The kernel looks from y: taps u with (i + pad_y - u) a multiple of the stride and inside x.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/transpose_conv.h; tflite-micro, transpose_conv.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._shared import (
    Activation,
    accumulator,
    activate,
    clamp,
    multipliers,
    narrow,
    out_signal,
    read_activation,
    read_filter,
    read_padding,
    read_steps,
    windows,
)
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

PADDING, STRIDE_X, STRIDE_Y, ACTIVATION = range(4)  # slots of TransposeConvOptions


@dataclass(frozen=True, eq=False)
class TransposeConv:
    """x_shape is (height, width, channels), y_size (height, width); weight is [outputs, kernel height, kernel width, channels]."""

    x_shape: tuple[int, int, int]
    y_size: tuple[int, int]
    weight: np.ndarray
    bias: np.ndarray
    weight_scale: np.ndarray
    y_scale: float
    y_zero: int
    stride: tuple[int, int] = (1, 1)
    padding: str = "valid"
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> TransposeConv:
        x_shape, y_shape = operator.image(operator.flow(2)), operator.image(operator.y)
        weight, bias, scale = read_filter(operator, 0, bias_at=3)
        if weight.ndim != 4 or weight.shape[3] != x_shape[2] or len(weight) != y_shape[2]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {x_shape[2]} channels and {y_shape[2]} outputs")
        return cls(
            x_shape,
            y_shape[:2],
            weight,
            bias,
            scale,
            **out_signal(operator.y),
            stride=read_steps(operator, STRIDE_Y, STRIDE_X),
            padding=read_padding(operator, PADDING),
            activation=read_activation(operator, ACTIVATION),
        )

    def plan(self, x: Signal) -> Step:
        outputs, high, wide, channels = self.weight.shape
        taps = self.weight.transpose(1, 2, 0, 3)
        y = Signal((*self.y_size, outputs), "int8", x.rate_hz, self.y_scale, self.y_zero)
        accumulator(f"a transposed convolution to {y}", self.weight.reshape(outputs, -1), self.bias, x.zero)  # refuses what may overflow
        low, high_count = clamp(self.activation, self.y_scale, self.y_zero)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(
                **self.place(), channels=channels, outputs=outputs, y_zero=self.y_zero, low=low, high=high_count
            ),
            tables=dict(
                weight=taps,
                fold=(-(x.zero + 128) * taps.astype(np.int64).sum(axis=3)).astype(np.int32),
                bias=self.bias,
                **multipliers(np.broadcast_to(x.scale * self.weight_scale / self.y_scale, outputs)),
            ),
            scratch=dict(bytes=("uint8", x.size), acc=("int32", outputs)),
            cost=dict(mac8=x.size * outputs * high * wide, requant=y.size, mem=x.size + y.size),
            says=f"{high}x{wide} transposed convolution to {outputs} channels, stride {self.stride[0]}x{self.stride[1]}",
        )

    def place(self) -> dict[str, int]:
        """Where the kernel lies: its padding is that of the convolution from y to x."""
        outputs, high, wide, _ = self.weight.shape
        back = windows((*self.y_size, outputs), (high, wide), self.stride, (1, 1), self.padding)
        return dict(
            height=self.x_shape[0],
            width=self.x_shape[1],
            y_height=self.y_size[0],
            y_width=self.y_size[1],
            **{n: back[n] for n in ("kernel_height", "kernel_width", "stride_y", "stride_x", "pad_y", "pad_x")},
        )

    def ideal(self, x, blocks):
        """Each pixel spreads its kernel over a canvas that is larger than y; y is cut out of it."""
        image = blocks.reshape(-1, *self.x_shape)
        scale = np.broadcast_to(self.weight_scale, len(self.weight))
        weight = self.weight * scale[:, None, None, None]
        (high, wide), (pad_y, pad_x) = weight.shape[1:3], (self.place()["pad_y"], self.place()["pad_x"])
        shape = [max((n - 1) * step + k, y + pad) for n, step, k, y, pad in
                 zip(self.x_shape, self.stride, (high, wide), self.y_size, (pad_y, pad_x))]
        canvas = np.zeros((len(image), *shape, len(weight)))
        for r in range(self.x_shape[0]):
            for s in range(self.x_shape[1]):
                i, j = r * self.stride[0], s * self.stride[1]
                canvas[:, i : i + high, j : j + wide] += np.einsum("nc,ouvc->nuvo", image[:, r, s], weight)
        y = canvas[:, pad_y : pad_y + self.y_size[0], pad_x : pad_x + self.y_size[1]] + self.bias * scale * x[0].scale
        return activate(y, self.activation, self.y_scale, self.y_zero)


BOUND = 1.0  # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    image = x.reshape(len(x), k.height, k.width, k.channels) + 128.0  # sums stay below 2**53: exact
    acc = np.tile(k.bias.astype(np.int64), (len(x), k.y_height, k.y_width, 1))
    for u in range(k.kernel_height):
        for v in range(k.kernel_width):
            rows, columns = np.arange(k.height) * k.stride_y + u - k.pad_y, np.arange(k.width) * k.stride_x + v - k.pad_x
            r, c = (rows >= 0) & (rows < k.y_height), (columns >= 0) & (columns < k.y_width)
            tap = (image[:, r][:, :, c] @ k.weight[u, v].T.astype(np.float64)).astype(np.int64) + k.fold[u, v]
            acc[np.ix_(np.arange(len(x)), rows[r], columns[c])] += tap
    return narrow(k, acc)


def _example(x_shape, y_size, kernel, outputs, seed, *, x_zero=-7, per_channel=True, **options):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (outputs, *kernel, x_shape[2])).astype(np.int8)
    scale = rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 1e-2 / np.sqrt(weight[0].size)
    bias = rng.integers(-3000, 3001, outputs).astype(np.int32)
    return TransposeConv(x_shape, y_size, weight, bias, scale, 0.03, 4, **options), Signal(x_shape, "int8", Fraction(30), 0.05, x_zero)


EXAMPLES = [
    _example((4, 3, 5), (8, 6), (3, 3), 4, 0, stride=(2, 2), padding="same", activation="relu"),
    _example((3, 4, 2), (7, 7), (3, 2), 5, 1, stride=(2, 2), x_zero=-128, per_channel=False),
    _example((5, 1, 6), (15, 1), (4, 1), 3, 2, stride=(3, 1), padding="same", activation="relu6"),
    _example((3, 4, 2), (6, 8), (5, 4), 3, 3, stride=(2, 2), padding="same"),       # some of the first kernel lies outside
    _example((2, 3, 2), (7, 9), (2, 3), 2, 4, stride=(2, 2)),                       # places that no kernel reaches
]
