"""Do alerts of nodes reach the broker, whatever happens to lines, nodes, broker and bridge?"""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import struct
import subprocess
import threading
import time
import tty
from binascii import crc_hqx
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from bare import use_cache
from board_firmware import kitchen, wake_word
from brokers import Mosquitto
from cobs import cobs
from command import APP, program, tinystream
from paho.mqtt import client as paho

from tinystream.firmware.board import find_board
from tinystream.firmware.project import build_project
from tinystream.io import serial_line
from tinystream.io.records import LONGEST, Hello, Missing, Overrun, Reader, Reordered, Repeated
from tinystream.io.serial_line import Adapter, Line, Piece, find
from tinystream.node.remote import Remote, read_hellos, write_hellos


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> bytes:
    """What a real node tells in 7 s, of which one is an alert: the firmware as a process of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        firmware = build_project(wake_word(), find_board("posix"))
    return subprocess.run([str(firmware)], input=kitchen().tobytes(), capture_output=True, check=True).stdout


def frames(told: bytes) -> list[bytes]:
    return [b"\0" + frame + b"\0" for frame in told.split(b"\0") if frame]


# --- numbers of records ---------------------------------------------------------------------------------------------------


def order(told: bytes, *numbers: int) -> tuple[list, Reader]:
    reader, parts = Reader(), frames(told)
    return list(reader.told(b"".join(parts[n] for n in numbers))), reader


def test_what_is_lost_repeated_or_late_is_told(told):
    assert len(frames(told)) == 4
    records, reader = order(told, 0, 1, 1, 3, 2)
    assert [type(r).__name__ for r in records] == ["Hello", "SelfTest", "Repeated", "Missing", "Status", "Reordered", "Alert"]
    assert records[2:4] == [Repeated(1), Missing(2, 1)] and records[5] == Reordered(2)
    assert (reader.missing, reader.repeated, reader.reordered, reader.starts) == (0, 1, 1, 1), "a late record is not missing any more"


def test_a_node_that_starts_again_has_lost_nothing(told):
    records, reader = order(told, 0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 1)
    assert len(records) == 11 and (reader.missing, reader.repeated, reader.reordered, reader.starts) == (0, 0, 0, 4)


def test_a_start_whose_hello_was_lost_is_a_start(told):
    def framed(sequence: int, late: int) -> bytes:
        body = struct.pack("<BIQII", 4, sequence, 160, late, 0)
        return b"\0" + cobs.encode(body + crc_hqx(body, 0xFFFF).to_bytes(2, "little")) + b"\0"

    reader = Reader()
    records = list(reader.told(b"".join(framed(n, 1) for n in range(100)) + framed(3, 2) + framed(4, 2)))
    assert records[100:] == [Missing(0, 3), Overrun(3, 160, 2, 0), Overrun(4, 160, 2, 0)] and (reader.missing, reader.starts) == (3, 1)


def test_no_bytes_stop_it_or_grow_it(told):
    chance, reader = random.Random(7), Reader()
    remote = Remote("line", baud=115_200)
    parts = frames(told)
    for _ in range(1500):
        raw = bytearray(chance.randbytes(chance.randrange(4096)) if chance.random() < 0.5 else b"".join(chance.choices(parts, k=8)))
        for _ in range(chance.randrange(4)):
            if raw:
                raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        list(reader.told(bytes(raw)))
        for one in remote.take(Piece(bytes(raw), 1.7e9, 0.0)):
            json.dumps(one.as_dict, allow_nan=False)
            json.dumps(remote.as_status("open"), allow_nan=False)
    assert len(reader._rest) <= LONGEST and len(reader._seen) <= 64
    assert [r for r in reader.push(b"\0" + parts[0]) if isinstance(r, Hello)], "and it still hears a node"


@pytest.mark.parametrize("size", range(0, 60, 7))
def test_a_hello_that_is_short_or_says_what_cannot_be_is_broken(size):
    body = (b"\1" + bytes(4) + b"\1" + bytes(size))[: 5 + size]
    raw = cobs.encode(body + crc_hqx(body, 0xFFFF).to_bytes(2, "little"))
    reader = Reader()
    assert list(reader.told(b"\0" + raw + b"\0" + raw + b"\0")) == [] and reader.broken


# --- who a node is --------------------------------------------------------------------------------------------------------


def test_a_bridge_that_starts_late_knows_scores_by_the_kept_hello_of_the_same_definition_only(told, tmp_path):
    early, late, parts = Remote("/dev/x"), Remote("/dev/x"), frames(told)
    list(early.take(Piece(told, 1.7e9, 0.0)))
    write_hellos(tmp_path / "nodes.json", {"/dev/x": early.hello})
    late.known = read_hellos(tmp_path / "nodes.json")["/dev/x"]
    assert late.known == early.hello and late.name == "posix-x"
    (alert,) = (t.alert for t in late.take(Piece(parts[2], 1.7e9, 0.0)) if t.alert)
    assert alert["score"] == early.last_alert["score"] and alert["app"] == "wake_word"
    other = Remote("/dev/x", known=Hello(**(vars(early.hello) | {"definition": "0" * 16})))
    (alert,) = (t.alert for t in other.take(Piece(parts[2], 1.7e9, 0.0)) if t.alert)
    assert alert["score"] is None and alert["label"] == "computer", "told, though nobody knows what it counts"
    (alert,) = (t.alert for t in Remote("/dev/x", plan=wake_word()).take(Piece(parts[2], 1.7e9, 0.0)) if t.alert)
    assert alert["score"] == early.last_alert["score"], "or by the app"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": {}}', '{"a": 3}', '{"a": {"sequence": 0}}'])
def test_kept_hellos_that_are_damaged_are_not_known(tmp_path, text):
    (tmp_path / "nodes.json").write_text(text)
    assert read_hellos(tmp_path / "nodes.json") == {}


def test_the_wall_time_is_the_arrival_and_its_uncertainty_covers_what_waited(told):
    remote = Remote("/dev/x", baud=115_200)
    (alert,) = (t.alert for t in remote.take(Piece(told, 1_700_000_000.25, 30.0)) if t.alert)
    assert alert["wall_time"] == "2023-11-14T22:13:20.250Z" and alert["wall_uncertainty_s"] == pytest.approx(30.04, abs=0.02)


# --- ports ----------------------------------------------------------------------------------------------------------------


def usb(device: str, number: str | None = "A1", vid: int | None = 0x2341) -> SimpleNamespace:
    return SimpleNamespace(device=device, serial_number=number, vid=vid, pid=1, location="1-1:1.0")


def test_a_usb_port_is_found_under_another_name_by_its_serial_number(monkeypatch):
    there = [usb("/dev/ttyACM0", "B2"), usb("/dev/ttyACM3")]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: there)
    mine = Adapter.of(usb("/dev/ttyACM0"))
    assert find("/dev/ttyACM0", mine) == "/dev/ttyACM3", "another device took its name"
    assert find("/dev/ttyACM0", None) == "/dev/ttyACM0"
    there.pop()
    with pytest.raises(serial_line.RecordingError, match="no port has its serial number A1"):
        find("/dev/ttyACM0", mine)
    assert Adapter.of(usb("x", None)) is None and Adapter.of(usb("x", "", None)) is None


class Pty:
    """A port with a name of its own, as a link below /dev/serial/by-id has."""

    def __init__(self, link: Path):
        self.link = link
        self.plug()

    def plug(self) -> None:
        self.ours, self.theirs = os.openpty()
        tty.setraw(self.theirs)
        self.link.symlink_to(os.ttyname(self.theirs))

    def unplug(self) -> None:
        self.link.unlink()
        os.close(self.theirs)
        os.close(self.ours)

    def tell(self, raw: bytes) -> None:
        os.write(self.ours, raw)


def wait_for(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def test_a_port_that_vanishes_and_returns_goes_on(tmp_path):
    pty, said = Pty(tmp_path / "node"), []
    line = Line(str(pty.link), 115_200, said.append, pause_s=(0.05, 0.2))
    line.open()
    pieces: list[Piece] = []
    reading = threading.Thread(target=lambda: [pieces.append(piece) for piece in line.pieces()], daemon=True)
    reading.start()
    pty.tell(b"one")
    wait_for(lambda: b"".join(p.raw for p in pieces) == b"one")
    pty.unplug()
    wait_for(lambda: said)
    time.sleep(0.5)
    pty.plug()
    wait_for(lambda: len(said) == 2)
    pty.tell(b"two")
    wait_for(lambda: b"".join(p.raw for p in pieces) == b"onetwo")
    line.close()
    reading.join(10)
    assert not reading.is_alive()
    assert "is gone" in said[0] and "waits for it" in said[0] and said[1].endswith("node is there") and len(said) == 2
    assert pieces[-1].waited_s >= 0.5, "it may have waited in the node since the port was gone"
    pty.unplug()


# --- the whole ------------------------------------------------------------------------------------------------------------


@contextmanager
def heard(port: int):
    """Everything that is published, as (topic, payload, retained)."""
    messages: queue.Queue = queue.Queue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="heard", clean_session=False)
    client.on_message = lambda c, u, m: messages.put((m.topic, m.payload, m.retain))
    client.on_connect = lambda c, u, f, reason, p: c.subscribe("#", qos=1)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield messages
    finally:
        client.disconnect()
        client.loop_stop()


class Heard:
    """Waits for messages of a topic, and keeps all."""

    def __init__(self, messages: queue.Queue):
        self.messages, self.all = messages, []

    def until(self, true: Callable[[list], object], seconds: float = 30) -> object:
        end = time.monotonic() + seconds
        while not (found := true(self.all)):
            assert time.monotonic() < end, f"it did not come: {[m[:2] for m in self.all][-8:]}"
            with suppress(queue.Empty):
                self.all.append(self.messages.get(timeout=0.2))
        return found

    def alerts(self) -> dict[str, dict]:
        return {told["id"]: told for topic, raw, _ in self.all if topic.startswith("plant/") for told in [json.loads(raw)]}

    def last(self, topic: str) -> bytes | None:
        return next((raw for t, raw, _ in reversed(self.all) if t == topic), None)


@contextmanager
def bridge(port: int, state: Path, *sources: object):
    told = ("--broker", f"127.0.0.1:{port}", "--topic", "plant/{node}/{label}", "--state", state, "--name", "gateway")
    with program("listen", *sources, "--publish", "--app", APP, *told) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)


def test_two_nodes_an_absent_broker_and_a_killed_bridge_lose_no_alert(told, tmp_path):
    parts, state = frames(told), tmp_path / "state"
    one, two = Pty(tmp_path / "one"), Pty(tmp_path / "two")
    broker = Mosquitto(tmp_path)
    sources = (f"{one.link}=pump", two.link)
    with bridge(broker.port, state, *sources) as first:  # the broker is not there yet
        there = {f"{pty.link} is there\n" for pty in (one, two)}
        while there:  # what comes before a port is open is not heard
            there.discard(first.stderr.readline().decode())
        one.tell(told)
        two.tell(told[: -len(parts[3])])
        shown = [json.loads(first.stdout.readline()) for _ in range(7)]
        assert {r["node"] for r in shown if r["record"] == "alert"} == {"pump", "posix-two"}
        first.kill()  # what was printed is on the disk
        first.wait()
    with broker, heard(broker.port) as messages, bridge(broker.port, state, *sources):
        heard_ = Heard(messages)
        heard_.until(lambda _: len(heard_.alerts()) == 2)
        heard_.until(lambda _: (heard_.last("tinystream/gateway/listen/status") or b"").count(b'"open"') == 2)
        two.tell(parts[3] + parts[0] + parts[1] + parts[2])  # no hello since the bridge started; then the node starts again
        heard_.until(lambda _: len(heard_.alerts()) == 3)
        base = "tinystream/posix-two/wake_word"
        heard_.until(lambda _: (json.loads(heard_.last(f"{base}/status") or b"{}")).get("alerts") == 1)
        heard_.until(lambda _: heard_.last(f"{base}/availability") == b"online" and heard_.last(f"{base}/label/computer") == b"ON")
        assert heard_.last("tinystream/gateway/listen/availability") == b"online"
        status = json.loads(heard_.last(f"{base}/status"))
        assert (status["records_lost"], status["records_repeated"], status["starts"], status["self_test"]) == (0, 0, 1, "passed")
        (config,) = {raw for t, raw, _ in heard_.all if t == "homeassistant/device/tinystream_posix-two_wake__word/config"}
        assert json.loads(config)["avty_mode"] == "all" and "label_computer" in json.loads(config)["cmps"]
        alerts = sorted(heard_.alerts().values(), key=lambda a: a["sequence"])
        assert [a["sequence"] for a in alerts] == [1, 2, 3] and len({a["id"] for a in alerts}) == 3
        assert all(a["definition"] == wake_word().digest[:16] and a["app"] == "wake_word" and a["label"] == "computer" for a in alerts)
        assert {(a["node"], a["node_sequence"], a["score"] is None) for a in alerts} == {("pump", 2, False), ("posix-two", 2, False)}
        own = "tinystream/gateway/listen/status"
        broker.kill()
        one.tell(parts[2])  # the same bytes as before the bridge was killed: a new bridge cannot know; then twice, which it does
        one.tell(parts[2])
        time.sleep(1)
        broker.start()
        # retained, so it does not matter who was first to come back: this subscriber, or the bridge
        heard_.until(lambda _: (status := json.loads(heard_.last(own))) and (status["delivered"], status["queue"]) == (4, 0), 60)
        heard_.until(lambda _: heard_.last("tinystream/gateway/listen/availability") == b"online")
    for pty in (one, two):
        pty.unplug()


def test_what_does_not_fit_is_told_before_anything_begins(tmp_path):
    for arguments, said in [
        (("x", "--topic", "t"), "are of --publish"),
        (("x", "x"), "given twice"),
        (("x=a/b",), "is no PORT=NAME"),
        (("x", "--publish", "--topic", "a/#", "--state", tmp_path), "wildcard"),
        (("x", "--publish", "--topic", "a/{x}", "--state", tmp_path), "unknown placeholder"),
    ]:
        done = tinystream("listen", *arguments)
        assert done.code in (1, 2) and said in " ".join(done.err.replace("│", " ").split()), done.err


def test_several_files_are_told_by_node_and_so_are_their_losses(told, tmp_path):
    parts = frames(told)
    (tmp_path / "a.bin").write_bytes(told)
    (tmp_path / "b.bin").write_bytes(parts[0] + parts[1] + parts[1] + parts[3])
    done = tinystream("listen", f"{tmp_path / 'a.bin'}=left", tmp_path / "b.bin")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0 and done.err == "warning: posix-b.bin: 1 record missing, 0 broken frames, 1 record repeated\n"
    assert [r["record"] for r in records if r["node"] == "left"] == ["hello", "self_test", "alert", "status"]
    assert {"record": "missing", "sequence": 2, "count": 1, "node": "posix-b.bin", "port": str(tmp_path / "b.bin")} in records
