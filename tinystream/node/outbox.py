"""Alerts wait here until the broker has them: on the disk, and in memory while the disk refuses."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from threading import RLock
from typing import Any, Literal

from tinystream.errors import TinystreamError
from tinystream.io.delivery import Managed, encode, undelivered
from tinystream.node.alert_file import DAMAGED, AlertFile, Row, code_of

IN_MEMORY = 10_000  # alerts at most, about 5 MB
RETRY_S = 10.0  # how often a disk that refused is asked again

WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk fails",
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert that waits.  `id` is its own for ever: whoever gets it twice knows it by that."""

    sequence: int
    event: dict[str, Any]
    identity: str = ""

    @property
    def id(self) -> str:
        return f"{self.identity}-{self.sequence}"


class Outbox(Managed):
    """Opened at its first use, or by `with`.  Safe for several threads of one process.

    limit, keeps: of more alerts than this the newest or the oldest are kept, the others are dropped and counted.

    An alert is on the disk when put() returns: neither kill -9 nor a loss of power loses it.  While the disk refuses (full, read-only,
    gone) alerts are kept in memory, at most 10 000, `status` says so, and they go to the disk as soon as it takes them.  Those that are
    born in memory have an identity of their own: should the process end before, their sequences are given again to others.
    """

    def __init__(self, path: str | Path, limit: int = 100_000, keeps: Literal["newest", "oldest"] = "newest", retry_s: float = RETRY_S):
        self.path = Path(path)
        self.limit = limit
        self.keeps = keeps
        self.retry_s = retry_s
        self.listeners: list[Callable[[], None]] = []  # called after each put()
        self._lock = RLock()
        self._file: AlertFile | None = None
        self._known = False  # the file has been read once: sequences go on from its last
        self._fault = ""  # why alerts are kept in memory
        self._told = ""  # the last fault that was logged
        self._note = ""  # what else a person should know
        self._retry_at = 0.0
        self._last = 0
        self._lost = 0  # dropped, and not yet counted in the file
        self._memory: dict[int, Row] = {}  # in order
        self._memory_identity = token_hex(4)
        self._done: set[int] = set()  # delivered, but still in a file that cannot be written

    def open(self) -> None:
        """TinystreamError where the file is another's; a disk that refuses is no error, but a status."""
        with self._lock:
            self._ready()

    def put(self, event: Mapping[str, Any]) -> int:
        """Gives the alert's sequence: each is higher than all before it, over restarts, too."""
        text = encode(dict(event))
        with self._lock:
            writable = self._ready()
            sequence = self._last = self._last + 1
            if not (writable and self._write([Row(sequence, self.identity, text)])):
                self._keep(Row(sequence, self._memory_identity, text))
        for listener in self.listeners:
            listener()
        return sequence

    def waiting(self, after: int = 0, count: int = 100) -> list[Entry]:
        """At most `count` alerts that nobody has acknowledged, in order, whose sequence is higher than `after`."""
        with self._lock:
            self._ready()
            rows = [*self._rows(after, count), *(row for row in self._memory.values() if row.sequence > after)]
            rows.sort(key=lambda row: row.sequence)
            return [entry for row in rows[:count] if (entry := self._entry(row))]

    def acknowledged(self, sequence: int) -> None:
        """It need not wait any longer; one that waits no more is no mistake."""
        with self._lock:
            self._ready()
            if self._memory.pop(sequence, None) is None:
                self._done.add(sequence)
                if not self._fault:
                    self._forget()

    def __len__(self) -> int:
        with self._lock:
            self._ready()
            return max(0, (self._file.count if self._file else 0) - len(self._done)) + len(self._memory)

    @property
    def identity(self) -> str:
        """Of what is put now: the file's, or that of what is kept in memory."""
        with self._lock:
            return self._file.identity if self._ready() and self._file else self._memory_identity

    @property
    def dropped(self) -> int:
        """Alerts that found no room, since the file was made; one may have been delivered while it was dropped."""
        with self._lock:
            self._ready()
            return (self._file.dropped if self._file else 0) + self._lost

    @property
    def status(self) -> str:
        """"ok", or what a person should know."""
        with self._lock:
            self._ready()
            if self._fault:
                return f"alerts are kept in memory only ({len(self._memory)} now): {self._fault}"
            return self._note or "ok"

    def close(self) -> None:
        """SinkError names what could not be put on the disk, and is lost with this process."""
        with self._lock:
            if self._fault and self._memory:
                self._retry_at = 0
                self._ready()
            if self._file:
                self._file.close()
                self._file = None
            lost, self._memory = list(self._memory.values()), {}
            if lost:
                events = [json.loads(row.event) for row in lost]
                raise undelivered(f"the outbox {self.path}", self._fault, "make room for it", 0, events)
            self._fault = ""

    # --- the disk

    def _ready(self) -> bool:
        """Whether the disk takes alerts; asks one that refused again from time to time."""
        if self._file and not self._fault:
            if not self._file.gone():
                return True
            self._salvage(self._file)
        if time.monotonic() >= self._retry_at:
            self._reopen()
        return not self._fault

    def _reopen(self) -> None:
        """Everything from the beginning: open the file, take out what was delivered, put in what is in memory."""
        if self._file:
            self._file.close()
            self._file = None
        try:
            self._file = file = AlertFile(self.path)
        except TinystreamError as e:
            if not self._known and not self._memory:
                raise  # a mistake of who started us, not a fault of the disk
            return self._degrade(e)
        except (OSError, sqlite3.Error) as e:
            return self._degrade(e)
        if file.rescued:
            self._note = file.rescued
            log.warning(file.rescued)
        if not self._known and self._memory and file.last >= min(self._memory):
            # sequences began without the file, and would be taken for its own: first deliver those in memory
            self._file = None
            file.close()
            return self._degrade(TinystreamError("alerts in memory are delivered first"))
        self._last = max(self._last, file.last)
        self._fault = ""
        rows = list(self._memory.values())
        if (rows or self._lost) and not self._write(rows):
            return None
        self._memory.clear()
        self._known = True
        if self._done:
            self._forget()
        if self._told:
            log.info("%s: alerts are on the disk again", self.path)
            self._told = ""
        return None

    def _salvage(self, file: AlertFile) -> None:
        """Somebody has deleted or replaced the file: what waits in it is still to be read, and goes to a new one."""
        log.warning("%s was deleted while it was in use; its alerts go to a new file", self.path)
        self._memory |= {row.sequence: row for row in self._rows(0, max(1, file.count))}
        self._lost += file.dropped
        self._file = None
        file.close()
        self._known, self._done, self._retry_at = False, set(), 0.0

    def _write(self, rows: list[Row]) -> bool:
        assert self._file is not None, "only an open file is written"
        try:
            self._file.add(rows, self._last, self._lost, self.limit, self.keeps)
        except (OSError, sqlite3.Error) as e:
            self._degrade(e)
            return False
        self._lost = 0
        return True

    def _rows(self, after: int, count: int) -> list[Row]:
        """Of the file, without what was delivered."""
        found: list[Row] = []
        while self._file and len(found) < count:
            try:
                page = self._file.rows(after, count)
            except (OSError, sqlite3.Error) as e:
                self._degrade(e)
                break
            found += [row for row in page if row.sequence not in self._done and row.sequence not in self._memory]
            if len(page) < count:
                break
            after = page[-1].sequence
        return found[:count]

    def _forget(self) -> None:
        assert self._file is not None, "only an open file is written"
        try:
            self._file.remove(self._done)
            self._done.clear()
        except (OSError, sqlite3.Error) as e:
            self._degrade(e)

    def _degrade(self, e: Exception) -> None:
        """From now on in memory, until the disk is asked again; what is in the file may still be read."""
        if self._file and code_of(e) in DAMAGED:
            self._file.close()
            self._file = None
        if not self._fault or time.monotonic() >= self._retry_at:  # reading may fail more often than that
            self._retry_at = time.monotonic() + self.retry_s
        fault = f"{self.path}: {words(e)}"
        if fault != self._told:
            log.error("alerts are kept in memory only: %s", fault)
        self._fault = self._told = fault

    # --- memory

    def _keep(self, row: Row) -> None:
        self._memory[row.sequence] = row
        if len(self._memory) > min(self.limit, IN_MEMORY):
            del self._memory[min(self._memory) if self.keeps == "newest" else row.sequence]
            self._lost += 1

    def _entry(self, row: Row) -> Entry | None:
        """None for what the disk has spoilt: it cannot be delivered, and is counted as dropped."""
        try:
            event = json.loads(row.event)
        except ValueError:
            event = None
        if isinstance(event, dict):
            return Entry(row.sequence, event, row.identity)
        log.error("alert %d of %s is damaged, and is dropped", row.sequence, self.path)
        self._lost += 1
        self.acknowledged(row.sequence)
        return None


def words(e: Exception) -> str:
    """An error of the disk for people."""
    if isinstance(e, TinystreamError):
        return e.what
    if isinstance(e, OSError):
        return (e.strerror or str(e)).lower()
    return WORDS.get(code_of(e), str(e))
