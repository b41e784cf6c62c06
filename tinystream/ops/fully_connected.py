"""TFLite FULLY_CONNECTED, int8: a dense layer.

    y[r, o] = clamp(requant(bias[o] + sum_i weight[o, i] * (x[r, i] - x_zero), multiplier[o], shift[o]) + y_zero)

for each row r of the input, mostly one.  The bias table is that of inputs counted from -128, as in CONV_2D.  With one
scale for all weights the product x_scale * weight_scale is taken in float32, as TFLM does, with one a channel in float64.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/fully_connected.h, FullyConnected and
FullyConnectedPerChannel; the scales from kernel_util.cc, GetQuantizedConvolutionMultipler, and tflite-micro, fully_connected_common.cc.
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
    in_groups,
    in_parts,
    multipliers,
    narrow,
    out_signal,
    read_activation,
    read_filter,
)
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION, FORMAT = 0, 1  # slots of FullyConnectedOptions


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """weight is [outputs, inputs]; the layer is applied to each `inputs` values of x."""

    weight: np.ndarray
    bias: np.ndarray
    weight_scale: np.ndarray
    y_scale: float
    y_zero: int
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> FullyConnected:
        weight, bias, scale = read_filter(operator, 0)
        if weight.ndim != 2 or operator.option(FORMAT, 0, "b") != 0:
            raise operator.refuse(
                f"has weights {list(weight.shape)} in format {operator.option(FORMAT, 0, 'b')}; only [outputs, inputs] is supported"
            )
        if operator.flow().size * weight.shape[0] != operator.y.size * weight.shape[1] or operator.y.dims[-1] != weight.shape[0]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {operator.flow()} to {operator.y}")
        return cls(weight, bias, scale, **out_signal(operator.y), activation=read_activation(operator, ACTIVATION))

    def plan(self, x: Signal) -> Step:
        outputs, inputs = self.weight.shape
        rows = x.size // inputs
        y = Signal((rows, outputs) if rows > 1 else (outputs,), "int8", x.rate_hz, self.y_scale, self.y_zero)
        low, high = clamp(self.activation, self.y_scale, self.y_zero)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(rows=rows, inputs=inputs, outputs=outputs, y_zero=self.y_zero, low=low, high=high),
            tables=dict(
                weight=self.weight,
                bias=accumulator(f"a dense layer to {y}", self.weight, self.bias, x.zero),
                **multipliers(np.broadcast_to(self.product(x) / self.y_scale, outputs)),
            ),
            gap=max(outputs * (r + 1) - inputs * r for r in (0, rows - 1)),
            cost=dict(mac8=y.size * inputs, requant=y.size, mem=x.size),
            says=f"dense, {inputs} to {outputs}",
        )

    def product(self, x: Signal) -> np.ndarray | np.float64:
        """x_scale * weight_scale."""
        if self.weight_scale.size == 1:
            return np.float64(np.float32(x.scale) * np.float32(self.weight_scale[0]))
        return x.scale * self.weight_scale

    def ideal(self, x, blocks):
        weight = self.weight * np.broadcast_to(self.weight_scale, len(self.weight))[:, None]
        bias = self.bias * self.weight_scale * x[0].scale
        y = np.einsum("nri,oi->nro", blocks.reshape(len(blocks), -1, weight.shape[1]), weight) + bias
        return activate(y, self.activation, self.y_scale, self.y_zero).reshape(-1, *self.plan(*x).y.shape)


BOUND = 1.0  # counts: half from each of the two roundings, the first one a power of two finer
BATCHED = True
IN_GROUPS = in_groups


def run(k, s, x):
    weight = k.weight.T.astype(np.float64)  # sums stay below 2**53: exact
    parts = []
    for part in in_parts(x, k.rows * (k.inputs * 8 + k.outputs * 24)):
        acc = k.bias + ((part.reshape(len(part), k.rows, k.inputs) + 128.0) @ weight).astype(np.int64)
        parts.append(narrow(k, acc).reshape(len(part), *([k.rows] if k.rows > 1 else []), k.outputs))
    return np.concatenate(parts)


def _example(
    inputs, outputs, seed, *, rows=1, x_zero=-7, big=1.0, most=127, bias=900, per_channel=False, constant=False, **options
):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-most, most + 1, (outputs, inputs)).astype(np.int8)
    scale = (rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 1e-3 * big / np.sqrt(inputs)).astype(np.float32).astype(np.float64)
    biases = rng.integers(-bias, bias, outputs).astype(np.int32)
    if constant:
        weight[1], biases[1], biases[2], biases[5] = 0, 2000, 1 << 30, -(1 << 30)
    layer = FullyConnected(weight, biases, scale, 0.03, options.pop("y_zero", 4), **options)
    return layer, Signal((rows, inputs) if rows > 1 else (inputs,), "int8", Fraction(30), float(np.float32(0.05)), x_zero)


EXAMPLES = [
    _example(40, 12, 0),
    _example(7, 5, 1, per_channel=True, activation="relu", x_zero=-128, y_zero=-128),
    _example(9, 3, 2, rows=4, activation="relu6"),
    _example(1100, 70, 3),
    _example(2, 6, 5, big=640.0, most=1, bias=9),                   # a count of a sum is about a count of y
    _example(2, 15, 6, big=640.0, most=1, bias=9, per_channel=True),
    _example(3, 6, 4, big=3000.0, per_channel=True, activation="relu_n1_to_1"),
    _example(11, 22, 7, big=500.0, most=3, bias=40, per_channel=True, constant=True),   # shifts of 1 and 2; channels that are one number
    _example(700, 9, 8, rows=2, big=0.4),                                               # shifts of 14 and 15
    _example(60, 1, 9, y_zero=-128),                                                    # a group of four of which one is there
    _example(33, 2, 10, per_channel=True),
    _example(50, 4, 11, activation="relu"),
    _example(24, 16, 12),                                                               # groups of eight, and nothing beside them
]
