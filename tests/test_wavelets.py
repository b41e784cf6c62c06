"""Are the filters of all wavelets what their definitions say, to the last bit that float64 has, and are they PyWavelets'?"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.optimize import least_squares

from tinystream.stages._wavelets import ALIASES, ALIKE, NAMES, ORTHONORMAL, filters, loudest, pair

BIORTHOGONAL = [name for name in NAMES if name.startswith("bior")]


# --- which solution they are, found anew in float64 -----------------------------------------------------------


def left_of_halfband(order: int) -> np.ndarray:
    """Zeros in y = sin(w / 2)**2 of what a half-band filter has beside 2 order zeros at -1: Ten Lectures, section 6.1."""
    return np.roots([comb(order - 1 + k, k) for k in range(order)][::-1])


def groups(order: int) -> list[np.ndarray]:
    """The same in z, those within the unit circle: real ones, and with its conjugate each that is not."""
    found = []
    for y in left_of_halfband(order):
        if y.imag >= 0:
            z = np.roots([1, 4 * y - 2, 1])         # y = (2 - z - 1 / z) / 4
            z = z[np.abs(z).argmin()]
            found.append(np.array([z, z.conj()] if abs(y.imag) > 1e-9 else [z.real]))
    return found


def made_of(zeros, at_pi: int) -> np.ndarray:
    """Taps with these zeros, and so many at -1, that add up to sqrt(2)."""
    taps = np.real(np.poly([*zeros, *[-1.0] * at_pi]))
    return taps * np.sqrt(2) / taps.sum()


def off_a_line(zeros) -> float:
    """The most that the phase, from w = 0 to 2 pi, is off a straight line between its ends: Ten Lectures, section 8.1.1."""
    w = np.linspace(0, 2 * np.pi, 4001)
    phase = sum(np.unwrap(np.angle(1 - z * np.exp(-1j * w))) for z in zeros)
    phase = phase - phase[0]
    return float(np.abs(phase - w / w[-1] * phase[-1]).max())


@pytest.mark.parametrize("order", range(1, 11))
def test_daubechies_has_the_zeros_within_the_unit_circle(order):
    zeros = [z for group in groups(order) for z in group]
    np.testing.assert_allclose(ORTHONORMAL[f"db{order}"], made_of(zeros, order), atol=1e-10)


@pytest.mark.parametrize("order", range(2, 11))
def test_a_symlet_has_the_zeros_whose_phase_is_nearest_to_a_straight_line(order):
    """Each group is taken as it is or mirrored at the circle; all mirrored is the same filter backwards."""
    choices = []
    for mirrored in product([False, True], repeat=len(groups(order))):
        zeros = [1 / z if outside else z for group, outside in zip(groups(order), mirrored) for z in group]
        choices.append((off_a_line(zeros), made_of(zeros, order)))
    choices.sort(key=lambda choice: choice[0])
    h = pair(f"sym{order}")[0]
    assert min(np.abs(h - best).max() for _, best in choices[:2]) < 1e-9
    print(f"sym{order}: {[round(off, 4) for off, _ in choices[::2][:3]]} rad")
    assert len(choices) == 2 or choices[1][0] < 0.99 * choices[2][0], "it should be the one"


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_coiflet_is_by_far_the_most_symmetric_of_the_solutions(order):
    """Ten Lectures, section 8.2: 6 N taps, orthonormal, 2 N moments of g are 0, and about tap 2 N moments 1 to 2 N - 1 of h."""
    taps, moments = np.arange(6 * order), range(2 * order)
    rows = np.array([*[(-1.0) ** taps * (taps / taps.size - 1 / 3) ** m for m in moments],
                     *[(taps / taps.size - 1 / 3) ** m for m in moments]])
    start = np.linalg.lstsq(rows, np.sqrt(2) * (np.arange(len(rows)) == 2 * order), rcond=None)[0]
    _, sizes, directions = np.linalg.svd(rows)
    free = directions[(sizes > 1e-12 * sizes[0]).sum() :]

    def off(v):
        h = start + v @ free
        return [h[: h.size - 2 * k] @ h[2 * k :] - (k == 0) for k in range(3 * order)]

    rng, found = np.random.default_rng(order), []
    for _ in range(60):
        solved = least_squares(off, rng.normal(size=len(free)), xtol=1e-15, ftol=1e-15, gtol=1e-15)
        h = start + solved.x @ free
        if solved.cost < 1e-20 and all(np.abs(h - other).max() > 1e-6 for other in found):
            found.append(h)
    found.sort(key=asymmetry)
    print(f"coif{order}: asymmetries {[round(asymmetry(h), 4) for h in found]}")
    np.testing.assert_allclose(ORTHONORMAL[f"coif{order}"], found[0], atol=1e-7)
    assert len(found) >= 2 and asymmetry(found[1]) > 10 * asymmetry(found[0])


def asymmetry(h: np.ndarray) -> float:
    """Energy of what is not as its mirror, wherever that is put."""
    return float(2 - 2 * np.abs(np.convolve(h, h)).max())


@pytest.mark.parametrize(("order", "of_h", "at_pi"), [
    ("4.4", lambda y: abs(y.imag) > 1e-6, (4, 4)),
    ("5.5", lambda y: y.real > 0, (4, 6)),
    ("6.8", lambda y: not -0.2 < y.real < 0, (8, 6)),
])  # fmt: skip
def test_filters_that_are_alike_share_the_zeros_of_daubechies_polynomial(order, of_h, at_pi):
    """Cohen, Daubechies, Feauveau, section 6; Ten Lectures, section 8.3."""
    ys = left_of_halfband(sum(at_pi) // 2)
    for half, mine, zeros_at_pi in zip(ALIKE[order], (True, False), at_pi):
        zeros = np.concatenate([np.roots([1, 4 * y - 2, 1]) for y in ys if of_h(y) == mine])
        np.testing.assert_allclose([*half[:0:-1], *half], made_of(zeros, zeros_at_pi), atol=1e-10)


@pytest.mark.parametrize("name", [name for name in BIORTHOGONAL if name[4:] not in ALIKE])
def test_splines_and_what_puts_them_together(name):
    """r is a B-spline; h is symmetric and has M zeros at -1: with its length this and biorthogonality (below) leave one."""
    n, m = map(int, name[4:].split("."))
    h, r = (np.trim_zeros(taps) for taps in pair(name))
    np.testing.assert_allclose(r, np.sqrt(2) / 2**n * np.array([comb(n, i) for i in range(n + 1)]), rtol=1e-15)
    np.testing.assert_array_equal(h, h[::-1])
    assert h.size == n + 2 * m - 1
    assert max(abs(moment(h, power)) for power in range(m)) < 1e-14 < abs(moment(h, m))


def moment(h: np.ndarray, power: int) -> float:
    """Of h with every other sign turned, about its middle, in its lengths."""
    return float((h * (-1.0) ** np.arange(h.size)) @ (np.arange(h.size) / h.size - 0.5) ** power)


# --- how exact they are ---------------------------------------------------------------------------------------


def newton(taps: list[float], conditions) -> np.ndarray:
    """What one step of Newton's adds to taps: residuals are exact, of rationals; of the slopes float64 will do."""
    exact = [Fraction(tap) for tap in taps]
    residuals, slopes = zip(*conditions(exact))
    step, *_ = np.linalg.lstsq(np.array(slopes, float), -np.array([float(r) for r in residuals]), rcond=1e-15)
    return step


