"""Is the integer vocabulary what its docstrings say, and is its C twin the same?"""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from tinystream.emit.compiler import SANITIZERS, WARNINGS, compilers
from tinystream.emit.templates import templates
from tinystream.plan import fixed

RNG = np.random.default_rng(7)
EDGES = np.array(
    [0, 1, 2, 3, 5, 31, 32, 63, 64, 65, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**60, 2**61 + 3,
     2**62 - 1], np.int64
)
ANY = np.concatenate([EDGES, *(RNG.integers(0, 2**n, 200) for n in range(1, 63))])
INT32 = np.concatenate(
    [np.clip(EDGES, 0, 2**31 - 1), -np.clip(EDGES, 0, 2**31 - 1) - 1, RNG.integers(-(2**31), 2**31, 3000), RNG.integers(-300, 300, 2000)]
)


def test_rshift_rounds_halves_up():
    assert fixed.rshift([5, 6, 7, -5, -6, -7, 3], 2).tolist() == [1, 2, 2, -1, -1, -2, 1]
    assert fixed.rshift(-9, 0) == -9


def test_msb_is_the_bit_length_less_one():
    assert fixed.msb(ANY).tolist() == [max(int(x), 1).bit_length() - 1 for x in ANY]


def test_isqrt_is_exact():
    from math import isqrt

    squares = np.array([r * r + d for r in (1, 2, 46340, 2**26, 2**30 + 12345, 2**31 - 1) for d in (-1, 0, 1)], np.int64)
    assert fixed.isqrt(np.concatenate([ANY, squares])).tolist() == [isqrt(int(x)) for x in np.concatenate([ANY, squares])]


def test_log2_is_within_6_counts():
    x = np.concatenate([ANY[ANY > 0], np.arange(1, 70000), 2**40 + np.arange(0, 2**40, 2**30 + 7)])
    error = fixed.log2_q16(fixed.LOG2_TABLE, x) - np.log2(x.astype(np.longdouble)) * 2**16
    print(f"worst {np.abs(error).max():.2f} counts")
    assert np.abs(error).max() <= 6
    assert fixed.log2_q16(fixed.LOG2_TABLE, 0) == 0


def test_srdhm_is_gemmlowp():
    a, b = INT32[:4000].astype(object), np.roll(INT32, 77)[:4000].astype(object)
    keep = ~((a == -(2**31)) & (b == -(2**31)))
    nudged = [x * y + (1 << 30 if x * y >= 0 else 1 - (1 << 30)) for x, y in zip(a[keep], b[keep])]
    truncated = [abs(n) // 2**31 * (1 if n >= 0 else -1) for n in nudged]
    assert fixed.srdhm(a[keep].astype(np.int64), b[keep].astype(np.int64)).tolist() == truncated


def test_rounding_divide_rounds_halves_away_from_zero():
    assert fixed.rounding_divide([6, -6, 5, -5, 7, -7], 2).tolist() == [2, -2, 1, -1, 2, -2]
    assert fixed.rounding_divide([2**31 - 1, -(2**31)], 31).tolist() == [1, -1]


@pytest.mark.parametrize("real", [1.0, 0.5, 0.75, 1e-3, 0.3333333333333333, 7.9, 2.0**-31, 0.999999999999])
def test_quantize_multiplier_is_within_half_a_count(real):
    multiplier, shift = fixed.quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert abs(multiplier * 2.0 ** (shift - 31) - real) <= 2.0 ** (shift - 32) * (1 + 1e-9)


def test_quantize_multiplier_at_its_ends():
    assert fixed.quantize_multiplier(0.0) == (0, 0)
    assert fixed.quantize_multiplier(2.0**-40) == (0, 0)
    assert fixed.quantize_multiplier(1 - 2.0**-40) == (2**30, 1)


PROGRAM = """
#include <stdio.h>
#include <string.h>
#ifdef PORTABLE                 /* for a compiler without builtins */
#undef __GNUC__
#endif
#include "ts_fixed.h"
#include "table.h"
int main(void)
{
    int64_t v[3];
    while (fread(v, sizeof v, 1, stdin) == 1) {
        const int32_t a = ts_sat32(v[1]), b = ts_sat32(v[2]);
        const int n = (int)(v[2] & 31);
        const int64_t y[10] = {
            ts_rshift(v[0] / 4, n), ts_sat8(v[1]), ts_sat16(v[1]), a, ts_msb((uint64_t)v[0]), ts_isqrt(v[0]), ts_log2_q16(table, v[0]),
            ts_rounding_divide(a, n), ts_requant(a / 16, b > 0 ? b : 1, n % 5 - (n > 8 ? n : 0)), ts_rshift32(a / 2, n % 31),
        };
        fwrite(y, sizeof y, 1, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("dialect", [(), ("-DPORTABLE",)], ids=["gnu", "portable"])
@pytest.mark.parametrize("compiler", compilers(), ids=lambda c: c.name)
def test_c_gives_the_bits_of_numpy(compiler, dialect, tmp_path):
    (tmp_path / "main.c").write_text(PROGRAM)
    (tmp_path / "table.h").write_text(f"static const int32_t table[65] = {{ {', '.join(map(str, fixed.LOG2_TABLE))} }};\n")
    program = compiler.build([tmp_path / "main.c"], tmp_path / "main", f"-I{templates() / 'kernels'}", *WARNINGS, *SANITIZERS, *dialect)
    v = np.stack([ANY, np.resize(INT32, ANY.size), np.resize(np.roll(INT32, 99), ANY.size)], axis=1).astype(np.int64)
    done = subprocess.run([program], input=v.tobytes(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    got = np.frombuffer(done.stdout, np.int64).reshape(-1, 10).T
    a, b, n = fixed.sat32(v[:, 1]).astype(np.int64), fixed.sat32(v[:, 2]).astype(np.int64), v[:, 2] & 31
    quarter = v[:, 0] // 4
    sixteenth = np.sign(a) * (np.abs(a) // 16)
    want = [
        fixed.rshift(quarter, n),
        fixed.sat8(v[:, 1]),
        fixed.sat16(v[:, 1]),
        a,
        fixed.msb(v[:, 0]),
        fixed.isqrt(v[:, 0]),
        fixed.log2_q16(fixed.LOG2_TABLE, v[:, 0]),
        fixed.rounding_divide(a, n),
        fixed.requant(sixteenth, np.where(b > 0, b, 1), n % 5 - np.where(n > 8, n, 0)),
        fixed.rshift(np.sign(a) * (np.abs(a) // 2), n % 31),
    ]
    for name, c, numpy in zip(
        ["rshift", "sat8", "sat16", "sat32", "msb", "isqrt", "log2_q16", "rounding_divide", "requant", "rshift32"], got, want
    ):
        np.testing.assert_array_equal(c, numpy, err_msg=name)
