"""The command line: one function a verb, each loads, calls, prints.

Data goes to stdout, people's words to stderr.  Exit code 0: as asked; 1: a mistake that the message explains, a broken
budget or a difference; 2: wrong usage; 130: interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tinystream import __version__
from tinystream.app.budget import not_estimated
from tinystream.app.documentation import describe, kinds
from tinystream.app.importers import Wishes, read_published, write_app
from tinystream.app.model_report import ModelReport, macs_of, memory_as_dict
from tinystream.app.planning import over_budget, plan_file
from tinystream.app.read import load, located
from tinystream.app.schema import schema as definition_schema
from tinystream.app.sinks import Mqtt, SinkDefinition, Stdout
from tinystream.emit.emit import emit as emit_c
from tinystream.errors import SinkError, TinystreamError
from tinystream.io.broker import HOST, EmbeddedBroker
from tinystream.io.delivery import encode
from tinystream.io.live import Live, Microphone, Paced, Pipe
from tinystream.io.recording import find_recordings
from tinystream.io.sink import Sinks, open_sinks
from tinystream.plan.arena import lower_bound
from tinystream.plan.model import read_bytes
from tinystream.plan.plan import Plan
from tinystream.plan.signal import Signal
from tinystream.run.compare import compare as compare_model
from tinystream.run.compare import read_inputs, run_float
from tinystream.run.demo import Subscriber
from tinystream.run.live import ended_by_signal, run_live, uninterrupted
from tinystream.run.native import Native
from tinystream.run.replay import Reading, make_engine, ready, replay, replay_files
from tinystream.run.trace import Event, Trace, trace_paths
from tinystream.run.verify import Compared
from tinystream.run.verify import verify as compare

cli = typer.Typer(
    name="tinystream",
    help="Declare an always-on sensing app once; replay it at your desk; ship the same integers to a microcontroller.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes leave too little of 80 columns
    context_settings={"help_option_names": ["-h", "--help"]},
)
people = Console(stderr=True, highlight=False)
WIDE = 110  # columns in which a table of steps has room for what each does
LINE = 140  # columns where there is no terminal to fill


class EngineChoice(StrEnum):
    """Who computes."""

    auto = "auto"
    python = "python"
    native = "native"


class FormatChoice(StrEnum):
    """What `import` reads."""

    mltk = "mltk"
    micro_wake_word = "micro_wake_word"
    micro_speech = "micro_speech"


class RuleChoice(StrEnum):
    """Whose detection an imported wake word has."""

    mww_2025 = "mww_2025"
    mww_2024_10 = "mww_2024_10"


AppPath = Annotated[Path, typer.Argument(metavar="APP", help="an app definition, or the folder with its app.toml")]
Recordings = Annotated[list[Path], typer.Argument(metavar="RECORDING", help="files, or folders that are searched for recordings")]
EngineOption = Annotated[EngineChoice, typer.Option(help="auto takes native (compiled C) where a C compiler is found")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Resample = Annotated[bool, typer.Option("--resample", help="convert recordings of another rate to the app's")]
Channel = Annotated[
    str | None, typer.Option("--channel", metavar="N|NAME,…", help="channels or columns to take: numbers from 0, or names, with commas")
]
Counts = Annotated[bool, typer.Option("--counts", help="tables and float arrays hold the sensor's integers, not the source's unit")]
Broker = Annotated[str | None, typer.Option("--broker", metavar="HOST:PORT", help="the MQTT broker, instead of the definition's")]


@cli.command()
def show(
    app: AppPath,
    as_json: Json = False,
    memory: Annotated[bool, typer.Option("--memory", help="list every buffer of the arena, too")] = False,
) -> None:
    """List the steps with shape, rate, flash and RAM.

    Exit code 1 when a budget is broken.
    """
    plan, definition = plan_file(app), load(app)
    broken = over_budget(plan, definition.budget)
    if as_json:
        told = plan_as_dict(plan) | (memory_as_dict(plan) if memory else {})
        print(json.dumps(told | {"over_budget": [error.what for error in broken]}, indent=2))
    else:
        print_plan(plan)
        if memory:
            print_memory(plan)
        if plan.host_only:
            tell(f"note: {plan.host_only} runs on the host only; RAM and flash are without what its interpreter takes")
        for key in not_estimated(definition.budget):
            tell(f"note: budget.{key} is not checked: this version does not estimate battery life")
    if broken:
        raise located(app, broken)


@cli.command("replay")
def replay_command(
    app: AppPath,
    recordings: Recordings,
    engine: EngineOption = EngineChoice.auto,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="processes; what comes out does not depend on it")] = 1,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE", help="save features, scores, events and digests; a folder for several recordings"),
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="send the alerts to the app's sinks, too")] = False,
    broker: Broker = None,
) -> None:
    """Run an app over recordings, as fast as it goes.

    Every event is a line of JSON on standard output.
    """
    if broker and not publish:
        raise typer.BadParameter("--broker is where --publish sends the alerts; give both, or neither")
    plan, definition, paths = plan_file(app), load(app), find_recordings(recordings)
    if publish and not other_sinks(definition.sinks):
        tell(f"note: {plan.name} has no sink but standard output: nothing is published")
    saved = dict(zip(paths, trace_paths(trace, paths))) if trace else {}
    sinks = open_sinks(other_sinks(definition.sinks) if publish else (), os.environ, broker)
    if jobs == 1:
        ready(app.absolute(), engine.value)  # compiled now, so that the speed told below is that of the replay
    began, heard_s, events = time.perf_counter(), 0.0, 0
    with sinks, progress_bar("replay", len(paths)) as advance:
        how = Reading(resample, channel, counts)
        traces = replay_files(app.absolute(), paths, engine.value, how, jobs, "scores" if trace else "events")
        for path, (done, notes) in zip(paths, traces):
            for note in notes:
                tell(f"note: {path}: {note}")
            with uninterrupted():
                for event in done.events:
                    print(encode(event.as_dict()), flush=True)
                    send(sinks, event)
            if trace:
                done.save(saved[path])
            heard_s += seconds(plan, done)
            events += len(done.events)
            advance(1)
    took = time.perf_counter() - began
    heard = f"{heard_s:.1f} s of {count(len(paths), 'recording')}"
    tell(f"{count(events, 'event')} in {heard}, {heard_s / took:.0f}x real time")


@cli.command()
def run(
    app: AppPath,
    source: Annotated[
        str, typer.Option("--input", "-i", metavar="mic|-|FILE", help="a microphone, raw 16-bit samples on stdin, a recording in true time")
    ] = "mic",
    device: Annotated[str | None, typer.Option("--device", help="number or part of the name of a microphone")] = None,
    engine: EngineOption = EngineChoice.auto,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    publish: Annotated[bool, typer.Option(help="send the alerts to the app's sinks; otherwise they are only printed")] = True,
    broker: Broker = None,
) -> None:
    """Run an app on live samples, until Ctrl-C.

    Every event goes to the app's sinks and, as a line of JSON, to standard output.
    """
    plan, definition = plan_file(app), load(app)
    live = live_source(plan, source, device, Reading(resample, channel, counts))
    with ended_by_signal(), open_sinks(other_sinks(definition.sinks) if publish else (), os.environ, broker) as sinks:
        tell(f"{plan.name} listens; Ctrl-C ends it")

        def alert(event: Event) -> None:
            print(encode(event.as_dict()), flush=True)
            send(sinks, event)

        try:
            done = run_live(plan, make_engine(plan, engine.value), live, alert, source)
            tell(f"{count(len(done.events), 'event')} in {seconds(plan, done):.1f} s")
        finally:
            if live.overruns:
                tell(f"warning: {count(live.overruns, 'overrun')}: samples were lost or late, because this machine was too slow")


@cli.command()
def verify(
    app: AppPath,
    recordings: Recordings,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    as_json: Json = False,
) -> None:
    """Prove that numpy and the generated C give the same bits.

    Every output of every step is compared, on your recordings.  Exit code 1 with the first difference, if there is one.
    """
    plan, paths = plan_file(app), find_recordings(recordings)
    python, native, compared = make_engine(plan, "python"), Native(plan, form="groups"), Compared()  # the C as emit writes it
    with progress_bar("verify", len(paths)) as advance:
        for path in paths:
            first = compare(plan, python, native, Reading(resample, channel, counts).read(plan, path).samples, compared)
            if first:
                if as_json:
                    print(json.dumps(dict(identical=False, recording=str(path), step=first.step, index=first.index, values=first.values)))
                raise TinystreamError(f"{plan.name} differs on {path}: {first.what}", f"the first step that differs is '{first.step}'")
            advance(1)
    parts = {"features": plan.features, "scores": plan.scores, "events": plan.detector}
    found = {what: compared.outputs.get(plan.steps[i].name, 0) for what, i in parts.items() if i is not None and i >= 0}
    if as_json:
        print(json.dumps(dict(identical=True, recordings=len(paths), blocks=compared.blocks, **found, values=compared.values)))
        return
    values = sum(compared.values.values())
    words = ", ".join(f"{n} {what}" for what, n in found.items())
    where = f"{values} values of {count(len(plan.steps), 'step')} in {count(len(paths), 'recording')}"
    print(f"identical: {words}; {where}, python against native")


@cli.command()
def emit(
    app: AppPath, out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="where the C goes")] = Path("build")
) -> None:
    """Write the app as C.

    <name>.c and .h, its tables, and the kernels that it uses; files of an earlier time are written over.
    """
    for path in emit_c(plan_file(app), out):
        print(path)


@cli.command("model")
def model_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="a model")],
    as_json: Json = False,
    against: Annotated[bool, typer.Option("--compare", help="run it beside the interpreters that are installed")] = False,
    inputs: Annotated[
        list[Path] | None, typer.Option("--inputs", metavar="FILE.npy", help="with --compare: your inputs, [calls, …], a file for each")
    ] = None,
) -> None:
    """Tell what a model holds, and what it costs as C.

    Everything in it that is not compiled is named, with the reason.  Exit code 1 where it cannot be compiled, or where --compare
    finds a difference from TFLM.
    """
    if inputs and not against:
        raise typer.BadParameter("--inputs are what --compare runs on; give both, or neither")
    report = ModelReport.of(file)
    compared = compare_model(read_bytes(file), file.name, read_inputs(inputs or [])) if against and report.plan else []
    if as_json:
        told = report.as_dict() | (dict(compared=[asdict(c) for c in compared]) if against else {})
        print(json.dumps(told, indent=2))
    else:
        print_model(report)
        for c in compared:
            print(f"{c.interpreter}{f' ({c.version})' if c.version else ''}: {c.says}")
    if against and not report.plan:
        for name, outcome in run_float(read_bytes(file)).items():
            given = outcome if isinstance(outcome, str) else ", ".join(shape_text(y.shape[1:], str(y.dtype)) for y in outcome)
            tell(f"{name}: {f'not run: {given}' if isinstance(outcome, str) else f'it runs there, and gives {given}'}")
    if report.refused:
        raise TinystreamError(f"{file.name} cannot be compiled", report.refused[0][1])
    if any(c.differing for c in compared if c.interpreter == "tflm"):
        raise TinystreamError(f"{file.name} differs from TFLM", "docs/models.md tells where that is meant; report any other, please")


@cli.command()
def stages(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="a stage, operator or detector")] = None,
    ops: Annotated[bool, typer.Option("--ops", help="list the operators of models instead")] = False,
    as_json: Json = False,
) -> None:
    """List the stages and detectors, or tell all about one."""
    if name:
        print(json.dumps(describe(name).as_dict(), indent=2) if as_json else describe(name).text(output().width))
        return
    found = [kind for kind in kinds() if (kind.room == "operator") == ops]
    if as_json:
        print(json.dumps([kind.as_dict() for kind in found], indent=2))
        return
    table = Table(box=None, header_style="bold")
    for column in ("kind", "is a", "what it does"):
        table.add_column(column)
    for kind in found:
        table.add_row(kind.name, kind.room, kind.summary)
    output().print(table)


@cli.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a microWakeWord manifest, or a .tflite of MLTK or micro_speech")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="where the app goes; the app's name, here")] = None,
    kind: Annotated[FormatChoice | None, typer.Option(help="the format, where the file does not tell")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="the app's name")] = None,
    rule: Annotated[RuleChoice | None, typer.Option(help="microWakeWord: which firmware's detection")] = None,
    model: Annotated[Path | None, typer.Option("--model", metavar="FILE", help="microWakeWord: instead of the manifest's model")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="NAME", help="of an output; once for each, in order")] = None,
    force: Annotated[bool, typer.Option("--force", help="write over what is there")] = False,
    as_json: Json = False,
) -> None:
    """Make an app of a published model.

    Writes app.toml and the model beside it, and tells how near the app is to the original: which bits are the same, what differs.
    """
    imported = read_published(file, kind, Wishes(name, rule.value if rule else None, model, tuple(label or ())))
    written = write_app(imported, out or Path(imported.name), force)
    if as_json:
        print(json.dumps(imported.as_dict() | {"files": [str(path) for path in written]}, indent=2))
        return
    tell(f"{imported.name}: {imported.says}  ({imported.origin}, {imported.credit})")
    for what, how in imported.near._asdict().items():
        tell(f"  {what:<9} {how}")
    for lack in imported.lacks:
        tell(f"  not here  {lack}")
    for path in written:
        print(path)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of definitions, for your editor."""
    print(json.dumps(definition_schema(), indent=2))


