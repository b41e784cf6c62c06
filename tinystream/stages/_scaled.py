"""A wide number times a constant, as an int32; twin of ts_scaled.h."""

from __future__ import annotations

import numpy as np

from tinystream.plan.fixed import msb, rshift, sat32


def scaled(value, exponent, multiplier, shift) -> np.ndarray:
    """value * multiplier * 2**(exponent - shift), to nearest, saturated at int32; |value| < 2**63 - 2**32, 2**30 <= multiplier < 2**31.

    A value of more than 31 bits is first rounded to them.
    """
    value = np.asarray(value, np.int64)
    down = np.maximum(msb(np.abs(value)) - 30, 0)
    product = rshift(value, down) * multiplier                                  # 31 + 31 bits
    right = shift - exponent - down
    rounded = np.where(right > 62, 0, rshift(product, np.clip(right, 0, 62)))
    return sat32(np.where(right < 0, sat32(product).astype(np.int64) << np.clip(-right, 0, 31), rounded))
