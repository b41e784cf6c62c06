"""Power of every bin of a real FFT.

    y[k] = |X[k]|**2 / size**2 in Q16,   X[k] = sum_i x[i] exp(-2j pi i k / size),   k = 0 .. size/2

x is padded with zeros to `size`.  A constant at full scale, 2**15, gives y[0] = 2**46.  Of a frame of several channels,
[length, channels], each is transformed alone: y is [channels, size/2 + 1].  The integers, on both sides:

    z[i] = x[2i] + j x[2i+1]; Z = DFT of z, size/2 points, decimated in time: one butterfly of 2 or 4 samples without
    products, exact, then radix 4 up to the end; 2 X[k] = Z[k] + Z*[-k] - j W**k (Z[k] - Z*[-k]),  W = exp(-2j pi / size)

precision = 16: mantissas int16 with one exponent a frame.  A stage looks at the largest |Z|**2 and shifts right by the
least s for which no output can pass 32760, so nothing saturates: |out| <= 4 |in| / 2**s (1 + 2**-14.5) + 0.71.  Each output
is rounded once.  Twiddles are Q14, not Q15, because 1.0 is then exact; they leave an error at -85 dB.  No product or sum
is wider than 32 bits.
precision = 32: Z / (size/2) in Q14, int32, a quarter at every stage: |Z| <= 2**29.5 throughout.  Twiddles Q30, products 64
bits of which only the high word is kept.

Signal to noise against float64, of the complex bins and of the amplitude, the worst of all sizes and of 32 frames each (white
noise, sines on and between bins; docs/spectrum.md has every figure, tests/test_spectrum.py measures it again):

    peak                0 dBFS     -20 dBFS     -40 dBFS
    precision = 16       63 dB        61 dB        62 dB
    precision = 32      114 dB        94 dB        74 dB

Source: Cooley and Tukey (1965), radix 4; the split of a real FFT: Sorensen et al., IEEE Trans. ASSP-35 (1987), §II;
block floating point: Oppenheim and Weinstein, Proc. IEEE 60 (1972), §VI.  The choice of the shifts is ours.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import quantize_table, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

SMALLEST, LARGEST = 64, 4096


class Spectrum(Stage):
    """Power of every bin of a real FFT."""

    size: int | None = Field(default=None, ge=SMALLEST, le=LARGEST, description="points, a power of two; the frame's, rounded up")
    precision: Literal[16, 32] = Field(default=32, description="bits of the mantissas; 16 is faster, 32 hears quiet beside loud")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'spectrum' transforms frames of int16 samples, [length] or [length, channels], and is given {x}")
        length, channels = (*x.shape, 1)[:2]
        size = self._size(length)
        half, log2_size = size // 2, size.bit_length() - 1
        radix = 4 if log2_size % 2 else 2
        quarter_stages = (log2_size - 1) // 2 - (radix == 4)
        sine = np.sin(2 * np.pi * np.arange(size) / size)
        table = dict(sine_q14=quantize_table(sine, 14)) if self.precision == 16 else dict(sine_q30=quantize_table(sine, 30))
        scratch = dict(z16=("int16", size)) if self.precision == 16 else dict(z32=("int32", size))
        return Step(
            module=__name__,
            x=(x,),
            y=Signal(
                (*x.shape[1:], half + 1),
                "int64",
                x.rate_hz,
                x.scale**2 / 2**16,
                unit=f"{x.unit}²" if x.unit else "",
                bin_hz=x.sample_hz / size if x.sample_hz else None,
            ),
            params=dict(precision=self.precision, length=length, channels=channels, size=size, log2_size=log2_size, radix=radix),
            tables=dict(order=digits_reversed(half // radix).astype(np.uint16), **table),
            scratch=scratch,
            cost={
                "mul" if self.precision == 16 else "mul64": channels * half * (3 * quarter_stages + 4),
                "add": channels * half * (6 * quarter_stages + 12),
                "mem": channels * 4 * half * (quarter_stages + 2),
            },
            says=f"power of {f'{channels} times ' * (channels > 1)}{half + 1} bins, {size}-point FFT of {self.precision} bits",
        )

    def _size(self, length: int) -> int:
        fits = max(SMALLEST, 1 << (length - 1).bit_length())
        if fits > LARGEST:
            raise AppError(
                (), f"a frame of {length} samples is longer than the largest FFT, {LARGEST}", f"a frame of {LARGEST} samples or fewer"
            )
        if self.size is None:
            return fits
        if self.size & (self.size - 1):
            raise AppError(("size",), f"size = {self.size} is not a power of two", f"size = {max(fits, 1 << (self.size - 1).bit_length())}")
        if self.size < length:
            raise AppError(("size",), f"size = {self.size} is less than the frame, {length} samples", f"size = {fits}")
        return self.size

    def ideal(self, x, blocks):
        size = self._size(x[0].shape[0])
        return np.abs(np.fft.rfft(by_channel(blocks), size)) ** 2 / size**2


BOUND = 2.0**26, 2.0**-8  # counts (of 2**46), relative: with 16 bits |X| / size errs by d <= 2 counts of x, y by 2 |X| d / size + d**2
BATCHED = True

LIMIT = 8190  # 4 * LIMIT is the largest |Z| a stage may leave, with the room for its rounding below 32767
FRACTION = 13  # bits below the point inside a butterfly of 16 bits: 4 * 32762 * 2**13 < 2**31
SAMPLES_AT_ONCE = 2**16  # that numpy works on together: what stays in a cache


def digits_reversed(count: int) -> np.ndarray:
    """Indices 0 .. count-1 (count is a power of 4) with their base-4 digits in reverse."""
    order = np.zeros(1, np.int64)
    while order.size < count:
        order = (order * 4 + np.arange(4)[:, None]).ravel()
    return order


def by_channel(x) -> np.ndarray:
    """Frames [n, length] as they are, [n, length, channels] as [n, channels, length]."""
    return x.swapaxes(1, 2) if x.ndim == 3 else x


def run(k, s, x):
    frames = by_channel(x)
    return powers(k, frames.reshape(-1, k.length)).reshape(*frames.shape[:-1], -1)


def powers(k, x) -> np.ndarray:
    """Of frames of one channel, [n, length]."""
    y = np.empty((len(x), k.size // 2 + 1), np.int64)
    step = max(1, SAMPLES_AT_ONCE // k.size)
    for i in range(0, len(x), step):
        re, im, exponent = bins(k, x[i : i + step])
        y[i : i + step] = (power32(re, im) if k.precision == 32 else power16(re, im, 2 * exponent + 10 - 2 * k.log2_size)).T
    return y


def bins(k, x) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(re, im, exponent) of frames x [n, length]: X / size in Q14 (32 bits; exponent 0), or 8 X / 2**exponent (16 bits).

    re and im are [size/2 + 1, n], exponent [n]; from here on frames are the last axis, where numpy is quick.  Above size/4
    it is the conjugate, as the split leaves it.
    """
    z = np.zeros((k.size, len(x)), np.int32)
    z[: k.length] = x.T
    if k.precision == 16:
        return bins16(k, z[::2], z[1::2])
    re, im = bins32(k, z[::2], z[1::2])
    return re, im, np.zeros(len(x), np.int64)


