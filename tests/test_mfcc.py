"""Are the coefficients those of a float MFCC, on made-up and on recorded speech?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.fft
import soundfile
from shared import shared

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.mfcc import Mfcc

AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
RECORDINGS = [
    "micro_speech/yes_1000ms.wav",
    "micro_speech/no_1000ms.wav",
    "mlperf_sww/marvin_617de221_0.wav",
    "speech_commands/off/2b3f509b_nohash_1.wav",
    "speech_commands/unknown/90735d8b_nohash_0.wav",
]


def speech_like(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A buzz with moving pitch and formants, pauses and noise, from -50 dBFS up to full scale; int16 at 16 kHz."""
    n = int(seconds * 16000)
    t = np.arange(n) / 16000
    phase = np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * t)) / 16000
    voice = sum(np.sin(2 * np.pi * h * phase) / (1 + ((h * 120 - 600 - 400 * np.sin(2 * np.pi * t)) / 300) ** 2) for h in range(1, 40))
    loudness = 10 ** (-2.5 * (0.5 + 0.5 * np.cos(2 * np.pi * 0.9 * t)))
    x = (voice / np.abs(voice).max() + 0.05 * rng.standard_normal(n)) * loudness
    return np.rint(32000 * x / np.abs(x).max()).astype(np.int16)


def float_mfcc(x, rate_hz=16000, length=400, hop=160, size=512, bands=26, coefficients=13, lifter=22, coefficient=0.97, floor=1e-10):
    """Textbook code of its own, frame by frame, in float64; samples from -1 to 1."""
    x = x / 32768
    x = np.concatenate([x[:1], x[1:] - coefficient * x[:-1]])
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(length) / length)
    hz = np.arange(size // 2 + 1) * rate_hz / size
    edges = 700 * np.expm1(np.linspace(0, np.log1p(rate_hz / 2 / 700), bands + 2))
    bank = np.array([np.interp(hz, edges[b : b + 3], [0, 1, 0]) for b in range(bands)])
    first_end = -(-length // hop) * hop  # a frame comes out at the end of a block
    frames = [x[end - length : end] for end in range(first_end, len(x) // hop * hop + 1, hop)]
    power = np.array([np.abs(scipy.fft.fft(f * window, size)[: size // 2 + 1]) ** 2 for f in frames]) / size**2
    logs = np.log(np.maximum(power @ bank.T, floor))
    cosines = np.array(
        [np.cos(np.pi * k / bands * (np.arange(bands) + 0.5)) * np.sqrt((1 if k == 0 else 2) / bands) for k in range(coefficients)]
    )
    return logs @ cosines.T * (1 + lifter / 2 * np.sin(np.pi * np.arange(coefficients) / lifter))


def integer_mfcc(x, **options):
    plan = plan_stage("mfcc", Mfcc(**options), AUDIO)
    y = Engine(plan).push(x[: len(x) // 160 * 160].reshape(-1, 160))[len(plan.steps) - 1].y
    return plan.steps[-1].y.real(y)


# a floor, and what the coefficients may then differ by: root mean square, and at most.  Below -80 dBFS a band of speech comes
# near the two roundings to int16, after pre-emphasis and after the window; their own norm is 10 to 20.
TOLERANCES = [(-80.0, 0.04, 0.2), (-100.0, 0.35, 2.0)]


def check(x: np.ndarray, floor_db: float, rms: float, largest: float, precision: int) -> None:
    got, want = integer_mfcc(x, floor_db=floor_db, precision=precision), float_mfcc(x.astype(np.float64), floor=10 ** (floor_db / 10))
    assert got.shape == want.shape
    error = np.abs(got - want)
    root = np.sqrt((error**2).mean())
    print(
        f"floor {floor_db:g} dB, {precision} bits: standard deviation {want.std(0).mean():.1f}, rms {root:.4f}, largest {error.max():.4f}"
    )
    assert root <= rms
    assert error.max() <= largest


@pytest.mark.parametrize("precision", [16, 32])
@pytest.mark.parametrize(("floor_db", "rms", "largest"), TOLERANCES)
def test_made_up_speech_gives_the_coefficients_of_a_float_mfcc(floor_db, rms, largest, precision):
    check(speech_like(4, np.random.default_rng(0)), floor_db, rms, largest, precision)


@pytest.mark.parametrize("precision", [16, 32])
@pytest.mark.parametrize(("floor_db", "rms", "largest"), TOLERANCES)
@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_give_the_coefficients_of_a_float_mfcc(name, floor_db, rms, largest, precision):
    x, rate_hz = soundfile.read(shared("data", "audio", *name.split("/")), dtype="int16", always_2d=True)
    assert rate_hz == 16000
    check(x[:, 0], floor_db, rms, largest, precision)


def test_it_is_short_for_six_stages():
    kinds = [step.kind for step in plan_stage("mfcc", Mfcc(), AUDIO).steps]
    assert kinds == ["preemphasis", "frame", "spectrum", "mel", "log", "dct"]
    assert [step.kind for step in plan_stage("mfcc", Mfcc(preemphasis=0.0), AUDIO).steps] == kinds[1:]


@pytest.mark.parametrize(
    ("stage", "path"),
    [
        (Mfcc(bands=128), "bands"),
        (Mfcc(size=256), "size"),
        (Mfcc(bands=10), "coefficients"),
        (Mfcc(hop_ms=15.0), "hop_ms"),
        (Mfcc(high_hz=9000.0), "high_hz"),
    ],
)
def test_mistakes_name_its_own_options(stage, path):
    with pytest.raises(AppError) as caught:
        stage.plan(AUDIO)
    assert caught.value.path == (path,)
