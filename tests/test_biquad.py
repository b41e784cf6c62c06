"""Is the filter scipy's, to less than a count, whatever its edge, and does it fall silent?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.biquad import BOUND, Biquad, quantized

AUDIO = Signal((500,), "int16", Fraction(32), 2.0**-15, unit="FS", sample_hz=Fraction(16000))


def filtered(stage: Biquad, x: np.ndarray, signal: Signal = AUDIO) -> np.ndarray:
    blocks = x.astype(np.int16).reshape(-1, *signal.shape)
    return Engine(plan_stage("biquad", stage, signal)).push(blocks)[0].y.reshape(x.shape)


def textbook(stage: Biquad, x: np.ndarray, signal: Signal = AUDIO) -> np.ndarray:
    return np.clip(sosfilt(stage._design(signal), x.astype(np.float64), axis=0), -32768, 32767)


def loudest(stage: Biquad, length: int) -> np.ndarray:
    """Full-scale samples of the signs that add up to the greatest output at the end: the worst there is for the filter."""
    impulse = np.zeros(length)
    impulse[0] = 1
    return np.where(sosfilt(stage._design(AUDIO), impulse)[::-1] > 0, 32767, -32768)


LOW = [
    Biquad(type="lowpass", cutoff_hz=10, order=4),
    Biquad(type="lowpass", cutoff_hz=1),
    Biquad(type="highpass", cutoff_hz=10, order=3),
    Biquad(type="highpass", cutoff_hz=1, order=2, family="chebyshev1", ripple_db=3),
    Biquad(type="bandpass", low_hz=20, high_hz=25, order=2),
    Biquad(type="bandstop", low_hz=45, high_hz=55, order=3, family="chebyshev2", stop_db=60),
    Biquad(type="notch", centre_hz=50, q=30),
    Biquad(type="peak", centre_hz=440, q=100),
]


@pytest.mark.parametrize("stage", LOW, ids=lambda s: f"{s.type}-{'-'.join(f'{hz:g}' for hz in s._corners_hz())}")
@pytest.mark.parametrize("what", ["worst", "noise", "quiet"])
def test_two_seconds_at_low_edges_stay_within_the_proof(stage, what):
    rng = np.random.default_rng(5)
    x = {"worst": loudest(stage, 32000), "noise": rng.integers(-32768, 32768, 32000), "quiet": rng.integers(-2, 3, 32000)}[what]
    proof = quantized(stage._design(AUDIO), "cutoff_hz").error
    error = np.abs(filtered(stage, x) - textbook(stage, x)).max()
    print(f"worst {error:.4f} counts, proved {proof:.4f}")
    assert error <= proof + 1e-6 <= BOUND


@settings(max_examples=60, deadline=None)
@given(type=st.sampled_from(["lowpass", "highpass", "bandpass", "bandstop"]),
       family=st.sampled_from(["butterworth", "chebyshev1", "chebyshev2"]),
       order=st.integers(1, 8), low=st.floats(0, 13), width=st.floats(0.1, 4), seed=st.integers(0, 1000))
def test_any_filter_that_plans_is_scipys(type, family, order, low, width, seed):
    low_hz = 2.0**low
    edges = dict(low_hz=low_hz, high_hz=low_hz * 2**width) if type.startswith("band") else dict(cutoff_hz=low_hz)
    stage = Biquad(type=type, family=family, order=order, **edges)
    try:
        stage.plan(AUDIO)
    except AppError:
        assume(False)
    rng = np.random.default_rng(seed)
    x = np.concatenate([loudest(stage, 500), rng.integers(-32768, 32768, 500), np.full(500, 32767)])
    assert np.abs(filtered(stage, x) - textbook(stage, x)).max() <= BOUND


@pytest.mark.parametrize("stage", LOW, ids=lambda s: s.type)
def test_silence_comes_out_of_silence(stage):
    """No limit cycle: a second after the last sample the textbook rounds to, nothing but zeros."""
    x = np.zeros(64000)
    x[:4000] = np.random.default_rng(6).integers(-32768, 32768, 4000)
    y, want = filtered(stage, x), textbook(stage, x)
    silent = 16000 + np.flatnonzero(np.abs(want) > 0.25).max()
    assert not y[silent:].any()


def test_a_highpass_takes_a_constant_out_altogether():
    y = filtered(Biquad(type="highpass", cutoff_hz=50, order=4), np.full(16000, 32767))
    assert not y[8000:].any()


def test_a_lowpass_passes_a_constant_unchanged():
    for value in (1, -1, 32767, -32768):
        assert (filtered(Biquad(type="lowpass", cutoff_hz=50, order=4), np.full(16000, value))[8000:] == value).all()


def test_a_low_edge_costs_next_to_nothing():
    """What int32 can prove for a lowpass at a 1600th of the rate: half a count is the rounding of the output."""
    assert quantized(Biquad(type="lowpass", cutoff_hz=10, order=4)._design(AUDIO), "cutoff_hz").error < 0.505


def test_each_channel_is_filtered_alone():
    signal = replace(AUDIO, shape=(50, 3))
    x = np.random.default_rng(7).integers(-32768, 32768, (500, 3))
    stage = Biquad(type="bandpass", low_hz=300, high_hz=3400)
    together = filtered(stage, x, signal)
    for channel in range(3):
        np.testing.assert_array_equal(together[:, channel], filtered(stage, x[:, channel], replace(AUDIO, shape=(50,))))


def test_output_saturates_and_recovers():
    stage = Biquad(type="highpass", cutoff_hz=100)
    x = np.concatenate([np.full(500, -32768), np.full(500, 32767), np.zeros(500)])
    y = filtered(stage, x)
    assert y.max() == 32767
    assert np.abs(y - textbook(stage, x)).max() <= BOUND


def test_every_partial_sum_fits_64_bits_and_every_word_32():
    """The proof, watched at work on the input that is the worst for each section."""
    from tinystream.stages import biquad

    for stage in LOW:
        k = stage.plan(AUDIO).k
        v = [int(x) << k.guard for x in loudest(stage, 8000)]
        for row in k.taps.tolist():
            out, past = biquad.section(row, [0] * 6, v)
            for words in (np.diff(v), np.diff(out), out, past):
                assert np.abs(np.array(words, np.int64)).max() < 2**31
            v = out


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(type="lowpass"), "type", 'type = "lowpass" needs cutoff_hz'),
    (dict(type="notch", centre_hz=50), "type", 'type = "notch" needs q'),
    (dict(type="lowpass", cutoff_hz=8000), "cutoff_hz", "cutoff_hz = 8000 is not below half the sample rate, 8000 Hz"),
    (dict(type="bandpass", low_hz=100, high_hz=9000), "high_hz", "high_hz = 9000 is not below half the sample rate, 8000 Hz"),
    (dict(type="bandpass", low_hz=300, high_hz=200), "low_hz", "low_hz = 300 is not below high_hz, 200"),
    (dict(type="lowpass", cutoff_hz=100, q=2), "q", 'q means nothing to type = "lowpass", which knows cutoff_hz, family, order'),
    (dict(type="notch", centre_hz=50, q=2, order=3), "order", 'order means nothing to type = "notch", which knows centre_hz, q'),
    (dict(type="lowpass", cutoff_hz=100, ripple_db=2), "ripple_db",
     'ripple_db means nothing to family = "butterworth", which knows cutoff_hz, family, order'),
    (dict(type="lowpass", cutoff_hz=0.001), "cutoff_hz",
     "this filter rings for more than two million samples: an edge is too sharp, or too near to 0 Hz or half the sample rate"),
])
def test_mistakes(options, path, what):
    with pytest.raises(AppError) as caught:
        Biquad(**options).plan(AUDIO)
    assert (caught.value.path, caught.value.what) == ((path,), what)


def test_other_inputs_than_samples_are_refused():
    for signal in (replace(AUDIO, dtype="int32"), replace(AUDIO, zero=1), replace(AUDIO, sample_hz=None), replace(AUDIO, shape=(2, 2, 2))):
        with pytest.raises(AppError, match="filters int16 samples"):
            Biquad(type="lowpass", cutoff_hz=100).plan(signal)
