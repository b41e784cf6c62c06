"""What a node remembers when it is started again: a folder that one process at a time may use."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from tinystream.errors import TinystreamError, writing
from tinystream.io.delivery import Managed

MOST_BYTES = 262_144


class State(Managed):
    """The folder: outbox.db, settings.json, learnt.bin.  TinystreamError where another process has it, or it cannot be made."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.outbox, self.learnt = folder / "outbox.db", folder / "learnt.bin"
        self._settings = folder / "settings.json"
        self._lock: TextIO | None = None

    def open(self) -> None:
        with writing(self.folder, "--state FOLDER"):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise TinystreamError(f"another node runs with the state in {self.folder}", "stop it, or --state another folder") from None
        self._lock = lock

    def close(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def read_settings(self) -> dict[str, Any]:
        """What save_settings() was given; nothing where there is nothing, or nothing that can be read."""
        try:
            with self._settings.open("rb") as file:
                found = json.loads(file.read(MOST_BYTES))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def save_settings(self, told: Mapping[str, Any]) -> None:
        """OSError where the disk refuses; what was there before is there then.  Neither kill -9 nor loss of power leaves half of it."""
        whole(self._settings, json.dumps(told).encode())


def whole(path: Path, content: bytes) -> None:
    """A file with new content: all of it, or what it was before."""
    half_written = path.with_name(path.name + ".part")
    with half_written.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half_written.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too
    finally:
        os.close(folder)
