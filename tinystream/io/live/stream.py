"""Blocks from bytes: a connection that is opened again when it is lost, a decoder, and the rate that is measured meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.counts import MANY
from tinystream.io.live.base import Gap, Item, Live
from tinystream.io.live.decoder import Decoder, Lost
from tinystream.io.live.rate import RateMeter
from tinystream.io.wanted import Gaps
from tinystream.plan.signal import Signal

WAIT_S = 0.2
"""For the next bytes, and between two looks at whether to go on."""
BACK_OFF_S = (0.5, 30.0)
"""From one try to open a lost device to the next: doubled each time, from the first to the second."""
NEAR = 0.01
"""A measured rate so close to the app's is the app's: sensors' clocks are seldom better."""
FAR = 0.05  # a rate that is so far off is refused at once; nearer ones are looked at for longer, since this machine may be busy
LOOK_S = 15.0
QUIET_S = 2.0
"""Shorter pauses are taken for those of a line or a busy machine."""
NOT_FULL = "a block that was not full"


class Connection(Protocol):
    """Bytes of a device, as far as it is there.

    lossless: whoever sends is held back, so that a pause is no sign that anything is missing.
    """

    lossless: bool

    def read(self) -> bytes | None:
        """What has come, b"" after WAIT_S without anything, None at the end.  OSError where it is gone."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Taking:
    """How a stream is taken.

    rate: "refuse" a device whose measured rate is off by more than 1 %, or only "tell" it.
    gaps: "refuse" or "linear": the app begins afresh behind each; "keep": what is there is closed up; "hold": up to a second of counted
          samples is filled by the last one.
    again: a lost connection is opened again, for ever; otherwise its end is the stream's.
    tell: words for people.
    sleep: until a lost connection is opened again; by itself a stream waits so that stop() ends it.
    """

    rate: Literal["refuse", "tell"] = "refuse"
    gaps: Gaps = "refuse"
    again: bool = True
    tell: Callable[[str], Any] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Any] | None = None


PLAIN = Taking()


class Stream(Live):
    """filled: samples that were missing and are the last one again, where gaps are to be held."""

    def __init__(self, name: str, x: Signal, decoder: Decoder, taking: Taking = PLAIN):
        super().__init__(x.shape[0], x.channels, x.shape, x.dtype)
        assert x.sample_hz is not None, "a source has a sample rate"
        self.name, self.rate_hz, self.decoder, self.taking = name, x.sample_hz, decoder, taking
        self.filled = 0
        self.meter = RateMeter()
        self._judged = self._off = self._told_rate = False
        self._pause, self._sleep = BACK_OFF_S[0], taking.sleep or self.rest
        self._held: list[np.ndarray] = []
        self._holding = self._filling = 0  # samples in `_held`; those filled in a row
        self._last: np.ndarray | None = None
        self._pending: Gap | None = None

    def connect(self, again: bool) -> Connection:
        """The device, open.  RecordingError where it is not there."""
        raise NotImplementedError

    def items(self) -> Generator[Item, None, None]:
        connection: Connection | None = self.connect(again=False)
        lost_at, given = 0.0, False
        try:
            while True:
                if connection is None:
                    connection = self._connected_again(given)
                    self._lose(Lost(self._samples_in(self.taking.clock() - lost_at), f"{self.name} was gone", exact=False))
                before = self.blocks
                why = yield from self._read(connection)
                self._close(connection)
                connection, lost_at = None, self.taking.clock()
                given = self.blocks > before
                if why is None and not self.taking.again:
                    self.left = self._holding
                    return
                self.taking.tell(f"warning: {self.name} {why or 'has ended'}; it is opened again when it is back")
                self.decoder.again()
                self.meter.restart()
                self._drop_partial()
        finally:
            if connection is not None:
                self._close(connection)

    def _read(self, connection: Connection) -> Generator[Item, None, str | None]:
        """Until it ends; gives why, or None where it has only ended."""
        clock, last, quiet = self.taking.clock, self.taking.clock(), False
        patience = max(QUIET_S, 5 / float(self.rate_hz), 2 * float(self.length / self.rate_hz))
        while True:
            self.look()
            try:
                raw = connection.read()
            except OSError as error:
                return f"is gone: {said(error)}"
            if raw is None:
                return None
            now = clock()
            if not raw:
                if not quiet and now - last > patience:
                    quiet = True
                    self.taking.tell(f"warning: nothing has come from {self.name} for {now - last:.1f} s")
                continue
            if quiet:
                self.taking.tell(f"{self.name} sends again, after {now - last:.1f} s")
                self.meter.restart()
                if not (connection.lossless or self.decoder.counts):
                    self.decoder.paused()
                    self._lose(Lost(self._samples_in(now - last), "nothing came for a while", exact=False))
            last, quiet = now, False
            before = self.meter.count
            yield from self._decoded(raw, now)
            self._answer(connection)
            if self.meter.count != before:
                self._judge()

    def _decoded(self, raw: bytes, now: float) -> Iterator[Item]:
        rows = 0
        for found in self.decoder.push(raw):
            if isinstance(found, Lost):
                self._lose(found)
                rows += found.samples if found.exact else 0
            else:
                rows += len(found)
                yield from self._take(found)
        self.garbage, self.limited = self.decoder.garbage, self.decoder.limited
        if rows:
            self.meter.seen(rows, now)
        for news in self.decoder.news:
            self.taking.tell(f"note: {self.name}: {news}")
        self.decoder.news.clear()

    def _take(self, rows: np.ndarray) -> Iterator[Item]:
        self._held.append(rows)
        self._holding, self._filling = self._holding + len(rows), 0
        if self._holding < self.length:
            return
        x = np.concatenate(self._held) if len(self._held) > 1 else rows
        whole = len(x) // self.length * self.length
        for start in range(0, whole, self.length):
            if self._pending is not None:
                yield self._pending
                self._pending = None
            yield self._shaped(np.ascontiguousarray(x[start : start + self.length]))
        self._held, self._holding, self._last = [x[whole:]], len(x) - whole, x[-1]

    def _lose(self, lost: Lost) -> None:
        """Remembered until the next whole block; before the first one there is nothing that could be glued."""
        if self.taking.gaps == "keep":
            self.missing += lost.samples
            return
        last = self._held[-1][-1] if self._held and len(self._held[-1]) else self._last
        self._filling += lost.samples
        if self.taking.gaps == "hold" and lost.exact and last is not None and self._filling <= max(1.0, float(self.rate_hz)):
            self._held.append(np.repeat(last[np.newaxis], lost.samples, axis=0))
            self._holding += lost.samples
            self.filled += lost.samples
            return
        self._drop_partial()
        self._add_gap(lost.samples, lost.why, lost.exact)

    def _drop_partial(self) -> None:
        dropped, self._held, self._holding = self._holding, [], 0
        if dropped and self.taking.gaps != "keep":
            self._add_gap(dropped, NOT_FULL, exact=True)

    def _add_gap(self, samples: int, why: str, exact: bool) -> None:
        if self.blocks == 0:
            return
        before = self._pending
        if before is None:
            self._pending = Gap(samples, why, exact)
        else:
            first = why if before.why == NOT_FULL else before.why  # what follows is more often its consequence
            self._pending = Gap(before.samples + samples, first, before.exact and exact)

    def _samples_in(self, seconds: float) -> int:
        return round(seconds * float(self.rate_hz))

    def _connected_again(self, given: bool) -> Connection:
        """At once where the last connection gave a block; one that gave none is as good as none, however willingly it opens."""
        if given:
            self._pause = BACK_OFF_S[0]
        while True:
            try:
                if not given:
                    self._sleep(self._pause)
                    self._pause = min(2 * self._pause, BACK_OFF_S[1])
                connection = self.connect(again=True)
            except (RecordingError, OSError):
                given = False
            else:
                self.taking.tell(f"{self.name} is back")
                return connection

    def _answer(self, connection: Connection) -> None:
        if self.decoder.answer:
            with suppress(OSError):  # the next read tells that it is gone
                connection.write(self.decoder.answer)
            self.decoder.answer = b""

    def _close(self, connection: Connection) -> None:
        with suppress(OSError):
            connection.close()

    def _judge(self) -> None:
        """Is it the app's rate?  Once at the start, when refusing is still an answer; from then on a change is told."""
        told_hz = self.decoder.rate_hz
        if told_hz is not None and not self._told_rate and self._is_off(told_hz):
            self._told_rate = True
            self._refuse(f"{self.name} says that it sends {told_hz:.6g} Hz")
        rate = self.rate_measured = self.meter.rate_hz
        if rate is None:
            return
        off = self._is_off(rate)
        if not self._judged:
            if off and abs(rate / float(self.rate_hz) - 1) < FAR and self.meter.seconds < LOOK_S:
                return
            if self.decoder.limited > MANY * self.decoder.values > 0:
                what = f"{self.name}: {self.decoder.limited} of {self.decoder.values} values exceed full scale"
                raise RecordingError(what, "--unit says what they are in, such as --unit m/s2; --counts, if they are the sensor's integers")
            self._judged, self._off = True, off
            if off:
                self._refuse(f"{self.name} sends {rate:.6g} Hz by this machine's clock")
            else:
                self.taking.tell(f"{self.name} sends {rate:.6g} Hz")
        elif off != self._off:
            self._off = off
            again = "" if off else "again "
            self.taking.tell(f"{'warning: ' * off}{self.name} {again}sends {rate:.6g} Hz, the app reads {float(self.rate_hz):g} Hz")

    def _is_off(self, rate_hz: float) -> bool:
        return abs(rate_hz / float(self.rate_hz) - 1) > NEAR

    def _refuse(self, what: str) -> None:
        what = f"{what}, the app reads {float(self.rate_hz):g} Hz"
        if self.taking.rate == "refuse":
            raise RecordingError(what, "set the device to the app's rate; --any-rate takes its samples as they are")
        self.taking.tell(f"warning: {what}: its samples are taken as they are")

    def notes(self) -> list[str]:
        more = [f"{self.filled} missing samples are the last one again"] if self.filled else []
        return super().notes() + more

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"filled": self.filled}


def said(error: BaseException) -> str:
    """The system's own words."""
    cause = getattr(error, "__context__", None)
    return (getattr(cause, "strerror", None) or getattr(error, "strerror", None) or str(error)).lower()


