"""`tinystream replay`: an app over recordings."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.cli.shared import (
    AppPath,
    Broker,
    Channel,
    Counts,
    EngineChoice,
    EngineOption,
    GapsChoice,
    GapsOption,
    InUnit,
    Key,
    Recordings,
    Resample,
    cli,
    count,
    other_sinks,
    progress_bar,
    seconds,
    send,
    tell,
)
from tinystream.io.delivery import encode
from tinystream.io.sink import open_sinks
from tinystream.plan.learnt import told
from tinystream.run.learnt import check_save, read_learnt, save
from tinystream.run.live import uninterrupted
from tinystream.run.replay import Reading, ready, recordings_of, replay_files
from tinystream.run.trace import trace_paths


@cli.command("replay")
def replay_command(
    app: AppPath,
    recordings: Recordings,
    engine: EngineOption = EngineChoice.auto,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    unit: InUnit = None,
    gaps: GapsOption = GapsChoice.refuse,
    key: Key = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="processes; what comes out does not depend on it")] = 1,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE", help="save features, scores, events and digests; a folder for several recordings"),
    ] = None,
    learnt: Annotated[
        Path | None, typer.Option("--learnt", metavar="FILE", help="what every recording begins with: what --save-learnt wrote")
    ] = None,
    save_learnt: Annotated[
        Path | None, typer.Option("--save-learnt", metavar="FILE", help="write what was learnt by the end of the last recording")
    ] = None,
    goes_on: Annotated[
        bool, typer.Option("--continue", help="each recording begins with what the one before it has learnt, not with nothing")
    ] = False,
    publish: Annotated[bool, typer.Option("--publish", help="send the alerts to the app's sinks, too")] = False,
    broker: Broker = None,
) -> None:
    """Run an app over recordings, as fast as it goes.

    Every event is a line of JSON on standard output.  Each recording is a fresh start: what an app learns of one is not known to the
    next, but with --continue; with --learnt, all begin with the same.
    """
    if broker and not publish:
        raise typer.BadParameter("--broker is where --publish sends the alerts; give both, or neither")
    plan, definition = plan_file(app), load(app)
    paths = recordings_of(plan, recordings)
    if publish and not other_sinks(definition.sinks):
        tell(f"note: {plan.name} has no sink but standard output: nothing is published")
    before = read_learnt(plan, learnt) if learnt else b""
    if save_learnt:
        check_save(plan, save_learnt, paths)
    saved = dict(zip(paths, trace_paths(trace, paths))) if trace else {}
    sinks = open_sinks(other_sinks(definition.sinks) if publish else (), os.environ, broker)
    if jobs == 1:
        ready(app.absolute(), engine.value)  # compiled now, so that the speed told below is that of the replay
    began, heard_s, events, said = time.perf_counter(), 0.0, 0, Counter[str]()
    with sinks, progress_bar("replay", len(paths)) as advance:
        how = Reading(resample, channel, counts, unit, gaps.value, key)
        traces = replay_files(app.absolute(), paths, engine.value, how, jobs, "scores" if trace else "events", before, goes_on)
        for path, (done, notes, after) in zip(paths, traces):
            said.update(notes)
            for note in notes:
                if said[note] == 1:
                    tell(f"note: {path}: {note}")
            with uninterrupted():
                for event in done.events:
                    print(encode(event.as_dict()), flush=True)
                    send(sinks, event)
            if trace:
                done.save(saved[path])
            if after:
                tell(f"{path}: {told(plan, after)}; SHA-256 {done.learnt}")
            heard_s += seconds(plan, done)
            events += len(done.events)
            advance(1)
    for note, times in said.items():
        if times > 1:
            tell(f"note: {count(times - 1, 'more recording')}: {note}")
    if save_learnt:
        save(after, save_learnt)
        if len(paths) > 1 and not goes_on:
            tell(f"note: {save_learnt} is of {paths[-1]} alone: each recording was a fresh start; --continue learns from all")
    took = time.perf_counter() - began
    heard = f"{heard_s:.1f} s of {count(len(paths), 'recording')}"
    tell(f"{count(events, 'event')} in {heard}, {heard_s / took:.0f}x real time")
