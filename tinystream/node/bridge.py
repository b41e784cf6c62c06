"""From the records of nodes to a broker: every alert through an outbox, and how the nodes and the bridge are.

    <alerts>                              as --topic says; at least once, `id` is the same each time
    tinystream/<bridge>/listen/status     the bridge, retained; …/availability says online or offline, and is its last will
    tinystream/<node>/<app>/status        a node, retained; …/availability offline when it was not heard for too long
    tinystream/<node>/<app>/label/<label> ON at an alert
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from tinystream import __version__
from tinystream.app.definition import App
from tinystream.app.node import Node
from tinystream.app.sinks import Mqtt, check_topic
from tinystream.detectors.limits import CLEAR
from tinystream.errors import AppError, SinkError, writing
from tinystream.io.delivery import Managed
from tinystream.io.records import Hello
from tinystream.node.delivery import Delivery
from tinystream.node.discovery import BIRTH, discovery
from tinystream.node.outbox import Entry, Outbox
from tinystream.node.payload import numbered, written
from tinystream.node.remote import Remote, Told, read_hellos, write_hellos
from tinystream.node.session import Session
from tinystream.node.topics import Message, Topics, level
from tinystream.plan.plan import Plan

TOPIC = "tinystream/{node}/{app}/alert/{label}"
HEARTBEAT_S = 60.0
SILENT_S = 300.0
NOT_FOR_IT = ("level", "queue", "load")  # of discovery's diagnostics: a node on a line does not tell them
log = logging.getLogger(__name__)


class Bridge(Managed):
    """take() what remotes tell, and tick() now and then; alerts are on the disk when take() returns.

    broker:   as resolve() gives it.
    topic:    of alerts, with {node}, {app} and {label}.
    folder:   where the outbox is, and what nodes have said of themselves; of this bridge alone.
    silent_s: a node that was not heard for so long is offline.
    app:      and its plan: with them, nodes that run it are shown to Home Assistant.
    """

    def __init__(
        self,
        remotes: Sequence[Remote],
        broker: Mqtt,
        topic: str,
        folder: Path,
        name: str,
        *,
        silent_s: float = SILENT_S,
        app: App | None = None,
        plan: Plan | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ):
        self.remotes, self.topic, self.folder, self.name = remotes, checked(topic), folder, name
        self.silent_s, self.app, self.plan, self.heartbeat_s = silent_s, app, plan, heartbeat_s
        self.definition = (app and app.node) or Node()
        self.topics = Topics(f"tinystream/{level(name)}/listen")
        self._states: dict[str, str] = {}  # of ports
        self.outbox = Outbox(folder / "outbox.sqlite", self.definition.outbox_alerts, self.definition.outbox_keeps)
        self.session = Session(broker, Message(self.topics.availability, b"offline", retain=True))
        self.delivery = Delivery(self.outbox, self.session, self._message, self.definition.alerts_per_s)
        self._births = Event()  # somebody must be told everything again
        self._told_at = float("-inf")
        self._emptied = True  # nothing waited when that was last told
        self._last: dict[str, bytes] = {}  # availability as last told, by topic
        self._open = ExitStack()

    def open(self) -> None:
        with writing(self.folder, "--state another folder"):
            self.folder.mkdir(parents=True, exist_ok=True)
        hellos = read_hellos(self._hellos)
        for remote in self.remotes:
            remote.known = hellos.get(remote.port)
        self._open.enter_context(self.outbox)
        self.session.on_connect.append(self._births.set)
        if self.app and self.definition.discovery:
            self.session.subscribe(f"{self.definition.discovery}/{BIRTH}", lambda message: self._births.set())
        self.session.open()
        self.delivery.open()

    def close(self) -> None:
        """What is not delivered within a few seconds waits in the outbox for the next start."""
        self.delivery.close(5.0)
        self.session.publish(Message(self.topics.availability, b"offline", retain=True))
        self.session.close(5.0)
        self._open.close()

    def take(self, remote: Remote, told: Told) -> None:
        """An alert is durable when this returns."""
        if told.alert is not None:
            self.outbox.put(told.alert)
            self._show(remote, told.alert["label"])
            self._told_at = float("-inf")
        elif isinstance(told.record, Hello):
            self._keep(remote, told.record)
            self._births.set()

    def tick(self) -> None:
        """Tells how things are, where that is due."""
        if not self.session.connected:
            return
        now = time.monotonic()
        if self._births.is_set():
            self._births.clear()
            self._last.clear()
            self._told_at = float("-inf")
            for remote in self.remotes:
                self._discover(remote)
        for remote in self.remotes:
            self._say(topics_of(remote).availability, b"online" if remote.silent_s() < self.silent_s else b"offline")
        self._say(self.topics.availability, b"online")
        emptied = len(self.outbox) == 0
        if now - self._told_at >= self.heartbeat_s or emptied != self._emptied:
            self._told_at, self._emptied = now, emptied
            for remote in self.remotes:
                self._publish(topics_of(remote).status, remote.as_status(self.states.get(remote.port, "")))
            self._publish(self.topics.status, self.status())

    def status(self) -> dict[str, Any]:
        return {
            "bridge": self.name, "tinystream": __version__, "queue": len(self.outbox), "dropped": self.outbox.dropped,
            "outbox": self.outbox.status, "delivered": self.delivery.delivered, "delivery": self.delivery.state,
            "nodes": [remote.name for remote in self.remotes], "ports": dict(self.states),
        }  # fmt: skip

    @property
    def states(self) -> dict[str, str]:
        """Of ports, each "open" or why it is not, as whoever reads them says."""
        return self._states

    @states.setter
    def states(self, states: dict[str, str]) -> None:
        if states != self._states:
            self._states, self._told_at = states, float("-inf")

    # --- what is published

    def _message(self, entry: Entry) -> Any:
        event = entry.event
        topic = self.topic.format(**{name: level(str(event.get(name, ""))) for name in ("node", "app", "label")})
        return Message(topic, written(numbered(event, entry.identity, entry.sequence), self.definition.payload))

    def _publish(self, topic: str, told: dict[str, Any]) -> None:
        self.session.publish(Message(topic, json.dumps(told, allow_nan=False).encode(), retain=True))

    def _say(self, topic: str, word: bytes) -> None:
        """A word that changes seldom."""
        if self._last.get(topic) != word:
            self._last[topic] = word
            self.session.publish(Message(topic, word, retain=True))

    def _show(self, remote: Remote, label: str) -> None:
        """For switches and lamps; nothing that must not be lost."""
        over = label.endswith(CLEAR)
        topic = topics_of(remote).label(label.removesuffix(CLEAR))
        self.session.publish(Message(topic, b"OFF" if over else b"ON"))

    def _discover(self, remote: Remote) -> None:
        """To Home Assistant, where the node runs the app: there while both the bridge and the node are."""
        app, plan, hello = self.app, self.plan, remote.hello or remote.known
        if not (app and plan and hello and self.definition.discovery and hello.definition == plan.digest[:16]):
            return
        topics = topics_of(remote)
        of_a_line = app.model_copy(update={"settings": None})
        message = discovery(of_a_line, plan, remote.name, self.definition.model_copy(update={"sleeping": False}), topics)
        told = json.loads(message.payload)
        del told["avty_t"]
        told |= {"avty": [{"t": self.topics.availability}, {"t": topics.availability}], "avty_mode": "all"}
        told["cmps"] = {name: component for name, component in told["cmps"].items() if name not in NOT_FOR_IT}
        self.session.publish(replace(message, payload=json.dumps(told, separators=(",", ":")).encode()))

    # --- what nodes have said of themselves

    @property
    def _hellos(self) -> Path:
        return self.folder / "nodes.json"

    def _keep(self, remote: Remote, hello: Hello) -> None:
        hellos = {one.port: one.known for one in self.remotes if one.known}
        try:
            write_hellos(self._hellos, read_hellos(self._hellos) | hellos)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._hellos, error)  # scores may be unknown after the next start


def topics_of(remote: Remote) -> Topics:
    return Topics.of(Node(), remote.name, remote.app)


def checked(topic: str) -> str:
    """SinkError where no alert could be published there."""
    try:
        check_topic(topic.replace("{node}", "node"))
    except AppError as error:
        raise SinkError(f"--topic: {error.what}", f'--topic "{TOPIC}"') from None
    return topic
