"""Records of nodes: frames on a serial line, made into what they tell.

The twin of firmware_templates/firmware/ts_record.h and of main.c, which say what a frame is and what is in a record.
"""

from __future__ import annotations

import math
import struct
from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from cobs import cobs

from tinystream.plan.learnt import Refusal

VERSION = 1
LONGEST = 245
"""Bytes of a frame: the record, its CRC, one byte of COBS and the zero."""
LEARNT = ("restored", "refused", "saved", "forgotten")
REFUSALS = ("", *(why.name.lower() for why in Refusal if why != Refusal.NONE))
RESETS = ("unknown", "power", "pin", "watchdog", "software", "fault")


@dataclass(frozen=True)
class Record:
    """Base of all records.  sequence: counts the records since the node has started."""

    kind: ClassVar[str]
    sequence: int

    def as_dict(self) -> dict[str, Any]:
        return {"record": self.kind} | asdict(self)


@dataclass(frozen=True)
class Hello(Record):
    """A node has started: what runs on it, and why it has.

    definition:    the first 16 digits of the app's definition hash.
    fault_address: where the instruction was that could not be executed, if that is why; else 0.
    """

    kind: ClassVar[str] = "hello"
    reset: str
    fault_address: int
    definition: str
    clock_hz: int
    sample_hz: float
    block: int
    score_scale: float
    score_zero: int
    board: str
    app: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class SelfTest(Record):
    """Whether the node computes what the host has computed; step: the first that does not."""

    kind: ClassVar[str] = "self_test"
    passed: bool
    step: str = ""
    step_index: int = -1


@dataclass(frozen=True)
class Alert(Record):
    """An event.

    sample: samples that had been heard when it was known, counted from the node's start; time in which it slept counts.
    torn:   the block was written over while it was processed, so the score may be of mixed samples.
    """

    kind: ClassVar[str] = "alert"
    torn: bool
    sample: int
    label_index: int
    score_count: int
    definition: str
    label: str


@dataclass(frozen=True)
class Overrun(Record):
    """Blocks that came faster than they were processed, since the start: late ones were written over meanwhile, lost ones before."""

    kind: ClassVar[str] = "overrun"
    sample: int
    late: int
    lost: int


@dataclass(frozen=True)
class Status(Record):
    """A sign of life, and what the node has done since its start.  asleep: the share of the time."""

    kind: ClassVar[str] = "status"
    sample: int
    blocks: int
    alerts: int
    wakes: int
    late: int
    lost: int
    seconds: float
    asleep: float


@dataclass(frozen=True)
class Cycles(Record):
    """What a step took in the self-test of a bench build: so often fired, in so many blocks; cycles in all and at the most."""

    kind: ClassVar[str] = "cycles"
    step_index: int
    fired: int
    blocks: int
    cycles: int
    most: int
    step: str


@dataclass(frozen=True)
class Learnt(Record):
    """What was learnt was restored when the node started, or refused, and why; saved, in a later hour; forgotten, because it was told to.

    sample: samples that had been heard.
    crc:    the last four bytes of what export gives, in hex, as they lie there.
    """

    kind: ClassVar[str] = "learnt"
    sample: int
    what: str
    why: str
    crc: str


@dataclass(frozen=True)
class Recording(Record):
    """Samples are told from here on, because somebody has asked for them, or are not told any more.

    blocks:   that will be told at the most, or were.
    channels: values of a moment, of `width` bytes each.
    """

    kind: ClassVar[str] = "recording"
    what: str
    sample: int
    blocks: int
    sample_hz: float
    block: int
    channels: int
    width: int


@dataclass(frozen=True)
class Samples(Record):
    """Values of a block that begins with moment number `sample`, from value `offset` on; the bytes as they are in memory there."""

    kind: ClassVar[str] = "samples"
    sample: int
    offset: int
    raw: bytes

    def as_dict(self) -> dict[str, Any]:
        """Without the values: whoever looks on need not hear them."""
        return {"record": self.kind, "sequence": self.sequence, "sample": self.sample, "offset": self.offset, "bytes": len(self.raw)}


