"""Does a node, as a process with a real broker, lose nothing, tell how it is, and do what it is told by whom it trusts?"""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import cbor2
import numpy as np
import pytest
from brokers import Mosquitto
from nodes import APP, BASE, Listener, Process, sound, write_app
from typer.testing import CliRunner

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.cli import cli as commands
from tinystream.errors import TinystreamError
from tinystream.io.broker import EmbeddedBroker
from tinystream.io.sink import Sinks
from tinystream.node.service import SILENT_S, Service, Start, alert_sink
from tinystream.node.settings import sign
from tinystream.node.state import State
from tinystream.run.engine import Engine
from tinystream.run.replay import replay

STATUS, AVAILABILITY, LABEL = f"{BASE}/status", f"{BASE}/availability", f"{BASE}/label/yes"
ALERT = "home/loudness/yes"
QUIET, SOME, LOUD = sound(0, 20), sound(12_000, 20), sound(20_000, 20)  # scores 0, 0.73 and 1


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path, "persistence false") as running:
        yield running


@pytest.fixture
def app(tmp_path) -> Path:
    return write_app(tmp_path / "app")


def cli(*words: str) -> tuple[int, str, str]:
    """What a command gives: exit code, output, and what it says to people."""
    done = CliRunner().invoke(commands, words)
    said = done.stderr + (str(done.exception) if isinstance(done.exception, TinystreamError) else "")
    assert done.exception is None or isinstance(done.exception, TinystreamError | SystemExit), done.exception
    return done.exit_code, done.stdout, said


def test_a_node_is_born_alerts_and_ends_with_everything_told(broker, app, tmp_path):
    address = f"127.0.0.1:{broker.port}"
    with Listener(broker.port) as heard, Process(app, tmp_path / "state", "--broker", address) as node:
        assert heard.wait(AVAILABILITY) == b"online"
        first = heard.wait(STATUS)
        node.feed(QUIET, LOUD)
        alert = heard.wait(ALERT)
        status = heard.wait(STATUS, lambda told: told["alerts"] >= 1 and told["queue"] == 0 and told["level_dbfs"] is not None)
        assert node.end() == 0
        assert heard.wait(AVAILABILITY) == b"offline"
    topics = [topic for topic, _, _ in heard.all]
    assert (LABEL, b"ON", False) in heard.all and "homeassistant/device/tinystream_n1_loudness/config" in topics
    assert alert["id"].endswith(f"-{alert['sequence']}") and alert["node"] == "n1" and alert["label"] == "yes"
    assert alert["sample"] % 10 == 5 and alert["time_s"] == alert["sample"] / 1000 and alert["wall_time"].endswith("Z")
    assert alert["settings"] == first["settings"] == status["settings"] and alert["definition"] == first["definition"]
    assert status["source"] == "running" and status["outbox"] == "ok" and status["connected"] is True
    assert status["last_alert"]["label"] == "yes" and status["rss_bytes"] > 1e6 and first["instance"] == status["instance"]
    assert {"level_dbfs", "clipped", "cpu_percent", "overruns", "gaps", "uptime_s", "version", "temperature_c"} <= set(status)
    assert node.logged()[-1]["what"].startswith("ended; 0 alerts wait")


def test_alerts_of_a_node_are_those_of_a_replay(broker, app, tmp_path):
    x = np.concatenate([QUIET, SOME, QUIET, LOUD, QUIET])
    plan = plan_file(app)
    wanted = [(e.label, e.score, e.sample, e.time_s) for e in replay(plan, Engine(plan), x.reshape(-1)).events]
    with Listener(broker.port, ALERT) as heard, Process(app, tmp_path / "state", "--broker", f"127.0.0.1:{broker.port}") as node:
        node.feed(x)
        node.process.stdin.close()  # the end of the source is the node's
        assert node.process.wait(30) == 0
        got = [heard.wait(ALERT) for _ in wanted]
        assert [(g["label"], g["score"], g["sample"], g["time_s"]) for g in got] == wanted and len(wanted) > 10
        assert [g["sequence"] for g in got] == list(range(1, len(wanted) + 1))
        assert heard.messages.empty()


