"""Alerts to an MQTT broker, each kept until the broker has acknowledged it."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from threading import Condition
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from tinystream.app.secrets import resolve_secrets
from tinystream.app.sinks import Mqtt
from tinystream.errors import AppError, SinkError
from tinystream.io.delivery import Event, Managed, encode, undelivered

VERSIONS = {"3.1.1": paho.MQTTv311, "5": paho.MQTTv5}
ESCAPED = str.maketrans({c: f"%{ord(c):02X}" for c in "%+#/\0"})  # what a label must not do to a topic

# What a broker's refusal means to a person, by the reason's name in MQTT 5 (older codes are mapped to these names).
CREDENTIALS = ("user name or password refused", "TINYSTREAM_USERNAME and TINYSTREAM_PASSWORD in the environment")
REFUSALS = {
    "Bad user name or password": CREDENTIALS,
    "Not authorized": CREDENTIALS,
    "Client identifier not valid": ("client id refused", "client_id = another name, or none for a random one"),
    "Unsupported protocol version": ("it does not speak this version of MQTT", 'version = "3.1.1" or "5"'),
    "Banned": ("this client is banned", "ask the broker's keeper"),
    "Bad authentication method": CREDENTIALS,
}
PASSING = ("Server unavailable", "Server busy", "Quota exceeded", "Connection rate exceeded")  # worth another try
PASSWORD_LIMIT = 65_535  # characters; MQTT allows as many bytes
START = "start a broker there, or --broker host:port"


class MqttSink(Managed):
    """One connection.  A lost one is tried again `tries` times, with doubling pauses that sum to `retry_s`.

    connect_s: longest wait for the broker to answer at open().
    flush_s:   longest wait for acknowledgements at flush() and close().

    Events stay in order as long as one connection lasts; after a loss those without an acknowledgement are sent
    again, first ones first, so that a subscriber may see one twice: `sequence` tells.
    """

    def __init__(self, definition: Mqtt, *, tries: int = 3, retry_s: float = 5.0, connect_s: float = 5.0, flush_s: float = 10.0):
        self.definition = definition
        self.tries = tries
        self.retry_s = retry_s
        self.connect_s = connect_s
        self.flush_s = flush_s
        self.delivered = 0
        self._news = Condition()
        self._client: paho.Client | None = None
        self._forget()

    def _forget(self) -> None:
        """A new connection owes nothing: what the last one did not deliver was named in its error."""
        self._pending: dict[int, Event] = {}  # by message id, in the order sent; touched by the caller's thread only
        self._answers: dict[int, ReasonCode] = {}  # message id -> the broker's answer; filled by paho's thread
        self._refused: list[Event] = []  # answered with a refusal
        self._refusal = ""  # of the last of them
        self._unsent: list[Event] = []  # came after the sink gave up
        self._connected = False
        self._failures = 0  # attempts in a row
        self._counted = False  # this attempt is among them, though its connection still has to close
        self._lost = ""  # why there is no connection
        self._gave_up: tuple[str, str] | None = None  # why, and what to do

    def __repr__(self) -> str:
        return f"MqttSink({self.where}, topic={self.definition.topic!r})"  # no secrets

    @property
    def where(self) -> str:
        host = self.definition.host
        return f"broker {f'[{host}]' if ':' in host else host}:{self.definition.port}"

    def open(self) -> None:
        self._forget()
        client = self._client = self._new_client()
        try:
            client.connect(self.definition.host, self.definition.port, self.definition.keepalive_s)
        except (OSError, ValueError) as e:
            self._client = None
            raise SinkError(f"{self.where}: {why(e)}", way_out(e)) from None
        client.loop_start()
        self._wait(lambda: self._connected or self._gave_up or self._lost, self.connect_s)
        if self._connected:
            return
        silent = f"accepted the connection, but did not answer within {self.connect_s:g} s"
        what, help = self._gave_up or (
            self._lost or silent,
            "is it an MQTT broker?  A port with TLS needs tls = true, another MQTT its version",
        )
        self._stop()
        raise SinkError(f"{self.where}: {what}", help)

    def send(self, event: Event) -> None:
        assert self._client is not None, "open() comes first"
        self._settle()
        if self._gave_up:
            self._unsent.append(event)
            raise self._error(*self._gave_up)
        topic = self.definition.topic.format(label=_level(event.get("label")), app=_level(event.get("app")))
        sent = self._client.publish(topic, encode(event).encode(), qos=self.definition.qos)
        if sent.rc == paho.MQTT_ERR_QUEUE_SIZE:
            self._unsent.append(event)
            raise self._error("65535 alerts wait for an acknowledgement", START)
        self._pending[sent.mid] = event

    def flush(self) -> list[Event]:
        def settled() -> bool:
            self._settle()
            return not self._pending or self._gave_up is not None

        self._wait(settled, self.flush_s)
        return self.unacknowledged()

    def unacknowledged(self) -> list[Event]:
        return [*self._refused, *self._pending.values(), *self._unsent]

    def close(self) -> None:
        if self._client is None:
            return
        self.flush()
        what, help = self._reason()
        self._stop()
        if self.unacknowledged():
            raise self._error(what, help)

    def _reason(self) -> tuple[str, str]:
        """Why some alerts were not acknowledged, and what to do."""
        if self._gave_up:
            return self._gave_up
        if self._refused:
            return f"refused: {self._refusal}", "may this user publish to this topic?"
        if not self._connected:
            return self._lost, START
        return f"no acknowledgement within {self.flush_s:g} s", "is the broker overloaded?  Their delivery is uncertain"

    def _error(self, what: str, help: str) -> SinkError:
        return undelivered(self.where, what, help, self.delivered, self.unacknowledged())

    def _settle(self) -> None:
        """Take in what the broker has answered.  No lock: paho's thread adds answers, only this one removes them."""
        for mid in list(self._answers):
            if mid not in self._pending:
                continue
            event, answer = self._pending.pop(mid), self._answers.pop(mid)
            if answer.is_failure:
                self._refused.append(event)
                self._refusal = answer.getName().lower()
            else:
                self.delivered += 1

    def _wait(self, done: Any, seconds: float) -> None:
        with self._news:
            self._news.wait_for(done, seconds)

    def _stop(self) -> None:
        assert self._client is not None, "open() comes first"
        self._client.disconnect()
        self._client.loop_stop()
        self._client = None

    def _new_client(self) -> paho.Client:
        k = self.definition
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=k.client_id or f"tinystream-{token_hex(4)}", protocol=VERSIONS[k.version]
        )
        if k.username is not None:
            client.username_pw_set(k.username, k.password)
        if k.tls:
            client.tls_set_context(tls_context(k))
        client.connect_timeout = self.connect_s
        client.max_queued_messages_set(0)  # no limit: alerts are few, and none is dropped
        pause = self.retry_s / (2**self.tries - 1)
        client.reconnect_delay_set(pause, pause * 2 ** (self.tries - 1))
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_publish = self._on_connect_fail, self._on_publish
        return client

    # From here on: called by paho's thread.

    def _on_connect(self, client: paho.Client, _: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if not reason.is_failure:
            self._failures = 0
            self._tell(connected=True, lost="")
            return
        name = reason.getName()
        what, help = REFUSALS.get(name, (f"refused: {name.lower()}", START))
        self._counted = True
        self._failed(client, what, help, final=name not in PASSING)

    def _on_connect_fail(self, client: paho.Client, _: Any) -> None:
        error = sys.exc_info()[1]  # paho calls this where it handles the error, and does not pass it on
        self._failed(client, f"connection lost, and not to be had again: {why(error) if error else 'no answer'}", START)

    def _on_disconnect(self, client: paho.Client, _: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        answered, counted, self._counted = self._connected, self._counted, False
        if answered:
            said = f": {reason.getName().lower()}" if flags.is_disconnect_packet_from_server else ""
            self._tell(connected=False, lost=f"connection lost{said}")
        elif not counted:
            self._failed(client, "closed the connection before it answered", START)

    def _failed(self, client: paho.Client, what: str, help: str, final: bool = False) -> None:
        """One more attempt has failed: too many in a row, or one that no retry can mend, end it."""
        self._failures += 1
        if final or self._failures >= self.tries:
            self._tell(connected=False, lost=what, gave_up=(what, help))
            client.disconnect()  # ends paho's own retries
        else:
            self._tell(connected=False, lost=what)

    def _on_publish(self, client: paho.Client, _: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        self._answers[mid] = reason
        with self._news:
            self._news.notify_all()

    def _tell(self, connected: bool, lost: str, gave_up: tuple[str, str] | None = None) -> None:
        with self._news:
            self._connected, self._lost = connected, lost
            self._gave_up = self._gave_up or gave_up
            self._news.notify_all()


def resolve(definition: Mqtt, environ: Mapping[str, str], broker: str | None = None) -> Mqtt:
    """The definition with today's broker: `broker` (a flag) before the environment before what the app says.

    ${NAME} in what remains is replaced from the environment.  TINYSTREAM_BROKER and the flag are host, host:port,
    mqtt://host:port or mqtts://host:port (TLS, port 8883).  TINYSTREAM_PASSWORD_FILE names a file with the password.
    """
    today: dict[str, Any] = {}
    for source, address in (("--broker", broker), ("TINYSTREAM_BROKER", environ.get("TINYSTREAM_BROKER"))):
        if address:
            today |= _address(source, address)
            break
    if "TINYSTREAM_USERNAME" in environ:
        today["username"] = environ["TINYSTREAM_USERNAME"]
    if "TINYSTREAM_PASSWORD" in environ:
        today["password"] = environ["TINYSTREAM_PASSWORD"]
    elif environ.get("TINYSTREAM_PASSWORD_FILE"):
        today["password"] = _password(environ["TINYSTREAM_PASSWORD_FILE"])
    rest = resolve_secrets(definition.model_copy(update=dict.fromkeys(today)), environ)
    options = {name: getattr(rest, name) for name in definition.model_fields_set}
    try:
        return Mqtt(**(options | today))
    except AppError as e:
        raise SinkError(e.what, "TINYSTREAM_USERNAME in the environment" if e.path == ("password",) else e.help) from None


def _password(file: str) -> str:
    """The first line of a file; a line break at its end is none of the password."""
    try:
        with Path(file).open(encoding="utf-8") as lines:
            password = lines.read(PASSWORD_LIMIT).partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as e:
        raise SinkError(f"TINYSTREAM_PASSWORD_FILE '{file}' cannot be read: {why(e)}", "a text file that this user may read") from None
    if not password:
        raise SinkError(f"TINYSTREAM_PASSWORD_FILE '{file}' holds no password", "the password alone, on its first line")
    return password


def _address(source: str, address: str) -> dict[str, Any]:
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port == 0 or parts.scheme not in ("", "mqtt", "mqtts") or parts.path.strip("/") or parts.username is not None:
        shown = address.rpartition("@")[2]  # whatever stands before it may be a password
        raise SinkError(f"{source} '{shown}' is not host:port", f"{source}{'=' if source.isupper() else ' '}192.168.1.5:1883")
    today: dict[str, Any] = {"host": host}
    if port or parts.scheme:
        today["port"] = port or (8883 if parts.scheme == "mqtts" else 1883)
    if parts.scheme == "mqtts":
        today["tls"] = True
    return today


def _level(name: Any) -> str:
    return "unknown" if name is None else str(name).translate(ESCAPED)


def tls_context(k: Mqtt) -> ssl.SSLContext:
    """Checks the broker's certificate and its name; SinkError names the file that does not fit."""
    for name in ("ca_file", "client_cert", "client_key"):
        path = getattr(k, name)
        if path is not None and not Path(path).is_file():
            raise SinkError(f"{name} '{path}' does not exist", f"{name} = a PEM file")
    try:
        context = ssl.create_default_context(cafile=k.ca_file)
    except ssl.SSLError:
        raise SinkError(f"ca_file '{k.ca_file}' holds no certificate in PEM", "openssl x509 -in ca.der -inform der -out ca.pem") from None
    if k.client_cert is not None:
        try:
            context.load_cert_chain(k.client_cert, k.client_key, password=lambda: "")  # never ask on the terminal
        except ssl.SSLError as e:
            raise SinkError(
                f"client_cert '{k.client_cert}' and client_key '{k.client_key}' do not fit: {why(e)}",
                "both in PEM, the key without a pass phrase",
            ) from None
    return context


def why(e: BaseException) -> str:
    """An error of the network in words."""
    if isinstance(e, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {e.verify_message.rstrip('.').lower() if e.verify_message else e}"
    if isinstance(e, ssl.SSLError):
        return (
            "does not speak TLS on this port"
            if e.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
            else f"TLS failed: {(e.reason or str(e)).lower().replace('_', ' ')}"
        )
    if isinstance(e, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(e, socket.gaierror):
        return "there is no host of this name"
    if isinstance(e, TimeoutError):
        return "no answer"
    if isinstance(e, ConnectionError):
        return "closed the connection"
    return (getattr(e, "strerror", None) or str(e)).lower()


def way_out(e: BaseException) -> str:
    if isinstance(e, ssl.SSLCertVerificationError):
        return "ca_file = the PEM of the authority that signed it; host = the name that is in it"
    if isinstance(e, ssl.SSLError):
        return "the port with TLS is 8883 by custom; tls = false without"
    return START
