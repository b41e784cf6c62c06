"""Make the recordings of this folder: a simulated pump, with a truth file each.

    python apps/pump_sound/recordings/make.py         the same bytes each time

    steady.flac     a sound pump, twice as loud from the middle on; nothing is to be told
    surging.flac    a sound pump, which from 7 s on swells and fades

Nothing in them was recorded.  A pump is noise that falls with frequency, and hum of the mains' multiples; how loud each of four bands is
wanders a little, as sound pumps do, and one that surges swings by 14 dB, once in 0.7 s.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

HERE = Path(__file__).parent
RATE_HZ, SECONDS, SURGES_S = 16_000, 14, 7
BANDS_HZ = ((80, 400), (400, 1000), (1000, 2000), (2000, 3800))
RMS = (9.0, 6.0, 4.0, 3.0)          # counts
WANDERS_DB = (0.4, 1.3, 1.3, 1.6)
HUM = ((100, 3.0), (200, 2.0), (300, 1.0))
SWING_DB, SWING_S = 7.0, 0.7        # either way


def main() -> None:
    for seed, (name, surges) in enumerate({"steady": False, "surging": True}.items()):
        x = pump(np.random.default_rng(seed), surges)
        if not surges:
            x[len(x) // 2 :] *= 2
        soundfile.write(HERE / f"{name}.flac", np.rint(x).astype(np.int16), RATE_HZ, subtype="PCM_16")
        windows, labels = [[SURGES_S, SECONDS]] * surges, ["anomaly"] * surges
        truth = dict(wav_file=f"{name}.flac", sample_rate=RATE_HZ, length_sec=SECONDS, detection_windows=windows, labels=labels)
        (HERE / f"{name}.truth.json").write_text(json.dumps([truth]) + "\n", encoding="utf-8")


def pump(rng: np.random.Generator, surges: bool) -> np.ndarray:
    """Counts."""
    t = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    x = sum(a * np.sin(2 * np.pi * hz * t + rng.uniform(0, 2 * np.pi)) for hz, a in HUM)
    for edges_hz, rms, wanders_db in zip(BANDS_HZ, RMS, WANDERS_DB):
        noise = sosfilt(butter(3, edges_hz, "bandpass", fs=RATE_HZ, output="sos"), rng.standard_normal(t.size))
        db = wanders_db * np.interp(t, np.arange(0, SECONDS + 0.1, 0.1), rng.standard_normal(10 * SECONDS + 1))
        if surges:
            db = db + SWING_DB * np.sin(2 * np.pi * t / SWING_S) * (t >= SURGES_S)
        x = x + rms * noise / noise.std() * 10 ** (db / 20)
    return x


if __name__ == "__main__":
    main()
