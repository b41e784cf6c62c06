"""TFLite MEAN, int8, over the height and width of an image.

    y[c] = sat8(requant(sum over the image of (x[c] - x_zero), multiplier, shift) + y_zero)

multiplier * 2**(shift - 31) is x_scale / (y_scale * n), n = height * width: the multiplier of x_scale / y_scale, times
2**j / n rounded down, the shift less j, with 2**j <= n < 2**(j + 1).

Source: tensorflow/lite/kernels/internal/reference/reduce.h, QuantizedMeanOrSum; tflite-micro, reduce_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._shared import out_signal
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class Mean:
    """x_shape is (height, width, channels)."""

    x_shape: tuple[int, int, int]
    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> Mean:
        axes = operator.constant(1, "int32")
        if axes is None or sorted(int(a) % 4 for a in axes.ravel()[:5]) != [1, 2]:
            raise operator.refuse("takes the mean of other axes than height and width, [1, 2]")
        return cls(operator.image(operator.flow()), **out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        height, width, channels = self.x_shape
        n = height * width
        if not 1 <= n < 1 << 20:
            raise ModelError(f"a mean over {n} pixels; 1 to {(1 << 20) - 1} are supported", "pool before the mean")
        multiplier, shift = quantize_multiplier(x.scale / self.y_scale)
        j = min(n.bit_length() - 1, 31 + shift)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((channels,), "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(pixels=n, channels=channels, x_zero=x.zero, y_zero=self.y_zero,
                        multiplier=(multiplier << j) // n, shift=shift - j),
            scratch=dict(acc=("int32", channels)),
            cost=dict(add=x.size, mul=channels, mem=x.size),
            says=f"mean of {height}x{width}",
        )

    def ideal(self, x, blocks):
        mean = blocks.reshape(len(blocks), -1, self.x_shape[2]).mean(axis=1)
        return np.clip(mean, (-128 - self.y_zero) * self.y_scale, (127 - self.y_zero) * self.y_scale)


BOUND = 1.0         # counts: half from each of the two roundings
BATCHED = True


def run(k, s, x):
    image = x.reshape(len(x), k.pixels, k.channels).astype(np.int64)
    return sat8(requant(image.sum(axis=1) - k.pixels * k.x_zero, k.multiplier, k.shift) + k.y_zero)


EXAMPLES = [
    (Mean((12, 8, 5), 0.02, -20), Signal((12, 8, 5), "int8", Fraction(30), 0.05, -128)),
    (Mean((3, 5, 4), 0.05, -7), Signal((3, 5, 4), "int8", Fraction(30), 0.05, -7)),
    (Mean((2, 1, 3), 0.001, 9), Signal((2, 1, 3), "int8", Fraction(30), 0.05, 8)),
]
