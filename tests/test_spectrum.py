"""Is the FFT as precise as it says, and safe for every frame?  `python tests/test_spectrum.py` writes docs/spectrum.md anew."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages import spectrum
from tinystream.stages.spectrum import Spectrum, complex_bins, run

SIZES = [64, 128, 256, 512, 1024, 2048, 4096]
LEVELS_DB = [0, -20, -40]
KINDS = ["noise", "sine on a bin", "sine between bins"]
FRAMES = 32
DOCUMENT = Path(__file__).parents[1] / "docs" / "spectrum.md"


def frame(length: int) -> Signal:
    return Signal((length,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))


def signals(kind: str, size: int, level_db: float, rng: np.random.Generator) -> np.ndarray:
    """FRAMES frames of int16 with this peak level."""
    peak, i = 32767 * 10 ** (level_db / 20), np.arange(size)
    if kind == "noise":
        return np.rint(rng.uniform(-peak, peak, (FRAMES, size))).astype(np.int16)
    bins = rng.uniform(1, size / 2 - 1, (FRAMES, 1))
    bins = np.rint(bins) if kind == "sine on a bin" else np.floor(bins) + 0.5
    return np.rint(peak * np.sin(2 * np.pi * (bins * i / size + rng.uniform(0, 1, (FRAMES, 1))))).astype(np.int16)


def snr_db(got: np.ndarray, want: np.ndarray) -> float:
    """Of the worst frame."""
    noise = np.maximum((np.abs(got - want) ** 2).sum(1), 1e-30)  # a sine on bin size/4 can be without error
    return float((10 * np.log10((np.abs(want) ** 2).sum(1) / noise)).min())


def snr(precision: int, size: int, kind: str, level_db: float) -> tuple[float, float]:
    """(of the complex bins, of the amplitude sqrt(y)), dB."""
    k = Spectrum(precision=precision, size=size).plan(frame(size)).k
    x = signals(kind, size, level_db, np.random.default_rng(size))
    want = np.fft.rfft(x.astype(np.float64)) / size
    return snr_db(complex_bins(k, x), want), snr_db(np.sqrt(run(k, None, x) / 2**16), np.abs(want))


def snr_table() -> str:
    """The figures of docs/spectrum.md, as Markdown."""
    head = ["precision", "size", *(f"{kind}, {level} dBFS" for kind in KINDS for level in LEVELS_DB)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for precision in (16, 32):
        for size in SIZES:
            cells = ["{:.1f} · {:.1f}".format(*snr(precision, size, kind, level)) for kind in KINDS for level in LEVELS_DB]
            lines.append(f"| {precision} | {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("precision", [16, 32])
def test_signal_to_noise_is_what_is_promised(precision, size):
    for kind in KINDS:
        for level in LEVELS_DB:
            both = snr(precision, size, kind, level)
            promised = 55 if precision == 16 else {0: 90, -20: 75, -40: 60}[level]
            print(f"{precision} bits, {size} points, {kind} at {level} dBFS: bins {both[0]:.1f} dB, amplitude {both[1]:.1f} dB")
            assert min(both) >= promised


def test_the_documented_figures_are_those_measured():
    documented = [float(f) for f in re.findall(r"\d+\.\d", DOCUMENT.read_text(encoding="utf-8"))]
    measured = [float(f) for f in re.findall(r"\d+\.\d", snr_table())]
    np.testing.assert_allclose(documented, measured, atol=0.15)


def cruel_frames(size: int) -> np.ndarray:
    """Frames that put all they have into one bin or one sample: square waves in step with every twiddle, impulses, constants."""
    i = np.arange(size)
    cosines = [
        np.cos(2 * np.pi * (b * i / size + phase)) for b in (0, 1, size // 16, size // 8, size // 4, size // 2) for phase in (0, 0.01, 0.3)
    ]
    squares = [np.where(c >= 0, 32767, -32768) for c in cosines]
    impulses = [np.where(i == at, height, 0) for at in (0, 1, size - 1) for height in (-32768, 32767, 1)]
    flat = [np.full(size, v) for v in (-32768, 32767, 1, -1, 0)]
    return np.array([*squares, *impulses, *flat]).astype(np.int16)


@pytest.mark.parametrize("size", SIZES)
def test_no_mantissa_leaves_its_type(size, monkeypatch):
    seen = []
    monkeypatch.setattr(spectrum, "rounded", lambda v, s, real=spectrum.rounded: seen.append(real(v, s)) or seen[-1])
    x = np.concatenate([cruel_frames(size), np.random.default_rng(0).choice([-32768, 32767], (64, size)).astype(np.int16)])
    k16, k32 = (Spectrum(precision=p, size=size).plan(frame(size)).k for p in (16, 32))
    got16, got32, want = complex_bins(k16, x), complex_bins(k32, x), np.fft.rfft(x.astype(np.float64)) / size
    for real, imag in zip(seen[::2], seen[1::2]):
        assert (real.astype(np.int64) ** 2 + imag.astype(np.int64) ** 2).max() <= 32762**2
    worst16 = np.abs(got16 - want).max(1) / np.maximum(np.abs(x.astype(np.int64)).max(1), 1)
    worst32 = np.abs(got32 - want).max()
    print(
        f"{size} points: 16 bits err by {worst16.max() * 2**15:.2f} counts of a full-scale sample, 32 bits by {worst32 * 2**14:.2f} / 2**14"
    )
    assert worst16.max() <= 2.0**-14
    assert worst32 <= 2.0**-12


@pytest.mark.parametrize("precision", [16, 32])
def test_a_constant_at_full_scale_gives_2_to_the_46(precision):
    k = Spectrum(precision=precision).plan(frame(256)).k
    y = run(k, None, np.full((1, 256), -32768, np.int16))[0]
    assert y[0] == 2**46
    assert not y[1:].any()


@pytest.mark.parametrize("precision", [16, 32])
def test_quiet_frames_keep_their_resolution(precision):
    x = np.zeros((1, 64), np.int16)
    x[0, 5] = 1
    y = run(Spectrum(precision=precision).plan(frame(64)).k, None, x)[0]
    np.testing.assert_array_equal(y, np.full(33, 2**16 / 64**2))


def test_power_of_all_bins_is_at_most_the_mean_square():
    x = np.random.default_rng(0).choice([-32768, 32767], (64, 512)).astype(np.int16)
    y = run(Spectrum().plan(frame(512)).k, None, x)
    assert (y[:, 1:-1].sum(1) * 2 + y[:, 0] + y[:, -1] <= 2**46 + 257).all()
    assert (y >= 0).all()


@pytest.mark.parametrize("precision", [16, 32])
def test_each_channel_has_the_bins_that_it_has_alone(precision):
    x = np.random.default_rng(0).integers(-32768, 32768, (20, 90, 3)).astype(np.int16)
    x[:, :, 1] >>= 9  # one exponent a frame and channel: a loud neighbour costs a quiet one nothing
    step = Spectrum(precision=precision).plan(Signal((90, 3), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000)))
    alone = Spectrum(precision=precision).plan(frame(90))
    y = run(step.k, None, x)
    assert (step.y.shape, step.y.bin_hz) == ((3, 65), Fraction(125))
    for channel in range(3):
        np.testing.assert_array_equal(y[:, channel], run(alone.k, None, np.ascontiguousarray(x[:, :, channel])))


def test_an_empty_batch_is_an_empty_answer():
    plan = plan_stage("empty", Spectrum(precision=16), frame(64))
    assert Engine(plan).push(np.empty((0, 64), np.int16))[0].y.shape == (0, 33)


def test_scale_and_bin_hz_say_the_real_value():
    y = Spectrum(size=512).plan(frame(400)).y
    assert (y.scale, y.bin_hz, y.unit, y.shape) == (2.0**-46, Fraction(16000, 512), "FS²", (257,))


@pytest.mark.parametrize(
    ("stage", "length", "path", "what", "help"),
    [
        (Spectrum(size=500), 400, ("size",), "size = 500 is not a power of two", "size = 512"),
        (Spectrum(size=256), 400, ("size",), "size = 256 is less than the frame, 400 samples", "size = 512"),
        (Spectrum(), 5000, (), "a frame of 5000 samples is longer than the largest FFT, 4096", "a frame of 4096 samples or fewer"),
    ],
)
def test_mistakes_say_the_limit_and_the_way_out(stage, length, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(frame(length))
    with pytest.raises(AppError, match=what):
        stage.plan(Signal((length, 2), "int16", Fraction(100)))
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)


def main() -> None:
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(
        "# How precise the spectrum is\n\n"
        "Signal to noise in dB against float64 (`numpy.fft.rfft`): of the complex bins · of the amplitude sqrt(y); "
        f"the worst of {FRAMES} frames.\nThe level is that of the peak; noise is white and uniform.  "
        "`python tests/test_spectrum.py` measures again and writes this page; a test compares the two.\n\n"
        f"{snr_table()}\n",
        encoding="utf-8",
    )
    print(DOCUMENT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