def overlap(h: list[Fraction], r: list[Fraction], shift: int) -> Fraction:
    return sum((h[j] * r[j + shift] for j in range(len(h)) if 0 <= j + shift < len(r)), Fraction(0))


def orthonormal(zeros_at_pi: int, centre: int = 0, moments: int = 0):
    def conditions(h):
        size = len(h)
        for shift in range(0, size, 2):
            slope = [float(sum(h[i] for i in (j - shift, j + shift) if 0 <= i < size)) for j in range(size)]
            yield overlap(h, h, shift) - (shift == 0), slope
        for power in range(zeros_at_pi):
            row = [(-1) ** j * Fraction(2 * j - size + 1, size) ** power for j in range(size)]
            yield sum(a * b for a, b in zip(row, h)), row
        for power in range(1, moments):
            row = [Fraction(j - centre, size) ** power for j in range(size)]
            yield sum(a * b for a, b in zip(row, h)), row

    return conditions


def biorthogonal(size: int, at_pi: tuple[int, int]):
    """Of the taps of h, so many, and of r, one after the other; r has its middle where h has it."""

    def conditions(both):
        h, r = both[:size], both[size:]
        off = (len(r) - size) // 2
        for shift in range(-(size - 1), len(r)):
            if (shift - off) % 2 == 0:
                slope = [*[float(r[j + shift]) if 0 <= j + shift < len(r) else 0.0 for j in range(size)],
                         *[float(h[j - shift]) if 0 <= j - shift < size else 0.0 for j in range(len(r))]]
                yield overlap(h, r, shift) - (shift == off), slope
        for first, taps, zeros in ((0, h, at_pi[0]), (size, r, at_pi[1])):
            for power in range(zeros):
                row = [Fraction(0)] * len(both)
                row[first : first + len(taps)] = [(-1) ** j * Fraction(2 * j - len(taps) + 1, len(taps)) ** power for j in range(len(taps))]
                yield sum(a * b for a, b in zip(row, both)), row
            for j in range(len(taps) // 2):
                row = [Fraction(0)] * len(both)
                row[first + j], row[first + len(taps) - 1 - j] = Fraction(1), Fraction(-1)
                yield sum(a * b for a, b in zip(row, both)), row
        yield sum(h) - sum(r), [1] * size + [-1] * len(r)

    return conditions


CONDITIONS = [
    *[(f"db{n}", orthonormal(n)) for n in range(1, 11)],
    *[(f"sym{n}", orthonormal(n)) for n in range(4, 11)],
    *[(f"coif{n}", orthonormal(2 * n, 2 * n, 2 * n)) for n in range(1, 4)],
    ("4.4", biorthogonal(9, (4, 4))), ("5.5", biorthogonal(9, (4, 6))), ("6.8", biorthogonal(17, (8, 6))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "conditions"), CONDITIONS, ids=[name for name, _ in CONDITIONS])
def test_every_typed_tap_is_the_float64_next_to_the_solution(name, conditions):
    taps = np.array(ORTHONORMAL[name] if name in ORTHONORMAL else [tap for half in ALIKE[name] for tap in (*half[:0:-1], *half)])
    away = np.abs(newton(taps.tolist(), conditions)) / np.spacing(np.abs(taps))
    print(f"{name}: a solution is within {away.max():.3f} of a last bit")
    assert away.max() <= 0.501
    wrong = taps.copy()
    wrong[1] += 2 * np.spacing(wrong[1])
    assert (np.abs(newton(wrong.tolist(), conditions)) / np.spacing(np.abs(taps))).max() > 1, "two last bits of one tap are seen"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_taken_apart_can_be_put_together_again(name):
    h, r = pair(name)
    assert h.size % 2 == 0 and abs(h.sum() - 2**0.5) < 1e-15 * h.size and abs(r.sum() - 2**0.5) < 1e-15 * r.size
    for shift in range(0, h.size, 2):
        for a, b in ((h, r), (r, h)):
            assert abs(a[: a.size - shift] @ b[shift:] - (shift == 0)) < 1e-15


def test_names_that_are_one_wavelet():
    assert ALIASES == {"haar": "db1", "sym2": "db2", "sym3": "db3"}
    for name in ("bior1.1", "rbio1.1", "db1"):
        for taps, haar in zip(filters(name), filters("haar")):
            np.testing.assert_array_equal(taps, haar)


def tolerance(name: str) -> float:
    """PyWavelets 1.8 has 12 digits of sym2 to sym8 and of bior4.4 and 5.5, 14 of sym9, sym10 and bior6.8, and all of the others."""
    if name in ("sym9", "sym10") or name.endswith("6.8"):
        return 2e-13
    return 4e-12 if name.startswith("sym") or name.endswith(("4.4", "5.5")) else 3e-16


@pytest.mark.parametrize("name", NAMES)
def test_filters_are_those_of_pywavelets(name):
    pywt = pytest.importorskip("pywt", reason="needs PyWavelets: pip install pywavelets")
    theirs = pywt.Wavelet(name)
    off = 0.0
    for taps, published in zip(filters(name), (theirs.dec_lo, theirs.dec_hi), strict=True):
        assert taps.size == len(published)
        off = max(off, np.abs(taps - published[::-1]).max())
    print(f"{name}: {off:.2g}")
    assert off <= tolerance(name)


@pytest.mark.parametrize("name", [name for name in NAMES if tolerance(name) > 1e-15])
def test_where_pywavelets_has_other_digits_its_own_conditions_say_so(name):
    """Products of h and r that should be 0 and 1 are off by what its taps differ from ours by; those of ours are not."""
    pywt = pytest.importorskip("pywt", reason="needs PyWavelets: pip install pywavelets")
    theirs = pywt.Wavelet(name)
    off = []
    for h, r in (pair(name), (np.array(theirs.dec_lo[::-1]), np.array(theirs.rec_lo))):
        off.append(max(abs(sum(h[: h.size - shift] * r[shift:]) - (shift == 0)) for shift in range(0, h.size, 2)))
    print(f"{name}: ours {off[0]:.1e}, PyWavelets' {off[1]:.1e}")
    assert off[0] < 5e-16 and off[1] > 4 * off[0]


# --- how loud they are ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if name[:4] not in ("bior", "rbio")])
def test_orthonormal_wavelets_are_as_loud_as_their_levels(name):
    for levels in (1, 4, 7):
        assert loudest(name, levels) == pytest.approx(2 ** (levels / 2), rel=1e-14)


@pytest.mark.parametrize("name", [name for name in NAMES if name[:4] in ("bior", "rbio")])
def test_no_window_is_louder_and_one_nearly_is(name):
    """The greatest singular value of each part of a periodic window, where no end is in the way."""
    h, g = filters(name)
    length, most = 256, 0.0
    low = np.eye(length)
    for level in range(1, 5):
        parts = []
        for f in (g, h):
            at = (2 * np.arange(low.shape[1] // 2)[:, None] + np.arange(f.size)) % low.shape[1]
            parts.append(low[:, at] @ f)
            most = max(most, np.linalg.norm(parts[-1], 2) * 2 ** (level / 2))
        low = parts[1]
        print(f"{name}, level {level}: {most:.4f} of {loudest(name, level):.4f}")
        assert 0.91 * loudest(name, level) <= most <= loudest(name, level) * (1 + 1e-12)
