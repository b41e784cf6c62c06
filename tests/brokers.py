"""Real brokers and a real subscriber for the tests of alerts."""

from __future__ import annotations

import json
import queue
import shutil
import socket
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """The broker of Debian, on a free port of the loopback, with more lines for its configuration."""

    def __init__(self, folder: Path, *config: str, anonymous: bool = True):
        if not MOSQUITTO:
            pytest.skip("mosquitto is not installed")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "max_queued_messages 0",
            "user root",
            *config,
        ]
        self.config.write_text("\n".join(lines) + "\n")
        self.log = folder / "mosquitto.log"

    def start(self) -> Mosquitto:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.config)], stdout=log, stderr=log)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"mosquitto does not listen: {self.log.read_text()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Mosquitto:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


class Subscriber:
    """Gets whatever is published: topics and decoded events, in order."""

    def __init__(self, port: int, topic: str = "#", qos: int = 2, username: str | None = None, password: str | None = None):
        self.messages: queue.Queue = queue.Queue()
        self.ready: queue.Queue = queue.Queue()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if username:
            self.client.username_pw_set(username, password)
        self.client.on_message = lambda c, u, m: self.messages.put((m.topic, m.qos, json.loads(m.payload)))
        self.client.on_connect = lambda c, u, f, reason, p: c.subscribe(topic, qos=qos)
        self.client.on_subscribe = lambda *_: self.ready.put(True)
        self.client.connect("127.0.0.1", port)

    def __enter__(self) -> Subscriber:
        self.client.loop_start()
        self.ready.get(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def get(self, count: int) -> list[tuple[str, int, dict]]:
        """Exactly count messages; a moment's wait shows that there is none more."""
        got = [self.messages.get(timeout=10) for _ in range(count)]
        time.sleep(0.1)
        assert self.messages.empty(), self.messages.get()
        return got
