"""Settings that arrive: read, applied, remembered over a restart, and answered."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from threading import RLock
from typing import Any

from tinystream.app.node import Settings
from tinystream.errors import TinystreamError
from tinystream.node.settings import read_changes, refusal
from tinystream.node.state import State
from tinystream.node.watch import Watch

log = logging.getLogger(__name__)


class Changing:
    """take() a message; answer() is what holds now, and what was refused.

    folder: where the definition lies.
    lock:   whoever pushes samples holds it.
    fault:  why settings are not remembered; "" where they are.
    """

    def __init__(self, watch: Watch, state: State, folder: Path, lock: RLock):
        self.watch, self.state, self.folder, self.lock = watch, state, folder, lock
        self.fault = ""
        self._counter = 0
        self._taken = ""  # the last message that was accepted

    def restore(self) -> None:
        """What was set before the process ended.  A definition that has changed since may no longer allow it: then it holds alone."""
        kept = self.state.read_settings()
        counter = kept.get("counter")
        self._counter = counter if isinstance(counter, int) and not isinstance(counter, bool) and counter >= 0 else 0
        if kept.get("definition") != self.watch.plan.digest:
            if kept:
                log.info("the definition is another one than before: its own settings hold until new ones come")
            return
        limits = (self.watch.app.settings or Settings()).model_copy(update={"key_file": None})  # its signature was seen when it came
        try:
            self.watch.apply(read_changes(json.dumps(kept.get("changes", {})).encode(), limits, self.watch.plan))
            self._taken = str(kept.get("taken", ""))
        except TinystreamError as error:
            log.warning("settings from before are left out: %s", error.what)

    def take(self, message: bytes) -> dict[str, Any]:
        """The answer to a message of anybody's.  One that was accepted before, such as one that lies retained, is accepted again."""
        mark = mark_of(message)
        if mark == self._taken:
            return self.answer(mark)
        plan = self.watch.plan
        try:
            changes = read_changes(message, self.watch.app.settings, plan, self.folder, self._counter)
            with self.lock:
                self.watch.apply(changes)
        except TinystreamError as error:
            log.warning("settings are refused: %s", error.what)
            return self.answer(mark) | refusal(error)
        self._taken, self._counter = mark, max(self._counter, changes.counter)
        kept = {"definition": plan.digest, "changes": changes.as_dict(), "counter": self._counter, "taken": mark}
        try:
            self.state.save_settings(kept)
            self.fault = ""
        except OSError as error:
            self.fault = f"settings hold until a restart only: {(error.strerror or str(error)).lower()}"
            log.error(self.fault)
        log.info("settings %s hold now", self.watch.settings_hash, extra={"facts": {"settings": changes.as_dict()}})
        return self.answer(mark)

    def answer(self, mark: str | None = None) -> dict[str, Any]:
        """What holds; `threshold` and `quiet_s` are there where all labels that have one have the same.  mark: the message answered."""
        labels = self.watch.settings
        told: dict[str, Any] = {"settings": self.watch.settings_hash, "definition": self.watch.plan.digest}
        for name in ("threshold", "quiet_s"):
            values = {label[name] for label in labels.values() if label[name] is not None}
            if len(values) == 1:
                told[name] = values.pop()
        told |= {"labels": labels} | ({"answers": mark} if mark else {}) | ({"counter": self._counter} if self._counter else {})
        return told | ({"warning": self.fault} if self.fault else {})


def mark_of(message: bytes) -> str:
    """By which who sent a message knows its answer."""
    return hashlib.sha256(message).hexdigest()[:16]
