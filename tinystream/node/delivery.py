"""From the outbox to the broker: in order, not too fast, until each alert is acknowledged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event, Lock, Thread, current_thread

from tinystream.io.delivery import Managed
from tinystream.node.outbox import Entry, Outbox
from tinystream.node.session import Session
from tinystream.node.topics import Message

WINDOW = 20  # alerts on their way at most
LOOK_S = 2.0  # how often to look without being woken
CUTS = 5  # connections that ended on one alert, until it is taken for their cause
log = logging.getLogger(__name__)


class Delivery(Managed):
    """Takes alerts from the outbox in order, publishes them, and removes those that the broker has acknowledged.

    write:   the message of an alert.  It should carry entry.id: an alert arrives twice when the connection or the process ended before
             its acknowledgement, and is recognised by that.
    rate:    alerts a second at most; after a quiet time those of one second may go at once.
    pause_s: first and longest pause before alerts that the broker refused are tried again.

    What a broker refuses stays in the outbox and does not hold the others up, even where a broker refuses by ending the connection.
    Order: the first arrivals of alerts are in the order of the outbox, but for those that were refused.
    """

    def __init__(
        self,
        outbox: Outbox,
        session: Session,
        write: Callable[[Entry], Message],
        rate: float = 20.0,
        pause_s: tuple[float, float] = (5.0, 300.0),
    ):
        self.outbox = outbox
        self.session = session
        self.write = write
        self.rate = rate
        self.pause_s = pause_s
        self.delivered = 0  # acknowledged, by this process
        self.delivered_at: float | None = None  # time.time() of the last
        self.refusal = ""  # why the broker does not take some of them; "" where it takes all
        self._after = 0  # the sequence up to which all were published on this connection
        self._of = (0, "")  # connection and identity for which that holds
        self._in_flight: set[int] = set()
        self._refused: set[int] = set()  # left out until _again_at
        self._lost: list[int] = []  # were on their way when the connection ended
        self._cuts: dict[int, int] = {}  # how many connections ended while this alert was the first on its way
        self._again_at: float | None = None  # when to begin again from the front
        self._pause = pause_s[0]
        self._tokens = max(1.0, rate)
        self._filled_at = time.monotonic()
        self._lock = Lock()
        self._wake = Event()
        self._ending = False
        self._thread: Thread | None = None

    def open(self) -> None:
        assert self._thread is None, "a delivery is opened once"
        self._ending = False
        self.outbox.listeners.append(self._wake.set)
        self.session.on_connect.append(self._wake.set)
        self._thread = Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    start = open

    def close(self, flush_s: float = 0.0) -> None:
        """Goes on for at most flush_s, while there is a connection and something to deliver; what remains waits in the outbox."""
        if self._thread is None:
            return
        end = time.monotonic() + flush_s
        while len(self.outbox) and self.session.connected and time.monotonic() < end:
            time.sleep(0.02)
        self._ending = True
        self._wake.set()
        self._thread.join(10)
        self._thread = None
        self.outbox.listeners.remove(self._wake.set)
        self.session.on_connect.remove(self._wake.set)

    @property
    def state(self) -> str:
        """"ok", or what keeps alerts from being delivered, for people."""
        if not self.session.connected:
            return self.session.state
        return f"the broker refuses some alerts: {self.refusal}" if self.refusal else "ok"

    def _run(self) -> None:
        while not self._ending:
            self._wake.clear()
            try:
                seconds = self._some()
            except Exception:
                log.exception("unexpected error of delivery")
                seconds = LOOK_S
            if seconds:
                self._wake.wait(seconds)

    def _some(self) -> float:
        """Publishes what may go now; gives how long to wait, unless something happens."""
        connection = self.session.connection
        if not connection:
            return LOOK_S
        self._begin_again(connection)
        room = WINDOW - len(self._in_flight)
        if room <= 0:
            return LOOK_S
        entries = self.outbox.waiting(self._after, room)
        for entry in entries:
            if (seconds := self._too_early()) > 0:
                return seconds
            if not self._publish(entry, connection):
                return 0
            self._after = entry.sequence
        return 0 if entries else self._at_the_end()

    def _begin_again(self, connection: int) -> None:
        """From the front: on a new connection, where the disk is back with alerts of its own, and for refused ones after a pause."""
        now = (connection, self.outbox.identity)
        if self._again_at is not None and time.monotonic() >= self._again_at:
            with self._lock:
                self._refused.clear()
            self._again_at, self._after = None, 0
        if now != self._of:
            self._of, self._after = now, 0
            self._suspect()

    def _suspect(self) -> None:
        """Some brokers end the connection instead of refusing: the first alert on its way, time after time, is why."""
        with self._lock:
            lost, self._lost = self._lost, []
            if not lost or self.session.silent:  # a broker that answers nothing has nothing against this one
                return
            first = min(lost)
            cuts = self._cuts[first] = self._cuts.get(first, 0) + 1
        if cuts >= CUTS:
            self._failed(first, f"the connection ends whenever alert {first} is sent")

    def _publish(self, entry: Entry, connection: int) -> bool:
        """False where the connection is not that one any more."""
        with self._lock:
            if entry.sequence in self._in_flight or entry.sequence in self._refused:
                return True
            self._in_flight.add(entry.sequence)
        try:
            message = self.write(entry)
        except Exception as e:
            log.exception("alert %s cannot be written", entry.id)
            self._failed(entry.sequence, f"{entry.id} cannot be written: {e}")
            return True
        self._tokens -= 1
        self.session.publish(message, lambda arrived: self._done(entry.sequence, arrived, connection), connection)
        return self.session.connection == connection

    def _done(self, sequence: int, arrived: bool, connection: int) -> None:
        """Called by the session."""
        if arrived:
            self.outbox.acknowledged(sequence)
            self.delivered += 1
            self.delivered_at = time.time()
        elif self.session.connection == connection:
            self._failed(sequence, self.session.refusal)
        with self._lock:
            self._in_flight.discard(sequence)
            if arrived:
                self._cuts.pop(sequence, None)
            elif sequence not in self._refused and current_thread() is not self._thread:  # in ours it was never sent
                self._lost.append(sequence)
        self._wake.set()

    def _failed(self, sequence: int, why: str) -> None:
        """It is left where it is, and tried again once all others have been."""
        if why != self.refusal:
            log.error("the broker refuses an alert: %s", why)
        with self._lock:
            self._in_flight.discard(sequence)
            self._refused.add(sequence)
            self.refusal = why

    def _at_the_end(self) -> float:
        with self._lock:
            if not self._refused and not self._in_flight:
                self._pause, self.refusal = self.pause_s[0], ""
                self._cuts.clear()
            if self._refused and self._again_at is None:
                self._again_at = time.monotonic() + self._pause
                self._pause = min(self.pause_s[1], 2 * self._pause)
        return LOOK_S if self._again_at is None else min(LOOK_S, max(0.001, self._again_at - time.monotonic()))

    def _too_early(self) -> float:
        """Seconds until the next alert may go."""
        now = time.monotonic()
        self._tokens = min(max(1.0, self.rate), self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        return max(0.0, (1 - self._tokens) / self.rate)
