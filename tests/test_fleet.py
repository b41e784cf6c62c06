"""Does a fleet view tell what was lost and who is ill, and is it undisturbed by strangers?"""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest
from brokers import Mosquitto
from nodes import BASE, Listener, Process, sound, write_app
from typer.testing import CliRunner

from tinystream.cli import cli as commands
from tinystream.node import fleet as limits
from tinystream.node.fleet import Fleet, Numbers, fits
from tinystream.node.payload import written
from tinystream.node.topics import Message

NOW = 1_790_000_000.0
STATUS = {
    "node": "n1", "app": "a", "definition": "d" * 64, "settings": "12345678", "instance": "i1", "heartbeat_s": 60, "source": "running",
    "outbox": "ok", "warnings": [], "wall_time": "2026-09-21T14:13:20Z",
}  # fmt: skip


def status(fleet: Fleet, now_s: float = NOW, retain: bool = False, topic: str = "tinystream/n1/a/status", **more: object) -> None:
    fleet.heard(Message(topic, json.dumps(STATUS | more).encode(), retain=retain), now_s)


def alert(fleet: Fleet, sequence: object, identity: str = "aaaaaaaa", **more: object) -> None:
    told = {"id": f"{identity}-{sequence}", "sequence": sequence, "node": "n1", "app": "a"} | more
    fleet.heard(Message("home/yes", json.dumps(told).encode()), NOW)


def lost(fleet: Fleet) -> tuple[int, int]:
    status(fleet)
    row = fleet.table(NOW)[0]
    return row["alerts_heard"], row["lost"]


@pytest.mark.parametrize(
    ("came", "received", "missing"),
    [
        ([5, 6, 7], 3, 0),  # what was before we listened is not lost
        ([5, 8], 2, 2),
        ([5, 8, 8, 5], 2, 2),  # again is not more
        ([5, 9, 7], 3, 2),  # late is not lost
        ([5, 9, 6, 8, 7], 5, 0),
        ([5, 4], 1, 0),  # from before we listened
    ],
)
def test_numbers_that_never_come_are_lost(came, received, missing):
    fleet = Fleet()
    for sequence in came:
        alert(fleet, sequence)
    assert lost(fleet) == (received, missing)


def test_each_outbox_counts_for_itself():
    fleet = Fleet()
    for sequence, identity in [(100, "old"), (1, "new"), (102, "old"), (2, "new")]:
        alert(fleet, sequence, identity)
    assert lost(fleet) == (4, 1)


def test_any_order_of_any_numbers_is_counted_as_a_set_would():
    rng = random.Random(4)
    for _ in range(300):
        came = [rng.randrange(1, 40) for _ in range(rng.randrange(1, 60))]
        numbers = Numbers(came[0] - 1)
        for sequence in came:
            numbers.heard(sequence)
        later = {sequence for sequence in came if sequence >= came[0]}
        assert (numbers.received, numbers.lost) == (len(later), max(later) - came[0] + 1 - len(later))


def test_health_is_told_in_words():
    def health(now_s: float = NOW, **more: object) -> list[str]:
        fleet = Fleet()
        status(fleet, **more)
        return fleet.table(now_s)[0]["health"]

    assert health() == []
    assert health(NOW + 181) == ["stale"] and health(NOW + 179) == []
    assert health(source="unplugged") == ["source: unplugged"]
    assert health(outbox="the disk is full", warnings=["w"]) == ["outbox: the disk is full", "w"]
    assert health(clipped=0.2, dropped=3) == ["3 dropped", "20 % clipped"]


def test_a_retained_status_is_as_old_as_it_says():
    fleet = Fleet()
    status(fleet, now_s=NOW + 10_000, retain=True, wall_time="2026-09-21T14:13:20Z")
    assert fleet.table(NOW + 10_000)[0]["health"] == ["stale"]
    status(fleet, now_s=NOW + 10_000)
    assert fleet.table(NOW + 10_000)[0]["health"] == []


def test_a_node_that_is_offline_and_two_with_one_name_are_told():
    fleet = Fleet()
    fleet.heard(Message("tinystream/n1/a/availability", b"offline"), NOW)
    assert fleet.table(NOW)[0]["health"] == ["offline", "has told no status"]
    fleet.heard(Message("tinystream/n1/a/availability", b"online"), NOW)
    status(fleet), status(fleet, instance="i2")
    assert fleet.table(NOW)[0]["health"] == [], "a restart is no second node"
    status(fleet)
    assert fleet.table(NOW)[0]["health"] == ["two nodes have this name"]


