"""Edge Impulse's MFE, version 4: energies of mel bands of the frames of a window, between a noise floor and 12 dB.

    v[n] = x[n] - 0.98 x[n - 1], the first sample looking at the window's last
    E_f[b] = sum_k P_f[k] H[b][k],   P_f = |DFT of a frame|**2 / fft_length, as `spectrogram` has it, with x from -1 to 1
    y[f][b] = round(256 (10 log10 E - noise_floor_db) / (12 - noise_floor_db)) / 256, held from 0 to 1

H has num_filters triangles between bins: edges lie evenly on mel = 1127 ln(1 + f / 700) from low_frequency to high_frequency (0: half the
sample rate), each at bin floor((fft_length + 1) f / rate).  An energy of 0 counts as 1e-10.  1.0 is 256 counts, as Edge Impulse's C++ has
it; its Python lets them wrap to 0.

It is one step of kind `spectrogram`.  Against the published algorithm in float64: within 1 count of 1/256 (tests/test_mfe.py).

Source: Edge Impulse, processing-blocks, mfe, implementation version 4; the filters, speechpy.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step
from tinystream.stages import spectrogram
from tinystream.stages._edge_impulse import Block, raw
from tinystream.stages.spectrogram import DECIBELS, EMPTY, Frames, Told, audio, cut, step_of, textbook_power
from tinystream.stages.spectrum import LARGEST

PREEMPHASIS = 0.98


class Mfe(Block):
    """Edge Impulse's MFE, version 4: energies of mel bands of the frames of a window."""

    frame_length: float = Field(default=0.02, gt=0, description="of a frame, s")
    frame_stride: float = Field(default=0.01, gt=0, description="from one frame to the next, s")
    num_filters: int = Field(default=40, ge=2, le=256, description="mel bands")
    fft_length: int = Field(default=256, ge=4, le=LARGEST, description="points of the FFT, a power of two")
    low_frequency: float = Field(default=0.0, ge=0, description="lower edge of the first band, Hz")
    high_frequency: float = Field(default=0.0, ge=0, description="upper edge of the last band, Hz; 0 is half the sample rate")
    win_size: int = Field(default=101, ge=0, description="of versions 1 and 2; it means nothing in version 4")
    noise_floor_db: float = Field(default=-52.0, ge=-200, le=0, description="what is quieter is 0")

    def plan(self, x: Signal) -> Step:
        frames = cut(x, "mfe", self.frame_length, self.frame_stride, self.fft_length)
        bank = filters(frames, self.num_filters, self.low_frequency, self.high_frequency)
        told = Told(raw(x).scale / 32768, 256 * DECIBELS / (12 - self.noise_floor_db), -self.noise_floor_db / DECIBELS, 0, 256)
        return step_of(x, frames, told, scale=1 / 256, weights=bank, coefficient=PREEMPHASIS,
                       says=f"{frames.number} frames of {self.num_filters} mel bands, from {self.noise_floor_db:g} dB")

    def ideal(self, x, blocks):
        frames = cut(x[0], "mfe", self.frame_length, self.frame_stride, self.fft_length)
        data = blocks.reshape(len(blocks), -1) * (raw(x[0]).scale / x[0].scale / 32768)
        power = textbook_power(data - PREEMPHASIS * np.roll(data, 1, axis=-1), frames)
        energy = power @ filters(frames, self.num_filters, self.low_frequency, self.high_frequency).T
        decibels = 10 * np.log10(np.where(energy == 0, EMPTY, energy))
        return np.clip(np.floor(256 * (decibels - self.noise_floor_db) / (12 - self.noise_floor_db) + 0.5) / 256, 0, 1)


BOUND = 1.0     # counts: two roundings may fall apart

inputs = spectrogram.inputs


def filters(frames: Frames, count: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Edge Impulse's triangles, [count, bins]; refused where one covers no bin."""
    half_hz = frames.rate_hz / 2
    high_hz = high_hz or half_hz
    if high_hz > half_hz:
        raise AppError(("high_frequency",), f"high_frequency = {high_hz:g} is above half the sample rate, {half_hz:g} Hz",
                       "high_frequency = 0")
    if low_hz >= high_hz:
        raise AppError(("low_frequency",), f"low_frequency = {low_hz:g} is not below high_frequency, {high_hz:g} Hz", "low_frequency = 0")
    bank = triangles(frames, count, low_hz, high_hz)
    empty = np.flatnonzero(~bank.any(1))
    if empty.size:
        fewer = next((n for n in range(count - 1, 1, -1) if triangles(frames, n, low_hz, high_hz).any(1).all()), None)
        raise AppError(("num_filters",), f"band {empty[0]} of num_filters = {count} covers no FFT bin; they are "
                       f"{frames.rate_hz / frames.fft_length:g} Hz apart",
                       f"num_filters = {fewer}" if fewer else f"fft_length = {2 * frames.fft_length}")
    return bank


def triangles(frames: Frames, count: int, low_hz: float, high_hz: float) -> np.ndarray:
    mel = np.linspace(1127 * np.log1p(low_hz / 700), 1127 * np.log1p(high_hz / 700), count + 2)
    hz = 700 * np.expm1(mel / 1127)
    hz[-1] -= 0.001
    edges = np.floor((frames.fft_length + 1) * hz / frames.rate_hz).astype(int)
    bins = np.arange(frames.fft_length // 2 + 1)
    bank = np.zeros((count, bins.size))
    for row, left, middle, right in zip(bank, edges, edges[1:], edges[2:]):
        rise, fall = (bins > left) & (bins <= middle), (bins >= middle) & (bins < right)
        row[rise] = (bins[rise] - left) / (middle - left)
        row[fall] = (right - bins[fall]) / (right - middle)
    return bank


EXAMPLES = [
    (Mfe(), audio(1600)),
    (
        Mfe(frame_length=0.025, num_filters=20, fft_length=512, low_frequency=300.0, high_frequency=4000.0, noise_floor_db=-72.0),
        audio(1000),
    ),
]
