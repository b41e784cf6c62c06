"""Run an app on samples as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tinystream.plan.plan import Plan
from tinystream.run.replay import Runs
from tinystream.run.trace import Event, Recorder, Trace


def run_live(plan: Plan, engine: Runs, blocks: Iterable[np.ndarray], alert: Callable[[Event], None], recording: str = "") -> Trace:
    """Every block as it comes, every event at once; ends with the blocks, and is the same as a replay of them."""
    recorder = Recorder(plan, engine.name, recording, (), ())
    engine.reset()
    for block in blocks:
        for event in recorder.take(engine.push(block[np.newaxis], want=recorder.want), 1):
            alert(event)
    return recorder.trace()
