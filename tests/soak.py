"""Is an alert ever lost?  A broker and a node that are killed at random, over and over.

    python tests/soak.py --alerts 100000

A node process puts alerts into its outbox and delivers them to mosquitto; both are killed (SIGKILL) and started again at random.  An alert
counts from the moment at which put() has returned and the node has said so.  A subscriber must get every one of them; those it gets twice
have the same id; first arrivals of one identity are in order.  For the last part of the alerts the node is left alone, to see whether its
memory and its file descriptors grow.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parent
KILLED = 0.6  # of the alerts: while these are made the node is killed, too


@dataclass
class Result:
    put: dict[str, int] = field(default_factory=dict)  # id -> number of the alert; the node said that it is safe
    arrived: list[tuple[str, int]] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=lambda: {"broker": 0, "node": 0})
    memory_kb: list[int] = field(default_factory=list)  # of the node's last life, each second
    files: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def lost(self) -> list[str]:
        arrived = {id for id, _ in self.arrived}
        return [id for id in self.put if id not in arrived]

    @property
    def duplicates(self) -> int:
        return len(self.arrived) - len({id for id, _ in self.arrived})

    @property
    def confused(self) -> int:
        """Ids that came with two contents: such a duplicate could not be told from another alert."""
        return len(set(self.arrived)) - len({id for id, _ in self.arrived})

    @property
    def out_of_order(self) -> int:
        highest: dict[str, int] = {}
        seen, wrong = set(), 0
        for id, _ in self.arrived:
            if id not in seen:
                seen.add(id)
                identity, sequence = id.split("-")
                wrong += int(sequence) <= highest.get(identity, 0)
                highest[identity] = max(int(sequence), highest.get(identity, 0))
        return wrong

    def __str__(self) -> str:
        tenth = max(1, len(self.memory_kb) // 10)
        warm, end = self.memory_kb[tenth : 2 * tenth] or [0], self.memory_kb[-tenth:] or [0]
        return (
            f"{len(self.put)} alerts in {self.seconds:.0f} s; broker killed {self.kills['broker']} times, node {self.kills['node']} times\n"
            f"{len(self.lost)} lost, {self.duplicates} duplicates, {self.confused} of them not recognisable, "
            f"{self.out_of_order} out of order\n"
            f"the node's last life: memory {max(warm) / 1024:.1f} MB warm, {max(end) / 1024:.1f} MB at the end; "
            f"file descriptors {min(self.files, default=0)} to {max(self.files, default=0)}"
        )


def soak(folder: Path, alerts: int, seed: int, broker_s: tuple[float, float], node_s: tuple[float, float]) -> Result:
    """broker_s, node_s: shortest and longest time from one kill to the next."""
    from brokers import Mosquitto

    result, began = Result(), time.monotonic()
    keeps = ("persistence true", f"persistence_location {folder}/", "autosave_interval 0", "queue_qos0_messages true")
    broker = Mosquitto(folder, *keeps)
    broker.start()
    subscriber = Collector(broker.port, result)
    subscriber.connected.wait(20)
    broker.process.send_signal(signal.SIGUSR1)  # from now on the broker knows our subscription when it starts
    wait_for(lambda: (folder / "mosquitto.db").exists())
    stop = threading.Event()
    killer = threading.Thread(target=kill_broker, args=(broker, subscriber, result, random.Random(seed), broker_s, stop))
    killer.start()
    try:
        dice = random.Random(seed + 1)
        while True:
            last = max(result.put.values(), default=-1)
            node = Life(folder / "outbox.db", broker.port, last + 1, alerts, result)
            if node.ends(dice.uniform(*node_s) if last < KILLED * alerts else None):
                break
            result.kills["node"] += 1
        stop.set()
        killer.join()
        wait_for(lambda: not result.lost)
    finally:
        stop.set()
        killer.join()
        subscriber.close()
        broker.kill()
    result.seconds = time.monotonic() - began
    return result


class Collector:
    """A subscriber with a session that the broker keeps, at QoS 0.

    It must never write while it reads: with QoS 1 its own acknowledgement to a broker that was just killed fails, and the client then
    throws away what it has not yet read, though the broker had handed it over before it acknowledged it to the node.
    """

    def __init__(self, port: int, result: Result):
        import paho.mqtt.client as paho

        self.connected = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="collector", clean_session=False)
        self.client.reconnect_delay_set(0.05, 0.2)
        self.client.on_connect = lambda c, u, f, reason, p: c.subscribe("#", qos=0)
        self.client.on_subscribe = lambda *_: self.connected.set()
        self.client.on_disconnect = lambda *_: self.connected.clear()
        self.client.on_message = lambda c, u, m: result.arrived.append((lambda x: (x["id"], x["n"]))(json.loads(m.payload)))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Life:
    """One life of the node's process."""

    def __init__(self, path: Path, port: int, first: int, alerts: int, result: Result):
        environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
        words = [sys.executable, __file__, "--node", str(path), str(port), str(first), str(alerts)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environ, text=True)
        self.result = result
        self.alerts = alerts
        result.memory_kb.clear()
        result.files.clear()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def ends(self, seconds: float | None) -> bool:
        """Whether it ended by itself, with everything delivered; it is killed after so many seconds, or once its part is done."""
        end = time.monotonic() + seconds if seconds is not None else None
        while self.process.poll() is None:
            if end is not None and time.monotonic() >= end:
                self.process.kill()
            time.sleep(0.02)
        self.reader.join()
        assert self.process.returncode in (0, -signal.SIGKILL), f"the node ended with {self.process.returncode}"
        return self.process.returncode == 0

    def _read(self) -> None:
        for line in self.process.stdout:
            if not line.endswith("\n"):
                return  # cut by the kill: not said
            kind, a, b = line.split()
            if kind == "put":
                self.result.put[b] = int(a)
            else:
                self.result.memory_kb.append(int(a))
                self.result.files.append(int(b))


