"""One MQTT connection from its beginning to its end, through paho."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from secrets import token_hex
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tinystream.app.sinks import Mqtt
from tinystream.io.mqtt import VERSIONS, tls_context
from tinystream.node.topics import Message

IN_FLIGHT = 20  # messages without acknowledgement at most, where a broker does not say fewer
OVERHEAD = 64  # bytes of a packet beside topic and payload, at most
log = logging.getLogger(__name__)


class Connection:
    """Keeps what happens until it is asked, so that nothing of ours is called from inside of paho.

    Driven by loop() from one thread; send() and subscribe() may be called from any.

    connected_at: when the broker accepted us; None before.
    answers:      message ids with the broker's answers, received: messages; the caller takes them out.
    refused:      the name of the reason for which the broker did not accept us.
    farewell:     what it said when it ended the connection.
    error:        of the network, which ended it.
    too_large:    bytes of a message that was not taken, and for which we ended it.
    """

    def __init__(self, definition: Mqtt, limit_bytes: int, connect_s: float, will: Message | None):
        k = self.definition = definition
        self.limit_bytes = limit_bytes
        self.connected_at: float | None = None
        self.answers: list[tuple[int, ReasonCode]] = []
        self.received: list[Message] = []
        self.refused = ""
        self.farewell = ""
        self._at_most: dict[str, int] = {}  # what the broker can (MQTT 5)
        name = k.client_id or f"tinystream-{token_hex(4)}"
        paho = self._paho = Bounded(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=VERSIONS[k.version], reconnect_on_failure=False
        )
        paho.limit_bytes = limit_bytes
        if k.username is not None:
            paho.username_pw_set(k.username, k.password)
        if k.tls:
            paho.tls_set_context(tls_context(k))
        if will is not None:
            paho.will_set(will.topic, will.payload, will.qos, will.retain)
        paho.connect_timeout = connect_s
        paho.max_queued_messages_set(0)
        paho.max_inflight_messages_set(IN_FLIGHT)
        paho.on_connect, paho.on_disconnect, paho.on_publish = self._connected, self._disconnected, self._published
        paho.on_message, paho.on_subscribe = self._heard, self._subscribed
        paho.on_socket_register_write = lambda *_: None  # so that publish() leaves writing to loop()

    @property
    def error(self) -> OSError | None:
        return self._paho.error

    @property
    def too_large(self) -> int:
        return self._paho.too_large

    def begin(self) -> None:
        """OSError where there is no connection; the broker's answer comes later."""
        k = self.definition
        if k.version == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = self.limit_bytes
            self._paho.connect(k.host, k.port, k.keepalive_s, clean_start=True, properties=properties)
        else:
            self._paho.connect(k.host, k.port, k.keepalive_s)

    def send(self, message: Message) -> int:
        """Gives the message's id; ValueError in words for people where it cannot be sent."""
        size = len(message.payload) + len(message.topic.encode()) + OVERHEAD
        if size > (limit := self._at_most.get("MaximumPacketSize", 268_435_455)):
            raise ValueError(f"{size} bytes, the broker takes {limit}")
        qos = min(message.qos, self._at_most.get("MaximumQoS", 2))
        retain = message.retain and self._at_most.get("RetainAvailable", 1) == 1
        return self._paho.publish(message.topic, message.payload, qos=qos, retain=retain).mid

    def subscribe(self, topics: Iterable[str]) -> None:
        if filters := [(topic, 1) for topic in topics]:
            self._paho.subscribe(filters)

    def loop(self, seconds: float) -> bool:
        """Waits at most so long for the network; False once the connection has ended."""
        return self._paho.loop(seconds) == MQTTErrorCode.MQTT_ERR_SUCCESS

    def goodbye(self) -> None:
        self._paho.disconnect()
        while self._paho.want_write() and self._paho.loop_write() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass

    def release(self) -> None:
        """Lets go of every file descriptor."""
        self._paho._reset_sockets()

    def _connected(self, client: Client, _: Any, flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self.refused = reason.getName()
            return
        for name in ("MaximumPacketSize", "MaximumQoS", "RetainAvailable", "ReceiveMaximum"):
            if hasattr(properties, name):
                self._at_most[name] = getattr(properties, name)
        self._paho.window(min(IN_FLIGHT, self._at_most.get("ReceiveMaximum", IN_FLIGHT)))
        self.connected_at = time.monotonic()

    def _disconnected(self, client: Client, _: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self.farewell = reason.getName().lower()
        elif reason.getName() == "Keep alive timeout":
            self.farewell = f"no sign of life within {self.definition.keepalive_s} s"

    def _published(self, client: Client, _: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        self.answers.append((mid, reason))

    def _heard(self, client: Client, _: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no filter of ours fits it
        self.received.append(Message(topic, bytes(message.payload), message.qos, message.retain))

    def _subscribed(self, client: Client, _: Any, mid: int, reasons: list[ReasonCode], properties: Any) -> None:
        for reason in reasons:
            if reason.is_failure:
                log.warning("%s refuses a subscription: %s", where(self.definition), reason.getName().lower())


class Bounded(Client):
    """paho reads a packet of any length into memory; this ends the connection instead, and keeps the error that paho only logs."""

    limit_bytes = 0
    too_large = 0
    error: OSError | None = None

    def window(self, messages: int) -> None:
        """How many may be on their way; paho's own setter refuses that once the broker has said how many it takes."""
        self._max_inflight_messages = messages

    def _sock_recv(self, bufsize: int) -> bytes:
        length = self._in_packet["remaining_length"]
        try:
            if length > self.limit_bytes:
                self.too_large = length
                raise ConnectionError("a message that is too large")
            return super()._sock_recv(bufsize)
        except BlockingIOError:
            raise
        except OSError as e:
            self.error = e
            raise


def where(definition: Mqtt) -> str:
    host = definition.host
    return f"broker {f'[{host}]' if ':' in host else host}:{definition.port}"
