"""`tinystream node`: an app around the clock; `tinystream settings`: change one that runs."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.definition import App
from tinystream.app.node import Node
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.app.sinks import Mqtt
from tinystream.cli.live import AnyRate, Device, FormOption, InputOption, LiveGaps
from tinystream.cli.shared import AppPath, Broker, Channel, Counts, EngineChoice, EngineOption, GapsChoice, InUnit, cli, tell
from tinystream.errors import TinystreamError, writing
from tinystream.io.live import Live, Pipe
from tinystream.io.mqtt import resolve
from tinystream.io.sink import open_sinks
from tinystream.node.ask import ask
from tinystream.node.capture import PreRoll
from tinystream.node.log import log_to
from tinystream.node.service import Service, Start, alert_sink
from tinystream.node.settings import as_object, read_changes, sign
from tinystream.node.state import State
from tinystream.node.topics import Topics, node_name
from tinystream.node.unit import unit
from tinystream.plan.plan import Plan
from tinystream.run.inputs import OPENED, Form, Input, open_input, texts_of
from tinystream.run.replay import Reading, make_engine


class LogChoice(StrEnum):
    """For whom a node's log is."""

    json = "json"
    text = "text"


@cli.command()
def node(
    context: typer.Context,
    app: AppPath,
    source: InputOption = None,
    device: Device = None,
    form: FormOption = Form.auto,
    engine: EngineOption = EngineChoice.auto,
    channel: Channel = None,
    counts: Counts = False,
    in_unit: InUnit = None,
    gaps: LiveGaps = GapsChoice.refuse,
    any_rate: AnyRate = False,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FOLDER", help="alerts that wait, settings, what was learnt; ~/.local/state/tinystream/…"),
    ] = None,
    broker: Broker = None,
    metrics: Annotated[
        int | None, typer.Option("--metrics", metavar="PORT", min=0, max=65535, help="Prometheus metrics at 127.0.0.1:PORT/metrics")
    ] = None,
    log: Annotated[LogChoice, typer.Option("--log", help="one JSON object a line, or text for people")] = LogChoice.json,
    capture: Annotated[
        Path | None, typer.Option("--capture", metavar="FOLDER", help="keep what is heard around alerts there, as [capture] says")
    ] = None,
    install_unit: Annotated[
        Path | None, typer.Option("--install-unit", metavar="FILE|-", help="write a systemd unit that does this, and end")
    ] = None,
) -> None:
    """Run an app around the clock.

    Alerts wait on the disk until the broker has them.  Ctrl-C and SIGTERM end it, with nothing lost.
    """
    plan, definition = plan_file(app), load(app)
    texts = texts_of(plan, source or ())
    if install_unit:
        return write_unit(install_unit, unit(app, plan, texts, asked_for(context)))
    sink = alert_sink(definition, topics_of(definition).base, broker, os.environ)
    resolve(sink, os.environ, broker)  # what is wrong with it is told now
    reading = Reading(False, channel, counts, in_unit, gaps.value)
    make_source = source_maker(plan, Input(texts, device, form, reading, any_rate))
    log_to(form=log.value)
    with open_sinks([other for other in definition.sinks if not isinstance(other, Mqtt)], os.environ) as sinks:
        service = Service(
            Start(
                app=definition,
                plan=plan,
                engine=make_engine(plan, engine.value),
                source=make_source,
                ends=any(text.partition(":")[0] not in ("mic", *OPENED) for text in texts),
                broker=lambda: resolve(sink, os.environ, broker),
                sink=sink,
                folder=folder_of(app),
                state=State(state or default_state(plan.name)),
                sinks=sinks,
                environ=os.environ,
                metrics_port=metrics,
                capture=PreRoll(definition, plan, capture) if capture else None,
            )
        )
        code = until_signal(service)
    logging.shutdown()
    sys.stdout.flush()
    if service.listening.held:
        os._exit(code)  # a driver that does not come back must not keep us
    raise typer.Exit(code)


def until_signal(service: Service) -> int:
    """130 where Ctrl-C ended it, as everywhere; SIGTERM is how a service manager ends what is well."""
    asked: list[int] = []

    def end(number: int, _: object) -> None:
        asked.append(number)
        service.stop()

    before = {which: signal.signal(which, end) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        service.run()
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
    return 130 if asked[:1] == [signal.SIGINT] else 0


def source_maker(plan: Plan, given: Input) -> Callable[[Callable[[str], None]], Live]:
    """A recording that cannot be read is a mistake of now; a device may be plugged in later."""
    open_input(plan, given)

    def make(say: Callable[[str], None]) -> Live:
        live = open_input(plan, replace(given, tell=say))
        if isinstance(live, Pipe):
            live.stream = FileIO(0, closefd=False)  # without a lock that a thread may hold at the end
        return live

    return make


def default_state(name: str) -> Path:
    """systemd's folder where it gives one, else the user's."""
    if given := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "tinystream" / name


def asked_for(context: typer.Context) -> list[str]:
    """The options that a person gave, for a command that does the same."""
    words: list[str] = []
    for option in context.command.params:
        value, source = context.params.get(option.name or ""), context.get_parameter_source(option.name or "")
        if option.name not in ("app", "source", "install_unit") and source is not None and source.name == "COMMANDLINE":
            name = max(option.opts, key=len)
            value = value.absolute() if isinstance(value, Path) else value
            words += [name] if value is True else [name, str(value)]
    return words


def write_unit(file: Path, text: str) -> None:
    if str(file) == "-":
        print(text, end="")
        return
    with writing(file, "--install-unit -, and put it where it belongs"):
        file.write_text(text)
    tell(f"wrote {file}; systemctl daemon-reload, then systemctl enable --now {file.stem}")


def folder_of(app: Path) -> Path:
    return app.absolute() if app.is_dir() else app.absolute().parent


def topics_of(definition: App, name: str | None = None) -> Topics:
    around = definition.node or Node()
    return Topics.of(around, name or node_name(around), definition.name)


@cli.command("settings")
def settings_command(
    app: AppPath,
    changes: Annotated[
        str, typer.Option("--set", metavar="JSON", help='what differs from the definition, such as {"threshold": 0.8}; {} for nothing')
    ],
    name: Annotated[str | None, typer.Option("--node", help="name of the node; the definition's, or this computer's")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="private key (Ed25519, PEM), where signatures are wanted")
    ] = None,
    broker: Broker = None,
    wait_s: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=0, help="for the node's answer; 0 for none")] = 10,
) -> None:
    """Change the settings of a node that runs, and print its answer.

    The message lies on the broker until the next one, so a node that is off takes it when it is back.
    """
    plan, definition = plan_file(app), load(app)
    limits, topics = definition.settings, topics_of(definition, name)
    message = changes.encode()
    if key:
        message = sign(as_object(message), key, plan.digest, time.time_ns() // 1_000_000)
    read_changes(message, limits, plan, folder_of(app))  # a mistake is told before it is sent
    sink = alert_sink(definition, topics.base, broker, os.environ)
    answer = ask(resolve(sink, os.environ, broker), topics, message, wait_s)
    if answer is None:
        if wait_s:
            raise TinystreamError(f"no node answers at {topics.settings}", "it takes the message when it is back; --node with its name?")
        return
    print(answer.decode())
    told = as_object(answer)
    if "refused" in told:
        raise TinystreamError(f"the node refuses: {told['refused']}", str(told.get("help", "")))
