"""Samples through an app, from a source that may fail and is started again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from threading import Event as Flag
from threading import RLock, Thread

import numpy as np

from tinystream.errors import TinystreamError
from tinystream.io.live import Beat, Live
from tinystream.io.live.base import Gap
from tinystream.node.capture import PreRoll
from tinystream.node.clock import Clock, Moment
from tinystream.node.watch import Watch
from tinystream.run.live import pushed
from tinystream.run.trace import Event, samples_per_block

STEADY_S = 30.0
"""A source that lasted so long is well: the pause after its next failure is the first again."""
log = logging.getLogger(__name__)


class Listening:
    """A thread of its own.  heard() is called in it with each event and when it was, while `lock` is held.

    source:  makes one, that says its words for people by what it is given.
    ends:    a source that ends is at its end, such as a recording; otherwise that is a failure, too.
    pause_s: first and longest pause before a failed source is started again.
    capture: keeps what is heard around alerts.

    state:   "running", "starting", "ended", or what is wrong, for people; alive_at: when an attempt or a block was last begun.
    samples: heard so far.  Sample numbers and times go on over a gap, by as much as the gap lasted, so that they never run backwards.
    gaps:    times that samples are missing, by the source's word or because it was started again; overruns: of all sources.
    """

    def __init__(
        self,
        watch: Watch,
        clock: Clock,
        source: Callable[[Callable[[str], None]], Live],
        heard: Callable[[Event, Moment], None],
        lock: RLock,
        ends: bool = False,
        pause_s: tuple[float, float] = (1.0, 60.0),
        random: Random | None = None,
        capture: PreRoll | None = None,
    ):
        self.watch, self.clock, self.source, self.heard, self.lock = watch, clock, source, heard, lock
        self.ends, self.pause_s, self.capture = ends, pause_s, capture
        self.state = "not yet started"
        self._looked = 0  # samples, when the level was last asked for
        self.samples = self.gaps = 0
        self.last_block = self.alive_at = time.monotonic()
        self.ended = Flag()
        self._random = random or Random()
        self._stop = Flag()
        self._overruns = 0  # of earlier sources
        self._live: Live | None = None
        self._heard = False  # a block of this source
        self._rate = watch.plan.x[0].sample_hz or watch.plan.x[0].rate_hz
        self._block = samples_per_block(watch.plan)
        self._thread = Thread(target=self._run, name="listening", daemon=True)

    @property
    def overruns(self) -> int:
        return self._overruns + (self._live.overruns if self._live else 0)

    @property
    def awaits(self) -> bool:
        """Whether a source should give blocks now."""
        return self.state in ("starting", "running")

    @property
    def held(self) -> bool:
        """Whether the source still keeps the thread."""
        return self._thread.is_alive()

    def level(self) -> tuple[float | None, float | None]:
        """(dBFS, clipped share) since it was last asked; (None, None) where nothing was heard."""
        live, before, self._looked = self._live, self._looked, self.samples
        if live is None or self.samples == before:
            return None, None
        level = live.level()
        return level.rms_dbfs, round(level.clipped, 6)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """No event comes any more once this returns, even where the source still holds the thread."""
        self._stop.set()
        if live := self._live:
            live.stop()
        with self.lock:  # what is being pushed is pushed to its end
            pass
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        failures, before = 0, ""
        while not self._stop.is_set():
            began = self.alive_at = time.monotonic()
            self.state = "starting"
            try:
                self._listen()
                what = "the source has ended"
                if self.ends or self._stop.is_set():
                    self.state = "ended"
                    break
            except TinystreamError as error:
                what = error.what
            except Exception as error:  # a driver's, a disk's or ours: a node goes on
                log.exception("unexpected error of the source")
                what = f"unexpected: {type(error).__name__}: {error}"
            failures = 1 if time.monotonic() - began > STEADY_S else failures + 1
            seconds = min(self.pause_s[1], self.pause_s[0] * 2.0 ** min(failures - 1, 30)) * self._random.uniform(0.5, 1.0)
            self.state = f"{what}; next attempt after {seconds:.1f} s"
            log.log(logging.DEBUG if what == before else logging.ERROR, "source: %s", self.state)  # as the last time is no news
            before = what
            self._stop.wait(seconds)
        self.ended.set()

    def _listen(self) -> None:
        """One source from its beginning to its end."""
        if self._heard:
            self._overruns, self._live, self._heard = self.overruns, None, False
            self.gaps += 1
        live = self._live = self.source(self._say)
        if self._stop.is_set():  # stop() may not have seen it
            return
        for item in live:
            with self.lock:
                if self._stop.is_set():
                    return
                if isinstance(item, Gap):
                    self._miss(item)
                else:
                    self._take(item)

    def _begin(self, now: float) -> None:
        """The first block of a source.  Of an earlier one the count goes on, behind as many samples as were missed."""
        if self.samples:
            self._jump(max(0, round((now - self.last_block) * self._rate) - self._block))
        self._heard, self.state = True, "running"
        log.info("source: running")

    def _say(self, words: str) -> None:
        """The source's own words.  After a warning it looks after itself, until blocks come again."""
        if words.startswith("warning: "):
            self.state = words.removeprefix("warning: ")
            log.warning("source: %s", self.state)
        else:
            log.info("source: %s", words.removeprefix("note: "))

    def _miss(self, gap: Gap) -> None:
        """A source that goes on behind a gap tells how long it was."""
        log.warning("source: %s; %s samples are missing", gap.why, gap.samples if gap.exact else f"about {gap.samples}")
        self.gaps += 1
        self._jump(gap.samples)

    def _jump(self, samples: int) -> None:
        self.watch.gap(samples)
        self.clock.restart(self._count())
        if self.capture:
            self.capture.restart()

    def _count(self) -> int:
        return self.watch.ahead + self.watch.blocks * self._block

    def _take(self, item: np.ndarray | Beat) -> None:
        now = time.monotonic()
        if not self._heard:
            self._begin(now)
        elif self.state != "running":
            self.state = "running"
            log.info("source: running again")
        self.last_block = self.alive_at = now
        x = pushed(item)
        found = self.watch.push(*x)
        self.samples = self._count()
        jumps = self.clock.jumps
        self.clock.seen(self.samples)
        if self.clock.jumps > jumps:
            log.warning("the wall clock was set; times of alerts follow it from here on")
        for event in found:
            self.heard(event, self.clock.at(event.sample))
        if self.capture:
            self._keep(self.capture, x, found)

    def _keep(self, capture: PreRoll, x: tuple[np.ndarray, ...], found: list[Event]) -> None:
        """A capture counts from the last gap on."""
        capture.settings = self.watch.settings_hash
        capture.push(x, self.watch.fired)
        for event in found:
            capture.alert(replace(event, sample=event.sample - self.watch.ahead))
