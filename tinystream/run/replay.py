"""Run an app over recordings, as fast as the host can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import first_compiler
from tinystream.errors import RecordingError
from tinystream.io.recording import Recording, find_recordings, read_as
from tinystream.io.several import beside, sets_among
from tinystream.io.wanted import How, wanted_of
from tinystream.plan.learnt import digest
from tinystream.plan.plan import Column, Plan
from tinystream.plan.signal import Signal
from tinystream.run.duty import on_duty
from tinystream.run.engine import Engine, Runs
from tinystream.run.learnt import begin, learnt_by
from tinystream.run.native import Native
from tinystream.run.pool import spread
from tinystream.run.trace import Event, Recorder, Trace

EngineName = Literal["auto", "python", "native"]
Keep = Literal["events", "scores", "all"]
CHUNK = 500  # blocks between two looks at the progress


def make_engine(plan: Plan, name: EngineName = "auto") -> Runs:
    """`auto` takes native where a C compiler is found and the plan can be emitted."""
    python = name == "python" or (name == "auto" and (plan.host_only or not first_compiler()))
    return on_duty(plan, Engine(plan) if python else Native(plan))


Samples = np.ndarray | tuple[np.ndarray, ...]
"""A recording: samples [n] or [n, channels], or such an array for each source of an app."""


class Blocks(tuple[np.ndarray, ...]):
    """Blocks [m, *shape] of each input, in step with the heartbeat."""

    @property
    def beats(self) -> int:
        return len(self[0])

    def chunks(self, size: int) -> Iterator[Blocks]:
        """So many heartbeats at a time."""
        return (Blocks(x[i : i + size] for x in self) for i in range(0, self.beats, size))


def blocks_of(plan: Plan, samples: Samples) -> Blocks:
    """Whole blocks of each source; what is not full at the end, or longer than another source's recording, is left out.

    A slow source's block is there for every heartbeat that it lasts, as a push wants it.
    """
    given = samples if isinstance(samples, tuple) else (samples,)
    whole = [len(one) // x.shape[0] for one, x in zip(given, plan.x, strict=True)]
    beats = min(n * every for n, every in zip(whole, plan.repeats))
    parts = []
    for one, x, every in zip(given, plan.x, plan.repeats):
        need = -(-beats // every)
        blocks = np.ascontiguousarray(one[: need * x.shape[0]].reshape(need, *x.shape))
        parts.append(blocks if every == 1 else blocks.repeat(every, axis=0)[:beats])
    return Blocks(parts)


def replay(
    plan: Plan,
    engine: Runs,
    samples: Samples,
    recording: str = "",
    keep: Keep = "events",
    progress: Callable[[int, list[Event]], None] | None = None,
    learnt: bytes = b"",
) -> Trace:
    """One recording from a fresh start.

    keep:     "events" alone; "scores" adds features, scores and the digest of every step; "all" every step's output.
    progress: called after each chunk with the number of blocks done and the events in it.
    learnt:   what an earlier replay of the same definition has learnt, to begin with.
    """
    every = range(len(plan.steps))
    kept = {"events": set(), "scores": plan.watched, "all": set(every)}[keep]
    recorder = Recorder(plan, engine.name, recording, kept, () if keep == "events" else every)
    begin(plan, engine, learnt)
    for chunk in blocks_of(plan, samples).chunks(CHUNK):
        new = recorder.take(engine.push(*chunk, want=recorder.want), chunk.beats)
        if progress:
            progress(chunk.beats, new)
    return replace(recorder.trace(), learnt=digest(learnt_by(plan, engine)))


@dataclass(frozen=True)
class Reading(How):
    """How recordings are read for an app."""

    def read(self, plan: Plan, path: Path) -> Given:
        """A recording; of an app with several sources, the one that this file of its first source belongs to."""
        paths = beside(path, plan.names) if plan.names else (path,)
        columns = plan.columns or ((),) * len(plan.x)
        found = [self._one(one, x, mine) for one, x, mine in zip(paths, plan.x, columns, strict=True)]
        if len(found) == 1:
            return Given(found[0].samples, found[0].notes, found[0].seconds)
        notes = [f"{name}: {note}" for name, recording in zip(plan.names, found) for note in recording.notes]
        lengths = [recording.seconds for recording in found]
        block_s = max(float(1 / x.rate_hz) for x in plan.x)
        if max(lengths) - min(lengths) > block_s:
            told = ", ".join(f"{name} {length:.6g} s" for name, length in zip(plan.names, lengths))
            notes.append(f"its files are of different length, and what is longer is left out: {told}")
        return Given(tuple(recording.samples for recording in found), tuple(notes), min(lengths))

    def _one(self, path: Path, x: Signal, columns: tuple[Column, ...]) -> Recording:
        recording = read_as(path, wanted_of(x, columns), self)
        if len(recording.samples) < x.shape[0]:
            what = f"{path} is too short: {len(recording.samples)} samples, a block of the app is {x.shape[0]}"
            raise RecordingError(what, "record for longer: a last block that is not full is left out")
        return recording


class Given(NamedTuple):
    """A recording as an app is given it, and what was assumed or converted when it was read."""

    samples: Samples
    notes: tuple[str, ...]
    seconds: float

    @property
    def alone(self) -> np.ndarray:
        """The samples of an app that has one source."""
        assert isinstance(self.samples, np.ndarray), "the app has several sources"
        return self.samples


def recordings_of(plan: Plan, paths: Iterable[Path]) -> list[Path]:
    """Files as they are named, and all recordings inside the folders; of several sources, the files of the first."""
    found = find_recordings(paths)
    return sets_among(found, plan.names) if plan.names else found


class Replayed(NamedTuple):
    """What one file gave, and what was assumed or converted when it was read.  learnt: what the engine has learnt by its end."""

    trace: Trace
    notes: tuple[str, ...]
    learnt: bytes = b""


def replay_files(
    app: Path, paths: Sequence[Path], engine: EngineName, reading: Reading, jobs: int = 1, keep: Keep = "events", learnt: bytes = b"",
    goes_on: bool = False,
) -> Iterator[Replayed]:
    """Each file from a fresh start, in the order given, over `jobs` processes; the result does not depend on jobs.

    learnt:  what each file begins with.
    goes_on: each file but the first begins with what the one before it has learnt; they then take turns in this process.
    """
    if goes_on:
        for path in paths:
            done = _replay_file(app, engine, reading, keep, learnt, path)
            learnt = done.learnt
            yield done
        return
    work = partial(_replay_file, app, engine, reading, keep, learnt)
    yield from spread("replay", work, paths, jobs)


def _replay_file(app: Path, engine: EngineName, reading: Reading, keep: Keep, learnt: bytes, path: Path) -> Replayed:
    plan, runs = ready(app, engine)
    recording = reading.read(plan, path)
    trace = replay(plan, runs, recording.samples, str(path), keep, learnt=learnt)
    return Replayed(trace, recording.notes, learnt_by(plan, runs))


@cache
def ready(app: Path, engine: EngineName) -> tuple[Plan, Runs]:
    """Planned and compiled once a process, not once a file."""
    plan = plan_file(app)
    return plan, make_engine(plan, engine)
