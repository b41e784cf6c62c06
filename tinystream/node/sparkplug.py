"""A node as an edge node of Sparkplug B, beside its own topics: birth, data and death certificates.

    spBv1.0/<group>/NBIRTH/<id>    every metric, after each connection and where a host asks for it (NCMD, Node Control/Rebirth)
    spBv1.0/<group>/NDATA/<id>     the metrics that have changed; an alert is alert/label, alert/score, alert/id and alert/wall_time
    spBv1.0/<group>/NDEATH/<id>    the will of the connection; its bdSeq is that of the birth

It has a connection of its own, as Sparkplug wants a will of its own and a new session each time.  Sparkplug says what is now, and keeps
nothing: what is lost with a connection is lost here, while the alert itself goes through the outbox to the topic of the sink.

The messages are those of Sparkplug's protocol buffers, as far as a node uses them; the runtime of protobuf writes them.

Source: Eclipse Sparkplug Specification 3.0.0, §4 (topics), §5 (operational behaviour), §6 (payloads).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any, NamedTuple

from tinystream.app.sinks import Mqtt
from tinystream.errors import TinystreamError
from tinystream.node.session import Session
from tinystream.node.topics import Message, level

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
INT64, DOUBLE, BOOLEAN, STRING = 4, 10, 11, 12
"""Sparkplug's DataType of what a node tells."""
log = logging.getLogger(__name__)


class Kind(NamedTuple):
    """A field of a message: its number, protobuf's type of it, and whether it repeats."""

    number: int
    type: str
    repeated: bool = False


METRIC = {
    "name": Kind(1, "STRING"),
    "timestamp": Kind(3, "UINT64"),
    "datatype": Kind(4, "UINT32"),
    "is_null": Kind(7, "BOOL"),
    "long_value": Kind(11, "UINT64"),
    "double_value": Kind(13, "DOUBLE"),
    "boolean_value": Kind(14, "BOOL"),
    "string_value": Kind(15, "STRING"),
}
PAYLOAD = {"timestamp": Kind(1, "UINT64"), "metrics": Kind(2, "MESSAGE", repeated=True), "seq": Kind(3, "UINT64")}


class Sparkplug:
    """open(), then status() and alert() as they come; close() says goodbye.

    broker: asked before every attempt to connect.
    """

    def __init__(self, group: str, node: str, broker: Callable[[], Mqtt], clock: Callable[[], float] = time.time):
        self.group, self.id = level(group), level(node)
        self._payload = payload_class()
        self._clock = clock
        self._lock = RLock()
        self._births = -1  # bdSeq of this connection
        self._seq = 0
        self._told: dict[str, Any] = {}  # every metric, as it was told last
        self.session = Session(lambda: apart(broker()), self._will)
        self.session.subscribe(self.topic("NCMD"), self._hear)
        self.session.on_connect.append(self.birth)

    def topic(self, kind: str) -> str:
        return f"{NAMESPACE}/{self.group}/{kind}/{self.id}"

    def open(self) -> None:
        self.session.open()

    def close(self, flush_s: float = 2.0) -> None:
        """A node that leaves says so itself: no will is published after a goodbye."""
        if self.session.connected:
            self.session.publish(self._death(), lambda arrived: None)
        self.session.close(flush_s)

    def status(self, status: Mapping[str, Any]) -> None:
        """What has changed of a status: its numbers, words and truths."""
        with self._lock:
            found = {name: value for name, value in status.items() if isinstance(value, bool | int | float | str)}
            self._tell({name: value for name, value in found.items() if self._told.get(name) != value})

    def alert(self, told: Mapping[str, Any]) -> None:
        """An alert, whether or not anything of it has changed."""
        with self._lock:
            self._tell({f"alert/{name}": told[name] for name in ("label", "score", "id", "wall_time") if name in told})

    def birth(self) -> None:
        """Everything, from sequence number 0."""
        with self._lock:
            self._seq = 0
            metrics = {"bdSeq": self._births, REBIRTH: False, **self._told}
            self._publish("NBIRTH", metrics)

    def _tell(self, metrics: Mapping[str, Any]) -> None:
        new = metrics.keys() - self._told.keys()
        self._told |= metrics
        if not metrics or not self.session.connected:
            return
        if new:  # a metric must be in the birth before there is data of it
            self.birth()
        else:
            self._publish("NDATA", metrics)

    def _publish(self, kind: str, metrics: Mapping[str, Any]) -> None:
        payload = self.encoded(metrics, self._seq, typed=kind == "NBIRTH")
        self._seq = (self._seq + 1) % 256
        self.session.publish(Message(self.topic(kind), payload, qos=0), lambda arrived: None)

    def _will(self) -> Message:
        """Of the next connection, which has a number of its own."""
        with self._lock:
            self._births = (self._births + 1) % 256
        return self._death()

    def _death(self) -> Message:
        return Message(self.topic("NDEATH"), self.encoded({"bdSeq": self._births}, None), qos=1)

    def _hear(self, message: Message) -> None:
        """A host may ask for a birth; nothing else is taken from it."""
        try:
            asked = self._payload.FromString(message.payload)
        except Exception:  # whatever a stranger's bytes make of a parser
            return
        if any(metric.name == REBIRTH and metric.boolean_value for metric in asked.metrics):
            log.info("a Sparkplug host asks for a birth certificate")
            self.birth()

    def encoded(self, metrics: Mapping[str, Any], seq: int | None, typed: bool = True) -> bytes:
        """typed: with the types of metrics, as births and deaths have them and data need not."""
        now = round(self._clock() * 1000)
        payload = self._payload(timestamp=now)
        if seq is not None:
            payload.seq = seq
        for name, value in metrics.items():
            metric = payload.metrics.add(name=name, timestamp=now)
            datatype, field = type_of(value)
            if typed:
                metric.datatype = datatype
            setattr(metric, field, value & (2**64 - 1) if field == "long_value" else value)
        return payload.SerializeToString()


def type_of(value: bool | int | float | str) -> tuple[int, str]:
    """Sparkplug's type of a value, and the field that holds it; Int64 is told as its two's complement."""
    match value:
        case bool():
            return BOOLEAN, "boolean_value"
        case int():
            return INT64, "long_value"
        case float():
            return DOUBLE, "double_value"
        case _:
            return STRING, "string_value"


def apart(definition: Mqtt) -> Mqtt:
    """The same broker, under another name: two connections of one name throw each other out."""
    return definition.model_copy(update={"client_id": f"{definition.client_id}-sparkplug" if definition.client_id else None})


def payload_class() -> Any:
    """The class of a payload, made of its description by protobuf's runtime."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise TinystreamError("Sparkplug B needs the package protobuf", "pip install 'tinystream[sparkplug]'") from None
    file = descriptor_pb2.FileDescriptorProto(name="tinystream/sparkplug.proto", package="tinystream", syntax="proto2")
    types = descriptor_pb2.FieldDescriptorProto
    for name, fields in (("Metric", METRIC), ("Payload", PAYLOAD)):
        message = file.message_type.add(name=name)
        for field, kind in fields.items():
            label = types.LABEL_REPEATED if kind.repeated else types.LABEL_OPTIONAL
            made = message.field.add(name=field, number=kind.number, type=getattr(types, f"TYPE_{kind.type}"), label=label)
            if kind.type == "MESSAGE":
                made.type_name = ".tinystream.Metric"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tinystream.Payload"))
