"""Bytes of serial ports: of one that ends with its port, and of one that outlives it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from tinystream.errors import RecordingError

WAIT_S = 0.2  # for the next bytes; Ctrl-C is heard so soon
MOST = 4096  # bytes at once
PAUSE_S = (0.25, 15.0)  # first and longest pause before a port is tried again
UNTRIED = "not yet open"
FRESH_S = 1.0  # what comes so soon after a port has opened may have waited in the node


def open_line(port: str, baud: int) -> Any:
    """The port, open; what had come in before is gone.  RecordingError where it cannot be opened."""
    import serial
    from serial.tools.list_ports import comports

    try:
        return serial.Serial(port, baud, timeout=WAIT_S)
    except (serial.SerialException, ValueError, OSError) as error:
        there = ", ".join(p.device for p in comports()) or "none is here"
        raise RecordingError(f"{port} cannot be opened: {said(error)}", f"ports: {there}; or a file, or - for standard input") from None


class Piece(NamedTuple):
    """Bytes that came, when, and how long they may have waited before."""

    raw: bytes
    wall_s: float
    waited_s: float


@dataclass(frozen=True)
class Adapter:
    """What a USB port is known by under any name: vendor, product and serial number, and which of its interfaces."""

    vid: int
    pid: int
    serial_number: str
    interface: str

    @classmethod
    def of(cls, port: Any) -> Adapter | None:
        """None where it has no serial number: then only its name tells it from others."""
        if not port.serial_number or port.vid is None:
            return None
        end = (port.location or "").partition(":")[2]  # "1-1.2:1.0": where it is plugged in, and the interface
        return cls(port.vid, port.pid, port.serial_number, end)


class Line:
    """A serial port that may vanish and return, also under another name.

    port:  as it is called now; a link below /dev/serial/by-id is followed at each attempt.
    state: "open", or why it is not, for people.
    tell:  is given a sentence at each change.
    """

    def __init__(
        self, port: str, baud: int, tell: Callable[[str], None] = lambda text: None, pause_s: tuple[float, float] = PAUSE_S
    ):
        self.name, self.port, self.baud, self.tell, self.pause_s = port, port, baud, tell, pause_s
        self.state = UNTRIED
        self._line: Any = None
        self._adapter: Adapter | None = None
        self._ended = Event()
        self._read_at: float | None = None

    def open(self) -> None:
        """RecordingError where it cannot be opened, or is another device than before."""
        port = find(self.name, self._adapter)
        self._line = open_line(port, self.baud)
        self.port, self._adapter, self.state = port, self._adapter or adapter_at(port), "open"

    def pieces(self) -> Iterator[Piece]:
        """What comes in, for ever, until close()."""
        pause_s, opened_at = self.pause_s[0], time.monotonic()
        while not self._ended.is_set():
            try:
                if self._line is None:
                    self.open()
                    opened_at = time.monotonic()
                    self.tell(f"{self.name} is there" + (f", as {self.port}" if self.port != self.name else ""))
                before = self._read_at or opened_at
                raw = self._read()
            except RecordingError as error:
                if self._ended.is_set():
                    break
                if self.state in ("open", UNTRIED):  # the first word of an outage is enough
                    self.tell(f"{error.what}; waits for it to come back")
                self.state = error.what
                self._ended.wait(pause_s)
                pause_s = min(self.pause_s[1], 2 * pause_s)
                continue
            now = time.monotonic()
            if now - opened_at >= FRESH_S or not self._read_at:
                self._read_at = now
            if raw:
                pause_s = self.pause_s[0]
                yield Piece(raw, time.time(), now - before)
        if self._line is not None:
            self._drop()

    def _read(self) -> bytes:
        import serial

        try:
            return self._line.read(min(MOST, max(1, self._line.in_waiting)))
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: pyserial's, of a port that is closed meanwhile
            self._drop()
            raise RecordingError(f"{self.port} is gone: {said(error)}", "plug it in again") from None

    def write(self, raw: bytes) -> None:
        """RecordingError where the port is not there."""
        import serial

        try:
            self._line.write(raw)
        except (serial.SerialException, OSError, AttributeError) as error:
            raise RecordingError(f"{self.port} takes nothing: {said(error)}", "plug it in again") from None

    def close(self) -> None:
        """From any thread; pieces() ends soon."""
        self._ended.set()

    def _drop(self) -> None:
        import serial

        line, self._line = self._line, None
        with suppress(serial.SerialException, OSError):  # it is gone
            line.close()


def find(name: str, adapter: Adapter | None) -> str:
    """Where the device is now: under its own name, or, where it has a serial number, wherever that is."""
    if adapter is None:
        return name
    from serial.tools.list_ports import comports

    ports = [port.device for port in comports() if Adapter.of(port) == adapter]
    target = str(Path(name).resolve())
    if target in ports or name in ports:
        return name
    if ports:
        return ports[0]
    raise RecordingError(f"{name} is gone: no port has its serial number {adapter.serial_number}", "plug it in again")


def adapter_at(port: str) -> Adapter | None:
    from serial.tools.list_ports import comports

    target = str(Path(port).resolve())
    return next((Adapter.of(there) for there in comports() if there.device in (port, target)), None)


def said(error: Exception) -> str:
    """The system's own words in an exception of pyserial."""
    cause = getattr(error, "__context__", None)
    return (getattr(cause, "strerror", None) or getattr(error, "strerror", None) or str(error)).lower()