def test_what_no_broker_takes_waits_over_a_kill_and_arrives_once_in_order(app, tmp_path):
    port, state = free_port(), tmp_path / "state"
    with Process(app, state, "--broker", f"127.0.0.1:{port}") as node:
        node.feed(QUIET, LOUD)
        wait_for(lambda: sum(line["what"] == "alert" for line in node.logged()) >= 5)
        node.process.kill()
    broker = Mosquitto(tmp_path)
    broker.port = port
    broker.config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    with broker, Listener(port, ALERT) as heard:
        alerts = sum(line["what"] == "alert" for line in node.logged())
        with Process(app, state, "--broker", f"127.0.0.1:{port}") as again:
            got = [heard.wait(ALERT) for _ in range(alerts)]
            again.feed(LOUD)
            got.append(heard.wait(ALERT))
            assert again.end() == 0
    assert [g["sequence"] for g in got] == list(range(1, alerts + 2)) and len({g["id"] for g in got}) == alerts + 1


def test_a_killed_node_is_offline_by_its_last_will(broker, app, tmp_path):
    with Listener(broker.port, AVAILABILITY) as heard, Process(app, tmp_path / "state", "--broker", f"127.0.0.1:{broker.port}") as node:
        assert heard.wait(AVAILABILITY) == b"online"
        node.process.kill()
        assert heard.wait(AVAILABILITY) == b"offline"


def test_a_sleeping_node_has_no_availability(broker, tmp_path):
    app = write_app(tmp_path / "app", "sleeping = true\n")
    with Listener(broker.port) as heard, Process(app, tmp_path / "state", "--broker", f"127.0.0.1:{broker.port}") as node:
        heard.wait(STATUS)
        assert node.end() == 0
        heard.publish("end", b"x")
        heard.wait("end")
    assert AVAILABILITY not in [topic for topic, _, _ in heard.all]


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_a_retained_threshold_moves_is_echoed_and_lasts(kind, app, tmp_path):
    if kind == "embedded":
        pytest.importorskip("iotcore")
    running = Mosquitto(tmp_path) if kind == "mosquitto" else EmbeddedBroker()
    with running as broker, Listener(broker.port) as heard:
        address = f"127.0.0.1:{broker.port}"
        heard.publish(f"{BASE}/settings/set", {"threshold": 0.9}, retain=True)
        with Process(app, tmp_path / "state", "--broker", address) as node:
            echo = heard.wait(f"{BASE}/settings", lambda told: told.get("threshold") == 0.9)
            assert echo["labels"]["yes"] == {"threshold": 0.9, "quiet_s": 0.01, "enable": True} and "refused" not in echo
            node.feed(QUIET, SOME, QUIET, LOUD)  # some of it would have been an alert
            alert = heard.wait(ALERT)
            assert alert["score"] > 0.9 and alert["settings"] == echo["settings"]
            heard.publish(f"{BASE}/settings/set", {"threshold": 0.1}, retain=True)
            refused = heard.wait(f"{BASE}/settings", lambda told: "refused" in told)
            assert "outside" in refused["refused"] and refused["help"] and refused["threshold"] == 0.9
            assert refused["settings"] == echo["settings"]
            assert node.end() == 0
        heard.publish(f"{BASE}/settings/set", b"", retain=True)  # taken away while nobody listens
        with Process(app, tmp_path / "state", "--broker", address) as again:
            assert heard.wait(f"{BASE}/settings")["threshold"] == 0.9, "it was forgotten"
            assert again.end() == 0


