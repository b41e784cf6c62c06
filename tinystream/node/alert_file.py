"""Alerts in an SQLite file that survives kill -9 and loss of power; every error of the disk is the caller's to handle."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Literal, NamedTuple

from tinystream.errors import TinystreamError

VERSION = 1  # of the tables
APPLICATION = 0x7453414C  # "tSAL": an SQLite file of anybody else is left alone
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
TABLES = f"""
    BEGIN;
    CREATE TABLE about (identity TEXT NOT NULL, last INTEGER NOT NULL, dropped INTEGER NOT NULL);
    CREATE TABLE alert (sequence INTEGER PRIMARY KEY, identity TEXT NOT NULL, event TEXT NOT NULL);
    PRAGMA user_version = {VERSION};
    PRAGMA application_id = {APPLICATION};
"""


class Row(NamedTuple):
    sequence: int
    identity: str
    event: str  # JSON


class AlertFile:
    """Opens the file, or makes it.  OSError and sqlite3.Error where that is impossible; TinystreamError where it is not ours to use.

    identity: 8 hexadecimal digits, made with the file.
    last:     the highest sequence that was ever in it.
    dropped:  alerts that found no room, since the file was made.
    rescued:  what became of a damaged file, for people; "" where there was none.

    Journal: WAL, which is synchronised before add() returns.  Only one process may have it open.
    """

    def __init__(self, path: Path):
        self.path = path
        self.identity = self.rescued = ""
        self.last = self.dropped = self.count = 0
        try:
            self._open()
        except sqlite3.DatabaseError as e:
            if code_of(e) in BUSY:
                raise TinystreamError(f"{path} is in use by another process", "one outbox a node: another file for this one") from None
            if code_of(e) not in DAMAGED:
                raise
            self._rescue()

    def add(self, rows: Sequence[Row], last: int, lost: int, limit: int, keeps: Literal["newest", "oldest"]) -> None:
        """Durable when it returns, all or none.  Of more than `limit` alerts the newest or oldest stay.

        last: the highest sequence by now; lost: alerts that were dropped elsewhere, to be counted.
        """
        with self._transaction():
            self._sql.executemany("INSERT OR REPLACE INTO alert VALUES (?, ?, ?)", rows)
            count = self.count + len(rows) if all(row.sequence > self.last for row in rows) else self._count()
            excess = max(0, count - limit)
            if excess:
                order = "ASC" if keeps == "newest" else "DESC"
                self._sql.execute(
                    f"DELETE FROM alert WHERE sequence IN (SELECT sequence FROM alert ORDER BY sequence {order} LIMIT ?)", (excess,)
                )
            self._sql.execute("UPDATE about SET last = ?, dropped = dropped + ?", (last, excess + lost))
        self.last, self.dropped, self.count = last, self.dropped + excess + lost, count - excess

    def rows(self, after: int, count: int) -> list[Row]:
        found = self._sql.execute("SELECT * FROM alert WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, count))
        return [Row(*row) for row in found]

    def remove(self, sequences: Iterable[int]) -> None:
        """Survives kill -9, but not always a loss of power: then they are sent once more, which a write to the disk each is not worth."""
        self._sql.execute("PRAGMA synchronous = NORMAL")
        try:
            with self._transaction():
                done = self._sql.executemany("DELETE FROM alert WHERE sequence = ?", ((sequence,) for sequence in sequences))
        finally:
            self._sql.execute("PRAGMA synchronous = FULL")
        self.count -= done.rowcount

    def gone(self) -> bool:
        """Whether the name is no longer that of this file: SQLite would go on writing to one that nobody finds again."""
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True
        except OSError:
            return False  # the disk fails, which the next access says better

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._sql.close()

    def _open(self) -> None:
        new = not self.path.exists()
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # alerts are nobody else's business
        self._inode = self.path.stat().st_ino
        sql = self._sql = sqlite3.connect(self.path, timeout=1, isolation_level=None, check_same_thread=False)
        sql.text_factory = lambda text: text.decode("utf-8", "replace")  # a flipped bit is no reason to read nothing
        try:
            sql.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._ours()
            sql.execute("PRAGMA journal_mode = WAL")
            sql.execute("PRAGMA synchronous = FULL")
            sql.execute("PRAGMA journal_size_limit = 1000000")
            if not sql.execute("PRAGMA user_version").fetchone()[0]:
                self._make()
            if (found := sql.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise damage(found)
            about = sql.execute("SELECT identity, last, dropped FROM about").fetchone()
            if about is None:
                raise damage("it does not say whose it is")
            self.identity, self.last, self.dropped = about
            self.count = self._count()
        except BaseException:
            self.close()
            raise
        if new:
            synchronise(self.path.parent)

    def _ours(self) -> None:
        version, application = (self._sql.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
        tables = self._sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if (tables or application) and application != APPLICATION:
            raise TinystreamError(f"{self.path} is a database of something else", "another file for the outbox")
        if version > VERSION:
            raise TinystreamError(f"{self.path} was written by a newer tinystream", "pip install --upgrade tinystream")

    def _make(self) -> None:
        self._sql.executescript(TABLES)
        self._sql.execute("INSERT INTO about VALUES (?, 0, 0)", (token_hex(4),))
        self._sql.execute("COMMIT")

    def _rescue(self) -> None:
        """A damaged file is kept under another name, and what can still be read of it is taken into a new one."""
        aside = self.path.with_name(self.path.name + ".damaged")
        rows = readable(self.path)
        for ending in ("", "-wal"):
            with suppress(FileNotFoundError):
                Path(f"{self.path}{ending}").replace(f"{aside}{ending}")
        with suppress(FileNotFoundError):
            Path(f"{self.path}-shm").unlink()
        self._open()
        if rows:
            self.add(rows, rows[-1].sequence, 0, len(rows), "newest")
        self.rescued = f"{self.path} was damaged and is kept as {aside.name}; {len(rows)} alerts were read from it, others may be lost"

    def _count(self) -> int:
        return self._sql.execute("SELECT count(*) FROM alert").fetchone()[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # some errors have rolled back already
                self._sql.execute("ROLLBACK")
            raise


def readable(path: Path) -> list[Row]:
    """What can be read of a damaged file: from its front up to the damage, and from its end back to it."""
    found: dict[int, Row] = {}
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.Error, OSError):
            sql = sqlite3.connect(path)
            sql.text_factory = lambda text: text.decode("utf-8", "replace")
            try:
                for row in sql.execute(f"SELECT sequence, identity, event FROM alert ORDER BY sequence {order}"):
                    if isinstance(row[0], int) and isinstance(row[1], str) and isinstance(row[2], str):
                        found[row[0]] = Row(*row)
            finally:
                sql.close()
    return [found[sequence] for sequence in sorted(found)]


def damage(what: str) -> sqlite3.DatabaseError:
    e = sqlite3.DatabaseError(what)
    e.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return e


def code_of(e: BaseException) -> int:
    """SQLite's primary error code; 0 where the error is none of SQLite's."""
    return getattr(e, "sqlite_errorcode", 0) & 0xFF


def synchronise(folder: Path) -> None:
    """Makes the names in a folder durable; where a file system cannot, it does without."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
