"""The Cortex-M cores that firmware can be built for and emulated on."""

from __future__ import annotations

from dataclasses import dataclass

from tinystream.errors import BuildError


@dataclass(frozen=True)
class Core:
    """A core by the names that compilers and the emulator have for it.

    Floating point is off: generated code has none, so the same code runs on the variants without the unit.
    """

    name: str
    zig: str
    unicorn: str


CORES = {
    core.name: core
    for core in (
        Core("cortex-m0", "cortex_m0", "UC_CPU_ARM_CORTEX_M0"),
        Core("cortex-m0plus", "cortex_m0plus", "UC_CPU_ARM_CORTEX_M0"),  # the same instructions, other cycles
        Core("cortex-m3", "cortex_m3", "UC_CPU_ARM_CORTEX_M3"),
        Core("cortex-m4", "cortex_m4", "UC_CPU_ARM_CORTEX_M4"),
        Core("cortex-m7", "cortex_m7", "UC_CPU_ARM_CORTEX_M7"),
        Core("cortex-m33", "cortex_m33", "UC_CPU_ARM_CORTEX_M33"),
    )
}


def find_core(name: str) -> Core:
    """The core of that name, or BuildError."""
    if name not in CORES:
        raise BuildError(f"no core is called '{name}' here", f"one of {', '.join(CORES)}")
    return CORES[name]
