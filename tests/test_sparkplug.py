"""Is a node an edge node as Sparkplug B has it: births, data and deaths with the numbers that hosts go by?"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from brokers import Mosquitto

from tinystream import Node
from tinystream.app.sinks import Mqtt
from tinystream.node.session import Session
from tinystream.node.sparkplug import REBIRTH, Sparkplug, apart
from tinystream.node.topics import Message

pytest.importorskip("google.protobuf")

T = 1_700_000_000.0
BIRTH = (
    "0880d095ffbc3112120a0562645365711880d095ffbc312004580312210a144e6f646520436f6e74726f6c2f526562697274681880d095ffbc31200b7000121e0a0a6c65"
    "76656c5f646266731880d095ffbc31200a690000000000c044c0121e0a0b616c6572742f6c6162656c1880d095ffbc31200c7a066bc3bc636865121b0a05717565756518"
    "80d095ffbc31200458feffffffffffffffff011800"
)
DATA = "0880d095ffbc31121c0a0a6c6576656c5f646266731880d095ffbc31690000000000c044c01807"
DEATH = "0880d095ffbc3112120a0562645365711880d095ffbc3120045803"
COMMAND = "0882d095ffbc31121f0a144e6f646520436f6e74726f6c2f526562697274681880d095ffbc317001"
"""What pysparkplug 0.6.1 writes for these metrics."""
METRICS = {"bdSeq": 3, REBIRTH: False, "level_dbfs": -41.5, "alert/label": "küche", "queue": -2}


def node(port: int = 1, clock: Callable[[], float] = time.time) -> Sparkplug:
    return Sparkplug("plant", "hall.fan", lambda: Mqtt(topic="t", port=port), clock)


def test_messages_are_byte_for_byte_those_of_another_implementation():
    edge = node(clock=lambda: T)
    assert edge.encoded(METRICS, 0).hex() == BIRTH
    assert edge.encoded({"level_dbfs": -41.5}, 7, typed=False).hex() == DATA
    assert edge.encoded({"bdSeq": 3}, None).hex() == DEATH


class Host:
    """A Sparkplug host: everything of a group, read anew."""

    def __init__(self, port: int):
        self.heard: list[tuple[str, dict, int | None]] = []
        self._class = node()._payload
        self.session = Session(Mqtt(topic="t", port=port), pause_s=(0.05, 0.2))
        self.session.subscribe("spBv1.0/plant/#", self._hear)
        self.session.open()
        assert self.session.wait(20)
        time.sleep(0.2)  # the subscription is on its way

    def _hear(self, message: Message) -> None:
        told = self._class.FromString(message.payload)
        metrics = {metric.name: value_of(metric) for metric in told.metrics}
        self.heard.append((message.topic.split("/")[2], metrics, told.seq if told.HasField("seq") else None))

    def until(self, kind: str, count: int = 1) -> list[tuple[str, dict, int | None]]:
        """The messages of a kind, once there are so many."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = [heard for heard in self.heard if heard[0] == kind]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{count} {kind} expected, heard {self.heard}")


def value_of(metric):
    """Of whichever field is set; an Int64 from its two's complement."""
    for field in ("boolean_value", "double_value", "string_value"):
        if metric.HasField(field):
            return getattr(metric, field)
    value = metric.long_value
    return value - 2**64 if value >= 2**63 else value


@pytest.fixture
def broker(tmp_path: Path):
    with Mosquitto(tmp_path) as running:
        yield running


def test_births_data_and_deaths_carry_the_numbers_that_hosts_go_by(broker):
    host, edge = Host(broker.port), node(broker.port)
    try:
        edge.status({"queue": 0, "source": "running"})
        edge.open()
        (birth,) = host.until("NBIRTH")
        assert birth == ("NBIRTH", {"bdSeq": 0, REBIRTH: False, "queue": 0, "source": "running"}, 0)
        edge.status({"queue": 0, "source": "running"})
        edge.status({"queue": 2, "source": "running"})
        assert host.until("NDATA") == [("NDATA", {"queue": 2}, 1)], "what has not changed is not told"
        edge.alert({"label": "anomaly", "score": 7.5, "id": "5f0c7a1e-17", "wall_time": "2026-01-01T00:00:00.000Z", "sample": 5})
        again = host.until("NBIRTH", 2)[-1]
        assert (again[2], again[1]["alert/label"], again[1]["bdSeq"]) == (0, "anomaly", 0), "a metric is born before there is data of it"
        edge.alert({"label": "anomaly", "score": 7.5, "id": "5f0c7a1e-18", "wall_time": "2026-01-01T00:00:01.000Z"})
        data = host.until("NDATA", 2)[-1]
        assert data[1]["alert/id"] == "5f0c7a1e-18" and data[1]["alert/label"] == "anomaly" and data[2] == 1
    finally:
        edge.close()
        host.session.close(1)
    assert host.heard[-1] == ("NDEATH", {"bdSeq": 0}, None)


def test_a_host_that_asks_gets_a_birth_and_rubbish_gets_nothing(broker):
    host, edge = Host(broker.port), node(broker.port)
    try:
        edge.open()
        host.until("NBIRTH")
        for payload in (b"\xff" * 40, b"", bytes.fromhex(DATA), bytes.fromhex(COMMAND)):
            host.session.publish(Message("spBv1.0/plant/NCMD/hall.fan", payload), lambda arrived: None)
        assert [birth[2] for birth in host.until("NBIRTH", 2)] == [0, 0]
        time.sleep(0.3)
        assert len(host.until("NBIRTH")) == 2
    finally:
        edge.close()
        host.session.close(1)


def test_a_connection_that_is_lost_is_a_death_of_its_birth_and_the_next_has_its_own_number(broker):
    host, edge = Host(broker.port), node(broker.port)
    try:
        edge.session.pause_s = (0.05, 0.1)
        edge.open()
        host.until("NBIRTH")
        with edge.session._lock:
            edge.session._wire._paho.socket().shutdown(2)  # as if the network had gone
        assert host.until("NDEATH")[0][1] == {"bdSeq": 0}
        assert host.until("NBIRTH", 2)[-1][1]["bdSeq"] == 1
    finally:
        edge.close()
        host.session.close(1)


def test_a_connection_of_its_own_has_a_name_of_its_own():
    assert apart(Mqtt(topic="t", client_id="hall")).client_id == "hall-sparkplug" and apart(Mqtt(topic="t")).client_id is None


def test_a_node_that_sleeps_is_no_edge_node():
    with pytest.raises(ValueError, match="sparkplug_group is not for a node that sleeps"):
        Node(sleeping=True, sparkplug_group="plant")
