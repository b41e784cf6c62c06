"""Do Edge Impulse's MFE and Spectrogram give the numbers of their published algorithm, on made-up sounds and on recordings?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import edge_impulse
import numpy as np
import pytest
import soundfile
from edge_impulse import RECORDINGS, sounds
from shared import shared

from tinystream.app.kinds import class_of
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.mfe import Mfe
from tinystream.stages.spectrogram import Spectrogram

SECOND = Signal((16000,), "int16", Fraction(1), 2.0**-15, unit="FS", sample_hz=Fraction(16000))


def told(stage, x: Signal, samples: np.ndarray) -> np.ndarray:
    plan = plan_stage("block", stage, x)
    return plan.steps[-1].y.real(Engine(plan).push(samples[None])[len(plan.steps) - 1].y[0])


def recording(name: str) -> np.ndarray:
    x, rate_hz = soundfile.read(shared("data", "audio", *name.split("/")), dtype="int16", always_2d=True)
    assert rate_hz == 16000
    return np.pad(x[:16000, 0], (0, max(0, 16000 - len(x))))


OPTIONS = [
    dict(),
    dict(frame_length=0.025, frame_stride=0.0101, num_filters=20, fft_length=512, low_frequency=300.0, high_frequency=4000.0),
    dict(frame_length=0.01, noise_floor_db=-90.0, fft_length=1024),
]


def check_mfe(name: str, samples: np.ndarray, options: dict) -> None:
    got, want = told(Mfe(**options), SECOND, samples), edge_impulse.mfe(samples, 16000, **options)
    assert got.shape == want.shape, name
    error = np.abs(got - want) * 256
    print(f"{name}: {(error > 0.5).mean():.2%} one count of 1/256 off")
    assert error.max() <= 1, name
    assert (error > 0.5).mean() <= 0.02, name


@pytest.mark.parametrize("options", OPTIONS)
def test_mfe_is_within_a_count_of_the_published_algorithm(options):
    for name, samples in sounds(16000, 16000):
        check_mfe(name, samples, options)


@pytest.mark.parametrize("name", RECORDINGS)
def test_mfe_of_recordings_is_within_a_count_of_the_published_algorithm(name):
    check_mfe(name, recording(name), {})


def check_spectrogram(name: str, samples: np.ndarray, options: dict) -> None:
    got, want = told(Spectrogram(**options), SECOND, samples), edge_impulse.spectrogram(samples, 16000, **options)
    assert got.shape == want.shape, name
    loud = want > want.max(1, keepdims=True) - 60 / (12 - options.get("noise_floor_db", -52))
    error = np.abs(got - want)
    print(f"{name}: {error[loud].max():.2g} at most, {error.max():.2g} where it is quiet beside loud")
    assert error[loud].max() <= 0.0005, name
    assert error.max() <= 0.002, name


@pytest.mark.parametrize("options", [dict(), dict(frame_length=0.032, fft_length=512, noise_floor_db=-20.0)])
def test_a_spectrogram_is_that_of_the_published_algorithm(options):
    for name, samples in sounds(16000, 16000):
        check_spectrogram(name, samples, options)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_spectrogram_of_recordings_is_that_of_the_published_algorithm(name):
    check_spectrogram(name, recording(name), {})


def test_the_loudest_is_one_and_silence_nothing():
    square = np.where(np.arange(16000) // 4 % 2, 32767, -32768).astype(np.int16)
    assert told(Mfe(), SECOND, square).max() == 1.0
    assert not told(Mfe(), SECOND, np.zeros(16000, np.int16)).any()


def test_the_first_sample_looks_at_the_last_of_the_window():
    samples = np.zeros(16000, np.int16)
    samples[-1] = 30000
    assert told(Mfe(), SECOND, samples)[0].max() > 0.2


def test_a_last_frame_that_is_not_full_is_dropped():
    for length, count in ((16000, 99), (16159, 99), (16160, 100)):
        assert Mfe().plan(replace(SECOND, shape=(length,))).y.shape == (count, 40)


def test_options_may_be_spelled_with_hyphens():
    hyphens = {"num-filters": 32, "fft-length": 512, "noise-floor-db": -60.0}
    assert class_of("stage", "mfe").model_validate(hyphens) == Mfe(num_filters=32, fft_length=512, noise_floor_db=-60.0)


@pytest.mark.parametrize(("stage", "x", "path", "what"), [
    (Mfe(fft_length=200), SECOND, ("fft_length",), "fft_length = 200 is not a power of two"),
    (Mfe(num_filters=120), SECOND, ("num_filters",), "band 0 of num_filters = 120 covers no FFT bin; they are 62.5 Hz apart"),
    (Mfe(frame_length=2.0), SECOND, ("frame_length",), "frame_length = 2 s is longer than the window, 1 s"),
    (Mfe(frame_stride=0.001), SECOND, ("frame_stride",), "frame_stride = 0.001 s makes 981 frames of the window, more than 500"),
    (Mfe(high_frequency=9000.0), SECOND, ("high_frequency",), "high_frequency = 9000 is above half the sample rate, 8000 Hz"),
    (Mfe(low_frequency=8000.0), SECOND, ("low_frequency",), "low_frequency = 8000 is not below high_frequency, 8000 Hz"),
    (Spectrogram(), replace(SECOND, shape=(1600, 2)), (), "stage 'spectrogram' reads one axis, and is given 1600x2 int16 at 1 Hz"),
])
def test_mistakes_say_what(stage, x, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(x)
    assert (caught.value.path, caught.value.what) == (path, what)
