"""TFLite DEPTHWISE_CONV_2D, int16 with int8 weights: every channel has its own window; each gives `multiplier` output channels.

    y[i, j, o] = narrow(bias[o] + sum_{u, v} weight[u, v, o] * x[i * stride_y - pad_y + u * dilation_y,
                 j * stride_x - pad_x + v * dilation_x, o / each])

with `each` output channels to an input channel.  Outside the image x is 0.  narrow() is told in ops/_int16.py; by 64 bits, biases
are int64.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/depthwise_conv.h, DepthwiseConvPerChannel for int16.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._int16 import LAYER_BOUND, activate16, clamp16, layer_tables, narrow16, read_filter16, signal16
from tinystream.ops._shared import Activation, in_parts, slide, windows
from tinystream.ops.depthwise_conv_2d import read_placing
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

MOST_TAPS = 511  # 32 bits hold so many products of 23 bits


@dataclass(frozen=True, eq=False)
class DepthwiseConv2dInt16:
    """As DepthwiseConv2d, but that no zero is anything but 0; bias is int64."""

    x_shape: tuple[int, int, int]
    weight: np.ndarray
    bias: np.ndarray
    weight_scale: np.ndarray
    y_scale: float
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "valid"
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> DepthwiseConv2dInt16:
        x_shape = operator.image(operator.flow())
        weight, bias, scale = read_filter16(operator, -1)
        if weight.ndim != 4 or weight.shape[0] != 1 or not x_shape[2] or weight.shape[3] % x_shape[2]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {x_shape[2]} channels")
        return cls(
            x_shape,
            weight[0],
            bias,
            scale,
            operator.y.scale,
            **read_placing(operator),
        )

    def plan(self, x: Signal) -> Step:
        outputs, place = self.weight.shape[2], self.place()
        columns = self.weight.reshape(-1, outputs)
        if len(columns) > MOST_TAPS:
            raise ModelError(f"a depthwise window of {len(columns)} taps; {MOST_TAPS} at most on int16", "a smaller window")
        y = signal16((place["y_height"], place["y_width"], outputs), x, self.y_scale)
        _, tables = layer_tables(f"a depthwise convolution to {y}", columns.T, self.bias, x.scale * self.weight_scale / self.y_scale)
        low, high = clamp16(self.activation, self.y_scale)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(**place, each=outputs // self.x_shape[2], wide=1, low=low, high=high),
            tables=dict(weight=columns, **tables),
            scratch=dict(acc=("int32", outputs)),
            cost=dict(mac8=y.size * len(columns), requant=y.size, mem=2 * y.size * len(columns)),
            says=f"{self.weight.shape[0]}x{self.weight.shape[1]} depthwise convolution to {outputs} channels, {self.padding}, "
            f"stride {'x'.join(map(str, self.stride))}",
        )

    def place(self) -> dict[str, int]:
        """Params of the windows."""
        height, width, _ = self.weight.shape
        return windows(self.x_shape, (height, width), self.stride, self.dilation, self.padding)

    def ideal(self, x, blocks):
        taps = slide(SimpleNamespace(**self.place()), blocks.reshape(-1, *self.x_shape), 0.0)
        taps = np.repeat(taps, self.weight.shape[2] // self.x_shape[2], axis=-1)
        y = np.einsum("nijuvo,uvo->nijo", taps, self.weight * self.weight_scale) + self.bias * self.weight_scale * x[0].scale
        return activate16(y, self.activation, self.y_scale)


BOUND = LAYER_BOUND
BATCHED = True


def run(k, s, x):
    weight = k.weight.reshape(k.kernel_height, k.kernel_width, -1).astype(np.int64)
    parts = []
    for part in in_parts(x, k.y_height * k.y_width * k.channels * k.each * 32):
        taps = slide(k, part.astype(np.int64), 0)
        acc = np.tile(k.bias, (len(part), k.y_height, k.y_width, 1))
        for u in range(k.kernel_height):
            for v in range(k.kernel_width):
                acc += np.repeat(taps[:, :, :, u, v], k.each, axis=-1) * weight[u, v]
        parts.append(narrow16(k, acc))
    return np.concatenate(parts)


def _example(x_shape, kernel, each, seed, *, per_channel=True, y_scale=0.0003, **options):
    rng = np.random.default_rng(seed)
    outputs = x_shape[2] * each
    weight = rng.integers(-127, 128, (*kernel, outputs)).astype(np.int8)
    scale = rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 5e-3 / np.sqrt(kernel[0] * kernel[1])
    layer = DepthwiseConv2dInt16(x_shape, weight, rng.integers(-800000, 800000, outputs), scale, y_scale, **options)
    return layer, Signal(x_shape, "int16", Fraction(30), 0.0003)


EXAMPLES = [
    _example((14, 1, 19), (5, 1), 1, 0, activation="relu"),
    _example((6, 7, 3), (3, 3), 1, 1, padding="same", stride=(2, 2), activation="relu6"),
    _example((7, 6, 2), (2, 3), 3, 2, padding="same", dilation=(2, 2), per_channel=False),
    _example((9, 8, 1), (4, 3), 5, 3, stride=(2, 1)),
    _example((5, 3, 4), (2, 1), 1, 4, padding="same", activation="relu_n1_to_1", y_scale=0.000004),
    _example((3, 5, 4), (1, 2), 1, 5, padding="same", stride=(1, 2)),
]