def kill_broker(broker, subscriber, result, dice, broker_s, stop) -> None:
    while not stop.wait(dice.uniform(*broker_s)):
        if subscriber.connected.is_set():  # what it acknowledged while nobody listened is the broker's to lose, not ours
            broker.kill()
            subscriber.connected.clear()
            result.kills["broker"] += 1
            time.sleep(dice.uniform(0, 0.5))
            broker.start()


def node(path: str, port: int, first: int, alerts: int) -> None:
    """The process that is killed: puts its alerts, says so, delivers."""
    from tinystream.app.sinks import Mqtt
    from tinystream.node.delivery import Delivery
    from tinystream.node.outbox import Outbox
    from tinystream.node.session import Message, Session

    outbox = Outbox(path, limit=10_000_000)
    session = Session(Mqtt("x", port=port, version="5" if first % 2 else "3.1.1"), pause_s=(0.02, 0.2), steady_s=0.5, acknowledge_s=5)
    delivery = Delivery(
        outbox, session, lambda entry: Message("soak", json.dumps({"id": entry.id, "n": entry.event["n"]}).encode()), rate=100_000
    )
    told = 0.0
    with outbox, session, delivery:
        for n in range(first, alerts):
            sequence = outbox.put({"n": n, "label": "x" * 100})
            os.write(1, f"put {n} {outbox.identity}-{sequence}\n".encode())
            if time.monotonic() >= told + 1:
                told = time.monotonic()
                tell_size()
        while len(outbox):
            time.sleep(0.05)
        tell_size()


def tell_size() -> None:
    memory = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1])
    os.write(1, f"size {memory} {len(os.listdir('/proc/self/fd'))}\n".encode())  # noqa: PTH208


def wait_for(what, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.05)


def main() -> int:
    if sys.argv[1:2] == ["--node"]:
        node(sys.argv[2], *map(int, sys.argv[3:]))
        return 0
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--alerts", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--broker-s", type=float, nargs=2, default=(1, 5), metavar=("LEAST", "MOST"), help="between two kills")
    options.add_argument("--node-s", type=float, nargs=2, default=(2, 8), metavar=("LEAST", "MOST"), help="between two kills")
    said = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = soak(Path(folder), said.alerts, said.seed, tuple(said.broker_s), tuple(said.node_s))
    print(result)
    return int(bool(result.lost or result.confused or result.out_of_order))


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS.parent), str(TESTS)]
    sys.exit(main())
