"""The whole path at one glance: recordings → app → a real MQTT broker → a subscriber."""

from __future__ import annotations

import json
from threading import Condition
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho

from tinystream.errors import SinkError


class Subscriber:
    """Listens to every topic of a broker.  Use: `with Subscriber(host, port) as heard:`, then heard.wait(n)."""

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self._news = Condition()
        self._subscribed = False

    def __enter__(self) -> Self:
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._tell(subscribed=True)
        self._client.on_message = lambda _client, _data, message: self._tell(message=message)
        self._client.connect(self.host, self.port)
        self._client.loop_start()
        with self._news:
            if not self._news.wait_for(lambda: self._subscribed, 5):
                raise SinkError(f"broker {self.host}:{self.port} did not accept a subscription within 5 s")
        return self

    def wait(self, count: int, seconds: float = 10) -> list[tuple[str, dict[str, Any]]]:
        """The messages so far, once there are `count` of them, or after that time."""
        with self._news:
            self._news.wait_for(lambda: len(self.messages) >= count, seconds)
            return list(self.messages)

    def _tell(self, subscribed: bool = False, message: paho.MQTTMessage | None = None) -> None:
        with self._news:
            self._subscribed |= subscribed
            if message is not None:
                self.messages.append((message.topic, json.loads(message.payload)))
            self._news.notify_all()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()
