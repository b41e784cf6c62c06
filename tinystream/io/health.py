"""Signs of a sick sensor or a wrong unit, told as notes: what they are of decides a person."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tinystream.io.units import dimension
from tinystream.io.wanted import Wanted

LIVELY = ("acceleration", "angular rate", "full scale")  # a sound sensor of these is never still
STUCK = 100  # equal samples in a row, and a second of them
CLIPPED = 3  # samples at full scale in a row: a loud moment touches it once
COARSE = 3  # values in all
FEW = 10  # samples from which a word on their values is worth it
AT_REST, MOVING = (0.8, 1.25), (0.3, 3.0)  # g, what a mean acceleration may be: an exercise's goes from 0.5 to 1.8
STILL = 0.1  # g: a sensor at rest strays less


def health(x: np.ndarray, rate_hz: float, wanted: Wanted) -> tuple[str, ...]:
    """What looks wrong in int16 samples [n, channels]."""
    if len(x) < FEW:
        return ()
    names = wanted.names or tuple(map(str, range(wanted.channels)))
    notes: list[str] = []
    for i, name in enumerate(names):
        notes += _channel(x[:, i], f"channel {name}" if len(names) > 1 else "it", wanted.scales[i], wanted.units[i], rate_hz)
    return (*notes, *_twins(x, names), *_gravity(x, wanted))


def _channel(x: np.ndarray, name: str, scale: float, unit: str, rate_hz: float) -> Iterator[str]:
    if x.min() == x.max():
        yield f"{name} is stuck at {x[0] * scale:.4g} {unit} throughout".replace("  ", " ")
        return
    edges = np.flatnonzero(np.diff(x, prepend=x[0] ^ 1, append=x[-1] ^ 1))
    runs = np.diff(edges)
    at_rail = runs[((x[edges[:-1]] == 32767) | (x[edges[:-1]] == -32768)) & (runs >= CLIPPED)]
    if len(at_rail):
        yield f"{name} is clipped: {at_rail.sum()} samples lie at full scale, {CLIPPED} or more in a row"
    if dimension(unit) not in LIVELY:
        return
    longest = int(np.argmax(runs))
    if runs[longest] >= max(STUCK, rate_hz):
        at = edges[longest]
        still = "all zeros" if unit == "FS" and x[at] == 0 else f"stuck at {x[at] * scale:.4g} {unit}"
        yield f"{name} is {still} for {runs[longest] / rate_hz:.3g} s from {at / rate_hz:.3g} s"
    elif len(x) >= STUCK and len(values := np.unique(x)) <= COARSE:
        yield f"{name} has only {len(values)} values, and no noise: its range may be far too wide, or its unit another"


def _twins(x: np.ndarray, names: tuple[str, ...]) -> Iterator[str]:
    for i, j in itertools.combinations(range(len(names)), 2):
        if x[0, i] == x[0, j] and np.array_equal(x[:, i], x[:, j]) and x[:, i].min() < x[:, i].max():
            yield f"channels {names[i]} and {names[j]} are identical"


def _gravity(x: np.ndarray, wanted: Wanted) -> Iterator[str]:
    axes = [wanted.names.index(name) for name in ("x", "y", "z") if name in wanted.names]
    if len(axes) < 3 or any(wanted.units[i] != "g" for i in axes):
        return
    real = x[:, axes] * np.array([wanted.scales[i] for i in axes])
    mean, strays = float(np.linalg.norm(real.mean(axis=0))), float(np.linalg.norm(real.std(axis=0)))
    least, most = AT_REST if strays < STILL else MOVING
    if not least <= mean <= most:
        yield f"its mean acceleration is {mean:.3g} g, gravity is 1 g: is it in another unit or range, or was gravity filtered out?"