def test_only_signed_settings_are_taken_and_none_twice(broker, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    app = write_app(tmp_path / "app", '\n[settings]\nthreshold = [0.3, 0.95]\nkey_file = "public.pem"\n')
    for name in ("private", "forged"):
        key = Ed25519PrivateKey.generate()
        (tmp_path / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        if name == "private":
            (app / "public.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    address, topic = f"127.0.0.1:{broker.port}", f"{BASE}/settings"
    ask = ["settings", str(app), "--broker", address, "--key", str(tmp_path / "private.pem"), "--set"]
    with Listener(broker.port) as heard, Process(app, tmp_path / "state", "--broker", address):
        heard.wait(topic)
        code, output, said = cli(*ask, '{"threshold": 0.9}')
        assert code == 0, said
        told = json.loads(output)
        assert told["threshold"] == 0.9 and told["counter"] > 1e12
        heard.wait(f"{topic}/set")
        old = next(payload for where, payload, _ in heard.all if where == f"{topic}/set")
        assert json.loads(cli(*ask, '{"threshold": 0.8}')[1])["threshold"] == 0.8
        heard.wait(topic, lambda told: told["threshold"] == 0.8)
        heard.publish(f"{topic}/set", old, retain=True)  # played again
        assert "counter" in (again := heard.wait(topic))["refused"] and again["threshold"] == 0.8
        heard.publish(f"{topic}/set", {"threshold": 0.5}, retain=True)
        assert "signed" in (bare := heard.wait(topic))["refused"] and bare["threshold"] == 0.8
        forged = sign({"threshold": 0.5}, tmp_path / "forged.pem", plan_file(app).digest, 2**62)
        heard.publish(f"{topic}/set", forged, retain=True)
        assert "signature" in (other := heard.wait(topic))["refused"] and other["threshold"] == 0.8


def test_settings_that_cannot_be_are_told_before_they_are_sent(app):
    code, _, said = cli("settings", str(app), "--broker", "127.0.0.1:1", "--set", '{"threshold": 2}')
    assert code == 1 and "outside" in said


def test_settings_of_a_node_that_is_off_lie_until_it_is_back(broker, app):
    code, _, said = cli("settings", str(app), "--broker", f"127.0.0.1:{broker.port}", "--set", '{"threshold": 0.7}', "--wait", "0")
    assert code == 0, said
    with Listener(broker.port) as heard:
        assert heard.wait(f"{BASE}/settings/set") == {"threshold": 0.7}


# --- what else an operator meets ---------------------------------------------------------------------------------------


def test_two_nodes_with_one_name_are_told(broker, app, tmp_path):
    address = f"127.0.0.1:{broker.port}"
    with Listener(broker.port, STATUS) as heard, Process(app, tmp_path / "a", "--broker", address) as one:
        heard.wait(STATUS)
        with Process(app, tmp_path / "b", "--broker", address):
            told = heard.wait(STATUS, lambda told: told["warnings"])
            assert "another node has this name" in told["warnings"][0]
        wait_for(lambda: any("another node is called n1" in line["what"] for line in one.logged()))


def test_a_state_folder_is_of_one_process(app, tmp_path):
    with Process(app, tmp_path / "state", "--broker", "127.0.0.1:1") as node:
        wait_for(lambda: any("runs loudness" in line["what"] for line in node.logged()))
        code, _, said = cli(
            "node", str(app), "--input", "-", "--engine", "python", "--state", str(tmp_path / "state"), "--broker", "127.0.0.1:1"
        )
        assert code == 1 and "another node runs" in said


def test_home_assistant_that_starts_is_told_everything_again(broker, app, tmp_path):
    with Listener(broker.port) as heard, Process(app, tmp_path / "state", "--broker", f"127.0.0.1:{broker.port}"):
        heard.wait(LABEL)  # the last of a birth
        heard.publish("homeassistant/status", b"online")
        heard.wait("homeassistant/status")
        heard.wait("homeassistant/device/tinystream_n1_loudness/config")
        assert heard.wait(LABEL) == b"OFF"


def test_no_secret_is_told_anywhere(broker, app, tmp_path):
    secret = "hunter2-very-secret"
    environ = {"TINYSTREAM_USERNAME": "node", "TINYSTREAM_PASSWORD": secret}
    address = f"127.0.0.1:{broker.port}"
    with Listener(broker.port) as heard, Process(app, tmp_path / "state", "--broker", address, **environ) as node:
        node.feed(QUIET, LOUD)
        heard.wait(ALERT)
        line = Path(f"/proc/{node.process.pid}/cmdline")
        assert not line.exists() or secret not in line.read_text()
        assert node.end() == 0
    assert not any(secret.encode() in payload for _, payload, _ in heard.all)
    assert secret not in node.log.read_text()
    assert not any(secret.encode() in path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())


def test_prometheus_is_told_on_this_computer(broker, app, tmp_path):
    port = free_port()
    options = ["--broker", f"127.0.0.1:{broker.port}", "--metrics", str(port)]
    with Listener(broker.port, STATUS) as heard, Process(app, tmp_path / "state", *options) as node:
        node.feed(QUIET)
        heard.wait(STATUS, lambda told: told["source"] == "running")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert "tinystream_source_ok 1" in text and "# TYPE tinystream_alerts_total counter" in text and 'node="n1"' in text
        listening = Path("/proc/net/tcp")
        if listening.exists():
            assert f"0100007F:{port:04X}" in listening.read_text() and f"00000000:{port:04X}" not in listening.read_text()


def test_systemd_is_told_ready_alive_and_stopping(app, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        with Process(app, tmp_path / "state", "--broker", "127.0.0.1:1", **environ) as node:
            assert manager.recv(1000).startswith(b"READY=1")
            assert manager.recv(1000) == manager.recv(1000) == b"WATCHDOG=1"
            node.process.send_signal(signal.SIGINT)
            while (told := manager.recv(1000)) != b"STOPPING=1":
                assert told == b"WATCHDOG=1"
            assert node.process.wait(30) == 130, "Ctrl-C is told apart"


def test_systemd_is_told_nothing_while_a_source_hangs(app, tmp_path, monkeypatch):
    told: list[str] = []
    with idle(app, tmp_path) as service:
        service._notify.watchdog_s = 0.0
        service._notify.tell = lambda *lines: told.extend(lines)
        for state, awaits in (("running", True), ("starting", True), ("it is gone; next attempt after 5 s", False)):
            service.listening.state, service._told_silent = state, False
            service.listening.alive_at = time.monotonic()
            service._pat(time.monotonic())
            assert told == ["WATCHDOG=1"]
            told.clear()
            service._pat(time.monotonic() + SILENT_S + 1)
            assert told == ([] if awaits else ["WATCHDOG=1"])
            assert (service.health()["source"] != state) == awaits
            told.clear()


def test_an_app_that_nobody_would_hear_is_refused(tmp_path):
    app = write_app(tmp_path / "app", "", APP.replace('[[sink]]\nkind  = "mqtt"\ntopic = "home/{app}/{label}"\n', ""))
    code, _, said = cli("node", str(app), "--input", "-", "--state", str(tmp_path / "state"))
    assert code == 1 and "no mqtt sink" in said


def test_a_node_of_a_sparkplug_group_is_born_tells_alerts_and_dies(broker, tmp_path):
    payload = pytest.importorskip("tinystream.node.sparkplug").payload_class()
    app = write_app(tmp_path / "app", app=APP.replace('name        = "n1"', 'name        = "n1"\nsparkplug_group = "plant"'))
    with Listener(broker.port) as heard, Process(app, tmp_path / "state", "--broker", f"127.0.0.1:{broker.port}") as node:
        heard.wait("spBv1.0/plant/NBIRTH/n1.loudness")
        node.feed(QUIET, LOUD)
        alert = heard.wait(ALERT)
        assert node.end() == 0
        heard.wait("spBv1.0/plant/NDEATH/n1.loudness")
    told = [payload.FromString(raw) for topic, raw, _ in heard.all if topic.startswith("spBv1.0/plant/N")]
    words = [metric.string_value for one in told for metric in one.metrics if metric.name == "alert/id"]
    assert alert["id"] in words
    queue = [metric for metric in told[0].metrics if metric.name in ("queue", "source", "bdSeq")]
    assert len(queue) >= 1 and told[0].seq == 0


def test_cbor_is_told_where_it_is_asked_for(broker, tmp_path):
    app = write_app(tmp_path / "app", 'payload = "cbor"\n')
    with Listener(broker.port, ALERT) as heard, Process(app, tmp_path / "state", "--broker", f"127.0.0.1:{broker.port}") as node:
        node.feed(QUIET, LOUD)
        assert cbor2.loads(heard.wait(ALERT))["label"] == "yes"


@contextmanager
def idle(app: Path, folder: Path):
    """A service that was not started."""
    plan, definition = plan_file(app), load(app)
    sink = alert_sink(definition, BASE, None, {})
    state = State(folder / "state")
    with state:
        service = Service(Start(definition, plan, Engine(plan), lambda say: None, False, lambda: sink, sink, app, state, Sinks([]), {}))
        yield service
        service.outbox.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if what():
                return
        except (OSError, ValueError):  # a log that is half written
            pass
        time.sleep(0.05)
    raise AssertionError("it did not happen")
