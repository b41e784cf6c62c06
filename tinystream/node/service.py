"""An app around the clock: source, detectors, outbox, broker; supervised, and telling how it is."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from threading import Event as Flag
from threading import RLock
from typing import Any

from tinystream import __version__
from tinystream.app.definition import App
from tinystream.app.node import Node
from tinystream.app.sinks import Mqtt
from tinystream.errors import SinkError, TinystreamError
from tinystream.io.live import Live
from tinystream.io.sink import Sinks
from tinystream.node.capture import PreRoll
from tinystream.node.changing import Changing
from tinystream.node.clock import Clock, Moment
from tinystream.node.delivery import Delivery
from tinystream.node.discovery import BIRTH, OFF_S, discovery
from tinystream.node.health import Load, rss_bytes, temperature_c
from tinystream.node.listening import Listening
from tinystream.node.log import iso
from tinystream.node.metrics import Metrics
from tinystream.node.notify import Notify
from tinystream.node.outbox import Entry, Outbox
from tinystream.node.payload import alert, numbered, read, written
from tinystream.node.session import Session
from tinystream.node.sparkplug import Sparkplug
from tinystream.node.state import State, whole
from tinystream.node.switches import Switches
from tinystream.node.topics import Message, Topics, level, node_name
from tinystream.node.watch import Watch
from tinystream.plan.learnt import check, learns
from tinystream.plan.plan import Plan
from tinystream.run.engine import Runs
from tinystream.run.learnt import learnt_by
from tinystream.run.trace import Event

TICK_S = 0.25
NOT_METRICS = ("wall_time", "uptime_s", "rss_bytes")
"""Of a status: what changes each time, and tells a Sparkplug host nothing."""
SOON_S = 1.0
"""After an alert the status is told so soon; not with each of many."""
SILENT_S = 60.0
"""A source that gives no block for so long is told; and systemd's watchdog, where it watches, ends the process."""
LEARNT_S = 600.0
"""How often what was learnt is saved."""
CONFLICT_S = 600.0
"""How long another node with our name is remembered."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """What a service is begun with.

    broker:  asked before every attempt to connect, so that a new password is taken.
    sink:    of alerts, as the definition has it.
    source:  makes the source, again after each failure; ends: its end is the service's.
    folder:  where the definition lies.
    sinks:   the app's others, opened.
    capture: keeps what is heard around alerts.
    flush_s: longest wait at the end for the broker to take what waits.
    """

    app: App
    plan: Plan
    engine: Runs
    source: Callable[[Callable[[str], None]], Live]
    ends: bool
    broker: Callable[[], Mqtt]
    sink: Mqtt
    folder: Path
    state: State
    sinks: Sinks
    environ: Mapping[str, str]
    metrics_port: int | None = None
    capture: PreRoll | None = None
    flush_s: float = 10.0
    pause_s: tuple[float, float] = (1.0, 60.0)


class Service:
    """run() until stop(), or until a source that may end has ended; what the broker has not taken by then waits in the outbox."""

    def __init__(self, start: Start):
        self.start = start
        app, plan = start.app, start.plan
        self.node = app.node or Node()
        self.name = node_name(self.node)
        self.topics = Topics.of(self.node, self.name, app.name)
        self.instance = token_hex(4)
        self.alerts = 0
        self.last_alert: dict[str, Any] | None = None
        self.status: dict[str, Any] = {}
        self._lock, self._stop = RLock(), Flag()
        self._began = self._looked_at = self._learnt_at = time.monotonic()
        self._beat_at, self._news = 0.0, False  # when the status was told last, and whether it should be told soon
        self._other: tuple[str, float] = ("", 0.0)  # an instance that is not ours, and when it was heard
        self._load, self._notify = Load(), Notify(start.environ)
        self._patted_at = 0.0
        self._told_silent = False
        self.watch = Watch(app, plan, start.engine)
        self.changing = Changing(self.watch, start.state, start.folder, self._lock)
        rate_hz = plan.x[0].sample_hz or plan.x[0].rate_hz
        self.clock = Clock(rate_hz, plan.x[0].shape[0])
        self.listening = Listening(
            self.watch, self.clock, start.source, self.heard, self._lock, start.ends, start.pause_s, capture=start.capture
        )
        if start.capture:
            self.watch.want = start.capture.want
        self.outbox = Outbox(start.state.outbox, self.node.outbox_alerts, self.node.outbox_keeps)
        will = None if self.node.sleeping else Message(self.topics.availability, b"offline", retain=True)
        self.session = Session(start.broker, will)
        self.delivery = Delivery(self.outbox, self.session, self.message, self.node.alerts_per_s)
        group = self.node.sparkplug_group
        self.sparkplug = Sparkplug(group, f"{self.name}.{app.name}", start.broker) if group else None
        self.switches = Switches(plan.labels, self.topics, OFF_S)
        self.metrics = Metrics(start.metrics_port, self.health) if start.metrics_port is not None else None

    # --- from the start to the end

    def run(self) -> None:
        with self.start.state:
            self.outbox.open()
            self._restore()
            if self.metrics:
                self.metrics.open()
            self._subscribe()
            try:
                self.session.open()
                self.delivery.open()
                if self.sparkplug:
                    self.sparkplug.open()
                self.listening.start()
                log.info("%s runs %s", self.name, self.start.app.name, extra={"facts": self._who()})
                self._notify.tell("READY=1", f"STATUS={self.start.app.name} runs")
                while not (self._stop.wait(TICK_S) or self.listening.ended.is_set()):
                    self._tick()
            finally:
                self._end()

    def stop(self) -> None:
        """May be called from a signal handler."""
        self._stop.set()

    def _restore(self) -> None:
        plan, kept = self.start.plan, self.start.state.learnt
        if learns(plan) and kept.is_file():
            blob = kept.read_bytes()
            if why := check(plan, blob):
                log.warning("what was learnt before is left out: it is %s", why.name.lower())
            else:
                self.watch.restart(blob)
        self.changing.restore()

    def _end(self) -> None:
        self._notify.tell("STOPPING=1")
        log.info("ending; %d alerts wait for the broker", len(self.outbox))
        self.listening.stop()
        if self.start.capture:
            self.start.capture.close()
        self._save_learnt()
        if self.listening.ended.is_set() and not self._stop.is_set() and len(self.outbox):
            self.session.wait(self.start.flush_s)  # a short recording may end before there is a connection
        self.delivery.close(self.start.flush_s)
        self._publish_status()
        if not self.node.sleeping:
            self._tell(self.topics.availability, b"offline")
        self.session.close(min(5.0, self.start.flush_s))
        if self.sparkplug:
            self.sparkplug.close()
        if self.metrics:
            self.metrics.close()
        waiting = len(self.outbox)
        self.outbox.close()
        log.info("ended; %d alerts wait in %s", waiting, self.start.state.outbox)

    # --- alerts

    def heard(self, event: Event, moment: Moment) -> None:
        """On the disk when it returns.  Called by the listening thread."""
        kept = alert(event, self.name, moment, self.watch.settings_hash)
        sequence = self.outbox.put(kept)
        self.alerts += 1
        self.last_alert = {"label": event.label, "score": event.score, "wall_time": moment.iso, "sequence": sequence}
        log.info("alert", extra={"facts": {"label": event.label, "score": event.score, "sequence": sequence}})
        self.switches.heard(event.label)
        self._send_switches()
        told = numbered(kept, self.outbox.identity, sequence)
        if self.sparkplug:
            self.sparkplug.alert(told)
        try:
            self.start.sinks.send(told)
        except SinkError as error:
            log.error(error.what)
        self._news = True

    def message(self, entry: Entry) -> Message:
        topic = self.start.sink.topic.format(label=level(str(entry.event.get("label"))), app=level(str(entry.event.get("app"))))
        told = numbered(entry.event, entry.identity, entry.sequence)
        return Message(topic, written(told, self.node.payload), self.start.sink.qos)

    # --- what others ask and are told

    def _subscribe(self) -> None:
        self.session.subscribe(self.topics.settings_set, self._hear_settings)
        self.session.subscribe(self.topics.status, self._hear_status)
        if self.node.discovery:
            self.session.subscribe(f"{self.node.discovery}/{BIRTH}", self._hear_birth)
        self.session.on_connect.append(self._birth)

    def _hear_settings(self, message: Message) -> None:
        self._tell_json(self.topics.settings, self.changing.take(message.payload))

    def _hear_birth(self, message: Message) -> None:
        """Home Assistant has started, and asks who is there."""
        if message.payload == b"online":
            self._birth()

    def _birth(self) -> None:
        """Everything that a broker, or who has just joined it, should know."""
        if self.node.discovery:
            self._publish(discovery(self.start.app, self.start.plan, self.name, self.node, self.topics))
        if not self.node.sleeping:
            self._tell(self.topics.availability, b"online")
        self._tell_json(self.topics.settings, self.changing.answer())
        self._publish_status()
        self.switches.all()
        self._send_switches()

    def _hear_status(self, message: Message) -> None:
        """Our own words come back; those of another with our name do, too.  What lies retained may be from before our start."""
        told = read(message.payload)
        other = told.get("instance") if told and not message.retain else None
        if isinstance(other, str) and other != self.instance:
            if self._other[0] != other:
                log.error("another node is called %s, and runs %s on this broker: instance %s", self.name, self.start.app.name, other[:16])
            self._other = (other, time.monotonic())

    def _tick(self) -> None:
        now = time.monotonic()
        self.switches.tick()
        self._send_switches()
        if now - self._beat_at >= (SOON_S if self._news else self.node.heartbeat_s):
            self._publish_status()
        if now - self._learnt_at >= LEARNT_S:
            self._save_learnt()
        self._pat(now)

    def _pat(self, now: float) -> None:
        """systemd's watchdog is told nothing while samples should come and do not, or while the engine hangs."""
        silent = self.listening.awaits and now - self.listening.alive_at > SILENT_S
        if silent and not self._told_silent:
            log.error("the source has given nothing for %.0f s", SILENT_S)
        self._told_silent = silent
        every_s = self._notify.watchdog_s
        if every_s is not None and not silent and now - self._patted_at >= every_s / 2:
            self._patted_at = now
            self._notify.tell("WATCHDOG=1")

    # --- status

    def health(self) -> dict[str, Any]:
        """What holds now; level and CPU are of the last heartbeat."""
        state = self.listening.state
        if self._told_silent:
            state = f"nothing comes for {SILENT_S:.0f} s"
        return (
            self._who()
            | {
                "uptime_s": round(time.monotonic() - self._began, 1),
                "heartbeat_s": self.node.heartbeat_s,
                "settings": self.watch.settings_hash,
                "source": state,
                "connected": self.session.connected,
                "broker": self.session.state,
                "queue": len(self.outbox),
                "outbox": self.outbox.status,
                "dropped": self.outbox.dropped,
                "delivered": self.delivery.delivered,
                "alerts": self.alerts,
                "last_alert": self.last_alert,
                "overruns": self.listening.overruns,
                "gaps": self.listening.gaps,
                "clock_jumps": self.clock.jumps,
                "drift_ppm": None if self.clock.drift_ppm is None else round(self.clock.drift_ppm, 1),
                "rss_bytes": rss_bytes(),
                "temperature_c": temperature_c(),
                "warnings": self.warnings(),
            }
            | {name: self.status.get(name) for name in ("level_dbfs", "clipped", "cpu_percent")}
        )

    def warnings(self) -> list[str]:
        """What a person should look after."""
        capture = self.start.capture
        found = [
            capture and capture.failed and f"{capture.failed} captures could not be written",
            self.changing.fault,
            self.delivery.refusal and f"the broker refuses alerts: {self.delivery.refusal}",
        ]
        other, at = self._other
        if other and time.monotonic() - at < CONFLICT_S:
            found.append(f"another node has this name and app: instance {other[:16]}")
        return [word for word in found if word]

    def _who(self) -> dict[str, Any]:
        plan = self.start.plan
        return {"node": self.name, "app": plan.name, "definition": plan.digest, "version": __version__, "instance": self.instance}

    def _publish_status(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= self.node.heartbeat_s - TICK_S:
            self._looked_at = now
            level_dbfs, clipped = self.listening.level()
            self.status = {"level_dbfs": level_dbfs, "clipped": clipped, "cpu_percent": self._load.look()}
        self._beat_at, self._news = now, False
        self.status = self.health() | {"wall_time": iso(self.clock.wall())}
        self._tell_json(self.topics.status, self.status)
        if self.sparkplug:
            self.sparkplug.status({name: value for name, value in self.status.items() if name not in NOT_METRICS})

    def _save_learnt(self) -> None:
        self._learnt_at = time.monotonic()
        if not learns(self.start.plan) or not self.listening.samples:
            return
        with self._lock:
            blob = learnt_by(self.start.plan, self.start.engine)
        try:
            whole(self.start.state.learnt, blob)
        except OSError as error:
            log.error("what was learnt is not saved: %s", (error.strerror or str(error)).lower())

    def _send_switches(self) -> None:
        for message in self.switches.take():
            self._publish(message)

    def _tell(self, topic: str, payload: bytes) -> None:
        self._publish(Message(topic, payload, retain=True))

    def _tell_json(self, topic: str, told: Mapping[str, Any]) -> None:
        self._tell(topic, json.dumps(told, separators=(",", ":")).encode())

    def _publish(self, message: Message) -> None:
        """Where there is no connection it is told at the next birth."""
        self.session.publish(message)


def alert_sink(app: App, base: str, broker: str | None, environ: Mapping[str, str]) -> Mqtt:
    """The mqtt sink that alerts go to.  An app without one sends to <base>/alert/<label>, where a broker is named."""
    sinks: Sequence[Mqtt] = [sink for sink in app.sinks if isinstance(sink, Mqtt)]
    if len(sinks) > 1:
        raise TinystreamError(f"{app.name} has {len(sinks)} mqtt sinks, and a node one broker", "one [[sink]] of kind mqtt")
    if sinks:
        return sinks[0]
    if not broker and not environ.get("TINYSTREAM_BROKER"):
        raise TinystreamError(f"{app.name} has no mqtt sink, so nobody would hear of its alerts", "--broker host:port, or a [[sink]]")
    return Mqtt(topic=f"{base}/alert/{{label}}")
