"""Edge Impulse's Spectral analysis, version 4: shape and spectrum of each axis of a window.

    window -> [decimation] -> [low- or high-pass] -> mean removed -> RMS, skewness, kurtosis, and of each bin the greatest power in
    frames of fft_length samples; skewness and kurtosis of these powers; their logarithms to base 10

In this order, axis after axis: RMS, Skewness, Kurtosis, Spectral Skewness, Spectral Kurtosis, Spectral Power of each bin.  The bins are
1 .. fft_length / 2; those that a filter holds back are left out: with b = filter_cutoff fft_length / rate, a low-pass tells bins up to
int(b + 0.5), a high-pass from int(b - 0.5) + 1 on.  filter_order = 0 leaves out the bins alone.  Frames begin every half frame
(do_fft_overlap) or every frame; the end is padded with zeros.  All starts anew with each window.

It is short for steps of other kinds: `window_filter` (decimation, a Chebyshev low-pass of order 8 and 0.05 dB at 0.8 of half the new rate,
settled on the first sample; and the Butterworth filter), `stats`, `max_spectrum`, `log`, `concat`.  Samples are multiplied by
scale_axes; those of audio ("FS") count as int16.  A power below 1e-10, or below 2**-61 of the loudest that can be, counts as that.

Against the published algorithm in float64, for windows of one count of RMS or more: RMS within 0.1 % or 2 counts of y, skewness and
kurtosis within 0.1 % or 0.002, spectral skewness and kurtosis within 0.5 % or 0.01, logarithms of powers within 0.005 where a power is
no less than a millionth of the greatest (tests/test_spectral_analysis.py measures each).

Source: Edge Impulse, processing-blocks, spectral_analysis, implementation version 4.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.signal import butter, cheby1, sosfilt, sosfilt_zi

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step
from tinystream.stages._edge_impulse import Chain, ScaledBlock, kurtosis, raw, skewness
from tinystream.stages.concat import Concat
from tinystream.stages.log import Log
from tinystream.stages.max_spectrum import MaxSpectrum, max_hold
from tinystream.stages.stats import Stats
from tinystream.stages.window_filter import WindowFilter

STAGES_OF = {1: (), 3: (3,), 10: (10,), 30: (3, 10), 100: (10, 10), 1000: (10, 10, 10)}
NAMES = {"cutoff_hz": "filter_cutoff", "type": "filter_type", "order": "filter_order", "size": "fft_length", "first": "filter_cutoff",
         "last": "filter_cutoff", "features": "analysis_type"}


class SpectralAnalysis(ScaledBlock):
    """Edge Impulse's Spectral analysis, version 4: shape and spectrum of each axis of a window."""

    input_decimation_ratio: Literal[1, 3, 10, 30, 100, 1000] = Field(default=1, description="samples of which one is kept")
    filter_type: Literal["none", "low", "high"] = Field(default="none", description="what passes")
    filter_cutoff: float = Field(default=3.0, gt=0, description="edge of the filter, Hz")
    filter_order: Literal[0, 2, 4, 6, 8] = Field(default=6, description="of the Butterworth filter; 0 leaves out bins alone")
    analysis_type: Literal["FFT", "Wavelet"] = Field(default="FFT", description="what the spectrum is made by")
    fft_length: int = Field(default=16, ge=4, le=4096, description="samples of a frame, a power of two")
    do_log: bool = Field(default=True, description="powers as logarithms to base 10")
    do_fft_overlap: bool = Field(default=True, description="frames begin every half frame; else every frame")
    extra_low_freq: bool = Field(default=False, description="the same features once more, of every tenth sample")
    wavelet_level: int = Field(default=1, ge=1, le=7, description="of Wavelet")
    wavelet: str = Field(default="db4", description="of Wavelet")

    def plan(self, x: Signal) -> list[Step]:
        if x.dtype != "int16" or x.zero or x.sample_hz is None or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'spectral_analysis' reads windows of int16 samples, [length] or [length, axes], and is given {x}",
                           'kind = "frame" above it, window = "boxcar"')
        if self.analysis_type == "Wavelet":
            raise AppError(("analysis_type",), 'analysis_type = "Wavelet" is not here', 'analysis_type = "FFT"')
        if self.fft_length & (self.fft_length - 1):
            near = 1 << (self.fft_length - 1).bit_length()
            raise AppError(("fft_length",), f"fft_length = {self.fft_length} is not a power of two", f"fft_length = {near}")
        chain = Chain(raw(x, self.scale_axes), NAMES)
        at = -1
        for ratio in STAGES_OF[self.input_decimation_ratio]:
            at = chain.add(decimation(chain.signal(at), ratio), at)
        parts = self._features(chain, at)
        if self.extra_low_freq:
            parts += self._features(chain, chain.add(decimation(chain.signal(at), 10), at))
        chain.add(Concat(), *parts)
        chain.steps[-1] = replace(chain.steps[-1], says=self._says(x))
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
        features = self._textbook(data, rate_hz)
        if self.extra_low_freq:
            features += self._textbook(decimated(data, 10), rate_hz / 10)
        return np.concatenate(features, axis=-1)

    def _textbook(self, data: np.ndarray, rate_hz: float) -> list[np.ndarray]:
        """Features of data [..., n]."""
        if self.filter_type != "none" and self.filter_order:
            data = sosfilt(butter(self.filter_order, self.filter_cutoff, self.filter_type, fs=rate_hz, output="sos"), data, axis=-1)
        shape = [np.where(np.ptp(data, axis=-1) == 0, 0, data.std(-1)), skewness(data), kurtosis(data)]
        first, last = self._bins(rate_hz)
        power = max_hold(data - data.mean(-1, keepdims=True), self.fft_length, self.do_fft_overlap)[..., first : last + 1]
        shape += [skewness(power), kurtosis(power)]
        return [np.stack(shape, axis=-1), np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))) if self.do_log else power]


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


def window(*shape: int, rate_hz: float = 62.5) -> Signal:
    return Signal(shape, "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(rate_hz))


EXAMPLES = [
    (SpectralAnalysis(), window(125, 3)),
    (SpectralAnalysis(filter_type="low", filter_cutoff=10.0, filter_order=4, fft_length=32), window(125, 2)),
    (SpectralAnalysis(filter_type="high", filter_cutoff=5.0, do_log=False, do_fft_overlap=False, fft_length=64), window(125)),
    (SpectralAnalysis(input_decimation_ratio=3, extra_low_freq=True), window(600, 3, rate_hz=400.0)),
    (SpectralAnalysis(filter_type="low", filter_order=0, filter_cutoff=8.0, scale_axes=9.81), window(62)),
]


def inputs(x, rng, count):
    """Noise of every loudness from a hundred counts up, at any mean: what rests on nothing but roundings has no shape to compare."""
    loud = 2.0 ** rng.uniform(7, 13, (count, *[1] * len(x[0].shape)))
    mean = rng.uniform(-8192, 8192, (count, *[1] * len(x[0].shape)))
    blocks = np.clip(np.rint(mean + loud * rng.uniform(-1, 1, (count, *x[0].shape))), -32768, 32767).astype(np.int16)
    blocks[0] = 0
    return [blocks]
