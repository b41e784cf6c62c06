"""ON and OFF of each label, for who wants no JSON: switches, lamps, Home Assistant."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock

from tinystream.detectors.limits import ends_of
from tinystream.node.topics import Message, Topics


class Switches:
    """heard() and tick() note what has changed; take() gives the messages of that.

    A label that its detector clears stays on until then, and lies retained; any other is off again `off_s` after its last alert.
    """

    def __init__(self, labels: Sequence[str], topics: Topics, off_s: float, monotonic: Callable[[], float] = time.monotonic):
        self._ends = ends_of(labels)
        self.lasting = set(self._ends.values())
        self.labels = [label for label in labels if label not in self._ends]
        self.topics, self.off_s, self.monotonic = topics, off_s, monotonic
        self._on: dict[str, float] = {}  # label -> when it was heard last
        self._news: dict[str, None] = {}  # labels, in the order of their news
        self._lock = Lock()

    def heard(self, label: str) -> None:
        with self._lock:
            if label in self.labels:
                self._on[label] = self.monotonic()
            else:
                label = self._ends[label]
                self._on.pop(label, None)
            self._news[label] = None

    def tick(self) -> None:
        with self._lock:
            now = self.monotonic()
            for label, since in list(self._on.items()):
                if label not in self.lasting and now - since >= self.off_s:
                    del self._on[label]
                    self._news[label] = None

    def all(self) -> None:
        """Everything is news, to who has just come."""
        with self._lock:
            self._news = dict.fromkeys(self.labels)

    def take(self) -> list[Message]:
        with self._lock:
            news, self._news = self._news, {}
            return [self._message(label) for label in news]

    def _message(self, label: str) -> Message:
        return Message(self.topics.label(label), b"ON" if label in self._on else b"OFF", retain=label in self.lasting)
