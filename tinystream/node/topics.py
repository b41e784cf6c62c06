"""Where a node speaks and listens on its broker, beside the topics of its alerts.

    <base>/availability      online or offline, retained; the broker says offline where the node cannot (its last will)
    <base>/status            health as JSON, retained, at every heartbeat
    <base>/label/<label>     ON or OFF, for switches and lamps; the alert itself goes to the sink's own topic
    <base>/settings/set      what is asked for; lies retained there by whoever asks
    <base>/settings          what holds, or why what was asked for is refused; retained

<base> is `topic` of [node], tinystream/<node>/<app> where nothing is said.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from tinystream.app.node import Node
from tinystream.io.mqtt import ESCAPED


@dataclass(frozen=True)
class Message:
    """What is published: to where, what, and how."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True)
class Topics:
    """The topics of one node and app."""

    base: str

    @classmethod
    def of(cls, definition: Node, node: str, app: str) -> Topics:
        return cls(definition.topic.replace("{node}", level(node)).replace("{app}", level(app)))

    @property
    def availability(self) -> str:
        return f"{self.base}/availability"

    @property
    def status(self) -> str:
        return f"{self.base}/status"

    @property
    def settings(self) -> str:
        return f"{self.base}/settings"

    @property
    def settings_set(self) -> str:
        return f"{self.base}/settings/set"

    def label(self, label: str) -> str:
        return f"{self.base}/label/{level(label)}"


def level(name: str) -> str:
    """A name as one level of a topic."""
    return name.translate(ESCAPED) or "unknown"


def node_name(definition: Node) -> str:
    """What the node calls itself: as the definition says, or as the computer is called."""
    return definition.name or socket.gethostname().partition(".")[0] or "node"
