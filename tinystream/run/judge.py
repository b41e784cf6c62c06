"""Alerts held against truth: what was heard, what was missed, and which alerts were false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinystream.detectors.limits import ends_of
from tinystream.io.truth import Truth
from tinystream.run.trace import Event

LATE_S = 1.0
"""An alert may come so long after the end of what it is about: detectors take means."""


@dataclass(frozen=True)
class Judged:
    """words: windows of the truth.  missed: those without an alert.  false_alarms: alerts that belong to none, or to one already heard."""

    words: int
    missed: int
    false_alarms: int


def judge(events: Sequence[Event], truth: Truth) -> Judged:
    """Each window takes the first alert from its begin to LATE_S after its end, of its own label where the truth names labels.

    An event that says that an alert is over, "<label>_clear", is no alert.
    """
    waiting = list(range(len(truth.windows)))
    false_alarms, ends = 0, ends_of({event.label for event in events})
    for event in events:
        if event.label in ends:
            continue
        fit = [i for i in waiting if fits(event, truth, i)]
        if fit:
            waiting.remove(fit[0])
        else:
            false_alarms += 1
    return Judged(len(truth.windows), len(waiting), false_alarms)


def fits(event: Event, truth: Truth, window: int) -> bool:
    start_s, end_s = truth.windows[window]
    return start_s <= event.time_s <= end_s + LATE_S and (not truth.labels or truth.labels[window] == event.label)
