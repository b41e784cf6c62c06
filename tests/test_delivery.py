# ruff: noqa: SIM117 - what is the world and what is under test reads better apart
"""Does every alert arrive, whatever the broker does?  Outbox, session and delivery against real brokers, and one that misbehaves."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokers import Mosquitto, Subscriber
from certificates import Authority
from misbehaving import Misbehaving

from tinystream.app.sinks import Mqtt
from tinystream.errors import SinkError
from tinystream.io.broker import EmbeddedBroker
from tinystream.io.mqtt import resolve
from tinystream.node.delivery import Delivery
from tinystream.node.outbox import Outbox
from tinystream.node.session import Message, Session, pause

QUICK = dict(pause_s=(0.05, 0.2), connect_s=5.0)


def until(fact, seconds=20):
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def write(entry):
    return Message(f"alerts/{entry.event.get('label', 'yes')}", json.dumps({"id": entry.id, "n": entry.event["n"]}).encode())


@contextmanager
def node(folder, definition, rate=10_000, **options):
    """Outbox, session and delivery, as a node has them."""
    with Outbox(folder / "outbox.db") as outbox, Session(definition, **(QUICK | options)) as session:
        with Delivery(outbox, session, write, rate, pause_s=(0.1, 0.2)) as delivery:
            yield outbox, session, delivery


def at(port, **options):
    return Mqtt("unused", port=port, **options)


def put(outbox, numbers, **more):
    return [f"{outbox.identity}-{outbox.put({'n': n} | more)}" for n in numbers]


def delivered(outbox):
    until(lambda: len(outbox) == 0)


def received(subscriber, count):
    return [(event["id"], event["n"]) for _, _, event in subscriber.get(count)]


def distinct(subscriber, count):
    """First arrivals, until there are so many."""
    got = {}
    while len(got) < count:
        event = subscriber.messages.get(timeout=10)[2]
        got[event["id"], event["n"]] = True
    return list(got)


@pytest.fixture
def mosquitto(tmp_path):
    with Mosquitto(tmp_path) as broker:
        yield broker


# --- what is usual


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_alerts_arrive_in_order_with_qos_1_and_leave_the_outbox(tmp_path, mosquitto, version):
    with Subscriber(mosquitto.port) as subscriber, node(tmp_path, at(mosquitto.port, version=version)) as (outbox, session, delivery):
        ids = put(outbox, range(100))
        delivered(outbox)
        assert received(subscriber, 100) == list(zip(ids, range(100)))
        until(lambda: delivery.delivered == 100)
        assert delivery.state == "ok" and delivery.delivered_at and session.state == f"connected to broker 127.0.0.1:{mosquitto.port}"


def test_the_embedded_broker_takes_them_too(tmp_path):
    with EmbeddedBroker() as broker, Subscriber(broker.port, qos=1) as subscriber, node(tmp_path, at(broker.port)) as (outbox, *_):
        ids = put(outbox, range(50))
        delivered(outbox)
        assert received(subscriber, 50) == list(zip(ids, range(50)))


def test_what_waited_while_no_broker_was_there_arrives_in_order(tmp_path, mosquitto):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        ports = [probe.getsockname()[1]]
    with Subscriber(mosquitto.port) as subscriber, node(tmp_path, lambda: at(ports[-1])) as (outbox, session, delivery):
        ids = put(outbox, range(1500))
        until(lambda: session.state.startswith(f"broker 127.0.0.1:{ports[0]}: nobody listens there"))
        assert "nobody listens there" in delivery.state and len(outbox) == 1500 and delivery.delivered == 0
        ports.append(mosquitto.port)
        delivered(outbox)
        assert received(subscriber, 1500) == list(zip(ids, range(1500)))


def test_what_waited_in_an_ended_process_is_delivered_by_the_next(tmp_path, mosquitto):
    with Outbox(tmp_path / "outbox.db") as outbox:
        ids = put(outbox, range(10))
    with Subscriber(mosquitto.port) as subscriber, node(tmp_path, at(mosquitto.port)) as (outbox, *_):
        delivered(outbox)
        assert received(subscriber, 10) == list(zip(ids, range(10)))


def test_at_the_end_what_waits_may_be_flushed(tmp_path, mosquitto):
    with Subscriber(mosquitto.port) as subscriber, Outbox(tmp_path / "o.db") as outbox, Session(at(mosquitto.port), **QUICK) as session:
        assert session.wait(10)
        delivery = Delivery(outbox, session, write, 10_000)
        delivery.open()
        ids = put(outbox, range(200))
        delivery.close(flush_s=20)
        assert len(outbox) == 0 and received(subscriber, 200) == list(zip(ids, range(200)))


# --- brokers that stop


def test_a_broker_that_is_killed_and_comes_back_gets_every_alert_in_order(tmp_path):
    with Mosquitto(tmp_path) as broker, node(tmp_path, at(broker.port)) as (outbox, session, _):
        ids, got = [], []
        for round in range(3):
            with Subscriber(broker.port) as subscriber:
                assert session.wait(10)
                ids += put(outbox, range(20 * round, 20 * round + 20))
                delivered(outbox)
                got += distinct(subscriber, 20)
            broker.kill()
            until(lambda: not session.connected)
            broker.start()
        assert got == list(zip(ids, range(60)))


def test_a_broker_that_hangs_is_left_and_tried_again_until_it_answers(tmp_path, mosquitto):
    with Subscriber(mosquitto.port) as subscriber, node(tmp_path, at(mosquitto.port), acknowledge_s=0.3, connect_s=0.5) as all:
        outbox, session, _ = all
        assert session.wait(10)
        os.kill(mosquitto.process.pid, signal.SIGSTOP)
        try:
            ids = put(outbox, range(5))
            until(lambda: "did not acknowledge it within 0.3 s" in session.state or "did not answer within 0.5 s" in session.state)
            until(lambda: "accepted the connection, but did not answer within 0.5 s" in session.state)
            assert len(outbox) == 5
        finally:
            os.kill(mosquitto.process.pid, signal.SIGCONT)
        delivered(outbox)
        assert [id for id, _ in distinct(subscriber, 5)] == ids, "those that the broker had taken before it hung come twice"


def test_a_broker_that_hangs_while_there_is_nothing_to_send_is_noticed_too(tmp_path, mosquitto):
    with Session(at(mosquitto.port, keepalive_s=1), pause_s=(5, 5)) as session:
        assert session.wait(10)
        os.kill(mosquitto.process.pid, signal.SIGSTOP)
        try:
            until(lambda: "connection lost: no sign of life within 1 s" in session.state)
        finally:
            os.kill(mosquitto.process.pid, signal.SIGCONT)


def test_a_broker_that_takes_and_never_acknowledges_loses_nothing(tmp_path):
    with Misbehaving(acknowledges=lambda count: 0 if count <= 40 else 1) as broker:
        with node(tmp_path, at(broker.port), acknowledge_s=0.3) as (outbox, session, _):
            ids = put(outbox, range(30))
            until(lambda: "took a message, but did not acknowledge it within 0.3 s" in session.state)
            delivered(outbox)
        assert len(broker.published) >= 3
        arrived = [json.loads(payload)["id"] for connection in broker.published for payload in connection]
        assert list(dict.fromkeys(arrived)) == ids and len(arrived) > 30


def test_a_connection_that_ends_before_each_acknowledgement_makes_duplicates_with_one_id(tmp_path):
    with Misbehaving(acknowledges=lambda count: None if count % 7 == 0 else 1) as broker, node(tmp_path, at(broker.port)) as (outbox, *_):
        ids = put(outbox, range(40))
        delivered(outbox)
        arrived = [json.loads(payload) for connection in broker.published for payload in connection]
        assert list(dict.fromkeys(x["id"] for x in arrived)) == ids and len(arrived) > 40
        assert len({(x["id"], x["n"]) for x in arrived}) == 40


def test_acknowledgements_that_come_twice_acknowledge_nothing_else(tmp_path):
    with Misbehaving(acknowledges=lambda count: 3 if count % 2 else 1) as broker, node(tmp_path, at(broker.port)) as (outbox, _, delivery):
        ids = put(outbox, range(100))
        delivered(outbox)
        assert [json.loads(payload)["id"] for payload in broker.published[0]] == ids and len(broker.published) == 1
        until(lambda: delivery.delivered == 100)


# --- brokers that refuse


def test_a_wrong_password_is_said_and_a_right_one_is_taken_without_a_restart(tmp_path):
    tool = shutil.which("mosquitto_passwd")
    if not tool:
        pytest.skip("mosquitto_passwd is not installed")
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    subprocess.run([tool, "-b", "-c", passwords, "node", "right-one"], check=True, capture_output=True)
    secret.write_text("wrong-one\n")
    environ = {"TINYSTREAM_USERNAME": "node", "TINYSTREAM_PASSWORD_FILE": str(secret)}
    with Mosquitto(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
        with node(tmp_path, lambda: resolve(at(broker.port), environ)) as (outbox, session, delivery):
            put(outbox, range(3))
            until(lambda: session.state.startswith(f"broker 127.0.0.1:{broker.port}: user name or password refused; next attempt in "))
            assert "wrong-one" not in session.state + repr(delivery.state) and len(outbox) == 3
            secret.unlink()
            until(lambda: "cannot be read: no such file" in session.state)
            secret.write_text("right-one\n")
            delivered(outbox)


def test_an_alert_that_the_broker_refuses_is_kept_and_holds_up_no_other(tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite alerts/yes\n")
    definition = dict(version="5")  # 3.1.1 has no word for it: the broker acknowledges and forgets
    with Mosquitto(tmp_path, f"acl_file {acl}") as broker, Subscriber(broker.port) as subscriber:
        with node(tmp_path, at(broker.port, **definition)) as (outbox, _, delivery):
            refused = put(outbox, [0], label="no")
            ids = put(outbox, range(1, 6))
            until(lambda: len(outbox) == 1 and delivery.delivered == 5)
            assert received(subscriber, 5) == list(zip(ids, range(1, 6)))
            until(lambda: delivery.state == "the broker refuses some alerts: not authorized")
            acl.write_text("topic readwrite alerts/#\n")
            broker.process.send_signal(signal.SIGHUP)
            delivered(outbox)
            until(lambda: delivery.state == "ok")
            assert received(subscriber, 1) == list(zip(refused, [0]))


def test_a_broker_that_ends_the_connection_at_one_alert_gets_the_others(tmp_path):
    with Misbehaving(hates=b'"n": 3}') as broker, node(tmp_path, at(broker.port), pause_s=(0.01, 0.02)) as (outbox, _, delivery):
        put(outbox, range(10))
        until(lambda: len(outbox) == 1)
        assert [entry.event["n"] for entry in outbox.waiting()] == [3]
        until(lambda: delivery.state == "the broker refuses some alerts: the connection ends whenever alert 4 is sent")
        broker.hates = None
        delivered(outbox)
        until(lambda: delivery.state == "ok")


def test_an_alert_that_cannot_be_written_holds_up_no_other(tmp_path, mosquitto):
    def fails(entry):
        if entry.event["n"] == 0:
            raise ZeroDivisionError("no such score")
        return write(entry)

    with Outbox(tmp_path / "o.db") as outbox, Session(at(mosquitto.port), **QUICK) as session, Delivery(outbox, session, fails) as delivery:
        put(outbox, range(3))
        until(lambda: len(outbox) == 1)
        assert [entry.event["n"] for entry in outbox.waiting()] == [0] and "no such score" in delivery.state


def test_a_host_that_does_not_exist_is_named(tmp_path):
    with Outbox(tmp_path / "o.db") as outbox, Session(at(1883, host="no-such-host.invalid"), **QUICK) as session:
        with Delivery(outbox, session, write):
            put(outbox, [1])
            until(lambda: "there is no host of this name" in session.state or "name resolution" in session.state)
            assert session.state.startswith("broker no-such-host.invalid:1883: ") and len(outbox) == 1


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    ca = Authority(folder)
    Authority(folder, "stranger")
    ca.sign("broker", "localhost")
    ca.sign("old_broker", "localhost", days=-1)
    ca.sign("client", "client")
    ca.sign("old_client", "client", days=-1)
    return folder


def tls_broker(tmp_path, c, name="broker"):
    lines = (f"cafile {c}/ca.pem", f"certfile {c}/{name}.pem", f"keyfile {c}/{name}.key", "require_certificate true")
    return Mosquitto(tmp_path, *lines)


def secure(port, c, client="client", ca="ca"):
    return at(port, host="localhost", tls=True, ca_file=f"{c}/{ca}.pem", client_cert=f"{c}/{client}.pem", client_key=f"{c}/{client}.key")


def test_tls_with_certificates_of_both_sides(tmp_path, certificates):
    with tls_broker(tmp_path, certificates) as broker, node(tmp_path, secure(broker.port, certificates)) as (outbox, *_):
        put(outbox, range(100))
        delivered(outbox)


def test_certificates_that_are_not_trusted_are_said_and_new_ones_are_taken_without_a_restart(tmp_path, certificates):
    c = certificates
    files = ["client", "stranger"]
    with tls_broker(tmp_path, c) as broker, node(tmp_path, lambda: secure(broker.port, c, *files)) as (outbox, session, _):
        put(outbox, range(3))
        until(lambda: "its certificate is not trusted: " in session.state)
        files[:] = ["old_client", "ca"]
        until(lambda: "certificate expired" in session.state or "closed the connection before it answered" in session.state)
        files[:] = ["missing", "ca"]
        until(lambda: "missing.pem' does not exist" in session.state)
        assert len(outbox) == 3
        files[:] = ["client", "ca"]
        delivered(outbox)


def test_a_broker_whose_certificate_has_expired_gets_nothing_until_it_has_a_new_one(tmp_path, certificates):
    broker = tls_broker(tmp_path, certificates, "old_broker")
    with node(tmp_path, secure(broker.port, certificates)) as (outbox, session, _):
        with broker:
            put(outbox, range(3))
            until(lambda: "its certificate is not trusted: certificate has expired" in session.state)
            assert len(outbox) == 3
        broker.config.write_text(broker.config.read_text().replace("old_broker", "broker"))
        with broker:
            delivered(outbox)


# --- pace


def test_alerts_that_have_waited_are_not_sent_faster_than_told(tmp_path, mosquitto):
    with node(tmp_path, at(mosquitto.port), rate=20) as (outbox, session, _):
        assert session.wait(10)
        start = time.monotonic()
        put(outbox, range(40))
        delivered(outbox)
        assert time.monotonic() - start > 0.9, "20 at once, 20 in the second that follows"


def test_pauses_double_up_to_the_longest_and_are_shortened_by_chance():
    dice = random.Random(7)
    for failures, longest in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10_000, 60)):
        drawn = [pause(failures, False, (1, 60), dice) for _ in range(200)]
        assert longest / 2 <= min(drawn) < 0.55 * longest and 0.95 * longest < max(drawn) <= longest
    assert 30 <= pause(1, True, (1, 60), dice) <= 60, "haste mends no wrong password"


def test_hundreds_of_failed_attempts_leave_no_file_descriptor(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Misbehaving(acknowledges=lambda count: None) as broker:
        before = files()
        for definition in (at(port), at(broker.port)):
            with Session(definition, pause_s=(1e-4, 1e-4)) as session:
                attempts = []
                session._random = Counting(attempts)
                session.on_connect.append(lambda: session.publish(Message("a", b"{}")))
                until(lambda: len(attempts) > 300)  # noqa: B023
        assert files() <= before + len(broker._connections) + 3


class Counting(random.Random):
    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def uniform(self, a, b):
        self.calls.append(a)
        return a


def files():
    return len(list(Path("/proc/self/fd").iterdir()))


# --- a session


def test_the_will_is_published_when_a_process_is_killed_and_not_when_it_says_goodbye(mosquitto):
    code = (
        "import sys, time; from tinystream.app.sinks import Mqtt; from tinystream.node.session import Message, Session\n"
        "with Session(Mqtt('x', port=int(sys.argv[1])), Message('status', b'\"gone\"', 1, True)) as session:\n"
        "    session.wait(20); session.publish(Message('status', b'\"here\"', 1, True), lambda ok: print('told', ok, flush=True))\n"
        "    sys.stdin.readline()"
    )
    with Subscriber(mosquitto.port) as subscriber:
        for killed in (False, True):
            other = subprocess.Popen(
                [sys.executable, "-c", code, str(mosquitto.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert other.stdout.readline() == "told True\n"
            if killed:
                other.kill()
            other.communicate("\n")
            assert other.returncode == (-signal.SIGKILL if killed else 0)
            assert [x for *_, x in subscriber.get(1 + killed)] == ["here", "gone"][: 1 + killed]


def test_births_come_at_each_connection_after_subscriptions(tmp_path):
    with Mosquitto(tmp_path) as broker:
        session = Session(at(broker.port, version="5"), **QUICK)
        heard, births = [], []
        session.subscribe("settings/+", lambda message: heard.append((message.topic, message.payload)))
        session.on_connect.append(lambda: births.append(session.connection))
        session.on_connect.append(lambda: session.publish(Message("settings/me", b"hello")))
        with session:
            until(lambda: len(heard) == 1)
            broker.kill()
            until(lambda: not session.connected)
            broker.start()
            until(lambda: len(heard) == 2)
            session.subscribe("late", lambda message: heard.append(message.payload))
            session.publish(Message("other", b"not for us"))
            session.publish(Message("late", b"for us"))
            until(lambda: len(heard) == 3)
        assert births == [1, 2] and heard == [("settings/me", b"hello")] * 2 + [b"for us"]


def test_without_a_connection_what_is_published_is_refused_at_once(mosquitto):
    session, answers = Session(at(mosquitto.port), **QUICK), []
    session.publish(Message("a", b""), answers.append)
    assert answers == [False] and session.state == "the broker: not yet tried"
    with session:
        assert session.wait(10)
        session.publish(Message("a", b""), answers.append, connection=7)
        session.publish(Message("a/#", b""), answers.append)
        assert answers == [False] * 3 and "wildcard" in session.refusal
        session.publish(Message("a", b""), answers.append)
        session.publish(Message("a", b"", qos=0), answers.append)
        until(lambda: answers == [False] * 3 + [True] * 2)


def test_callers_that_fail_do_not_end_the_session(mosquitto):
    def fails(*_):
        raise ZeroDivisionError

    session, answers = Session(at(mosquitto.port), **QUICK), []
    session.on_connect.append(fails)
    session.subscribe("a", fails)
    with session:
        assert session.wait(10)
        session.publish(Message("a", b""), fails)
        session.publish(Message("a", b""), answers.append)
        until(lambda: answers == [True])
        assert session.connected


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_message_that_is_too_large_is_not_taken_and_alerts_go_on(tmp_path, mosquitto, version):
    with Subscriber(mosquitto.port, "alerts/#"):
        large = Session(at(mosquitto.port), **QUICK)
        with large:
            assert large.wait(10)
            large.publish(Message("settings", bytes(200_000), retain=True), (answer := []).append)
            until(lambda: answer == [True])
        heard = []
        with Outbox(tmp_path / "o.db") as outbox:
            session = Session(at(mosquitto.port, version=version), **QUICK)
            session.subscribe("settings", lambda message: heard.append(message))
            with session, Delivery(outbox, session, write):
                if version == "3.1.1":
                    until(lambda: "it sent a message of 2000" in session.state and "at most 65536 are taken" in session.state)
                put(outbox, range(5))
                delivered(outbox)
        assert heard == []


def test_rubbish_from_a_broker_ends_the_connection_and_nothing_else(tmp_path):
    dice = random.Random(5)
    with Misbehaving(sends=lambda connection: dice.randbytes(64) if connection < 15 else b"") as broker:
        with node(tmp_path, at(broker.port), pause_s=(0.01, 0.01), acknowledge_s=0.3) as (outbox, session, _):
            session.subscribe("#", lambda message: None)
            put(outbox, range(30))
            delivered(outbox)
            until(lambda: len(broker.published) > 2 or session.connected)


def test_many_threads_may_publish(mosquitto):
    answers = []
    with Subscriber(mosquitto.port) as subscriber, Session(at(mosquitto.port), **QUICK) as session:
        assert session.wait(10)

        def some(who):
            for i in range(50):
                session.publish(Message(f"a/{who}", str(i).encode()), answers.append)

        threads = [threading.Thread(target=some, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: len(answers) == 200)
        got = subscriber.get(200)
        for who in range(4):
            assert [x for topic, _, x in got if topic == f"a/{who}"] == list(range(50))
    assert all(answers)


# --- the password's file


def test_a_password_is_read_from_a_file(tmp_path):
    file = tmp_path / "password"
    environ = {"TINYSTREAM_USERNAME": "me", "TINYSTREAM_PASSWORD_FILE": str(file)}
    with pytest.raises(SinkError, match="cannot be read: no such file"):
        resolve(at(1), environ)
    for content, password in ((b"se cret\n", "se cret"), (b"secret", "secret"), (b"secret\r\nmore", "secret")):
        file.write_bytes(content)
        assert resolve(at(1), environ).password == password
    assert resolve(at(1), environ | {"TINYSTREAM_PASSWORD": "other"}).password == "other"
    for content, what in ((b"\n", "holds no password"), (b"\xff\xfe", "cannot be read")):
        file.write_bytes(content)
        with pytest.raises(SinkError, match=what) as e:
            resolve(at(1), environ)
        assert "PASSWORD_FILE" in str(e.value)
