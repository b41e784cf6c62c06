"""Edge Impulse's published blocks for sound, written down again from their description, with loops and library calls."""

from __future__ import annotations

import numpy as np
import scipy.fft

RECORDINGS = [
    "micro_speech/yes_1000ms.wav",
    "micro_speech/no_1000ms.wav",
    "mlperf_sww/marvin_617de221_0.wav",
    "speech_commands/off/2b3f509b_nohash_1.wav",
]


def rounded_up(value: float) -> int:
    return int(value) if value - int(value) < 0.001 else int(value) + 1


def frames(x, rate_hz, length_s, stride_s):
    length, stride = rounded_up(rate_hz * length_s), rounded_up(rate_hz * stride_s)
    return [x[i : i + length] for i in range(0, len(x) - length + 1, stride)]


def powers(x, rate_hz, length_s, stride_s, nfft):
    return np.array([np.abs(np.fft.rfft(frame, nfft)) ** 2 / nfft for frame in frames(x, rate_hz, length_s, stride_s)])


def bank(filters, nfft, rate_hz, low, high):
    high = high or rate_hz / 2
    mels = np.linspace(1127 * np.log(1 + low / 700), 1127 * np.log(1 + high / 700), filters + 2)
    hz = 700 * (np.exp(mels / 1127) - 1)
    hz[-1] -= 0.001
    edge = [int(np.floor((nfft + 1) * f / rate_hz)) for f in hz]
    h = np.zeros((filters, nfft // 2 + 1))
    for i in range(filters):
        left, middle, right = edge[i : i + 3]
        for k in range(left, right + 1):
            if left < k <= middle:
                h[i, k] = (k - left) / (middle - left)
            if middle <= k < right:
                h[i, k] = (right - k) / (right - middle)
    return h


def spectrogram(x, rate_hz, frame_length=0.02, frame_stride=0.01, fft_length=128, noise_floor_db=-52):
    p = powers(np.asarray(x, np.float64), rate_hz, frame_length, frame_stride, fft_length)
    p[p == 0] = 1e-10
    return np.maximum((10 * np.log10(p) - noise_floor_db) / (12 - noise_floor_db), 0)


def mfe(x, rate_hz, frame_length=0.02, frame_stride=0.01, num_filters=40, fft_length=256, low_frequency=0, high_frequency=0,
        noise_floor_db=-52):
    x = np.asarray(x, np.float64) / 32768
    x = x - 0.98 * np.roll(x, 1)
    p = powers(x, rate_hz, frame_length, frame_stride, fft_length)
    e = p @ bank(num_filters, fft_length, rate_hz, low_frequency, high_frequency).T
    e[e == 0] = 1e-10
    y = (10 * np.log10(np.maximum(e, 1e-30)) - noise_floor_db) / (12 - noise_floor_db)
    return np.clip(np.floor(256 * y + 0.5) / 256, 0, 1)


def mfcc(x, rate_hz, num_cepstral=13, frame_length=0.02, frame_stride=0.02, num_filters=32, fft_length=256, win_size=101, low_frequency=0,
         high_frequency=0, pre_cof=0.98, pre_shift=1):
    x = np.asarray(x, np.float64)
    x = x - pre_cof * np.roll(x, pre_shift)
    p = powers(x, rate_hz, frame_length, frame_stride, fft_length)
    e = p @ bank(num_filters, fft_length, rate_hz, low_frequency, high_frequency).T
    total = p.sum(1)
    e[e == 0], total[total == 0] = 1e-10, 1e-10
    c = scipy.fft.dct(np.log(e), type=2, norm="ortho", axis=1)[:, :num_cepstral]
    c[:, 0] = np.log(total)
    if not win_size:
        return c
    mean = np.array([window.mean(0) for window in sliding(c, win_size)])
    c = c - mean
    return c / (np.array([window.std(0) for window in sliding(c, win_size)]) + 1e-10)


def sliding(c, win_size):
    pad = (win_size - 1) // 2
    padded = np.pad(c, ((pad, pad), (0, 0)), "symmetric")
    return [padded[i : i + win_size] for i in range(len(c))]


def sounds(n: int, rate_hz: int) -> list[tuple[str, np.ndarray]]:
    """int16 windows: noise at three levels, a tone, a chirp that fades in, clicks, and silence."""
    rng, t = np.random.default_rng(7), np.arange(n) / rate_hz
    made = [
        ("loud noise", rng.normal(0, 8000, n)),
        ("noise", rng.normal(0, 300, n)),
        ("quiet noise", rng.normal(0, 4, n)),
        ("a tone in noise", 9000 * np.sin(2 * np.pi * 1234.5 * t) + rng.normal(0, 10, n)),
        ("a chirp that fades in", 20000 * t / t[-1] * np.sin(2 * np.pi * (200 + 1500 * t) * t) + rng.normal(0, 3, n)),
        ("clicks", 30000 * (rng.random(n) < 0.002) + rng.normal(0, 30, n)),
        ("silence", np.zeros(n)),
    ]
    return [(name, np.clip(np.rint(x), -32768, 32767).astype(np.int16)) for name, x in made]
