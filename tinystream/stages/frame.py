"""Cut a stream into overlapping, windowed frames.

    y[i] = (x[i] * window[i] + 2**14) >> 15,   i = 0 .. length-1,   once every hop samples

x are the last `length` samples; the first frame comes out as soon as `length` samples have been seen, at the end of
a block.  The window is periodic (as an FFT wants it), in Q15, its peak of 1.0 held as 32767/32768.  Of samples of several
channels, [n, channels], each is cut alike: y is [length, channels].

Source: Oppenheim and Schafer, Discrete-Time Signal Processing, 3rd ed., §10.2 (short-time Fourier analysis).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.signal import get_window

from tinystream.errors import AppError
from tinystream.plan.fixed import quantize_table, rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Frame(Stage):
    """Cut a stream into overlapping, windowed frames."""

    length_ms: float = Field(gt=0, le=60_000, description="length of a frame")
    hop_ms: float | None = Field(default=None, gt=0, description="from one frame to the next; one block where nothing is said")
    window: Literal["hann", "hamming", "blackman", "boxcar"] = Field(default="hann", description="shape; boxcar is none")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or len(x.shape) not in (1, 2) or x.sample_hz is None:
            raise AppError((), f"stage 'frame' cuts int16 samples, [n] or [n, channels], and is given {x}")
        block, channels = (*x.shape, 1)[:2]
        block_ms = 1000 * block / x.sample_hz
        length = samples(self.length_ms, x.sample_hz, "length_ms")
        hop = block if self.hop_ms is None else samples(self.hop_ms, x.sample_hz, "hop_ms")
        if hop % block:
            raise AppError(
                ("hop_ms",),
                f"hop_ms = {self.hop_ms:g} is not a multiple of the block, {float(block_ms):g} ms",
                f"source.block_ms = {self.hop_ms:g}",
            )
        if length < block:
            raise AppError(
                ("length_ms",),
                f"length_ms = {self.length_ms:g} is shorter than the block, {float(block_ms):g} ms",
                f"length_ms >= {float(block_ms):g}",
            )
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((length, *x.shape[1:]), "int16", x.sample_hz / hop, x.scale, unit=x.unit, sample_hz=x.sample_hz),
            params=dict(length=length, channels=channels, block=block, every=hop // block),
            tables=dict(window=quantize_table(get_window(self.window, length), 15)),
            state=dict(past=np.zeros(length * channels, np.int16), seen=0, wait=1),
            waits=True,
            cost=dict(mul=length * channels, mem=3 * length * channels),
            says=f"{self.length_ms:g} ms {self.window} window every {1000 * hop / float(x.sample_hz):g} ms",
        )

    def ideal(self, x, blocks):
        k = self.plan(*x).params
        stream = blocks.reshape(-1, *x[0].shape[1:])
        starts = [end - k["length"] for end in range(k["block"], len(stream) + 1, k["block"]) if end >= k["length"]]
        window = get_window(self.window, k["length"]).reshape(-1, *[1] * (stream.ndim - 1))
        return np.array([stream[start : start + k["length"]] * window for start in starts[:: k["every"]]])


BOUND = 1.5  # counts: half from rounding, one from the window's own Q15 at full scale


def samples(ms: float, rate_hz: Fraction, option: str) -> int:
    """A duration in samples, which must be a whole number."""
    exact = Fraction(str(ms)) * rate_hz / 1000
    if exact.denominator != 1:
        raise AppError(
            (option,),
            f"{option} = {ms:g} is {float(exact):g} samples at {float(rate_hz):g} Hz, not a whole number",
            f"{option} = {float(round(exact) * 1000 / rate_hz):.6g}",
        )
    return int(exact)


def run(k, s, x):
    s.past = np.concatenate([s.past[x.size :], x.ravel()])
    s.seen += k.block
    if s.seen < k.length:
        return None
    s.seen = k.length
    s.wait -= 1
    if s.wait > 0:
        return None
    s.wait = k.every
    windowed = rshift(s.past.reshape(k.length, k.channels) * k.window.astype(np.int64)[:, None], 15)
    return windowed.astype(np.int16).reshape(k.length, *x.shape[1:])


AUDIO = Signal((160,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(16000))
THREE_AXES = Signal((32, 3), "int16", Fraction(50), 4 * 2.0**-15, unit="g", sample_hz=Fraction(1600))

EXAMPLES = [
    (Frame(length_ms=30), AUDIO),
    (Frame(length_ms=10, window="boxcar"), AUDIO),
    (Frame(length_ms=32, hop_ms=20, window="hamming"), AUDIO),
    (Frame(length_ms=50, hop_ms=40), THREE_AXES),
    (Frame(length_ms=20, window="blackman"), replace(THREE_AXES, shape=(32, 1))),
]
