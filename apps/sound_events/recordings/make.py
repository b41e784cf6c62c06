"""Make the recordings of this folder: simulated sounds in a quiet room, with a truth file each.

    python apps/sound_events/recordings/make.py          the same bytes each time

    nursery.flac     a baby that cries, and knocks that nobody is to be told of
    study.flac       two sneezes
    stove.flac       a fire that crackles

Nothing in them was recorded.  A cry is harmonics of a gliding pitch through three resonances, with breath in it; a sneeze is a burst of
air; a fire is clicks at random moments, each a burst of noise that rings off.  They are caricatures: that the app tells them apart says
that its parts work together, and nothing of how well it hears.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, lfilter, sosfilt

HERE = Path(__file__).parent
RATE_HZ = 16_000
ROOM = 3e-4     # of full scale, rms
STEP = 8        # counts between two values, so that files are small; another libm may round one otherwise

# seconds into the recording, what, how long the whole recording is
RECORDINGS = {
    "nursery": (9.0, [(1.2, "knock"), (1.6, "knock"), (2.5, "crying_baby"), (8.0, "knock")]),
    "study": (6.0, [(1.5, "sneezing"), (3.6, "sneezing")]),
    "stove": (6.0, [(1.0, "crackling_fire")]),
}
TOLD = ("crying_baby", "sneezing", "crackling_fire")


def main() -> None:
    for seed, (name, (seconds, events)) in enumerate(RECORDINGS.items()):
        rng = np.random.default_rng(seed)
        x = ROOM * rng.standard_normal(round(seconds * RATE_HZ))
        windows, labels = [], []
        for start_s, what in events:
            sound = SOUNDS[what](rng)
            begin = round(start_s * RATE_HZ)
            x[begin : begin + len(sound)] += sound
            if what in TOLD:
                windows.append([start_s, start_s + len(sound) / RATE_HZ])
                labels.append(what)
        counts = np.rint(np.clip(x, -0.999, 0.999) * 32768 / STEP).astype(np.int16) * STEP
        soundfile.write(HERE / f"{name}.flac", counts, RATE_HZ, subtype="PCM_16")
        truth = dict(wav_file=f"{name}.flac", sample_rate=RATE_HZ, length_sec=seconds, detection_windows=windows, labels=labels)
        (HERE / f"{name}.truth.json").write_text(json.dumps([truth]) + "\n", encoding="utf-8")


def cry(rng: np.random.Generator) -> np.ndarray:
    """Four cries of a second: the pitch rises to 520 Hz, holds and falls."""
    cries = []
    for _ in range(4):
        seconds = rng.uniform(0.85, 1.0)
        pitch = np.interp(np.linspace(0, 1, 6), [0, 0.2, 0.7, 1], [380, 520, 500, 400]) * rng.uniform(0.97, 1.03)
        cries += [voice(rng, pitch, seconds, [(1100, 300), (2600, 500), (4200, 900)], breath=0.05, attack_s=0.08), silence(0.3)]
    return 0.3 * np.concatenate(cries[:-1])


def sneeze(rng: np.random.Generator) -> np.ndarray:
    """Breath drawn in, a burst of air, and what is left of it."""
    t = np.arange(round(0.9 * RATE_HZ)) / RATE_HZ
    drawn = 0.03 * np.clip(t / 0.35, 0, 1) * (t < 0.4)
    burst = np.where(t > 0.45, np.exp(-(t - 0.45) / 0.12) + 0.05 * np.exp(-(t - 0.45) / 0.2), 0)
    return 0.2 * (drawn + burst) * sosfilt(butter(2, (1500, 7000), "bandpass", fs=RATE_HZ, output="sos"), rng.standard_normal(len(t)))


def crackle(rng: np.random.Generator) -> np.ndarray:
    """Clicks, 30 a second, over a soft roar."""
    count = 4 * RATE_HZ
    x = np.zeros(count)
    for begin in rng.integers(count - 800, size=120):
        length = int(rng.integers(40, 400))
        x[begin : begin + length] += rng.pareto(2.0) * rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 5))
    x = sosfilt(butter(2, 700, "highpass", fs=RATE_HZ, output="sos"), np.clip(x, -8, 8))
    roar = sosfilt(butter(1, 400, "lowpass", fs=RATE_HZ, output="sos"), rng.standard_normal(count))
    return 0.04 * x + 0.004 * roar


def knock(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(RATE_HZ // 8) / RATE_HZ
    return 0.1 * np.sin(2 * np.pi * 180 * t) * np.exp(-t / 0.02)


def voice(
    rng: np.random.Generator, pitch_hz: np.ndarray, seconds: float, formants: list[tuple[float, float]], breath: float, attack_s: float
) -> np.ndarray:  # fmt: skip
    """Harmonics of a pitch that goes through the given points, through resonances of (Hz, width), peak 1."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch = np.interp(t, np.linspace(0, seconds, len(pitch_hz)), pitch_hz)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    x = np.sum([np.where(n * pitch < 7500, np.sin(n * phase), 0) / n**0.7 for n in range(1, 24)], axis=0)
    x = x + breath * np.sqrt(12) * rng.standard_normal(len(t))
    y = 0.2 * x
    for hz, width in formants:
        radius = np.exp(-np.pi * width / RATE_HZ)
        y = y + lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2], x)
    y = y * np.minimum(1, np.minimum(t / attack_s, (seconds - t) / (2 * attack_s)))
    return y / np.abs(y).max()


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ))


SOUNDS = dict(crying_baby=cry, sneezing=sneeze, crackling_fire=crackle, knock=knock)


if __name__ == "__main__":
    main()
