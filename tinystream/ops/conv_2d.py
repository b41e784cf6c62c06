"""TFLite CONV_2D, int8: a window slides over an image, each output channel has its own weights.

    y[i, j, o] = clamp(requant(bias[o] + sum_{u, v, c} weight[o, u, v, c] * (x[i * stride_y - pad_y + u * dilation_y,
                 j * stride_x - pad_x + v * dilation_x, c] - x_zero), multiplier[o], shift[o]) + y_zero)

Outside the image x is x_zero.  The bias table is that of inputs counted from -128, 0 .. 255, where nothing needs to be
subtracted for each product: bias[o] - sum(weight[o]) * (x_zero + 128).  No sum leaves int32, checked for every channel.
multiplier * 2**(shift - 31) is x_scale * weight_scale[o] / y_scale.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/conv.h, ConvPerChannel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tinystream.ops._shared import (
    Activation,
    accumulator,
    activate,
    clamp,
    fits_pairs,
    gap,
    gathered,
    in_groups,
    in_parts,
    multipliers,
    narrow,
    out_signal,
    padded,
    read_activation,
    read_filter,
    read_padding,
    read_steps,
    slide,
    windows,
)
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

PADDING, STRIDE_X, STRIDE_Y, ACTIVATION, DILATION_X, DILATION_Y = range(6)  # slots of Conv2DOptions


@dataclass(frozen=True, eq=False)
class Conv2d:
    """x_shape is (height, width, channels), weight is [outputs, kernel height, kernel width, channels]; pairs are (y, x)."""

    x_shape: tuple[int, int, int]
    weight: np.ndarray
    bias: np.ndarray
    weight_scale: np.ndarray
    y_scale: float
    y_zero: int
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "valid"
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> Conv2d:
        x_shape = operator.image(operator.flow())
        weight, bias, scale = read_filter(operator, 0)
        if weight.ndim != 4 or weight.shape[3] != x_shape[2]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {x_shape[2]} channels", "grouped convolutions are not supported")
        return cls(
            x_shape,
            weight,
            bias,
            scale,
            **out_signal(operator.y),
            **read_placing(operator),
        )

    def plan(self, x: Signal) -> Step:
        outputs, height, width, _ = self.weight.shape
        rows = self.weight.reshape(outputs, -1)
        place = windows(self.x_shape, (height, width), self.stride, self.dilation, self.padding)
        y = Signal((place["y_height"], place["y_width"], outputs), "int8", x.rate_hz, self.y_scale, self.y_zero)
        low, high = clamp(self.activation, self.y_scale, self.y_zero)
        pixels, pairs = y.size // outputs, fits_pairs(rows)
        words = rows.shape[1] if pairs and pixels > 1 else -(-rows.shape[1] * min(pixels, 2) // 4)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(
                **place,
                outputs=outputs,
                gathered=int(gathered(place)),
                pairs=int(pairs),
                x_zero=x.zero,
                y_zero=self.y_zero,
                low=low,
                high=high,
            ),
            tables=dict(
                weight=rows,
                bias=accumulator(f"a convolution to {y}", rows, self.bias, x.zero),
                **multipliers(np.broadcast_to(x.scale * self.weight_scale / self.y_scale, outputs)),
            ),
            scratch=dict(patch=("int32", words), rows=("int8", rows_of_two(place))),
            gap=gap(place, outputs, 2),
            cost=dict(mac8=pixels * rows.size, requant=y.size, mem=pixels * rows.shape[1]),
            says="{}x{} convolution to {} channels, {}, stride {}x{}".format(*self.weight.shape[1:3], outputs, self.padding, *self.stride),
        )

    def ideal(self, x, blocks):
        """The definition, a window tap at a time, in real numbers."""
        image = blocks.reshape(-1, *self.x_shape)
        place = self.plan(*x).params
        scale = np.broadcast_to(self.weight_scale, len(self.weight))
        weight = self.weight * scale[:, None, None, None]
        y = np.tile(self.bias * scale * x[0].scale, (len(image), place["y_height"], place["y_width"], 1))
        for i in range(place["y_height"]):
            for j in range(place["y_width"]):
                for u in range(weight.shape[1]):
                    for v in range(weight.shape[2]):
                        row = i * self.stride[0] - place["pad_y"] + u * self.dilation[0]
                        column = j * self.stride[1] - place["pad_x"] + v * self.dilation[1]
                        if 0 <= row < self.x_shape[0] and 0 <= column < self.x_shape[1]:
                            y[:, i, j] += image[:, row, column] @ weight[:, u, v].T
        return activate(y, self.activation, self.y_scale, self.y_zero)


def read_placing(operator: Operator) -> dict[str, Any]:
    """What the options say, of the int16 operator, too: where the windows lie, and the activation."""
    return dict(
        stride=read_steps(operator, STRIDE_Y, STRIDE_X),
        dilation=read_steps(operator, DILATION_Y, DILATION_X),
        padding=read_padding(operator, PADDING),
        activation=read_activation(operator, ACTIVATION),
    )


BOUND = 1.0  # counts: half from each of the two roundings, the first one a power of two finer
BATCHED = True
IN_GROUPS = in_groups


def rows_of_two(place: dict[str, int]) -> int:
    """Bytes in which a row of each of two windows is gathered, where some window must be."""
    return 2 * place["kernel_width"] * place["channels"] if gathered(place) else 1


def PADDED(step: Step, *told) -> Step:
    """See tinystream/plan/fuse.py."""
    made = padded(step, *told)
    apart, rows = gathered(made.params), rows_of_two(made.params)
    return replace(made, params=made.params | dict(gathered=int(apart)), scratch=made.scratch | dict(rows=("int8", rows)))


def run(k, s, x):
    exact = np.float32 if 255 * np.abs(k.weight.astype(np.int64)).sum(axis=1).max() < 2**24 else np.float64
    weight = k.weight.T.astype(exact)  # whole numbers below 2**24, or 2**53: every partial sum is exact
    parts = []
    for part in in_parts(x, k.y_height * k.y_width * (len(weight) * 8 + k.outputs * 24)):
        patches = slide(k, part.astype(exact) + 128, k.x_zero + 128).reshape(len(part), k.y_height, k.y_width, -1)
        parts.append(narrow(k, k.bias + (patches @ weight).astype(np.int64)))
    return np.concatenate(parts)


def _example(
    x_shape, kernel, outputs, seed, *, x_zero=-7, big=1.0, least=0, most=127, per_channel=True, bias=3000, constant=False, **options
):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-most, most + 1, (outputs, *kernel, x_shape[2])).astype(np.int8)
    weight = np.where(np.abs(weight) < least, most, weight).astype(np.int8)
    scale = rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 1e-3 * big / np.sqrt(weight[0].size)
    biases = rng.integers(-bias, bias + 1, outputs).astype(np.int32)
    if constant:
        weight[1], biases[1], biases[2], biases[5] = 0, 2000, 1 << 30, -(1 << 30)
    conv = Conv2d(x_shape, weight, biases, scale, 0.03, options.pop("y_zero", 4), **options)
    return conv, Signal(x_shape, "int8", Fraction(30), 0.05, x_zero)


EXAMPLES = [
    _example((11, 1, 5), (5, 1), 6, 0, stride=(3, 1), activation="relu", x_zero=-128, y_zero=-128),
    _example((6, 7, 3), (3, 3), 5, 1, padding="same", stride=(2, 2), activation="relu6"),
    _example((7, 6, 2), (2, 3), 4, 2, padding="same", dilation=(2, 2), per_channel=False),
    _example((3, 5, 8), (1, 1), 13, 3, big=3000.0, activation="relu_n1_to_1", bias=9),
    _example((1, 1, 4), (1, 1), 1, 4, x_zero=127, y_zero=-128),
    _example((8, 4, 70), (2, 1), 9, 5, padding="same"),
    _example((8, 1, 3), (3, 1), 4, 6, padding="same"),              # whole rows, but for the first and the last window
    _example((9, 2, 2), (3, 2), 2, 7, dilation=(2, 1)),
    _example((3, 3, 2), (1, 1), 13, 8, big=640.0, most=1, bias=9),  # a count of a sum is about a count of y
    _example((3, 3, 2), (1, 1), 5, 9, big=640.0, most=1, bias=9, per_channel=False),
    _example((3, 3, 9), (1, 1), 22, 10, big=450.0, most=3, bias=40, constant=True),     # shifts of 1 and 2; channels that are one number
    _example((2, 2, 110), (2, 3), 8, 11, padding="same", big=0.7, least=60),           # sums that no other may share a word with
    _example((5, 2, 1), (3, 2), 8, 12, padding="same", dilation=(1, 3), x_zero=90),     # windows that are outside on both sides
    _example((4, 9, 1), (2, 4), 8, 14, padding="same", dilation=(1, 2), stride=(1, 3), x_zero=90),
    _example((3, 7, 17), (1, 1), 12, 13, stride=(2, 2), big=8.0),
]
