"""`tinystream listen`: what nodes tell over their serial lines, for people, programs and a broker."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Annotated, Any

import typer

from tinystream.app.definition import App
from tinystream.app.node import Node
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.app.sinks import Mqtt
from tinystream.cli.shared import Broker, cli, count, tell
from tinystream.errors import TinystreamError, writing
from tinystream.io.mqtt import resolve
from tinystream.io.records import Cycles, Hello, Reader
from tinystream.io.serial_line import Line, Piece
from tinystream.node.bridge import SILENT_S, TOPIC, Bridge
from tinystream.node.recorder import MOST_S, Recorder
from tinystream.node.remote import Remote
from tinystream.node.topics import node_name
from tinystream.run.live import ended_by_signal, uninterrupted

BAUD = 115_200
PIECE = 4096
WAITING = 256  # pieces at most between a port and what becomes of them; then the port waits, and what is lost shows in the numbers
TICK_S = 0.5
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


@cli.command()
def listen(
    sources: Annotated[
        list[str], typer.Argument(metavar="PORT|PORT=NAME|FILE|- …", help="serial ports, files of what one gave, or standard input")
    ],
    baud: Annotated[int, typer.Option("--baud", min=1, help="of serial ports")] = BAUD,
    cycles: Annotated[
        Path | None, typer.Option("--cycles", metavar="FILE", help="write what a bench build has measured, for `profile` and `power`")
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="send alerts to a broker; none is lost while it is away")] = False,
    broker: Broker = None,
    topic: Annotated[
        str | None, typer.Option("--topic", metavar="TOPIC", help=f"of alerts, with {{node}}, {{app}} and {{label}}; else {TOPIC}")
    ] = None,
    app: Annotated[
        Path | None, typer.Option("--app", metavar="APP", help="what the nodes run: its sink's broker, and Home Assistant's discovery")
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FOLDER", help="where alerts wait for the broker; else below ~/.local/state")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="what this bridge calls itself; else as the computer is called")] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE.wav", help="ask a node of `build --recording` for raw samples")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.001, max=MOST_S, help="of --record")] = 10,
    silent_s: Annotated[float, typer.Option("--silent-s", min=1, help="a node that was not heard for so long is offline")] = SILENT_S,
) -> None:
    """Read the records of nodes, until their lines end or Ctrl-C.

    Every record is a line of JSON on standard output, and so is what was lost, came twice or too late; a summary of it is told on standard
    error.  A port that vanishes is waited for, also under another name where it has a serial number.
    """
    if not publish and (broker or topic or state):
        raise typer.BadParameter("--broker, --topic and --state are of --publish; give that, too")
    definition, plan = (load(app), plan_file(app)) if app else (None, None)
    remotes = [Remote(port, given, baud, plan) for port, given in map(named, sources)]
    if len({remote.port for remote in remotes}) < len(remotes):
        raise typer.BadParameter("a port is given twice")
    lines = {remote.port: Line(remote.port, baud, tell) for remote in remotes if is_port(remote.port)}
    if record and (len(remotes) > 1 or not lines):
        raise typer.BadParameter("--record is of one serial port")
    recorder = Recorder(record, seconds, lines[remotes[0].port].write, tell) if record else None
    measured: list[Cycles] = []
    with ExitStack() as stack:
        stack.callback(summary, remotes)
        stack.enter_context(ended_by_signal())
        bridge = None
        if publish:
            bridge = Bridge(
                remotes, *where_to(definition, broker, topic), state or state_folder(), name or node_name(Node()),
                silent_s=silent_s, app=definition, plan=plan,
            )  # fmt: skip
            stack.enter_context(bridge)
        for remote, piece in pieces(remotes, lines, bridge, stack):
            take(remote, piece, bridge, measured, recorder)
            if recorder and recorder.done:
                break
    if cycles:
        write_cycles(cycles, remotes, measured)


def take(remote: Remote, piece: Piece | None, bridge: Bridge | None, measured: list[Cycles], recorder: Recorder | None) -> None:
    """What came, or that a moment has gone by."""
    with uninterrupted():
        for told in remote.take(piece) if piece else ():
            if isinstance(told.record, Hello):
                measured.clear()  # it has started again
            elif isinstance(told.record, Cycles):
                measured.append(told.record)
            if bridge:
                bridge.take(remote, told)
            if recorder:
                recorder.take(told.record, remote.name)
            print(json.dumps(told.as_dict), flush=True)
    if bridge:
        bridge.tick()
    if recorder:
        recorder.ask()


def named(source: str) -> tuple[str, str]:
    """PORT=NAME as port and name.

    >>> named("/dev/ttyACM0=pump"), named("/dev/ttyACM0")
    (('/dev/ttyACM0', 'pump'), ('/dev/ttyACM0', ''))
    """
    port, equals, name = source.rpartition("=")
    if not equals or Path(source).exists():
        return source, ""
    if not NAME.fullmatch(name) or not port:
        raise typer.BadParameter(f"'{source}' is no PORT=NAME: a name is of letters, digits, _ and -")
    return port, name


def where_to(definition: App | None, broker: str | None, topic: str | None) -> tuple[Mqtt, str]:
    """The broker and the alerts' topic: flags before the environment before the app's sink."""
    sink = next((sink for sink in (definition.sinks if definition else ()) if isinstance(sink, Mqtt)), None)
    return resolve(sink or Mqtt(topic="tinystream"), os.environ, broker), topic or (sink.topic if sink else TOPIC)


def state_folder() -> Path:
    """Of a service the folder that its manager gives it, else the user's."""
    if given := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "tinystream" / "listen"


