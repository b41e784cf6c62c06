"""Run an app on samples as they come."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from tinystream.io.live.base import Beat, Gap, Item
from tinystream.plan.plan import Plan
from tinystream.run.engine import Fired
from tinystream.run.learnt import begin
from tinystream.run.replay import Runs
from tinystream.run.trace import Event, Recorder, Trace


def run_live(
    plan: Plan, engine: Runs, blocks: Iterable[Item], alert: Callable[[Event], None], recording: str = "", learnt: bytes = b"",
    watch: Callable[[tuple[np.ndarray, ...], dict[int, Fired]], None] | None = None, watched: Collection[int] = (),
    afresh: Callable[[int], None] | None = None,
) -> Trace:
    """Every block as it comes, every event at once; ends with the blocks, and is the same as a replay of them.

    Behind a gap the engine begins afresh, as a replay of another recording does; what was learnt stays, and events count the missing
    samples as time that has passed.

    learnt: what it begins with.
    watch:  is given the blocks of each source, as an engine takes them, before the events in it, with what the steps in `watched` gave.
    afresh: is told at each gap how many samples have passed before the next block, which is an engine's first again.
    """
    recorder = Recorder(plan, engine.name, recording, (), ())
    begin(plan, engine, learnt)
    for item in blocks:
        if isinstance(item, Gap):
            engine.reset()
            recorder.gap(item.samples)
            if afresh:
                afresh(recorder.ahead)
            continue
        with uninterrupted():
            x = pushed(item)
            fired = engine.push(*x, want=recorder.want | set(watched))
            if watch:
                watch(x, fired)
            for event in recorder.take(fired, 1):
                alert(event)
    return recorder.trace()


def pushed(item: np.ndarray | Beat) -> tuple[np.ndarray, ...]:
    """What a live source gave, as an engine takes it."""
    return item.x if isinstance(item, Beat) else (item[np.newaxis],)


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
