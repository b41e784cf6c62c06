"""Is the micro front end that of TensorFlow Lite Micro?  Oracles: pymicro-features, and digests of what the original's own
source gives under settings that the package cannot be asked for."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import math
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from shared import shared

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.stages.micro_frontend import AUDIO, LOG2_ABOVE_CHORD, MicroFrontend, audio, features, gain_at, log1p_float32, rounded_root


def outputs(stage: MicroFrontend, x: Signal, samples: np.ndarray, engine=Engine) -> np.ndarray:
    blocks = samples[: samples.size // x.size * x.size].reshape(-1, x.size)
    return engine(plan_stage("front", stage, x)).push(blocks)[0].y


def libm_log1pf(x: np.ndarray) -> np.ndarray:
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    libm.log1pf.restype, libm.log1pf.argtypes = ctypes.c_float, [ctypes.c_float]
    return np.array([libm.log1pf(float(v)) for v in x], np.float32)


@pytest.fixture(scope="session")
def original():
    """features() of pymicro-features: the package takes its mel scale from this machine's libm, ours is fdlibm's."""
    package = pytest.importorskip("pymicro_features")
    hz = np.append(np.arange(4, 242, dtype=np.float32) * np.float32(31.25), np.float32([125, 7500])) / np.float32(700)
    if not np.array_equal(libm_log1pf(hz), log1p_float32(hz)):
        pytest.skip("log1pf of this machine's libm is not fdlibm's, so pymicro-features has other bands here")

    def original_features(samples: np.ndarray) -> np.ndarray:
        front, raw = package.MicroFrontend(), samples.astype("<i2").tobytes()
        rows = [front.process_samples(raw[i : i + 320]).features for i in range(0, len(raw) - 319, 320)]
        return np.rint(np.array([row for row in rows if row]).reshape(-1, 40) * 25.6).astype(np.uint16)

    return original_features


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (16000, 2), path
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")[:: file.getnchannels()].astype(np.int16)


def pseudo_noise(count: int) -> np.ndarray:
    """int16 of every loudness, by arithmetic that no library can change."""
    i = np.arange(count, dtype=np.uint64)
    word = (i * np.uint64(2654435761) ^ i * i * np.uint64(40503)) * np.uint64(2246822519) & np.uint64(0xFFFFFFFF)
    loud = (word >> np.uint64(16)).astype(np.uint16).view(np.int16)
    return loud >> (i // np.uint64(2400) % np.uint64(15)).astype(np.int16)


def extremes() -> dict[str, np.ndarray]:
    rng, t = np.random.default_rng(7), np.arange(8000)
    full = np.where(rng.random(8000) < 0.5, 32767, -32768)
    burst = np.concatenate([np.zeros(3200), full[:1600], np.zeros(3200)])
    spikes = np.zeros(8000)
    spikes[np.array([239, 240, 1679, 3200, 4799])] = -32768        # the window is 1 at the middle: int16 has no +32768
    return {
        "random signs at full scale": full,
        "alternating full scale": np.where(t % 2, 32767, -32768),
        "pairs of full scale": np.where(t // 2 % 2, 32767, -32768),
        "square of 1 kHz": np.where(t // 8 % 2, 32767, -32768),
        "square of 100 Hz": np.where(t // 80 % 2, 32767, -32768),
        "constant -32768": np.full(8000, -32768),
        "constant 32767": np.full(8000, 32767),
        "silence then a burst": burst,
        "spikes of -32768 in silence": spikes,
        "one count": rng.integers(-1, 2, 8000),
        "noise of full range": rng.integers(-32768, 32768, 16000),
        "every loudness": pseudo_noise(48000),
        "chirp": 32767 * np.sin(t**2 * np.pi / 16000),
    }


EXTREMES = {name: x.astype(np.int16) for name, x in extremes().items()}


@pytest.mark.parametrize("name", EXTREMES)
def test_definition_equals_the_original_at_the_extremes(name, original):
    np.testing.assert_array_equal(features(EXTREMES[name]), original(EXTREMES[name]))


def test_native_engine_equals_the_original_at_the_extremes(original):
    native = Native(plan_stage("front", MicroFrontend(), AUDIO))
    for name, samples in EXTREMES.items():
        native.reset()
        y = native.push(samples[: samples.size // 160 * 160].reshape(-1, 160))[0].y
        np.testing.assert_array_equal(y, original(samples), err_msg=name)


def test_native_engine_equals_the_original_on_every_recording(original):
    native = Native(plan_stage("front", MicroFrontend(), AUDIO))
    paths = sorted(shared("data", "audio").rglob("*.wav"))
    frames = 0
    for path in paths:
        samples = read_wav(path)
        native.reset()
        y = native.push(samples[: samples.size // 160 * 160].reshape(-1, 160))[0].y
        np.testing.assert_array_equal(y, original(samples), err_msg=path.name)
        frames += len(y)
    print(f"{frames} frames of {len(paths)} recordings")
    assert frames > 100_000


def test_definition_equals_the_original_on_a_spread_of_recordings(original):
    for path in sorted(shared("data", "audio").rglob("*.wav"))[::15]:
        samples = read_wav(path)[:48000]
        np.testing.assert_array_equal(features(samples), original(samples), err_msg=path.name)


def test_features_are_what_the_steps_give_block_by_block():
    samples = pseudo_noise(26000)
    np.testing.assert_array_equal(features(samples), outputs(MicroFrontend(), AUDIO, samples))
    assert features(samples).shape == (160, 40)
    assert features(samples[:480]).shape == (1, 40)
    assert features(samples[:479]).shape == features(samples[:0]).shape == (0, 40)


DIGESTS = [
    (MicroFrontend(), 16000, 10, "835dc91b6085579d"),
    (MicroFrontend(), 16000, 20, "40d664d12e8e6f7d"),
    (MicroFrontend(pcan=False), 16000, 10, "7db84124955b50a7"),
    (MicroFrontend(log=False), 16000, 10, "c805568fd0a214d7"),
    (MicroFrontend(noise_reduction=False, pcan=False, log=False), 16000, 10, "3e94820b3ac419eb"),
    (MicroFrontend(window_ms=32, bands=24, low_hz=60, high_hz=3800, pcan_offset=60, gain_bits=20), 8000, 16, "270d3a0f0067dc25"),
    (MicroFrontend(window_ms=25, bands=32, high_hz=7000, smoothing_bits=8, even_smoothing=0.1,
       odd_smoothing=0.3, min_signal_remaining=0.2, pcan_strength=0.8, gain_bits=19, log_scale_shift=8), 48000, 10, "3e981944a576412d"),
    (MicroFrontend(window_ms=8, bands=8, low_hz=300, pcan_strength=1), 16000, 4, "910644a44a93fec4"),
    (MicroFrontend(window_ms=8, bands=6, low_hz=100, high_hz=3500), 8000, 6, "d831e18f62403a2c"),
    (MicroFrontend(window_ms=40, bands=40), 48000, 20, "63870aed125d876a"),
    (MicroFrontend(bands=41), 32000, 10, "de0dd9492260744c"),
]


@pytest.mark.parametrize(("stage", "rate_hz", "block_ms", "digest"), DIGESTS)
def test_other_settings_give_what_the_source_of_the_original_gives(stage, rate_hz, block_ms, digest):
    x = audio(rate_hz, rate_hz * block_ms // 1000)
    for engine in Engine, Native:
        y = outputs(stage, x, pseudo_noise(80 * x.size), engine)
        assert hashlib.sha256(y.astype("<u2").tobytes()).hexdigest()[:16] == digest, engine.name


@pytest.mark.parametrize(("tables", "digest"), [("float32", None), ("float64", "f5fb36fedc815409")])
def test_tables_in_float64_are_mltks(tables, digest):
    """The digest is that of silabs-mltk 0.20.0; float32 differs in one of 3871 values."""
    stage = MicroFrontend(bands=49, high_hz=3999, min_signal_remaining=0.03, pcan=False, tables=tables)
    i = np.arange(80 * 320, dtype=np.int64)
    rising = (np.abs((i * i * 7 >> 2 & 0xFFFF) - 32768) - 16384).astype(np.int16)
    found = hashlib.sha256(outputs(stage, audio(16000, 320), rising).astype("<u2").tobytes()).hexdigest()[:16]
    assert found == digest if digest else found != "f5fb36fedc815409"


def test_frames_start_at_multiples_of_the_block():
    """Not at its end minus the window: 20 ms blocks give every second frame of 10 ms blocks."""
    plain, samples = MicroFrontend(pcan=False, noise_reduction=False), pseudo_noise(16000)
    every_10_ms, every_20_ms = outputs(plain, AUDIO, samples), outputs(plain, audio(16000, 320), samples)
    np.testing.assert_array_equal(every_20_ms, every_10_ms[::2][: len(every_20_ms)])
    assert (len(every_10_ms), len(every_20_ms)) == (98, 49)


def test_first_output_after_480_samples():
    fired = Engine(plan_stage("front", MicroFrontend(), AUDIO)).push(np.zeros((5, 160), np.int16))[0]
    assert fired.when.tolist() == [2, 3, 4] and not fired.y.any()


def test_a_tone_is_loudest_in_the_band_around_it():
    step = MicroFrontend(pcan=False, noise_reduction=False).plan(AUDIO)
    corners_hz = 700 * np.expm1(np.linspace(np.log1p(125 / 700), np.log1p(7500 / 700), 42))
    for band in range(40):
        tone = 8000 * np.sin(2 * np.pi * corners_hz[band + 1] * np.arange(480) / 16000)
        y = outputs(MicroFrontend(pcan=False, noise_reduction=False), AUDIO, tone.astype(np.int16))[0]
        assert abs(int(y.argmax()) - band) <= (corners_hz[band + 2] - corners_hz[band] < 2 * float(step.x[0].sample_hz) / 512), band


@pytest.mark.parametrize(("options", "bound"), [(dict(pcan=False, noise_reduction=False), 3), (dict(pcan=False), 6), (dict(), 12)])
def test_loud_input_stays_close_to_the_textbook(options, bound):
    """Where a band is above 4 * 64 counts, 4 nepers: rounding is small there, a wrong coefficient is not."""
    rng, t = np.random.default_rng(3), np.arange(32000)
    x = rng.normal(0, 1, t.size) * 6000 * (1.1 + np.sin(t / 700)) + 4000 * np.sin(t**2 * 2e-5)
    blocks = np.clip(x, -32768, 32767).astype(np.int16).reshape(-1, 160)
    stage = MicroFrontend(**options)
    got = Engine(plan_stage("front", stage, AUDIO)).push(blocks)[0].y
    want = stage.ideal((AUDIO,), AUDIO.real(blocks)) * 25.6
    loud = want > 256
    error = np.abs(got - want)[loud].max()
    print(f"worst error {error:.3g} counts in {loud.sum()} loud bands, bound {bound}")
    assert loud.mean() > 0.2 and error <= bound


def test_mel_scale_is_that_of_fdlibm():
    """log1pf of some bins as glibc 2.36 gives it, by the bits; in 6, 13, 56 and 98 it is not the nearest float32."""
    bins = np.float32([5, 6, 9, 10, 13, 56, 98, 100, 240])
    bits = [1045320016, 1047725608, 1051520298, 1052572248, 1055543606, 1067473546, 1071072222, 1071210422, 1075674598]
    np.testing.assert_array_equal(log1p_float32(bins * np.float32(31.25) / np.float32(700)).view(np.int32), bits)


def test_root_is_rounded_and_16_bits_wide_below_2_to_the_32():
    rng = np.random.default_rng(5)
    root = np.arange(1, 1 << 26, 99991)
    middle = root**2 + root
    x = np.concatenate([np.arange(5000), 2 ** rng.uniform(0, 52, 9000), root**2, middle, middle + 1]).astype(np.int64)
    x = np.append(x[x < 1 << 52], [65535**2 + 65535, 65535**2 + 65536, 2**32 - 1, 2**32, 2**52 - 1])
    want = np.array([math.isqrt(4 * v) + 1 >> 1 for v in x.tolist()])       # nearest: no root of an integer ends in a half
    np.testing.assert_array_equal(rounded_root(x), np.where(x < 1 << 32, np.minimum(want, 65535), want))


def test_logarithm_table_is_that_of_the_original():
    assert LOG2_ABOVE_CHORD[[0, 1, 2, 57, 64, 126, 127, 128]].tolist() == [0, 224, 442, 5641, 5568, 282, 142, 0]


@pytest.mark.parametrize("options", [{}, dict(pcan_strength=1, pcan_offset=65), dict(window_ms=128, gain_bits=20)])
def test_gain_never_leaves_the_positive_16_bits(options):
    """So that neither side needs the wrap-around of the original's int16."""
    octaves = [2**b + np.linspace(0, 2**b - 1, 1024).astype(np.int64) for b in range(32)]
    noise = np.unique(np.concatenate([np.arange(1 << 12), *octaves]))
    gain = gain_at(MicroFrontend(**options).plan(AUDIO).k.gain, noise)
    assert gain.min() >= 0 and gain.max() <= 32767
    assert (np.diff(gain) <= 1).all(), "it falls, but for the rounding of the parabola"


