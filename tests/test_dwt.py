"""Are coefficients PyWavelets' own, at the ends of a window too, and does no input overflow?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from corners import same_for_any_input

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages._wavelets import NAMES, filters
from tinystream.stages.dwt import BOUND, Dwt, transformed, window


def coefficients(stage: Dwt, x: np.ndarray, **about) -> np.ndarray:
    """Real values of windows x [n, length] or [n, length, channels], which count in 1."""
    signal = window(*x.shape[1:], **{"scale": 1.0, **about})
    plan = plan_stage("dwt", stage, signal)
    return plan.steps[-1].y.real(Engine(plan).push(np.rint(x).astype(signal.dtype))[len(plan.steps) - 1].y)


def one(values: list[int], **options) -> list[float]:
    return coefficients(Dwt(**options), np.array([values]))[0].tolist()


def test_haar_by_hand():
    """Of 5 samples, the mirror makes the sixth."""
    root = 2**0.5
    assert one([3, 1, -2, 6, 10], part="approximation", wavelet="haar") == pytest.approx([4 / root, 4 / root, 20 / root], abs=1e-4)
    assert one([3, 1, -2, 6, 10], part="detail", wavelet="haar") == pytest.approx([2 / root, -8 / root, 0], abs=1e-4)
    assert one([3, 1, -2, 6], part="detail", wavelet="haar", level=2) == pytest.approx([0], abs=1e-4)
    assert one([1, 1, -1, -1], part="detail", wavelet="haar", level=2) == pytest.approx([2], abs=1e-4)


def test_an_impulse_at_the_first_sample_is_seen_in_the_mirror():
    """db2, k = 0: x[-2], x[-1], x[0], x[1] are x[1], x[0], x[0], x[1]."""
    h = np.array([1 + 3**0.5, 3 + 3**0.5, 3 - 3**0.5, 1 - 3**0.5]) / (4 * 2**0.5)
    got = one([1000, 0, 0, 0, 0, 0], part="approximation", wavelet="db2")
    assert got == pytest.approx([1000 * (h[1] + h[2]), 1000 * h[0], 0, 0], abs=1e-3)
    got = one([0, 0, 0, 0, 0, 1000], part="approximation", wavelet="db2")
    assert got == pytest.approx([0, 0, 1000 * h[3], 1000 * (h[1] + h[2])], abs=1e-3)


@pytest.mark.filterwarnings("ignore:Level value")
@pytest.mark.parametrize("length", [64, 77, 200])
@pytest.mark.parametrize("wavelet", NAMES)
def test_coefficients_are_those_of_pywavelets(wavelet, length):
    pywt = pytest.importorskip("pywt", reason="needs PyWavelets: pip install pywavelets")
    rng, levels = np.random.default_rng(length), 4
    x = np.concatenate([rng.integers(-32768, 32768, (3, length)), np.eye(3, length) * 32767, np.arange(length)[None] - 50])
    want = pywt.wavedec(x, wavelet, "symmetric", levels)
    worst = 0.0
    for level in range(1, levels + 1):
        parts = {"detail": want[levels + 1 - level], "approximation": pywt.wavedec(x, wavelet, "symmetric", level)[0]}
        for part, values in parts.items():
            stage = Dwt(part=part, level=level, wavelet=wavelet)
            got = coefficients(stage, x)
            assert got.shape == values.shape
            worst = max(worst, np.abs(got - values).max() / stage.plan(window(length, scale=1.0))[-1].y.scale)
    print(f"{wavelet}: worst error {worst:.2f} counts")
    assert worst <= BOUND


@pytest.mark.parametrize("wavelet", NAMES)
def test_no_window_errs_by_more_than_the_bound(wavelet):
    """What each sample adds to each coefficient, by taps as they are and as they should be, and half a count of every level's roundings."""
    ideal = real = np.eye(300)
    rounded: list[np.ndarray] = []                      # what a count of each level before adds to the approximation, in counts
    length, levels, worst = 300, 0, 0.0
    while length >= filters(wavelet)[0].size and levels < 10:
        for part, taps in zip(("approximation", "detail"), filters(wavelet)):
            step = Dwt(part=part, wavelet=wavelet).plan(window(length, dtype="int32", scale=1.0))[-1]
            growth, mine = step.y.scale, step.k.filter / 2.0**31
            by_taps = np.abs(transformed(ideal, taps / growth) - transformed(real, mine)).sum(0).max() * 2.0**31
            by_rounding = 0.5 + 0.5 * sum(np.abs(transformed(before, mine)).sum(0).max() for before in rounded)
            worst = max(worst, by_taps + by_rounding)
            if part == "approximation":
                after = transformed(ideal, taps / growth), transformed(real, mine), [transformed(before, mine) for before in rounded]
        ideal, real, rounded = after
        length, levels = ideal.shape[1], levels + 1
        rounded.append(np.eye(length))
    print(f"{wavelet}: {worst:.2f} counts at most in {levels} levels")
    assert levels >= 4
    assert worst <= BOUND


