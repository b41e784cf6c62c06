"""Vibration of a bearing with a fault, simulated: what stages for vibration are asked to find.

Each time a ball passes the fault, it strikes: a resonance of the housing rings, at `resonance_hz`, and fades with `decay_s`.  The
strikes come at the fault's frequency with a random slip of a part of a period, as balls slide.  A fault of the inner ring comes
and goes with the load, once a turn.  There are a shaft's own harmonics, much louder than the strikes, and white noise.

Source of the model: McFadden and Smith, J. Sound and Vibration 96 (1984); of the slip, Randall and Antoni, MSSP 25 (2011), §3.
"""

from __future__ import annotations

import numpy as np


def vibration(
    rng: np.random.Generator,
    seconds: float,
    rate_hz: float,
    fault_hz: float | None,
    shaft_hz: float,
    strike: float = 4000,
    resonance_hz: float = 3000,
    decay_s: float = 1e-3,
    slip: float = 0.01,
    inner: bool = False,
    hum: float = 6000,
    noise: float = 500,
) -> np.ndarray:
    """Counts in float; fault_hz = None is a healthy bearing."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    x = rng.normal(0, noise, t.size)
    for harmonic, part in [(1, 1.0), (2, 0.5), (3, 0.2)]:
        x += hum * part * np.sin(2 * np.pi * harmonic * shaft_hz * t + rng.uniform(0, 2 * np.pi))
    if fault_hz is not None:
        ring = np.exp(-t[: round(8 * decay_s * rate_hz)] / decay_s) * np.sin(2 * np.pi * resonance_hz * t[: round(8 * decay_s * rate_hz)])
        strikes = np.cumsum(rng.normal(1, slip, int(seconds * fault_hz * 1.1) + 2)) / fault_hz
        load = np.maximum(np.cos(2 * np.pi * shaft_hz * strikes), 0) if inner else np.ones(strikes.size)
        impulses = np.zeros(t.size)
        at = np.rint(strikes * rate_hz).astype(int)
        np.add.at(impulses, at[at < t.size], (strike * load)[at < t.size])
        x += np.convolve(impulses, ring)[: t.size]
    return x
