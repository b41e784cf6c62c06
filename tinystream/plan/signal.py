"""The type of what flows between two steps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Signal:
    """A block of integers of one shape and type, arriving at a steady rate.

    shape:     of one block, time first, channels (axes, bands, bins) last.
    dtype:     numpy's name of the integer type, such as "int16"; the C type is the same with _t.
    rate_hz:   blocks per second, exact, so that no schedule depends on float rounding.
    scale:     real value of one count: real = (count - zero) * scale.  Only people, thresholds and the input of a
               model use it, never the arithmetic of a stage.
    zero:      the count that means 0.
    unit:      what `real` is in, such as "FS" (full scale is 1), "g", "octaves".
    sample_hz: samples per second along the time axis, where there is one.
    bin_hz:    distance of two neighbours on the last axis of a spectrum.
    """

    shape: tuple[int, ...]
    dtype: str
    rate_hz: Fraction
    scale: float = 1.0
    zero: int = 0
    unit: str = ""
    sample_hz: Fraction | None = None
    bin_hz: Fraction | None = None

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def channels(self) -> int:
        """Values of each moment, where the first axis is time."""
        return self.size // self.shape[0]

    @property
    def bytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    def real(self, counts: ArrayLike) -> np.ndarray:
        """What `counts` stand for, in `unit`."""
        return (np.asarray(counts, np.float64) - self.zero) * self.scale

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))} {self.dtype} at {float(self.rate_hz):.4g} Hz"
