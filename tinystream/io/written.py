"""Live samples into files that read back as the same samples: WAV, CSV or SDS, with what is known of them in JSON beside them.

A gap begins another file, NAME-2.wav and so on, since a replay begins afresh with each as the live run did behind the gap.  Of several
sources there is a file for each, NAME.motion.wav and NAME-2.motion.wav, as a replay takes them.
"""

from __future__ import annotations

import csv
import json
import re
import struct
import wave
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.errors import RecordingError, TinystreamError, writing
from tinystream.io.live.base import Beat, Gap, Item, Live
from tinystream.plan.plan import Column, Plan
from tinystream.plan.signal import Signal

ANOTHER = "--output another file, or make room"
EVERY_MS = 5  # of a record of SDS from which milliseconds are fine enough


class Written:
    """write() takes what a live source gives; close() makes the files whole.  Every block is in its file when write() returns.

    source: its name, where it is one of several.
    """

    def __init__(self, path: Path, x: Signal, columns: Sequence[Column] = (), about: Mapping[str, Any] | None = None, source: str = ""):
        assert x.sample_hz is not None, "a source has a sample rate"
        if path.suffix.lower() not in FORMATS:
            raise RecordingError(f"{path} is of a kind that is not written", f"a name that ends in {', '.join(FORMATS)}")
        if x.dtype != "int16":
            raise RecordingError("images of a camera are not written", "save them as PNG files in a folder")
        if path.suffix.lower() == ".wav" and x.sample_hz.denominator != 1:
            whose = f"that of '{source}'" if source else "the app's"
            what = f"WAV knows whole rates only, and {whose} is {float(x.sample_hz):g} Hz"
            raise RecordingError(what, f"{path.with_suffix('.csv')}")
        self.recording, self.of = path, f".{source}" if source else ""
        self.path, self.x, self.rate_hz = path.with_name(f"{path.stem}{self.of}{path.suffix}"), x, x.sample_hz
        unnamed = ["audio"] if x.channels == 1 else [f"audio{i}" for i in range(x.channels)]
        self.columns = tuple(columns) or tuple(Column(name, x.unit, x.scale) for name in unnamed)
        self.audio = not columns
        self.about = dict(about or {})
        self.pieces: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []
        self.now = 0  # samples that have passed
        self._file: Format | None = None
        for there in (self.path, self.beside):
            if there.exists():
                raise RecordingError(f"{there} is there already", "another name: nothing is written over")

    @property
    def beside(self) -> Path:
        return self.path.with_name(f"{self.path.stem}.about.json")

    def write(self, item: Item) -> None:
        if isinstance(item, Gap):
            self._end()
            self.gaps.append({"sample": self.now, "samples": item.samples, "exact": item.exact, "why": item.why})
            self.now += item.samples
            return
        assert isinstance(item, np.ndarray), "heartbeats of several sources are for WrittenTogether"
        x = item.reshape(-1, len(self.columns))
        if self._file is None:
            self._begin()
        assert self._file is not None, "a piece has begun"
        with writing(self.path, ANOTHER):
            self._file.add(x)
        self.pieces[-1]["samples"] += len(x)
        self.now += len(x)

    def close(self, facts: Mapping[str, Any] | None = None) -> None:
        """facts: what the source knows at its end."""
        self._end()
        self.about |= facts or {}
        self._tell()

    def _begin(self) -> None:
        n = len(self.pieces) + 1
        path = self.path if n == 1 else self.path.with_name(f"{self.recording.stem}-{n}{self.of}{self.path.suffix}")
        if path.exists():
            raise RecordingError(f"{path} is there already", "another name: nothing is written over")
        with writing(path, ANOTHER):
            self._file = FORMATS[path.suffix.lower()](path, self.rate_hz, self.columns, self.audio)
        if n == 1:
            self.about["begun"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.pieces.append({"file": path.name, "first_sample": self.now, "samples": 0})
        self._tell()

    def _end(self) -> None:
        if self._file is not None:
            with writing(self.path, ANOTHER):
                self._file.close()
            self._file = None

    def _tell(self) -> None:
        channels = [{"name": c.name, "unit": c.unit, "scale": c.scale} for c in self.columns]
        told = {**self.about, "rate_hz": float(self.rate_hz), "channels": channels, "pieces": self.pieces, "gap_list": self.gaps}
        part = self.beside.with_name(self.beside.name + ".part")
        with writing(self.beside, ANOTHER):
            part.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            part.replace(self.beside)


class WrittenTogether:
    """What several sources give together, each into files of its own; what is known of each lies beside its first."""

    def __init__(self, path: Path, plan: Plan, about: Mapping[str, Any] | None = None):
        self.x = plan.x
        each = [plan.of_source(i) for i in range(len(plan.x))]
        self.parts = {
            name: Written(path, one.x[0], one.columns[0], about, name) for name, one in zip(plan.names, each, strict=True)
        }

    def write(self, item: Item) -> None:
        if isinstance(item, Gap):
            for written, x in zip(self.parts.values(), self.x):
                samples = round(item.samples * x.shape[0] * x.rate_hz / (self.x[0].shape[0] * self.x[0].rate_hz))
                written.write(replace(item, samples=samples))
            return
        assert isinstance(item, Beat), "several sources give heartbeats"
        for written, block in zip(self.parts.values(), item.new, strict=True):
            if block is not None:
                written.write(block)

    def close(self, facts: Mapping[str, Any] | None = None) -> None:
        """facts: by source."""
        for name, written in self.parts.items():
            written.close((facts or {}).get(name))


def write_to(path: Path, plan: Plan, about: Mapping[str, Any]) -> Written | WrittenTogether:
    """For what an app hears.  RecordingError where the files cannot hold it, or one is there already."""
    if plan.names:
        return WrittenTogether(path, plan, about)
    return Written(path, plan.x[0], plan.columns[0] if plan.columns else (), about)


def recorded(
    live: Live, written: Written | WrittenTogether, failed: Callable[[TinystreamError], Any] | None = None
) -> Generator[Item, None, None]:
    """What the source gives, each block once it is written.  failed: is told where writing fails, and the samples go on without it."""
    broken = False

    def attempt(what: Callable[[], None]) -> None:
        nonlocal broken
        if broken:
            return
        try:
            what()
        except TinystreamError as error:
            if failed is None:
                raise
            broken = True
            failed(error)

    items = iter(live)
    try:
        for item in items:
            attempt(partial(written.write, item))
            yield item
    finally:
        items.close()
        attempt(lambda: written.close(live.facts()))


class Format(ABC):
    """One file that is being written: samples [n, channels]."""

    @abstractmethod
    def __init__(self, path: Path, rate_hz: Fraction, columns: Sequence[Column], audio: bool): ...

    @abstractmethod
    def add(self, x: np.ndarray) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class Wav(Format):
    """16-bit PCM; the header is right after every block, so that a file of which the end is missing is whole, too."""

    def __init__(self, path: Path, rate_hz: Fraction, columns: Sequence[Column], audio: bool):
        self.stream = path.open("wb")
        self.file = wave.open(self.stream, "wb")  # noqa: SIM115 - it is open for as long as the recording lasts
        self.file.setparams((len(columns), 2, int(rate_hz), 0, "NONE", ""))

    def add(self, x: np.ndarray) -> None:
        self.file.writeframes(x.astype("<i2").tobytes())
        self.stream.flush()

    def close(self) -> None:
        self.file.close()
        self.stream.close()


class Csv(Format):
    """Real values in their units, and time stamps in milliseconds, as Edge Impulse reads them."""

    def __init__(self, path: Path, rate_hz: Fraction, columns: Sequence[Column], audio: bool):
        self.stream = path.open("w", encoding="utf-8", newline="")
        self.rows = csv.writer(self.stream, lineterminator="\n")
        self.rate_hz, self.scales, self.n = rate_hz, np.array([column.scale for column in columns]), 0
        self.rows.writerow(["timestamp", *(headed(column) for column in columns)])

    def add(self, x: np.ndarray) -> None:
        for i, row in enumerate((x * self.scales).tolist(), self.n):
            self.rows.writerow([round(float(1000 * i / self.rate_hz), 6), *row])
        self.n += len(x)
        self.stream.flush()

    def close(self) -> None:
        self.stream.close()


def headed(column: Column) -> str:
    """A name, and its unit in brackets where brackets can hold it."""
    return f"{column.name} [{column.unit}]" if column.unit and not re.search(r"[\[\](){}<>]", column.unit) else column.name


class Sds(Format):
    """Arm's Synchronous Data Stream: a record a block, and its description beside it."""

    def __init__(self, path: Path, rate_hz: Fraction, columns: Sequence[Column], audio: bool):
        import yaml

        self.rate_hz, self.n, self.ticks_hz = rate_hz, 0, 0
        self.columns, self.audio, self.path, self.yaml = columns, audio, path, yaml
        self.stream = path.open("wb")

    def add(self, x: np.ndarray) -> None:
        if not self.ticks_hz:
            self.ticks_hz = 1000 if 1000 * len(x) / self.rate_hz >= EVERY_MS else 1_000_000
            self._describe()
        slot = int(self.n * self.ticks_hz / self.rate_hz) % (1 << 32)
        raw = x.astype("<i2").tobytes()
        self.stream.write(struct.pack("<II", slot, len(raw)) + raw)
        self.stream.flush()
        self.n += len(x)

    def close(self) -> None:
        self.stream.close()

    def _describe(self) -> None:
        sound = [{"audio": {"channels": len(self.columns), "bit-depth": 16, "format": "pcm"}}]
        values = [{"value": c.name, "type": "int16_t", "scale": c.scale, "offset": 0, "unit": c.unit} for c in self.columns]
        about = {"name": self.path.stem, "sample-frequency": float(self.rate_hz), "tick-frequency": self.ticks_hz}
        told = {"sds": {**about, "content": sound if self.audio else values}}
        text = self.yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
        self.path.with_name(f"{self.path.stem}.sds.yml").write_text(text, encoding="utf-8")


FORMATS: dict[str, type[Format]] = {".wav": Wav, ".csv": Csv, ".sds": Sds}
