"""A real MQTT broker inside this program, for demonstrations and tests; other machines cannot reach it."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Any, Self

from tinystream.errors import SinkError

HOST = "127.0.0.1"
TRIES = 5  # a free port may be taken between our look and the broker's


class EmbeddedBroker:
    """Use: `with EmbeddedBroker() as broker:` connect to HOST and broker.port.

    It is rumqttd from the package iotcore, in a process of its own that ends with this one.  It speaks MQTT 3.1.1
    without TLS or passwords.

    port: a free one where none is given.
    """

    def __init__(self, port: int | None = None):
        self._wanted = port
        self._broker: Any = None

    @property
    def port(self) -> int:
        assert self._broker is not None, "the broker is not running"
        return self._broker.port

    def __enter__(self) -> Self:
        try:
            from iotcore import Broker
        except ImportError:
            raise SinkError("the embedded broker needs the package iotcore", "pip install iotcore, or --broker host:port") from None
        for attempt in range(TRIES):
            broker = Broker(port=self._wanted or _free_port(), listen=HOST)
            try:
                broker.start()
            except (OSError, RuntimeError) as e:
                if self._wanted is None and attempt + 1 < TRIES:
                    continue
                what = f"the embedded broker cannot listen at {HOST}:{broker.port}: {e}"
                raise SinkError(what, "leave the port out for a free one") from None
            self._broker = broker
            break
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._broker.stop()
        self._broker = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
