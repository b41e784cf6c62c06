"""`tinystream listen`: what a node tells over its serial line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tinystream.cli.shared import cli, count, tell
from tinystream.errors import TinystreamError, writing
from tinystream.io.records import Alert, Cycles, Hello, Reader, Record
from tinystream.io.serial_line import bytes_of, open_line

BAUD = 115_200
PIECE = 4096


@cli.command()
def listen(
    source: Annotated[str, typer.Argument(metavar="PORT|FILE|-", help="a serial port, a file of what one gave, or standard input")],
    baud: Annotated[int, typer.Option("--baud", min=1, help="of a serial port")] = BAUD,
    cycles: Annotated[
        Path | None, typer.Option("--cycles", metavar="FILE", help="write what a bench build has measured, for `profile` and `power`")
    ] = None,
) -> None:
    """Read the records of a node, until its line ends or Ctrl-C.

    Every record is a line of JSON on standard output; what was broken or is missing is counted on standard error.
    """
    reader, hello = Reader(), None
    measured: list[Cycles] = []
    try:
        for raw in pieces(source, baud):
            for record in reader.push(raw):
                hello = record if isinstance(record, Hello) else hello
                if isinstance(record, Hello):
                    measured.clear()  # it has started again
                elif isinstance(record, Cycles):
                    measured.append(record)
                print(json.dumps(as_told(record, hello)), flush=True)
    finally:
        if reader.broken or reader.missing:
            tell(f"warning: {count(reader.missing, 'record')} missing, {count(reader.broken, 'broken frame')}")
    if cycles:
        if hello is None or not measured:
            what = "nothing was measured: the node did not say hello and what each step took"
            raise TinystreamError(what, "firmware of `tinystream build --bench`, from its start")
        with writing(cycles, "--cycles another file"):
            cycles.write_text(json.dumps(measurement(hello, measured), indent=2) + "\n", encoding="utf-8")


def pieces(source: str, baud: int) -> Iterator[bytes]:
    """Bytes as they come."""
    if source == "-":
        return iter(lambda: os.read(sys.stdin.fileno(), PIECE), b"")
    if Path(source).is_file():
        return iter([Path(source).read_bytes()])
    line = open_line(source, baud)
    tell(f"{source} at {baud} baud; Ctrl-C ends it")
    return bytes_of(line)


def as_told(record: Record, hello: Hello | None) -> dict[str, Any]:
    """The record; an alert with its score and time as a replay tells them, where the node has said how."""
    told = record.as_dict()
    if isinstance(record, Alert) and hello:
        told["score"] = round((record.score_count - hello.score_zero) * hello.score_scale, 6)
        told["time_s"] = round(record.sample / hello.sample_hz, 6)
    return told


def measurement(hello: Hello, measured: list[Cycles]) -> dict[str, Any]:
    """What `--measured` of profile and power reads."""
    steps = {c.step: dict(fired=c.fired, blocks=c.blocks, cycles=c.cycles, most=c.most) for c in measured}
    return dict(app=hello.app, definition=hello.definition, board=hello.board, clock_hz=hello.clock_hz, steps=steps)