@pytest.mark.parametrize(
    ("stage", "x", "option", "words"),
    [
        (MicroFrontend(window_ms=30.03), AUDIO, "window_ms", "not a whole number"),
        (MicroFrontend(window_ms=2), AUDIO, "window_ms", "outside 33 to 2048"),
        (MicroFrontend(window_ms=129), AUDIO, "window_ms", "outside 33 to 2048"),
        (MicroFrontend(window_ms=10), AUDIO, "window_ms", "not longer than the block"),
        (MicroFrontend(low_hz=300, high_hz=200), AUDIO, "high_hz", "not above low_hz"),
        (MicroFrontend(high_hz=8100), AUDIO, "high_hz", "not below half the sample rate"),
        (MicroFrontend(bands=200), AUDIO, "bands", "covers no bin"),
        (MicroFrontend(gain_bits=12), AUDIO, "gain_bits", "below 15"),
        (MicroFrontend(gain_bits=22), AUDIO, "gain_bits", "above 32767"),
        (MicroFrontend(gain_bits=15, pcan_offset=0.5), AUDIO, "gain_bits", "above 32767"),
        (MicroFrontend(smoothing_bits=2), AUDIO, "smoothing_bits", "below 3"),
    ],
)
def test_mistakes_are_shown_at_their_option(stage, x, option, words):
    with pytest.raises(AppError) as caught:
        stage.plan(x)
    assert caught.value.path == (option,) and words in caught.value.what
    wanted, value = caught.value.help.split(",")[0].split(" = ")
    stage.model_copy(update={wanted: type(getattr(stage, wanted))(float(value))}).plan(x)     # the way out is one


def test_only_one_channel_of_int16_is_taken():
    with pytest.raises(AppError, match="one channel of int16"):
        MicroFrontend().plan(Signal((160, 2), "int16", Fraction(100), sample_hz=Fraction(16000)))
