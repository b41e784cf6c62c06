"""How often every step ran while recordings were replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce

import numpy as np

from tinystream.plan.plan import Plan
from tinystream.power.interval import Interval, exactly
from tinystream.run.engine import Runs
from tinystream.run.learnt import begin
from tinystream.run.replay import CHUNK, blocks_of

CONFIDENCE = 0.9


@dataclass(frozen=True, eq=False)
class Counts:
    """What a replay saw.  Recordings follow one another; each began from a fresh start.

    blocks:   of all recordings.
    listened: those at which the app listened, all but what lies between the windows of a duty cycle.
    ran:      for each step, the blocks at which it ran: those at which all that it waits for had fired.
    fired:    by index, the blocks at which a step that others wait for gave something.
    alerts:   blocks at which the detector gave an event.
    """

    plan: Plan
    blocks: int
    listened: np.ndarray
    ran: tuple[np.ndarray, ...]
    fired: Mapping[int, np.ndarray]
    alerts: np.ndarray

    @property
    def listened_s(self) -> float:
        return float(len(self.listened) / self.plan.x[0].rate_hz)

    @cached_property
    def by_step(self) -> dict[str, int]:
        """Runs of each step."""
        return {step.name: len(ran) for step, ran in zip(self.plan.steps, self.ran)}

    def rate_hz(self, step: str) -> float:
        """Runs a second of listening."""
        return self.by_step[step] / self.listened_s

    def rate(self, step: str) -> Interval:
        """Runs a second of listening.  Behind a gate, it is as doubtful as the number of times that the gate has opened."""
        i = [s.name for s in self.plan.steps].index(step)
        gates = [g for g in self.plan.conditions()[i] if self.plan.steps[g].kind == "gate" and len(self.fired[g])]
        found = exactly(self.rate_hz(step))
        if not gates or not found.nominal:
            return found
        opened = min(gates, key=lambda g: stretches(self.fired[g]))
        times = stretches(self.fired[opened])
        always = found.nominal * len(self.listened) / len(self.fired[opened])
        doubtful = found * (poisson(times) / times)
        return Interval(doubtful.low, found.nominal, min(doubtful.high, always))

    @property
    def alert_rate_hz(self) -> Interval:
        """Alerts a second of listening, with the Poisson interval of their number."""
        return poisson(len(self.alerts)) / self.listened_s

    def between(self, first: int, last: int) -> Counts:
        """Of the blocks first <= block < last alone, counted from 0 again."""
        ran = tuple(cut(when, first, last) for when in self.ran)
        fired = {i: cut(when, first, last) for i, when in self.fired.items()}
        heard, alerts = cut(self.listened, first, last), cut(self.alerts, first, last)
        return Counts(self.plan, min(last, self.blocks) - first, heard, ran, fired, alerts)

    def over_time(self, step: str, window_blocks: int) -> np.ndarray:
        """Runs in each window of so many blocks; the last may be shorter."""
        return self._in_windows(self.ran[[s.name for s in self.plan.steps].index(step)], window_blocks)

    def alerts_over_time(self, window_blocks: int) -> np.ndarray:
        return self._in_windows(self.alerts, window_blocks)

    def _in_windows(self, when: np.ndarray, window_blocks: int) -> np.ndarray:
        return np.bincount(when // window_blocks, minlength=-(-self.blocks // window_blocks))

    def work(self, cycles: Mapping[str, float]) -> np.ndarray:
        """Cycles of each block."""
        total = np.zeros(self.blocks)
        for step, when in zip(self.plan.steps, self.ran):
            total[when] += cycles[step.name]
        return total

    def busiest_block(self, cycles: Mapping[str, float]) -> float:
        """The most cycles that one block takes."""
        return float(self.work(cycles).max(initial=0))


def in_a_row(parts: Sequence[Counts]) -> Counts:
    """Counts of one plan, of recordings that follow one another."""
    begins = np.cumsum([0, *(part.blocks for part in parts)])

    def shifted(of: Callable[[Counts], np.ndarray]) -> np.ndarray:
        return np.concatenate([of(part) + begin for part, begin in zip(parts, begins)])

    first = parts[0]
    return Counts(
        first.plan,
        int(begins[-1]),
        shifted(lambda part: part.listened),
        tuple(shifted(lambda part, i=i: part.ran[i]) for i in range(len(first.ran))),  # type: ignore[misc]
        {i: shifted(lambda part, i=i: part.fired[i]) for i in first.fired},  # type: ignore[misc]
        shifted(lambda part: part.alerts),
    )


def count_runs(plan: Plan, engine: Runs, recordings: Iterable[np.ndarray]) -> Counts:
    """Replay samples [n] or [n, channels] of each recording, and note which steps ran at which block.

    A step runs where every step that it waits for has fired, in the generated C as here: only steps that wait need watching.
    """
    conditions = plan.conditions()
    detectors = [d.step for d in plan.detections]
    watched = set().union(*conditions, detectors)
    fired: dict[int, list[np.ndarray]] = {i: [] for i in watched}
    listened, blocks = [], 0
    for samples in recordings:
        begin(plan, engine)
        x, first = blocks_of(plan, samples), blocks
        for chunk in x.chunks(CHUNK):
            for j, given in engine.push(*chunk, want=watched).items():
                fired[j].append(given.when + first)
        every = np.arange(x.beats)
        listened.append(blocks + (every[every % plan.duty.every < plan.duty.on] if plan.duty else every))
        blocks += x.beats
    when = {i: np.concatenate([np.empty(0, np.int64), *parts]) for i, parts in fired.items()}
    heard = np.concatenate([np.empty(0, np.int64), *listened])
    together: dict[frozenset[int], np.ndarray] = {}
    for needs in conditions:
        if needs not in together:
            together[needs] = reduce(partial(np.intersect1d, assume_unique=True), [when[i] for i in needs], heard)
    alerts = np.sort(np.concatenate([np.empty(0, np.int64), *(when[i] for i in detectors)]))
    return Counts(plan, blocks, heard, tuple(together[needs] for needs in conditions), when, alerts)


def poisson(events: float) -> Interval:
    """What number of events is expected where so many were seen: the exact interval that covers CONFIDENCE (Garwood, 1936).

    >>> poisson(0).rounded()
    Interval(low=0.0, nominal=0.0, high=2.99573)
    """
    from scipy.special import gammaincinv  # takes a while to import

    outside = (1 - CONFIDENCE) / 2
    low = float(gammaincinv(events, outside)) if events else 0.0
    return Interval(low, events, float(gammaincinv(events + 1, 1 - outside)))


def stretches(when: np.ndarray) -> int:
    """How many runs of one block after the other there are.

    >>> stretches(np.array([3, 4, 5, 9, 10]))
    2
    """
    return int(np.count_nonzero(np.diff(when) > 1)) + 1 if len(when) else 0


def cut(when: np.ndarray, first: int, last: int) -> np.ndarray:
    return when[(when >= first) & (when < last)] - first
