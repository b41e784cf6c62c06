"""Are the triangles those of the field's toolkits, and does every mistake say its way out?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages.mel import Mel, run


def bins(size: int, rate_hz: int = 16000) -> Signal:
    return Signal((size // 2 + 1,), "int64", Fraction(100), 2.0**-46, unit="FS²", bin_hz=Fraction(rate_hz, size))


def dense(stage: Mel, x: Signal) -> np.ndarray:
    """The packed integer weights as a real matrix, [bands, bins]."""
    step = stage.plan(x)
    weights, at = np.zeros((stage.bands, x.size)), 0
    for b, (first, count) in enumerate(zip(step.k.first, step.k.count)):
        weights[b, first : first + count] = step.k.weight[at : at + count]
        at += count
    assert at == step.k.weight.size
    return weights * 2.0**-15 * step.y.scale / x.scale


def toolkit_triangles(rate_hz, size, bands, low_hz, high_hz, htk, slaney_norm):
    """Scalar code after the definition: for each bin, which side of which triangle it is on.  Shares nothing with the stage."""

    def hz_of(mel):
        if htk:
            return 700.0 * (np.exp(mel / 1127.01048) - 1)
        return mel / 3 * 200 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    def mel_of(hz):
        if htk:
            return 1127.01048 * np.log1p(hz / 700.0)
        return hz / 200 * 3 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)

    low, high = mel_of(low_hz), mel_of(high_hz)
    edge = [hz_of(low + (high - low) * i / (bands + 1)) for i in range(bands + 2)]
    out = np.zeros((bands, size // 2 + 1))
    for b in range(bands):
        left, peak, right = edge[b : b + 3]
        for i in range(size // 2 + 1):
            f = i * rate_hz / size
            if left < f <= peak:
                out[b, i] = (f - left) / (peak - left)
            elif peak < f < right:
                out[b, i] = (right - f) / (right - peak)
            if slaney_norm:
                out[b, i] *= 2 / (right - left)
    return out


@pytest.mark.parametrize("norm", ["none", "slaney"])
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize(
    ("size", "rate_hz", "bands", "low_hz", "high_hz"), [(512, 16000, 40, 125, 7500), (1024, 16000, 64, 20, 8000), (256, 8000, 23, 0, 4000)]
)
def test_weights_are_those_of_an_independent_formula(scale, norm, size, rate_hz, bands, low_hz, high_hz):
    got = dense(Mel(bands=bands, low_hz=low_hz, high_hz=high_hz, scale=scale, norm=norm), bins(size, rate_hz))
    want = toolkit_triangles(rate_hz, size, bands, low_hz, high_hz, scale == "htk", norm == "slaney")
    error = np.abs(got - want).max() / want.max()
    print(f"worst weight off by {error * 2**15:.3f} / 2**15")
    assert error <= 0.51 * 2**-15 + 2e-7  # 2e-7: 2595 / ln 10 and 1127.01048 differ in the ninth digit


def test_any_spectrum_keeps_within_the_stated_error():
    stage, x = Mel(bands=40, low_hz=125.0, high_hz=7500.0), bins(512)
    step, rng = stage.plan(x), np.random.default_rng(0)
    lines = np.zeros((257, 257), np.int64)
    np.fill_diagonal(lines, 2**46)  # one bin has it all
    spectra = np.concatenate([lines, rng.integers(0, 2**38, (32, 257))])
    want = stage.ideal((x,), spectra.astype(np.float64))
    covered = spectra @ (dense(stage, x) > 0).T.astype(np.int64)
    assert (np.abs(run(step.k, None, spectra) - want) <= 0.51 + 2.0**-16 * covered).all()


def test_full_scale_on_a_peak_does_not_overflow():
    x = bins(512)
    step = Mel(bands=1, low_hz=0.0, high_hz=8000.0).plan(x)
    flat = np.full((1, 257), 2**46 // 257, np.int64)
    assert 0 < run(step.k, None, flat)[0, 0] < 2**46


def test_a_peak_on_a_bin_weighs_exactly_one():
    edge = 700 * (10 ** (2595 * np.log10(1 + 1000 / 700) * 2 / 2595) - 1)  # so that one band's peak lies at 1 kHz, bin 32
    step = Mel(bands=1, high_hz=edge).plan(bins(512))
    assert step.k.weight[32 - step.k.first[0]] == 2**15


def test_too_many_bands_say_how_many_fit_and_which_size():
    x = bins(512)
    with pytest.raises(AppError) as caught:
        Mel(bands=128, low_hz=20.0).plan(x)
    assert caught.value.path == ("bands",)
    assert caught.value.what == "band 3 of bands = 128 covers no FFT bin; they are 31.25 Hz apart"
    assert caught.value.help == "bands = 126, or size = 1024 in the spectrum"
    Mel(bands=126, low_hz=20.0).plan(x)
    with pytest.raises(AppError):
        Mel(bands=127, low_hz=20.0).plan(x)
    Mel(bands=128, low_hz=20.0).plan(bins(1024))


def test_one_band_between_two_bins_can_only_be_helped_by_a_larger_fft():
    with pytest.raises(AppError) as caught:
        Mel(bands=1, low_hz=126.0, high_hz=140.0).plan(bins(512))
    assert caught.value.help == "size = 2048 in the spectrum"


@pytest.mark.parametrize(
    ("stage", "path", "what", "help"),
    [
        (Mel(high_hz=9000.0), ("high_hz",), "high_hz = 9000 is above half the sample rate, 8000 Hz", "high_hz = 8000"),
        (Mel(low_hz=500.0, high_hz=400.0), ("low_hz",), "low_hz = 500 is not below high_hz = 400", "low_hz = 0"),
    ],
)
def test_mistakes_say_the_limit_and_the_way_out(stage, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(bins(512))
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)


def test_what_is_no_spectrum_is_refused():
    with pytest.raises(AppError, match="sums the bins of a spectrum"):
        Mel().plan(Signal((40,), "int16", Fraction(100)))
