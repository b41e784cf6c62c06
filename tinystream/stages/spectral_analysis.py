"""Edge Impulse's Spectral analysis, version 4: shape and spectrum of each axis of a window.

    window -> [decimation] -> [low- or high-pass] -> mean removed -> RMS, skewness, kurtosis, and of each bin the greatest power in
    frames of fft_length samples; skewness and kurtosis of these powers; their logarithms to base 10

In this order, axis after axis: RMS, Skewness, Kurtosis, Spectral Skewness, Spectral Kurtosis, Spectral Power of each bin.  The bins are
1 .. fft_length / 2; those that a filter holds back are left out: with b = filter_cutoff fft_length / rate, a low-pass tells bins up to
int(b + 0.5), a high-pass from int(b - 0.5) + 1 on.  filter_order = 0 leaves out the bins alone.  Frames begin every half frame
(do_fft_overlap) or every frame; the end is padded with zeros.  All starts anew with each window.

With analysis_type = "Wavelet" the window, decimated, filtered and without its mean, is split into octaves by a discrete wavelet transform
(`dwt`: symmetric at its ends, as PyWavelets does unless told otherwise), and of the coefficients of a_L, d_L, …, d_1, L = wavelet_level,
each of n values, are told:

    entropy             of a histogram of 100 bins between the least and the greatest, in nats
    zero-cross, mean-cross      how often x > 0, x > mean changes, over n
    n5, n25, n75, n95, median   the values of rank int((n - 1) p / 100 + 0.5)
    mean, std (biased), variance (over n - 1), RMS, skewness (biased), kurtosis (biased, Fisher's); both are 0 of what does not vary

fft_length, do_log, do_fft_overlap and extra_low_freq say nothing then.  Wavelets are Edge Impulse's 50 (bior*, coif*, db*, haar, rbio* and
sym*; and db1, bior1.1 and rbio1.1, which are haar).  A window has 32 2**L samples or more after decimation.

It is short for steps of other kinds: `window_filter` (decimation, a Chebyshev low-pass of order 8 and 0.05 dB at 0.8 of half the new rate,
settled on the first sample; and the Butterworth filter), `stats`, `max_spectrum`, `log`, `concat`; `centre`, `dwt` and `entropy` for
wavelets.  Samples are multiplied by scale_axes; those of audio ("FS") count as int16.  A power below 1e-10, or below 2**-61 of the loudest
that can be, counts as that.  Beside wavelets' variances y counts no coarser than 2**-8, nor than 2**-14 of full scale, and what exceeds its
31 bits, 2**23 then, is held.

Against the published algorithm in float64, for windows of one count of RMS or more: RMS within 0.1 % or 2 counts of y, skewness and
kurtosis within 0.1 % or 0.002, spectral skewness and kurtosis within 0.5 % or 0.01, logarithms of powers within 0.005 where a power is
no less than a millionth of the greatest (tests/test_spectral_analysis.py measures each).  Of wavelets: coefficients of level l within
2**-26 S**l of full scale, S the greater of sum |h| and sum |g|, 1.4 to 2.8 (`dwt`); behind filters or decimation, within 2**-18 R besides,
R what RMS may grow by: 2**(l / 2), more of biorthogonal ones, 24 times that at level 7 of bior3.1.  Mean, percentiles, std, RMS and
variance within 0.01 % or 2 counts of y beside that, entropy within 0.0003 and half a count, skewness and kurtosis within 0.1 % or 0.002
(from level 5 on of windows of 16 counts of RMS or more; of one count, within 0.05).  Crossings and bins of the histogram are those of these
coefficients, exactly: one that lies nearer than that to 0, to the mean or to the edge of a bin may be counted on the other side.  So where
details should be 0 but for roundings, in a straight line, or on the mirror's glass by wavelets that are odd (haar, bior1.* and bior3.*,
rbio* of both), the published numbers are those of its own noise.

Source: Edge Impulse, processing-blocks, spectral_analysis and common/wavelet, implementation version 4.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor, log2
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.signal import butter, cheby1, sosfilt, sosfilt_zi

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step
from tinystream.stages import dwt, entropy
from tinystream.stages._edge_impulse import Chain, ScaledBlock, kurtosis, raw, skewness
from tinystream.stages._wavelets import Name, filters, loudest
from tinystream.stages.centre import Centre
from tinystream.stages.concat import Concat
from tinystream.stages.log import Log
from tinystream.stages.max_spectrum import MaxSpectrum, max_hold
from tinystream.stages.stats import Stats
from tinystream.stages.window_filter import WindowFilter

STAGES_OF = {1: (), 3: (3,), 10: (10,), 30: (3, 10), 100: (10, 10), 1000: (10, 10, 10)}
NAMES = {"cutoff_hz": "filter_cutoff", "type": "filter_type", "order": "filter_order", "size": "fft_length", "first": "filter_cutoff",
         "last": "filter_cutoff", "features": "analysis_type"}

WAVELET_FEATURES = ("zero_crossing_rate", "mean_crossing_rate", "n5", "n25", "n75", "n95", "n50", "mean", "std", "variance", "rms",
                    "skewness", "kurtosis")
"""What `stats` tells of each part, behind its entropy."""

HISTOGRAM = 100     # bins of the entropy
MOST = 2.0**23 - 1  # what is held beside an entropy, so that y counts in 2**-8 at least


class SpectralAnalysis(ScaledBlock):
    """Edge Impulse's Spectral analysis, version 4: shape and spectrum of each axis of a window."""

    input_decimation_ratio: Literal[1, 3, 10, 30, 100, 1000] = Field(default=1, description="samples of which one is kept")
    filter_type: Literal["none", "low", "high"] = Field(default="none", description="what passes")
    filter_cutoff: float = Field(default=3.0, gt=0, description="edge of the filter, Hz")
    filter_order: Literal[0, 2, 4, 6, 8] = Field(default=6, description="of the Butterworth filter; 0 leaves out bins alone")
    analysis_type: Literal["FFT", "Wavelet"] = Field(default="FFT", description="what the spectrum is made by")
    fft_length: int = Field(default=16, ge=4, le=4096, description="of FFT: samples of a frame, a power of two")
    do_log: bool = Field(default=True, description="of FFT: powers as logarithms to base 10")
    do_fft_overlap: bool = Field(default=True, description="of FFT: frames begin every half frame; else every frame")
    extra_low_freq: bool = Field(default=False, description="of FFT: the same features once more, of every tenth sample")
    wavelet_level: int = Field(default=1, ge=1, le=7, description="of Wavelet: how often the band is halved")
    wavelet: Name = Field(default="db4", description="of Wavelet: its name")

    def plan(self, x: Signal) -> list[Step]:
        if x.dtype != "int16" or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'spectral_analysis' reads windows of int16 samples, [length] or [length, axes], and is given {x}",
                           'kind = "frame" above it, window = "boxcar"')
        if self.fft_length & (self.fft_length - 1):
            near = 1 << (self.fft_length - 1).bit_length()
            raise AppError(("fft_length",), f"fft_length = {self.fft_length} is not a power of two", f"fft_length = {near}")
        chain = Chain(raw(x, self.scale_axes), NAMES)
        at = -1
        for ratio in STAGES_OF[self.input_decimation_ratio]:
            at = chain.add(decimation(chain.signal(at), ratio), at)
        wavelet = self.analysis_type == "Wavelet"
        parts = self._octaves(chain, at) if wavelet else self._features(chain, at)
        if self.extra_low_freq and not wavelet:
            parts += self._features(chain, chain.add(decimation(chain.signal(at), 10), at))
        chain.add(Concat(), *parts)
        chain.steps[-1] = replace(chain.steps[-1], says=self._octaves_say(x) if wavelet else self._says(x))
        return chain.steps

    def _features(self, chain: Chain, at: int) -> list[int]:
        """The steps that tell of what step `at` gives."""
        rate_hz = float(chain.signal(at).sample_hz or 1)
        if self.filter_type != "none" and self.filter_order:
            at = chain.add(self._filter(), at)
        first, last = self._bins(rate_hz)
        shape = chain.add(Stats(features=("std", "skewness", "kurtosis")), at)
        power = chain.add(MaxSpectrum(size=self.fft_length, overlap=self.do_fft_overlap, first=first, last=last), at)
        spread = chain.add(Stats(features=("skewness", "kurtosis")), power)
        if not self.do_log:
            return [shape, spread, power]
        bins = chain.add(Log(unit="db", floor_db=FLOOR_DB), power)
        y = chain.steps[bins].y
        chain.steps[bins] = replace(chain.steps[bins], y=replace(y, scale=y.scale / 10, unit="log10"),
                                    says=f"log10 of {y.size} powers")
        return [shape, spread, bins]

    def _octaves(self, chain: Chain, at: int) -> list[int]:
        """The steps that tell of the wavelet coefficients of what step `at` gives: entropy and the rest of a_L, d_L, …, d_1."""
        if self.filter_type != "none" and self.filter_order:
            at = chain.add(self._filter(), at)
        self._check_length(chain.signal(at))
        at = chain.add(Centre(), at)
        scale = self._scale(chain.signal(at))
        octaves: list[list[int]] = []
        for level in range(1, self.wavelet_level + 1):
            detail = chain.add(dwt.Dwt(part="detail", wavelet=self.wavelet), at)
            chain.steps[detail] = replace(chain.steps[detail], says=chain.steps[detail].says.replace("d1", f"d{level}", 1))
            octaves.insert(0, self._octave(chain, detail, scale))        # now, so that a level's memory is free for the next
            at = chain.add(dwt.Dwt(part="approximation", wavelet=self.wavelet), at)
            chain.steps[at] = replace(chain.steps[at], says=chain.steps[at].says.replace("a1", f"a{level}", 1))
        return [*self._octave(chain, at, scale), *(part for octave in octaves for part in octave)]

    def _octave(self, chain: Chain, at: int, scale: float) -> list[int]:
        """The steps that tell of one part."""
        return [chain.add(entropy.Entropy(bins=HISTOGRAM, scale=scale), at), chain.add(Stats(features=WAVELET_FEATURES, scale=scale), at)]

    def _check_length(self, x: Signal) -> None:
        """A part has 32 values or more."""
        length, least = x.shape[0], 32 << self.wavelet_level
        if length < least:
            ms = float(1000 * least / (x.sample_hz or 1))
            raise AppError(("wavelet_level",), f"wavelet_level = {self.wavelet_level} needs windows of {least} samples, {ms:g} ms, "
                           f"and is given {length}",
                           f"wavelet_level = {(length // 32).bit_length() - 1}" if length >= 64 else "a longer frame")

    def _scale(self, x: Signal) -> float:
        """Of y: the finest with which coefficients, kurtosis and a variance as that of full scale fit.

        MOST at most is asked of it, and of a variance, which grows by 2.5 a level in bior3.1, what leaves 2**-14 of full scale.
        """
        h, g = filters(self.wavelet)
        full_scale, length = 2.0**31 * x.scale, (x.shape[0] + h.size - 1) // 2
        loud = full_scale * loudest(self.wavelet, self.wavelet_level)
        if loud > MOST:
            raise AppError(("scale_axes",), f"coefficients of wavelet_level = {self.wavelet_level} may reach {loud:.3g}, and "
                           f"{MOST:.0f} is what fits beside an entropy", f"scale_axes = {self.scale_axes * 0.99 * MOST / loud:.3g}")
        largest = full_scale * np.abs(h).sum() ** (self.wavelet_level - 1) * max(np.abs(h).sum(), np.abs(g).sum())
        most = min(max(largest, length, min(loud**2, full_scale * 2**16)), MOST)
        scale = 2.0 ** -floor(log2((2**31 - 1) / most))
        if scale > full_scale / 2**14:
            raise AppError(("scale_axes",), f"samples that reach {full_scale:.3g} at most would be told in steps of {scale:.3g}, because "
                           f"the kurtosis of {length} values beside them may reach {length}",
                           f"scale_axes = {self.scale_axes * 1.01 * 2**14 * scale / full_scale:.3g}")
        return scale

    def _octaves_say(self, x: Signal) -> str:
        parts = [f"a{self.wavelet_level}", *(f"d{level}" for level in range(self.wavelet_level, 0, -1))]
        return ("entropy, zero-cross, mean-cross, n5, n25, n75, n95, median, mean, std, variance, RMS, skewness, kurtosis of "
                f"{', '.join(parts)} of {self.wavelet}" + (", of each axis" if len(x.shape) == 2 else ""))

    def _filter(self) -> WindowFilter:
        passes: Literal["lowpass", "highpass"] = "lowpass" if self.filter_type == "low" else "highpass"
        return WindowFilter(type=passes, order=self.filter_order, cutoff_hz=self.filter_cutoff)

    def _bins(self, rate_hz: float) -> tuple[int, int]:
        """The first and the last bin that are told."""
        bin_of, last = self.filter_cutoff * self.fft_length / rate_hz, self.fft_length // 2
        if self.filter_type != "none" and self.filter_cutoff > rate_hz / 2:
            raise AppError(("filter_cutoff",), f"filter_cutoff = {self.filter_cutoff:g} is above half the sample rate, {rate_hz / 2:g} Hz",
                           f"filter_cutoff = {rate_hz / 4:g}")
        if self.filter_type == "low":
            last = min(int(bin_of + 0.5), last)
            if last < 1:
                raise AppError(("filter_cutoff",), f"filter_cutoff = {self.filter_cutoff:g} leaves no bin; they are "
                               f"{rate_hz / self.fft_length:g} Hz apart", f"filter_cutoff = {rate_hz / self.fft_length:g}")
        first = max(int(bin_of - 0.5) + 1, 1) if self.filter_type == "high" else 1
        return min(first, last), last

    def _says(self, x: Signal) -> str:
        rate_hz = float(x.sample_hz or 1) / self.input_decimation_ratio
        first, last = self._bins(rate_hz)
        logs = "logarithms of " * self.do_log
        return (f"RMS, skewness, kurtosis, spectral skewness, spectral kurtosis, {logs}power of bins {first} to {last} of "
                f"{rate_hz / self.fft_length:.4g} Hz" + (", of each axis" if len(x.shape) == 2 else ""))

    def ideal(self, x, blocks):
        data = np.moveaxis(blocks, 1, -1) * (raw(x[0], self.scale_axes).scale / x[0].scale)
        rate_hz = float(x[0].sample_hz)
        for ratio in STAGES_OF[self.input_decimation_ratio]:
            data, rate_hz = decimated(data, ratio), rate_hz / ratio
        if self.analysis_type == "Wavelet":
            return self._textbook_of_octaves(data, rate_hz)
        features = self._textbook(data, rate_hz)
        if self.extra_low_freq:
            features += self._textbook(decimated(data, 10), rate_hz / 10)
        return np.concatenate(features, axis=-1)

    def _textbook(self, data: np.ndarray, rate_hz: float) -> list[np.ndarray]:
        """Features of data [..., n]."""
        data = self._filtered(data, rate_hz)
        shape = [np.where(np.ptp(data, axis=-1) == 0, 0, data.std(-1)), skewness(data), kurtosis(data)]
        first, last = self._bins(rate_hz)
        power = max_hold(data - data.mean(-1, keepdims=True), self.fft_length, self.do_fft_overlap)[..., first : last + 1]
        shape += [skewness(power), kurtosis(power)]
        return [np.stack(shape, axis=-1), np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))) if self.do_log else power]

    def _filtered(self, data: np.ndarray, rate_hz: float) -> np.ndarray:
        if self.filter_type == "none" or not self.filter_order:
            return data
        return sosfilt(butter(self.filter_order, self.filter_cutoff, self.filter_type, fs=rate_hz, output="sos"), data, axis=-1)

    def _textbook_of_octaves(self, data: np.ndarray, rate_hz: float) -> np.ndarray:
        """Features of the wavelet coefficients of data [..., n]."""
        data = self._filtered(data, rate_hz)
        approximation = data - data.mean(-1, keepdims=True)
        parts: list[np.ndarray] = []
        h, g = filters(self.wavelet)
        for _ in range(self.wavelet_level):
            parts.insert(0, dwt.transformed(approximation, g))
            approximation = dwt.transformed(approximation, h)
        return np.concatenate([octave(without_noise(part)) for part in (approximation, *parts)], axis=-1)


