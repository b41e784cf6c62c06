"""A device on a serial port, found again under whatever name it comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tinystream.errors import RecordingError
from tinystream.io.live.decoder import Decoder
from tinystream.io.live.stream import PLAIN, Stream, Taking
from tinystream.io.serial_line import open_line
from tinystream.plan.signal import Signal

BAUD = 115_200
FULL = 4095  # bytes that a terminal's queue on Linux holds: when there are so many some were lost


class Port(NamedTuple):
    """A serial port of this machine, and the USB device that it is of, as far as it says."""

    device: str
    description: str = ""
    serial_number: str = ""
    manufacturer: str = ""
    usb: str = ""

    def is_meant_by(self, text: str) -> bool:
        """By its USB serial number, or a part of its description or maker."""
        words = f"{self.description} {self.manufacturer} {self.usb}".lower()
        return text == self.serial_number or text.lower() in words

    def is_same_device(self, other: Port) -> bool:
        """The same USB device, maybe under another name."""
        if self.serial_number or other.serial_number:
            return (self.serial_number, self.usb) == (other.serial_number, other.usb)
        return bool(self.usb) and self.usb == other.usb and self.description == other.description


def ports() -> list[Port]:
    """The serial ports of this machine."""
    from serial.tools.list_ports import comports

    return [
        Port(
            p.device,
            "" if p.description in (None, "n/a") else p.description,
            p.serial_number or "",
            p.manufacturer or "",
            f"{p.vid:04x}:{p.pid:04x}" if p.vid is not None and p.pid is not None else "",
        )
        for p in sorted(comports())
    ]


class SerialPort(Stream):
    """port: a device such as /dev/ttyACM0, a USB serial number, or a part of a description as `tinystream sources` lists it."""

    def __init__(
        self,
        port: str,
        x: Signal,
        decoder: Decoder,
        taking: Taking = PLAIN,
        baud: int = BAUD,
        there: Callable[[], Sequence[Port]] = ports,
    ):
        super().__init__(port, x, decoder, taking)
        self.port, self.baud, self.there = port, baud, there
        self._identity: Port | None = None

    def connect(self, again: bool) -> SerialConnection:
        device = self._device()
        line = open_line(device, self.baud)
        real = str(Path(device).resolve())
        with suppress(OSError):
            self._identity = next((p for p in self.there() if p.device in (device, real)), self._identity)
        return SerialConnection(line, self._overrun)

    def _device(self) -> str:
        """Where the device is now.  RecordingError where several are meant."""
        found = list(self.there())
        if self._identity is not None:
            same = [p.device for p in found if p.is_same_device(self._identity)]
            if same:
                return same[0]
        if Path(self.port).exists() or any(p.device == self.port for p in found):
            return self.port
        meant = [p for p in found if p.is_meant_by(self.port)]
        if len(meant) > 1:
            what = f"several serial ports are '{self.port}': {', '.join(f'{p.device} ({p.description})' for p in meant)}"
            raise RecordingError(what, "name the device, or its USB serial number, as `tinystream sources` lists them")
        return meant[0].device if meant else self.port

    def _overrun(self) -> None:
        self.overruns += 1


class SerialConnection:
    """An open port."""

    lossless = False

    def __init__(self, line: Any, overrun: Callable[[], None]):
        self.line, self.overrun = line, overrun

    def read(self) -> bytes:
        import serial

        try:
            waiting = self.line.in_waiting
            if waiting >= FULL:
                self.overrun()
            return bytes(self.line.read(max(1, waiting)))
        except (serial.SerialException, TypeError) as error:  # TypeError: pyserial's, of a port that was closed under it
            raise OSError(getattr(error, "errno", None) or 5, said(error)) from None

    def write(self, data: bytes) -> None:
        import serial

        try:
            self.line.write(data)
        except serial.SerialException as error:
            raise OSError(5, said(error)) from None

    def close(self) -> None:
        self.line.close()


def said(error: BaseException) -> str:
    """What pyserial says, without its advice."""
    return str(error).partition(" (")[0] or type(error).__name__
