"""Find a C compiler for a core on this machine; what it must be told for bare firmware."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path

from tinystream.emit.compiler import ANSWER_S, Compiler
from tinystream.emit.templates import templates
from tinystream.errors import BuildError
from tinystream.firmware.core import Core

GCC, ZIG = "gcc", "zig"
COMMANDS = {GCC: ("arm-none-eabi-gcc",), ZIG: (sys.executable, "-m", "ziglang", "cc")}
INSTALL = {GCC: "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi", ZIG: "pip install 'tinystream[mcu]'"}
RISCV_COMMANDS = COMMANDS | {GCC: ("riscv64-unknown-elf-gcc",)}
RISCV_INSTALL = INSTALL | {GCC: "apt install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"}

BARE = (
    "-std=c11", "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables",
    "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-Wl,--build-id=none",
)  # fmt: skip


@cache
def cross_compilers(riscv: bool = False) -> dict[str, Compiler]:
    """Those for Cortex-M, or for RISC-V, that answer here; by name: `gcc` is arm-none-eabi-gcc or riscv64-unknown-elf-gcc, `zig` is that
    of the ziglang package."""
    found = {}
    for name, command in (RISCV_COMMANDS if riscv else COMMANDS).items():
        present = find_spec("ziglang") if name == ZIG else shutil.which(command[0])
        if present and (said := first_line(*command, "--version")):
            version = f"zig {package_version('ziglang')}, {said}" if name == ZIG else said
            help = f"a bug of ours, unless its own headers are missing: {(RISCV_INSTALL if riscv else INSTALL)[name]}"
            found[name] = Compiler(name, command, version, help)
    return found


def first_line(*command: str) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.partition("\n")[0] if answer.returncode == 0 else ""


def cross_compiler(name: str | None = None, riscv: bool = False) -> Compiler:
    """The one of that name, or the first there is: zig is the same everywhere, so it comes first."""
    there, what = cross_compilers(riscv), "RISC-V" if riscv else "Cortex-M"
    if name is not None and name not in COMMANDS:
        raise BuildError(f"no compiler for {what} is called '{name}' here", f"one of {', '.join(COMMANDS)}")
    for wanted in (name,) if name else (ZIG, GCC):
        if wanted in there:
            return there[wanted]
    raise BuildError(f"no {name or 'C'} compiler for {what} here", (RISCV_INSTALL if riscv else INSTALL)[name or ZIG])


def flags(compiler: Compiler, core: Core, script: Path | None = None) -> tuple[str, ...]:
    """What makes bare firmware for this core.  script: the linker's; that of the emulator's board where none is given.

    mem* and the division that a core lacks come from newlib or picolibc and libgcc with gcc, from compiler-rt with zig.
    """
    place = ("-T", str(script or link_script(core)))
    if compiler.name == GCC:
        return (*core.gcc, *BARE, "-nostartfiles", "-Wl,--no-warn-rwx-segments", *place)
    header = f"-I{templates() / 'emulated'}"  # string.h, which zig lacks
    # hosted: else a memcpy of four bytes is a call;  g: else -Os leaves no symbols
    return (*core.zig, "-fhosted", "-g", "-fno-sanitize=undefined", *BARE, header, *place)


def link_script(core: Core) -> Path:
    """Where the core's emulated board has its memory."""
    return templates() / ("emulated/link.ld" if core.unicorn else "emulated/qemu/link.ld")
