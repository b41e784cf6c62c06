"""`tinystream fleet`: the nodes of a broker."""

from __future__ import annotations

import json
import os
import queue
import time
from itertools import cycle
from typing import Annotated, Any, Literal

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tinystream.app.sinks import Mqtt
from tinystream.cli.shared import Broker, Json, cli, count, output
from tinystream.errors import SinkError
from tinystream.io.mqtt import resolve
from tinystream.node.fleet import PREFIX, Fleet
from tinystream.node.session import Session
from tinystream.node.topics import Message

CONNECT_S, PAUSE_S = 10.0, (0.2, 2.0)
LIMIT_BYTES = 1_048_576
WAITING = 10_000  # messages that wait to be read at most; a flood costs itself, not our memory


@cli.command()
def fleet(
    broker: Broker = None,
    prefix: Annotated[str, typer.Option("--prefix", metavar="FILTER", help="what the topics of nodes begin with")] = PREFIX,
    alerts: Annotated[
        str, typer.Option("--alerts", metavar="FILTER", help="topics of alerts, whose numbers are watched; all where nothing is said")
    ] = "#",
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="how long to listen, with --json")] = 3,
    ca_file: Annotated[str | None, typer.Option("--ca-file", metavar="FILE", help="PEM of the authority that signed the broker")] = None,
    as_json: Json = False,
) -> None:
    """Show the nodes of a broker, and how they are.

    What they run, their last alerts, and how many were lost, until Ctrl-C; with --json, a snapshot after --seconds.
    """
    waiting: queue.Queue[Message] = queue.Queue(WAITING)
    seen, missed = Fleet(prefix), [0]

    def hear(message: Message) -> None:
        try:
            waiting.put_nowait(message)
        except queue.Full:
            missed[0] += 1

    versions: cycle[Literal["3.1.1", "5"]] = cycle(
        ("5", "3.1.1")
    )  # a broker that speaks 5 keeps from us what is too large; one that does not closes the connection
    told: dict[str, Any] = {"topic": "alerts"} | ({"ca_file": ca_file, "tls": True} if ca_file else {})
    resolve(Mqtt(**told), os.environ, broker)  # a mistake is told now
    session = Session(lambda: resolve(Mqtt(version=next(versions), **told), os.environ, broker), pause_s=PAUSE_S, limit_bytes=LIMIT_BYTES)
    for topic in dict.fromkeys([f"{prefix}/status", f"{prefix}/availability", alerts]):
        session.subscribe(topic, hear if topic == alerts else lambda message: None if covered(alerts, message) else hear(message))
    with session:
        if not session.wait(CONNECT_S):
            raise SinkError(session.state, "--broker host:port")
        if as_json:
            listen(seen, waiting, seconds)
            found = {"nodes": seen.table(time.time()), "strange": seen.strange, "missed": missed[0]}
            print(json.dumps(found, ensure_ascii=False, indent=2))
            return
        with Live(console=output(), auto_refresh=False) as screen:
            while True:
                listen(seen, waiting, 1.0)
                screen.update(shown(seen.table(time.time()), session.state), refresh=True)


def covered(alerts: str, message: Message) -> bool:
    """Whether a message comes by the filter of alerts, too, so that it is heard once."""
    from paho.mqtt.client import topic_matches_sub

    return topic_matches_sub(alerts, message.topic)


def listen(seen: Fleet, waiting: queue.Queue[Message], seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            seen.heard(waiting.get(timeout=left), time.time())
        except queue.Empty:
            return


def shown(rows: list[dict[str, Any]], state: str) -> Table:
    """What strangers say is text here, never a command to the terminal or to the table."""
    table = Table(title=Text(f"{count(len(rows), 'node')}; {state}"), title_justify="left", box=None)
    for column in ("node", "app", "definition", "settings", "last alert", "heard", "lost", "age", "health"):
        table.add_column(column, justify="right" if column in ("heard", "lost", "age") else "left")
    for row in rows:
        last, health = row["last_alert"] or {}, row["health"]
        age = "-" if row["age_s"] is None else f"{row['age_s']:.0f} s"
        cells = [row["node"], row["app"], (row["definition"] or "-")[:8], row["settings"] or "-"]
        cells += [
            " ".join([*(str(last[name]) for name in ("label", "score") if name in last), last.get("wall_time", "")[11:19]]).strip() or "-"
        ]
        cells += [str(row["alerts_heard"]), str(row["lost"]), age]
        table.add_row(*map(Text, cells), Text("; ".join(health) or "ok", style="red" if health else "green"))
    return table
