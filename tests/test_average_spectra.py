"""Is the mean Welch's, and does each spectrum count as often as is said?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from corners import same_for_any_input
from scipy.signal import welch

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.average_spectra import AverageSpectra
from tinystream.stages.bands import spectra
from tinystream.stages.spectrum import Spectrum

COUNTS = Signal((2,), "int64", Fraction(10), 2.0**-46, unit="g²", bin_hz=Fraction(5))


def given(stage: AverageSpectra, *values: int):
    """(when, first bin, second bin) for spectra [v, 1000 - v]."""
    x = np.array([[v, 1000 - v] for v in values], np.int64)
    fired = Engine(plan_stage("average", stage, COUNTS)).push(x)[0]
    return fired.when.tolist(), fired.y[:, 0].tolist(), fired.y[:, 1].tolist()


def test_each_spectrum_counts_once_where_nothing_is_said():
    y = AverageSpectra(frames=4).plan(COUNTS).y
    assert (y.rate_hz, y.scale, y.bin_hz) == (Fraction(10, 4), 2.0**-46, Fraction(5))
    assert given(AverageSpectra(frames=4), 0, 4, 8, 0, 100, 200, 300, 400, 9) == ([3, 7], [3, 250], [997, 750])
    assert given(AverageSpectra(frames=4, how="max"), 0, 4, 8, 0, 100, 200, 300, 400, 9) == ([3, 7], [8, 400], [1000, 900])


def test_windows_overlap_by_what_every_says():
    assert given(AverageSpectra(frames=4, every=2), 0, 4, 8, 0, 100, 200, 300) == ([3, 5], [3, 77], [997, 923])
    assert given(AverageSpectra(frames=2, every=1, how="max"), 5, 3, 1, 7) == ([1, 2, 3], [5, 3, 7], [997, 999, 999])


def test_a_count_that_is_no_power_of_two_goes_into_the_scale():
    step = AverageSpectra(frames=3).plan(COUNTS)
    assert step.y.scale == 2.0**-46 * 4 / 3
    assert given(AverageSpectra(frames=3), 10, 20, 30)[1] == [60 // 4]


def test_an_exponential_mean_begins_as_a_plain_one_and_fades():
    """S = 40, y = 10; then S = 40 + 50 - 10 = 80, y = 20; then S = 80 + 0 - 20, …"""
    assert given(AverageSpectra(frames=4, how="exponential"), 4, 8, 12, 16, 50, 0, 0)[:2] == ([3, 4, 5, 6], [10, 20, 15, 11])
    assert given(AverageSpectra(frames=4, how="exponential", every=2), 4, 8, 12, 16, 50, 0, 0)[:2] == ([3, 5], [10, 15])


def test_an_exponential_mean_reaches_what_stays():
    """A mean that loses its remainder stops short of it, or drifts below."""
    _, y, other = given(AverageSpectra(frames=64, how="exponential"), *[900] * 64, *[100] * 1000)
    assert (y[0], y[-1], other[-1]) == (900, 100, 900)


def test_the_mean_is_welchs():
    rng, size = np.random.default_rng(0), 256
    stream = np.rint(8000 * rng.normal(size=size * 40) / 3 + 6000 * np.sin(np.arange(size * 40) * 0.7)).astype(np.int16)
    frame = Signal((size,), "int16", Fraction(16000, size), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
    spectrum = Spectrum().plan(frame)
    powers = spectrum.run(spectrum.k, None, stream.reshape(-1, size))
    plan = plan_stage("welch", AverageSpectra(frames=40), spectrum.y)
    got = plan.steps[0].y.real(Engine(plan).push(powers)[0].y[0])
    want = welch(stream / 2**15, 16000, "boxcar", size, noverlap=0, detrend=False, scaling="spectrum")[1]
    want[1:-1] /= 2  # ours has one side of two
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-9)


def test_the_longest_mean_of_the_loudest_does_not_overflow():
    plan = plan_stage("loud", AverageSpectra(frames=4096, every=64), COUNTS)
    y = Engine(plan).push(np.full((4096, 2), 2**46))[0].y
    assert y.tolist() == [[2**46, 2**46]]


@pytest.mark.parametrize(
    "stage", [AverageSpectra(frames=4, every=2), AverageSpectra(frames=4, how="exponential"), AverageSpectra(frames=3, every=1, how="max")]
)
def test_no_input_is_undefined(stage, tmp_path):
    same_for_any_input(stage, spectra(64, 2), folder=tmp_path)


@pytest.mark.parametrize(
    ("stage", "path", "what", "help"),
    [
        (AverageSpectra(frames=10, every=4), ("every",), "every = 4 does not divide frames = 10", "every = 5"),
        (AverageSpectra(frames=10, every=20), ("every",), "every = 20 does not divide frames = 10", "every = 10"),
        (AverageSpectra(frames=10, how="exponential"), ("frames",), "frames = 10 of an exponential mean is not a power of two",
         "frames = 8"),
    ],
)  # fmt: skip
def test_mistakes_say_the_way_out(stage, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(COUNTS)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)


def test_what_is_no_spectrum_is_refused():
    with pytest.raises(AppError, match="reads the bins of a spectrum"):
        AverageSpectra(frames=2).plan(Signal((5,), "int16", Fraction(1)))
