"""Are Edge Impulse's cepstral coefficients those of its published algorithm, by both names, on made-up sounds and on recordings?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import edge_impulse
import numpy as np
import pytest
import soundfile
from edge_impulse import RECORDINGS, sounds
from pydantic import ValidationError
from shared import shared

from tinystream.app.kinds import class_of
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.edge_impulse_mfcc import EdgeImpulseMfcc, mirrored
from tinystream.stages.mfcc import Mfcc

SECOND = Signal((16000,), "int16", Fraction(1), 2.0**-15, unit="FS", sample_hz=Fraction(16000))


def told(stage, x: Signal, samples: np.ndarray) -> np.ndarray:
    plan = plan_stage("block", stage, x)
    return plan.steps[-1].y.real(Engine(plan).push(samples[None])[len(plan.steps) - 1].y[0])


def check(name: str, samples: np.ndarray, options: dict, rms: float, largest: float) -> None:
    got, want = told(EdgeImpulseMfcc(**options), SECOND, samples), edge_impulse.mfcc(samples, 16000, **options)
    assert got.shape == want.shape, name
    error = np.abs(got - want)
    root = np.sqrt((error**2).mean())
    print(f"{name}: rms {root:.2g}, largest {error.max():.2g}")
    assert root <= rms, name
    assert error.max() <= largest, name


OPTIONS = [
    dict(),
    dict(win_size=0),
    dict(num_cepstral=20, frame_length=0.025, frame_stride=0.01, num_filters=26, fft_length=512, win_size=31, high_frequency=6000.0),
    dict(pre_cof=0.0, win_size=7),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_coefficients_are_those_of_the_published_algorithm(options):
    for name, samples in sounds(16000, 16000):
        if name not in ("silence", "quiet noise"):
            check(name, samples, options, 0.05, 0.6)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", RECORDINGS)
def test_coefficients_of_recordings_are_those_of_the_published_algorithm(name, options):
    x, rate_hz = soundfile.read(shared("data", "audio", *name.split("/")), dtype="int16", always_2d=True)
    assert rate_hz == 16000
    check(name, np.pad(x[:16000, 0], (0, max(0, 16000 - len(x)))), options, 0.005, 0.02)


def test_silence_does_not_vary():
    assert not told(EdgeImpulseMfcc(), SECOND, np.zeros(16000, np.int16)).any()
    plain = told(EdgeImpulseMfcc(win_size=0), SECOND, np.zeros(16000, np.int16))
    assert plain[:, 0] == pytest.approx(np.log(1e-10), abs=2e-3)
    assert plain[:, 1:] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("frames", "window"), [(1, 5), (3, 7), (10, 5), (4, 101)])
def test_frames_beyond_the_ends_are_mirrored(frames, window):
    pad = (window - 1) // 2
    padded = np.pad(np.arange(frames), pad, "symmetric")
    np.testing.assert_array_equal(mirrored(frames, window), [padded[i : i + window] for i in range(frames)])


def test_the_kind_mfcc_is_edge_impulses_where_it_is_told_in_its_words():
    mfcc = class_of("stage", "mfcc")
    theirs = mfcc.model_validate({"num-cepstral": 10, "win-size": 7, "from": "frame"})
    steps = theirs.plan(SECOND)
    assert [step.kind for step in steps] == ["spectrogram", "edge_impulse_mfcc"]
    want = EdgeImpulseMfcc(num_cepstral=10, win_size=7).plan(SECOND)
    assert [step.params for step in steps] == [step.params for step in want]
    block = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
    assert mfcc(coefficients=10).plan(block)[-1].kind == "dct"


def test_options_of_the_two_blocks_do_not_mix():
    with pytest.raises(ValidationError, match="'coefficients' is of our own block, 'num_cepstral' of Edge Impulse's"):
        Mfcc(coefficients=10, num_cepstral=10)


@pytest.mark.parametrize(("stage", "path", "what"), [
    (EdgeImpulseMfcc(win_size=100), ("win_size",), "win_size = 100 is not odd"),
    (Mfcc(num_cepstral=40), ("num_cepstral",), "num_cepstral = 40 is more than num_filters, 32"),
    (EdgeImpulseMfcc(num_filters=90), ("num_filters",), "band 0 of num_filters = 90 covers no FFT bin; they are 62.5 Hz apart"),
])
def test_mistakes_say_what(stage, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(SECOND)
    assert (caught.value.path, caught.value.what) == (path, what)


def test_two_axes_are_refused():
    with pytest.raises(AppError, match="stage 'mfcc' reads one axis"):
        EdgeImpulseMfcc().plan(replace(SECOND, shape=(8000, 2)))
