"""What ts_plain.h can requantise."""

from __future__ import annotations

import numpy as np

MOST_SHIFT = 21  # to the right: the zero and half a count, shifted back by it, stay below 2**30
MOST_BIAS = 1 << 29


def is_plain(low: int, high: int, shift: np.ndarray | int, bias: np.ndarray | int = 0) -> int:
    """1 where ts_plain8() gives what requant, zero and clamp do; sums without the bias stay below 2**29, too.  Else 0."""
    right = -np.atleast_1d(shift).astype(np.int64)
    small = np.abs(np.atleast_1d(bias).astype(np.int64)).max() < MOST_BIAS
    return int((low, high) == (-128, 127) and right.min() >= 1 and right.max() <= MOST_SHIFT and small)
