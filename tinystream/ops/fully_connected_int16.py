"""TFLite FULLY_CONNECTED, int16 with int8 weights: a dense layer.

    y[r, o] = narrow(bias[o] + sum_i weight[o, i] * x[r, i])

for each row r of the input, mostly one.  narrow() is told in ops/_int16.py: by 64 bits where the biases are int64, by 32 where they
are int32.  With one scale for all weights the product x_scale * weight_scale is taken in float32, as TFLM does, with one a channel
in float64.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/fully_connected.h; tflite-micro, fully_connected.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.ops._int16 import LAYER_BOUND, activate16, clamp16, layer_tables, narrow16, read_filter16, signal16
from tinystream.ops._shared import Activation, in_parts, read_activation
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

ACTIVATION, FORMAT = 0, 1  # slots of FullyConnectedOptions


@dataclass(frozen=True, eq=False)
class FullyConnectedInt16:
    """weight is [outputs, inputs]; the layer is applied to each `inputs` values of x.  bias is int64, or int32."""

    weight: np.ndarray
    bias: np.ndarray
    weight_scale: np.ndarray
    y_scale: float
    activation: Activation = "none"

    @classmethod
    def read(cls, operator: Operator) -> FullyConnectedInt16:
        weight, bias, scale = read_filter16(operator, 0)
        if weight.ndim != 2 or operator.option(FORMAT, 0, "b") != 0:
            raise operator.refuse(
                f"has weights {list(weight.shape)} in format {operator.option(FORMAT, 0, 'b')}; only [outputs, inputs] is supported"
            )
        if operator.flow().size * weight.shape[0] != operator.y.size * weight.shape[1] or operator.y.dims[-1] != weight.shape[0]:
            raise operator.refuse(f"has weights {list(weight.shape)} for {operator.flow()} to {operator.y}")
        return cls(weight, bias, scale, operator.y.scale, read_activation(operator, ACTIVATION))

    def plan(self, x: Signal) -> Step:
        outputs, inputs = self.weight.shape
        rows = x.size // inputs
        y = signal16((rows, outputs) if rows > 1 else (outputs,), x, self.y_scale)
        wide, tables = layer_tables(f"a dense layer to {y}", self.weight, self.bias, self.product(x) / self.y_scale)
        low, high = clamp16(self.activation, self.y_scale)
        return Step(
            module=__name__,
            x=(x,),
            y=y,
            params=dict(rows=rows, inputs=inputs, outputs=outputs, **wide, low=low, high=high),
            tables=dict(weight=self.weight, **tables),
            scratch=dict(acc=("int64", outputs)),
            cost=dict(mac8=y.size * inputs, requant=y.size, mem=2 * x.size),
            says=f"dense, {inputs} to {outputs}",
        )

    def product(self, x: Signal) -> np.ndarray:
        """x_scale * weight_scale."""
        if self.weight_scale.size == 1:
            return np.atleast_1d(np.float64(np.float32(x.scale) * np.float32(self.weight_scale[0])))
        return x.scale * self.weight_scale

    def ideal(self, x, blocks):
        weight = self.weight * np.broadcast_to(self.weight_scale, len(self.weight))[:, None]
        rows = blocks.reshape(len(blocks), -1, weight.shape[1])
        y = np.einsum("nri,oi->nro", rows, weight) + self.bias * self.weight_scale * x[0].scale
        return activate16(y, self.activation, self.y_scale).reshape(-1, *self.plan(*x).y.shape)


BOUND = LAYER_BOUND
BATCHED = True


def run(k, s, x):
    weight = k.weight.T.astype(np.float64)  # sums stay below 2**48: exact
    parts = []
    for part in in_parts(x, k.rows * (k.inputs * 8 + k.outputs * 24)):
        acc = k.bias + (part.reshape(len(part), k.rows, k.inputs).astype(np.float64) @ weight).astype(np.int64)
        parts.append(narrow16(k, acc).reshape(len(part), *([k.rows] if k.rows > 1 else []), k.outputs))
    return np.concatenate(parts)


def _example(inputs, outputs, seed, *, rows=1, bias_type=np.int64, per_channel=False, y_scale=0.0003, **options):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    scale = (rng.uniform(0.5, 1.5, outputs if per_channel else 1) * 5e-3 / np.sqrt(inputs)).astype(np.float32).astype(np.float64)
    layer = FullyConnectedInt16(weight, rng.integers(-800000, 800001, outputs).astype(bias_type), scale, y_scale, **options)
    x = Signal((rows, inputs) if rows > 1 else (inputs,), "int16", Fraction(30), float(np.float32(0.0003)))
    return layer, x


EXAMPLES = [
    _example(40, 12, 0),
    _example(7, 5, 1, per_channel=True, activation="relu"),
    _example(9, 3, 2, rows=4, activation="relu6", bias_type=np.int32),
    _example(1100, 7, 3),
    _example(3, 6, 4, per_channel=True, activation="relu_n1_to_1", bias_type=np.int32, y_scale=0.000004),
]
