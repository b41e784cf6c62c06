"""Mean, or greatest, of successive spectra: what is steady stays, what flickers goes.

    how = "mean"          y = (sum of the last `frames` spectra + 2**(shift - 1)) >> shift,   2**shift >= frames
    how = "max"           y = the greatest that each bin was in the last `frames` spectra
    how = "exponential"   S = S + x - rshift(S, shift),  y = rshift(S, shift),   2**shift = frames;  S begins as the sum of `frames`

The first comes with the spectrum that makes `frames` of them, then one with each `every`: `frames` where nothing is said, so that each
spectrum counts once, and 1 for "exponential".  A mean over what overlaps keeps frames / every sums of `every` spectra each, so
`every` divides `frames`; "exponential" keeps one, and forgets with a time constant of `frames` spectra.

The mean is Welch's where frames overlap by their hop.  It is exact but for one rounding: y.scale takes up what 2**shift is more
than `frames`.  Bins of a spectrum are at most 2**46, `frames` at most 4096, so sums have 59 bits; any other input is taken modulo 2**64.

Source: Welch, IEEE Trans. AU-15 (1967); exponential averaging as in every spectrum analyser, Randall, Frequency Analysis, 3rd ed., §5.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.bands import check_spectrum, spectra
from tinystream.stages.bands import inputs as some_spectra

HOW = ("mean", "max", "exponential")


class AverageSpectra(Stage):
    """Mean, or greatest, of successive spectra: what is steady stays, what flickers goes."""

    frames: int = Field(ge=1, le=4096, description="spectra in an average; the time constant of an exponential one, a power of two")
    how: Literal["mean", "max", "exponential"] = Field(
        default="mean", description="mean of the last spectra, the greatest of each bin, or a running mean that fades out")
    every: int | None = Field(
        default=None, ge=1, le=65_536,
        description="new spectra from one output to the next; `frames` where nothing is said, 1 if exponential")

    def plan(self, x: Signal) -> Step:
        check_spectrum("average_spectra", x)
        every = self._every()
        shift = (self.frames - 1).bit_length() if self.how != "max" else 0
        parts = 1 if self.how == "exponential" else self.frames // every
        words = {"mean": "mean of", "max": "greatest of", "exponential": "running mean over"}[self.how]
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, rate_hz=x.rate_hz / every, scale=x.scale * (2**shift / self.frames if self.how == "mean" else 1)),
            params=dict(size=x.size, how=HOW.index(self.how), frames=self.frames, every=every, parts=parts, shift=shift),
            state=dict(part=np.zeros((parts, x.size), np.int64), at=0, count=0, wait=self.frames),
            waits=True,
            cost=dict(add=2 * x.size + parts * x.size // every, mem=4 * x.size + parts * x.size // every),
            says=f"{words} {self.frames} spectra, every {every}",
        )

    def ideal(self, x, blocks):
        ends = range(self.frames, len(blocks) + 1, self._every())
        if self.how != "exponential":
            over = np.mean if self.how == "mean" else np.max
            return np.stack([over(blocks[end - self.frames : end], axis=0) for end in ends])
        means = [blocks[: self.frames].mean(axis=0)]
        for block in blocks[self.frames :]:
            means.append(means[-1] + (block - means[-1]) / self.frames)
        return np.stack(means[:: self._every()])

    def _every(self) -> int:
        if self.how == "exponential":
            if self.frames & (self.frames - 1):
                nearest = 1 << round(np.log2(self.frames))
                raise AppError(("frames",), f"frames = {self.frames} of an exponential mean is not a power of two", f"frames = {nearest}")
            return 1 if self.every is None else self.every
        every = self.frames if self.every is None else self.every
        if self.frames % every:
            nearest = min((n for n in range(1, self.frames + 1) if self.frames % n == 0), key=lambda n: abs(n - every))
            raise AppError(("every",), f"every = {every} does not divide frames = {self.frames}", f"every = {nearest}")
        return every


BOUND = 1.01, 2.0**-50  # counts: half from rounding, half from S; relative: float64 itself


def run(k, s, x):
    row = x.reshape(-1)
    if k.how == HOW.index("exponential"):
        s.part[0] += row if s.count < k.frames else row - rshift(s.part[0], k.shift)
        s.count = min(s.count + 1, k.frames)
    else:
        part = s.part[s.at]
        part[:] = row if s.count == 0 else np.maximum(part, row) if k.how == HOW.index("max") else part + row
        s.count += 1
        if s.count == k.every:
            s.at, s.count = (s.at + 1) % k.parts, 0
    s.wait -= 1
    if s.wait > 0:
        return None
    s.wait = k.every
    total = s.part.max(axis=0) if k.how == HOW.index("max") else s.part.sum(axis=0)
    return rshift(total, k.shift).reshape(x.shape)


def inputs(x, rng, count):
    """Spectra, enough of them for every example to fire more than once."""
    return [np.concatenate([block[rng.permutation(count)] for block in some_spectra(x, rng, count) for _ in range(2)])]


EXAMPLES = [
    (AverageSpectra(frames=5), spectra(64)),
    (AverageSpectra(frames=12, every=3), spectra(64, 3)),
    (AverageSpectra(frames=6, every=1, how="max"), spectra(64, 2)),
    (AverageSpectra(frames=1), spectra(64)),
    (AverageSpectra(frames=8, how="exponential"), spectra(64, 2)),
    (AverageSpectra(frames=1, how="exponential", every=7), spectra(64)),
]
