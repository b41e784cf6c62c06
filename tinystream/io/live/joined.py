"""Several live sources as one, each read in a thread of its own: what their devices heard at the same time, by heartbeats of the app.

No two devices have one clock, so blocks are joined by count: heartbeat n takes the n-th block of the first source, and of a slower one the
block that it lies in, once that is there.  How much of that is the truth is looked after in join.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from math import ceil
from queue import Empty, SimpleQueue
from typing import Any

from tinystream.errors import RecordingError, TinystreamError
from tinystream.io.live.base import Item, Level, Live, gaps_told
from tinystream.io.live.join import Join
from tinystream.plan.signal import Signal

WAIT_S = 0.1
"""From one look at the clock to the next, where nothing comes."""
AHEAD_S = 2.0
"""Samples of a source that may wait, beside a block of the slowest; then its device has to."""
END_S = 4.0
"""Longest wait at the end for each thread: a driver may hold it."""


class Joined(Live):
    """names, x: of the sources; the first is the heartbeat.  It ends when one of them has ended, and fails when one of them fails.

    blocks, gaps and missing are of the joined heartbeats, overruns those of all sources; facts() has what is known of each, with the
    samples that were left out of it.
    """

    def __init__(
        self,
        names: Sequence[str],
        x: Sequence[Signal],
        sources: Sequence[Live],
        tell: Callable[[str], Any] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(x[0].shape[0], x[0].channels, x[0].shape, x[0].dtype)
        self.names, self.sources, self.clock = tuple(names), tuple(sources), clock
        self.join = Join(names, x, tell)
        beat_s = float(1 / x[0].rate_hz)
        most = AHEAD_S / beat_s + 2 * max(self.join.lasts)
        self._room = [threading.Semaphore(ceil(most / lasts) + 1) for lasts in self.join.lasts]
        self._arrived: SimpleQueue[tuple[int, float, Item | BaseException | None]] = SimpleQueue()

    def items(self) -> Generator[Item, None, None]:
        threads = [
            threading.Thread(target=self._read, args=(i, source), name=f"source {name}", daemon=True)
            for i, (name, source) in enumerate(zip(self.names, self.sources, strict=True))
        ]
        try:
            for thread in threads:
                thread.start()
            while not self.join.over:
                self.look()
                self._take()
                self.overruns = sum(source.overruns for source in self.sources)
                for item in self.join.found(self.clock()):
                    self._make_room()
                    yield item
                self._make_room()
        finally:
            for source in self.sources:
                source.stop()
            self.stop()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(END_S)

    def _take(self) -> None:
        """What has come, all of it: who is ahead is not judged by a half of what waits here."""
        with suppress(Empty):
            i, at, item = self._arrived.get(timeout=WAIT_S)
            while True:
                if isinstance(item, TinystreamError):
                    raise RecordingError(f"{self.names[i]}: {item.what}", item.help)
                if isinstance(item, BaseException):
                    raise item
                self.join.come(i, at, item)
                i, at, item = self._arrived.get_nowait()

    def _make_room(self) -> None:
        for room, gone in zip(self._room, self.join.gone(), strict=True):
            if gone:
                room.release(gone)

    def _read(self, i: int, source: Live) -> None:
        """In a thread: one source, from its beginning to its end."""
        end: BaseException | None = None
        try:
            with closing(iter(source)) as items:
                for item in items:
                    while not self._room[i].acquire(timeout=WAIT_S):
                        if self._stopping.is_set():
                            return
                    self._arrived.put((i, self.clock(), item))
        except BaseException as error:
            end = error
        self._arrived.put((i, self.clock(), end))

    # --- what is known of them

    def level(self) -> Level:
        """Of the first source."""
        return self.sources[0].level()

    @property
    def heard(self) -> Level:
        """Of the first source."""
        return self.sources[0].heard

    def facts(self) -> dict[str, Any]:
        """By source; `joined` is what all of them gave together."""
        together = {"heartbeats": self.blocks, "gaps": self.gaps, "missing": self.missing}
        found = zip(self.names, self.sources, self.join.left_out, strict=True)
        return {name: source.facts() | {"left_out": left_out, "joined": together} for name, source, left_out in found}

    def notes(self) -> list[str]:
        found = [gaps_told(self.gaps, self.missing)] if self.gaps else []
        return found + [f"{name}: {note}" for name, source in zip(self.names, self.sources) for note in source.notes()]