BOUND = 2.0**14, 2.0**-7    # counts and relative, for windows whose bins are alike; the docstring says what is kept of any
FLOOR_DB = -100.0


def decimation(x: Signal, ratio: int) -> WindowFilter:
    """One of Edge Impulse's steps of decimation."""
    cutoff_hz = 0.8 * float(x.sample_hz or 1) / 2 / ratio
    return WindowFilter(type="lowpass", family="chebyshev1", order=8, ripple_db=0.05, cutoff_hz=cutoff_hz, every=ratio, settled=True)


def decimated(data: np.ndarray, ratio: int) -> np.ndarray:
    """The textbook of it, data [..., n]."""
    sos = cheby1(8, 0.05, 0.8 / ratio, output="sos")
    start = sosfilt_zi(sos).reshape(len(sos), *[1] * (data.ndim - 1), 2) * data[..., :1]
    return sosfilt(sos, data, axis=-1, zi=start)[0][..., ::ratio]


def without_noise(x: np.ndarray) -> np.ndarray:
    """x [..., n], where 0 is what is but a rounding of float64: its sign would be a crossing."""
    return np.where(np.abs(x) > 2.0**-40 * np.abs(x).max(-1, keepdims=True), x, 0)


def octave(x: np.ndarray) -> np.ndarray:
    """The features of one part of a wavelet transform, x [..., n]."""
    mean, ordered, last = x.mean(-1, keepdims=True), np.sort(x, axis=-1), x.shape[-1] - 1
    crossings = [np.diff(x > level, axis=-1).sum(-1) / x.shape[-1] for level in (0, mean)]
    ranks = [ordered[..., int(last * percent / 100 + 0.5)] for percent in (5, 25, 75, 95, 50)]
    return np.stack([entropy.textbook(x, HISTOGRAM), *crossings, *ranks, mean[..., 0], x.std(-1), x.var(-1, ddof=1),
                     np.sqrt((x**2).mean(-1)), skewness(x), kurtosis(x)], axis=-1)


