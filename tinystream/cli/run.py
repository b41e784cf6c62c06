"""`tinystream run`: an app on live samples."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.cli.live import AnyRate, Device, FormOption, InputOption, LiveGaps, Once, given, tell_notes
from tinystream.cli.shared import (
    AppPath,
    Broker,
    Channel,
    Counts,
    EngineChoice,
    EngineOption,
    GapsChoice,
    InUnit,
    Key,
    Resample,
    cli,
    count,
    other_sinks,
    seconds,
    send,
    tell,
)
from tinystream.io.delivery import encode
from tinystream.io.sink import open_sinks
from tinystream.io.written import recorded, write_to
from tinystream.node.capture import PreRoll
from tinystream.run.inputs import Form, open_input, texts_of, told_of
from tinystream.run.learnt import check_save, learnt_by, read_learnt, save
from tinystream.run.live import ended_by_signal, run_live
from tinystream.run.replay import Reading, make_engine
from tinystream.run.trace import Event


@cli.command()
def run(
    app: AppPath,
    source: InputOption = None,
    device: Device = None,
    form: FormOption = Form.auto,
    engine: EngineOption = EngineChoice.auto,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    unit: InUnit = None,
    gaps: LiveGaps = GapsChoice.refuse,
    key: Key = None,
    any_rate: AnyRate = False,
    once: Once = False,
    record: Annotated[Path | None, typer.Option("--record", metavar="FILE", help="write what is heard: WAV, CSV or SDS")] = None,
    learnt: Annotated[Path | None, typer.Option("--learnt", metavar="FILE", help="begin with what --save-learnt wrote")] = None,
    save_learnt: Annotated[Path | None, typer.Option("--save-learnt", metavar="FILE", help="write what was learnt by the end")] = None,
    publish: Annotated[bool, typer.Option(help="send the alerts to the app's sinks; otherwise they are only printed")] = True,
    broker: Broker = None,
    capture: Annotated[
        Path | None, typer.Option("--capture", metavar="FOLDER", help="keep what is heard around alerts there, as [capture] says")
    ] = None,
) -> None:
    """Run an app on live samples, until Ctrl-C.

    Every event goes to the app's sinks and, as a line of JSON, to standard output.  Where samples are missing the app begins afresh.
    """
    plan, definition = plan_file(app), load(app)
    texts = texts_of(plan, source or ())
    told = told_of(plan, texts)
    before = read_learnt(plan, learnt) if learnt else b""
    if save_learnt:
        check_save(plan, save_learnt, [*map(Path, texts)])
    runs = make_engine(plan, engine.value)
    kept = Around(PreRoll(definition, plan, capture)) if capture else None
    live = open_input(plan, given(texts, device, form, Reading(resample, channel, counts, unit, gaps.value, key), any_rate, once))
    items = iter(live)
    if record:
        written = write_to(record, plan, {"app": plan.name, "definition": plan.digest, "source": told})
        items = recorded(live, written, lambda error: tell(f"warning: no longer recorded: {error.what}"))
    with ended_by_signal(), open_sinks(other_sinks(definition.sinks) if publish else (), os.environ, broker) as sinks:
        tell(f"{plan.name} listens; Ctrl-C ends it")

        def alert(event: Event) -> None:
            print(encode(event.as_dict()), flush=True)
            send(sinks, event)
            if kept:
                kept.alert(event)

        try:
            with closing(items) as blocks:
                done = run_live(plan, runs, blocks, alert, told, before, *(kept.told_by if kept else ()))
            tell(f"{count(len(done.events), 'event')} in {seconds(plan, done):.1f} s")
        finally:
            if kept:
                kept.roll.close()
                tell(f"{count(kept.roll.written, 'capture')} in {capture}{f', {kept.roll.failed} failed' if kept.roll.failed else ''}")
            if save_learnt:
                save(learnt_by(plan, runs), save_learnt)
            tell_notes(live)


class Around:
    """What is kept around alerts.  A capture counts from the last gap on, the events of a run from its start."""

    def __init__(self, roll: PreRoll):
        self.roll, self.ahead = roll, 0

    @property
    def told_by(self) -> tuple[Any, ...]:
        """The last arguments of run_live."""
        return self.roll.push, self.roll.want, self._afresh

    def alert(self, event: Event) -> None:
        self.roll.alert(replace(event, sample=event.sample - self.ahead))

    def _afresh(self, ahead: int) -> None:
        self.roll.restart()
        self.ahead = ahead