def complex_bins(k, x) -> np.ndarray:
    """X / size in counts of x, as the integers have it: what the signal-to-noise ratio is measured on; [n, size/2 + 1]."""
    re, im, exponent = bins(k, x)
    im[k.size // 4 + 1 :] *= -1
    return ((re + 1j * im) * (2.0**-14 if k.precision == 32 else 2.0 ** (exponent - 3) / k.size)).T


# --- 32 bits --------------------------------------------------------------------------------------------------


def bins32(k, re, im):
    sine = k.sine_q30.astype(np.int64)
    re, im = (part.astype(np.int64) << (12 if k.radix == 4 else 13) for part in first_butterfly(k, re, im))
    for quarter in quarters(k):
        a, b, c, d = twiddled(k, sine, re, im, quarter)
        a = tuple(rshift(part, 2) for part in a)
        b, c, d = (tuple(rshift(part, 32) for part in z) for z in (b, c, d))
        re, im = butterfly(a, b, c, d)
    (even_r, even_i), odd = split(re, im)
    odd_r, odd_i = rotated(k, sine, *odd)
    return halves(rshift(even_r, 2), rshift(even_i, 2), rshift(odd_r, 32), rshift(odd_i, 32))


def power32(re, im):
    return rshift(re * re + im * im, 12)


# --- 16 bits, block floating point ----------------------------------------------------------------------------


def bins16(k, re, im):
    sine = k.sine_q14.astype(np.int32)
    shift = exponent = least_shift(re.astype(np.int64) ** 2 + im.astype(np.int64) ** 2, -12) - (k.radix == 2)
    re, im = (rounded(part << FRACTION, shift + FRACTION) for part in first_butterfly(k, re, im))
    for quarter in quarters(k):
        shift = least_shift(re * re + im * im, 0)
        exponent = exponent + shift
        a, b, c, d = twiddled(k, sine, re, im, quarter)
        a = tuple(part << FRACTION for part in a)
        b, c, d = (tuple(part >> 1 for part in z) for z in (b, c, d))
        re, im = (rounded(part, shift + FRACTION) for part in butterfly(a, b, c, d))
    (even_r, even_i), odd = split(re, im)
    odd_r, odd_i = rotated(k, sine, *odd)
    re, im = halves(even_r << FRACTION, even_i << FRACTION, odd_r >> 1, odd_i >> 1)
    return (re + 1024) >> 11, (im + 1024) >> 11, exponent


def least_shift(squares, lowest: int) -> np.ndarray:
    """The least s >= `lowest` with 4 |Z| / 2**s <= 4 * LIMIT, of each frame; `squares` are all |Z|**2."""
    limits = (LIMIT * LIMIT * 16) >> (2 * np.arange(3 - lowest))
    return (3 - (squares.max(0) <= limits[:, None]).sum(0)).astype(np.int32)


def rounded(v, shift):
    """v / 2**shift to nearest, halves towards +infinity, in 32 bits."""
    return (v + ((np.int32(1) << shift) >> 1)) >> shift


def power16(re, im, shift):
    """(re**2 + im**2) * 2**shift; a large bin is first rounded to 15 bits, so that the squares stay within 32."""
    size = np.abs(re) | np.abs(im)
    wide = sum(((size >> n) > 0).astype(np.int32) for n in range(15, 20))
    re, im = (rounded(part, wide).astype(np.int64) for part in (re, im))
    squares, shift = re * re + im * im, shift + 2 * wide
    return np.where(shift < 0, rshift(squares, np.maximum(-shift, 0)), squares << np.maximum(shift, 0))


# --- what both have in common ---------------------------------------------------------------------------------


def first_butterfly(k, re, im):
    """DFTs of 2 or 4 pairs of samples, in the order in which the next stages want them: (re, im), [size/2, n]."""
    at = k.order.astype(np.int64) + np.arange(k.radix)[:, None] * (k.size // 2 // k.radix)
    re, im = re[at], im[at]
    if k.radix == 4:
        return butterfly(*zip(re[:, :, None], im[:, :, None]))
    return tuple(np.stack([part[0] + part[1], part[0] - part[1]], 1).reshape(k.size // 2, -1) for part in (re, im))


def quarters(k) -> list[int]:
    """For each stage of radix 4, the points of the DFTs that it joins."""
    return [quarter for quarter in (k.radix << 2 * i for i in range(6)) if quarter < k.size // 2]


def twiddled(k, sine, re, im, quarter):
    """The four inputs of all butterflies, each (re, im) [groups, quarter, n]; all but the first times W**(r j), unrounded."""
    shape = (-1, 4, quarter, re.shape[1])
    re, im = re.reshape(shape), im.reshape(shape)
    angles = (r * k.size // (4 * quarter) * np.arange(quarter) for r in (1, 2, 3))
    return [(re[:, 0], im[:, 0]), *(turned(k, sine, re[:, r], im[:, r], angle) for r, angle in enumerate(angles, 1))]


def turned(k, sine, re, im, angle):
    """(re + j im) W**angle, unrounded."""
    cos, sin = sine[angle + k.size // 4, None], sine[angle, None]
    return re * cos + im * sin, im * cos - re * sin


def butterfly(a, b, c, d):
    """DFTs of four: of (re, im) [groups, quarter, n] each, side by side as [points, n]."""
    sum_r, sum_i, difference_r, difference_i = a[0] + c[0], a[1] + c[1], a[0] - c[0], a[1] - c[1]
    other_r, other_i, turn_r, turn_i = b[0] + d[0], b[1] + d[1], b[0] - d[0], b[1] - d[1]
    re = [sum_r + other_r, difference_r + turn_i, sum_r - other_r, difference_r - turn_i]
    im = [sum_i + other_i, difference_i - turn_r, sum_i - other_i, difference_i + turn_r]
    return tuple(np.stack(parts, 1).reshape(-1, sum_r.shape[-1]) for parts in (re, im))


def split(re, im):
    """((re, im) of Z[k] + Z*[-k], (re, im) of -j (Z[k] - Z*[-k])) for k = 0 .. size/4: twice the DFTs of even and odd samples."""
    up = np.arange(len(re) // 2 + 1)
    return (re[up] + re[-up], im[up] - im[-up]), (im[up] + im[-up], re[-up] - re[up])


def rotated(k, sine, re, im):
    """(re + j im) W**k for k = 0 .. size/4."""
    return turned(k, sine, re, im, np.arange(k.size // 4 + 1))


def halves(even_r, even_i, odd_r, odd_i):
    """All bins from the lower half's even and turned odd parts: X[k] = even + odd, X*[size/2 - k] = even - odd."""
    return tuple(np.concatenate([even + odd, (even - odd)[-2::-1]]) for even, odd in ((even_r, odd_r), (even_i, odd_i)))


def _examples():
    from fractions import Fraction

    def frame(*shape):
        return Signal(shape, "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))

    return [
        (Spectrum(precision=16), frame(33)),  # padded, an odd length, radix 2 first
        (Spectrum(precision=32), frame(64)),
        (Spectrum(precision=16, size=128), frame(128)),  # radix 4 first
        (Spectrum(size=512), frame(400)),
        (Spectrum(precision=16, size=1024), frame(960)),
        (Spectrum(), frame(100, 3)),
        (Spectrum(precision=16), frame(33, 2)),
        (Spectrum(precision=16, size=64), frame(64, 1)),
    ]


EXAMPLES = _examples()
