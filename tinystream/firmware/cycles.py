"""Cycles of instructions: the tables of firmware_templates/cores, and what a basic block takes by them.

The model is that of Arm's manuals: an instruction has its cycles, and four neighbours matter.

- A load or store directly behind a load, whose address does not need what that one loads, takes `behind_load`.
- A load or store whose address the data-processing instruction directly before it has computed waits `address` more.
- A load that updates its base takes `load_update`, and neither it nor what follows is pipelined.
- A branch takes `branch` where it is taken, else `not_taken`.

Neighbours are looked for within a basic block, not across.  Memory answers at once: wait states and caches are a factor of the board's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.emit.templates import templates
from tinystream.errors import BuildError
from tinystream.firmware.core import nearest_first
from tinystream.firmware.image import Image

CLASSES = (
    "alu", "multiply", "multiply_accumulate", "multiply_long", "multiply_accumulate_long", "divide", "load", "load_update", "store",
    "store_register", "behind_load", "address", "literal", "multiple", "register", "branch", "not_taken", "call", "indirect", "into_pc",
    "table", "it", "system",
)  # fmt: skip
"""What a table must say, each once.

multiple and register: of LDM, STM, PUSH, POP, LDRD and STRD, and of each of their registers.   store_register: with an index register.
behind_load:   a load or store whose address does not need what the load directly before it has loaded.
address:       more, where the instruction directly before has computed the address.           literal: more, relative to PC.
into_pc:       more, where a load ends in PC.      indirect: BX, BLX, MOV to PC.      table: TBB, TBH.      system: barriers, MRS, MSR.
"""
STATUSES = ("published", "estimated", "unverified")


@dataclass(frozen=True)
class Cycles:
    """A number of cycles as far as it is known: at the least, most likely, at the most."""

    low: float
    nominal: float
    high: float

    def __mul__(self, other: Cycles | float) -> Cycles:
        if isinstance(other, Cycles):
            return Cycles(self.low * other.low, self.nominal * other.nominal, self.high * other.high)
        return Cycles(self.low * other, self.nominal * other, self.high * other)

    @property
    def array(self) -> np.ndarray:
        return np.array([self.low, self.nominal, self.high])

    @classmethod
    def of(cls, array: np.ndarray) -> Cycles:
        return cls(*map(float, array))


ONCE = Cycles(1.0, 1.0, 1.0)
MEMORY = Cycles(1.0, 1.1, 1.3)
"""What flash and RAM make of it where a board does not say: MLPerf Tiny results of one stack on boards with other memories."""


@dataclass(frozen=True)
class Entry:
    """A line of a table, with who says so."""

    cycles: Cycles
    source: str
    status: str


@dataclass(frozen=True)
class CycleTable:
    """The cycles of one core.

    code:    the core whose machine code is counted.
    like:    the core whose entries these are; its own name where it has a table.
    factor:  by which they are multiplied.
    """

    core: str
    code: str
    like: str
    entries: dict[str, Entry]
    factor: Entry

    @property
    def status(self) -> str:
        """What the whole of it is: published where all that matters is, else estimated."""
        return "published" if self.factor.status == "published" else "estimated"

    def of(self, name: str) -> np.ndarray:
        return (self.entries[name].cycles * self.factor.cycles).array


def cores_with_cycles() -> list[str]:
    """The names of all cores that have a table."""
    return sorted(path.stem for path in (templates() / "cores").glob("*.toml"))


@cache
def cycle_table(core: str) -> CycleTable:
    """The table of that core, or of what follows `cortex-` in its name, as find_core has it; BuildError where there is none.

    What follows a `+` is how code was built for it: cortex-m55+nomve is a Cortex-M55.
    """
    base, known = core.partition("+")[0], cores_with_cycles()
    name = next((name for name in (base, f"cortex-{base}") if name in known), None)
    if name is None:
        raise BuildError(f"no table of cycles for a core called '{core}'", f"one of {', '.join(nearest_first(base, known))}")
    return read_table(templates() / "cores" / f"{name}.toml")


def read_table(path: Path) -> CycleTable:
    """A table from its file; BuildError names what is wrong with it."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"{path} is not TOML: {error}") from None
    like = told.get("like")
    match(path, "it says", told.keys(), {"core", "code", "sources"} | ({"like", "factor"} if like else {"cycles"}))
    if told["core"] != path.stem:
        raise BuildError(f"{path} is of '{told['core']}'", f"its name is {told['core']}.toml")
    if like:
        base = read_table(path.with_name(f"{like}.toml"))
        return CycleTable(told["core"], told["code"], like, base.entries, entry(path, "factor", told["factor"], told["sources"]))
    match(path, "it has cycles of", told["cycles"].keys(), set(CLASSES))
    entries = {name: entry(path, name, told["cycles"][name], told["sources"]) for name in CLASSES}
    return CycleTable(told["core"], told["code"], told["core"], entries, Entry(ONCE, "", "published"))


def match(path: Path, says: str, told: Set[str], wanted: set[str]) -> None:
    """BuildError where a key is missing or one too many."""
    if missing := sorted(wanted - told):
        raise BuildError(f"{path}: {', '.join(missing)} is missing")
    if unknown := sorted(told - wanted):
        raise BuildError(f"{path}: {', '.join(unknown)} is not known", f"{says} {', '.join(sorted(wanted))}")


