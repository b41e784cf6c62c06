"""A plan as bare firmware: an ELF file that the emulator loads."""

from __future__ import annotations

import bisect
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from tinystream import __version__
from tinystream.emit.compiler import Compiler
from tinystream.emit.emit import emit, input_names, suffixes
from tinystream.emit.host import native_source
from tinystream.emit.templates import template, templates
from tinystream.errors import BuildError
from tinystream.firmware.core import Core
from tinystream.firmware.cross import flags, link_script
from tinystream.plan.learnt import learns
from tinystream.plan.plan import Plan
from tinystream.run.cache import cached

Variant = Literal["plain", "profile", "watched"]
FLAGS: dict[Variant, tuple[str, ...]] = {
    "plain": (),
    "profile": ("-DTS_PROFILE",),
    "watched": ("-Wl,-u,ts_native_reset", "-Wl,-u,ts_native_push"),  # nobody calls them but the emulator
}
LEARNS = ("-Wl,-u,ts_native_forget", "-Wl,-u,ts_native_export", "-Wl,-u,ts_native_restore")  # nor these, of an app that learns


def build_image(plan: Plan, core: Core, compiler: Compiler, optimise: str = "-O2", variant: Variant = "plain") -> Image:
    """The firmware of a plan, from the cache where the same was built before.

    plain:   what a product would run, and a pointer to the last step's output.
    profile: that, and a note beside it of where each step begins; the code has not an instruction more.
    watched: keeps what every step gave, as the native engine's library does.
    """
    with tempfile.TemporaryDirectory(prefix="tinystream-") as name:
        folder = Path(name)
        sources = write_sources(plan, folder, variant, core)
        told = (*flags(compiler, core), optimise, *FLAGS[variant], *(LEARNS if variant == "watched" and learns(plan) else ()))
        digest = hashlib.sha256(f"{__version__} {compiler.version} {told}".encode())
        for path in sorted(folder.iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        digest.update(link_script(core).read_bytes())
        return Image(
            cached(
                f"{plan.name}-{core.name}-{digest.hexdigest()[:32]}.elf",
                lambda: compiler.build(sources, folder / "firmware.elf", *told),
                "XDG_CACHE_HOME = a folder of yours",
            )
        )


def write_sources(plan: Plan, folder: Path, variant: Variant, core: Core) -> list[Path]:
    """The generated C and what makes firmware of it (firmware_templates/emulated/); gives what the compiler is to be told."""
    emit(plan, folder)
    names = input_names(plan)
    declare = [f"{x.dtype}_t {name}[{plan.name.upper()}_BLOCK{suffix}];" for x, name, suffix in zip(plan.x, names, suffixes(plan))]
    events = max(1, len(plan.detections))
    holes = dict(name=plan.name, events=events, names=", ".join(names), declare="\n".join(declare), last=len(plan.steps) - 1)
    texts = {"ts_app.c": native_source(plan) if variant == "watched" else template("emulated/score.c").substitute(holes)}
    if core.unicorn:
        texts["ts_main.c"] = template("emulated/main.c").substitute(holes)
    board = ("start.c", "ts_board.h") if core.unicorn else ("qemu/riscv.S" if core.riscv else "qemu/cortex_m.S", "qemu/serve.c")
    for name in board:
        texts[Path(name).name] = (templates() / "emulated" / name).read_text(encoding="utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in (*texts, f"{plan.name}_tables.c") if not name.endswith(".h")]


@dataclass(frozen=True)
class Sizes:
    """Bytes of an image: code with its literal pools and the vector table, constants, variables, and what is kept for the stack."""

    code: int
    constants: int
    variables: int
    stack: int

    @property
    def flash(self) -> int:
        return self.code + self.constants


@dataclass(frozen=True)
class Segment:
    """What to load where."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Mark:
    """From this address on, a step runs: by its index, or the number of steps for what follows the last one."""

    address: int
    step: int


class Image:
    """An ELF file for a 32-bit core, read once."""

    def __init__(self, path: Path):
        try:
            from elftools.elf.elffile import ELFFile
            from elftools.elf.sections import SymbolTableSection
        except ImportError:
            raise BuildError("reading firmware needs the pyelftools package", "pip install 'tinystream[mcu]'") from None

        self.path = path
        with path.open("rb") as file:
            elf = ELFFile(file)
            self.architecture = elf["e_machine"]
            self.segments = [Segment(s["p_paddr"], s.data()) for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]]
            section_bytes = {s.name: s["sh_size"] for s in elf.iter_sections()}
            marked = elf.get_section_by_name(".ts_steps")
            words = np.frombuffer(marked.data() if marked else b"", "<u4").reshape(-1, 2).tolist()
            table = elf.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection), f"{path} has no symbols: it was stripped"
            symbols = [(s.name, s["st_value"], s["st_info"]["type"], s["st_info"]["bind"]) for s in table.iter_symbols()]
            sized = [(s.name, s["st_size"], s["st_info"]["type"]) for s in table.iter_symbols() if s["st_size"]]
            self._bytes = {s["st_value"] & ~1: s["st_size"] for s in table.iter_symbols() if s["st_info"]["type"] == "STT_FUNC"}
            # $t and $d say where code and data begin; without them all is code, for what has no constants in it has no $d
            index, text = elf.get_section_index(".text"), elf.get_section_by_name(".text")
            marks = [s for s in table.iter_symbols() if s["st_shndx"] == index and s.name[:2] in ("$t", "$d")]
            self._marks = sorted((mark["st_value"] & ~1, mark.name[:2]) for mark in marks)
            assert text is not None, f"{path} has no code"
            self._end = text["sh_addr"] + text["sh_size"]
        loaded = section_bytes.get(".data", 0)  # start values lie in flash, too
        kept = section_bytes.get(".bss", 0) + section_bytes.get(".noinit", 0)
        constants = section_bytes.get(".rodata", 0) + loaded
        self.sizes = Sizes(section_bytes[".text"], constants, kept + loaded, section_bytes.get(".stack", 0))
        self.symbols = {name: value for name, value, _, bind in symbols if bind == "STB_GLOBAL"}
        """The address of each global; that of a function on a Cortex-M is odd, as a branch to Thumb code wants it."""
        self.marks = tuple(Mark(address & ~1, step) for address, step in sorted(words))
        """Where steps begin, in an image of the variant `profile`."""
        self.objects = tuple((name, size) for name, size, kind in sized if kind == "STT_OBJECT")
        """Variables and constants, with their bytes; static ones of two files may share a name."""
        self._functions = [(value & ~1, name) for name, value, kind, _ in symbols if kind == "STT_FUNC"]

    @cached_property
    def functions(self) -> list[tuple[int, str]]:
        """(address, name) in order; where several names have one address, the shortest."""
        named: dict[int, str] = {}
        for address, name in self._functions:
            named[address] = min(named.get(address, name), name, key=lambda n: (len(n), n))
        return sorted(named.items())

    @cached_property
    def code(self) -> tuple[tuple[str, int], ...]:
        """Functions, with their bytes; each once, whatever names it has."""
        return tuple((name, size) for address, name in self.functions if (size := self._bytes[address]))

    def function_at(self, address: int) -> str:
        """The name of the function that holds the address."""
        at = bisect.bisect_right(self.functions, (address, "\uffff")) - 1
        return self.functions[at][1] if at >= 0 else f"{address:#x}"

    def function_bytes(self, address: int) -> int:
        """How long the function there is: to the next one where its symbol does not say."""
        starts = [start for start, _ in self.functions]
        at = bisect.bisect_right(starts, address)
        return self._bytes[address] or (starts[at] if at < len(starts) else self._end) - address

    def code_between(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The ranges of instructions there, without constants and tables."""
        at = bisect.bisect_right(self._marks, (start, "$t"))
        code = at == 0 or self._marks[at - 1][1] == "$t"
        for place, mark in [*(m for m in self._marks[at:] if m[0] < end), (end, "$d")]:
            if code and place > start:
                yield start, place
            start, code = place, mark == "$t"

    def bytes_at(self, address: int, size: int) -> bytes:
        """Up to so many bytes of what is loaded there."""
        for segment in self.segments:
            if segment.address <= address < segment.address + len(segment.data):
                return segment.data[address - segment.address :][:size]
        raise AssertionError(f"{self.path.name} has nothing at {address:#x}")
