"""Does the peak tell the distance of harmonics, and the delay of an echo?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from corners import same_for_any_input

from tinystream.errors import AppError
from tinystream.plan.plan import Wiring, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.cepstrum import Cepstrum, logs, run
from tinystream.stages.log import Log
from tinystream.stages.spectrum import Spectrum

RATE, SIZE = 16000, 1024


def peaks(stage: Cepstrum, stream: np.ndarray, unit: str = "ln") -> np.ndarray:
    """[peak, ms] of each hann frame of 1024 samples, through the stages before."""
    frame = Signal((SIZE,), "int16", Fraction(RATE, SIZE), 2.0**-15, unit="FS", sample_hz=Fraction(RATE))
    wiring, at = Wiring(), -1
    for part in (Spectrum(), Log(unit=unit), stage):
        at = wiring.add(part.plan(wiring.steps[-1].y if wiring.steps else frame), [at])
    plan = plan_steps("cepstrum", (frame,), wiring.steps)
    x = np.rint(stream[: stream.size // SIZE * SIZE].reshape(-1, SIZE) * np.hanning(SIZE)).astype(np.int16)
    return plan.steps[-1].y.real(Engine(plan).push(x)[2].y)


@pytest.mark.parametrize("hz", [125, 200, 320])
def test_harmonics_are_told_by_their_distance(hz):
    """Of a tone whose first four harmonics are missing."""
    t, rng = np.arange(RATE) / RATE, np.random.default_rng(0)
    x = sum(3000 / h * np.sin(2 * np.pi * h * hz * t + rng.uniform(0, 6)) for h in range(5, int(7900 / hz)))
    y = peaks(Cepstrum(low_ms=2, high_ms=15), x + rng.normal(0, 20, RATE))
    print(f"{hz} Hz: {np.round(y[:, 1], 3).tolist()} ms")
    assert np.abs(y[:, 1] - 1000 / hz).max() <= 1000 / RATE
    assert (y[:, 0] > 0.2).all()


def test_an_echo_is_a_peak_at_its_delay_of_half_its_strength():
    """log |1 + a exp(-jwd)|**2 = 2 a cos(w d) - …: the real cepstrum of a log power spectrum has a at d."""
    rng = np.random.default_rng(1)
    plain = rng.normal(0, 3000, 200 * SIZE)
    echo = plain + 0.5 * np.concatenate([np.zeros(64), plain[:-64]])
    y = peaks(Cepstrum(low_ms=1, high_ms=20), echo)
    print(f"{(y[:, 1] == 4).mean():.0%} of frames, mean peak {y[y[:, 1] == 4, 0].mean():.3f}")
    assert (y[:, 1] == 4.0).mean() > 0.9
    assert abs(y[y[:, 1] == 4, 0].mean() - 0.5) < 0.1
    assert np.bincount(np.rint(peaks(Cepstrum(low_ms=1, high_ms=20), plain)[:, 1] * 16).astype(int)).max() < 20, "noise has no period"


def test_it_is_the_inverse_transform_of_numpy():
    rng, x = np.random.default_rng(2), logs(256)
    blocks = rng.integers(-32768, 32768, (50, 129)).astype(np.int16)
    step = Cepstrum(low_ms=0.5, high_ms=8).plan(x)
    c = np.fft.irfft(blocks * x.scale)[:, 8:129]
    y = step.y.real(run(step.k, None, blocks))
    np.testing.assert_allclose(y[:, 0], c.max(1), rtol=2**-18, atol=step.y.scale)
    np.testing.assert_allclose(y[:, 1], (8 + c.argmax(1)) / 16, atol=step.y.scale)


def test_one_quefrency_by_hand():
    """A cosine of 3 ripples over all 64 points, 1000 counts high: c[3] is 500 counts, c[5] is nothing."""
    x = logs(64, scale=2.0**-9)
    ripple = np.rint(1000 * np.cos(2 * np.pi * 3 * np.arange(33) / 64)).astype(np.int16)[None]
    for low_ms, peak, ms in [(0.1875, 500 / 512, 0.1875), (0.3125, 0, 0.3125)]:
        step = Cepstrum(low_ms=low_ms, high_ms=low_ms + 0.01).plan(x)
        np.testing.assert_allclose(step.y.real(run(step.k, None, ripple))[0], [peak, ms], atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 2.0**-12, 0.3])
def test_full_scale_fits(scale, tmp_path):
    x = logs(64, 2, scale=scale)
    y = same_for_any_input(Cepstrum(low_ms=0.1, high_ms=2), x, folder=tmp_path)[0]
    assert y[4, 0, 0] > 0  # the first bin alone, and the last
    assert y[5, 1, 0] > 0
    spike = np.zeros((1, 2, 33), np.int16)
    spike[:, :, ::32] = 32767  # c[q] = 2 x 32767 / 64 at every even q
    step = Cepstrum(low_ms=0.1, high_ms=2).plan(x)
    np.testing.assert_allclose(step.y.real(run(step.k, None, spike))[0, 0], [2 * 32767 / 64 * scale, 2 / 16], rtol=1e-5, atol=step.y.scale)


def test_what_is_in_the_vector_is_said():
    step = Cepstrum(low_ms=2, high_ms=15).plan(logs(512))
    assert step.says == "[peak of the cepstrum, its quefrency in ms], from 2 to 15 ms"
    assert (step.y.shape, step.y.unit) == ((2,), "")
    assert np.log2(step.y.scale) % 1 == 0


@pytest.mark.parametrize(
    ("options", "path", "what", "help"),
    [
        (dict(low_ms=5, high_ms=5), ("low_ms",), "low_ms = 5 is not below high_ms = 5", "low_ms = 2.5"),
        (dict(low_ms=5, high_ms=17), ("high_ms",), "high_ms = 17 is longer than half the spectrum's frame, 16 ms", "high_ms = 16"),
        (dict(low_ms=5.01, high_ms=5.02), ("high_ms",), "no sample lies between low_ms = 5.01 and high_ms = 5.02", "high_ms = 5.0625"),
    ],
)
def test_mistakes_say_the_limit_and_the_way_out(options, path, what, help):
    with pytest.raises(AppError) as caught:
        Cepstrum(**options).plan(logs(512))
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)


def test_what_is_no_log_spectrum_is_refused():
    with pytest.raises(AppError, match="reads the logarithm of a spectrum"):
        Cepstrum(low_ms=1, high_ms=2).plan(Signal((5,), "int16", Fraction(1)))
    with pytest.raises(AppError, match="needs all bins"):
        Cepstrum(low_ms=1, high_ms=2).plan(Signal((34,), "int16", Fraction(1), bin_hz=Fraction(100)))
