"""Let every n-th block through.

    y = x, of the blocks n, 2n, 3n … since a reset

What follows sees n times fewer blocks.  An app puts one behind a source whose blocks last n heartbeats, since a slow source's block is
passed again until the next one is there.  Nothing is filtered: for samples, `decimate` keeps what would alias away.

Source: ours.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from pydantic import Field

from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step


class Every(Stage):
    """Let every n-th block through."""

    n: int = Field(ge=1, le=2**31 - 1, description="blocks from one that passes to the next")

    def plan(self, x: Signal) -> Step:
        return Step(
            module=__name__,
            x=(x,),
            y=replace(x, rate_hz=x.rate_hz / self.n),
            params=dict(bytes=x.bytes, n=self.n),
            state=dict(wait=self.n),
            waits=True,
            inplace=True,
            cost=dict(mem=2 * x.size),
            says=f"one of {self.n} blocks",
        )

    def ideal(self, x, blocks):
        return blocks[self.n - 1 :: self.n]


BOUND = 0   # nothing is computed


def run(k, s, x):
    s.wait -= 1
    if s.wait > 0:
        return None
    s.wait = k.n
    return x


EXAMPLES = [
    (Every(n=1), Signal((7,), "int16", Fraction(50), 2.0**-15, unit="FS", sample_hz=Fraction(350))),
    (Every(n=5), Signal((4, 3), "int16", Fraction(25), 4 * 2.0**-15, unit="g", sample_hz=Fraction(100))),
    (Every(n=3), Signal((1,), "int64", Fraction(1, 60), 2.0**-10)),
]
