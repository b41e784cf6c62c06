"""Bytes of a serial port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinystream.errors import RecordingError

WAIT_S = 0.2  # for the next bytes; Ctrl-C is heard so soon


def open_line(port: str, baud: int) -> Any:
    """The port, open; what had come in before is gone.  RecordingError where it cannot be opened."""
    import serial
    from serial.tools.list_ports import comports

    try:
        return serial.Serial(port, baud, timeout=WAIT_S)
    except (serial.SerialException, ValueError) as error:
        there = ", ".join(p.device for p in comports()) or "none is here"
        raise RecordingError(f"{port} cannot be opened: {said(error)}", f"ports: {there}; or a file, or - for standard input") from None


def bytes_of(line: Any) -> Iterator[bytes]:
    """What comes in, as it comes; RecordingError when the port is gone."""
    import serial

    with line:
        while True:
            try:
                raw = line.read(max(1, line.in_waiting))
            except (serial.SerialException, OSError) as error:
                raise RecordingError(f"{line.port} is gone: {said(error)}", "plug it in again, and listen again") from None
            if raw:
                yield raw


def said(error: Exception) -> str:
    """The system's own words in an exception of pyserial."""
    cause = getattr(error, "__context__", None)
    return (getattr(cause, "strerror", None) or getattr(error, "strerror", None) or str(error)).lower()