def window(*shape: int, rate_hz: float = 62.5) -> Signal:
    return Signal(shape, "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(rate_hz))


EXAMPLES = [
    (SpectralAnalysis(), window(125, 3)),
    (SpectralAnalysis(filter_type="low", filter_cutoff=10.0, filter_order=4, fft_length=32), window(125, 2)),
    (SpectralAnalysis(filter_type="high", filter_cutoff=5.0, do_log=False, do_fft_overlap=False, fft_length=64), window(125)),
    (SpectralAnalysis(input_decimation_ratio=3, extra_low_freq=True), window(600, 3, rate_hz=400.0)),
    (SpectralAnalysis(filter_type="low", filter_order=0, filter_cutoff=8.0, scale_axes=9.81), window(62)),
    (SpectralAnalysis(analysis_type="Wavelet", wavelet_level=2), window(128, 3)),
    (SpectralAnalysis(analysis_type="Wavelet", filter_type="low", filter_cutoff=10.0, filter_order=4, wavelet="db10"), window(70)),
    (SpectralAnalysis(analysis_type="Wavelet", input_decimation_ratio=3, wavelet="haar"), window(200, 2)),
    (SpectralAnalysis(analysis_type="Wavelet", wavelet_level=3, wavelet="bior3.1"), window(256)),
    (SpectralAnalysis(analysis_type="Wavelet", wavelet="rbio3.1"), window(64, 2)),
    (SpectralAnalysis(analysis_type="Wavelet", wavelet_level=2, wavelet="bior5.5", filter_type="high"), window(128)),
    (SpectralAnalysis(analysis_type="Wavelet", wavelet_level=2, wavelet="sym7"), window(130)),
    (SpectralAnalysis(analysis_type="Wavelet", wavelet="coif2", scale_axes=9.81), window(75, 3)),
]


def inputs(x, rng, count):
    """Noise of every loudness from a hundred counts up, at any mean: what rests on nothing but roundings has no shape to compare."""
    loud = 2.0 ** rng.uniform(7, 13, (count, *[1] * len(x[0].shape)))
    mean = rng.uniform(-8192, 8192, (count, *[1] * len(x[0].shape)))
    blocks = np.clip(np.rint(mean + loud * rng.uniform(-1, 1, (count, *x[0].shape))), -32768, 32767).astype(np.int16)
    blocks[0] = 0
    return [blocks]
