"""What is one moment: a sample of each channel of a stream, or a whole vector."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from tinystream.errors import AppError
from tinystream.plan.signal import Signal


class Moments(NamedTuple):
    """Moments in a block, values in each, moments per second, and what they are called."""

    length: int
    channels: int
    rate_hz: Fraction
    called: str


def moments(x: Signal, kind: str) -> Moments:
    """Of a stream, [n] or [n, channels], its samples; of what has no samples, its blocks.  Frames that overlap are refused."""
    if x.dtype not in ("int16", "int32"):
        raise AppError((), f"stage '{kind}' takes int16 or int32 samples or vectors, and is given {x}")
    if x.sample_hz is None:
        return Moments(1, x.size, x.rate_hz, "vectors")
    if x.rate_hz * x.shape[0] != x.sample_hz:
        raise AppError((), f"stage '{kind}' works on the stream, and is given overlapping frames, {x}", "put it before the frame or stack")
    return Moments(x.shape[0], x.channels, x.sample_hz, "samples")
