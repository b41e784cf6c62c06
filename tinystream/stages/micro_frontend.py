"""Log energies of mel bands with noise reduction and gain control: the audio front end that wake-word models are trained on.

For frame j, the samples x[0 .. length-1] of the stream from j * block on, N the next power of two, int16 unless it says more:

    v[i]   = (x[i] * window[i]) >> 12,   window Hann, Q12;   v *= 2**shift, so that the largest |v| has 15 bits
    X      = FFT of v, zeros behind, as kissfft computes it with 16-bit numbers: X / N, rounded at every pass
    E[b]   = re(X[b])**2 + im(X[b])**2
    a[c]   = round(sqrt(sum of E[b] * triangle[c, b])) >> shift,   triangles of height 2**12, mel = 1127 ln(1 + f / 700)
    n[c]   = (s * a[c] * 2**smoothing_bits + (2**14 - s) * n[c]) >> 14,   the noise; s even or odd smoothing by c, Q14
    a[c]   = max(a[c] - n[c] / 2**smoothing_bits, a[c] * min_signal_remaining),   without noise reduction a[c]
    r      = a[c] * gain(n[c]) >> snr_shift,   gain = 2**gain_bits * (n + pcan_offset)**-pcan_strength; Q12
    a[c]   = r**2 / 4 where r < 2, else r - 1;   Q6;   without pcan a[c]
    y[c]   = ln(a[c] * N / 64) * 2**log_scale_shift,   at least 0; without log a[c]; at most 65535

gain is a parabola through three points in every octave, ln a table of 128 segments.  What wraps at 16 or 32 bits in the
original wraps here: kissfft's sums can, at full scale.  Frames are those of the original: frame j starts at j * block, so
the window (30 ms) and block (10 ms) of microWakeWord and ESPHome give the first y at the end of the third block.

Bit for bit the legacy front end of TensorFlow Lite Micro (tensorflow/lite/experimental/microfrontend, kissfft with
FIXED_POINT=16), as the package pymicro-features builds it; windows of 33 to 2048 samples.  With tables = "float64", that of
Silicon Labs' MLTK without its additions (dc_notch, activity detection); with "signal", TFLM's audio_preprocessor_int8.tflite.
Source of the gain control: Wang, Getreuer, Hughes, Lyon, Saurous, Trainable Frontend For Robust and Far-Field Keyword
Spotting, ICASSP 2017.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class MicroFrontend(Stage):
    """Log energies of mel bands with noise reduction and gain control, as wake-word models want them.

    A frame comes with every block, so the source's block is the hop: block_ms = 10 for microWakeWord and ESPHome, 20 for
    micro_speech (with 30 ms and 40 bands as here).
    """

    window_ms: float = Field(default=30, gt=0, description="length of a frame; the next one starts a block later")
    bands: int = Field(default=40, ge=1, le=256, description="how many triangles on the mel scale")
    low_hz: float = Field(default=125, ge=0, description="where the first triangle begins")
    high_hz: float = Field(default=7500, gt=0, description="where the last triangle ends")
    noise_reduction: bool = Field(default=True, description="subtract the estimated noise of each band")
    smoothing_bits: int = Field(default=10, ge=0, le=11, description="fractional bits of the noise estimate")
    even_smoothing: float = Field(default=0.025, ge=0, le=1, description="how fast the noise estimate of bands 0, 2, 4 … follows")
    odd_smoothing: float = Field(default=0.06, ge=0, le=1, description="how fast the noise estimate of bands 1, 3, 5 … follows")
    min_signal_remaining: float = Field(default=0.05, ge=0, le=1, description="part of a band that noise reduction never takes")
    pcan: bool = Field(default=True, description="divide by a power of the estimated noise (per-channel amplitude normalisation)")
    pcan_strength: float = Field(default=0.95, ge=0, le=1, description="that power")
    pcan_offset: float = Field(default=80, gt=0, description="added to the noise before")
    gain_bits: int = Field(default=21, ge=0, le=31, description="fractional bits of the gain")
    log: bool = Field(default=True, description="take the logarithm")
    log_scale_shift: int = Field(default=6, ge=0, le=11, description="counts for a factor of e, as a power of two")
    tables: Literal["float32", "float64", "signal"] = Field(
        default="float32",
        description="how the original computes window and bands: float64 in Silicon Labs' MLTK, signal in TFLM's signal library")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or len(x.shape) != 1 or x.sample_hz is None:
            raise AppError((), f"stage 'micro_frontend' takes one channel of int16 samples, and is given {x}")
        length = self._length(x.size, x.sample_hz)
        points = 1 << (length - 1).bit_length()
        correction_bits = points.bit_length() - 1 - 6
        edge, weight, unweight = self._triangles(x.sample_hz, points)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((self.bands,), "uint16", x.rate_hz, *self._scale()),
            params=dict(
                block=x.size,
                kept=(length - 1) // x.size * x.size,
                length=length,
                half=points // 2,
                radix=first_radix(points // 2),
                bands=self.bands,
                smoothing_bits=self.smoothing_bits,
                even_smoothing=q14(self.even_smoothing),
                odd_smoothing=q14(self.odd_smoothing),
                min_signal_remaining=q14(self.min_signal_remaining if self.noise_reduction else 1),
                pcan=int(self.pcan),
                snr_shift=self.gain_bits - correction_bits - SNR_BITS if self.pcan else 0,
                log=int(self.log),
                correction_bits=correction_bits,
                log_scale_shift=self.log_scale_shift,
            ),
            tables=dict(
                window=hann_q12(length, self.tables),
                order=reading_order(points // 2),
                twiddle=twiddles(points // 2),
                split=split_twiddles(points // 2),
                edge=edge,
                weight=weight,
                unweight=unweight,
                **({"gain": self._gain(correction_bits)} if self.pcan else {}),
                **({"log2": LOG2_ABOVE_CHORD} if self.log else {}),
            ),
            state=dict(past=np.zeros((length - 1) // x.size * x.size, np.int16), noise=np.zeros(self.bands, np.uint32), seen=0),
            scratch=dict(frame=("int16", points), re=("int16", points // 2), im=("int16", points // 2)),
            waits=True,
            cost=dict(mul=length + 12 * points + 4 * len(weight) + 10 * self.bands, add=20 * points, mem=24 * points),
            says=f"{self.window_ms:g} ms, FFT of {points}, {self.bands} bands of {self.low_hz:g}-{self.high_hz:g} Hz"
            + ", noise reduction" * self.noise_reduction + ", PCAN" * self.pcan + ", log" * self.log,
        )

    def _scale(self) -> tuple[float, int, str]:
        """Of one count: models are trained on counts / 25.6, whatever the shift; without logarithm there is no custom."""
        return (2.5 / 2**self.log_scale_shift, 0, "log energy") if self.log else (1.0, 0, "energy")

    def _length(self, block: int, sample_hz: Fraction) -> int:
        """Of the window, in samples."""
        exact = Fraction(str(self.window_ms)) * sample_hz / 1000
        block_ms, good_ms = 1000 * block / float(sample_hz), 1000 * min(max(2 * block, 64), 2048) / float(sample_hz)
        if exact.denominator != 1:
            raise AppError(("window_ms",), f"window_ms = {self.window_ms:g} is {float(exact):g} samples at {float(sample_hz):g} Hz,"
                           " not a whole number", f"window_ms = {float(round(exact) * 1000 / sample_hz):.6g}")
        if not 32 < exact <= 2048:
            raise AppError(("window_ms",), f"window_ms = {self.window_ms:g} is {int(exact)} samples at {float(sample_hz):g} Hz,"
                           " outside 33 to 2048", f"window_ms = {good_ms:.6g}")
        if exact <= block:
            raise AppError(("window_ms",), f"window_ms = {self.window_ms:g} is not longer than the block, {block_ms:g} ms:"
                           " its frames would not overlap", f"window_ms = {good_ms:.6g}")
        return int(exact)

    def _triangles(self, sample_hz: Fraction, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(edge, weight, unweight) of triangles(), or what is wrong with the bands."""
        highest_hz = float(sample_hz) * 15 / 32
        if self.low_hz >= self.high_hz:
            raise AppError(("high_hz",), f"high_hz = {self.high_hz:g} is not above low_hz = {self.low_hz:g}", f"high_hz = {highest_hz:g}")
        found = triangles(self.bands, self.low_hz, self.high_hz, sample_hz, points, self.tables)
        if found[0][-1] > points // 2:
            raise AppError(("high_hz",), f"high_hz = {self.high_hz:g} is not below half the sample rate, {float(sample_hz) / 2:g} Hz",
                           f"high_hz = {highest_hz:g}")
        if (deaf := deaf_bands(*found)):
            limits = self.low_hz, self.high_hz, sample_hz, points, self.tables
            fewer = next((n for n in range(self.bands - 1, 0, -1) if not deaf_bands(*triangles(n, *limits))), None)
            raise AppError(("bands",), f"band {deaf[0]} of {self.bands} covers no bin of an FFT of {points},"
                           f" {float(sample_hz) / points:g} Hz apart",
                           f"bands = {fewer}, or a longer window_ms" if fewer else f"high_hz = {highest_hz:g}")
        return found

    def _gain(self, correction_bits: int) -> np.ndarray:
        """The table of gain_at(), or what is wrong with the gain."""
        low = SNR_BITS + correction_bits
        if self.gain_bits < low:
            raise AppError(("gain_bits",), f"gain_bits = {self.gain_bits} is below {low}, which this window needs",
                           f"gain_bits = {max(low, 21)}")
        if self.smoothing_bits < correction_bits:
            raise AppError(("smoothing_bits",), f"smoothing_bits = {self.smoothing_bits} is below {correction_bits},"
                           " which this window needs", "smoothing_bits = 10")
        highest = 2.0**self.gain_bits * self.pcan_offset**-self.pcan_strength
        if highest > GAIN_LIMIT:
            bits = self.gain_bits - int(np.ceil(np.log2(highest / GAIN_LIMIT)))
            offset = np.ceil((2.0**self.gain_bits / GAIN_LIMIT) ** (1 / max(self.pcan_strength, 0.1)))
            raise AppError(("gain_bits",), f"gain_bits = {self.gain_bits} makes the gain at no noise {highest:.0f}, above {GAIN_LIMIT}",
                           f"gain_bits = {bits}" if bits >= low else f"pcan_offset = {offset:.0f}")
        return gain_octaves(self.gain_bits, self.pcan_offset, self.pcan_strength, self.smoothing_bits - correction_bits)

    def ideal(self, x, blocks):
        samples, hop, hz = blocks.ravel() / x[0].scale, x[0].size, float(x[0].sample_hz)
        length = round(self.window_ms * hz / 1000)
        points = 2 ** int(np.ceil(np.log2(length)))
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
        corners = 700 * np.expm1(np.linspace(np.log1p(self.low_hz / 700), np.log1p(self.high_hz / 700), self.bands + 2))
        bins_hz = np.arange(points // 2 + 1) * hz / points
        place = np.interp(np.log1p(bins_hz / 700), np.log1p(corners / 700), np.arange(self.bands + 2), left=-1, right=-1)
        weights = np.clip(1 - np.abs(place[:, None] - 1 - np.arange(self.bands)), 0, 1)
        weights[bins_hz < self.low_hz + hz / points / 2] = 0            # no constant part, no half-covered first bin
        rate = np.where(np.arange(self.bands) % 2, self.odd_smoothing, self.even_smoothing)
        noise, y = np.zeros(self.bands), []
        for start in range(0, samples.size - (length - 1) // hop * hop - hop + 1, hop):
            power = np.abs(np.fft.rfft(samples[start : start + length] * window, points) / points) ** 2
            signal = 64 * np.sqrt(power @ weights)                      # Q6 of an int16 amplitude
            noise = rate * signal + (1 - rate) * noise
            if self.noise_reduction:
                signal = np.maximum(signal - noise, self.min_signal_remaining * signal)
            if self.pcan:
                ratio = signal * points / 64 * (noise * points / 64 + self.pcan_offset) ** -self.pcan_strength
                signal = 64 * np.where(ratio < 2, ratio**2 / 4, ratio - 1)
            y.append(np.log(np.maximum(signal * points / 64, 1)) * 2.5 if self.log else np.minimum(signal, 65535))
        return np.array(y)


BOUND = 140.0
"""Counts.  Where a band is all but silent, PCAN leaves 0 or 1 of its Q6, and ln(8) * 64 = 133 counts lie between; a band
that is loud is far closer, and test_micro_frontend holds it to that."""
SNR_BITS = 12           # of the ratio of signal to noise, before it is compressed
GAIN_LIMIT = 32767      # an int16; beyond it the original flattens the gain, and its parabola can wrap


# --- plan time: the tables, rounded as the original rounds them ----------------------------------------------------
#
# The original computes them in float32.  cos and pow are those of float64 here, rounded once: what a good float32 libm
# gives.  log1p is not so: see below.  `tables` = "float64": what C promotes to double where constants have no f behind;
# "signal": the Python of the signal library, which cuts weights off and has its window all in float64.


def q14(part: float) -> int:
    """A part of one in Q14, cut off."""
    return int(np.float32(part) * np.float32(1 << 14))


def hann_q12(length: int, tables: str) -> np.ndarray:
    """0.5 - 0.5 cos(2 pi (i + 0.5) / length) in Q12; cos takes and gives float32, but for "signal"."""
    if tables == "signal":
        return np.rint((0.5 - 0.5 * np.cos(2 * np.pi / length * (np.arange(length) + 0.5))) * 4096).astype(np.int16)
    real = np.dtype(tables).type
    phase = (real(np.float32(2 * np.pi / length)) * (np.arange(length, dtype=real) + real(0.5))).astype(np.float32)
    value = (real(0.5) - real(0.5) * np.cos(phase.astype(np.float64)).astype(np.float32)).astype(np.float32)
    return q12(value, tables).astype(np.int16)


def q12(value: np.ndarray, tables: str) -> np.ndarray:
    """To nearest, halves up; "signal" cuts off."""
    if tables == "signal":
        return np.floor(value * np.float32(4096))
    real = np.dtype(tables).type
    return np.floor(value.astype(real) * real(4096) + real(0.5))


def mel(hz: ArrayLike, tables: str) -> np.ndarray:
    """1127 ln(1 + hz / 700), as float32."""
    if tables == "float64":
        return (1127 * np.log1p(np.array(hz, np.float32).astype(np.float64) / 700)).astype(np.float32)
    return np.float32(1127) * log1p_float32(np.array(hz, np.float32) / np.float32(700))


def log1p_float32(x: np.ndarray) -> np.ndarray:
    """ln(1 + x) for 0 <= x < 2**23, by the formula of log1pf in fdlibm, in float32 all through.

    newlib (ESP32, Arm) and glibc before 2.41 compute it so, and it is off by a bit here and there, which turns a few
    weights by one count.  So the mel scale that models were trained on, and are deployed with, has these bits.
    Source: Ng, Sun Microsystems, s_log1p.c, 1993: 1 + x = 2**k (1 + f), f of -0.3 to 0.41, s = f / (2 + f),
    ln(1 + f) = f - f**2/2 + s (f**2/2 + R(s**2)).
    """
    one, half = np.float32(1), np.float32(0.5)
    u = one + x
    mantissa, exponent = np.frexp(u)                                        # fdlibm's 1 .. 2 is 2 mantissa, 2**(exponent - 1)
    small = x < np.float32(0.41421357)
    above = mantissa * 2 >= np.float32(1.4142132)                           # then half of it, times 2
    k = np.where(small, 0, exponent - 1 + above).astype(np.float32)
    f = np.where(small, x, np.where(above, mantissa, mantissa * 2) - one)
    lost = np.where(exponent > 1, one - (u - x), x - (u - one)) / u          # what rounding 1 + x took
    square, s = half * f * f, f / (2 + f)
    z, series = s * s, np.float32(0)
    for coefficient in (0.14798198640, 0.15313838422, 0.18183572590, 0.22222198546, 0.28571429849, 0.40000000596, 0.66666668653):
        series = z * (np.float32(coefficient) + series)
    low, high = k * np.float32(9.0580006145e-06) + lost, k * np.float32(6.9313812256e-01)
    return np.where(small, np.where(x < 2.0**-15, x - x * x * half, f - (square - s * (square + series))),
                    high - ((square - (s * (square + series) + low)) - f)).astype(np.float32)


def triangles(
    bands: int, low_hz: float, high_hz: float, sample_hz: Fraction, points: int, tables: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(edge, weight, unweight): bins edge[i] .. edge[i + 1] - 1 lie between corners i and i + 1 of bands + 2 corners.

    A bin's weight is its share in band i - 1 (whose last corner comes next), its unweight that in band i; Q12 both,
    one a bin from edge[0] on.
    """
    low, high = mel([low_hz, high_hz], tables)
    corner = low + (high - low) / np.float32(bands + 1) * np.arange(1, bands + 2, dtype=np.float32)
    bin_hz = np.float32(float(sample_hz) / points)
    first = int(np.float32(1.5) + np.float32(low_hz) / bin_hz)
    at = mel(np.arange(first, points, dtype=np.float32) * bin_hz, tables)
    edge = first + np.append(0, np.searchsorted(at, corner, side="right"))
    start = np.append(low, corner[:-1])
    which = np.repeat(np.arange(bands + 1), np.diff(edge))
    weight = (corner[which] - at[: which.size]) / (corner[which] - start[which])
    other = 1 - weight.astype("float64" if tables == "float64" else "float32")
    rising, falling = (q12(w, tables).astype(np.uint16) for w in (weight, other))
    return edge.astype(np.uint16), rising, falling


def deaf_bands(edge: np.ndarray, weight: np.ndarray, unweight: np.ndarray) -> list[int]:
    """The bands whose triangle has no bin in it."""
    at = edge.astype(np.int64) - edge[0]
    return [i for i in range(at.size - 2) if not unweight[at[i] : at[i + 1]].any() and not weight[at[i + 1] : at[i + 2]].any()]


def gain_octaves(gain_bits: int, offset: float, strength: float, input_bits: int) -> np.ndarray:
    """2**gain_bits * (n / 2**input_bits + offset)**-strength: for n of i bits the row [value, slope, curve], i = 0 .. 32.

    The parabola passes the gain at the start, the middle and the end of the octave.
    """
    def at(n: int) -> int:
        base = np.float32(n) / np.float32(1 << input_bits) + np.float32(offset)
        return int(np.float32(2.0**gain_bits) * np.float32(float(base) ** -float(np.float32(strength))) + np.float32(0.5))

    rows = [(at(0), 0, 0), (at(1), 0, 0)]
    for bits in range(2, 33):
        start, middle, end = at(1 << (bits - 1)), at(3 << (bits - 2)), at((1 << bits) - (bits == 32))
        slope = 4 * (middle - start) - (end - start)
        rows.append((start, slope, end - start - slope))
    return np.array(rows, np.int16)


def first_radix(half: int) -> int:
    """Of the first pass: 4, or 2 where the number of points is not a power of 4; all other passes have 4."""
    return 4 if half.bit_length() % 2 else 2


def reading_order(half: int) -> np.ndarray:
    """Where each butterfly of the first pass finds its first point; the others follow half / radix further on each.

    kissfft divides the time by 4 again and again, so the digits of the place to base 4 come out in reverse.
    """
    count = half // first_radix(half)
    return np.arange(count).reshape((4,) * ((count.bit_length() - 1) // 2)).transpose().astype(np.uint16).ravel()


def unit_circle(turns: np.ndarray) -> np.ndarray:
    """[cos, sin] of `turns` in Q15; 1.0 is 32767."""
    return np.floor(0.5 + 32767 * np.array([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)])).astype(np.int16)


def twiddles(half: int) -> np.ndarray:
    """For the passes of radix 4 after the first, of m = radix, 4 radix … half / 4: cos then sin [m] of each of three inputs."""
    m, passes = first_radix(half), []
    while m < half:
        passes.append(np.array([unit_circle(-n * np.arange(m) / (4 * m)) for n in (1, 2, 3)]).ravel())
        m *= 4
    return np.concatenate(passes)


def split_twiddles(half: int) -> np.ndarray:
    """cos then sin, for bins 1 .. half / 2, of what turns two interleaved real halves into one spectrum."""
    return unit_circle(-(np.arange(1, half // 2 + 1) / half + 0.5) / 2).ravel()


LOG2_ABOVE_CHORD = np.append(np.rint(2**16 * (np.log2(1 + np.arange(128) / 128) - np.arange(128) / 128)), 0).astype(np.uint16)
"""How far log2(1 + t) lies above t, in Q16, at t = i / 128."""


# --- the definition ------------------------------------------------------------------------------------------------
#
# All but the noise estimate is written for many frames at a time, [n, …]; run() gives one.


def run(k, s, x):
    stream = np.concatenate([s.past, x])
    s.past[:] = stream[k.block :]
    s.seen += k.block
    if s.seen <= k.kept:
        return None
    s.seen = k.kept
    signal = amplitudes(k, stream[None, : k.length])
    track(k, s.noise, signal[0])
    return compress(k, signal, s.noise[None])[0]


def run_many(k, s, x):
    """The same for many blocks: all but the noise estimate, which follows itself, is one batch."""
    stream = np.concatenate([s.past, x.ravel()])
    seen = s.seen + k.block * np.arange(1, len(x) + 1)
    fired = seen > k.kept
    s.past[:] = stream[len(stream) - k.kept :]
    s.seen = min(int(seen[-1]), k.kept)
    frames = np.lib.stride_tricks.sliding_window_view(stream, k.length)[:: k.block][: len(x)][fired]
    y = np.empty((len(frames), k.bands), np.uint16)
    for start in range(0, len(frames), 128):                                # bounds the memory, and stays in the cache
        signal = amplitudes(k, frames[start : start + 128])
        estimates = np.empty(signal.shape, np.uint32)
        for i, now in enumerate(signal):
            track(k, s.noise, now)
            estimates[i] = s.noise
        y[start : start + 128] = compress(k, signal, estimates)
    return fired, y


def amplitudes(k, frames: np.ndarray) -> np.ndarray:
    """int16 [n, length] -> int64 [n, bands], Q6: window, spectrum, bands, root."""
    v = ((frames.astype(np.int32) * k.window) >> 12).astype(np.int16)
    shift = 15 - np.frexp(np.abs(v).max(axis=1, initial=0))[1]              # -32768 has no int16 magnitude and never counts
    padded = np.zeros((len(v), 2 * k.half), np.int16)
    padded[:, : k.length] = v.astype(np.int32) << shift[:, None]
    power = bin_powers(k, spectrum(k, padded))
    share = np.cumsum(np.array([power * k.weight, power * k.unweight]), axis=2)
    corner = np.concatenate([np.zeros((2, len(v), 1), np.int64), share], axis=2)[:, :, k.edge.astype(np.int64) - k.edge[0]]
    rise, fall = np.diff(corner, axis=2)
    return rounded_root(rise[:, 1:] + fall[:, :-1]) >> shift[:, None]


def rounded_root(x: np.ndarray) -> np.ndarray:
    """sqrt(x) to nearest for 0 <= x < 2**52; below 2**32 it is a 16-bit number, at most 65535."""
    root = np.floor(np.sqrt(x.astype(np.float64))).astype(np.int64)
    root += x - root * root > root
    return np.where(x < 1 << 32, np.minimum(root, 65535), root)


def track(k, noise: np.ndarray, signal: np.ndarray) -> None:
    """One step of the noise estimate of each band, in place."""
    now = (signal << k.smoothing_bits) & 0xFFFFFFFF
    for odd, smoothing in enumerate((k.even_smoothing, k.odd_smoothing)):
        noise[odd::2] = (now[odd::2] * smoothing + noise[odd::2].astype(np.int64) * (16384 - smoothing)) >> 14


def compress(k, signal: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Amplitudes and noise estimates [n, bands] -> y [n, bands]."""
    now, noise = (signal << k.smoothing_bits) & 0xFFFFFFFF, noise.astype(np.int64)
    y = np.maximum((now - np.minimum(noise, now)) >> k.smoothing_bits, signal * k.min_signal_remaining >> 14)
    if k.pcan:
        ratio = (y * gain_at(k.gain, noise) >> k.snr_shift) & 0xFFFFFFFF
        y = np.where(ratio < 8192, np.minimum(ratio, 8192) ** 2 >> 20, (ratio >> 6) - 64)
    if k.log:
        y = logarithm(k, (y << k.correction_bits) & 0xFFFFFFFF)
    return np.minimum(y, 65535).astype(np.uint16)


def gain_at(table: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The parabola of noise's octave, 10 bits into it."""
    bits = np.frexp(noise.astype(np.float64))[1]
    value, slope, curve = np.moveaxis(table[bits].astype(np.int64), -1, 0)
    frac = (noise << 11 >> bits) & 1023
    return value + (((curve * frac >> 5) + slope * 32) * frac + (1 << 14) >> 15)


def logarithm(k, x: np.ndarray) -> np.ndarray:
    """ln(x) * 2**log_scale_shift; 0 for x = 0."""
    bits = np.frexp(np.maximum(x, 1).astype(np.float64))[1] - 1
    frac = (np.maximum(x, 1) << 16 >> bits) & 65535
    segment = frac >> 9
    above = k.log2[segment].astype(np.int64)
    log2 = (bits << 16) + frac + above + ((k.log2[segment + 1] - above) * (frac & 511) >> 16)
    return ((45426 * log2 + 32768 >> 16 << k.log_scale_shift) + 32768) >> 16


# --- the FFT of kissfft: every pass divides by its radix, rounds, and rounds each product; sums wrap at 16 bits ---


def spectrum(k, x: np.ndarray) -> np.ndarray:
    """int16 [n, 2 half] -> int16 [2, n, half], real and imaginary parts of bins 1 .. half - 1, over 2 half."""
    first = k.order[:, None] + np.arange(k.radix) * (k.half // k.radix)
    z = x.reshape(len(x), k.half, 2)[:, first].transpose(3, 0, 1, 2)
    z = butterfly(scaled(z, k.radix)[..., None], k.radix)
    m, told = k.radix, 0
    while m < k.half:
        w = k.twiddle[told : told + 6 * m].reshape(3, 2, m).transpose(1, 0, 2)
        z = scaled(z.reshape(2, len(x), -1, 4, m), 4)
        z[:, :, :, 1:] = product(z[:, :, :, 1:], w)
        z = butterfly(z, 4)
        m, told = 4 * m, told + 6 * m
    return unravelled(k, z.reshape(2, len(x), k.half))


def unravelled(k, z: np.ndarray) -> np.ndarray:
    """The spectrum of a real signal from that of its even samples + i its odd samples."""
    middle = k.half // 2
    mirror = z[:, :, : middle - 1 : -1].copy()                              # bins half - 1 … half / 2
    np.negative(mirror[1], out=mirror[1])
    one, two = scaled(z[:, :, 1 : middle + 1], 2), scaled(mirror, 2)
    total = one + two
    turned = product(one - two, k.split.reshape(2, middle)).astype(np.int16)
    y = np.empty_like(z)
    y[:, :, 1 : middle + 1] = (total + turned) >> 1
    y[0, :, : middle - 1 : -1] = (total[0] - turned[0]) >> 1
    y[1, :, : middle - 1 : -1] = (turned[1] - total[1]) >> 1                # bin half / 2 is the one written last
    return y


def bin_powers(k, z: np.ndarray) -> np.ndarray:
    """int64 [n, bins between the first and the last edge]; no sum of squares reaches 2**31, as no part is -32768."""
    re, im = z[:, :, k.edge[0] : k.edge[-1]].astype(np.int64)
    return re * re + im * im


def scaled(z: np.ndarray, radix: int) -> np.ndarray:
    """int16 z / radix, by kissfft's 32767 // radix in Q15; int32, as are the next two."""
    y = np.multiply(z, 32767 // radix, dtype=np.int32)
    y += 16384
    y >>= 15
    return y


def product(z: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Complex z * w, w in Q15; parts first."""
    (re, im), (cos, sin), y = z, w.astype(np.int32), np.empty(z.shape, np.int32)
    np.subtract(re * cos, im * sin, out=y[0])
    np.add(re * sin, im * cos, out=y[1])
    y += 16384
    y >>= 15
    return y


def butterfly(z: np.ndarray, radix: int) -> np.ndarray:
    """The DFT of 2 or 4 points along the last axis but one; int16, wrapped."""
    y = np.empty(z.shape, np.int32)
    if radix == 2:
        y[..., 0, :] = z[..., 0, :] + z[..., 1, :]
        y[..., 1, :] = z[..., 0, :] - z[..., 1, :]
        return y.astype(np.int16)
    plus, minus = z[..., :2, :] + z[..., 2:, :], z[..., :2, :] - z[..., 2:, :]
    even, odd, (re, im) = plus[..., 0, :], plus[..., 1, :], minus[..., 1, :]
    y[..., 0, :] = even + odd
    y[..., 2, :] = even - odd
    y[0, ..., 1, :], y[1, ..., 1, :] = minus[0, ..., 0, :] + im, minus[1, ..., 0, :] - re      # times -i
    y[0, ..., 3, :], y[1, ..., 3, :] = minus[0, ..., 0, :] - im, minus[1, ..., 0, :] + re
    return y.astype(np.int16)


# --- in bulk -------------------------------------------------------------------------------------------------------


def features(samples: np.ndarray) -> np.ndarray:
    """uint16 [frames, 40] of int16 samples at 16 kHz by the default options, a frame each 10 ms, from a fresh start.

    The definition, many frames at a time; run.native.Native gives the same numbers faster where there is a compiler.
    """
    step = default_step()
    blocks = samples[: len(samples) // step.k.block * step.k.block].reshape(-1, step.k.block)
    if not len(blocks):
        return np.empty((0, step.k.bands), np.uint16)
    return run_many(step.k, step.fresh_state(), blocks)[1]


def audio(rate_hz: int, block: int) -> Signal:
    return Signal((block,), "int16", Fraction(rate_hz, block), 2.0**-15, unit="FS", sample_hz=Fraction(rate_hz))


AUDIO = audio(16000, 160)


@cache
def default_step() -> Step:
    return MicroFrontend().plan(AUDIO)


EXAMPLES = [
    (MicroFrontend(), AUDIO),
    (MicroFrontend(pcan=False, noise_reduction=False, tables="signal"), AUDIO),
    (MicroFrontend(log=False, smoothing_bits=8, even_smoothing=0.1, min_signal_remaining=0.2), AUDIO),
    (MicroFrontend(gain_bits=20, pcan_offset=40, log_scale_shift=5), audio(16000, 320)),
    (MicroFrontend(window_ms=16, bands=12, high_hz=3500), audio(8000, 64)),
    (MicroFrontend(bands=20, high_hz=3500, tables="float64"), audio(8000, 160)),         # 256 points: the FFT begins with pairs
]
