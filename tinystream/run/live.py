"""Run an app on samples as they come."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from tinystream.plan.plan import Plan
from tinystream.run.engine import Fired
from tinystream.run.learnt import begin
from tinystream.run.replay import Runs
from tinystream.run.trace import Event, Recorder, Trace


def run_live(
    plan: Plan, engine: Runs, blocks: Iterable[np.ndarray], alert: Callable[[Event], None], recording: str = "", learnt: bytes = b"",
    watch: Callable[[np.ndarray, dict[int, Fired]], None] | None = None, watched: Collection[int] = (),
) -> Trace:
    """Every block as it comes, every event at once; ends with the blocks, and is the same as a replay of them.

    learnt: what it begins with.
    watch:  is given each block, as an engine takes it, before the events in it, with what the steps in `watched` gave.
    """
    recorder = Recorder(plan, engine.name, recording, (), ())
    begin(plan, engine, learnt)
    for block in blocks:
        with uninterrupted():
            fired = engine.push(block[np.newaxis], want=recorder.want | set(watched))
            if watch:
                watch(block[np.newaxis], fired)
            for event in recorder.take(fired, 1):
                alert(event)
    return recorder.trace()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until what is inside is done, so that no alert is lost between its detection and its sinks."""
    asked: list[int] = []
    try:
        before = {which: signal.signal(which, lambda number, _: asked.append(number)) for which in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread, which no signal reaches
        yield
        return
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
    if asked:
        raise KeyboardInterrupt


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """SIGTERM, by which a service manager stops a program, is as Ctrl-C: what is on its way is delivered first."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
