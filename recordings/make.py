"""Make the recordings of this folder: synthetic voices in synthetic noise, with a truth file each.

    python recordings/make.py            needs espeak-ng and flite (Debian packages of these names)

The wake word and other words are spoken by several synthetic voices over two noises; where each word lies is known
because this script put it there.  The truth files are in the form of the MLPerf Tiny streaming benchmark: a list with
one entry a recording, its detection_windows in seconds.  The FLAC files in git are what this script gave with
espeak-ng 1.51 and flite 2.2; other versions speak a little differently.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

HERE = Path(__file__).parent
RATE_HZ = 16_000
NOISE_DBFS = -52

# (voice, text) of each phrase; a phrase that is the wake word has a detection window
KITCHEN = [
    ("flite:slt", "the kettle is on, and the bread is nearly done"),
    ("flite:slt", "computer"),
    ("flite:rms", "put the commuter bus times on the door"),
    ("flite:rms", "computer"),
    ("espeak:en-us+f3", "who ate the last apple"),
    ("flite:awb", "computer"),
    ("flite:kal16", "she said that a company picnic is more fun than work"),
    ("flite:slt", "computer"),
]
WORKSHOP = [
    ("flite:rms", "hand me the number two screwdriver"),
    ("flite:rms", "computer"),
    ("espeak:en-us", "compute the angle, then complete the cut"),
    ("flite:slt", "computer"),
    ("flite:awb", "pewter is softer than steel"),
]


def say(voice: str, text: str) -> np.ndarray:
    """float64 samples at RATE_HZ, peak 0.5, silence at both ends cut."""
    engine, _, name = voice.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "say.wav")
        flite, espeak = ["flite", "-voice", name, "-t", text, "-o", out], ["espeak-ng", "-v", name, "-s", "150", "-w", out, text]
        subprocess.run(flite if engine == "flite" else espeak, check=True)
        samples, rate_hz = soundfile.read(out)
    samples = resample_poly(samples, RATE_HZ, rate_hz)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return samples * (0.5 / np.abs(samples).max())


def noise(rng: np.random.Generator, count: int, hum_hz: float | None) -> np.ndarray:
    """Pink-like noise at NOISE_DBFS, with a hum and its harmonics where one is asked for."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20))
    samples = np.fft.irfft(spectrum, count)
    samples *= 10 ** (NOISE_DBFS / 20) / samples.std()
    if hum_hz:
        time_s = np.arange(count) / RATE_HZ
        samples += sum(10 ** ((NOISE_DBFS - 6 * k) / 20) * np.sin(2 * np.pi * hum_hz * k * time_s) for k in (1, 2, 3))
    return samples


def make(name: str, phrases: list[tuple[str, str]], hum_hz: float | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts, windows, at = [np.zeros(2 * RATE_HZ)], [], 2 * RATE_HZ
    for voice, text in phrases:
        spoken = say(voice, text) * 10 ** (rng.uniform(-14, -4) / 20)
        pause = np.zeros(int(rng.uniform(1.0, 1.6) * RATE_HZ))
        if text == "computer":
            windows.append([round(at / RATE_HZ, 3), round((at + spoken.size) / RATE_HZ, 3)])
        parts += [spoken, pause]
        at += spoken.size + pause.size
    clean = np.concatenate(parts)
    mixed = clean + noise(rng, clean.size, hum_hz)
    counts = np.clip(np.rint(mixed * 32767), -32768, 32767).astype(np.int16)
    soundfile.write(HERE / f"{name}.flac", counts, RATE_HZ, subtype="PCM_16")
    length_s = round(counts.size / RATE_HZ, 3)
    truth = [{"wav_file": f"{name}.flac", "sample_rate": RATE_HZ, "length_sec": length_s, "detection_windows": windows}]
    (HERE / f"{name}.truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    make("kitchen", KITCHEN, hum_hz=None, seed=1)
    make("workshop", WORKSHOP, hum_hz=50.0, seed=2)
