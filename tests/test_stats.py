"""Are statistics those of the textbook, to the last count where that can be, at every loudness and length?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.stats import NAMES, POWERS, Stats

PLAIN = ("mean", "min", "max", "range", "peak", "mad", "p0", "p1", "p33", "p50", "p97", "p100")


def window(*shape: int, dtype: str = "int16", scale: float = 2.0**-15, **about) -> Signal:
    return Signal(shape, dtype, Fraction(10), scale, unit="g", sample_hz=Fraction(1600), **about)


def real(features: tuple[str, ...], x: Signal, block: np.ndarray) -> np.ndarray:
    """Real values of the features of one block."""
    plan = plan_stage("stats", Stats(features=features), x)
    return plan.steps[-1].y.real(Engine(plan).push(block.astype(x.dtype).reshape(1, *x.shape))[0].y[0])


def one(feature: str, values: list[int], **about) -> float:
    return float(real((feature,), window(len(values), **about), np.array(values))[0])


def shapes(n: int, full: int, count: int, seed: int) -> list[np.ndarray]:
    """Noise, sines, ramps, impulses and what lies far from zero, at every loudness."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    made = []
    for i in range(count):
        loud = full / 2 ** rng.uniform(0, np.log2(full))
        made.append([
            lambda a: rng.normal(0, a / 4, n),
            lambda a: a * np.sin(t * rng.uniform(0.001, 3)),
            lambda a: full * 0.9 + rng.normal(0, 1, n),
            lambda a: np.where(t == rng.integers(n), a, rng.normal(0, a / 64, n)),
            lambda a: t * a / n + rng.normal(0, 0.3, n),
            lambda a: np.where(t == 0, a, a / 64 * rng.choice([-1, 1], n)),
        ][i % 6](loud))
    return [np.clip(np.rint(x), -full - 1, full) for x in made]


# --- by hand --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("feature", "value"), [
    ("mean", -0.5), ("min", -8), ("max", 6), ("range", 14), ("peak", 8), ("mad", 4.5), ("rms", 27**0.5), ("energy", 27),
    ("std", 26.75**0.5), ("hjorth_activity", 26.75),
    ("crest", 8 / 27**0.5), ("zero_crossings", 3), ("mean_crossings", 3), ("p0", -8), ("p50", 0), ("p75", 3),
    ("p10", -6.2), ("p100", 6), ("n0", -8), ("n50", 2), ("n49", -2), ("n75", 2), ("n84", 6), ("n83", 2), ("n100", 6),
    ("variance", 107 / 3), ("zero_crossing_rate", 0.75), ("mean_crossing_rate", 0.75),
])
def test_four_values_by_hand(feature, value):
    assert one(feature, [2, -8, 6, -2], scale=1.0) == pytest.approx(value, rel=2**-20, abs=0.5 if feature in POWERS else 2**-15)


def test_crossings_count_zero_as_below():
    assert one("zero_crossings", [-1, 0, -1, 0, 1, 0, 1]) == 3
    assert one("mean_crossings", [0, 2, 1, 1, 2, 0]) == 4       # the mean is 1 exactly, and is not above itself


def test_hjorth_of_a_sine_is_its_angle_and_one():
    t, angle = np.arange(4000), 0.1
    mobility, complexity = real(("hjorth_mobility", "hjorth_complexity"), window(4000), np.rint(30000 * np.sin(angle * t)))
    assert mobility == pytest.approx(2 * np.sin(angle / 2), rel=2e-3)
    assert complexity == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("values", [[0] * 9, [32767] * 9, [-32768] * 9, [5] * 9])
def test_a_constant_has_no_shape(values):
    flat = ("std", "skewness", "kurtosis", "hjorth_mobility", "hjorth_complexity", "mad", "mean_crossings")
    assert real(flat, window(9), np.array(values)).tolist() == [0] * len(flat)
    assert one("crest", values) == (1 if values[0] else 0)


def test_a_ramp_has_a_mobility_and_no_complexity():
    mobility, complexity = real(("hjorth_mobility", "hjorth_complexity"), window(64), np.arange(64))
    assert (mobility, complexity) == (0, 0)


def test_complexity_is_held_where_a_drift_hides_all_else():
    x = np.arange(4096) * 4
    x[2000:] += 1
    assert real(("hjorth_complexity",), window(4096), x).tolist() == [1024]


