"""A node at the other end of a line: who it is, what it tells, and what a gateway makes of its alerts.

A gateway that starts after its nodes has not heard their hellos, which say what a score counts.  So hellos are kept in a file, and one is
believed again where an alert carries the same definition.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tinystream.io.records import LONGEST, Alert, Hello, Notice, Overrun, Reader, Record, SelfTest, Status
from tinystream.io.serial_line import Piece
from tinystream.node import payload
from tinystream.node.clock import Moment
from tinystream.node.state import whole
from tinystream.plan.plan import Plan
from tinystream.run.trace import Event

FILE_LIMIT = 1_000_000  # bytes of kept hellos; what is larger is not ours


class Told(NamedTuple):
    """A record or a notice, as it is told to people and programs.  alert: what is sent of it, if it is one."""

    record: Record
    as_dict: dict[str, Any]
    alert: dict[str, Any] | None


@dataclass
class Remote:
    """One node.

    port:  where it is, as a person named it; given: what that person calls the node, or "".
    baud:  of its line; 0 where bytes do not come at a line's pace.
    plan:  of the app that it may run; says what its scores count where the node has not.
    hello: what it is, as it said when it started; heard_s: wall time of its last record.
    """

    port: str
    given: str = ""
    baud: int = 0
    plan: Plan | None = None
    known: Hello | None = None
    hello: Hello | None = None
    reader: Reader = field(default_factory=Reader)
    heard_s: float | None = None
    status: Status | None = None
    overrun: Overrun | None = None
    self_test: SelfTest | None = None
    alerts: int = 0
    last_alert: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """As it was given, or by its board and port."""
        if self.given:
            return self.given
        hello = self.hello or self.known
        return f"{hello.board if hello else 'node'}-{Path(self.port).name or 'port'}"

    def take(self, piece: Piece) -> Iterator[Told]:
        """What is complete with these bytes."""
        for record in self.reader.told(piece.raw):
            alert = None
            if not isinstance(record, Notice):
                self.heard_s = piece.wall_s
            match record:
                case Hello():
                    self.hello = self.known = record
                    self.status = self.overrun = self.self_test = None
                case Status():
                    self.status = record
                case Overrun():
                    self.overrun = record
                case SelfTest():
                    self.self_test = record
                case Alert():
                    alert = self.alert(record, piece)
                    self.alerts += 1
                    self.last_alert = {name: alert[name] for name in ("label", "score", "wall_time")}
            yield Told(record, self.told(record), alert)

    def told(self, record: Record) -> dict[str, Any]:
        """The record; an alert with its score and time as a replay tells them, where it is known how."""
        told = record.as_dict()
        if isinstance(record, Alert):
            told |= {name: value for name, value in asdict(self.event(record)).items() if name in ("score", "time_s") and value is not None}
        return told | {"node": self.name, "port": self.port}

    def alert(self, record: Alert, piece: Piece) -> dict[str, Any]:
        """What is sent of an alert.  Its wall time is that of its arrival: it was not later, and at most the uncertainty before."""
        hello = self.hello_of(record)
        block_s = hello.block / hello.sample_hz if hello else 0.0
        line_s = 10 * LONGEST / self.baud if self.baud else 0.0
        moment = Moment(piece.wall_s, piece.waited_s + 2 * block_s + line_s)  # its block, one that waited, and the way
        told = payload.alert(self.event(record), self.name, moment, "")
        return told | {"node_sequence": record.sequence, "node_start": self.reader.starts, "torn": record.torn}

    def event(self, record: Alert) -> Event:
        """As a replay tells it; score and time are None where nobody has said what the node counts."""
        hello = self.hello_of(record)
        score = round((record.score_count - hello.score_zero) * hello.score_scale, 6) if hello else None
        time_s = round(record.sample / hello.sample_hz, 6) if hello else None
        app = hello.app if hello else ""
        return Event(app, record.definition, record.sequence, record.label, score, record.score_count, record.sample, time_s)  # type: ignore[arg-type]

    def hello_of(self, record: Alert) -> Hello | None:
        """Of this start of the node, or an earlier one of the same definition, or the app's."""
        for hello in (self.hello, self.known, self.plan and hello_by(self.plan)):
            if hello and hello.definition == record.definition:
                return hello
        return None

    @property
    def app(self) -> str:
        hello = self.hello or self.known
        return hello.app if hello else self.plan.name if self.plan else "unknown"

    def as_status(self, state: str) -> dict[str, Any]:
        """How it is, for the broker.  Late and lost blocks are the node's own word, since its start."""
        hello, status, test, reader = self.hello or self.known, self.status, self.self_test, self.reader
        newest = max((r for r in (status, self.overrun) if r), key=lambda r: r.sequence, default=None)
        return {
            "node": self.name, "app": self.app, "definition": hello and hello.definition, "board": hello and hello.board,
            "port": self.port, "port_state": state, "seen": self.heard_s and Moment(self.heard_s, 0).iso,
            "started_by": self.hello and self.hello.reset, "starts": reader.starts,
            "self_test": None if test is None else "passed" if test.passed else test.step,
            "alerts": self.alerts, "last_alert": self.last_alert, "records_lost": reader.missing, "records_repeated": reader.repeated,
            "records_reordered": reader.reordered, "frames_broken": reader.broken, "blocks_late": newest and newest.late,
            "blocks_lost": newest and newest.lost, "overruns": newest and newest.late + newest.lost,
            "asleep": status and status.asleep, "uptime_s": status and status.seconds,
        }  # fmt: skip

    def silent_s(self, now: float | None = None) -> float:
        """Since its last record; infinite before the first."""
        return float("inf") if self.heard_s is None else (time.time() if now is None else now) - self.heard_s


def hello_by(plan: Plan) -> Hello:
    """What a node with firmware of this plan says of its scores."""
    x = plan.x[0]
    y = plan.steps[plan.detector].y if plan.detector is not None else plan.steps[-1].y
    assert x.sample_hz is not None, "a source has a sample rate"
    about = float(x.sample_hz), x.shape[0], y.scale, y.zero
    return Hello(0, "unknown", 0, plan.digest[:16], 0, *about, "node", plan.name, plan.labels)


def read_hellos(path: Path) -> dict[str, Hello]:
    """By port; what cannot be read is not known."""
    try:
        if path.stat().st_size > FILE_LIMIT:
            return {}
        return {port: as_hello(told) for port, told in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}


def as_hello(told: dict[str, Any]) -> Hello:
    hello = replace(Hello(**told), labels=tuple(map(str, told["labels"])))
    if not (hello.sample_hz > 0 and abs(hello.score_scale) < 1e300 and isinstance(hello.score_zero, int) and isinstance(hello.block, int)):
        raise ValueError("no node has said this")
    return hello


def write_hellos(path: Path, hellos: dict[str, Hello]) -> None:
    """Whole or not at all.  OSError where the disk refuses."""
    whole(path, json.dumps({port: asdict(hello) for port, hello in hellos.items()}, indent=2).encode())
