"""Are they PyWavelets' coefficients, does no input overflow, and does an octave hold what lies in it?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from corners import same_for_any_input

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages._wavelets import filters
from tinystream.stages.log import Log
from tinystream.stages.wavelet import Wavelet, run, window

EVERY = [(wavelet, levels) for wavelet in ("db2", "db4") for levels in range(1, 7)]


def energies(stage: Wavelet, x: np.ndarray) -> np.ndarray:
    """Real values of windows x [n, length] or [n, length, channels]."""
    plan = plan_stage("wavelet", stage, window(*x.shape[1:]))
    return plan.steps[-1].y.real(Engine(plan).push(np.rint(x).astype(np.int16))[len(plan.steps) - 1].y)


@pytest.mark.parametrize(("wavelet", "levels"), EVERY)
@pytest.mark.parametrize("length", [512, 448])
def test_energies_are_those_of_pywavelets(wavelet, levels, length):
    pywt = pytest.importorskip("pywt", reason="needs PyWavelets: pip install pywavelets")
    x = np.rint(np.random.default_rng(levels).normal(0, 6000, (10, length)).clip(-32768, 32767))
    want = [[(c**2).sum() / length for c in pywt.wavedec(row * 4 / 2**15, wavelet, "periodization", levels)] for row in x]
    got = energies(Wavelet(wavelet=wavelet, levels=levels), x)
    print(f"{wavelet}, {levels} levels: worst {np.abs(got / want - 1).max():.2e}")
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_energies_add_up_to_the_mean_square():
    x = np.random.default_rng(0).integers(-32768, 32768, (20, 256, 3))
    y = energies(Wavelet(levels=5), x)
    np.testing.assert_allclose(y.sum(-1), ((x * 4 / 2**15) ** 2).mean(1), rtol=1e-6)


def test_a_constant_is_in_the_last_approximation_alone():
    y = energies(Wavelet(levels=6), np.full((1, 512), -32768))
    np.testing.assert_allclose(y[0, 0], 16, rtol=1e-6)
    assert (y[0, 1:] < 16 * 1e-12).all()


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_sine_is_in_its_octave(level):
    """In the middle of rate / 2**(l+1) .. rate / 2**l; db4 leaves most of it there."""
    hz = 1600 / 2**level * 0.72
    x = 20000 * np.sin(2 * np.pi * hz * np.arange(1024) / 1600)
    parts = energies(Wavelet(levels=5, how="relative"), x[None])[0]
    print(f"level {level}: {np.round(parts, 3).tolist()}")
    assert parts.argmax() == 6 - level
    assert parts.max() > 0.8


def test_parts_do_not_depend_on_loudness_and_add_up_to_one():
    x = np.random.default_rng(1).integers(-64, 65, (20, 256))
    stage = Wavelet(levels=4, how="relative")
    quiet, loud = energies(stage, x), energies(stage, x * 500)
    assert np.abs(quiet - loud).max() < 1e-4
    np.testing.assert_allclose(quiet.sum(-1), 1, atol=5 * 2.0**-24)
    np.testing.assert_allclose(loud, (e := energies(Wavelet(levels=4), x * 500)) / e.sum(-1, keepdims=True), atol=1e-6)


def test_silence_has_no_parts_and_a_single_count_has():
    x = np.zeros((2, 64))
    x[1, 5] = 1
    silent, single = energies(Wavelet(levels=2, how="relative"), x)
    assert not silent.any()
    assert abs(single.sum() - 1) < 1e-6


@pytest.mark.parametrize(("wavelet", "levels"), EVERY)
def test_the_cruellest_window_does_not_overflow(wavelet, levels):
    """Full scale with the signs of the filters of all levels in a row: what makes a coefficient as large as it gets."""
    (h, g), length = filters(wavelet), 1024
    cruel = []
    for last in (h, g):
        response = last
        for _ in range(levels - 1):
            up = np.zeros(2 * response.size - 1)
            up[::2] = response
            response = np.convolve(up, h)
        for delay in range(0, 2**levels, max(1, 2**levels // 8)):
            signs = np.ones(length)
            signs[: response.size] = np.sign(response)[:length]
            cruel += [np.where(np.roll(signs, delay) > 0, 32767, -32768), np.where(np.roll(signs, delay) > 0, -32768, 32767)]
    x = np.array(cruel)
    stage = Wavelet(wavelet=wavelet, levels=levels)
    want = stage.ideal((window(length),), x * 4 / 2**15)
    np.testing.assert_allclose(energies(stage, x), want, rtol=1e-5, atol=1e-9)


def test_the_longest_window_at_full_scale_fits():
    for x in (np.full((1, 8192), -32768), np.where(np.arange(8192) % 2, 32767, -32768)[None]):
        np.testing.assert_allclose(energies(Wavelet(levels=6), x).sum(), 16, rtol=1e-4)


def test_logarithms_are_those_of_the_stage():
    x = np.random.default_rng(2).integers(-3000, 3000, (4, 128, 2)).astype(np.int16)
    plan = plan_stage("wavelet", Wavelet(levels=3, log=True, unit="db"), window(128, 2))
    first, second = Engine(plan).push(x).values()
    log = Log(unit="db").plan(plan.steps[0].y)
    assert plan.steps[1].y == log.y
    assert (log.y.shape, log.y.unit) == ((2, 4), "dB")
    np.testing.assert_array_equal(second.y, log.run(log.k, None, first.y))


def test_channels_are_transformed_each_alone():
    x = np.random.default_rng(3).integers(-32768, 32768, (6, 128, 3)).astype(np.int16)
    both, one = run(Wavelet().plan(window(128, 3)).k, None, x), Wavelet().plan(window(128)).k
    for channel in range(3):
        np.testing.assert_array_equal(both[:, channel], run(one, None, np.ascontiguousarray(x[:, :, channel])))


def test_no_input_is_undefined(tmp_path):
    cruel = np.random.default_rng(4).choice([-32768, 32767], (200, 64)).astype(np.int16)
    same_for_any_input(Wavelet(levels=4), window(64), folder=tmp_path, more=[cruel])


def test_what_it_says_is_the_order_of_the_values():
    assert Wavelet(levels=2, wavelet="db2").plan(window(64)).says == "energy of db2 levels a2 0-200 Hz, d2 200-400 Hz, d1 400-800 Hz"


@pytest.mark.parametrize(
    ("options", "length", "path", "what", "help"),
    [
        (dict(levels=4), 100, ("levels",), "levels = 4 needs a window of a multiple of 16 samples, and this one has 100", "levels = 2"),
        (dict(levels=3), 101, ("levels",), "levels = 3 needs a window of a multiple of 8 samples, and this one has 101",
         "a window of 104 samples"),
        (dict(levels=4), 32, ("levels",), "levels = 4 leaves 4 values for the last of them, and db4 has 8 taps", "levels = 3"),
        (dict(levels=1, wavelet="db2"), 2, ("levels",), "levels = 1 leaves 2 values for the last of them, and db2 has 4 taps",
         "a window of 4 samples or more"),
        (dict(), 16384, (), "a window of 16384 samples is longer than 8192", "a window of 8192 samples or fewer"),
        (dict(how="relative", log=True), 64, ("log",), 'log is that of energies, and how = "relative" gives parts of 1', 'how = "energy"'),
    ],
)  # fmt: skip
def test_mistakes_say_the_limit_and_the_way_out(options, length, path, what, help):
    with pytest.raises(AppError) as caught:
        Wavelet(**options).plan(window(length))
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)


def test_what_is_no_window_is_refused():
    with pytest.raises(AppError, match="transforms windows of int16 samples"):
        Wavelet().plan(Signal((64,), "int32", Fraction(1)))
