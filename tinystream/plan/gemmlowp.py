"""Fixed-point functions of gemmlowp, bit for bit, on Python's integers; plan time only, for tables.

Values are raw: a Q26 exponent argument has 5 integer bits, a Q27 one has 4.
Source: gemmlowp/fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

ONE = 2**31 - 1                 # 1.0 in Q31, as near as it gets


def multiply(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul."""
    return min((a * b + (1 << 30)) >> 31, ONE)


def times_power(x: int, exponent: int) -> int:
    """SaturatingRoundingMultiplyByPOT."""
    if exponent >= 0:
        return max(-(2**31), min(x << exponent, ONE))
    mask = (1 << -exponent) - 1
    return (x >> -exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def exp_of_negative(a: int, integer_bits: int) -> int:
    """exp(a) in Q31 for a <= 0 with `integer_bits` integer bits; exp_on_negative_values."""
    if a == 0:
        return ONE
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    y = exp_near_zero(times_power(rest, integer_bits))
    remainder = rest - a
    for exponent, factor in zip(range(-2, 5), (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)):
        if integer_bits > exponent and remainder & (1 << (fraction_bits + exponent)):
            y = multiply(y, factor)             # exp(-2**exponent) in Q31
    return y


def exp_near_zero(a: int) -> int:
    """exp(a) in Q31 for -1/4 <= a < 0 in Q31: Taylor's series around -1/8."""
    x = a + (1 << 28)
    x2 = multiply(x, x)
    x3, x4 = multiply(x2, x), multiply(x2, x2)
    third = 715827883
    series = times_power(multiply(times_power(x4, -2) + x3, third) + x2, -1)
    return 1895147668 + multiply(1895147668, x + series)


def one_over_one_plus(a: int) -> int:
    """1 / (1 + a) in Q31 for 0 <= a <= 1 in Q31; one_over_one_plus_x_for_x_in_0_1."""
    return times_power(two_over_one_plus(a), 1)


def two_over_one_plus(a: int) -> int:
    """2 / (1 + a) in Q29 for 0 <= a <= 1 in Q31: three steps of Newton's."""
    total = a + ONE
    half = (total + 1) // 2                     # RoundingHalfSum, of a positive sum
    x = 1515870810 + multiply(half, -1010580540)        # 48/17 - 32/17 d, in Q29
    for _ in range(3):
        x += times_power(multiply(x, (1 << 29) - multiply(half, x)), 2)
    return x


def logistic(a: int) -> int:
    """1 / (1 + exp(-a)) in Q31 for a in Q27."""
    if a == 0:
        return 1 << 30
    positive = one_over_one_plus(exp_of_negative(-abs(a), 4))
    return positive if a > 0 else ONE - positive


def tanh(a: int) -> int:
    """tanh(a) in Q31 for a in Q27."""
    if a == 0:
        return 0
    # (1 - e) / (1 + e) = 2 / (1 + e) - 1 with e = exp(-2 |a|), whose argument is a's raw value with one integer bit more
    magnitude = times_power(two_over_one_plus(exp_of_negative(-abs(a), 5)) - (1 << 29), 2)
    return magnitude if a > 0 else -magnitude


def input_radius(integer_bits: int, left_shift: int) -> int:
    """The largest |input| that does not leave `integer_bits` after the shift; CalculateInputRadius."""
    return int(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits) / 2.0**left_shift)


def inverse_root(x: int) -> tuple[int, int]:
    """(multiplier, shift) with 1 / sqrt(x) ~ multiplier * 2**(shift - 31) for 1 <= x < 2**29; five steps of Newton's from 1, in Q28.

    Source: tensorflow/lite/kernels/internal/common.h, GetInvSqrtQuantizedMultiplierExp.
    """
    if x == 1:
        return ONE, 0
    pairs = (31 - x.bit_length()) // 2 - 1
    right = 11 - pairs
    fixed = (x << 2 * pairs) >> 1
    half = times_power(fixed, -1)
    root = 1 << 28
    for _ in range(5):
        cube = times_power(multiply(multiply(root, root), root), 6)
        root = times_power(multiply((1 << 28) + (1 << 27), root) - multiply(half, cube), 3)
    root = multiply(root, 1518500250)           # sqrt(2) / 2 in Q31
    return (root << -right, 0) if right < 0 else (root, -right)