class Notice(Record):
    """What a reader sees by the numbers of records; no node has sent it."""


@dataclass(frozen=True)
class Missing(Notice):
    """`count` records from `sequence` on did not arrive; one that comes later after all is told as reordered."""

    kind: ClassVar[str] = "missing"
    count: int


@dataclass(frozen=True)
class Repeated(Notice):
    """The record of that number came again, and is left out."""

    kind: ClassVar[str] = "repeated"


@dataclass(frozen=True)
class Reordered(Notice):
    """The record of that number comes behind later ones; it follows."""

    kind: ClassVar[str] = "reordered"


class Broken(ValueError):
    """Bytes between two zeros that are no record."""


def decode(frame: bytes) -> Record:
    """The record of a frame without its zero bytes.  Raises Broken."""
    try:
        raw = cobs.decode(frame)
    except cobs.DecodeError as error:
        raise Broken(str(error)) from None
    if len(raw) < 7:
        raise Broken(f"{len(raw)} bytes are too few for a record")
    body, crc = raw[:-2], int.from_bytes(raw[-2:], "little")
    if crc_hqx(body, 0xFFFF) != crc:
        raise Broken("the CRC is another one")
    kind, sequence = struct.unpack_from("<BI", body)
    if kind not in READERS:
        raise Broken(f"there is no record of kind {kind}")
    try:
        return READERS[kind](sequence, body[5:])
    except Broken:
        raise
    except (struct.error, IndexError, ValueError) as error:
        raise Broken(f"a record of kind {kind} with {len(body)} bytes: {error}") from None


def hello(sequence: int, body: bytes) -> Hello:
    version, reset, fault, definition, clock_hz, hz, hz_by, block, scale, zero = struct.unpack_from("<BBI8sIIIIdi", body)
    if version != VERSION:
        raise Broken(f"records of version {version}; this program reads {VERSION}")
    if not (hz and hz_by and math.isfinite(2.0**33 * scale)):
        raise Broken(f"samples at {hz}/{hz_by} Hz, and scores of {scale} a count")
    board, app, *labels = texts(body[42:])
    about = RESETS[reset], fault, definition.hex(), clock_hz, hz / hz_by, block, scale, zero
    return Hello(sequence, *about, board, app, tuple(labels))


def self_test(sequence: int, body: bytes) -> SelfTest:
    if body[0]:
        return SelfTest(sequence, True)
    (index,) = struct.unpack_from("<H", body, 1)
    return SelfTest(sequence, False, texts(body[3:])[0], index)


def alert(sequence: int, body: bytes) -> Alert:
    torn, sample, label, score, definition = struct.unpack_from("<BQHi8s", body)
    return Alert(sequence, bool(torn), sample, label, score, definition.hex(), texts(body[23:])[0])


def overrun(sequence: int, body: bytes) -> Overrun:
    return Overrun(sequence, *struct.unpack("<QII", body))


def status(sequence: int, body: bytes) -> Status:
    sample, blocks, alerts, wakes, late, lost, ticks, asleep, ticks_hz = struct.unpack("<QIIIIIQQI", body)
    seconds, share = round(ticks / max(1, ticks_hz), 6), round(asleep / max(1, ticks), 6)
    return Status(sequence, sample, blocks, alerts, wakes, late, lost, seconds, share)


def step_cycles(sequence: int, body: bytes) -> Cycles:
    step, fired, blocks, cycles, most = struct.unpack_from("<HIIQI", body)
    return Cycles(sequence, step, fired, blocks, cycles, most, texts(body[22:])[0])


def learnt(sequence: int, body: bytes) -> Learnt:
    sample, what, why, crc = struct.unpack("<QBB4s", body)
    return Learnt(sequence, sample, LEARNT[what], REFUSALS[why], crc.hex())