# --- where bytes come from --------------------------------------------------------------------------------------------------


def pieces(
    remotes: Sequence[Remote], lines: dict[str, Line], bridge: Bridge | None, stack: ExitStack
) -> Iterator[tuple[Remote, Piece | None]]:
    """Bytes as they come, of all sources; None where nothing has come for a moment.  Ends with the last source."""
    waiting: Queue[tuple[Remote, Piece | BaseException | None]] = Queue(WAITING)
    for remote in remotes:
        line = lines.get(remote.port)
        if line is None:
            remote.baud = 0
        elif bridge is None:
            line.open()  # a mistake in its name is told at once; a bridge waits for it
            tell(f"{remote.port} at {line.baud} baud; Ctrl-C ends it")
        if line:
            stack.callback(line.close)
    for remote in remotes:
        Thread(target=read, args=(remote, lines.get(remote.port), waiting), daemon=True).start()
    open_sources = len(remotes)
    while open_sources:
        if bridge:
            bridge.states = {port: line.state for port, line in lines.items()}
        try:
            remote, piece = waiting.get(timeout=TICK_S)
        except Empty:
            yield remotes[0], None
            continue
        if isinstance(piece, BaseException):
            raise piece
        open_sources -= piece is None
        yield remote, piece


def read(remote: Remote, line: Line | None, waiting: Queue[tuple[Remote, Piece | BaseException | None]]) -> None:
    try:
        for piece in line.pieces() if line else plain(remote.port):
            waiting.put((remote, piece))
    except Exception as error:
        waiting.put((remote, error))
    waiting.put((remote, None))


def is_port(source: str) -> bool:
    return source != "-" and not Path(source).is_file()


def plain(source: str) -> Iterator[Piece]:
    """Of a file or standard input."""
    file = sys.stdin.fileno() if source == "-" else os.open(source, os.O_RDONLY)
    try:
        while raw := os.read(file, PIECE):
            yield Piece(raw, time.time(), 0.0)
    finally:
        if source != "-":
            os.close(file)


# --- what is left at the end --------------------------------------------------------------------------------------------------


def summary(remotes: Sequence[Remote]) -> None:
    """What the lines lost, told to people."""
    for remote in remotes:
        words = losses(remote.reader)
        if words:
            tell(f"warning: {f'{remote.name}: ' if len(remotes) > 1 else ''}{words}")


def losses(reader: Reader) -> str:
    """Empty where nothing was lost."""
    found = [f"{count(reader.missing, 'record')} missing", count(reader.broken, "broken frame")] if reader.missing or reader.broken else []
    found += [f"{count(reader.repeated, 'record')} repeated"] if reader.repeated else []
    found += [f"{count(reader.reordered, 'record')} out of order"] if reader.reordered else []
    return ", ".join(found)


def write_cycles(path: Path, remotes: Sequence[Remote], measured: list[Cycles]) -> None:
    hello = remotes[0].hello
    if len(remotes) > 1:
        raise typer.BadParameter("--cycles is of one node")
    if hello is None or not measured:
        what = "nothing was measured: the node did not say hello and what each step took"
        raise TinystreamError(what, "firmware of `tinystream build --bench`, from its start")
    with writing(path, "--cycles another file"):
        path.write_text(json.dumps(measurement(hello, measured), indent=2) + "\n", encoding="utf-8")


def measurement(hello: Hello, measured: list[Cycles]) -> dict[str, Any]:
    """What `--measured` of profile and power reads."""
    steps = {c.step: dict(fired=c.fired, blocks=c.blocks, cycles=c.cycles, most=c.most) for c in measured}
    return dict(app=hello.app, definition=hello.definition, board=hello.board, clock_hz=hello.clock_hz, steps=steps)