# --- against numpy and scipy ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "scale"), [("int16", 2.0**-15), ("int16", 1 / 977), ("int32", 2.0**-31)])
@pytest.mark.parametrize("n", [3, 8, 33, 500, 4096])
def test_features_are_the_nearest_counts(n, dtype, scale):
    x = window(n, dtype=dtype, scale=scale)
    blocks = np.stack(shapes(n, np.iinfo(dtype).max, 24, n)).astype(dtype)
    for feature in (*PLAIN, *(name for name in NAMES if name not in (*PLAIN, "percentile"))):
        stage = Stats(features=(feature,))
        plan = plan_stage("stats", stage, x)
        got, y = Engine(plan).push(blocks)[0].y, plan.steps[-1].y
        want = stage.ideal((x,), x.real(blocks)) / y.scale
        absolute, relative = (0.501 if dtype == "int16" else 1.001, 2.0**-30) if feature in PLAIN else (0.51, 2.0**-20)
        if feature in ("skewness", "kurtosis", "crest") or (feature in ("rms", "energy") and dtype == "int32"):
            absolute, relative = (32 if feature == "skewness" else 2), 2.0**-16
        error = np.abs(got - want) - relative * np.abs(want)
        assert error.max() <= absolute, feature


@pytest.mark.parametrize("n", [8, 100, 4096])
def test_moments_are_those_of_scipy(n):
    for x in shapes(n, 32767, 12, 1):
        if np.ptp(x) == 0:
            continue
        skewness, kurtosis, std = real(("skewness", "kurtosis", "std"), window(n), x)
        assert skewness == pytest.approx(scipy.stats.skew(x), rel=2e-5, abs=1e-5)
        assert kurtosis + 3 == pytest.approx(scipy.stats.kurtosis(x) + 3, rel=1e-5, abs=1e-5)
        assert std == pytest.approx(np.std(x) / 32768, rel=2e-5, abs=2.0**-18)


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_percentiles_are_exact_whatever_repeats(dtype):
    rng = np.random.default_rng(3)
    for n in (1, 2, 5, 64, 257):
        x = rng.integers(-3, 4, n) * int(rng.choice([1, 1000]))
        for q in (0, 1, 24, 50, 75, 99, 100):
            assert one(f"p{q}", x.tolist(), dtype=dtype, scale=2.0**-15) * 2**15 == pytest.approx(
                    np.percentile(x, q), abs=2**-14 if dtype == "int16" else 0.501)


def test_full_scale_of_the_longest_window_overflows_nothing():
    longest = {"int16": 65536, "int32": 32768}
    for dtype, n in longest.items():
        low = np.iinfo(dtype).min
        square = np.where(np.arange(n) % 2, -low - 1, low)
        spike = np.where(np.arange(n) == 7, low, -low - 1)
        x = window(n, dtype=dtype, scale=-1 / low)
        assert real(("rms", "std", "mad", "kurtosis", "skewness"), x, square) == pytest.approx([1, 1, 1, -2, 0], abs=1e-4)
        assert real(("kurtosis",), x, spike) == pytest.approx(n - 2 + 1 / (n - 1) - 3, rel=1e-5)
        assert real(("skewness",), x, spike) == pytest.approx(-((n - 2) / (n - 1) ** 0.5), rel=1e-5)
        assert real(("hjorth_mobility",), x, square) == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("n", [2, 5, 21, 66, 1000])
def test_the_nearest_sample_is_one_of_them_and_halves_go_up(n):
    x = np.random.default_rng(n).integers(-32768, 32768, n)
    for percent in (0, 5, 10, 25, 50, 75, 90, 95, 100):
        want = np.sort(x)[int((n - 1) * percent / 100 + 0.5)]
        assert one(f"n{percent}", x.tolist()) * 2**15 == want


def test_variance_is_unbiased_at_every_loudness():
    for n in (2, 9, 500):
        for x in shapes(n, 32767, 12, n):
            got = real(("variance",), window(n), x)[0]
            assert got == pytest.approx(np.var(x, ddof=1) / 2**30, rel=2e-6, abs=2.0**-29)


def test_a_scale_that_is_told_holds_what_does_not_fit():
    x = np.where(np.arange(64) % 2, 32767, -32768)
    told = Stats(features=("variance", "kurtosis", "n100"), scale=2.0**-29)
    plan = plan_stage("stats", told, window(64, scale=2.0**-12))
    y = Engine(plan).push(x.astype(np.int16)[None])[0].y[0]
    assert y[0] == y[2] == 2**31 - 1
    assert plan.steps[0].y.real(y)[1] == pytest.approx(-2, abs=1e-4)


# --- shape, scale, mistakes -----------------------------------------------------------------------------------


