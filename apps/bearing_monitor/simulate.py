"""Vibration of a ball bearing, healthy or with a local fault: all that this app was tuned and measured with.

    x(t) = sum_i a_i q(t_i) ring(t - t_i)  +  shaft  +  (1 + 0.3 cos(2 pi f t)) noise,     ring(t) = exp(-t / 1 ms) sin(2 pi 2100 Hz t)

Strike i falls at t_i: intervals are the fault's period, each with a random slip of 1 % (they add up, so the phase wanders as that of balls
that slide does), a_i varies by 10 %.  q is the load that the struck spot carries:

    outer race   the fault lies still in the middle of the load zone: q = 1, at bpfo
    inner race   the fault turns with the shaft: q = max(cos(2 pi f t), 0)**1.5, at bpfi
    ball         it turns with the cage and strikes each race in turn, the inner one, further from the sensor, with 0.6: at 2 bsf

q is Stribeck's load for a zone of half a turn.  The shaft's unbalance has three harmonics; the noise is white and breathes with each turn.

Source of the model: Antoni and Randall, A Stochastic Model for Simulation and Diagnostics of Rolling Element Bearings With Localized
Faults, J. Vib. Acoust. 125 (2003) 282-289; frequencies and slip, Randall and Antoni, Rolling Element Bearing Diagnostics: A Tutorial,
Mech. Syst. Signal Process. 25 (2011) 485-520; load zone, Harris, Rolling Bearing Analysis, 4th ed., §6.  What is not in it: a real
housing, more than one resonance, other machines, faults that grow or are spread out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RATE_HZ = 6400
RANGE_G = 8
SHAFT_HZ = 29.95
BALLS, BALL_MM, PITCH_MM = 9, 7.94, 39.04
"""A 6205, as in Smith and Randall, Mech. Syst. Signal Process. 64-65 (2015), table 2: bpfo 3.585, bpfi 5.415, bsf 2.357 times the shaft."""

FAULTS = ("outer race", "inner race", "ball")
RESONANCE_HZ, DECAY_S = 2100, 1e-3
SLIP, SPREAD = 0.01, 0.1
UNBALANCE_G = (0.2, 0.08, 0.04)


class Case(NamedTuple):
    """One bearing.  strike_g is the amplitude of the ringing at full load, noise_g the noise's standard deviation."""

    fault: str | None
    strike_g: float = 0.0
    noise_g: float = 0.05
    shaft_hz: float = SHAFT_HZ
    seconds: float = 10.0
    begin_s: float = 0.0


def frequencies(shaft_hz: float) -> dict[str, float]:
    """How often each fault strikes; for the ball, both races together.  `cage` is how often that turns."""
    r = BALL_MM / PITCH_MM
    return {
        "outer race": BALLS * shaft_hz / 2 * (1 - r),
        "inner race": BALLS * shaft_hz / 2 * (1 + r),
        "ball": shaft_hz / r * (1 - r * r),
        "cage": shaft_hz / 2 * (1 - r),
    }


def vibration(case: Case, rng: np.random.Generator) -> np.ndarray:
    """int16 counts, full scale RANGE_G, as a sensor of 14 bits gives them."""
    steps = np.rint(acceleration_g(case, rng) * 2**13 / RANGE_G)
    return np.clip(steps, -(2**13), 2**13 - 1).astype(np.int16) * 4


def acceleration_g(case: Case, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(round(case.seconds * RATE_HZ)) / RATE_HZ
    turn = 2 * np.pi * case.shaft_hz * t + rng.uniform(0, 2 * np.pi)
    x = case.noise_g * (1 + 0.3 * np.cos(turn)) * rng.standard_normal(t.size)
    for harmonic, amplitude_g in enumerate(UNBALANCE_G, 1):
        x += amplitude_g * np.sin(harmonic * turn + rng.uniform(0, 2 * np.pi))
    return x + strikes(case, rng, t.size) if case.fault else x


def strikes(case: Case, rng: np.random.Generator, size: int) -> np.ndarray:
    """What the fault adds, in g."""
    hz = frequencies(case.shaft_hz)[case.fault or ""]
    count = int((case.seconds - case.begin_s) * hz * 1.1) + 8
    at = case.begin_s + (rng.uniform() + np.cumsum(rng.normal(1, SLIP, count))) / hz
    strength = case.strike_g * (1 + SPREAD * rng.standard_normal(count)) * load(case, at, rng)
    first = np.ceil(at * RATE_HZ).astype(np.int64)
    index = first[:, None] + np.arange(round(10 * DECAY_S * RATE_HZ))
    after = index / RATE_HZ - at[:, None]
    ring = strength[:, None] * np.exp(-after / DECAY_S) * np.sin(2 * np.pi * RESONANCE_HZ * after)
    x = np.zeros(size)
    inside = index < size
    np.add.at(x, index[inside], ring[inside])
    return x


def load(case: Case, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """q of the strikes at these moments."""
    if case.fault == "outer race":
        return np.ones(at.size)
    turns_hz = case.shaft_hz if case.fault == "inner race" else frequencies(case.shaft_hz)["cage"]
    carried = np.maximum(np.cos(2 * np.pi * turns_hz * at + rng.uniform(0, 2 * np.pi)), 0) ** 1.5
    return carried if case.fault == "inner race" else carried * np.where(np.arange(at.size) % 2, 0.6, 1.0)
