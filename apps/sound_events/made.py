"""Sounds made by formula that are none of the app's: what beeps and what turns.  train.py has its nets hear them as "other".

They are caricatures of what a house has besides (timers, alarms, fans, engines), and stand in for recordings of it.
"""

from __future__ import annotations

import numpy as np

RATE_HZ, SECONDS = 16_000, 3.0
TESTED_HZ = (350, 700, 1000, 1400, 2000, 2800, 3150, 4000)
"""No beep made here is within 6 % of these: with them the app is tested."""


def made(count: int, rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """int16 samples of `count` sounds of each kind."""
    return {kind: [counts(make(rng)) for _ in range(count)] for kind, make in (("beep", beep), ("motor", motor))}


def tested() -> dict[str, np.ndarray]:
    """int16 samples of beeps of 4 s in a quiet room (-70 dBFS), by name: eight pitches at three levels, steady, in threes as smoke alarms
    beep, up and down a third, and short square ones."""
    rng, t, found = np.random.default_rng(99), np.arange(4 * RATE_HZ) / RATE_HZ, {}
    for hz in TESTED_HZ:
        tone = np.sin(2 * np.pi * hz * t)
        shapes = dict(
            steady=tone,
            threes=tone * ((t % 1.2 < 0.75) & (t % 1.2 % 0.25 < 0.15)),
            thirds=np.where(t % 0.6 < 0.3, tone, np.sin(2 * np.pi * 1.25 * hz * t)),
            square=0.7 * np.sign(tone) * (t % 0.4 < 0.1),
        )
        for level in (-50, -35, -20):
            for shape, x in shapes.items():
                x = np.pad(10 ** (level / 20) * x, 3 * RATE_HZ // 2)
                x = x + 10 ** (-70 / 20) * rng.standard_normal(len(x))
                found[f"{shape} {hz} Hz {level} dBFS"] = np.rint(x * 32767).astype(np.int16)
    return found


def beep(rng: np.random.Generator) -> np.ndarray:
    """A tone of one to four partials, mostly on and off, the edges 5 ms."""
    t, hz = times(), untested(rng)
    x = partials(rng, 2 * np.pi * hz * t, hz, rng.integers(1, 5), rng.uniform(0.5, 2))
    if rng.random() < 0.3:
        return x
    on, off = between(rng, 0.06, 1.0), between(rng, 0.05, 0.8)
    edge = np.hanning(81)
    return x * np.convolve((t + rng.uniform(0, 1)) % (on + off) < on, edge / edge.sum(), "same")


def motor(rng: np.random.Generator) -> np.ndarray:
    """Harmonics of 12 to 250 turns a second that wander, and air in noise that beats with the blades."""
    t = times()
    hz = between(rng, 12, 250) * np.exp(np.interp(t, np.linspace(0, SECONDS, 7), rng.normal(0, 0.02, 7)))
    phase = turned(hz)
    hum = partials(rng, phase, hz.max(), 120, rng.uniform(0, 1.5))
    colour = np.maximum(np.fft.rfftfreq(len(t), 1 / RATE_HZ), 50) ** -rng.uniform(0, 1.2)
    air = np.fft.irfft(np.fft.rfft(rng.standard_normal(len(t))) * colour, len(t))
    air = air * np.exp(rng.uniform(0, 3) * (np.cos(phase / rng.integers(1, 4)) - 1))
    return 10 ** (rng.uniform(-20, 5) / 20) * hum / hum.std() + 10 ** (rng.uniform(-10, 10) / 20) * air / air.std()


def partials(rng: np.random.Generator, phase: np.ndarray, hz: float, most: int, fall: float) -> np.ndarray:
    """Of a fundamental, each n ** -fall and some 6 dB more or less, none above 7.5 kHz."""
    numbers = np.arange(1, max(1, min(most, int(7500 / hz))) + 1)
    sizes = numbers**-fall * np.exp(rng.normal(0, 0.7, len(numbers)))
    return np.sum([size * np.sin(n * phase + rng.uniform(0, 2 * np.pi)) for n, size in zip(numbers, sizes)], axis=0)


def turned(hz: np.ndarray) -> np.ndarray:
    return 2 * np.pi * np.cumsum(hz) / RATE_HZ


def times() -> np.ndarray:
    return np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ


def untested(rng: np.random.Generator) -> float:
    """Hz, from 200 to 5000."""
    while True:
        hz = between(rng, 200, 5000)
        if min(abs(hz / tested - 1) for tested in TESTED_HZ) >= 0.06:
            return hz


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Each octave as likely as another."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def counts(x: np.ndarray) -> np.ndarray:
    return np.rint(x / np.abs(x).max() * 16_000).astype(np.int16)