def test_all_features_of_a_channel_come_before_those_of_the_next():
    x = np.array([[1, -10], [3, -20], [5, -60]])
    y = Stats(features=("max", "mean")).plan(window(3, 2)).y
    assert y.shape == (2, 2)
    assert real(("max", "mean"), window(3, 2, scale=1.0), x).tolist() == [[5, 3], [-10, -30]]


def test_bins_of_a_spectrum_lie_along_its_last_axis():
    bins = Signal((2, 33), "int64", Fraction(10), 2.0**-46, bin_hz=Fraction(50))
    power = np.zeros((2, 33), np.int64)
    power[0, 5], power[1] = 1 << 46, np.arange(33) << 40
    skewness, kurtosis = real(("skewness", "kurtosis"), bins, power).T
    assert skewness == pytest.approx(scipy.stats.skew(power.astype(float), axis=1), abs=1e-4)
    assert kurtosis == pytest.approx(scipy.stats.kurtosis(power.astype(float), axis=1), abs=1e-4)


def test_the_scale_is_the_finest_power_of_two_that_fits_all():
    def scale(*features):
        return Stats(features=features).plan(window(512)).y.scale

    assert scale("rms", "p50") == 2.0**-30                                # full scale is 1.0, which -32768 reaches
    assert scale("rms", "range") == 2.0**-29
    assert scale("rms", "kurtosis") == 2.0**-21                           # 512 at most
    assert scale("zero_crossings") == 2.0**-22
    assert Stats(features=("rms",)).plan(window(512)).y.unit == "g"
    assert Stats(features=("rms", "crest")).plan(window(512)).y.unit == ""


@pytest.mark.parametrize(("features", "x", "path", "what", "help_"), [
    (("rms", "kurtossis"), window(9), ("features", 1), "stage 'stats' knows no feature 'kurtossis'", "did you mean 'kurtosis'?"),
    (("p101",), window(9), ("features", 0), "'p101' is no percentile", "p0 to p100"),
    (("p05",), window(9), ("features", 0), "stage 'stats' knows no feature 'p05'", None),
    (("percentile",), window(9), ("features", 0), "stage 'stats' knows no feature 'percentile'", None),
    (("n101",), window(9), ("features", 0), "'n101' is no percentile", "n0 to n100"),
    (("variance",), window(1), ("features", 0), "'variance' needs 2 samples or more, and is given 1",
     "hjorth_activity, which is divided by n"),
    (("hjorth_mobility",), window(2), ("features", 0), "'hjorth_mobility' needs 3 samples or more, and is given 2", "a longer frame"),
    (("rms", "energy"), window(9, scale=10.0), ("features", 0),
     "'rms' would be told in steps of 64, because 'energy' beside it reaches 1.07e+11", "'energy' in a stage 'stats' of its own"),
    (("rms",), window(9, dtype="int8"), (),
     "stage 'stats' takes int16, int32 or int64 with a zero of 0, [n] or [n, channels], and is given 9 int8 at 10 Hz", ""),
    (("rms",), window(40000, dtype="int32"), (),
     "stage 'stats' looks at 32768 values of int32 at most, and is given 40000 int32 at 10 Hz", ""),
])
def test_mistakes_say_what_and_what_instead(features, x, path, what, help_):
    with pytest.raises(AppError) as caught:
        Stats(features=features).plan(x)
    assert (caught.value.path, caught.value.what) == (path, what)
    assert help_ is None or (caught.value.help or "") == help_


@pytest.mark.parametrize("full_scale", [1.0, 2.0**-9])
@pytest.mark.parametrize("feature", ["p50" if name == "percentile" else name for name in NAMES])
def test_numbers_of_a_feature_alone_fit_what_c_keeps_them_in(feature, full_scale):
    """Of what is small everywhere y is fine, and 3 is more of its counts than 31 bits hold."""
    step = Stats(features=(feature,)).plan(window(64, scale=full_scale * 2.0**-15))
    assert all(-(2**31) <= value < 2**31 for value in step.params.values())
    if feature in ("kurtosis", "hjorth_complexity"):
        assert step.params["three"] == round(3 / step.y.scale)


def test_a_scale_too_coarse_for_a_feature_is_refused():
    with pytest.raises(AppError) as caught:
        Stats(features=("variance", "kurtosis"), scale=0.5).plan(window(9))
    assert (caught.value.path, caught.value.what, caught.value.help) == (
        ("scale",), "scale = 0.5 is too coarse for 'kurtosis'", "scale = 0.015625")
