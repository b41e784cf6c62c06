"""TFLite DEPTHWISE_CONV_2D, int8: every channel has its own window; each gives `multiplier` output channels.

    y[i, j, o] = clamp(requant(bias[o] + sum_{u, v} weight[u, v, o] * (x[i * stride_y - pad_y + u * dilation_y,
                 j * stride_x - pad_x + v * dilation_x, o / each] - x_zero), multiplier[o], shift[o]) + y_zero)

with `each` output channels to an input channel.  Outside the image x is x_zero.  The bias table has the sum of
weight * x_zero taken off already.  An image of one channel is the same arithmetic as CONV_2D, and is planned as one.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/depthwise_conv.h, DepthwiseConvPerChannel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tinystream.ops._plain import is_plain
from tinystream.ops._shared import (
    Activation,
    accumulator,
    activate,
    clamp,
    fits_pairs,
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
from tinystream.ops.conv_2d import Conv2d
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

MOST_RING = 1 << 15  # TS_DEPTHWISE_RING
BAND = 3 << 9  # bytes of scratch for which more rows at a time pay
PADDING, STRIDE_X, STRIDE_Y, _, ACTIVATION, DILATION_X, DILATION_Y = range(7)  # slots of DepthwiseConv2DOptions


@dataclass(frozen=True, eq=False)
class DepthwiseConv2d:
    """x_shape is (height, width, channels), weight is [kernel height, kernel width, outputs]; pairs are (y, x)."""

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
    def read(cls, operator: Operator) -> DepthwiseConv2d:
        x_shape = operator.image(operator.flow())
        weight, bias, scale = read_filter(operator, -1)
        if weight.ndim != 4 or weight.shape[0] != 1 or not x_shape[2] or weight.shape[3] % x_shape[2]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {x_shape[2]} channels")
        return cls(
            x_shape,
            weight[0],
            bias,
            scale,
            **out_signal(operator.y),
            **read_placing(operator),
        )

    def plan(self, x: Signal) -> Step:
        (height, width, outputs), channels = self.weight.shape, self.x_shape[2]
        if channels == 1:
            return self.dense().plan(x)
        columns = self.weight.reshape(-1, outputs)
        place = windows(self.x_shape, (height, width), self.stride, self.dilation, self.padding)
        y = Signal((place["y_height"], place["y_width"], outputs), "int8", x.rate_hz, self.y_scale, self.y_zero)
        low, high = clamp(self.activation, self.y_scale, self.y_zero)
        # bytes counted from -128 would need them widened first; a window is too short for that to pay
        bias = accumulator(f"a depthwise convolution to {y}", columns.T, self.bias, x.zero).astype(np.int64) + 128 * columns.sum(
            axis=0, dtype=np.int64
        )
        scale = multipliers(np.broadcast_to(x.scale * self.weight_scale / self.y_scale, outputs))
        step = Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(
                **place,
                each=outputs // channels,
                start=0,
                pixel=channels,
                rows=0,
                plain=is_plain(low, high, scale["shift"], bias),
                x_zero=x.zero,
                y_zero=self.y_zero,
                low=low,
                high=high,
            ),
            tables=dict(
                weight=columns,
                bias=bias.astype(np.int32),
                **scale,
            ),
            cost=dict(mac8=y.size * len(columns), requant=y.size, mem=y.size * len(columns) // 2),
            says=f"{self.weight.shape[0]}x{self.weight.shape[1]} depthwise convolution to {outputs} channels, {self.padding}, "
            f"stride {'x'.join(map(str, self.stride))}",
        )
        return ARRANGED(step)

    def dense(self) -> Conv2d:
        """The same as a convolution of one input channel."""
        return Conv2d(
            self.x_shape,
            np.ascontiguousarray(self.weight.transpose(2, 0, 1)[..., None]),
            self.bias,
            self.weight_scale,
            self.y_scale,
            self.y_zero,
            self.stride,
            self.dilation,
            self.padding,
            self.activation,
        )

    def ideal(self, x, blocks):
        """The definition, a window tap at a time, in real numbers."""
        image = blocks.reshape(-1, *self.x_shape)
        place = self.plan(*x).params
        weight = self.weight * self.weight_scale
        y = np.tile(self.bias * self.weight_scale * x[0].scale, (len(image), place["y_height"], place["y_width"], 1))
        each = weight.shape[2] // self.x_shape[2]
        for i in range(place["y_height"]):
            for j in range(place["y_width"]):
                for u in range(weight.shape[0]):
                    for v in range(weight.shape[1]):
                        row = i * self.stride[0] - place["pad_y"] + u * self.dilation[0]
                        column = j * self.stride[1] - place["pad_x"] + v * self.dilation[1]
                        if 0 <= row < self.x_shape[0] and 0 <= column < self.x_shape[1]:
                            y[:, i, j] += np.repeat(image[:, row, column], each, axis=-1) * weight[u, v]
        return activate(y, self.activation, self.y_scale, self.y_zero)


def ARRANGED(step: Step) -> Step:
    """The step with what follows from where its windows lie: how the kernel goes through them, its scratch, whether y may lie over x.

    A channel's rows are copied where there are several windows.  They may be written over before the next ones are read if row i of y is
    not longer than row i of x, and is read by then: the kernel reaches below what lies outside above it.
    """
    k = step.params
    rows, band, sums = bands(k)
    within = all(k[f"pad_{a}"] < across(k, a, n, 0) and k[f"stride_{a}"] <= k[n] for a, n in (("y", "height"), ("x", "width")))
    single, outputs = k["y_height"] * k["y_width"] == 1, k["channels"] * k["each"]
    copied = not single and within and fits_pairs(step.tables["weight"].T) and ring_bytes(k) <= MOST_RING
    alone = outputs == k["pixel"] and step.x[0].size == k["height"] * k["width"] * outputs      # nothing lies between the pixels
    smaller = k["y_height"] <= k["height"] and k["y_width"] <= k["width"]
    return replace(
        step,
        params=k | dict(rows=rows if copied else 0),
        scratch=dict(band=("int32", band if copied else 1), sums=("int32", sums if copied else 1)),
        inplace=alone and smaller and k["each"] == 1 and (copied or single),
    )


def PADDED(step: Step, *told) -> Step:
    """See tinystream/plan/fuse.py."""
    return ARRANGED(padded(step, *told))


def ring_bytes(place: dict[str, int]) -> int:
    """Of one channel in the rows that a row of windows looks at, where the kernel works on many channels at once."""
    return across(place, "y", "height", 0) * across(place, "x", "width", place["y_width"] - 1)


def bands(place: dict[str, int]) -> tuple[int, int, int]:
    """(rows of windows at a time, int32 of the band, int32 of the sums), as ts_depthwise_plan() lays them out."""
    axes = [("y", "height"), ("x", "width")]
    if place["y_height"] > place["y_width"] == place["width"]:
        axes.reverse()
    (slow, down), (fast, right) = axes
    pairs = across(place, fast, right, (place[f"y_{right}"] - 1) // 2 * 2)
    singles = across(place, fast, right, place[f"y_{right}"] - 1)       # a byte each
    words, sums = max(pairs, -(-singles // 4)), place[f"y_{right}"] + place[f"y_{right}"] % 2
    most = next((n for n in range(place[f"y_{down}"], 1, -1) if 4 * (words * across(place, slow, down, n - 1) + sums * n) <= BAND), 1)
    rows = -(-place[f"y_{down}"] // -(-place[f"y_{down}"] // most))       # of equal size, as nearly as can be
    return rows, words * across(place, slow, down, rows - 1), sums * rows


def across(place: dict[str, int], axis: str, name: str, last: int) -> int:
    """Pixels up to the end of window number `last`."""
    return last * place[f"stride_{axis}"] + (place[f"kernel_{name}"] - 1) * place[f"dilation_{axis}"] + 1


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


def IN_GROUPS(k) -> dict[str, np.ndarray]:
    """The kernel has two forms, which read the same tables."""
    return {}


def run(k, s, x):
    weight = k.weight.reshape(k.kernel_height, k.kernel_width, -1).astype(np.int32)
    parts = []
    for part in in_parts(x, k.y_height * k.y_width * k.channels * k.each * 32):
        taps = slide(k, seen(k, part).astype(np.int32), k.x_zero)
        acc = np.tile(k.bias, (len(part), k.y_height, k.y_width, 1))
        for u in range(k.kernel_height):
            for v in range(k.kernel_width):
                acc += np.repeat(taps[:, :, :, u, v], k.each, axis=-1) * weight[u, v]
        parts.append(narrow(k, acc))
    return np.concatenate(parts)


def seen(k, x: np.ndarray) -> np.ndarray:
    """The image in what is read: its channels may be some of those that lie side by side there."""
    x = np.ascontiguousarray(x).reshape(len(x), -1)
    shape, steps = (len(x), k.height, k.width, k.channels), (x.shape[1], k.width * k.pixel, k.pixel, 1)
    return np.lib.stride_tricks.as_strided(x[:, k.start :], shape, steps, writeable=False)


def _example(x_shape, kernel, each, seed, *, x_zero=-7, per_channel=True, big=1.0, most=127, bias=3000, **options):
    rng = np.random.default_rng(seed)
    outputs = x_shape[2] * each
    weight = rng.integers(-most, most + 1, (*kernel, outputs)).astype(np.int8)
    scale = rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 1e-3 * big / np.sqrt(kernel[0] * kernel[1])
    layer = DepthwiseConv2d(
        x_shape, weight, rng.integers(-bias, bias, outputs).astype(np.int32), scale, 0.03, options.pop("y_zero", 4), **options
    )
    return layer, Signal(x_shape, "int8", Fraction(30), 0.05, x_zero)


EXAMPLES = [
    _example((14, 1, 19), (5, 1), 1, 0, activation="relu", x_zero=-128, y_zero=-128),
    _example((6, 7, 3), (3, 3), 1, 1, padding="same", stride=(2, 2), activation="relu6"),
    _example((7, 6, 2), (2, 3), 3, 2, padding="same", dilation=(2, 2), per_channel=False),
    _example((6, 1, 5), (3, 1), 1, 5, padding="same", stride=(2, 1)),
    _example((9, 8, 1), (4, 3), 5, 3, stride=(2, 1)),
    _example((5, 3, 4), (2, 1), 1, 6, padding="same"),              # only below, only to the right
    _example((3, 5, 4), (1, 2), 1, 7, padding="same"),
    _example((3, 3, 2), (1, 2), 2, 8, big=640.0, most=1, bias=9),   # a count of a sum is about a count of y
    _example((3, 3, 4), (1, 2), 1, 4, big=3000.0, activation="relu_n1_to_1"),
    _example((9, 1, 7), (9, 1), 1, 9),                              # one window: four channels at once, and three
    _example((5, 1, 4), (5, 1), 1, 18, big=900.0, most=1, bias=9),
    _example((4, 5, 6), (3, 4), 1, 10, stride=(2, 2), activation="relu6"),
    _example((2, 3, 3), (3, 5), 2, 11, padding="same", stride=(2, 3)),              # one window, beyond the image on all sides
    _example((2, 3, 5), (3, 3), 1, 15, padding="same", stride=(2, 3)),              # one window, only below; only to the right
    _example((3, 2, 5), (3, 3), 1, 16, padding="same", stride=(3, 2)),
    _example((3, 4, 70), (3, 3), 1, 17, padding="same"),            # more channels than the host takes at once
    _example((40, 26, 2), (3, 3), 1, 12, padding="same"),           # several bands of rows
    _example((37, 29, 2), (4, 2), 1, 13, stride=(3, 2)),
    _example((25, 27, 5), (24, 25), 1, 14, big=30.0),             # sums that do not fit beside each other
]
