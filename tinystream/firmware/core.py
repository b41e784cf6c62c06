"""The cores that firmware can be built for and run on: Cortex-M in the emulator that counts, others in QEMU."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from tinystream.errors import BuildError


@dataclass(frozen=True)
class Core:
    """A core by the names that compilers and emulators have for it.

    gcc, zig: what makes each compiler write for it.  Floating point is off: generated code has none, so the same code runs on the
              variants without the unit.  A Cortex-M55's vectors lie in the registers of that unit, so there it is on.
    unicorn:  the model of the emulator that counts instructions; empty where that has none.
    qemu:     otherwise the machine of QEMU, with the program that has it.
    """

    name: str
    gcc: tuple[str, ...]
    zig: tuple[str, ...]
    unicorn: str = ""
    qemu: tuple[str, ...] = ()
    riscv: bool = False


SOFT = ("-mthumb", "-mfloat-abi=soft")
HARD = ("-mthumb", "-mfloat-abi=hard")
AN547 = ("qemu-system-arm", "-M", "mps3-an547")
VIRT = ("qemu-system-riscv32", "-M", "virt", "-bios", "none", "-m", "512M")


def counted(name: str, unicorn: str) -> Core:
    zig = ("-target", "thumb-freestanding-eabi", f"-mcpu={name.replace('-', '_')}", *SOFT)
    return Core(name, (f"-mcpu={name}", *SOFT), zig, unicorn)


CORES = {
    core.name: core
    for core in (
        counted("cortex-m0", "UC_CPU_ARM_CORTEX_M0"),
        counted("cortex-m0plus", "UC_CPU_ARM_CORTEX_M0"),  # the same instructions, other cycles
        counted("cortex-m3", "UC_CPU_ARM_CORTEX_M3"),
        counted("cortex-m4", "UC_CPU_ARM_CORTEX_M4"),
        counted("cortex-m7", "UC_CPU_ARM_CORTEX_M7"),
        counted("cortex-m33", "UC_CPU_ARM_CORTEX_M33"),
        Core(
            "cortex-m55",
            ("-mcpu=cortex-m55", *HARD),
            ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m55+mve+mve_fp", *HARD),  # zig's own cortex_m55 has no vectors
            qemu=AN547,
        ),
        Core(
            "cortex-m55+nomve",  # one that was built without the vector unit
            ("-mcpu=cortex-m55+nomve", *SOFT),
            ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m55", *SOFT),
            qemu=AN547,
        ),
        Core(
            "rv32imac",
            ("-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs"),
            ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+a+c"),
            qemu=VIRT,
            riscv=True,
        ),
    )
}
COUNTED = tuple(name for name, core in CORES.items() if core.unicorn)
"""Those whose instructions can be counted."""

NOT_BUILT = ("xtensa-lx7", "rv32imc")
"""Cores of boards whose currents are known, and that no firmware is built for here."""


def find_core(name: str) -> Core:
    """The core of that name, or of what follows `cortex-` in it; BuildError where there is none."""
    found = CORES.get(name) or CORES.get(f"cortex-{name}")
    if found is None:
        raise BuildError(f"no core is called '{name}' here", f"one of {', '.join(nearest_first(name, CORES))}")
    return found


def nearest_first(word: str, known: Iterable[str]) -> list[str]:
    """The known words, the most alike first."""
    return sorted(known, key=lambda name: -difflib.SequenceMatcher(None, word, name).ratio())
