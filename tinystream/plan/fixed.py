"""The integer vocabulary.  Every stage is written in these words, on both sides.

Each function has a C twin of the same name, `ts_<name>`, in ts_fixed.h, but for those that say "plan time only".
Inputs are widened to int64, so nothing wraps by accident; narrowing is always one of the named functions below.
"""

from __future__ import annotations

import numpy as np

KERNELS_VERSION = 1
"""TS_KERNELS_VERSION of ts_fixed.h: rises whenever the bits of any stage, operator or detector change."""


def rshift(x, n) -> np.ndarray:
    """x / 2**n, rounded to nearest, halves towards +infinity; 0 <= n <= 62."""
    n = np.asarray(n, np.int64)
    return (np.asarray(x, np.int64) + ((np.int64(1) << n) >> 1)) >> n


def sat8(x) -> np.ndarray:
    """Clamp to int8."""
    return np.clip(x, -128, 127).astype(np.int8)


def sat16(x) -> np.ndarray:
    """Clamp to int16."""
    return np.clip(x, -32768, 32767).astype(np.int16)


def sat32(x) -> np.ndarray:
    """Clamp to int32."""
    return np.clip(x, -(2**31), 2**31 - 1).astype(np.int32)


def msb(x) -> np.ndarray:
    """Index of the highest set bit of 1 <= x < 2**63; 0 for x = 0."""
    x = np.maximum(np.asarray(x, np.int64), 1)
    high = x >> 31  # frexp is exact below 2**53, so look at 31 bits at a time
    return np.where(high > 0, np.frexp(high.astype(np.float64))[1] + 30, np.frexp(x.astype(np.float64))[1] - 1).astype(np.int64)


LOG2_TABLE = np.rint(np.log2(1 + np.arange(65) / 64) * 2**16).astype(np.int32)
"""log2(1 + i/64) in Q16, i = 0..64.  A step that takes logarithms has it among its tables, as `log2`."""


def log2_q16(table, x) -> np.ndarray:
    """log2(x) in Q16 for 1 <= x < 2**63, by `table` = LOG2_TABLE, linear in between; 0 maps to 0.

    Error at most 6 counts, 0.0001 octaves (test_fixed checks every segment).  Source: ours, the chord of log2 over
    1/64 octave-mantissa is at most (1/64)**2 / 8 / ln 2 = 4.4e-5 = 2.9 counts below the curve.
    """
    x = np.maximum(np.asarray(x, np.int64), 1)
    table = np.asarray(table, np.int64)
    top = msb(x)
    mantissa = np.where(top > 31, x >> np.maximum(top - 31, 0), x << np.maximum(31 - top, 0)) & 0x7FFFFFFF
    i, frac = mantissa >> 25, (mantissa >> 9) & 0xFFFF
    return (top << 16) + table[i] + rshift((table[i + 1] - table[i]) * frac, 16)


def isqrt(x) -> np.ndarray:
    """floor(sqrt(x)) for 0 <= x < 2**62."""
    x = np.asarray(x, np.int64)
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    root -= root * root > x  # float64 has 53 bits: the root is off by one at most
    return root + ((root + 1) * (root + 1) <= x)


def srdhm(a, b) -> np.ndarray:
    """Saturating rounding doubling high multiply: a * b / 2**31 to nearest, halves towards +infinity.

    gemmlowp's own form rounds halves away from zero by truncating a nudged quotient; the two are equal for all int32
    but a = b = -2**31, which no multiplier reaches.  Source: gemmlowp/fixedpoint/fixedpoint.h.
    """
    return (np.asarray(a, np.int64) * np.asarray(b, np.int64) + (1 << 30)) >> 31


def rounding_divide(x, n) -> np.ndarray:
    """x / 2**n, rounded to nearest, halves away from zero; 0 <= n <= 31.

    Source: gemmlowp/fixedpoint/fixedpoint.h, RoundingDivideByPOT.
    """
    x, n = np.asarray(x, np.int64), np.asarray(n, np.int64)
    mask = (np.int64(1) << n) - 1
    return (x >> n) + ((x & mask) > (mask >> 1) + (x < 0))


def requant(x, multiplier, shift) -> np.ndarray:
    """x * multiplier * 2**(shift - 31), rounded twice, as TFLM's reference kernels do; -31 <= shift <= 30.

    The left shift (shift > 0) comes before the product, the right shift after it.
    Source: tensorflow/lite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier (double rounding).
    """
    shift = np.asarray(shift, np.int64)
    high = srdhm(np.asarray(x, np.int64) << np.maximum(shift, 0), multiplier)
    return rounding_divide(high, np.maximum(-shift, 0))


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real ~ multiplier * 2**(shift - 31), 2**30 <= multiplier < 2**31.  Plan time only.

    Source: tensorflow/lite/kernels/internal/quantization_util.cc, QuantizeMultiplier; below 2**-32 it is 0, above 2**30 it
    saturates.
    """
    if real == 0:
        return 0, 0
    fraction, shift = np.frexp(np.float64(real))
    multiplier = int(np.floor(abs(fraction) * 2.0**31 + 0.5)) * (1 if fraction > 0 else -1)
    if abs(multiplier) == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    if shift > 30:
        return 2**31 - 1, 30
    return (0, 0) if shift < -31 else (multiplier, int(shift))


def quantize_table(real, bits: int) -> np.ndarray:
    """A table in [-1, 1] as Q`bits` int16 (bits <= 15) or int32, saturated at the type.  Plan time only."""
    counts = np.rint(np.asarray(real, np.float64) * 2.0**bits)
    return sat16(counts) if bits <= 15 else sat32(counts)