def test_a_constant_has_no_details_and_a_line_none_but_at_its_ends():
    assert np.abs(coefficients(Dwt(part="detail"), np.full((1, 64), -32768))).max() <= 32768 * 2.0**-28
    line = coefficients(Dwt(part="detail"), 500 * np.arange(64)[None])[0]
    assert np.abs(line[3:-4]).max() < 1e-3 < np.abs(line).max()


def test_a_quiet_window_keeps_what_is_below_a_count():
    pywt = pytest.importorskip("pywt", reason="needs PyWavelets: pip install pywavelets")
    x = np.random.default_rng(0).integers(-1, 2, (1, 512))
    got = coefficients(Dwt(part="detail", level=4), x)
    np.testing.assert_allclose(got, pywt.wavedec(x, "db4", "symmetric", 4)[1], atol=2.0**-10)


@pytest.mark.parametrize("dtype", ["int16", "int32"])
@pytest.mark.parametrize("part", ["approximation", "detail"])
@pytest.mark.parametrize("wavelet", NAMES)
def test_the_cruellest_window_saturates_and_does_not_wrap(wavelet, part, dtype):
    """Full scale with the signs of the filter: the sum of sizes that the scale is made for."""
    info, stage = np.iinfo(dtype), Dwt(part=part, wavelet=wavelet)
    plan = plan_stage("dwt", stage, window(40, dtype=dtype, scale=1.0))
    taps = plan.steps[0].k.filter
    signs = np.ones(40)
    signs[10 - taps.size % 4 // 2 :][: taps.size] = np.sign(taps)
    x = np.stack([np.where(np.roll(s, shift) > 0, info.max, info.min) for s in (signs, -signs) for shift in range(4)]).astype(dtype)
    want = stage.ideal((window(40, dtype=dtype, scale=1.0),), x.astype(float))
    np.testing.assert_allclose(coefficients(stage, x, dtype=dtype), want, rtol=1e-6, atol=info.max * 2.0**-24)
    assert np.abs(want).max() >= 0.99 * 2.0**31 * plan.steps[0].y.scale, "it should be cruel"


def test_no_input_is_undefined(tmp_path):
    cruel = np.random.default_rng(4).choice([-(2**31), 2**31 - 1], (200, 40)).astype(np.int32)
    stage = Dwt(part="approximation", level=2, wavelet="db9")
    same_for_any_input(stage, window(40, dtype="int32", scale=1.0), folder=tmp_path, more=[cruel])


def test_channels_are_transformed_each_alone():
    x = np.random.default_rng(3).integers(-32768, 32768, (6, 77, 3))
    both = coefficients(Dwt(part="detail", level=2), x)
    for channel in range(3):
        np.testing.assert_array_equal(both[..., channel], coefficients(Dwt(part="detail", level=2), x[..., channel]))


def test_what_it_says_is_the_part_and_its_band():
    steps = Dwt(part="detail", level=2).plan(window(64))
    assert [step.says for step in steps] == ["a1 of db4, 0-15.625 Hz", "d2 of db4, 7.8125-15.625 Hz"]
    assert [step.y.shape for step in steps] == [(35,), (21,)]
    assert steps[-1].y.sample_hz == Fraction(125, 8)


@pytest.mark.parametrize(("options", "length", "what", "help"), [
    (dict(level=3), 10, "db4 has 8 taps, and level 3 is made from 7 values", "level = 2") ,
    (dict(level=7, wavelet="bior3.1"), 64, "bior3.1 has 4 taps, and level 7 is made from 3 values", "level = 6"),
    (dict(wavelet="db10"), 19, "db10 has 20 taps, and level 1 is made from 19 values", "a window of 20 samples or more"),
])  # fmt: skip
def test_a_window_must_be_as_long_as_the_filter(options, length, what, help):
    with pytest.raises(AppError) as caught:
        Dwt(part="detail", **options).plan(window(length))
    assert (caught.value.path, caught.value.what, caught.value.help) == (("level",), what, help)


def test_what_is_no_window_is_refused():
    with pytest.raises(AppError, match="transforms windows of up to 32768"):
        Dwt(part="detail").plan(Signal((64,), "int8", Fraction(1)))
