"""What live sources have in common: blocks, gaps between them, and how loud they are."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Event as Flag
from typing import Any, NamedTuple

import numpy as np

QUIETEST = -120.0
"""dBFS that silence is told as: a number that every meter can show."""


@dataclass(frozen=True)
class Gap:
    """Samples are missing between the block before and the next one.

    What reads blocks begins afresh behind a gap, as between two windows of duty, and counts the missing samples as time that has passed:
    nothing is ever glued together.  A source gives a gap just before the next whole block, so several troubles in a row are one gap, and
    none comes first or last.

    samples: of each channel that are not in a block, those that came but did not fill one among them.
    exact:   they were counted; otherwise the clock has told about how many.
    why:     for people.
    """

    samples: int
    why: str
    exact: bool = True


LOOK_S = 0.2
"""From one look at whether to go on to the next, of a source that waits."""


@dataclass(frozen=True, eq=False)
class Beat:
    """A heartbeat of several sources.

    x:   for each source its block, [1, *shape] as an engine takes it: a slower one's is there for each heartbeat that it lasts.
    new: for each source the block that begins with this heartbeat; None where the last one goes on.
    """

    x: tuple[np.ndarray, ...]
    new: tuple[np.ndarray | None, ...]


Item = np.ndarray | Beat | Gap


class Stopped(Exception):
    """stop() was called."""


class Level(NamedTuple):
    """How much of its range a source uses.  Full scale is 32768 counts, of pixels 255; the mean is part of it.

    rms_dbfs, peak_dbfs: 0 is full scale, QUIETEST is silence or less.
    clipped: share of the values that lie at either end of the range.
    """

    rms_dbfs: float
    peak_dbfs: float
    clipped: float


class Meter:
    """Adds blocks up to a Level."""

    def __init__(self, dtype: str):
        self.low, self.high = (0, 255) if dtype == "uint8" else (-32768, 32767)
        self.full = float(max(-self.low, self.high))
        self.count, self.squares, self.peak, self.clipped = 0, 0.0, 0, 0

    def add(self, block: np.ndarray) -> None:
        x = block.reshape(-1).astype(np.float64)
        self.count += x.size
        self.squares += float(x @ x)
        self.peak = max(self.peak, int(np.abs(x).max(initial=0)))
        self.clipped += int(np.count_nonzero((block == self.low if self.low else False) | (block == self.high)))

    @property
    def level(self) -> Level:
        n = max(1, self.count)
        return Level(decibels(math.sqrt(self.squares / n) / self.full), decibels(self.peak / self.full), self.clipped / n)


def decibels(ratio: float) -> float:
    return round(max(QUIETEST, 20 * math.log10(ratio)), 1) if ratio > 0 else QUIETEST


class Live:
    """An iterable of blocks, [length] or [length, channels] where no other shape is said, and of gaps between them.

    overruns: times that samples were lost, or came late, because the reader was too slow.
    left:     samples of each channel at the end that did not fill a block.
    gaps:     how many there were; `missing` samples in all, as far as is known.
    garbage:  pieces of what came in that were no samples: lines, frames, datagrams.
    limited:  values beyond full scale.
    rate_measured: samples a second by this machine's clock; None where it is not or not yet known.

    stop() may be called from another thread: the blocks then end within a moment, even where none comes.
    """

    rate_measured: float | None = None

    def __init__(self, length: int, channels: int, shape: tuple[int, ...] | None = None, dtype: str = "int16"):
        self.length, self.channels, self.dtype = length, channels, dtype
        self.shape = shape or ((length,) if channels == 1 else (length, channels))
        self.overruns = self.left = self.gaps = self.missing = self.garbage = self.limited = self.blocks = 0
        self._whole, self._recent = Meter(dtype), Meter(dtype)
        self._stopping = Flag()

    def __iter__(self) -> Generator[Item, None, None]:
        with suppress(Stopped), closing(self.items()) as items:
            for item in items:
                if isinstance(item, Gap):
                    self.gaps += 1
                    self.missing += item.samples
                else:
                    self.blocks += 1
                if isinstance(item, np.ndarray):
                    self._whole.add(item)
                    self._recent.add(item)
                yield item

    def items(self) -> Generator[Item, None, None]:
        """The blocks and gaps; what is open is closed when it ends or is closed itself."""
        raise NotImplementedError

    def stop(self) -> None:
        self._stopping.set()

    def look(self) -> None:
        """Raises Stopped where it should end; asked at least a few times a second by what waits."""
        if self._stopping.is_set():
            raise Stopped

    def rest(self, seconds: float) -> None:
        """As time.sleep, but for stop()."""
        self._stopping.wait(seconds)
        self.look()

    def level(self) -> Level:
        """Of all blocks since it was last asked."""
        level, self._recent = self._recent.level, Meter(self.dtype)
        return level

    @property
    def heard(self) -> Level:
        """Of all blocks since the start."""
        return self._whole.level

    def facts(self) -> dict[str, Any]:
        """What is known of the source so far, for a file beside a recording or a health report."""
        level = self.heard
        told = {name: getattr(self, name) for name in ("blocks", "gaps", "missing", "overruns", "garbage", "limited", "left")}
        rate = None if self.rate_measured is None else round(self.rate_measured, 4)
        return told | {"rate_measured_hz": rate, "clipped_share": round(level.clipped, 6)} | {
            "rms_dbfs": level.rms_dbfs, "peak_dbfs": level.peak_dbfs
        }  # fmt: skip

    def notes(self) -> list[str]:
        """What a person should know at the end."""
        found = []
        if self.overruns:
            found.append(f"{counted(self.overruns, 'overrun')}: samples were lost or late, because this machine was too slow")
        if self.gaps:
            found.append(gaps_told(self.gaps, self.missing))
        if self.garbage:
            found.append(f"{counted(self.garbage, 'piece')} of what came in could not be read")
        if self.limited:
            found.append(f"{counted(self.limited, 'value')} exceeded full scale and were limited")
        return found

    def _shaped(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.shape)


def gaps_told(gaps: int, missing: int) -> str:
    return f"{counted(gaps, 'gap')}, about {counted(missing, 'sample')} missing: the app began afresh behind each"


def counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