@cli.command()
def demo(app: AppPath, recordings: Recordings, engine: EngineOption = EngineChoice.auto) -> None:
    """Replay, publish to a real MQTT broker, print what arrives.

    The broker lives in this process; what is printed is what a subscriber received from it.
    """
    plan, paths, topics = plan_file(app), find_recordings(recordings), [sink for sink in load(app).sinks if isinstance(sink, Mqtt)]
    if not topics:
        what = f"{plan.name} has no sink of kind 'mqtt', so nothing would be published"
        raise TinystreamError(what, '[[sink]], kind = "mqtt", topic = "home/{app}/{label}"')
    runs = make_engine(plan, engine.value)
    inputs = [Reading().read(plan, path) for path in paths]
    blocks = sum(len(recording.samples) // plan.x[0].shape[0] for recording in inputs)
    tell(f"{plan.name}: {plan.says}  ({len(plan.steps)} steps, {runs.name} engine)")
    with EmbeddedBroker() as broker, Subscriber(HOST, broker.port) as subscriber:
        began, sent = time.perf_counter(), 0
        address = f"{HOST}:{broker.port}"
        # the broker knows no passwords and no TLS: what the field needs must not keep anybody from a look
        here = [Mqtt(topic=sink.topic, qos=sink.qos) for sink in topics]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TINYSTREAM_")}
        with open_sinks(here, environ, address) as sinks, progress_bar("replay", blocks, always=True) as advance:
            for path, recording in zip(paths, inputs):

                def step(n: int, events: list[Event]) -> None:
                    for event in events:
                        send(sinks, event)
                    advance(n)

                sent += len(replay(plan, runs, recording.samples, path.name, progress=step).events)
        took = time.perf_counter() - began
        expected = sent * len(here)
        received = subscriber.wait(expected)
    heard_s = sum(recording.seconds for recording in inputs)
    found = f"{count(sent, 'alert')} in {heard_s:.1f} s of {count(len(paths), 'recording')}, {heard_s / took:.0f}x real time"
    tell(f"{found}; received from the broker at {address}:" if sent else f"{found}: nothing to publish")
    for topic, message in received:
        where = f"{message['label']} at {message['time_s']:.2f} s of {message['recording']}"
        print(f"{topic}  {where}, score {message['score']:.2f}, sequence {message['sequence']}")
    if len(received) != expected:
        what = f"the subscriber received {len(received)} of {count(expected, 'message')}"
        raise TinystreamError(what, "this should not happen on one machine")


# --- what verbs share -----------------------------------------------------------------------------------------


def send(sinks: Sinks, event: Event) -> None:
    """To every sink.  One that has given up keeps the event for its last word at the end, and the app goes on."""
    with suppress(SinkError):
        sinks.send(event.as_dict())


def other_sinks(sinks: tuple[Any, ...]) -> list[SinkDefinition]:
    """The sinks but for stdout, where every event is printed anyway."""
    return [sink for sink in sinks if not isinstance(sink, Stdout)]


def live_source(plan: Plan, source: str, device: str | None, how: Reading) -> Live:
    x = plan.x[0]
    assert x.sample_hz is not None, "a source has a sample rate"
    if source == "mic":
        return Microphone(x.sample_hz, x.shape[0], x.channels, int(device) if device and device.isdigit() else device)
    if source == "-":
        return Pipe(sys.stdin.buffer, x.shape[0], x.channels)
    return Paced(how.read(plan, Path(source)).samples, x.sample_hz, x.shape[0])


def seconds(plan: Plan, trace: Trace) -> float:
    return float(trace.samples / plan.x[0].sample_hz) if plan.x[0].sample_hz else 0.0


def output() -> Console:
    """Standard output for tables; they need not be narrow where no terminal is."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=LINE)


def count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def tell(text: str) -> None:
    """Words for people."""
    people.print(text, markup=False, soft_wrap=True)


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    steps = [
        dict(
            step=s.name, kind=s.kind, does=s.says, shape=s.y.shape, dtype=s.y.dtype, rate_hz=float(s.y.rate_hz),
            flash_bytes=s.flash_bytes, state_bytes=s.state_bytes, output_bytes=s.y.bytes,
        )
        for s in plan.steps
    ]  # fmt: skip
    totals = {key: getattr(plan, key) for key in ("arena_bytes", "state_bytes", "ram_bytes", "table_bytes")}
    return dict(app=plan.name, says=plan.says, definition=plan.digest, labels=plan.labels, steps=steps, **totals)


def print_plan(plan: Plan) -> None:
    console = output()
    wide = console.width >= WIDE
    table = Table(box=None, header_style="bold", pad_edge=False, title=f"{plan.name}: {plan.says}" if plan.says else plan.name)
    table.title_justify = "left"
    table.add_column("step", overflow="fold")
    if wide:
        table.add_column("what it does", overflow="fold")
    table.add_column("gives", overflow="fold")
    for column in ("rate", "flash B", "state B", "arena B"):
        table.add_column(column, justify="right", no_wrap=True)
    rows: list[tuple[str, str, Signal, tuple[int, ...]]] = [("source", "", x, ()) for x in plan.x]
    for step in plan.steps:
        arena = sum(b.bytes for b in plan.buffers if b.step == step.name and not b.over)
        rows.append((step.name, step.says, step.y, (step.flash_bytes, step.state_bytes, arena)))
    for name, says, y, sizes in rows:
        table.add_row(name, *[says] * wide, shape_text(y.shape, y.dtype), f"{float(y.rate_hz):.4g} Hz", *map(str, sizes))
    console.print(table)
    if not wide:
        console.print(f"(what each step does is shown in {WIDE} columns, and in --json)")
    ram = f"RAM {plan.ram_bytes} B: arena {plan.arena_bytes} B (places are used again over time), state {plan.state_bytes} B"
    console.print(f"\n{ram}\nflash {plan.table_bytes} B of tables; code is not counted", soft_wrap=True, highlight=False)


def print_memory(plan: Plan) -> None:
    """Every buffer of the arena: where it lies, and from which step to which."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("buffer", "bytes", "offset", "first step", "last step", ""):
        table.add_column(column, justify="right" if column in ("bytes", "offset") else "left", overflow="fold")
    names = [step.name for step in plan.steps]
    for b in plan.buffers:
        where = f"in the place of {b.over}" if b.over else f"may lie over {b.below}" if b.below else ""
        name = b.step if b.member == "y" else f"{b.step}.{b.member}"
        table.add_row(name, str(b.bytes), str(b.offset), f"{b.first} {names[b.first]}", f"{b.last} {names[b.last]}", where)
    console = output()
    console.print(table)
    bound = f"{lower_bound(plan.buffers)} B are in use at once at the most, no arrangement needs less"
    console.print(f"arena {plan.arena_bytes} B; {bound}", soft_wrap=True, highlight=False)


def print_model(report: ModelReport) -> None:
    console, model = output(), report.model
    for what, tensors in (("input", model.inputs), ("output", model.outputs)):
        for t in tensors:
            console.print(f"{what:<6} {t}  {t.name}", soft_wrap=True, highlight=False, markup=False)
    wide = console.width >= WIDE
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("#", "operator", "what it does", *["reads"] * wide, "gives", *["scale", "zero"] * wide, "MACs", "flash B"):
        number = column in ("#", "scale", "zero", "MACs", "flash B")
        table.add_column(column, overflow="fold", justify="right" if number else "left", no_wrap=number)
    for row in report.operators:
        says = f"not compiled: {row.refused}" if row.refused else row.says
        reads = [", ".join("x".join(map(str, t.dims)) for t in row.x)] * wide
        scale = [f"{row.y.scale:.6g}" if row.y.quantised else "", str(row.y.zero) if row.y.quantised else ""] * wide
        gives = shape_text(row.y.dims, row.y.dtype)
        cells = str(row.number), row.kind.upper(), says, *reads, gives, *scale, str(row.macs), str(row.table_bytes)
        table.add_row(*map(Text, cells))  # a file's own words are no markup
    console.print(table)
    console.print(f"\n{sum(row.macs for row in report.operators)} MACs; the file has {model.file_bytes} B", soft_wrap=True, highlight=False)
    for operator, before, after in report.constant:
        gone = f"{before - after} of {before} channels are constant or unread, and are not computed"
        console.print(f"{operator}: {gone}", soft_wrap=True, highlight=False)
    for what, help in report.refused:
        console.print(f"not compiled: {what}" + (f" ({help})" if help else ""), soft_wrap=True, highlight=False, markup=False)
    if report.is_float:
        console.print("a float model runs on the host through an interpreter only; no C is emitted for it", soft_wrap=True, highlight=False)
    if report.plan:
        computed = sum(map(macs_of, report.plan.steps))
        flash = f"flash {report.plan.table_bytes} B of tables, code comes on top; {computed} MACs a call"
        console.print(f"{flash}; state {report.plan.state_bytes} B\n", soft_wrap=True, highlight=False)
        print_memory(report.plan)


def shape_text(shape: tuple[int, ...], dtype: str) -> str:
    return f"{'x'.join(map(str, shape))} {dtype}"


@contextmanager
def progress_bar(what: str, total: int, always: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where a person looks on, or always; gives the function that moves it."""
    columns = TextColumn(what), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn()
    with Progress(*columns, console=people, disable=not (always or people.is_terminal)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)


def version(asked: bool) -> None:
    if asked:
        print(f"tinystream {__version__}")
        raise typer.Exit


@cli.callback()
def options(_: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="print the version")] = False) -> None:
    pass


def main() -> None:
    """The entry point of the `tinystream` command."""
    try:
        cli()
    except TinystreamError as error:
        tell("\n".join([str(error), *getattr(error, "__notes__", ())]))
        raise SystemExit(1) from None
    except BrokenPipeError:  # `tinystream replay … | head` is not a mistake
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:  # such as a full disk under standard output
        tell(f"error: {str(error.strerror or error).lower()}{f': {error.filename}' if error.filename else ''}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", ()):  # alerts that were not delivered
            tell(note)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