def entry(path: Path, name: str, told: Any, sources: dict[str, str]) -> Entry:
    if not isinstance(told, dict) or told.keys() != {"cycles", "source", "status"}:
        raise BuildError(f"{path}: {name} needs cycles, source and status, and nothing else")
    cycles = told["cycles"]
    numbers = isinstance(cycles, list) and len(cycles) == 3 and all(type(c) in (int, float) for c in cycles)
    if not numbers or not 0 <= cycles[0] <= cycles[1] <= cycles[2] < 1000:
        raise BuildError(f"{path}: {name}.cycles = {cycles} is not [low, nominal, high] in rising order")
    if told["source"] not in sources:
        raise BuildError(f"{path}: {name}.source = '{told['source']}' is not one of [sources]", f"one of {', '.join(sources)}")
    if told["status"] not in STATUSES:
        raise BuildError(f"{path}: {name}.status = '{told['status']}' is not known", f"one of {', '.join(STATUSES)}")
    return Entry(Cycles(*map(float, cycles)), sources[told["source"]], told["status"])


# --- instructions ---------------------------------------------------------------------------------------------

LOADS = {"ldr", "ldrb", "ldrh", "ldrsb", "ldrsh"}
STORES = {"str", "strb", "strh"}
MULTIPLE = {"ldm", "ldmdb", "stm", "stmdb", "push", "pop", "ldrd", "strd"}
BRANCHES = {
    "b": "branch", "cbz": "branch", "cbnz": "branch", "bl": "call", "bx": "indirect", "blx": "indirect", "tbb": "table", "tbh": "table",
}  # fmt: skip
OTHERS = {
    "mul": "multiply", "mla": "multiply_accumulate", "mls": "multiply_accumulate",
    "smull": "multiply_long", "umull": "multiply_long", "smlal": "multiply_accumulate_long", "umlal": "multiply_accumulate_long",
    "umaal": "multiply_accumulate_long", "sdiv": "divide", "udiv": "divide", "it": "it",
    **dict.fromkeys(("dmb", "dsb", "isb", "mrs", "msr", "cps", "wfi", "wfe", "sev"), "system"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Timed:
    """An instruction with what it takes, [low, nominal, high]; `through`: where it is a branch that is not taken."""

    address: int
    cycles: np.ndarray
    through: np.ndarray


class Timer:
    """What the basic blocks of an image take by a table."""

    def __init__(self, image: Image, table: CycleTable):
        try:
            import capstone
        except ImportError:
            raise BuildError("cycles need the capstone package", "pip install 'tinystream[mcu]'") from None

        self.image, self.table = image, table
        self._decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        self._decoder.detail = True
        self._always, self._memory, self._register = capstone.arm.ARM_CC_AL, capstone.arm.ARM_OP_MEM, capstone.arm.ARM_OP_REG
        self._pc = capstone.arm.ARM_REG_PC

    def block(self, address: int, size: int) -> list[Timed]:
        """The instructions of the block that begins there, in order."""
        timed: list[Timed] = []
        before = None
        for instruction in self._decoder.disasm(self.image.bytes_at(address, size), address):
            cycles = self.cycles(instruction, before)
            if instruction.cc != self._always and instruction.insn_name() not in BRANCHES:
                cycles = np.minimum(cycles, [1, np.inf, np.inf])  # its condition may be false
            conditional = instruction.cc != self._always or instruction.insn_name() in ("cbz", "cbnz")
            timed.append(Timed(instruction.address, cycles, self.table.of("not_taken") if conditional else cycles))
            before = instruction
        assert sum(i.address < address + size for i in timed) and before is not None and before.address + before.size == address + size
        return timed

    def cycles(self, instruction: Any, before: Any) -> np.ndarray:
        """Of one instruction behind another, or behind nothing that is known; of a branch that is taken."""
        of, name, operands = self.table.of, instruction.insn_name(), instruction.operands
        into_pc = self._pc in (o.reg for o in operands if o.type == self._register)
        if name in BRANCHES:
            return of(BRANCHES[name])
        if name in MULTIPLE:
            count = sum(o.type == self._register for o in operands) - (name in ("ldm", "ldmdb", "stm", "stmdb"))
            return of("multiple") + count * of("register") + (of("into_pc") if into_pc else 0)
        if name in LOADS | STORES:
            return self.single(instruction, before) + (of("into_pc") if into_pc else 0)
        assert not name.startswith(("ldr", "str", "ldc", "stc", "v")), f"{name} is not known to the tables of cycles"
        return of("indirect") if into_pc and operands[0].reg == self._pc else of(OTHERS.get(name) or multiplication(name) or "alu")

    def single(self, instruction: Any, before: Any) -> np.ndarray:
        """Of a load or store of one register."""
        of, load = self.table.of, instruction.insn_name() in LOADS
        (place,) = (o.mem for o in instruction.operands if o.type == self._memory)
        needs = {place.base, place.index} - {0}
        wrote = set(before.regs_access()[1]) if before is not None else set()
        loaded = before is not None and before.insn_name() in LOADS and not before.writeback
        if load and instruction.writeback:
            cycles = of("load_update")
        elif loaded and not needs & wrote:
            cycles = np.minimum(of("behind_load"), of("load") if load else of("store_register" if place.index else "store"))
        else:
            cycles = of("load") if load else of("store_register" if place.index else "store")
        if before is not None and needs & wrote and before.insn_name() not in LOADS | STORES | MULTIPLE:
            cycles = cycles + of("address")
        return cycles + (of("literal") if place.base == self._pc else 0)


def multiplication(name: str) -> str | None:
    """The class of a multiplication of the DSP extension: SMLABB, SMLAD, SMMUL, SMLALD …"""
    if name.startswith(("smlal", "smlsl")):
        return "multiply_accumulate_long"
    if name.startswith(("smla", "smls", "smml", "smmul", "smul", "smua", "smus")):
        return "multiply_accumulate"
    return None
