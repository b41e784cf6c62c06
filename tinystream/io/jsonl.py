"""Alerts as lines of JSON, to standard output or into a file."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TextIO

from tinystream.errors import SinkError
from tinystream.io.delivery import Event, Managed, encode, undelivered


class Stream(Managed):
    """Lines on a text stream, standard output where none is given; each is flushed, for the program that reads them."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream
        self.delivered = 0

    def open(self) -> None:
        self.stream = self.stream or sys.stdout

    def send(self, event: Event) -> None:
        assert self.stream is not None, "open() comes first"
        line = encode(event) + "\n"
        try:
            self.stream.write(line)
            self.stream.flush()
        except (OSError, ValueError) as e:  # ValueError: the stream is closed
            why = "its reader has gone" if isinstance(e, BrokenPipeError) else _reason(e)
            raise undelivered("standard output", why, "keep the reading program alive", self.delivered, [event]) from None
        self.delivered += 1

    def flush(self) -> list[Event]:
        return []

    def close(self) -> None:
        pass  # it is not ours to close


class Lines(Managed):
    """Lines in a file.  Each is one write at the file's end, so that lines of several programs do not mix.

    append: add to a file that is there; otherwise it must not be there.
    """

    def __init__(self, path: str | Path, append: bool = True):
        self.path = Path(path)
        self.append = append
        self.delivered = 0
        self._file: int | None = None

    def open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | (0 if self.append else os.O_EXCL)
        try:
            self._file = os.open(self.path, flags, 0o666)
        except FileExistsError:
            raise SinkError(f"{self.path} is there already", "append = true, or another path") from None
        except FileNotFoundError:
            raise SinkError(f"folder {self.path.parent} of the alert file does not exist", f"mkdir -p {self.path.parent}") from None
        except OSError as e:
            raise SinkError(f"{self.path} cannot be written: {_reason(e)}", 'path = "alerts.jsonl"') from None
        _mend(self._file)

    def send(self, event: Event) -> None:
        assert self._file is not None, "open() comes first"
        line = (encode(event) + "\n").encode()
        try:
            written = os.write(self._file, line)
            if written < len(line):  # a full disk takes a part: take it back, so that no half line remains
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                raise OSError("no space left on device")
        except OSError as e:
            raise undelivered(str(self.path), _reason(e), "make room, then replay", self.delivered, [event]) from None
        self.delivered += 1

    def flush(self) -> list[Event]:
        if self._file is not None and stat.S_ISREG(os.fstat(self._file).st_mode):
            os.fsync(self._file)
        return []

    def close(self) -> None:
        if self._file is not None:
            self.flush()
            os.close(self._file)
            self._file = None


def _mend(file: int) -> None:
    """A line that a crash cut short stays a line of its own."""
    size = os.fstat(file).st_size
    if stat.S_ISREG(os.fstat(file).st_mode) and size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")


def _reason(e: Exception) -> str:
    return (getattr(e, "strerror", None) or str(e)).lower()
