"""Do bands share a bin without loss, and do they give the power that a signal has there?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from corners import same_for_any_input

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.bands import Bands, run, spectra
from tinystream.stages.log import Log
from tinystream.stages.spectrum import Spectrum

HALF = Signal((5,), "int64", Fraction(1), 1.0, bin_hz=Fraction(10))  # bins at 0, 10, 20, 30 and 40 Hz


def bands(stage: Bands, x: Signal, *bins: int) -> list[int]:
    return run(stage.plan(x).k, None, np.array([bins], np.int64))[0].tolist()


def test_an_edge_cuts_a_bin_by_hand():
    """Bins are 0-5, 5-15, 15-25, 25-35 and 35-40 Hz wide."""
    bins = 1000, 2000, 4000, 8000, 16000
    assert bands(Bands(bands=((0, 40),)), HALF, *bins) == [31000]
    assert bands(Bands(bands=((5, 15), (15, 25), (25, 35))), HALF, *bins) == [2000, 4000, 8000]
    assert bands(Bands(bands=((0, 10), (10, 20), (12, 22))), HALF, *bins) == [2000, 3000, 2000 * 3 // 10 + 4000 * 7 // 10]
    assert bands(Bands(bands=((1, 11), (25, 36))), HALF, *bins) == [800 + 1200, 8000 + 3200]
    assert bands(Bands(bands=((6, 16),)), HALF, *bins) == [1800 + 400]


def test_bands_that_meet_neither_lose_nor_double():
    x = np.random.default_rng(0).integers(0, 2**40, (20, 129))
    signal = spectra(256)
    edges = (0, 83.3, 200, 262.5, 1111, 1187, 5000.7, 8000)
    y = run(Bands(edges_hz=edges).plan(signal).k, None, x)
    assert np.abs(y.sum(1) - x.sum(1)).max() <= len(edges) // 2, "one rounding a band"
    inner = run(Bands(bands=((83.3, 5000.7),)).plan(signal).k, None, x)[:, 0]
    assert np.abs(y[:, 1:-1].sum(1) - inner).max() <= 3


def test_a_sine_gives_a_quarter_of_its_squared_amplitude_in_its_band_alone():
    frame = Signal((256, 2), "int16", Fraction(25), 4 / 32768, unit="g", sample_hz=Fraction(1600))
    i = np.arange(256)
    x = np.stack([16000 * np.sin(2 * np.pi * 100 * i / 1600), 8000 * np.cos(2 * np.pi * 400 * i / 1600)], axis=-1)
    spectrum = Spectrum().plan(frame)
    step = Bands(edges_hz=(10, 50, 200, 600, 800)).plan(spectrum.y)
    y = step.y.real(run(step.k, None, spectrum.run(spectrum.k, None, np.rint(x)[None].astype(np.int16))))[0]
    assert (step.y.shape, step.y.unit) == ((2, 4), "g²")
    one, other = (a * 4 / 32768 for a in (16000, 8000))
    np.testing.assert_allclose(y, [[0, one**2 / 4, 0, 0], [0, 0, other**2 / 4, 0]], rtol=1e-4, atol=1e-6)


def test_channels_are_summed_each_alone():
    x = np.random.default_rng(1).integers(0, 2**40, (5, 3, 129))
    stage = Bands(edges_hz=(0, 1000, 3000))
    y = run(stage.plan(spectra(256, 3)).k, None, x)
    for channel in range(3):
        np.testing.assert_array_equal(y[:, channel], run(stage.plan(spectra(256)).k, None, np.ascontiguousarray(x[:, channel])))


def test_logarithms_are_those_of_the_stage():
    x, signal = np.random.default_rng(2).integers(0, 2**40, (5, 3, 129)), spectra(256, 3)
    plan = plan_stage("bands", Bands(edges_hz=(0, 1000, 3000), log=True, unit="db", floor_db=-90), signal)
    energies, logs = Engine(plan).push(x).values()
    step = Log(unit="db", floor_db=-90).plan(plan.steps[0].y)
    assert step.y == plan.steps[1].y
    assert (step.y.shape, step.y.unit) == ((3, 2), "dB")
    np.testing.assert_array_equal(logs.y, step.run(step.k, None, energies.y))


@pytest.mark.parametrize("stage", [Bands(edges_hz=(0, 400, 1234.5, 8000)), Bands(bands=((3, 6000), (900, 8000)), log=True)])
def test_no_input_is_undefined(stage, tmp_path):
    same_for_any_input(stage, spectra(64, 2), folder=tmp_path)


@pytest.mark.parametrize(
    ("stage", "path", "what", "help"),
    [
        (Bands(), (), "stage 'bands' needs two edges at least", "edges_hz = [10, 100, 1000]"),
        (Bands(edges_hz=(5,)), ("edges_hz",), "stage 'bands' needs two edges at least", "edges_hz = [10, 100, 1000]"),
        (Bands(edges_hz=(0, 20), bands=((0, 20),)), ("bands",), "edges_hz and bands exclude each other", "leave one of them out"),
        (Bands(edges_hz=(0, 20, 41)), ("edges_hz",), "band 20 to 41 Hz does not lie between 0 and half the sample rate, 40 Hz",
         "no edge above 40"),
        (Bands(bands=((-1, 20),)), ("bands",), "band -1 to 20 Hz does not lie between 0 and half the sample rate, 40 Hz",
         "no edge below 0"),
        (Bands(edges_hz=(20, 10)), ("edges_hz",), "band 20 to 10 Hz ends before it begins", "edges that rise"),
        (Bands(bands=((0, 10), (10, 19))), ("bands",), "band 10 to 19 Hz is narrower than a bin of the spectrum, 10 Hz",
         "edges 10 Hz apart, or a longer frame before the spectrum"),
        (Bands(edges_hz=(0, 20), unit="db"), ("unit",), "unit is that of a logarithm, and energies are wanted", "log = true"),
        (Bands(edges_hz=(0, 20), floor_db=-10), ("floor_db",), "floor_db is that of a logarithm, and energies are wanted", "log = true"),
    ],
)  # fmt: skip
def test_mistakes_say_the_limit_and_the_way_out(stage, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(HALF)
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)


def test_what_is_no_spectrum_is_refused():
    with pytest.raises(AppError, match="reads the bins of a spectrum, and is given 5 int16"):
        Bands(edges_hz=(0, 20)).plan(Signal((5,), "int16", Fraction(1)))
