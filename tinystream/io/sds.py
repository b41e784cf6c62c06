"""Arm's Synchronous Data Stream: `stream.label.sds`, described by `stream.sds.yml` beside it.

A record is `uint32 timeslot, uint32 size`, both little-endian, then `size` bytes: whole samples, channel after channel, packed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.content import Content
from tinystream.io.gaps import FILL
from tinystream.io.stamps import Stamps
from tinystream.io.wanted import How, Wanted
from tinystream.io.words import first_line

TYPES = {
    **{f"{sign}int{bits}_t": f"<{sign or 'i'}{bits // 8}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float": "<f4",
    "double": "<f8",
}
WRAP = 1 << 32  # of timeslots
EXAMPLE = "sds: {name: Accelerometer, sample-frequency: 100, content: [{value: x, type: int16_t, scale: 0.000061035, unit: G}]}"
AGAIN = "copy or record it again"


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="ignore")


class Audio(Strict):
    channels: int = Field(ge=1, le=64)
    bits: int = Field(alias="bit-depth")
    format: str = "pcm"


class Entry(Strict):
    """One line of `content`: a value, or an audio or image format."""

    value: str | None = None
    type: str = ""
    scale: float = 1
    offset: float = 0
    unit: str = ""
    x: int = Field(default=1, alias="dim-x", ge=1, le=4096)
    y: int = Field(default=1, alias="dim-y", ge=1, le=4096)
    audio: Audio | None = None
    image: Any = None


Rate = Annotated[float, Field(gt=0, le=1e9)]


class Description(Strict):
    name: str
    content: tuple[Entry, ...] = Field(min_length=1, max_length=256)
    sample_hz: Rate | None = Field(default=None, alias="sample-frequency")
    older_hz: Rate | None = Field(default=None, alias="frequency")  # schema 3.0
    ticks_hz: Rate = Field(default=1000, alias="tick-frequency")

    @property
    def rate_hz(self) -> Fraction | None:
        rate = self.sample_hz or self.older_hz
        return Fraction(str(rate)).limit_denominator(10**6) if rate else None


class Channel(NamedTuple):
    name: str
    unit: str
    dtype: str
    scale: float
    offset: float


@dataclass(frozen=True, eq=False)
class Records:
    """ticks: timeslot of each record, [m].  sizes: bytes of each, [m].  body: all of them, one after the other."""

    ticks: np.ndarray
    sizes: np.ndarray
    body: bytes
    notes: tuple[str, ...]


def read_sds(path: Path, wanted: Wanted, how: How) -> Content:
    """Values by their content types: raw * scale + offset, in their units; audio as 16-bit samples.  Lost records show in the timeslots."""
    description = _description(path)
    channels = _channels(path, description)
    records = _records(path)
    x = _samples(path, channels, records)
    picked = chosen(path, [channel.name for channel in channels], wanted, how, [channel.unit for channel in channels])
    audio = description.content[0].audio is not None
    columns = [_real(x, channels, i, how.counts and not audio) for i in picked.columns]
    values = _joined(path, columns, audio, how.fills)
    width = _width(channels)
    first = np.concatenate([[0], np.cumsum(records.sizes // width)[:-1]]).astype(np.int64)
    stamps = Stamps(records.ticks, description.ticks_hz, first, lambda i: f"record {i}") if len(first) > 2 else None
    notes = (*records.notes, *picked.notes)
    return Content(values, picked.units, description.rate_hz, "", stamps, notes=notes, label=label_of(path))


def described_by(path: Path) -> Path:
    """`Test_In.sds.yml` of `Test_In.0.sds`, or of `Test_In.0.p.sds`, which a playback made."""
    stem = re.sub(r"\.p$", "", path.stem)
    for name in (stem, stem.rpartition(".")[0]):
        for ending in (".sds.yml", ".sds.yaml"):
            if name and (there := path.with_name(name + ending)).is_file():
                return there
    return path.with_name((stem.rpartition(".")[0] or stem) + ".sds.yml")


def label_of(path: Path) -> str:
    return re.sub(r"\.p$", "", path.stem).partition(".")[2]


def _description(path: Path) -> Description:
    import yaml  # only this format needs it

    there = described_by(path)
    if not there.is_file():
        raise RecordingError(f"{path} has no description beside it: {there.name} does not exist", f"{there.name} with {EXAMPLE}")
    try:
        data = yaml.safe_load(there.read_bytes())
        if not isinstance(data, Mapping) or "sds" not in data:
            raise RecordingError(f"{there} has no 'sds'", EXAMPLE)
        return Description.model_validate(data["sds"])
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordingError(f"{there}: {where}: {first['msg'][:1].lower()}{first['msg'][1:]}", EXAMPLE) from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError, LookupError) as e:
        raise RecordingError(f"{there} is no YAML: {first_line(e)}", EXAMPLE) from None


def _channels(path: Path, description: Description) -> list[Channel]:
    found: list[Channel] = []
    for entry in description.content:
        if entry.audio is not None:
            if len(description.content) > 1:
                raise RecordingError(f"{path}: audio beside other content is not read", "record it as a stream of its own")
            return _audio(path, entry.audio)
        if entry.image is not None:
            raise RecordingError(f"{path} holds images of a stream, which are not read", "PNG files in a folder")
        if entry.value is None or entry.type not in TYPES:
            raise RecordingError(
                f"{path}: value '{entry.value}' is of type '{entry.type}', which is not read", f"types are {', '.join(TYPES)}"
            )
        count = entry.x * entry.y
        names = [entry.value] if count == 1 else [f"{entry.value}[{i}]" for i in range(count)]
        found += [Channel(name, entry.unit, TYPES[entry.type], entry.scale, entry.offset) for name in names]
        if len(found) > 4096:
            raise RecordingError(f"{path} has more than 4096 values a sample", "record fewer of them")
    return found


def _audio(path: Path, audio: Audio) -> list[Channel]:
    if audio.format != "pcm" or audio.bits not in (16, 32):
        raise RecordingError(f"{path}: audio of {audio.bits} bits as {audio.format} is not read", "bit-depth: 16, format: pcm")
    full = 2.0 ** (1 - audio.bits)
    return [Channel(str(i), "FS", f"<i{audio.bits // 8}", full, 0) for i in range(audio.channels)]


def _records(path: Path) -> Records:
    data = path.read_bytes()
    ticks: list[int] = []
    sizes: list[int] = []
    parts: list[bytes] = []
    notes: tuple[str, ...] = ()
    at = turn = 0
    while at + 8 <= len(data):
        tick, size = struct.unpack_from("<II", data, at)
        if at + 8 + size > len(data):
            break
        turn += WRAP if ticks and tick < ticks[-1] - turn - WRAP // 2 else 0
        ticks.append(tick + turn)
        sizes.append(size)
        parts.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    left = len(data) - at
    if left:
        size = struct.unpack_from("<I", data, at + 4)[0] if left >= 8 else 0
        if not sizes or left > 2 * max(sizes) + 8:
            what = f"{path} is damaged: at byte {at} a record of {size} bytes begins, and {max(left - 8, 0)} bytes follow"
            raise RecordingError(what, AGAIN)
        notes = (f"its last record, {len(sizes)}, is cut short and left out",)
    return Records(np.array(ticks, np.float64), np.array(sizes, np.int64), b"".join(parts), notes)


def _width(channels: list[Channel]) -> int:
    return sum(np.dtype(channel.dtype).itemsize for channel in channels)


def _samples(path: Path, channels: list[Channel], records: Records) -> np.ndarray:
    width = _width(channels)
    odd = np.flatnonzero((records.sizes % width != 0) | (records.sizes == 0))
    if len(odd):
        what = f"{path}, record {odd[0]}: {records.sizes[odd[0]]} bytes are no whole samples of {width} bytes"
        raise RecordingError(what, f"{described_by(path).name} describes another recording, or it is damaged")
    return np.frombuffer(records.body, np.dtype([(str(i), channel.dtype) for i, channel in enumerate(channels)]))


def _real(x: np.ndarray, channels: list[Channel], i: int, counts: bool) -> np.ndarray:
    raw, channel = x[str(i)].astype(np.float64), channels[i]
    return raw if counts else raw * channel.scale + channel.offset


def _joined(path: Path, columns: list[np.ndarray], audio: bool, fill: bool) -> np.ndarray:
    values = np.stack(columns, axis=1) if len(columns[0]) else np.empty((0, len(columns)))
    good = np.isfinite(values) | (np.isnan(values) & fill)
    if not good.all():
        raise RecordingError(f"{path}: sample {int(np.argmin(good.all(axis=1)))} is not a finite number", f"{FILL}, where it is NaN")
    return values if not audio else np.clip(np.floor(values * 32768 + 0.5), -32768, 32767).astype(np.int16)
