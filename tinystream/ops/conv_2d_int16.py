"""TFLite CONV_2D, int16 with int8 weights: a window slides over an image, each output channel has its own weights.

    y[i, j, o] = narrow(bias[o] + sum_{u, v, c} weight[o, u, v, c] * x[i * stride_y - pad_y + u * dilation_y,
                 j * stride_x - pad_x + v * dilation_x, c])

Outside the image x is 0.  narrow() is told in ops/_int16.py: by 64 bits where the biases are int64, by 32 where they are int32.
multiplier * 2**(shift - 31) is x_scale * weight_scale[o] / y_scale.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/conv.h, ConvPerChannel for int16; tflite-micro, conv.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from tinystream.ops._int16 import LAYER_BOUND, activate16, clamp16, layer_tables, narrow16, read_filter16, signal16
from tinystream.ops._shared import Activation, in_parts, slide, windows
from tinystream.ops.conv_2d import read_placing
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Conv2dInt16:
    """As Conv2d, but that no zero is anything but 0; bias is int64, or int32."""

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
    def read(cls, operator: Operator) -> Conv2dInt16:
        x_shape = operator.image(operator.flow())
        weight, bias, scale = read_filter16(operator, 0)
        if weight.ndim != 4 or weight.shape[3] != x_shape[2]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {x_shape[2]} channels", "grouped convolutions are not supported")
        return cls(
            x_shape,
            weight,
            bias,
            scale,
            operator.y.scale,
            **read_placing(operator),
        )

    def plan(self, x: Signal) -> Step:
        outputs, rows, place = len(self.weight), self.weight.reshape(len(self.weight), -1), self.place()
        y = signal16((place["y_height"], place["y_width"], outputs), x, self.y_scale)
        wide, tables = layer_tables(f"a convolution to {y}", rows, self.bias, x.scale * self.weight_scale / self.y_scale)
        low, high = clamp16(self.activation, self.y_scale)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(**place, outputs=outputs, **wide, low=low, high=high),
            tables=dict(weight=rows, **tables),
            scratch=dict(patch=("int16", rows.shape[1]), acc=("int64", outputs)),
            cost=dict(mac8=y.size * rows.shape[1], requant=y.size, mem=2 * y.size // outputs * rows.shape[1]),
            says="{}x{} convolution to {} channels, {}, stride {}x{}".format(*self.weight.shape[1:3], outputs, self.padding, *self.stride),
        )

    def place(self) -> dict[str, int]:
        """Params of the windows."""
        _, height, width, _ = self.weight.shape
        return windows(self.x_shape, (height, width), self.stride, self.dilation, self.padding)

    def ideal(self, x, blocks):
        scale = np.broadcast_to(self.weight_scale, len(self.weight))
        taps = slide(SimpleNamespace(**self.place()), blocks.reshape(-1, *self.x_shape), 0.0)
        y = np.einsum("nijuvc,ouvc->nijo", taps, self.weight * scale[:, None, None, None]) + self.bias * scale * x[0].scale
        return activate16(y, self.activation, self.y_scale)


BOUND = LAYER_BOUND
BATCHED = True


def run(k, s, x):
    weight = k.weight.T.astype(np.float64)  # sums stay below 2**48: exact
    parts = []
    for part in in_parts(x, k.y_height * k.y_width * (len(weight) * 8 + k.outputs * 24)):
        patches = slide(k, part.astype(np.float64), 0).reshape(len(part), k.y_height, k.y_width, -1)
        parts.append(narrow16(k, k.bias + (patches @ weight).astype(np.int64)))
    return np.concatenate(parts)


def _example(x_shape, kernel, outputs, seed, *, bias_type=np.int64, per_channel=True, most=127, bias=800000, y_scale=0.0003, **options):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-most, most + 1, (outputs, *kernel, x_shape[2])).astype(np.int8)
    scale = rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 5e-3 / np.sqrt(weight[0].size)
    biases = rng.integers(-bias, bias + 1, outputs).astype(bias_type)
    return Conv2dInt16(x_shape, weight, biases, scale, y_scale, **options), Signal(x_shape, "int16", Fraction(30), 0.0003)


EXAMPLES = [
    _example((11, 1, 5), (5, 1), 6, 0, stride=(3, 1), activation="relu"),
    _example((6, 7, 3), (3, 3), 5, 1, padding="same", stride=(2, 2), activation="relu6"),
    _example((7, 6, 2), (2, 3), 4, 2, padding="same", dilation=(2, 2), per_channel=False),
    _example((3, 5, 8), (1, 1), 3, 3, y_scale=0.000004, activation="relu_n1_to_1"),
    _example((6, 7, 3), (3, 2), 5, 4, padding="same", bias_type=np.int32),
    _example((3, 5, 8), (1, 1), 4, 5, bias_type=np.int32, y_scale=0.000004),
    _example((4, 2, 200), (3, 2), 3, 6),
    _example((2, 2, 2), (2, 1), 3, 7, y_scale=1e-7),                # sums are magnified
    _example((2, 2, 2), (2, 1), 3, 8, y_scale=5e-7, bias_type=np.int32, most=1, bias=9),
]
