"""Speed of a shaft from the pulses of a tachometer, one or more a turn.

A pulse begins where a sample reaches `high` and one at `low` or below has been since the last pulse began.  Of the n that began in
the last `window_ms`, first and last `interval` samples apart,

    y = ((n - 1) F + interval // 2) // interval,   F = round(sample_hz / pulses / y.scale);   0 where n < 2

It counts whole periods over the time that they took, so a speed is as precise as one sample in the window, whatever the number
of pulses; slower than two pulses a window is standing still.  After a reset nothing is a pulse until a sample was low.
y comes with every block, int32, [1], in turns per second; y.scale is 2**-16 Hz, or what int32 holds.

`order_bands` reads it.  Source: reciprocal counting, as in frequency counters; Randall, Vibration-based Condition Monitoring, 2011, §3.6.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, log2

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step

MOST_BLOCKS = 4096
FINEST = 16        # bits of y below 1 Hz


class Tachometer(Stage):
    """Speed of a shaft from the pulses of a tachometer, one or more a turn."""

    high: float = Field(description="a pulse begins where the input reaches this, in the input's unit")
    low: float = Field(description="and may begin again only after the input was at this or below")
    pulses: int = Field(default=1, ge=1, le=100_000, description="per turn")
    channel: int = Field(default=0, ge=0, description="of an input of several channels: the one with the pulses, counted from 0")
    window_ms: float | None = Field(
        default=None, gt=0, description="over which pulses are counted, whole blocks; one where nothing is said")

    def plan(self, x: Signal) -> Step:
        if x.dtype != "int16" or x.sample_hz is None or len(x.shape) not in (1, 2):
            raise AppError((), f"stage 'tachometer' looks at int16 samples, [n] or [n, channels], and is given {x}")
        length, channels = (*x.shape, 1)[:2]
        if self.channel >= channels:
            raise AppError(("channel",), f"channel = {self.channel} is not one of {channels}, which count from 0",
                           f"channel = {channels - 1}")
        high, low = self._counts(x)
        blocks = self._blocks(x)
        turns_hz, window_ms = x.sample_hz / self.pulses, 1000 * blocks * length / float(x.sample_hz)
        bits = min(FINEST, floor(30 - log2(turns_hz)))
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((1,), "int32", x.rate_hz, 2.0**-bits, unit="Hz"),
            params=dict(length=length, channels=channels, channel=self.channel, high=high, low=low, blocks=blocks,
                        turns=round(turns_hz * Fraction(2) ** bits)),
            state=dict(count=np.zeros(blocks, np.int32), first=np.zeros(blocks, np.int32), last=np.zeros(blocks, np.int32), at=0, up=1),
            cost=dict(add=3 * length + 4 * blocks, mem=length + 3 * blocks),
            says=f"turns per second over {window_ms:g} ms, {self.pulses} pulse{'s' * (self.pulses > 1)} a turn",
        )

    def ideal(self, x, blocks):
        length, rate_hz = x[0].shape[0], float(x[0].sample_hz)
        samples = blocks.reshape(len(blocks) * length, -1)[:, self.channel]
        edges, up = [], True
        for i, value in enumerate(samples):
            if value >= self.high and not up:
                edges.append(i)
            up = value >= self.high or (up and value > self.low)
        speeds = []
        for end in range(length, len(samples) + 1, length):
            seen = [i for i in edges if end - self._blocks(x[0]) * length <= i < end]
            speeds.append((len(seen) - 1) / (seen[-1] - seen[0]) * rate_hz / self.pulses if len(seen) > 1 else 0.0)
        return np.array(speeds)[:, None]

    def _counts(self, x: Signal) -> tuple[int, int]:
        """Counts of x that are `high` or more, and `low` or less."""
        least, most = float(x.real(-32768)), float(x.real(32767))
        if self.low >= self.high:
            raise AppError(("low",), f"low = {self.low:g} is not below high = {self.high:g}", f"low = {(self.high + least) / 2:g}")
        for option, value, out in [("high", self.high, self.high > most), ("low", self.low, self.low < least)]:
            if out:
                raise AppError((option,), f"{option} = {value:g} is out of the range of the input, {least:g} to {most:g} {x.unit}".rstrip(),
                               f"{option} = {(most if option == 'high' else least) / 2:g}")
        return ceil(Fraction(self.high) / Fraction(x.scale)) + x.zero, floor(Fraction(self.low) / Fraction(x.scale)) + x.zero

    def _blocks(self, x: Signal) -> int:
        if self.window_ms is None:
            return 1
        assert x.sample_hz is not None, "plan() takes samples at a rate"
        block_ms = 1000 * x.shape[0] / x.sample_hz
        blocks = Fraction(str(self.window_ms)) / block_ms
        nearest = min(max(1, round(blocks)), MOST_BLOCKS)
        if blocks != nearest:
            what = "is not a multiple of the block" if blocks <= MOST_BLOCKS else f"is more than {MOST_BLOCKS} blocks"
            raise AppError(("window_ms",), f"window_ms = {self.window_ms:g} {what}, {float(block_ms):g} ms",
                           f"window_ms = {float(nearest * block_ms):g}")
        return nearest


BOUND = 1.0  # counts: half from rounding, at most a quarter from F


def run(k, s, x):
    samples = x.reshape(k.length, k.channels)[:, k.channel]
    edges = rising(k, s, samples)
    s.count[s.at], s.first[s.at], s.last[s.at] = (len(edges), edges[0], edges[-1]) if len(edges) else (0, 0, 0)
    s.at = (s.at + 1) % k.blocks
    order = (s.at + np.arange(k.blocks)) % k.blocks                 # oldest first
    seen = order[s.count[order] > 0]
    pulses = int(s.count.sum())
    if pulses < 2:
        return np.zeros(1, np.int32)
    place = {int(slot): i * k.length for i, slot in enumerate(order)}
    interval = place[seen[-1]] + int(s.last[seen[-1]]) - place[seen[0]] - int(s.first[seen[0]])
    return np.array([((pulses - 1) * k.turns + interval // 2) // interval], np.int32)


def rising(k, s, samples) -> np.ndarray:
    """Where pulses begin."""
    told = np.flatnonzero((samples >= k.high) | (samples <= k.low))
    up = samples[told] >= k.high
    before = np.concatenate([[s.up == 1], up[:-1]])
    if told.size:
        s.up = int(up[-1])
    return told[up & ~before[: up.size]]


SHAFT = Signal((64, 2), "int16", Fraction(25), 10 * 2.0**-15, unit="V", sample_hz=Fraction(1600))

EXAMPLES = [
    (Tachometer(high=2.5, low=1.25, channel=1), SHAFT),
    (Tachometer(high=0.5, low=-0.5, pulses=20, window_ms=50), Signal((160,), "int16", Fraction(100), 2.0**-15, sample_hz=Fraction(16000))),
    (Tachometer(high=0.25, low=0.125, window_ms=35), Signal((7,), "int16", Fraction(200), 2.0**-15, zero=100, sample_hz=Fraction(1400))),
]


def inputs(x, rng, count):
    """Pulses of every period between two samples and several blocks, clean and noisy; then any samples at all, and those that meet a
    threshold exactly, as all of EXAMPLES are multiples of 4096 counts."""
    shape, n = x[0].shape, 3 * count * x[0].shape[0]
    period = np.exp(rng.uniform(np.log(2), np.log(4 * shape[0]), 40)).repeat(-(-n // 40))[:n]
    pulse = np.where(np.cumsum(1 / period) % 1 < 0.3, 25000, -20000) + rng.normal(0, 1, n) * (np.arange(n) % 997 > 500) * 4000
    blocks = np.repeat(pulse.clip(-32768, 32767).astype(np.int16), int(np.prod(shape[1:]))).reshape(-1, *shape)
    blocks[:6] = 0
    blocks[1], blocks[2], blocks[4] = 32767, -32768, 32767
    blocks[count : count + 9] = rng.integers(-32768, 32768, (9, *shape))
    blocks[-20:] = rng.integers(-4, 5, (20, *shape)) * 4096 + x[0].zero
    return [blocks]
