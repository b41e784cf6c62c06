"""Every node of a broker at a glance: who is there, how it is, and which alerts never came.

Alerts are numbered by the outbox that they waited in, so a number that never comes is an alert that was lost.  Whatever is heard may be
a stranger's: it is limited in size, in number and in what it can say, and what does not fit is counted and left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from tinystream.node.payload import read
from tinystream.node.topics import Message

PREFIX = "tinystream/+/+"
MOST_NODES = 5_000
MOST_IDENTITIES = 20_000
MOST_HOLES = 64
"""Runs of missing numbers that are remembered of an outbox, so that a late one is not called lost; older ones are lost for good."""
MISSED = 3
"""Heartbeats after which a node is stale."""
LONGEST = 64
"""Characters of a stranger's word."""
CLIPPED = 0.01
"""Share of samples at full scale from which a sensor is told to be too loud."""


@dataclass
class Numbers:
    """Which alerts of one outbox came.  holes: first and last of the runs of numbers that are missing."""

    highest: int
    received: int = 0
    forgotten: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)

    def heard(self, sequence: int) -> None:
        if sequence > self.highest:
            if sequence > self.highest + 1:
                self.holes.append((self.highest + 1, sequence - 1))
            self.highest = sequence
            self.received += 1
        else:
            self._late(sequence)
        while len(self.holes) > MOST_HOLES:
            first, last = self.holes.pop(0)
            self.forgotten += last - first + 1

    def _late(self, sequence: int) -> None:
        """Out of its order, or again."""
        for i, (first, last) in enumerate(self.holes):
            if first <= sequence <= last:
                halves = [(first, sequence - 1), (sequence + 1, last)]
                self.holes[i : i + 1] = [(a, b) for a, b in halves if a <= b]
                self.received += 1
                return

    @property
    def lost(self) -> int:
        return self.forgotten + sum(last - first + 1 for first, last in self.holes)


@dataclass
class Seen:
    """A node as its status told it last; ages in seconds of our clock."""

    node: str = ""
    app: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    heard_s: float | None = None  # of our clock, when its status was from
    online: bool | None = None
    instances: list[str] = field(default_factory=list)  # the last two that were heard live
    swaps: int = 0  # times that one which had gone came back: two nodes with one name


class Fleet:
    """heard() takes whatever comes; table() tells what is known.  prefix: of the topics of nodes, see PREFIX."""

    def __init__(self, prefix: str = PREFIX):
        self.levels = prefix.split("/")
        self.nodes: OrderedDict[str, Seen] = OrderedDict()  # by the beginning of its topics, oldest first
        self.numbers: OrderedDict[str, tuple[str, Numbers]] = OrderedDict()  # by identity: whose, and which came
        self.strange = 0  # messages that said nothing that we know

    def heard(self, message: Message, now_s: float) -> None:
        """now_s: seconds since 1970."""
        base, _, last = message.topic.rpartition("/")
        if last in ("status", "availability") and fits(self.levels, base):
            seen = self._node(base)
            if last == "availability":
                seen.online = message.payload == b"online"
            elif told := read(message.payload):
                self._status(seen, told, message.retain, now_s)
            else:
                self.strange += 1
        elif not message.retain and b"sequence" in message.payload:
            self._alert(read(message.payload) or {})

    def _node(self, base: str) -> Seen:
        node, _, app = base.rpartition("/")
        seen = self.nodes.pop(base, None) or Seen(word(node.rpartition("/")[2]), word(app))
        self.nodes[base] = seen
        if len(self.nodes) > MOST_NODES:
            self.nodes.popitem(last=False)
        return seen

    def _status(self, seen: Seen, told: Mapping[str, Any], retained: bool, now_s: float) -> None:
        seen.status = known(told)
        seen.node, seen.app = seen.status.get("node", seen.node), seen.status.get("app", seen.app)
        said_s = seconds(told.get("wall_time"))
        seen.heard_s = min(now_s, said_s) if retained and said_s is not None else now_s
        instance = seen.status.get("instance")
        if retained or not instance or instance in seen.instances[-1:]:
            return
        seen.swaps += instance in seen.instances
        seen.instances = [*seen.instances, instance][-2:]

    def _alert(self, told: Mapping[str, Any]) -> None:
        sequence, id, node, app = (told.get(name) for name in ("sequence", "id", "node", "app"))
        whole = isinstance(sequence, int) and not isinstance(sequence, bool) and 0 < sequence < 2**63
        if not (whole and isinstance(id, str) and isinstance(node, str) and isinstance(app, str)):
            self.strange += 1
            return
        assert isinstance(sequence, int), "it is whole"
        identity = word(id.rpartition("-")[0])
        whose, numbers = self.numbers.get(identity) or (f"{word(node)}/{word(app)}", Numbers(sequence - 1))
        numbers.heard(sequence)
        self.numbers[identity] = whose, numbers
        self.numbers.move_to_end(identity)
        if len(self.numbers) > MOST_IDENTITIES:
            self.numbers.popitem(last=False)

    def table(self, now_s: float) -> list[dict[str, Any]]:
        """A row a node, by name."""
        lost: dict[str, list[int]] = {}
        for whose, numbers in self.numbers.values():
            total = lost.setdefault(whose, [0, 0])
            total[0] += numbers.received
            total[1] += numbers.lost
        rows = [self._row(base, seen, lost, now_s) for base, seen in self.nodes.items()]
        return sorted(rows, key=lambda row: (row["node"], row["app"], row["topic"]))

    def _row(self, base: str, seen: Seen, lost: Mapping[str, list[int]], now_s: float) -> dict[str, Any]:
        status = seen.status
        age_s = None if seen.heard_s is None else max(0.0, round(now_s - seen.heard_s, 1))
        came, missing = lost.get(f"{seen.node}/{seen.app}", [0, 0])
        return {
            "node": seen.node,
            "app": seen.app,
            "topic": base[: 4 * LONGEST],
            "definition": status.get("definition"),
            "settings": status.get("settings"),
            "version": status.get("version"),
            "last_alert": status.get("last_alert"),
            "alerts_heard": came,
            "lost": missing,
            "age_s": age_s,
            "health": health_of(seen, age_s),
        }


