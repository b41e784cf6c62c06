"""Samples of a node, for a person who has asked for them: the node says when it begins and ends, and so do we."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from pathlib import Path

import numpy as np
import soundfile

from tinystream.errors import RecordingError, writing
from tinystream.io.records import Record, Recording, Samples, ask_for_samples

MOST_S = 60  # a node tells no more at once
ASK_S = 1.0  # from one request to the next, while there is no answer
ANSWER_S = 15.0
ALL = 2**32 - 1
NOT_BUILT = "firmware of `tinystream build --recording`, a board that hears its line, and the right --baud"


class Recorder:
    """ask() now and then, take() every record; `done` when the file is written.

    The file is 16-bit WAV of the sensor's counts, one channel for each of the source's.  It ends where a sample was lost.

    write: sends bytes to the node; tell: words for people.
    """

    def __init__(
        self,
        path: Path,
        seconds: float,
        write: Callable[[bytes], None],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        if path.suffix.lower() != ".wav":
            raise RecordingError(f"--record {path} is no WAV file", "--record node.wav")
        if path.exists():
            raise RecordingError(f"{path} is there already", "--record another file")
        self.path, self.seconds, self.write, self.tell, self.clock = path, seconds, write, tell, clock
        self.done = False
        self._began_at, self._asked_at = clock(), float("-inf")
        self._begun: Recording | None = None
        self._values: list[np.ndarray] = []
        self._next: tuple[int, int] | None = None  # moment of a block, and value in it
        self._count = 0  # values
        self._gap: float | None = None

    def ask(self) -> None:
        """For samples until they come, and for no more when they have.  RecordingError where the node does not answer."""
        now = self.clock()
        if self.done or now - self._asked_at < ASK_S or (self._begun and not self._enough()):
            return
        if not self._begun and now - self._began_at > ANSWER_S:
            raise RecordingError(f"the node tells no samples, {ANSWER_S:g} s after it was asked", NOT_BUILT)
        self._asked_at = now
        self.write(ask_for_samples(1, 0 if self._begun else ALL))

    def take(self, record: Record, node: str) -> None:
        match record:
            case Recording(what="begun") if self._begun is None:
                self._begin(record, node)
            case Recording(what="ended") if self._begun is not None:
                self._end()
            case Samples() if self._begun is not None and not self._enough():
                self._add(record)
                if self._enough():
                    self._asked_at = float("-inf")
                    self.ask()

    def _begin(self, record: Recording, node: str) -> None:
        if record.width != 2:
            raise RecordingError(f"the samples of {node} are pixels, which a WAV file cannot hold", "another node")
        self._begun = record
        self.tell(f"RECORDING: raw samples of {node} go to {self.path}, for {self.seconds:g} s at most")

    def _wanted(self) -> int:
        assert self._begun, "asked for after it has begun"
        return ceil(min(self.seconds, MOST_S) * self._begun.sample_hz) * self._begun.channels

    def _enough(self) -> bool:
        return self._gap is not None or self._count >= self._wanted()

    def _add(self, record: Samples) -> None:
        assert self._begun, "looked at by the caller"
        x = np.frombuffer(record.raw[: len(record.raw) // 2 * 2], "<i2")
        if self._next is not None and (record.sample, record.offset) != self._next:
            self._gap = self._count / self._begun.channels / self._begun.sample_hz
            return
        self._values.append(x)
        self._count += len(x)
        whole = record.offset + len(x) >= self._begun.block * self._begun.channels
        self._next = (record.sample + self._begun.block, 0) if whole else (record.sample, record.offset + len(x))

    def _end(self) -> None:
        assert self._begun, "looked at by the caller"
        channels, rate_hz = self._begun.channels, self._begun.sample_hz
        values = np.concatenate(self._values or [np.empty(0, np.int16)])[: self._wanted()]
        x = values[: len(values) // channels * channels].reshape(-1, channels)
        if self._gap is not None:
            need = round(12 * rate_hz * channels * 2)  # 10 bits a byte, and a fifth for records and frames
            self.tell(f"warning: samples were lost after {self._gap:.3f} s, and the recording ends there; all need {need} baud")
        with writing(self.path, "--record another file"):
            soundfile.write(self.path, x, max(1, round(rate_hz)), subtype="PCM_16")
        self.done = True
        self.tell(f"recording ended: {len(x) / rate_hz:.3f} s in {self.path}")