def test_a_stranger_gets_no_more_room_than_anybody(monkeypatch):
    for name in ("MOST_NODES", "MOST_IDENTITIES"):
        monkeypatch.setattr(limits, name, 20)
    fleet = Fleet()
    for i in range(100):
        status(fleet, topic=f"tinystream/n{i}/a/status", node="x" * 10_000, warnings=["y" * 1000] * 30, more=["z"] * 1000)
        alert(fleet, i + 1, f"identity{i}", node="n" * 10_000)
    for i in range(1, 1000):
        alert(fleet, 3 * i, "holes")
    alert(fleet, 2**62, "holes")
    assert len(fleet.nodes) == len(fleet.numbers) == 20
    assert len(json.dumps(fleet.table(NOW))) < 20 * 2000
    assert len(fleet.numbers["holes"][1].holes) == limits.MOST_HOLES
    assert fleet.numbers["holes"][1].lost == 2**62 - 3 + 1 - 1000, "what is forgotten is still lost"


HOSTILE = [
    b"", b"{", b"x" * 2_000_000, b"[" * 60_000, b'{"a":' * 20_000, b"null", b"[1]",
    b'{"node": {"a": 1}, "heartbeat_s": "x", "warnings": 3, "last_alert": []}',
    b'{"heartbeat_s": 1e400, "clipped": NaN, "dropped": -Infinity}', b'{"last_alert": {"score": [1], "label": {}}}', b"\xff" * 100,
    b'{"node": "\\u001b[2J\\n\\u202e[bold]x", "source": "[link=x]", "sequence": 1}', b'{"sequence": 1' + b"0" * 5000 + b"}", b"x" * 100_000,
    b'{"wall_time": "9999-99-99"}', b'{"wall_time": "0001-01-01T00:00:00+23:59"}',
    b'{"sequence": true, "id": "a-1", "node": "n", "app": "a"}',
]  # fmt: skip


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_what_a_stranger_says_disturbs_nothing(payload):
    from rich.console import Console

    from tinystream.cli.fleet import shown

    fleet = Fleet()
    for topic in ("tinystream/n1/a/status", "tinystream/n1/a/availability", "home/yes", "", "/", "tinystream/\x1b[2J/a/status"):
        for retain in (True, False):
            fleet.heard(Message(topic, payload, retain=retain), NOW)
    json.dumps(fleet.table(NOW), allow_nan=False)
    console = Console(width=140, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(shown(fleet.table(NOW), "connected"))
    assert "\x1b[2J" not in captured.get() and "\u202e" not in captured.get()


def test_random_bytes_disturb_nothing():
    rng, fleet = random.Random(6), Fleet()
    valid = json.dumps(STATUS | {"sequence": 5, "id": "a-5"}).encode()
    for _ in range(3000):
        raw = bytearray(valid)
        for _ in range(rng.randrange(1, 8)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        fleet.heard(Message(rng.choice(["tinystream/n1/a/status", "x"]), bytes(raw), retain=rng.random() < 0.5), NOW)
        fleet.table(NOW)


def test_alerts_in_cbor_are_counted_too():
    fleet = Fleet()
    for sequence in (1, 3):
        told = {"id": f"a-{sequence}", "sequence": sequence, "node": "n1", "app": "a"}
        fleet.heard(Message("home/yes", written(told, "cbor")), NOW)
    assert lost(fleet) == (2, 1)


def test_a_prefix_is_a_filter():
    assert fits(["tinystream", "+", "+"], "tinystream/a/b") and not fits(["tinystream", "+", "+"], "tinystream/a")
    assert fits(["plant", "#"], "plant/hall/7") and not fits(["plant", "#"], "other/hall")


def test_the_fleet_of_a_real_broker_is_told_as_json_and_as_a_table(tmp_path):
    app = write_app(tmp_path / "app")
    with Mosquitto(tmp_path) as broker, Listener(broker.port) as heard:
        address = f"127.0.0.1:{broker.port}"
        with Process(app, tmp_path / "state", "--broker", address) as node:
            heard.wait(f"{BASE}/status")
            command = [sys.executable, "-m", "tinystream", "fleet", "--broker", address, "--json", "--seconds", "6"]
            asked = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            for _ in range(5):
                node.feed(sound(0, 20), sound(20_000, 10))
                heard.wait("home/loudness/yes")
            for payload in HOSTILE:
                heard.publish("tinystream/evil/x/status", payload)
            node.feed(sound(20_000, 1000))  # some of it comes while it is listened
            told = json.loads(asked.communicate(timeout=60)[0])
        row = next(row for row in told["nodes"] if row["node"] == "n1")
        assert row["app"] == "loudness" and row["health"] == [] and row["lost"] == 0 and row["age_s"] < 60
        assert row["alerts_heard"] > 0
        assert row["last_alert"]["label"] == "yes"


def test_a_broker_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr("tinystream.cli.fleet.CONNECT_S", 0.5)
    done = CliRunner().invoke(commands, ["fleet", "--broker", "127.0.0.1:1", "--json"])
    assert done.exit_code == 1 and "nobody listens there" in str(done.exception)
