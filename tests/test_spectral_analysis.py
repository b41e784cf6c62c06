"""Does Edge Impulse's spectral analysis give the numbers of its published algorithm, written here once more, on signals of every kind?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.signal
import scipy.stats
from shared import shared

from tinystream.app.kinds import class_of
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.errors import AppError, AppErrors
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.max_spectrum import MaxSpectrum
from tinystream.stages.spectral_analysis import SpectralAnalysis
from tinystream.stages.window_filter import WindowFilter


def published(x, rate_hz, *, scale=1.0, ratio=1, kind="none", cutoff=3.0, order=6, nfft=16, log=True, overlap=True):
    """Of one axis, as its text has it: loops and library calls."""
    x = np.asarray(x, np.float64) * scale
    for r in {1: [], 3: [3], 10: [10], 30: [3, 10]}[ratio]:
        sos = scipy.signal.cheby1(8, 0.05, 0.8 / r, output="sos")
        x = scipy.signal.sosfilt(sos, x, zi=scipy.signal.sosfilt_zi(sos) * x[0])[0][::r]
        rate_hz /= r
    if kind != "none" and order:
        x = scipy.signal.sosfilt(scipy.signal.butter(order, cutoff, btype=kind, fs=rate_hz, output="sos"), x)
    x = x - x.mean()
    power, start = np.zeros(nfft // 2 + 1), 0
    while start <= len(x):
        power = np.maximum(power, np.abs(np.fft.rfft(x[start : start + nfft], nfft)) ** 2 / nfft)
        start += nfft // 2 if overlap else nfft
    b = cutoff * nfft / rate_hz
    bins = {"none": slice(1, None), "low": slice(1, int(b + 0.5) + 1), "high": slice(max(int(b - 0.5) + 1, 1), None)}[kind]
    power = power[bins]
    told = [np.sqrt((x**2).mean()), scipy.stats.skew(x), scipy.stats.kurtosis(x), scipy.stats.skew(power), scipy.stats.kurtosis(power)]
    power = np.where(power == 0, 1e-10, power)
    return np.array(told), np.log10(power) if log else power


def signals(n: int, rate_hz: float) -> list[tuple[str, np.ndarray]]:
    """int16 windows of one axis: noise, tones, steps, bursts, on gravity and off it."""
    rng, t = np.random.default_rng(5), np.arange(n) / rate_hz
    made = [
        ("noise", rng.normal(0, 1000, n)),
        ("quiet noise on gravity", 8192 + rng.normal(0, 5, n)),
        ("a tone", 6000 * np.sin(2 * np.pi * rate_hz / 9 * t) + rng.normal(0, 20, n)),
        ("two tones on gravity", 8192 + 3000 * np.sin(np.pi * rate_hz / 10 * t) + 300 * np.sin(2 * np.pi * rate_hz / 3 * t)
         + rng.normal(0, 3, n)),
        ("a step", np.where(t > t[n // 3], 9000, -4000) + rng.normal(0, 50, n)),
        ("bursts", 12000 * (rng.random(n) < 0.05) + rng.normal(0, 100, n)),
        ("full scale", 32767 * np.sign(np.sin(2 * np.pi * rate_hz / 13 * t))),
    ]
    return [(name, np.clip(np.rint(x), -32768, 32767).astype(np.int16)) for name, x in made]


CASES = [
    (dict(), dict()),
    (dict(fft_length=64, do_fft_overlap=False), dict(nfft=64, overlap=False)),
    (dict(filter_type="low", filter_cutoff=8.0, filter_order=6, fft_length=32), dict(kind="low", cutoff=8.0, order=6, nfft=32)),
    (dict(filter_type="high", filter_cutoff=4.0, filter_order=2, scale_axes=9.81), dict(kind="high", cutoff=4.0, order=2, scale=9.81)),
    (dict(filter_type="high", filter_cutoff=4.0, filter_order=0), dict(kind="high", cutoff=4.0, order=0)),
    (dict(input_decimation_ratio=3), dict(ratio=3)),
    (dict(input_decimation_ratio=30, filter_type="low", filter_cutoff=0.5, filter_order=4),
     dict(ratio=30, kind="low", cutoff=0.5, order=4)),
]


@pytest.mark.parametrize(("ours", "theirs"), CASES)
def test_features_are_those_of_the_published_algorithm(ours, theirs):
    n, rate_hz = (1200, 62.5) if theirs.get("ratio", 1) > 1 else (125, 62.5)
    named = signals(n, rate_hz)
    x = Signal((n, len(named)), "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(rate_hz))
    plan = plan_stage("analysis", SpectralAnalysis(**ours), x)
    y = plan.steps[-1].y
    got = y.real(Engine(plan).push(np.stack([s for _, s in named], axis=-1)[None])[len(plan.steps) - 1].y[0])
    worst = dict.fromkeys(("rms", "skewness", "kurtosis", "spectral skewness", "spectral kurtosis", "log power"), 0.0)
    for (name, samples), row in zip(named, got, strict=True):
        shape, power = published(samples / 8192, rate_hz, **theirs)
        assert len(row) == 5 + len(power), name
        assert row[0] == pytest.approx(shape[0], rel=1e-3, abs=2 * y.scale), name
        assert row[1:3] == pytest.approx(shape[1:3], rel=1e-3, abs=2e-3), name
        assert row[3:5] == pytest.approx(shape[3:], rel=5e-3, abs=1e-2), name
        loud = power > power.max() - 6
        assert np.abs(row[5:] - power)[loud].max() <= 0.005, name
        error = [abs(row[0] / shape[0] - 1), *np.abs(row[1:5] - shape[1:]), np.abs(row[5:] - power)[loud].max()]
        worst = {key: max(worst[key], e) for key, e in zip(worst, error)}
    print({key: f"{e:.2g}" for key, e in worst.items()})


def test_silence_is_as_quiet_as_it_can_be():
    x = Signal((125, 2), "int16", Fraction(1), 2.0**-13, unit="g", sample_hz=Fraction(125, 2))
    plan = plan_stage("analysis", SpectralAnalysis(), x)
    y = Engine(plan).push(np.full((1, 125, 2), 8192, np.int16))[len(plan.steps) - 1].y[0]
    assert plan.steps[-1].y.real(y) == pytest.approx(np.array([[0.0] * 5 + [-10.0] * 8] * 2), abs=1e-3)


def test_powers_without_logarithms():
    x = Signal((125,), "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(125, 2))
    plan = plan_stage("analysis", SpectralAnalysis(do_log=False), x)
    for name, samples in signals(125, 62.5):
        got = plan.steps[-1].y.real(Engine(plan).push(samples[None])[len(plan.steps) - 1].y[0])
        assert got[5:] == pytest.approx(published(samples / 8192, 62.5, log=False)[1], rel=1e-3, abs=4 * plan.steps[-1].y.scale), name


def test_the_extra_features_are_those_of_every_tenth_sample():
    samples = signals(1200, 62.5)[3][1]
    x = Signal((1200,), "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(125, 2))
    plan = plan_stage("analysis", SpectralAnalysis(extra_low_freq=True), x)
    got = plan.steps[-1].y.real(Engine(plan).push(samples[None])[len(plan.steps) - 1].y[0])
    assert got[:13] == pytest.approx(np.concatenate(published(samples / 8192, 62.5)), rel=5e-3, abs=1e-2)
    assert got[13:] == pytest.approx(np.concatenate(published(samples / 8192, 62.5, ratio=10)), rel=5e-3, abs=1e-2)


def test_options_may_be_spelled_as_edge_impulse_does():
    hyphens = {"fft-length": 32, "filter-type": "low", "filter-cutoff": 5.0, "do-fft-overlap": False, "from": "frame"}
    same = SpectralAnalysis(fft_length=32, filter_type="low", filter_cutoff=5.0, do_fft_overlap=False, from_="frame")
    assert class_of("stage", "spectral_analysis").model_validate(hyphens) == same


APP = """
name  = "shake"
board = "nrf52840_dk"
[source]
kind     = "imu"
rate_hz  = 100
axes     = ["x", "y", "z"]
range_g  = 4
block_ms = 100
[[stage]]
kind      = "frame"
length_ms = 2000
window    = "boxcar"
[[stage]]
kind = "spectral_analysis"
filter-type = "low"
filter-cutoff = 8
fft-length = 64
"""


def test_a_definition_with_hyphens_is_read_and_its_mistakes_are_shown_at_their_lines(tmp_path):
    (tmp_path / "app.toml").write_text(APP, encoding="utf-8")
    stage = load(tmp_path).stages[1]
    assert stage == SpectralAnalysis(filter_type="low", filter_cutoff=8, fft_length=64)
    for written, wrong, line in (("fft-length = 64", "fft-length = 60", 18), ("filter-cutoff", "filter-cutof", 17)):
        (tmp_path / "app.toml").write_text(APP.replace(written, wrong), encoding="utf-8")
        with pytest.raises(AppErrors) as caught:
            plan_file(tmp_path)
        assert f"app.toml:{line}:" in str(caught.value)


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(analysis_type="Wavelet"), ("analysis_type",), 'analysis_type = "Wavelet" is not here'),
    (dict(fft_length=24), ("fft_length",), "fft_length = 24 is not a power of two"),
    (dict(filter_type="low", filter_cutoff=40.0), ("filter_cutoff",), "cutoff_hz = 40 is not below half the sample rate, 31.25 Hz"),
    (dict(filter_type="low", filter_cutoff=40.0, filter_order=0), ("filter_cutoff",),
     "filter_cutoff = 40 is above half the sample rate, 31.25 Hz"),
    (dict(filter_type="low", filter_cutoff=1.0), ("filter_cutoff",), "filter_cutoff = 1 leaves no bin; they are 3.90625 Hz apart"),
])
def test_mistakes_are_told_in_the_words_of_the_block(options, path, what):
    with pytest.raises(AppError) as caught:
        SpectralAnalysis(**options).plan(Signal((125,), "int16", Fraction(1), 2.0**-13, unit="g", sample_hz=Fraction(125, 2)))
    assert (caught.value.path, caught.value.what) == (path, what)


# --- the steps within -----------------------------------------------------------------------------------------


def test_a_quiet_window_has_the_bins_of_a_loud_one():
    x = Signal((100,), "int16", Fraction(1), 2.0**-15, sample_hz=Fraction(100))
    plan = plan_stage("bins", MaxSpectrum(size=32), x)
    rng = np.random.default_rng(0)
    for loud in (3, 100, 30000):
        samples = np.clip(np.rint(rng.normal(500 if loud < 1000 else 0, loud / 3, 100)), -32768, 32767).astype(np.int16)
        got = plan.steps[0].y.real(Engine(plan).push(samples[None])[0].y[0])
        data = (samples - samples.mean()) / 32768
        want = np.max([np.abs(np.fft.rfft(data[i : i + 32], 32)) ** 2 / 32 for i in range(0, 100, 16)], axis=0)
        assert np.abs(np.sqrt(got) - np.sqrt(want)).max() <= 2.0**-14 * np.sqrt(32) * np.abs(data).max()


def test_windows_are_filtered_each_alone():
    x = Signal((40, 2), "int16", Fraction(1), 2.0**-15, sample_hz=Fraction(100))
    plan = plan_stage("filter", WindowFilter(type="highpass", cutoff_hz=2, settled=True), x)
    block = np.random.default_rng(1).integers(-32768, 32767, (1, 40, 2), dtype=np.int16)
    twice = Engine(plan).push(np.concatenate([block, block]))[0].y
    np.testing.assert_array_equal(twice[0], twice[1])


def test_a_constant_stays_what_it_is_from_a_settled_start():
    x = Signal((40,), "int16", Fraction(1), 2.0**-15, sample_hz=Fraction(100))
    for kind, left in (("lowpass", 12345), ("highpass", 0)):
        plan = plan_stage("filter", WindowFilter(type=kind, cutoff_hz=5, order=6, settled=True), x)
        y = Engine(plan).push(np.full((1, 40), 12345, np.int16))[0].y[0]
        assert np.abs(plan.steps[0].y.real(y) * 32768 - left).max() < 0.05


@pytest.mark.parametrize("name", ["AvadaKedavra", "Revelio", "LocomotorCharm"])
@pytest.mark.parametrize(("ours", "theirs"), CASES[:4])
def test_features_of_recorded_movements_are_those_of_the_published_algorithm(name, ours, theirs):
    rows = np.loadtxt(shared("data", "imu", "magic_wand_charms", "train", f"{name}.csv"), delimiter=",", skiprows=1, usecols=(0, 1, 2))
    counts = np.clip(np.rint(rows / 4 * 32768), -32768, 32767).astype(np.int16)
    windows = counts[: len(counts) // 125 * 125].reshape(-1, 125, 3)[:8]
    x = Signal((125, 3), "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(125, 2))
    plan = plan_stage("analysis", SpectralAnalysis(**ours), x)
    got = plan.steps[-1].y.real(Engine(plan).push(windows)[len(plan.steps) - 1].y)
    for window, axes in zip(windows, got, strict=True):
        for axis, row in enumerate(axes):
            shape, power = published(window[:, axis] / 8192, 62.5, **theirs)
            assert row[0] == pytest.approx(shape[0], rel=1e-3, abs=2 * plan.steps[-1].y.scale)
            assert row[1:3] == pytest.approx(shape[1:3], rel=1e-3, abs=2e-3)
            assert row[3:5] == pytest.approx(shape[3:], rel=5e-3, abs=1e-2)
            assert np.abs(row[5:] - power)[power > power.max() - 6].max() <= 0.005
