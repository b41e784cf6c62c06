"""Powers of two and of e below 1, by one table.

    chord = exp2[i] - rshift((exp2[i] - exp2[i + 1]) f, 14)                  i = the six bits below the point, f the 14 below those
    v     = chord - rshift(chord rshift(f (2**14 - f), 8) 123, 41)           a chord lies above the curve, by a parabola: (ln 2 / 64)**2 / 2
    2**-x = rshift(v, whole part of x)

Source: ours.
"""

from __future__ import annotations

import numpy as np

from tinystream.plan.fixed import rshift

EXP2_TABLE = np.rint(2.0 ** (30 - np.arange(65) / 64)).astype(np.int32)
"""2**(-i/64) in Q30, i = 0..64.  A step that needs it has it among its tables, as `exp2`."""
LOG2_E_Q16 = round(np.log2(np.e) * 2**16)


def exp2_q30(table, x) -> np.ndarray:
    """2**-x in Q30 for x >= 0 in Q20; error at most 2**-22 of the value, and a count."""
    x = np.minimum(np.asarray(x, np.int64), 32 << 20)   # 2**-32 is 0 in Q30
    table = np.asarray(table, np.int64)
    i, f = (x >> 14) & 63, x & 16383
    chord = table[i] - rshift((table[i] - table[i + 1]) * f, 14)
    return rshift(chord - rshift(chord * rshift(f * (16384 - f), 8) * 123, 41), x >> 20)


def exp_q30(table, x) -> np.ndarray:
    """e**-x in Q30 for x >= 0 in Q16."""
    return exp2_q30(table, rshift(np.minimum(np.asarray(x, np.int64), 32 << 16) * LOG2_E_Q16, 12))
