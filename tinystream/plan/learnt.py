"""What an app has learnt, as bytes: the same on every engine, bound to the definition that learnt it.

    offset  bytes
    0       4      "TSLT"
    4       1      version of this form, 1
    5       1      how it ends: 1 is a CRC-32; a signature would be another number
    6       2      0
    8       4      n, bytes of what was learnt
    12      32     SHA-256 of the definition; zeros where a plan has none
    44      n      the learnt members of each step's state, in the order of the plan and of Step.learnt
    44 + n  4      CRC-32 of all before

Numbers are little-endian.  The definition's hash binds it to the app, the CRC shows damage; against an attacker, who can make both, they
are no protection: keep it where nobody else writes, or sign it.  Twin of ts_learnt.h and ts_learnt_bytes.h.

Source of the CRC: CRC-32/ISO-HDLC of the CRC RevEng catalogue, zlib's.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from enum import IntEnum
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from tinystream.errors import LearntError
from tinystream.plan.plan import Plan

MAGIC, VERSION, CRC_32 = b"TSLT", 1, 1
HEAD = struct.Struct("<4sBBHI32s")
END = 4


class Refusal(IntEnum):
    """Why bytes are not restored; the numbers of enum ts_learnt."""

    NONE = 0
    SHORT = 1
    MAGIC = 2
    VERSION = 3
    ENDING = 4
    SIZE = 5
    CRC = 6
    DEFINITION = 7


class Member(NamedTuple):
    """One learnt member of a step's state: an array, or an int, which is an int32 of shape ()."""

    step: int
    name: str
    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return int(self.dtype.itemsize * np.prod(self.shape, dtype=np.int64))


def members(plan: Plan) -> list[Member]:
    """Everything that a reset keeps, in the order in which it is exported."""
    found = []
    for i, step in enumerate(plan.steps):
        for name in step.learnt:
            start = np.asarray(step.state[name]) if isinstance(step.state[name], np.ndarray) else np.zeros((), np.int32)
            found.append(Member(i, name, start.dtype.newbyteorder("<"), start.shape))
    return found


def learns(plan: Plan) -> bool:
    return any(step.learnt for step in plan.steps)


def payload_bytes(plan: Plan) -> int:
    return sum(member.bytes for member in members(plan))


def learnt_bytes(plan: Plan) -> int:
    """<APP>_LEARNT_BYTES: what export gives."""
    return HEAD.size + payload_bytes(plan) + END


def definition_bytes(plan: Plan) -> bytes:
    return bytes.fromhex(plan.digest) if plan.digest else bytes(32)


# --- out, and in again ----------------------------------------------------------------------------------------


def pack(plan: Plan, states: Sequence[SimpleNamespace]) -> bytes:
    """The learnt members of these states, one a step."""
    parts = [np.asarray(getattr(states[m.step], m.name)).astype(m.dtype).tobytes() for m in members(plan)]
    raw = HEAD.pack(MAGIC, VERSION, CRC_32, 0, payload_bytes(plan), definition_bytes(plan)) + b"".join(parts)
    return raw + zlib.crc32(raw).to_bytes(END, "little")


def unpack(plan: Plan, blob: bytes) -> list[tuple[Member, np.ndarray | int]]:
    """The learnt members; LearntError where they are not this plan's, or damaged."""
    refusal = check(plan, blob)
    if refusal:
        raise refused(plan, blob, refusal)
    found: list[tuple[Member, np.ndarray | int]] = []
    at = HEAD.size
    for member in members(plan):
        array = np.frombuffer(blob, member.dtype, member.bytes // member.dtype.itemsize, at).reshape(member.shape)
        found.append((member, array.astype(member.dtype.newbyteorder("=")) if member.shape else int(array)))
        at += member.bytes
    return found


def check(plan: Plan, blob: bytes) -> Refusal:
    """The first thing that is wrong, in the order in which the C looks."""
    if len(blob) < HEAD.size + END:
        return Refusal.SHORT
    magic, version, ending, zero, size, definition = HEAD.unpack_from(blob)
    if magic != MAGIC:
        return Refusal.MAGIC
    if version != VERSION:
        return Refusal.VERSION
    if ending != CRC_32 or zero:
        return Refusal.ENDING
    if len(blob) != HEAD.size + size + END:
        return Refusal.SIZE
    if zlib.crc32(blob[:-END]) != int.from_bytes(blob[-END:], "little"):
        return Refusal.CRC
    if definition != definition_bytes(plan):
        return Refusal.DEFINITION
    return Refusal.NONE if size == payload_bytes(plan) else Refusal.SIZE


def refused(plan: Plan, blob: bytes, why: Refusal, where: str = "this baseline") -> LearntError:
    """What is wrong, in words.  where: what the bytes are called."""
    whole = learnt_bytes(plan)
    theirs = HEAD.unpack_from(blob)[5].hex() if len(blob) >= HEAD.size else ""
    match why:
        case Refusal.SHORT:
            what, help = f"{where} is cut off: {len(blob)} bytes, {whole} are a baseline of {plan.name}", "copy it again, whole"
        case Refusal.MAGIC:
            what, help = f"{where} is not a baseline: it begins with {blob[:4]!r}, not {MAGIC!r}", "a file of --save-learnt, or of export"
        case Refusal.VERSION:
            what, help = f"{where} is of format {blob[4]}, this version reads {VERSION}", "learn again, or take the version that wrote it"
        case Refusal.ENDING:
            what, help = f"{where} ends in a way that is not known here: {blob[5]}, a CRC-32 is {CRC_32}", "the version that wrote it"
        case Refusal.SIZE:
            what, help = f"{where} has {len(blob)} bytes, a baseline of {plan.name} has {whole}", "copy it again, whole, or learn again"
        case Refusal.CRC:
            what, help = f"{where} is damaged: its CRC-32 does not fit", "copy it again, or learn again"
        case _:
            what = f"{where} is of definition {theirs[:16]}, {plan.name} is {definition_bytes(plan).hex()[:16]}"
            help = "learn again, or take the definition that learnt it"
    return LearntError(what, help)


# --- compared, and told ---------------------------------------------------------------------------------------


def digest(blob: bytes) -> str:
    """SHA-256 in hex; nothing where nothing is learnt."""
    return hashlib.sha256(blob).hexdigest() if blob else ""


def told(plan: Plan, blob: bytes) -> str:
    """The learnt numbers that are not in arrays, for people: baseline has learnt count 20, floored 0."""
    found = [(plan.steps[m.step].name, m.name, value) for m, value in unpack(plan, blob) if isinstance(value, int)]
    steps = dict.fromkeys(step for step, _, _ in found)
    return "; ".join(f"{step} has learnt " + ", ".join(f"{name} {v}" for s, name, v in found if s == step) for step in steps)


class Unequal(NamedTuple):
    """Where what two engines have learnt first differs."""

    step: str
    at: tuple[int, ...]
    place: str
    values: tuple[int, int]


def first_unequal(plan: Plan, a: bytes, b: bytes) -> Unequal | None:
    """The first learnt value that differs; both are of this plan."""
    for (member, x), (_, y) in zip(unpack(plan, a), unpack(plan, b)):
        apart = np.argwhere(np.asarray(x) != np.asarray(y))
        if len(apart):
            at = tuple(int(i) for i in apart[0])
            place = f"learnt state of step {plan.steps[member.step].name}, member {member.name}{list(at) if at else ''}"
            values = int(np.asarray(x)[at]), int(np.asarray(y)[at])
            return Unequal(plan.steps[member.step].name, at, place, values)
    return None
