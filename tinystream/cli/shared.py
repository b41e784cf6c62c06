"""What verbs share: the command itself, options, and ways to speak to people."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tinystream.app.sinks import SinkDefinition, Stdout
from tinystream.errors import SinkError
from tinystream.io.sink import Sinks
from tinystream.plan.plan import Plan
from tinystream.run.trace import Event, Trace

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


class GapsChoice(StrEnum):
    """What becomes of samples that are missing."""

    refuse = "refuse"
    keep = "keep"
    hold = "hold"
    linear = "linear"


class EngineChoice(StrEnum):
    """Who computes."""

    auto = "auto"
    python = "python"
    native = "native"


AppPath = Annotated[Path, typer.Argument(metavar="APP", help="an app definition, or the folder with its app.toml")]
Recordings = Annotated[
    list[Path],
    typer.Argument(metavar="RECORDING", help="files, or folders to search: WAV, FLAC, CSV, Edge Impulse, SDS, NPY, MAT, Parquet, images"),
]
EngineOption = Annotated[EngineChoice, typer.Option(help="auto takes native (compiled C) where a C compiler is found")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Resample = Annotated[bool, typer.Option("--resample", help="convert recordings of another rate, or images of another size, to the app's")]
Channel = Annotated[
    str | None, typer.Option("--channel", metavar="N|NAME,…", help="channels or columns to take: numbers from 0, or names, with commas")
]
Counts = Annotated[bool, typer.Option("--counts", help="tables and float arrays hold the sensor's integers, not the source's unit")]
InUnit = Annotated[
    str | None, typer.Option("--unit", metavar="UNIT,…", help="what the values are in, such as m/s2, whatever the recording says")
]
GapsOption = Annotated[
    GapsChoice, typer.Option("--gaps", help="samples that are missing: refuse, keep the rest closed up, hold the last, a line between")
]
Key = Annotated[str | None, typer.Option("--hmac-key-env", metavar="NAME", help="environment variable with the key of signed recordings")]
Broker = Annotated[str | None, typer.Option("--broker", metavar="HOST:PORT", help="the MQTT broker, instead of the definition's")]


def send(sinks: Sinks, event: Event) -> None:
    """To every sink.  One that has given up keeps the event for its last word at the end, and the app goes on."""
    with suppress(SinkError):
        sinks.send(event.as_dict())


def other_sinks(sinks: tuple[Any, ...]) -> list[SinkDefinition]:
    """The sinks but for stdout, where every event is printed anyway."""
    return [sink for sink in sinks if not isinstance(sink, Stdout)]


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


def shape_text(shape: tuple[int, ...], dtype: str) -> str:
    return f"{'x'.join(map(str, shape))} {dtype}"


@contextmanager
def progress_bar(what: str, total: int, always: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where a person looks on, or always; gives the function that moves it."""
    columns = TextColumn(what), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn()
    with Progress(*columns, console=people, disable=not (always or people.is_terminal)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)
