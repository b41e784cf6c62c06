"""Every stage, operator and detector that exists, with its own EXAMPLES: what the generic tests run over."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import numpy as np

import tinystream.detectors
import tinystream.ops
import tinystream.stages
from tinystream.plan.signal import Signal

ROOMS = [tinystream.stages, tinystream.ops, tinystream.detectors]
MODULES = sorted(f"{room.__name__}.{m.name}" for room in ROOMS for m in pkgutil.iter_modules(room.__path__) if not m.name.startswith("_"))
CASES = [(module, i) for module in MODULES for i in range(len(import_module(module).EXAMPLES))]
IDS = [f"{module.rpartition('.')[2]}-{i}" for module, i in CASES]


FORMS = {"groups": ("groups", ()), "singles": ("groups", ("-DTS_PAIRS=0",)), "rows": ("rows", ())}
"""Forms of the emitted C: the emitter's word for each, and flags; a kernel that has one form is built once."""


def forms(module: str) -> list[str]:
    return [*FORMS] if hasattr(import_module(module), "IN_GROUPS") else ["groups"]


def example(module: str, i: int):
    """(stage, inputs) of one example."""
    stage, *x = import_module(module).EXAMPLES[i]
    return stage, tuple(x)


def blocks(module: str, x: tuple[Signal, ...], seed: int = 0, count: int = 48) -> list[np.ndarray]:
    """Blocks for each input: the corners first (silence, full scale, alternating full scale, the first or the last value
    alone, so that no place can be forgotten), then every loudness.

    A module may narrow what an input can hold by `def inputs(x, rng, count) -> list of arrays`; it says why there.
    """
    rng = np.random.default_rng(seed)
    own = getattr(import_module(module), "inputs", None)
    if own is not None:
        return own(x, rng, count)
    return [np.stack([corner(signal, rng, i) for i in range(count)]) for signal in x]


def corner(signal: Signal, rng: np.random.Generator, i: int) -> np.ndarray:
    info = np.iinfo(signal.dtype)
    low, high = int(info.min), int(info.max)
    match i:
        case 0:
            x = np.zeros(signal.size, signal.dtype)
        case 1 | 2:
            x = np.full(signal.size, high if i == 1 else low, signal.dtype)
        case 3:
            x = np.where(np.arange(signal.size) % 2, high, low)
        case 4 | 5:
            x = np.where(np.arange(signal.size) == (0 if i == 4 else signal.size - 1), high, 0)
        case _:
            quiet = (i * 5) % np.dtype(signal.dtype).itemsize * 8 + i % 8 if signal.dtype != "int8" else i % 7
            x = rng.integers(low >> min(quiet, info.bits - 2), (high >> min(quiet, info.bits - 2)) + 1, signal.size, dtype=signal.dtype)
    return x.astype(signal.dtype).reshape(signal.shape)