def health_of(seen: Seen, age_s: float | None) -> list[str]:
    """What is wrong with it; nothing where all is well."""
    status, found = seen.status, []
    if seen.online is False:
        found.append("offline")
    if not status:
        return [*found, "has told no status"]
    if age_s is not None and age_s > MISSED * min(86_400.0, max(1.0, status.get("heartbeat_s", 60.0))):
        found.append("stale")
    if seen.swaps:
        found.append("two nodes have this name")
    if (source := status.get("source", "running")) != "running":
        found.append(f"source: {source}")
    if (outbox := status.get("outbox", "ok")) != "ok":
        found.append(f"outbox: {outbox}")
    found += [f"{status[name]:.0f} {name}" for name in ("dropped",) if status.get(name)]
    if status.get("clipped", 0) > CLIPPED:
        found.append(f"{100 * status['clipped']:.0f} % clipped")
    return [*found, *status.get("warnings", [])]


def fits(levels: list[str], topic: str) -> bool:
    """As a broker compares a filter with a topic."""
    given = topic.split("/")
    if levels and levels[-1] == "#":
        levels, given = levels[:-1], given[: len(levels) - 1]
    return len(levels) == len(given) and all(want in ("+", have) for want, have in zip(levels, given))


TEXTS = ("node", "app", "definition", "version", "instance", "settings", "source", "outbox")
FIGURES = (
    "heartbeat_s", "uptime_s", "queue", "dropped", "delivered", "alerts", "overruns", "gaps", "clock_jumps", "level_dbfs", "clipped",
    "cpu_percent", "rss_bytes", "temperature_c",
)  # fmt: skip


def known(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of a stranger's status what we know, of the type that it should have, and short."""
    found: dict[str, Any] = {name: word(told[name]) for name in TEXTS if isinstance(told.get(name), str)}
    found |= {name: told[name] for name in FIGURES if figure(told.get(name))}
    last = told.get("last_alert")
    if isinstance(last, dict):
        found["last_alert"] = {name: word(last[name]) for name in ("label", "wall_time") if isinstance(last.get(name), str)}
        found["last_alert"] |= {"score": last["score"]} if figure(last.get("score")) else {}
    warnings = told.get("warnings")
    if isinstance(warnings, list):
        found["warnings"] = [word(text) for text in warnings[:5] if isinstance(text, str)]
    return found


def word(text: str) -> str:
    """A stranger's word: short, and without what would move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text[:LONGEST])


def figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 and isfinite(value)


def seconds(text: Any) -> float | None:
    """An ISO 8601 time in seconds since 1970."""
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) and len(text) <= LONGEST else None
    except (ValueError, OverflowError, OSError):
        return None
