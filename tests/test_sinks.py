"""Does every alert arrive, or is it named?  Against two real brokers and real files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from brokers import Mosquitto, Subscriber
from pydantic import ValidationError

from tinystream.app.kinds import SINKS
from tinystream.app.sinks import File, Mqtt, Stdout
from tinystream.errors import AppError, SinkError, TinystreamError
from tinystream.io.broker import EmbeddedBroker
from tinystream.io.jsonl import Lines, Stream
from tinystream.io.mqtt import MqttSink, resolve
from tinystream.io.sink import open_sinks, sink_of

needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


def event(i, label="yes"):
    return {
        "app": "wake",
        "definition": "3f0c",
        "sequence": i,
        "label": label,
        "score": 0.5,
        "sample": i * 320,
        "time_s": i * 0.02,
        "recording": "a.wav",
    }


def events(n):
    return [event(i, ("yes", "no")[i % 2]) for i in range(n)]


def at(port, topic="home/{app}/{label}", **options):
    return Mqtt(topic, port=port, **options)


@pytest.fixture
def embedded():
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def mosquitto(tmp_path):
    with Mosquitto(tmp_path) as broker:
        yield broker


# --- delivery


@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_subscriber_gets_exactly_the_alerts_in_order(request, kind, qos):
    broker = request.getfixturevalue(kind)
    sent = events(200)
    with Subscriber(broker.port, qos=qos) as subscriber:
        with MqttSink(at(broker.port, qos=qos)) as sink:
            for e in sent:
                sink.send(e)
            assert sink.flush() == [] and sink.delivered == 200
        assert subscriber.get(200) == [(f"home/wake/{e['label']}", qos, e) for e in sent]


def test_mqtt_5_delivers_too(mosquitto):
    with Subscriber(mosquitto.port) as subscriber:
        with MqttSink(at(mosquitto.port, version="5")) as sink:
            sink.send(event(1))
        assert subscriber.get(1) == [("home/wake/yes", 1, event(1))]
    assert "p5" in mosquitto.log.read_text()


def test_a_label_stays_one_level_of_the_topic(mosquitto):
    with Subscriber(mosquitto.port) as subscriber:
        with MqttSink(at(mosquitto.port)) as sink:
            sink.send(event(1, "a/b+#%é"))
        assert [topic for topic, *_ in subscriber.get(1)] == ["home/wake/a%2Fb%2B%23%25é"]


def test_send_does_not_wait_for_the_broker(tmp_path):
    with Mosquitto(tmp_path) as broker, MqttSink(at(broker.port), retry_s=20) as sink:
        broker.kill()
        start = time.monotonic()
        for e in events(100):
            sink.send(e)
        assert time.monotonic() - start < 0.5
        broker.start()


def test_a_broker_that_comes_back_gets_everything_in_order(tmp_path):
    sent = events(60)
    with Mosquitto(tmp_path) as broker, MqttSink(at(broker.port), tries=5, retry_s=15) as sink:
        for e in sent[:20]:
            sink.send(e)
        assert sink.flush() == []
        broker.kill()
        for e in sent[20:]:
            sink.send(e)
        with broker, Subscriber(broker.port) as subscriber:
            assert sink.flush() == [] and sink.delivered == 60
            assert [e for _, _, e in subscriber.get(40)] == sent[20:]


def test_a_broker_killed_in_the_middle_leaves_every_alert_delivered_or_named(tmp_path):
    sent = events(30)
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port) as subscriber:
        sink = MqttSink(at(broker.port), retry_s=0.5)
        with pytest.raises(SinkError) as e, sink:
            for x in sent[:18]:
                sink.send(x)
            assert sink.flush() == []
            arrived = [x for _, _, x in subscriber.get(18)]
            broker.kill()
            for x in sent[18:]:
                sink.send(x)
    assert arrived == sent[:18]
    assert e.value.delivered == 18 and list(e.value.undelivered) == sent[18:]
    said = str(e.value)
    assert f"12 of 30 alerts not delivered to broker 127.0.0.1:{broker.port}, 18 delivered: connection lost" in said
    assert "nobody listens there" in said
    assert all(f"#{x['sequence']} '{x['label']}' at {x['time_s']:.3f} s of a.wav" in said for x in sent[18:])


def test_once_given_up_a_sink_says_so_at_the_next_alert_and_can_be_opened_again(tmp_path):
    with Mosquitto(tmp_path) as broker:
        sink = MqttSink(at(broker.port), retry_s=0.2)
        sink.open()
        broker.kill()
        time.sleep(1)
        with pytest.raises(SinkError) as e:
            sink.send(event(7))
        assert e.value.undelivered == (event(7),) and "1 of 1 alert not delivered" in str(e.value)
        with pytest.raises(SinkError) as e:
            sink.close()
        assert e.value.undelivered == (event(7),)
        with broker, sink:
            sink.send(event(8))
        assert sink.delivered == 1


def test_an_error_of_the_caller_is_kept_and_gets_the_alerts_as_a_note(tmp_path):
    with Mosquitto(tmp_path) as broker:
        with pytest.raises(ZeroDivisionError) as e, MqttSink(at(broker.port), retry_s=0.2) as sink:
            broker.kill()
            sink.send(event(3))
            raise ZeroDivisionError
        assert "not delivered: #3 'yes'" in e.value.__notes__[0]


def test_many_lost_alerts_are_all_in_the_error_and_summed_up_in_its_words(tmp_path):
    with Mosquitto(tmp_path) as broker:
        with pytest.raises(SinkError) as e, MqttSink(at(broker.port), retry_s=0.2) as sink:
            broker.kill()
            for x in events(50):
                sink.send(x)
        assert len(e.value.undelivered) == 50 and "and 30 more, up to #49" in str(e.value) and str(e.value).count("not delivered: #") == 20


# --- brokers that do not want us


def refused(definition, **options):
    with pytest.raises(SinkError) as e, MqttSink(definition, **options):
        pass
    assert e.value.help and e.value.undelivered == ()
    return str(e.value)


def test_where_nobody_listens_the_error_says_so_at_once():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = time.monotonic()
    assert f"broker 127.0.0.1:{port}: nobody listens there" in refused(at(port))
    assert time.monotonic() - start < 1


def test_a_host_that_does_not_exist_is_named():
    said = refused(at(1883, host="no-such-host.invalid"))
    assert "broker no-such-host.invalid:1883: there is no host of this name" in said or "name resolution" in said


def test_a_listener_that_is_mute_or_hangs_up_is_no_broker():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "did not answer within 0.3 s" in refused(at(server.getsockname()[1]), connect_s=0.3)

        def hang_up():
            for _ in range(2):
                server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        assert "closed the connection before it answered" in refused(at(server.getsockname()[1]))


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_refused_password_is_said_and_never_shown(tmp_path, version):
    tool = shutil.which("mosquitto_passwd")
    if not tool:
        pytest.skip("mosquitto_passwd is not installed")
    passwords = tmp_path / "passwords"
    subprocess.run([tool, "-b", "-c", passwords, "node", "right-one"], check=True, capture_output=True)
    with Mosquitto(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
        for options in ({"username": "node", "password": "wrong-one"}, {}):
            definition = at(broker.port, version=version, **options)
            said = refused(definition)
            assert f"broker 127.0.0.1:{broker.port}: user name or password refused" in said and "TINYSTREAM_PASSWORD" in said
            assert "wrong-one" not in said + repr(definition) + repr(MqttSink(definition))
        right = resolve(at(broker.port, version=version), {"TINYSTREAM_USERNAME": "node", "TINYSTREAM_PASSWORD": "right-one"})
        with Subscriber(broker.port, username="node", password="right-one") as subscriber:
            with MqttSink(right) as sink:
                sink.send(event(1))
            assert subscriber.get(1)[0][2] == event(1)


def test_a_broker_that_forbids_the_topic_leaves_the_alert_undelivered(tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite home/wake/yes\n")
    with Mosquitto(tmp_path, f"acl_file {acl}") as broker:
        with pytest.raises(SinkError) as e, MqttSink(at(broker.port, version="5")) as sink:
            for x in events(2):
                sink.send(x)
        assert e.value.undelivered == (event(1, "no"),) and e.value.delivered == 1 and "refused: not authorized" in str(e.value)


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and what it signed: a broker at localhost and a client; and an authority that signed neither."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",  # without it OpenSSL trusts no authority where it is strict
        )
    for name in ("localhost", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text(f"subjectAltName=DNS:{name}")
        signed_by_ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed_by_ca)
    return folder


@pytest.fixture
def tls_broker(tmp_path, certificates):
    c = certificates
    with Mosquitto(
        tmp_path, f"cafile {c}/ca.pem", f"certfile {c}/localhost.pem", f"keyfile {c}/localhost.key", "require_certificate true"
    ) as broker:
        yield broker


def test_tls_checks_both_sides_and_delivers(tls_broker, certificates):
    c = certificates
    secure = dict(host="localhost", tls=True, ca_file=f"{c}/ca.pem", client_cert=f"{c}/client.pem", client_key=f"{c}/client.key")
    with MqttSink(at(tls_broker.port, **secure)) as sink:
        sink.send(event(1))
    assert sink.delivered == 1
    strangers = secure | dict(ca_file=f"{c}/other.pem")
    assert "its certificate is not trusted: " in (said := refused(at(tls_broker.port, **strangers))) and "ca_file" in said
    assert "its certificate is not trusted: ip address mismatch" in refused(at(tls_broker.port, **(secure | {"host": "127.0.0.1"})))
    nobody = {name: secure[name] for name in ("host", "tls", "ca_file")}
    said = refused(at(tls_broker.port, **nobody))
    assert "TLS failed" in said or "closed the connection before it answered" in said
    assert "closed the connection before it answered" in (said := refused(at(tls_broker.port))) and "tls = true" in said


def test_tls_to_a_port_without_it_is_said(mosquitto):
    said = refused(at(mosquitto.port, tls=True), connect_s=1)
    assert "TLS" in said or "no answer" in said or "closed the connection" in said


def test_certificate_files_that_do_not_fit_are_named(certificates, tmp_path):
    c = certificates
    (tmp_path / "text.pem").write_text("no certificate")
    assert "ca_file 'none.pem' does not exist" in refused(at(1, tls=True, ca_file="none.pem"))
    assert "text.pem' holds no certificate in PEM" in refused(at(1, tls=True, ca_file=str(tmp_path / "text.pem")))
    assert "do not fit: " in refused(at(1, tls=True, client_cert=f"{c}/client.pem", client_key=f"{c}/ca.key"))


# --- definitions


def test_kinds_and_positions():
    assert {kind: sink.__name__ for kind, sink in SINKS.items()} == {"mqtt": "Mqtt", "stdout": "Stdout", "file": "File"}
    assert Mqtt("a/{label}") == Mqtt(topic="a/{label}") == Mqtt.model_validate({"topic": "a/{label}"})
    assert File("a.jsonl") == File(path="a.jsonl")
    for wrong in ({"topic": "a", "prot": 1}, {"topic": "a", "port": 0}, {"topic": "a", "qos": 0}, {"topic": "a", "port": "1883"}, {}):
        with pytest.raises(ValidationError):
            Mqtt(**wrong)


@pytest.mark.parametrize(
    ("topic", "what"),
    [
        ("home/#", "wildcard '#'"),
        ("home/+/x", "wildcard"),
        ("home/{name}", "unknown placeholder '{name}'"),
        ("home/{}", "unknown placeholder '{}'"),
        ("home/{label!r}", "unknown placeholder"),
        ("home/{label:>9}", "unknown placeholder"),
        ("home/{label", "expected '}'"),
        ("", "a topic has a character"),
        ("$SYS/x", "does not begin with"),
        ("a" * 1025, "1025 bytes, limit 1024"),
    ],
)
def test_a_topic_that_cannot_be_published_to_is_refused(topic, what):
    with pytest.raises(AppError) as e:
        Mqtt(topic)
    assert e.value.path == ("topic",) and what in str(e.value) and "{label}" in e.value.help


def test_options_that_need_others_are_refused_without_them():
    for options, path in (
        ({"password": "x"}, "password"),
        ({"ca_file": "ca.pem"}, "ca_file"),
        ({"tls": True, "client_cert": "c.pem"}, "client_cert"),
        ({"tls": True, "client_key": "c.key"}, "client_key"),
    ):
        with pytest.raises(AppError) as e:
            Mqtt("a", **options)
        assert e.value.path == (path,)


def test_flags_come_before_the_environment_and_that_before_the_app():
    app = Mqtt("a", host="app", port=7, keepalive_s=5)
    environ = {"TINYSTREAM_BROKER": "mqtts://field", "TINYSTREAM_USERNAME": "me", "TINYSTREAM_PASSWORD": "secret"}
    assert resolve(app, {}) == app
    field = resolve(app, environ)
    assert (field.host, field.port, field.tls, field.username, field.password) == ("field", 8883, True, "me", "secret")
    assert (field.topic, field.keepalive_s) == ("a", 5)
    desk = resolve(app, environ, "desk:99")
    assert (desk.host, desk.port, desk.tls) == ("desk", 99, False)
    assert (resolve(app, {}, "desk").host, resolve(app, {}, "desk").port) == ("desk", 7)
    assert (resolve(app, {}, "[::1]:8").host, resolve(app, {}, "mqtt://h").port) == ("::1", 1883)


@pytest.mark.parametrize("address", ["host:port", "host:70000", "http://host", ":1883", "host/path", "host:0", "mqtt://me:secret@host"])
def test_an_address_that_is_none_is_refused_without_showing_a_secret(address):
    with pytest.raises(SinkError) as e:
        resolve(Mqtt("a"), {}, address)
    assert "is not host:port" in str(e.value) and "--broker" in str(e.value) and "secret" not in str(e.value)
    with pytest.raises(SinkError, match="TINYSTREAM_BROKER"):
        resolve(Mqtt("a"), {"TINYSTREAM_BROKER": address})


def test_a_password_without_a_user_name_is_refused():
    with pytest.raises(SinkError, match="without a user name"):
        resolve(Mqtt("a"), {"TINYSTREAM_PASSWORD": "secret"})


def test_each_definition_has_its_sink(tmp_path):
    assert isinstance(sink_of(Stdout(), {}), Stream)
    assert sink_of(File("a.jsonl", append=False), {}).append is False
    assert sink_of(Mqtt("a"), {}, "h:5").where == "broker h:5"
    assert sink_of(File("${FOLDER}/a.jsonl"), {"FOLDER": str(tmp_path)}).path == tmp_path / "a.jsonl"


def test_references_to_the_environment_are_replaced_at_the_last_moment():
    app = Mqtt("${SITE}/{label}", username="${WHO}", password="${SECRET}")
    assert "SECRET" not in repr(app)
    today = resolve(app, {"SITE": "home", "WHO": "me", "SECRET": "a${b"})
    assert (today.topic, today.username, today.password) == ("home/{label}", "me", "a${b")
    assert "a${b" not in repr(today)
    assert resolve(app, {"SITE": "home", "TINYSTREAM_USERNAME": "x", "TINYSTREAM_PASSWORD": "${y}"}).password == "${y}"
    with pytest.raises(TinystreamError, match="environment variable SECRET is not set"):
        resolve(app, {"SITE": "home", "WHO": "me"})
    with pytest.raises(SinkError, match="wildcard"):
        resolve(app, {"SITE": "home/+", "WHO": "me", "SECRET": "x"})


def test_all_sinks_of_an_app_get_every_alert(tmp_path, mosquitto, capsys):
    path = tmp_path / "a.jsonl"
    with Subscriber(mosquitto.port) as subscriber:
        with open_sinks([Mqtt("a/{label}"), File(str(path)), Stdout()], {}, f"127.0.0.1:{mosquitto.port}") as sinks:
            for e in events(3):
                sinks.send(e)
            assert sinks.flush() == [] and sinks.delivered == 3
        assert [e for *_, e in subscriber.get(3)] == events(3)
    for text in (path.read_text(), capsys.readouterr().out):
        assert [json.loads(line) for line in text.splitlines()] == events(3)
    with open_sinks([], {}) as sinks:
        sinks.send(event(1))


def test_a_sink_that_fails_does_not_keep_the_others_from_an_alert(tmp_path):
    path = tmp_path / "a.jsonl"
    with Mosquitto(tmp_path) as broker:
        both = open_sinks([Mqtt("a"), File(str(path))], {}, f"127.0.0.1:{broker.port}")
        both.sinks[0].retry_s = 0.2
        with pytest.raises(SinkError) as e, both as sinks:
            broker.kill()
            sinks.send(event(1))
            time.sleep(1)
            sinks.send(event(2))
        assert e.value.undelivered == (event(1), event(2)) and len(path.read_text().splitlines()) == 2
        with (
            pytest.raises(SinkError, match="nobody listens"),
            open_sinks([File(str(path)), Mqtt("a")], {}, f"127.0.0.1:{broker.port}") as sinks,
        ):
            pass
        assert sinks_are_closed(both)


@needs_full_disk
def test_several_sinks_that_fail_are_all_named():
    with pytest.raises(SinkError) as e, open_sinks([File("/dev/full"), File("/dev/full")], {}) as sinks:
        sinks.send(event(1))
    assert "2 sinks failed" in str(e.value) and str(e.value).count("#1 'yes'") == 2 and len(e.value.undelivered) == 2


def sinks_are_closed(sinks):
    return sinks.sinks[0]._client is None and sinks.sinks[1]._file is None


# --- the embedded broker


def test_embedded_brokers_take_free_ports_of_this_machine_only_and_end():
    with EmbeddedBroker() as a, EmbeddedBroker() as b:
        ports = {a.port, b.port}
        assert len(ports) == 2
        with pytest.raises(SinkError, match=f"cannot listen at 127.0.0.1:{a.port}"), EmbeddedBroker(a.port):
            pass
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


# --- lines of JSON


def test_lines_are_strict_json_of_plain_numbers():
    out = io.StringIO()
    with Stream(out) as sink:
        sink.send(event(1) | {"score": np.float32(0.5), "sample": np.int64(7), "word": "né"})
        with pytest.raises(ValueError):
            sink.send({"score": float("nan")})
    assert json.loads(out.getvalue()) == event(1) | {"sample": 7, "word": "né"} and out.getvalue().endswith("}\n")
    assert sink.delivered == 1


def test_standard_output_gets_each_line_at_once(capsys):
    with sink_of(Stdout(), {}) as sink:
        sink.send(event(1))
        assert json.loads(capsys.readouterr().out) == event(1)


def test_a_reader_that_has_gone_is_an_error_that_names_the_alert():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, Stream(stream) as sink:
        sink.send(event(1))
        os.close(reading)
        with pytest.raises(SinkError) as e:
            sink.send(event(2))
        assert e.value.delivered == 1 and e.value.undelivered == (event(2),) and "its reader has gone" in str(e.value)
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def test_a_file_is_appended_to_or_new(tmp_path):
    path = tmp_path / "a.jsonl"
    for append in (True, True):
        with Lines(path, append) as sink:
            sink.send(event(1))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [event(1)] * 2
    with pytest.raises(SinkError, match="is there already"), Lines(path, append=False):
        pass
    with Lines(tmp_path / "b.jsonl", append=False) as sink:
        sink.send(event(2))
    assert sink.delivered == 1


def test_a_line_cut_by_a_crash_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"half": ')
    with Lines(path) as sink:
        sink.send(event(1))
    assert path.read_text().splitlines()[0] == '{"half": ' and json.loads(path.read_text().splitlines()[1]) == event(1)


def test_lines_of_several_programs_do_not_mix(tmp_path):
    path = tmp_path / "a.jsonl"
    code = (
        "import sys; from tinystream.io.jsonl import Lines\n"
        f"with Lines({str(path)!r}) as sink:\n"
        "    for i in range(300): sink.send({'who': sys.argv[1], 'i': i, 'pad': 'x' * 3000})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [w.wait() for w in writers] == [0, 0]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for name in "ab":
        assert [line["i"] for line in lines if line["who"] == name] == list(range(300))


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    for path, what in ((tmp_path / "none" / "a.jsonl", "folder .*none of the alert file does not exist"), (tmp_path, "is a directory")):
        with pytest.raises(SinkError, match=what), Lines(path):
            pass


@needs_full_disk
def test_a_full_disk_names_the_alert():
    with pytest.raises(SinkError) as e, Lines("/dev/full") as sink:
        sink.send(event(4))
    assert "1 of 1 alert not delivered to /dev/full, 0 delivered: no space left on device" in str(e.value)
    assert e.value.undelivered == (event(4),)
