"""The command line: one function a verb, each loads, calls, prints.

Data goes to stdout, people's words to stderr.  Exit code 0: as asked; 1: a mistake that the message explains, a broken
budget or a difference; 2: wrong usage; 130: interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tinystream.app.documentation import describe, kinds
from tinystream.app.planning import over_budget, plan_file
from tinystream.app.read import load
from tinystream.app.schema import schema as definition_schema
from tinystream.emit.emit import emit as emit_c
from tinystream.errors import TinystreamError
from tinystream.io.recording import find_recordings
from tinystream.io.sink import open_sinks
from tinystream.plan.plan import Plan
from tinystream.run.replay import Reading, make_engine, replay_files
from tinystream.run.trace import Trace
from tinystream.run.verify import Compared
from tinystream.run.verify import verify as compare

cli = typer.Typer(
    name="tinystream",
    help="Declare an always-on sensing app once; replay it at your desk; ship the same integers to a microcontroller.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
people = Console(stderr=True, highlight=False)


class EngineChoice(StrEnum):
    auto = "auto"
    python = "python"
    native = "native"


AppPath = Annotated[Path, typer.Argument(metavar="APP", help="an app definition, or the folder with its app.toml")]
Recordings = Annotated[list[Path], typer.Argument(metavar="RECORDING…", help="files, or folders that are searched for recordings")]
EngineOption = Annotated[EngineChoice, typer.Option(help="auto takes native (compiled C) where a C compiler is found")]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
Resample = Annotated[bool, typer.Option("--resample", help="convert recordings of another rate to the app's")]
Channel = Annotated[
    int | None, typer.Option("--channel", min=0, help="take this channel of a recording that has more than the app's source")
]
Broker = Annotated[
    str | None, typer.Option("--broker", metavar="HOST:PORT", help="the MQTT broker, instead of the definition's or TINYSTREAM_BROKER")
]


@cli.command()
def show(app: AppPath, as_json: Json = False) -> None:
    """The table of steps with shape, rate, flash and RAM; exit code 1 when a budget is broken."""
    definition = load(app)
    plan = plan_file(app)
    rows = [
        dict(
            step=s.name,
            kind=s.kind,
            does=s.says,
            shape=list(s.y.shape),
            dtype=s.y.dtype,
            rate_hz=float(s.y.rate_hz),
            flash_bytes=s.flash_bytes,
            state_bytes=s.state_bytes,
            output_bytes=s.y.bytes,
        )
        for s in plan.steps
    ]
    totals = dict(arena_bytes=plan.arena_bytes, state_bytes=plan.state_bytes, ram_bytes=plan.ram_bytes, table_bytes=plan.table_bytes)
    broken = over_budget(plan, definition.budget)
    if as_json:
        print(json.dumps(dict(app=plan.name, definition=plan.digest, steps=rows, **totals, over_budget=[str(e) for e in broken]), indent=2))
    else:
        print_plan(plan)
        if definition.budget and definition.budget.battery_days:
            people.print("battery life is not estimated by this version, so budget.battery_days is not checked")
    for error in broken:
        people.print(str(error), markup=False)
    if broken:
        raise typer.Exit(1)


@cli.command()
def replay(
    app: AppPath,
    recordings: Recordings,
    engine: EngineOption = EngineChoice.auto,
    resample: Resample = False,
    channel: Channel = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="processes; the output does not depend on it")] = 1,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace", metavar="FILE", help="save features, scores, events and digests (a folder where there are several recordings)"
        ),
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="send the alerts to the app's sinks, too")] = False,
    broker: Broker = None,
) -> None:
    """Run an app over recordings; every event is a line of JSON on stdout."""
    plan = plan_file(app)
    paths = find_recordings(recordings)
    definition = load(app)
    began, heard, events = time.perf_counter(), 0.0, 0
    with open_sinks(definition.sinks if publish else (), os.environ, broker) as sinks, progress_bar("replay", len(paths)) as advance:
        for path, done in zip(
            paths, replay_files(app, paths, engine.value, Reading(resample, channel), jobs, "scores" if trace else "events")
        ):
            for event in done.events:
                print(json.dumps(event.as_dict()), flush=True)
                sinks.send(event.as_dict())
            if trace:
                save_trace(done, trace, path, several=len(paths) > 1)
            heard += float(done.samples / plan.x[0].sample_hz) if plan.x[0].sample_hz else 0
            events += len(done.events)
            advance(1)
    took = time.perf_counter() - began
    people.print(f"{events} events in {heard:.1f} s of {len(paths)} recordings, {heard / took:.0f}x real time")


@cli.command()
def verify(app: AppPath, recordings: Recordings, resample: Resample = False, channel: Channel = None, as_json: Json = False) -> None:
    """Prove that the definition (numpy) and the generated C give the same bits on these recordings; exit code 1 if not."""
    plan = plan_file(app)
    paths = find_recordings(recordings)
    python, native, compared, reading = make_engine(plan, "python"), make_engine(plan, "native"), Compared(), Reading(resample, channel)
    with progress_bar("verify", len(paths)) as advance:
        for path in paths:
            found = compare(plan, python, native, reading.read(plan, path).samples, compared)
            if found:
                print(
                    json.dumps(dict(identical=False, recording=str(path), step=found.step, index=found.index, what=found.what))
                ) if as_json else None
                raise TinystreamError(
                    f"{found.what}, on {path}",
                    f"first step that differs: {found.step}; run it alone with its neighbours' outputs from `replay --trace`",
                )
            advance(1)
    counts = {
        name: compared.outputs.get(plan.steps[i].name, 0)
        for name, i in (("features", plan.features), ("scores", plan.scores), ("events", plan.detector))
        if i is not None and i >= 0
    }
    if as_json:
        print(
            json.dumps(
                dict(
                    identical=True,
                    recordings=len(paths),
                    blocks=compared.blocks,
                    **counts,
                    outputs=compared.outputs,
                    values=compared.values,
                )
            )
        )
    else:
        words = ", ".join(f"{n} {name}" for name, n in counts.items())
        print(
            f"identical: {words} ({sum(compared.values.values())} values of {len(plan.steps)} steps) in {len(paths)} recordings, python against native"
        )


@cli.command()
def emit(
    app: AppPath, out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="where the C goes")] = Path("build")
) -> None:
    """Write the app as C: <name>.c and .h, its tables, and the kernels that it uses."""
    for path in emit_c(plan_file(app), out):
        print(path)


@cli.command()
def stages(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="a stage, operator or detector")] = None,
    ops: Annotated[bool, typer.Option("--ops", help="list the operators of models instead")] = False,
    as_json: Json = False,
) -> None:
    """The stages and detectors there are, or all about one of them."""
    if name:
        print(json.dumps(describe(name).as_dict(), indent=2) if as_json else describe(name).text())
        return
    found = [k for k in kinds() if (k.room == "operator") == ops]
    if as_json:
        print(json.dumps([k.as_dict() for k in found], indent=2))
        return
    table = Table(box=None, header_style="bold")
    for column in ("kind", "is a", "what it does"):
        table.add_column(column)
    for kind in found:
        table.add_row(kind.name, kind.room, kind.summary)
    Console().print(table)


@cli.command()
def schema() -> None:
    """The JSON Schema of app definitions, for completion in an editor."""
    print(json.dumps(definition_schema(), indent=2))


# --- what verbs share -----------------------------------------------------------------------------------------


def print_plan(plan: Plan) -> None:
    table = Table(box=None, header_style="bold", title=f"{plan.name}: {plan.says}" if plan.says else plan.name, title_justify="left")
    for column, justify in (
        ("step", "left"),
        ("what it does", "left"),
        ("gives", "left"),
        ("rate", "right"),
        ("flash B", "right"),
        ("state B", "right"),
        ("arena B", "right"),
    ):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for x in plan.x:
        table.add_row("source", "", f"{'x'.join(map(str, x.shape))} {x.dtype}", f"{float(x.rate_hz):g} Hz", "", "", "")
    for step in plan.steps:
        arena = sum(b.bytes for b in plan.buffers if b.step == step.name and not b.over)
        table.add_row(
            step.name,
            step.says,
            f"{'x'.join(map(str, step.y.shape))} {step.y.dtype}",
            f"{float(step.y.rate_hz):.4g} Hz",
            str(step.flash_bytes),
            str(step.state_bytes),
            str(arena),
        )
    Console().print(table)
    print(
        f"\nRAM {plan.ram_bytes} B: arena {plan.arena_bytes} B (shared over time), state {plan.state_bytes} B; tables {plan.table_bytes} B of flash, code not counted"
    )


@contextmanager
def progress_bar(what: str, total: int) -> Iterator:
    """A bar on stderr where a person looks on; gives the function that moves it."""
    columns = TextColumn(what), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn()
    with Progress(*columns, console=people, transient=True, disable=not people.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)


def save_trace(trace: Trace, where: Path, recording: Path, several: bool) -> None:
    if several:
        where.mkdir(parents=True, exist_ok=True)
        trace.save(where / f"{recording.stem}.npz")
    else:
        trace.save(where)


def main() -> None:
    """The entry point of the `tinystream` command."""
    try:
        cli()
    except TinystreamError as error:
        people.print(str(error), markup=False, soft_wrap=True)
        raise SystemExit(1) from None
    except BrokenPipeError:  # `tinystream replay … | head` is not a mistake
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
