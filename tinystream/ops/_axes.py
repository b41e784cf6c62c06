"""What operators share that only choose and order values: nested axes, each with a length and a distance in x."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinystream.plan.signal import Signal

MOST_AXES = 4


def element_bytes(x: Signal) -> int:
    """How wide the values are that a kernel moves."""
    return x.bytes // x.size


def merge(axes: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """(length, distance) of axes, outermost first: without those of length 1, and neighbours in one step as one axis."""
    merged: list[tuple[int, int]] = []
    for size, step in axes:
        if size == 1:
            continue
        if merged and merged[-1][1] == size * step:
            merged[-1] = merged[-1][0] * size, step
        else:
            merged.append((size, step))
    return merged


def axes_params(axes: list[tuple[int, int]]) -> dict[str, int]:
    """size0 … size3 and step0 … step3: what the kernel is told."""
    axes = [(1, 0)] * (MOST_AXES - len(axes)) + axes
    return {f"size{n}": size for n, (size, _) in enumerate(axes)} | {f"step{n}": step for n, (_, step) in enumerate(axes)}


def view(k, x: np.ndarray, start: int = 0) -> np.ndarray:
    """The values that the axes name, [n, …], counted from value `start` of each x."""
    x = np.ascontiguousarray(x).reshape(len(x), -1)
    steps = [n * x.itemsize for n in (x[:1].size, k.step0, k.step1, k.step2, k.step3)]
    seen = as_strided(x[:, start:], (len(x), k.size0, k.size1, k.size2, k.size3), steps)
    shape = [size for size in (k.size0, k.size1, k.size2, k.size3) if size > 1]
    return seen.reshape(len(x), *(shape or [1]))
