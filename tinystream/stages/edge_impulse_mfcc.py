"""Edge Impulse's MFCC, version 4: cepstral coefficients of the frames of a window, normalised over the frames around.

    v[n] = x[n] - pre_cof x[n - pre_shift], around the window;  P_f, E_f = powers and bands of mel, as `mfe` has them
    c_f[0] = ln sum_k P_f[k],   c_f[i] = sum_b ln E_f[b] sqrt(2 / num_filters) cos(pi i (2b + 1) / (2 num_filters))
    m_f = c_f - mean of c over win_size frames around f;   y_f = m_f / standard deviation of m over win_size frames around f

Beyond both ends the frames are mirrored, the outermost twice.  win_size = 0 leaves c as it is.  Samples of audio ("FS") count as int16, as
Edge Impulse has them; an energy of 0 counts as 1e-10; what does not vary is 0.

The first step is of kind `spectrogram` (ln of all powers and of each band, int16).  The integers of the second: c in Q12, the
basis int16; m in Q12, rounded once; win**2 var = win sum m**2 - (sum m)**2, exact; a root and a quotient of 30 bits; y in Q12, int32.

Against the published algorithm in float64: recordings of speech within 0.005 (root mean square) and 0.02 at most; noise and tones
within 0.05 and 0.6, where a band of one bin is nearly silent in a loud frame (tests/test_edge_impulse_mfcc.py measures both).

Source: Edge Impulse, processing-blocks, mfcc, implementation version 4; cmvnw, speechpy.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, log, log2

import numpy as np
from pydantic import Field
from scipy.fft import dct

from tinystream.errors import AppError
from tinystream.plan.fixed import isqrt, msb, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step
from tinystream.stages import spectrogram
from tinystream.stages._edge_impulse import Block, raw
from tinystream.stages._scaled import scaled
from tinystream.stages.mfe import filters
from tinystream.stages.quantize import mantissa
from tinystream.stages.spectrogram import EMPTY, Told, audio, cut, step_of, textbook_power
from tinystream.stages.spectrum import LARGEST

Q = 12          # bits of c, m and y


class EdgeImpulseMfcc(Block):
    """Edge Impulse's MFCC, version 4: cepstral coefficients of the frames of a window, normalised over the frames around."""

    num_cepstral: int = Field(default=13, ge=1, le=256, description="coefficients of a frame")
    frame_length: float = Field(default=0.02, gt=0, description="of a frame, s")
    frame_stride: float = Field(default=0.02, gt=0, description="from one frame to the next, s")
    num_filters: int = Field(default=32, ge=2, le=256, description="mel bands")
    fft_length: int = Field(default=256, ge=4, le=LARGEST, description="points of the FFT, a power of two")
    win_size: int = Field(default=101, ge=0, le=501, description="frames that are normalised over, an odd number; 0 is none")
    low_frequency: float = Field(default=0.0, ge=0, description="lower edge of the first band, Hz")
    high_frequency: float = Field(default=0.0, ge=0, description="upper edge of the last band, Hz; 0 is half the sample rate")
    pre_cof: float = Field(default=0.98, ge=0, le=1, description="coefficient of the pre-emphasis; 0 is none")
    pre_shift: int = Field(default=1, ge=0, description="samples that it looks back")

    def plan(self, x: Signal) -> list[Step]:
        frames = cut(x, "mfcc", self.frame_length, self.frame_stride, self.fft_length)
        if self.win_size and self.win_size % 2 == 0:
            raise AppError(("win_size",), f"win_size = {self.win_size} is not odd", f"win_size = {self.win_size + 1}")
        if self.num_cepstral > self.num_filters:
            raise AppError(("num_cepstral",), f"num_cepstral = {self.num_cepstral} is more than num_filters, {self.num_filters}",
                           f"num_cepstral = {self.num_filters}")
        bank = filters(frames, self.num_filters, self.low_frequency, self.high_frequency)
        loudest = log((2 * 32768 * raw(x).scale) ** 2 * self.fft_length * max(1.0, bank.sum(1).max()) + 1)
        bits = floor(log2(32767 / max(loudest, -log(EMPTY))))
        told = Told(raw(x).scale, log(2) * 2.0**bits, 0.0, floor(log(EMPTY) * 2**bits), 32767)
        logs = step_of(x, frames, told, scale=2.0**-bits, weights=bank, energy=True, coefficient=self.pre_cof,
                       back=self.pre_shift, says=f"{frames.number} frames of {self.num_filters} mel bands, ln")
        return [logs, self._cepstra(logs.y, bits)]

    def _cepstra(self, logs: Signal, bits: int) -> Step:
        frames, bands = logs.shape[0], self.num_filters
        basis = dct(np.eye(bands), type=2, norm="ortho", axis=0)[: self.num_cepstral]
        basis[0] = 0
        fraction = floor(log2(32767.4 / max(np.abs(basis).max(), 0.5)))
        multiplier, shift = mantissa(Fraction(1, max(self.win_size, 1)))
        return Step(
            module=__name__,
            x=(logs,),
            y=Signal((frames, self.num_cepstral), "int32", logs.rate_hz, 2.0**-Q, sample_hz=logs.sample_hz),
            params=dict(frames=frames, bands=bands, coefficients=self.num_cepstral, lift=Q - bits, shift=fraction + bits - Q,
                        window=self.win_size, multiplier=multiplier, divide=shift),
            tables=dict(basis=np.rint(basis * 2.0**fraction).astype(np.int16)),
            scratch=dict(centred=("int32", frames * self.num_cepstral)),
            sources=(0,),
            cost=dict(mul64=basis.size * frames, mem=frames * self.num_cepstral * (2 + 2 * self.win_size),
                      add=2 * self.win_size * frames * self.num_cepstral),
            says=f"{self.num_cepstral} cepstral coefficients"
            + (f", normalised over {self.win_size} frames" if self.win_size else ""),
        )

    def ideal(self, x, blocks):
        frames = cut(x[0], "mfcc", self.frame_length, self.frame_stride, self.fft_length)
        data = blocks.reshape(len(blocks), -1) * (raw(x[0]).scale / x[0].scale)
        power = textbook_power(data - self.pre_cof * np.roll(data, self.pre_shift, axis=-1), frames)
        energy = power @ filters(frames, self.num_filters, self.low_frequency, self.high_frequency).T
        c = dct(np.log(np.where(energy == 0, EMPTY, energy)), type=2, norm="ortho", axis=-1)[..., : self.num_cepstral]
        total = power.sum(-1)
        c[..., 0] = np.log(np.where(total == 0, EMPTY, total))
        if not self.win_size:
            return c
        around = mirrored(frames.number, self.win_size)
        m = c - c[:, around].mean(2)
        std = m[:, around].std(2)
        return np.where(std > 1e-9, m / np.maximum(std, 1e-9), 0)


