"""Give the newest block of one stage whenever another stage gives one: how signals of different rates meet.

    y = the newest x, as often as `clock` comes;  from = ["x", "clock"]

Nothing is given before the first x.  An x that comes in the same block as the clock is the newest.  `clock` is looked at for when it
comes, not for what it is.  It is two steps: one that keeps x, one that gives it.

Source: ours; the sample-and-hold of every converter.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tinystream.plan.signal import Signal
from tinystream.plan.stage import Stage
from tinystream.plan.step import Step
from tinystream.stages.keep import Keep


class Hold(Stage):
    """Give the newest block of one stage whenever another stage gives one: how signals of different rates meet."""

    def plan(self, x: Signal, clock: Signal) -> list[Step]:
        return held(x, clock)

    def ideal(self, x, blocks, clock):
        return blocks


BOUND = 0   # nothing is computed


def held(x: Signal, clock: Signal, sources: tuple[int, int] = (-1, -2)) -> list[Step]:
    """Two steps, the first two of a stage: keep x, and give it with the clock.  sources: which inputs of the stage the two are."""
    kept = replace(Keep().plan(x), sources=sources[:1])
    give = Step(
        module=__name__,
        x=(clock, x),
        y=replace(x, rate_hz=clock.rate_hz),
        params=dict(bytes=x.bytes),
        sources=(sources[1], 0),
        writes=True,
        apart=True,
        waits=True,
        cost=dict(mem=2 * x.size),
        says=f"the newest {x.size} values, {float(clock.rate_hz):.4g} times a second",
    )
    return [kept, give]


def run(k, s, clock):
    return s.value.copy() if s.full else None


EXAMPLES = [
    (Hold(), Signal((7,), "int16", Fraction(50), 2.0**-15, unit="FS"), Signal((2,), "int16", Fraction(50))),
    (Hold(), Signal((2, 3), "int64", Fraction(25), 2.0**-15, unit="g"), Signal((1,), "uint8", Fraction(25))),
]
