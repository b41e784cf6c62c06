"""Powers of two and of e below 1, by one table.

Source: ours; the chord of 2**-x over 1/64 is at most (ln 2 / 64)**2 / 8 = 1.5e-5 of the value above the curve.
"""

from __future__ import annotations

import numpy as np

from tinystream.plan.fixed import rshift

EXP2_TABLE = np.rint(2.0 ** (30 - np.arange(65) / 64)).astype(np.int32)
"""2**(-i/64) in Q30, i = 0..64.  A step that needs it has it among its tables, as `exp2`."""
LOG2_E_Q16 = round(np.log2(np.e) * 2**16)
FURTHEST_Q16 = 32 << 16
"""2**-32 and less is 0 in Q30."""


def exp2_q30(table, x) -> np.ndarray:
    """2**-x in Q30 for x >= 0 in Q16; error at most 1.5e-5 of the value, and a count."""
    x = np.minimum(np.asarray(x, np.int64), FURTHEST_Q16)
    table = np.asarray(table, np.int64)
    i, frac = (x >> 10) & 63, x & 1023
    return rshift(table[i] - rshift((table[i] - table[i + 1]) * frac, 10), np.minimum(x >> 16, 32))


def exp_q30(table, x) -> np.ndarray:
    """e**-x in Q30 for x >= 0 in Q16."""
    return exp2_q30(table, rshift(np.minimum(np.asarray(x, np.int64), FURTHEST_Q16) * LOG2_E_Q16, 16))