BOUND = 1229.0, 2.0**-5     # counts of 2**-12, 0.3, and relative: for noise, whose coefficients vary by 0.1 and more
BATCHED = True


def mirrored(frames: int, window: int) -> np.ndarray:
    """For each frame, those of the window around it; beyond both ends they are mirrored, the outermost twice: [frames, window]."""
    at = np.arange(frames)[:, None] + np.arange(window) - (window - 1) // 2
    at = at % (2 * frames)
    return np.where(at < frames, at, 2 * frames - 1 - at)


def run(k, s, x):
    logs = x.astype(np.int64)
    c = logs[..., 1:] @ k.basis.reshape(k.coefficients, k.bands).astype(np.int64).T
    c = rshift(c, k.shift)
    c[..., 0] = logs[..., 0] << k.lift
    if not k.window:
        return c.astype(np.int32)
    around = mirrored(k.frames, k.window)
    m = scaled(k.window * c - c[:, around].sum(2), 0, k.multiplier, k.divide).astype(np.int64)
    total, squares = m[:, around].sum(2), (m[:, around] ** 2).sum(2)
    spread = k.window * squares - total * total                 # (window * deviation)**2
    half = (61 - msb(spread)) >> 1
    root = isqrt(spread << 2 * half)                            # 31 bits
    size = np.abs(m) * k.window
    up = 61 - msb(size)
    quotient = np.where(root > 0, (size << up) // np.maximum(root, 1), 0)
    y = scaled(quotient, half - up, 1 << 30, 30 - Q)
    return np.where(m < 0, -y, y).astype(np.int32)


inputs = spectrogram.inputs

EXAMPLES = [
    (EdgeImpulseMfcc(), audio(16000)),
    (EdgeImpulseMfcc(num_cepstral=20, frame_length=0.025, frame_stride=0.01, num_filters=26, fft_length=512, win_size=0), audio(3000)),
    (EdgeImpulseMfcc(num_cepstral=5, num_filters=10, win_size=7, pre_cof=0.9, pre_shift=3, low_frequency=200.0), audio(1600)),
]
