"""One MQTT connection that never gives up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from random import Random
from threading import Condition, RLock, Thread
from typing import Any, NamedTuple

from paho.mqtt.client import topic_matches_sub

from tinystream.app.sinks import Mqtt
from tinystream.errors import TinystreamError
from tinystream.io.delivery import Managed
from tinystream.io.mqtt import PASSING, REFUSALS, why
from tinystream.node.connection import Connection, where
from tinystream.node.topics import Message

POLL_S = 0.5  # longest wait for the network; what is published meanwhile wakes it
log = logging.getLogger(__name__)


class Pending(NamedTuple):
    done: Callable[[bool], None]
    since: float


class Lost(Exception):
    """The end of a connection, in words for people."""

    def __init__(self, what: str, slowly: bool = False, silent: bool = False):
        super().__init__(what)
        self.slowly = slowly  # no haste mends it
        self.silent = silent  # we ended it, for the broker acknowledged nothing


class Session(Managed):
    """Connects, and connects again for ever, with pauses that double from one attempt to the next.  Use: `with Session(…)`, or start().

    definition:    of the broker, or what gives it: that is asked before each attempt, so that a new password or certificate is taken.
    will:          what the broker publishes once we are gone without a word, or what gives it for each connection.
    connect_s:     longest wait for the broker's answer to an attempt.
    acknowledge_s: longest wait for an acknowledgement: a broker that takes and never answers is left, and tried again.
    pause_s:       first and longest pause between attempts; each is shortened at random by up to half, so that a fleet does not return
                   as one.  A broker that refuses us is tried at the longest.
    steady_s:      a connection that lasted this long makes the next pause the first again.
    limit_bytes:   longest message that is received.

    All calls to the caller (`done`, handlers, on_connect) come from one thread of the session's.
    """

    def __init__(
        self,
        definition: Mqtt | Callable[[], Mqtt],
        will: Message | Callable[[], Message] | None = None,
        *,
        connect_s: float = 10.0,
        acknowledge_s: float = 30.0,
        pause_s: tuple[float, float] = (1.0, 60.0),
        steady_s: float = 30.0,
        limit_bytes: int = 65_536,
        random: Random | None = None,
    ):
        self.definition = definition if callable(definition) else lambda: definition
        self.will = will
        self.connect_s = connect_s
        self.acknowledge_s = acknowledge_s
        self.pause_s = pause_s
        self.steady_s = steady_s
        self.limit_bytes = limit_bytes
        self.on_connect: list[Callable[[], None]] = []  # called at each connection, once subscriptions are made: births
        self.connection = 0  # number of this connection; 0 while there is none
        self.refusal = ""  # why the broker refused the last message that it refused
        self.silent = False  # whether the last connection ended because the broker acknowledged nothing
        self._random = random or Random()
        self._where = "the broker"
        self._why = "not yet tried"
        self._logged = ""
        self._retry_at: float | None = None
        self._connections = 0
        self._handlers: dict[str, Callable[[Message], None]] = {}
        self._deaf_until = 0.0  # no subscriptions so long, for what came was too large; 0 where it hears
        self._wire: Connection | None = None  # only while connected
        self._pending: dict[int, Pending] = {}  # by message id, oldest first
        self._lock = RLock()
        self._news = Condition(self._lock)
        self._thread: Thread | None = None
        self._end_at: float | None = None  # close() was called: when to end at the latest

    def open(self) -> None:
        """Returns at once; `state` tells how the first attempt goes."""
        assert self._thread is None, "a session is opened once"
        self._end_at = None
        self._thread = Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    start = open

    @property
    def connected(self) -> bool:
        return self.connection != 0

    @property
    def state(self) -> str:
        """Such as "connected to broker 10.0.0.5:1883", or why not, for people."""
        with self._lock:
            if self.connection:
                deaf = f"; it hears nothing for a while: {self._why}" if self._deaf_until else ""
                return f"connected to {self._where}{deaf}"
            pause = f"; next attempt in {max(0.0, self._retry_at - time.monotonic()):.0f} s" if self._retry_at is not None else ""
            return f"{self._where}: {self._why}{pause}"

    def publish(self, message: Message, done: Callable[[bool], None] | None = None, connection: int | None = None) -> None:
        """Calls done(True) once the broker has acknowledged it; done(False) where it was refused, or nobody knows whether it arrived.

        Nothing is kept for a later connection: while there is none, done(False) is called before this returns.
        connection: publish on the connection of this number, or not at all.
        """
        done = done or (lambda _: None)
        with self._lock:
            if self._wire is not None and connection in (None, self.connection):
                try:
                    self._pending[self._wire.send(message)] = Pending(done, time.monotonic())
                    return
                except ValueError as e:
                    self.refusal = str(e).lower()
        done(False)

    def subscribe(self, topic: str, handler: Callable[[Message], None]) -> None:
        """Every message of this topic (a filter) goes to the handler, at this and all later connections."""
        with self._lock:
            self._handlers[topic] = handler
            if self._wire is not None and not self._deaf_until:
                self._wire.subscribe([topic])

    def wait(self, seconds: float) -> bool:
        """Waits for a connection; whether there is one."""
        with self._news:
            return self._news.wait_for(lambda: self.connected, seconds)

    def close(self, flush_s: float = 10.0) -> None:
        """Waits for acknowledgements, at most flush_s, and says goodbye, so that the will is not published."""
        if self._thread is None:
            return
        with self._news:
            self._end_at = time.monotonic() + flush_s
            self._news.notify_all()
        self._thread.join(flush_s + self.connect_s + 1)  # the system's look for a name cannot be cut short: the thread is left then
        self._thread = None

    # --- from here on in the session's own thread

    def _run(self) -> None:
        failures = 0
        while self._end_at is None:
            slowly, began = self._attempt()
            failures = 1 if began is not None and time.monotonic() - began >= self.steady_s else failures + 1
            self._pause(failures, slowly)

    def _attempt(self) -> tuple[bool, float | None]:
        """One connection from its beginning to its end: whether the next may wait, and since when it was connected."""
        connection: Connection | None = None
        slowly = silent = False
        try:
            definition = self.definition()
            self._where = where(definition)
            connection = Connection(definition, self.limit_bytes, self.connect_s, self.will() if callable(self.will) else self.will)
            connection.begin()
            self._serve(connection)
        except (Lost, TinystreamError) as e:
            self._why, slowly, silent = (str(e), e.slowly, e.silent) if isinstance(e, Lost) else (e.what, True, False)
        except (OSError, ValueError) as e:
            self._why = why(e)
        except Exception as e:  # of paho's or ours: an alert-only node goes on
            log.exception("unexpected end of a connection")
            self._why = f"unexpected: {type(e).__name__}: {e}"
        finally:
            began = connection.connected_at if connection else None
            if self.connected:
                self.silent = silent
            self._end(connection)
        return slowly, began

    def _serve(self, connection: Connection) -> None:
        give_up_at = time.monotonic() + self.connect_s
        while True:
            ended = not connection.loop(POLL_S)
            self._settle(connection)
            if connection.connected_at is not None and not self.connected and not ended:
                self._begin(connection)
            self._hear(connection)
            self._listen_again(connection)
            now = time.monotonic()
            if ended:
                raise self._lost(connection)
            if self._end_at is not None and (not self._pending or now >= self._end_at):
                connection.goodbye()
                raise Lost("closed")
            if not self.connected and now >= give_up_at:
                raise Lost(f"accepted the connection, but did not answer within {self.connect_s:g} s")
            if self._overdue(now):
                raise Lost(f"took a message, but did not acknowledge it within {self.acknowledge_s:g} s", silent=True)

    def _begin(self, connection: Connection) -> None:
        """Connected: subscriptions first, then what the caller wants to tell."""
        with self._news:
            self._connections += 1
            self._wire, self.connection, self._retry_at = connection, self._connections, None
            if not self._deaf_until:
                connection.subscribe(self._handlers)
            self._news.notify_all()
        log.info("connected to %s", self._where)
        for hook in list(self.on_connect):
            call(hook)

    def _settle(self, connection: Connection) -> None:
        answers, connection.answers = connection.answers, []
        with self._lock:  # publish() holds it until the message's id is known
            settled = [(self._pending.pop(mid), reason) for mid, reason in answers if mid in self._pending]
        for pending, reason in settled:
            if reason.is_failure:
                self.refusal = reason.getName().lower()
            call(pending.done, not reason.is_failure)

    def _hear(self, connection: Connection) -> None:
        received, connection.received = connection.received, []
        for message in received:
            for topic, handler in list(self._handlers.items()):
                if topic_matches_sub(topic, message.topic):
                    call(handler, message)

    def _listen_again(self, connection: Connection) -> None:
        with self._lock:
            if self.connected and self._deaf_until and time.monotonic() >= self._deaf_until:
                self._deaf_until = 0.0
                connection.subscribe(self._handlers)

    def _overdue(self, now: float) -> bool:
        with self._lock:
            oldest = next(iter(self._pending.values()), None)
        return oldest is not None and now - oldest.since > self.acknowledge_s

    def _lost(self, connection: Connection) -> Lost:
        if connection.too_large:
            self._deaf_until = time.monotonic() + 10 * self.pause_s[1]  # alerts do not need what it says
            return Lost(f"it sent a message of {connection.too_large} bytes, at most {self.limit_bytes} are taken")
        if connection.refused:
            what, _ = REFUSALS.get(connection.refused, (f"refused: {connection.refused.lower()}", ""))
            return Lost(what, slowly=connection.refused not in PASSING)
        said = connection.farewell or (why(connection.error) if connection.error else "")
        if connection.connected_at is None:
            return Lost(said if said and said != "closed the connection" else "closed the connection before it answered")
        return Lost(f"connection lost: {said}" if said else "connection lost")

    def _end(self, connection: Connection | None) -> None:
        with self._news:
            was, self._wire, self.connection = self.connection, None, 0
            pending, self._pending = list(self._pending.values()), {}
            self._news.notify_all()
        if connection:
            connection.release()
        if was or self._why != self._logged:
            self._logged = self._why  # an attempt that fails like the last is no news
            log.log(logging.INFO if self._end_at is not None else logging.WARNING, "%s: %s", self._where, self._why)
        for message in pending:
            call(message.done, False)

    def _pause(self, failures: int, slowly: bool) -> None:
        seconds = pause(failures, slowly, self.pause_s, self._random)
        with self._news:
            self._retry_at = time.monotonic() + seconds
            self._news.wait_for(lambda: self._end_at is not None, seconds)
            self._retry_at = None


def pause(failures: int, slowly: bool, limits_s: tuple[float, float], random: Random) -> float:
    """Seconds until the next attempt, after so many failures in a row."""
    first, longest = limits_s
    return random.uniform(0.5, 1.0) * (longest if slowly else min(longest, first * 2.0 ** min(failures - 1, 30)))


def call(function: Callable[..., None], *arguments: Any) -> None:
    """What fails on the caller's side must not end the session."""
    try:
        function(*arguments)
    except Exception:
        log.exception("unexpected error in %s", getattr(function, "__qualname__", function))

