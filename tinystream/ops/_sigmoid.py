"""What LOGISTIC and TANH on int16 share: one table of the sigmoid, and how an input is brought to its steps of 1/24.

    q = (x * multiplier + 2**(shift - 1)) >> shift      in steps of 1 / (24 * 512), for the sigmoid of the whole input

Source: tensorflow/lite/kernels/internal/reference/integer_ops/{logistic,tanh}.h; tflite-micro, logistic_common.cc, tanh.cc.
"""

from __future__ import annotations

import numpy as np

from tinystream.ops._int16 import check_symmetric
from tinystream.plan.operator import Operator


def sigmoid_table() -> np.ndarray:
    """sigmoid(i / 24) in 16 bits, less half of how far the chord to the next one misses its middle; 1 at the end."""
    real = 65536 / (1 + np.exp(-np.arange(0, 256, 0.5) / 24))
    here, middle, following = real[::2], real[1::2], np.append(real[2::2], 65536)
    table = np.rint(here - ((here + following) / 2 - middle) / 2)
    table[255] = 65535
    return table.astype(np.uint16)


SIGMOID = sigmoid_table()
Y_SCALE = 2.0**-15
LARGEST_SCALE = 32767 / 4096 / 3  # of x: its multiplier has 15 bits


def check_ends(operator: Operator) -> None:
    check_symmetric(operator)
    if abs(np.log2(operator.y.scale) + 15) >= 1e-3 or operator.flow().scale > LARGEST_SCALE:
        what = f"goes from {operator.flow()} to {operator.y}; to scale 2**-15 is defined, from scales up to {LARGEST_SCALE:.4g}"
        raise operator.refuse(what, "convert the model again")


def to_steps(scale: float, powers: tuple[int, ...]) -> dict[str, int]:
    """multiplier and shift of an input's scale; powers: of two, times 2**-12, that are taken as they are."""
    power = np.log2(np.float32(scale))
    at = int(np.rint(power)) + 12
    if abs(power - np.rint(power)) < 1e-3 and at in powers:
        return dict(multiplier=3 << at, shift=0)
    real, shift = float(scale) * 4096 * 3, 0
    while real <= 32767 / 2 and shift <= 30:
        real, shift = 2 * real, shift + 1
    return dict(multiplier=int(real), shift=shift)


def steps(k, x: np.ndarray) -> np.ndarray:
    """x in steps of 1 / (24 * 512)."""
    return (x.astype(np.int64) * k.multiplier + ((1 << k.shift) >> 1)) >> k.shift


def interpolated(table: np.ndarray, magnitude: np.ndarray, bits: int, most: int) -> np.ndarray:
    """The table at magnitude / 2**bits, linear in between, times 2**bits; `most` behind its end."""
    table, at = table.astype(np.int64), np.minimum(magnitude >> bits, 254)
    inside = (table[at] << bits) + (magnitude & ((1 << bits) - 1)) * (table[at + 1] - table[at])
    return np.where(magnitude >> bits >= 255, most, inside)
