"""TFLite TRANSPOSE_CONV, int16 with int8 weights: each pixel of a small image spreads a kernel over a larger one.

    y[i, j, o] = narrow(bias[o] + sum over u, v, c of weight[o, u, v, c] * x[r, s, c]),   i = r * stride_y + u - pad_y, j alike

The kernel looks from y: taps u with (i + pad_y - u) a multiple of the stride and inside x.  narrow() is told in ops/_int16.py; by
64 bits, biases are int64.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/transpose_conv.h; tflite-micro, transpose_conv.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._int16 import LAYER_BOUND, activate16, clamp16, layer_tables, narrow16, read_filter16, signal16
from tinystream.ops._shared import Activation, read_activation, read_padding, read_steps, windows
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

PADDING, STRIDE_X, STRIDE_Y, ACTIVATION = range(4)  # slots of TransposeConvOptions


@dataclass(frozen=True, eq=False)
class TransposeConvInt16:
    """As TransposeConv, but that no zero is anything but 0; bias is int64."""

    x_shape: tuple[int, int, int]
    y_size: tuple[int, int]
    weight: np.ndarray
    bias: np.ndarray
    weight_scale: np.ndarray
    y_scale: float
    stride: tuple[int, int] = (1, 1)
    padding: str = "valid"
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> TransposeConvInt16:
        x_shape, y_shape = operator.image(operator.flow(2)), operator.image(operator.y)
        weight, bias, scale = read_filter16(operator, 0, bias_at=3)
        if weight.ndim != 4 or weight.shape[3] != x_shape[2] or len(weight) != y_shape[2]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {x_shape[2]} channels and {y_shape[2]} outputs")
        return cls(
            x_shape,
            y_shape[:2],
            weight,
            bias,
            scale,
            operator.y.scale,
            stride=read_steps(operator, STRIDE_Y, STRIDE_X),
            padding=read_padding(operator, PADDING),
            activation=read_activation(operator, ACTIVATION),
        )

    def plan(self, x: Signal) -> Step:
        outputs, high, wide, channels = self.weight.shape
        y = signal16((*self.y_size, outputs), x, self.y_scale)
        rows = self.weight.reshape(outputs, -1)
        told, tables = layer_tables(f"a transposed convolution to {y}", rows, self.bias, x.scale * self.weight_scale / self.y_scale)
        low, high_count = clamp16(self.activation, self.y_scale)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(**self.place(), channels=channels, outputs=outputs, **told, low=low, high=high_count),
            tables=dict(weight=self.weight.transpose(1, 2, 0, 3), **tables),
            scratch=dict(acc=("int64", outputs)),
            cost=dict(mac8=x.size * outputs * high * wide, requant=y.size, mem=2 * (x.size + y.size)),
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
        image, place = blocks.reshape(-1, *self.x_shape), self.place()
        scale = np.broadcast_to(self.weight_scale, len(self.weight))
        weight = self.weight * scale[:, None, None, None]
        kernel, pad = weight.shape[1:3], (place["pad_y"], place["pad_x"])
        shape = [max((n - 1) * step + w, y + p) for n, step, w, y, p in zip(self.x_shape, self.stride, kernel, self.y_size, pad)]
        canvas = np.zeros((len(image), *shape, len(weight)))
        for r in range(self.x_shape[0]):
            for s in range(self.x_shape[1]):
                i, j = r * self.stride[0], s * self.stride[1]
                canvas[:, i : i + kernel[0], j : j + kernel[1]] += np.einsum("nc,ouvc->nuvo", image[:, r, s], weight)
        y = canvas[:, pad[0] : pad[0] + self.y_size[0], pad[1] : pad[1] + self.y_size[1]] + self.bias * scale * x[0].scale
        return activate16(y, self.activation, self.y_scale)


BOUND = LAYER_BOUND
BATCHED = True


def run(k, s, x):
    image = x.reshape(len(x), k.height, k.width, k.channels).astype(np.float64)  # sums stay below 2**48: exact
    acc = np.tile(k.bias, (len(x), k.y_height, k.y_width, 1))
    for u in range(k.kernel_height):
        for v in range(k.kernel_width):
            rows, columns = np.arange(k.height) * k.stride_y + u - k.pad_y, np.arange(k.width) * k.stride_x + v - k.pad_x
            r, c = (rows >= 0) & (rows < k.y_height), (columns >= 0) & (columns < k.y_width)
            tap = (image[:, r][:, :, c] @ k.weight[u, v].T.astype(np.float64)).astype(np.int64)
            acc[np.ix_(np.arange(len(x)), rows[r], columns[c])] += tap
    return narrow16(k, acc)


def _example(x_shape, y_size, kernel, outputs, seed, *, per_channel=True, y_scale=0.0003, **options):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (outputs, *kernel, x_shape[2])).astype(np.int8)
    scale = rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 5e-3 / np.sqrt(weight[0].size)
    bias = rng.integers(-800000, 800001, outputs)
    return TransposeConvInt16(x_shape, y_size, weight, bias, scale, y_scale, **options), Signal(x_shape, "int16", Fraction(30), 0.0003)


EXAMPLES = [
    _example((4, 3, 5), (8, 6), (3, 3), 4, 0, stride=(2, 2), padding="same", activation="relu"),
    _example((3, 4, 2), (7, 7), (3, 2), 5, 1, stride=(2, 2), per_channel=False),
    _example((5, 1, 6), (15, 1), (4, 1), 3, 2, stride=(3, 1), padding="same", activation="relu6"),
    _example((3, 4, 2), (6, 8), (5, 4), 3, 3, stride=(2, 2), padding="same", activation="relu_n1_to_1", y_scale=0.000004),
    _example((2, 3, 2), (7, 9), (2, 3), 2, 4, stride=(2, 2)),                       # places that no kernel reaches
]
