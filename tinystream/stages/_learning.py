"""What stages that learn have in common: how long they learn, and from which features."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np

from tinystream.errors import AppError
from tinystream.plan.signal import Signal

LONGEST = 1 << 20  # vectors to learn from: what 64 bits hold of sums of int32
MOST = 64  # features
ROOT, DIVISION = 60, 40  # what they cost in 64 bits, in products of 64 bits; measured on a Cortex-M0+ and a Cortex-M4
TYPES = ("int8", "uint8", "int16", "uint16", "int32")


def check_features(kind: str, x: Signal) -> None:
    if x.dtype not in TYPES or not 1 <= x.size <= MOST:
        raise AppError((), f"stage '{kind}' takes 1 to {MOST} features of {', '.join(TYPES)}, and is given {x}",
                       "features of the signal before it, such as the power of a few bands")


def learn_vectors(kind: str, learn_s: float | None, learn_blocks: int | None, x: Signal) -> int:
    """Vectors to learn from, by one of two options; 2 to LONGEST."""
    if (learn_s is None) == (learn_blocks is None):
        if learn_s is None:
            raise AppError((), f"stage '{kind}' is not told how long it learns", "learn_s = 600")
        raise AppError(("learn_s",), "learn_s and learn_blocks exclude each other", "leave one of them out")
    option, said = ("learn_blocks", learn_blocks) if learn_s is None else ("learn_s", learn_s)
    learn = learn_blocks or ceil(Fraction(str(learn_s)) * x.rate_hz)
    if learn > LONGEST:
        raise AppError((option,), f"{option} = {said:g} is too long: sums of {learn} vectors may not fit",
                       f"{option} = {LONGEST if learn_s is None else floor(LONGEST / x.rate_hz)}")
    if learn < 2:
        raise AppError((option,), f"{option} = {said:g} is a single vector, and one cannot vary", f"{option} = {float(10 / x.rate_hz):g}")
    return learn


def type_of(dtype: str) -> int:
    """How ts_load.h is told a type: bytes of an element, negative where it is signed."""
    return np.dtype(dtype).itemsize * (-1 if np.dtype(dtype).kind == "i" else 1)


def divide(x: int, n: int) -> int:
    """x / n to nearest, halves away from zero; n > 0."""
    size = (abs(x) + n // 2) // n
    return size if x >= 0 else -size
