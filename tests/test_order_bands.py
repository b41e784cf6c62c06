"""Do orders stay where they are while a shaft runs up, and is nothing said of what cannot be seen?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from corners import same_for_any_input

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.bands import Bands, run, spectra
from tinystream.stages.order_bands import OrderBands, turning
from tinystream.stages.spectrum import Spectrum
from tinystream.stages.tachometer import Tachometer

RATE, SIZE = 4096, 2048  # 2 Hz a bin, frames of half a second
SPECTRUM = spectra(SIZE, rate_hz=RATE)
SPEED = turning(16)


def energies(stage: OrderBands, x: np.ndarray, hz: list[float], signal: Signal = SPECTRUM) -> np.ndarray:
    plan = plan_stage("orders", stage, signal, SPEED)
    return Engine(plan).push(x, np.rint(np.array(hz)[:, None] * 2**16).astype(np.int32))[0].y


def test_bands_are_those_of_the_stage_at_any_speed():
    x = np.random.default_rng(0).integers(0, 2**40, (4, SIZE // 2 + 1))
    y = energies(OrderBands(orders=(1, 2.5, 8), tolerance=0.25), x, [50.0, 20.5, 97.25, 100.0])
    for i, hz in enumerate([50.0, 20.5, 97.25, 100.0]):
        ranges = tuple(((order - 0.25) * hz, (order + 0.25) * hz) for order in (1, 2.5, 8))
        want = run(Bands(bands=ranges).plan(SPECTRUM).k, None, x[i : i + 1])[0]
        np.testing.assert_allclose(y[i], want, rtol=2e-4)


def test_a_band_is_a_bin_wide_at_least():
    x = np.arange(SIZE // 2 + 1)[None] * 1000
    assert energies(OrderBands(orders=(1,), tolerance=0.001), x, [100.0]).tolist() == [[50_000]]


def test_what_cannot_be_seen_is_zero():
    x = np.full((6, SIZE // 2 + 1), 1000)
    y = energies(OrderBands(orders=(1, 20), tolerance=0.1), x, [0.0, -30.0, 100.0, 101.8, 102.0, 2000.0])
    seen = y > 0
    assert seen.tolist() == [[False, False], [False, False], [True, True], [True, True], [True, False], [False, False]]


def test_the_lowest_order_ends_at_0_hz():
    x = np.zeros((1, SIZE // 2 + 1), np.int64)
    x[0, :3] = 100, 10, 1
    assert energies(OrderBands(orders=(1,), tolerance=2), x, [1.0]).tolist() == [[110]]


def test_an_order_stays_in_its_band_while_the_shaft_runs_up():
    """From 15 to 60 turns a second: a line at 5.4 orders sweeps over 240 Hz, and fixed bands see it come and go."""
    seconds = 20
    t = np.arange(seconds * RATE) / RATE
    turns = 15 * t + (60 - 15) / seconds * t**2 / 2
    vibration = 8000 * np.sin(2 * np.pi * 5.4 * turns) + 4000 * np.sin(2 * np.pi * turns)
    pulse = 20000 * (turns % 1 < 0.1)
    block = Signal((SIZE, 2), "int16", Fraction(RATE, SIZE), 2.0**-15, unit="FS", sample_hz=Fraction(RATE))
    framed = Signal((SIZE,), "int16", Fraction(RATE, SIZE), 2.0**-15, unit="FS", sample_hz=Fraction(RATE))
    stacked = np.rint(np.stack([vibration, pulse], axis=-1)).astype(np.int16).reshape(-1, SIZE, 2)
    windowed = np.rint(stacked[:, :, 0] * np.hanning(SIZE)).astype(np.int16)
    spectrum, tachometer = Spectrum().plan(framed), Tachometer(high=0.3, low=0.1, channel=1).plan(block)
    orders = OrderBands(orders=(1, 3, 5.4), tolerance=0.4).plan(spectrum.y, tachometer.y)
    steps = [replace(spectrum, name="spectrum", sources=(-1,)), replace(tachometer, name="speed", sources=(-2,)),
             replace(orders, name="orders", sources=(0, 1))]  # fmt: skip
    plan = plan_steps("run_up", (framed, block), steps)
    fired = Engine(plan).push(windowed, stacked)
    speed, y = tachometer.y.real(fired[1].y)[:, 0], plan.steps[2].y.real(fired[2].y)
    middle = 15 + 45 / seconds * (np.arange(len(speed)) + 0.5) * SIZE / RATE
    np.testing.assert_allclose(speed, middle, rtol=0.02)
    window = 3 / 8  # mean square of hann
    np.testing.assert_allclose(y[:, 2], (8000 / 2**15) ** 2 / 4 * window, rtol=0.05)
    np.testing.assert_allclose(y[:, 0], (4000 / 2**15) ** 2 / 4 * window, rtol=0.05)
    assert (y[:, 1] < 1e-3 * y[:, 2]).all()


def test_channels_and_logarithms():
    x = np.random.default_rng(1).integers(0, 2**40, (2, 3, SIZE // 2 + 1))
    stage = OrderBands(orders=(1, 2), log=True, unit="db")
    plan = plan_stage("orders", stage, spectra(SIZE, 3, rate_hz=RATE), SPEED)
    y = Engine(plan).push(x, np.full((2, 1), 50 << 16, np.int32))[1].y
    one = energies(OrderBands(orders=(1, 2)), np.ascontiguousarray(x[:, 2]), [50.0, 50.0])
    assert y.shape == (2, 3, 2)
    np.testing.assert_allclose(plan.steps[1].y.real(y)[:, 2], 10 * np.log10(one * 2.0**-46), atol=0.01)


def test_no_input_is_undefined(tmp_path):
    same_for_any_input(OrderBands(orders=(0.5, 1, 30), tolerance=0.01), spectra(64, 2), SPEED, folder=tmp_path)


@pytest.mark.parametrize(
    ("orders", "signals", "path", "what"),
    [
        ((1,), (SPECTRUM,), ("from",), "stage 'order_bands' reads a spectrum and a speed, two sources, and is given 1"),
        ((1,), (SPEED, SPECTRUM), (), "stage 'order_bands' reads the bins of a spectrum, and is given 1 int32 at 25 Hz"),
        ((1,), (SPECTRUM, SPECTRUM), ("from",),
         "the second source of stage 'order_bands' is a speed in Hz, and is given 1025 int64 at 25 Hz"),
        ((1,), (SPECTRUM, turning(16, 10)), ("from",), "a speed comes 10 times a second, and a spectrum 25 times"),
        ((1, 0), (SPECTRUM, SPEED), ("orders",), "order 0 is not above 0"),
        ((1, 1e12), (SPECTRUM, SPEED), ("orders",), "0.1 and 1e+12 are too far apart for 32 bits"),
    ],
)  # fmt: skip
def test_mistakes_say_what_fits(orders, signals, path, what):
    with pytest.raises(AppError) as caught:
        OrderBands(orders=orders).plan(*signals)
    assert (caught.value.path, caught.value.what) == (path, what)
