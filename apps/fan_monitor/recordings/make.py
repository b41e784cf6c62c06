"""Make the recordings of this folder: a simulated fan, with a truth file each.

    python apps/fan_monitor/recordings/make.py            the same bytes each time

    speeds.flac    a sound fan: off, low, medium, high, off; nothing is to be told
    weight.flac    at medium speed, then with a weight on a blade

Nothing in them was recorded.  Each axis is a sum of what two bands hold, 5 to 70 Hz and 70 to 100 Hz: lines at multiples of the blades'
frequency and of the mount's ringing, whose strength wanders, and noise.  How much each band holds, for each axis and speed, is
levels.json, medians that train.py took from the real fan's files: the app, fitted to that one, is to know this one.  Gravity lies as it
did.  Samples have 14 bits, ±4 g, as the sensor gives them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfiltfilt

HERE = Path(__file__).parent
RATE_HZ, RANGE_G, STEP = 200, 4, 4      # STEP: counts between two values of the sensor
GRAVITY_G = (-0.010, 0.206, 0.978)
LINES_HZ = {(5, 70): (13.1, 26.3, 39.6, 53.2, 66.1), (70, 100): (79.9, 93.9)}
NOISE = 0.1     # of a band's energy; the rest is lines
RECORDINGS = {
    "speeds": [("off", 12), ("low", 20), ("med", 20), ("high", 20), ("off", 12)],
    "weight": [("med", 24), ("med weight", 30)],
}


def main() -> None:
    levels = json.loads((HERE / "levels.json").read_text(encoding="utf-8"))
    for seed, (name, pieces) in enumerate(RECORDINGS.items()):
        rng = np.random.default_rng(seed)
        g = np.concatenate([fan(levels[condition], seconds, rng) for condition, seconds in pieces])
        counts = np.rint(g * 32768 / RANGE_G / STEP).astype(np.int16) * STEP
        soundfile.write(HERE / f"{name}.flac", counts, RATE_HZ, subtype="PCM_16")
        (HERE / f"{name}.truth.json").write_text(json.dumps([truth(name, pieces)]) + "\n", encoding="utf-8")


def truth(name: str, pieces: list[tuple[str, int]]) -> dict[str, object]:
    """As io/truth.py reads it: from where there is a weight to its end."""
    ends = np.cumsum([seconds for _, seconds in pieces]).tolist()
    windows = [[end - seconds, end] for end, (condition, seconds) in zip(ends, pieces) if "weight" in condition]
    labels = ["anomaly"] * len(windows)
    return dict(wav_file=f"{name}.flac", sample_rate=RATE_HZ, length_sec=ends[-1], detection_windows=windows, labels=labels)


def fan(level: list[list[float]], seconds: int, rng: np.random.Generator) -> np.ndarray:
    """Acceleration in g, [samples, 3]."""
    axes = []
    for gravity_g, bands in zip(GRAVITY_G, level):
        axes.append(gravity_g + sum(band(hz, lines, db, seconds, rng) for (hz, lines), db in zip(LINES_HZ.items(), bands)))
    return np.stack(axes, axis=1)


def band(edges_hz: tuple[int, int], lines_hz: tuple[float, ...], db: float, seconds: int, rng: np.random.Generator) -> np.ndarray:
    """Lines and noise between two frequencies, whose spectra of a second hold so many dB of g² on the average."""
    t = np.arange(seconds * RATE_HZ) / RATE_HZ
    wander = 1 + 0.02 * rng.standard_normal((len(lines_hz), seconds + 1))
    strength = [np.interp(t, np.arange(seconds + 1), w) for w in wander]
    x = np.sum([a * np.sin(2 * np.pi * hz * t + rng.uniform(0, 2 * np.pi)) for hz, a in zip(lines_hz, strength)], axis=0)
    x = x / x.std() * np.sqrt(1 - NOISE)
    inside = (edges_hz[0] + 1, min(edges_hz[1] - 1, 0.49 * RATE_HZ))
    noise = sosfiltfilt(butter(4, inside, "bandpass", fs=RATE_HZ, output="sos"), rng.standard_normal(t.size))
    x = x + noise / noise.std() * np.sqrt(NOISE)
    return x * 10 ** ((db - held_db(x, edges_hz)) / 20)


def held_db(x: np.ndarray, edges_hz: tuple[int, int]) -> float:
    """What the app's bands would say of it: energy in one half of a Hann window's spectrum, over the square of 256 points."""
    power = np.abs(np.fft.rfft(x.reshape(-1, RATE_HZ) * np.hanning(RATE_HZ + 1)[:-1], 256)) ** 2 / 256**2
    hz = np.fft.rfftfreq(256, 1 / RATE_HZ)
    return float(10 * np.log10(power[:, (hz >= edges_hz[0]) & (hz <= edges_hz[1])].sum(axis=1).mean()))


if __name__ == "__main__":
    main()
