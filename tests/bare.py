"""Bare programs for the emulator, in hand-written assembly: what they take is known by counting."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tinystream.emit.compiler import WARNINGS, Compiler
from tinystream.emit.templates import templates
from tinystream.firmware.core import find_core
from tinystream.firmware.cross import flags
from tinystream.firmware.image import Image
from tinystream.firmware.machine import Machine

MAIN = '#include "ts_board.h"\n\nint main(void)\n{\n    for (;;) {\n        ts_wait();\n    }\n}\n'


def assembled(body: str, functions: list[str], core: str, compiler: Compiler, folder: Path) -> Image:
    """An image of these functions.  It is assembled for a Cortex-M4 whatever the core is, so that a core can be shown too much."""
    head = ".syntax unified\n.cpu cortex-m4\n.thumb\n.text\n" + "".join(f".global {f}\n.type {f}, %function\n" for f in functions)
    keep = [f"-Wl,-u,{f}" for f in functions]
    board = templates() / "emulated"
    (folder / "main.c").write_text(MAIN)
    (folder / "hand.S").write_text(head + body)
    sources = [board / "start.c", folder / "main.c", folder / "hand.S"]
    told = flags(compiler, find_core(core))
    return Image(compiler.build(sources, folder / f"{core}.elf", *told, f"-I{board}", "-O2", *keep, *WARNINGS))


def machine(body: str, functions: list[str], core: str, compiler: Compiler, folder: Path) -> Machine:
    return Machine(assembled(body, functions, core, compiler, folder), find_core(core))


def need_qemu(core: str) -> None:
    """The test is skipped where the core runs in a QEMU that is not here."""
    if find_core(core).qemu and shutil.which(find_core(core).qemu[0]) is None:
        pytest.skip(f"{core} needs {find_core(core).qemu[0]}")


def use_cache(patch: pytest.MonkeyPatch, folders: pytest.TempPathFactory) -> None:
    """A cache of the tests' own, but for what zig builds of itself for each core: that takes seconds and is always the same."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zig"
    patch.setenv("ZIG_GLOBAL_CACHE_DIR", os.environ.get("ZIG_GLOBAL_CACHE_DIR", str(usual)))
    patch.setenv("XDG_CACHE_HOME", str(folders.getbasetemp() / "cache"))