def recording(sequence: int, body: bytes) -> Recording:
    ended, sample, blocks, hz, hz_by, block, channels, width = struct.unpack("<BQIIIIIB", body)
    if not (hz and hz_by and block and channels) or width not in (1, 2):
        raise Broken(f"samples of {width} bytes at {hz}/{hz_by} Hz")
    return Recording(sequence, "ended" if ended else "begun", sample, blocks, hz / hz_by, block, channels, width)


def samples(sequence: int, body: bytes) -> Samples:
    sample, offset = struct.unpack_from("<QI", body)
    return Samples(sequence, sample, offset, body[12:])


READERS = {1: hello, 2: self_test, 3: alert, 4: overrun, 5: status, 6: step_cycles, 7: learnt, 8: recording, 9: samples}


def ask_for_samples(number: int, blocks: int) -> bytes:
    """The frame by which a node is asked for blocks of samples; firmware that was not built for it hears nothing."""
    body = struct.pack("<BII", 129, number, blocks)
    return b"\0" + cobs.encode(body + crc_hqx(body, 0xFFFF).to_bytes(2, "little")) + b"\0"


def texts(raw: bytes) -> list[str]:
    """Texts with a zero byte behind each; one that the record's end cuts short is there as far as it goes."""
    return [text.decode("utf-8", "ignore") for text in raw.removesuffix(b"\0").split(b"\0")]


WINDOW = 64
"""Records within which a late or repeated one is known for what it is; a number that falls back further is a node that started again."""


@dataclass
class Reader:
    """Bytes as they come, in pieces of any size, to records.

    broken:    frames that were no record, noise before the first zero byte apart.
    missing:   records that did not arrive.
    repeated:  records that came again.
    reordered: records that came behind later ones.
    starts:    starts of the node, by its hellos and by numbers that fell back.
    """

    broken: int = 0
    missing: int = 0
    repeated: int = 0
    reordered: int = 0
    starts: int = 0
    _rest: bytes = b""
    _next: int | None = field(default=None)
    _synchronised: bool = False
    _seen: dict[int, bytes] = field(default_factory=dict)  # the last WINDOW records of this start, by their numbers

    def push(self, raw: bytes) -> Iterator[Record]:
        """The records that are complete with these bytes, without notices."""
        return (record for record in self.told(raw) if not isinstance(record, Notice))

    def told(self, raw: bytes) -> Iterator[Record]:
        """The records that are complete with these bytes, each behind the notices of what its number tells."""
        *frames, self._rest = (self._rest + raw).split(b"\0")
        if len(self._rest) > LONGEST:  # noise without an end
            self._rest = self._rest[-LONGEST:]
        for frame in frames:
            before, self._synchronised = self._synchronised, True
            if not frame:
                continue
            try:
                record = decode(frame)
            except Broken:
                self.broken += before
                continue
            yield from self._placed(record, frame)

    def _placed(self, record: Record, frame: bytes) -> Iterator[Record]:
        """The record, after what its number tells; a repeated one is left out."""
        number, due = record.sequence, self._next
        if isinstance(record, Hello):
            self._start(number)
        elif due is None:
            self._next = number  # whoever begins to listen in the middle has lost nothing
        elif number < due and self._seen.get(number) == frame:
            self.repeated += 1
            yield Repeated(number)
            return
        elif number < due and number not in self._seen and number >= due - WINDOW and number > min(self._seen):
            self.reordered += 1
            self.missing -= 1
            yield Reordered(number)
        elif number < due:
            self._start(0)  # and its hello is among what is missing
        due = self._next
        assert due is not None, "set above"
        if number > due:
            self.missing += number - due
            yield Missing(due, number - due)
        self._next = max(due, number + 1)
        self._seen[number] = frame
        if len(self._seen) > WINDOW:
            del self._seen[min(self._seen)]
        yield record

    def _start(self, number: int) -> None:
        self.starts += 1
        self._next = number
        self._seen.clear()
