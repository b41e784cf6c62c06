"""Options of the verbs that take live samples."""

from __future__ import annotations

from typing import Annotated

import typer

from tinystream.cli.shared import GapsChoice, tell
from tinystream.io.live import Live
from tinystream.run.inputs import FORMS, Form, Input
from tinystream.run.replay import Reading

InputOption = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="SOURCE", help=f"{FORMS} in true time; of several sources NAME=SOURCE for each; else mic"),
]
Device = Annotated[str | None, typer.Option("--device", help="number or part of the name of a microphone")]
FormOption = Annotated[
    Form, typer.Option("--format", help="how samples are written on a line; auto: as a serial port's first bytes tell, raw elsewhere")
]
LiveGaps = Annotated[
    GapsChoice, typer.Option("--gaps", help="samples that are missing: refuse begins afresh behind them, hold fills, keep closes up")
]
AnyRate = Annotated[bool, typer.Option("--any-rate", help="take samples as they are where the measured rate is not the app's")]
Once = Annotated[bool, typer.Option("--once", help="end with the connection, instead of opening it again")]


def given(texts: tuple[str, ...], device: str | None, form: Form, reading: Reading, any_rate: bool, once: bool) -> Input:
    return Input(texts, device, form, reading, any_rate, once, tell)


def tell_notes(live: Live) -> None:
    for note in live.notes():
        tell(f"warning: {note}")
