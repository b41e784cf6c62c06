"""Make the recordings of this folder: a simulated wrist, with a truth file each.

    python apps/exercise/recordings/make.py           the same bytes each time

    pendulum_row.flac           half a minute of each, with a rest before each
    outward_trapezius.flac      external rotation, then trapezius, likewise

Nothing in them was recorded.  Each axis goes to and fro in a repetition of about three seconds, and spends as much time at each value as
levels.json says, medians of what was measured; where in a repetition it begins is drawn once for each axis.  The app, fitted to
what was measured, is to know it; that is no proof that it knows an arm.  At rest the arm hangs.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).parent
RATE_HZ, RANGES = 50, np.repeat([8, 2000], 3)       # of full scale: g and °/s
QUANTILES = np.array([0, 5, 25, 50, 75, 95, 100]) / 100
SECONDS, REST_S, REPETITION_S, HASTE = 30, 15, 3.0, 0.05
RESTS = ((-0.97, 0.2, -0.1), (0.015, 0.5))          # gravity, and what trembles, in g and °/s
RECORDINGS = {"pendulum_row": ("pendulum", "row"), "outward_trapezius": ("external_rotation", "trapezius")}


def main() -> None:
    levels = json.loads((HERE / "levels.json").read_text(encoding="utf-8"))
    for seed, (name, exercises) in enumerate(RECORDINGS.items()):
        rng = np.random.default_rng(seed)
        real = np.concatenate([part for exercise in exercises for part in (rest(rng), wrist(np.array(levels[exercise]), rng))])
        counts = np.clip(np.rint(real / RANGES * 32768), -32768, 32767).astype(np.int16)
        soundfile.write(HERE / f"{name}.flac", counts, RATE_HZ, subtype="PCM_16")
        (HERE / f"{name}.truth.json").write_text(json.dumps([truth(name, exercises)]) + "\n", encoding="utf-8")


def truth(name: str, exercises: tuple[str, ...]) -> dict[str, object]:
    """As io/truth.py reads it."""
    each = REST_S + SECONDS
    windows = [[each * i + REST_S, each * (i + 1)] for i in range(len(exercises))]
    return dict(wav_file=f"{name}.flac", sample_rate=RATE_HZ, length_sec=windows[-1][1], detection_windows=windows, labels=exercises)


def rest(rng: np.random.Generator) -> np.ndarray:
    gravity, trembles = RESTS
    return np.r_[gravity, 0, 0, 0] + rng.normal(size=(REST_S * RATE_HZ, 6)) * np.repeat(trembles, 3)


def wrist(level: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Acceleration in g and rotation in °/s: [samples, 6]."""
    t = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    haste = np.interp(t, np.arange(SECONDS + 1), 1 + HASTE * rng.standard_normal(SECONDS + 1))
    repetition = np.cumsum(haste) / RATE_HZ / REPETITION_S
    axes = []
    for quantiles, begin in zip(level, rng.uniform(0, 1, len(level))):
        at = np.abs(2 * ((repetition + begin) % 1) - 1)         # to and fro: each value between 0 and 1 as often as any other
        axes.append(np.interp(at, QUANTILES, quantiles))
    return np.stack(axes, axis=1)


if __name__ == "__main__":
    main()
