"""A small app in a folder, and a node of it as a process of its own, for the tests of nodes."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from tiny_model import tiny_model

ROOT = Path(__file__).parents[1]
APP = """\
name = "loudness"

[source]
kind     = "microphone"
rate_hz  = 1_000
block_ms = 5

[[stage]]
kind   = "stack"
frames = 4

[model]
file   = "words.tflite"
labels = ["yes", "no"]

[detect]
kind      = "smoothed"
threshold = 0.5
mean_of   = 2
quiet_s   = 0.01

[[sink]]
kind  = "mqtt"
topic = "home/{app}/{label}"

[node]
name        = "n1"
heartbeat_s = 1
"""
SETTINGS = """
[settings]
threshold = [0.3, 0.95]
enable    = true
"""
BASE = "tinystream/n1/loudness"


def write_app(folder: Path, more: str = SETTINGS, app: str = APP) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "words.tflite").write_bytes(tiny_model(classes=2, scale=2.0**-7, zero=0))
    (folder / "app.toml").write_text(app + more)
    return folder


def sound(level: int, count: int) -> np.ndarray:
    """Blocks whose samples all lie at one level."""
    return np.full((count, 5), level, np.int16)


class Process:
    """`tinystream node` of an app; its samples are what feed() gives it."""

    def __init__(self, app: Path, state: Path, *options: str, **environ: str):
        command = [sys.executable, "-m", "tinystream", "node", str(app), "--input", "-", "--engine", "python", "--state", str(state)]
        self.log = state.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
            )

    def feed(self, *blocks: np.ndarray) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(np.concatenate(blocks).astype("<i2").tobytes())
        self.process.stdin.flush()

    def end(self, seconds: float = 30) -> int:
        self.process.terminate()
        return self.process.wait(seconds)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                if stream:
                    stream.close()
            except BrokenPipeError:
                pass

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Listener:
    """Every message of a broker, in order; wait() for one that fits."""

    def __init__(self, port: int, topic: str = "#"):
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.all: list[tuple[str, bytes, bool]] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        ready: queue.Queue[bool] = queue.Queue()
        self.client.on_message = lambda c, u, m: self.messages.put(m)
        self.client.on_connect = lambda c, u, f, r, p: c.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *_: ready.put(True)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        ready.get(timeout=10)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, topic: str, payload: object, retain: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(10)

    def wait(self, topic: str, fits: Callable[[Any], bool] = lambda _: True, seconds: float = 30) -> Any:
        """The next message at a topic whose content fits; JSON where it is an object."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                m = self.messages.get(timeout=left)
            except queue.Empty:
                break
            self.all.append((m.topic, m.payload, m.retain))
            told = json.loads(m.payload) if m.payload[:1] == b"{" else m.payload
            if m.topic == topic and fits(told):
                return told
        raise AssertionError(f"nothing that fits at {topic}; there were {self.all[-20:]}")
