"""An app as firmware of a board: a folder of C that builds by itself."""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from tinystream import __version__
from tinystream.app.budget import kb
from tinystream.emit.compiler import Compiler
from tinystream.emit.compiler import compiler as host_compiler
from tinystream.emit.emit import comment, emit, number, rows, string
from tinystream.emit.templates import template, templates
from tinystream.errors import BuildError, writing
from tinystream.firmware.board import Board
from tinystream.firmware.core import find_core
from tinystream.firmware.cross import COMMANDS, GCC, RISCV_COMMANDS, cross_compiler, flags
from tinystream.firmware.golden import Golden, golden
from tinystream.firmware.image import Image
from tinystream.plan.learnt import learns
from tinystream.plan.plan import Plan
from tinystream.plan.signal import Signal
from tinystream.run.cache import cached

STATUS_S = 60  # from one status record to the next
WATCHDOG_MS = 2000  # or four blocks, where these are longer
STACK_BYTES = 4096
COMMON = ("ts_board.h", "ts_command.h", "ts_queue.h", "ts_record.h", "ts_self_test.h", "main.c", "self_test.c")


@dataclass(frozen=True)
class Project:
    """What was written: all files, those that the compiler is given, and the linker's script of a bare board."""

    folder: Path
    files: tuple[Path, ...]
    sources: tuple[Path, ...]
    script: Path | None


def write_project(plan: Plan, board: Board, out: Path) -> Project:
    """The generated C, the loop, the board's own files and what the linker needs, into the folder `out`.

    BuildError where the board lacks what firmware needs, or cannot feed the app.
    """
    check_board(plan, board)
    assert board.firmware, "checked"
    start = board.firmware.start
    folder = templates() / "firmware"
    common = {name: folder / name for name in COMMON} | {"ts_core.h": folder / f"ts_core_{start}.h"}
    if start != "hosted":
        common["start.c"] = folder / f"start_{start}.c"
    own = {Path(name).name: board.folder / name for name in board.firmware.files}
    texts = {"ts_app.h": describe(plan, board), "ts_golden.h": golden_header(plan, golden(plan))}
    if start != "hosted" and "link.ld" not in own:
        texts["link.ld"] = link_script(board, folder / f"link_{start}.ld")
    texts["Makefile"] = makefile(plan, board, [*common, *own, *texts, f"{plan.name}_tables.c"])
    emitted = emit(plan, out)
    with writing(out, "--out another folder"):
        for name, path in (common | own).items():
            shutil.copyfile(path, out / name)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    files = sorted({*emitted, *(out / name for name in [*common, *own, *texts])})
    # but for the app's own source, which the self-test includes, to look at its steps
    sources = [path for path in files if path.suffix in (".c", ".S") and path.name != f"{plan.name}.c"]
    return Project(out, tuple(files), tuple(sources), out / "link.ld" if start != "hosted" else None)


def check_board(plan: Plan, board: Board) -> None:
    """BuildError where no firmware of the board can run this app."""
    if board.lacks:
        what = f"no firmware can be built for the board '{board.name}': its folder lacks {' and '.join(board.lacks)}"
        raise BuildError(what, "it can be estimated and sized all the same; docs/boards.md tells how a board is written")
    assert board.firmware, "it lacks nothing"
    if len(plan.x) > 1:
        what = f"the firmware of boards reads one source, {plan.name} has {len(plan.x)}: {', '.join(plan.names)}"
        raise BuildError(what, "`tinystream emit` gives the app as a library, for a loop of your own")
    (x,) = plan.x
    given = {(plan.steps[d.step].y.scale, plan.steps[d.step].y.zero) for d in plan.detections}
    if len(given) > 1:
        what = f"the records of boards tell one scale of scores, the detectors of {plan.name} have {len(given)}"
        raise BuildError(what, "detectors that read scores of one scale, or `tinystream emit` and records of your own")
    feeds = board.firmware.source
    if plan.source not in feeds:
        what = f"the board '{board.name}' has no source of kind '{plan.source}'"
        raise BuildError(what, f"it has {' and '.join(feeds) or 'none'}")
    feed = feeds[plan.source]
    assert x.sample_hz is not None, "a source has a sample rate"
    if feed.rate_hz and float(x.sample_hz) not in feed.rate_hz:
        what = f"the {plan.source} of '{board.name}' does not sample at {float(x.sample_hz):g} Hz"
        raise BuildError(what, f"rate_hz = {' or '.join(f'{rate:g}' for rate in feed.rate_hz)}")
    if feed.channels and x.channels not in feed.channels:
        what = f"the {plan.source} of '{board.name}' does not have {x.channels} channels"
        raise BuildError(what, f"it has {' or '.join(map(str, feed.channels))}")
    if feed.range_g and range_g(x) not in feed.range_g:
        what = f"the {plan.source} of '{board.name}' does not measure up to {range_g(x):g} g"
        raise BuildError(what, f"range_g = {' or '.join(f'{range:g}' for range in feed.range_g)}")


def check_recording(board: Board) -> None:
    """BuildError where nobody could ask the board for samples."""
    assert board.firmware, "check_board() comes first"
    if not any("board_read(" in (board.folder / name).read_text(encoding="utf-8") for name in board.firmware.files if name.endswith(".c")):
        what = f"the board '{board.name}' hears nothing over its line: its board.c has no board_read()"
        raise BuildError(what, "leave --recording out, or write it: ts_board.h tells what it does")


def range_g(x: Signal) -> float:
    """Full scale of an imu's samples; 0 where they are not in g."""
    return round(x.scale * 32768, 6) if x.unit == "g" else 0.0


def describe(plan: Plan, board: Board) -> str:
    """ts_app.h."""
    (x,) = plan.x
    assert x.sample_hz is not None, "a source has a sample rate"
    y = plan.steps[plan.detector].y if plan.detector is not None else plan.steps[-1].y
    block_s = float(1 / x.rate_hz)
    off_blocks = plan.duty.every - plan.duty.on if plan.duty else 0
    return template("firmware/ts_app.h").substitute(
        name=plan.name,
        NAME=plan.name.upper(),
        version=__version__,
        app=string(plan.name),
        dtype=x.dtype,
        board=board.name,
        clock_hz=f"{board.clock_hz}u",
        SOURCE=plan.source.upper(),
        events=max(1, len(plan.detections)),
        channels=x.channels,
        range_mg=round(1000 * range_g(x)),
        numerator=f"{x.sample_hz.numerator}u",
        denominator=f"{x.sample_hz.denominator}u",
        scale=f"{float(y.scale)!r}",
        scale_bits=f"UINT64_C(0x{struct.pack('>d', y.scale).hex()})",
        zero=number(y.zero),
        definition=", ".join(f"0x{plan.digest[i : i + 2]}" for i in range(0, 16, 2)),
        on_blocks=plan.duty.on if plan.duty else 0,
        off_blocks=off_blocks,
        off_ms=round(off_blocks * block_s * 1000),
        status_blocks=max(16, round(STATUS_S / block_s)),
        status_s=STATUS_S,
        watchdog_ms=max(WATCHDOG_MS, round(4000 * block_s)),
        learns=template("firmware/learns.h").substitute(name=plan.name, NAME=plan.name.upper()) if learns(plan) else "",
    )


def golden_header(plan: Plan, test: Golden) -> str:
    """ts_golden.h."""
    names = "\n".join(f"    {string(step.name)}," for step in plan.steps)
    digests = "\n".join(f"    0x{digest:08x}u," for digest in test.digests)
    return template("firmware/ts_golden.h").substitute(
        name=plan.name,
        version=__version__,
        stored=len(test.x),
        blocks=test.blocks,
        x=rows(test.x),
        size=test.x.size,
        digests=digests,
        names=names,
        silent=f"nothing comes out of {', '.join(test.silent)}: only that is tested" if test.silent else "every step gives something",
    )


def link_script(board: Board, path: Path) -> str:
    assert board.memory, "checked"
    memory = board.memory
    return Template(path.read_text(encoding="utf-8")).substitute(
        board=board.name,
        flash_origin=f"0x{memory.flash_origin:08x}",
        flash_bytes=memory.flash_bytes,
        ram_origin=f"0x{memory.ram_origin:08x}",
        ram_bytes=memory.ram_bytes,
        stack_bytes=STACK_BYTES,
    )


def makefile(plan: Plan, board: Board, files: list[str]) -> str:
    """For those who build with what they have: gcc, and the flags of build_project()."""
    commands = RISCV_COMMANDS if board.riscv else COMMANDS
    gcc = Compiler("cc", ("cc",), "") if board.core == "host" else Compiler(GCC, commands[GCC], "")
    return template("firmware/Makefile").substitute(
        name=plan.name,
        version=__version__,
        board=board.name,
        says=comment(board.says),
        compiler=" ".join(gcc.command),
        flags=" ".join(project_flags(board, gcc, Path("link.ld"))),
        sources=" ".join(sorted(name for name in files if Path(name).suffix in (".c", ".S"))),
    )


# --- building ---------------------------------------------------------------------------------------------------------


def build_project(
    plan: Plan,
    board: Board,
    compiler: Compiler | None = None,
    optimise: str = "-O2",
    more: tuple[str, ...] = (),
    project: Project | None = None,
) -> Path:
    """The program of the board, an ELF file, from the cache where the same was built before.  more: flags, such as -DTS_BENCH."""
    with tempfile.TemporaryDirectory(prefix="tinystream-") as name:
        project = project or write_project(plan, board, Path(name))
        compiler = compiler or (host_compiler() if board.core == "host" else cross_compiler(riscv=board.riscv))
        told = (*project_flags(board, compiler, project.script), optimise, *more)
        digest = hashlib.sha256(f"{__version__} {compiler.version} {[flag for flag in told if str(project.folder) not in flag]}".encode())
        for path in project.files:
            digest.update(path.name.encode() + path.read_bytes())
        return cached(
            f"{plan.name}-{board.name}-{digest.hexdigest()[:32]}.elf",
            lambda: linked(board, compiler, project.sources, Path(name) / "firmware.elf", *told),
            "XDG_CACHE_HOME = a folder of yours",
        )


def linked(board: Board, compiler: Compiler, sources: Sequence[Path], out: Path, *told: str) -> Path:
    """Compiled and linked; where the linker says that there is no room, that is the app's size and nobody's bug."""
    try:
        return compiler.build(sources, out, *told)
    except BuildError as error:
        over = re.findall(r"region [`'](FLASH|RAM)':? overflowed by (\d+) bytes", error.what)
        if not over or board.memory is None:
            raise
        there = {"FLASH": board.memory.flash_bytes, "RAM": board.memory.ram_bytes}
        region, more = max(over, key=lambda one: int(one[1]))
        what = f"needs {kb(there[region] + int(more))} of {region.replace('FLASH', 'flash')}, and {board.name} has {kb(there[region])}"
        raise BuildError(what, "a board with more, shorter windows or blocks, a smaller model") from None


def project_flags(board: Board, compiler: Compiler, script: Path | None) -> tuple[str, ...]:
    """What the compiler is told.  script: the linker's, for a bare board."""
    defines = board_defines(board)
    if board.core == "host":
        return ("-std=c11", *defines)
    return (*flags(compiler, find_core(board.core), script), *defines)


def board_defines(board: Board) -> list[str]:
    """What the compiler is told of a board that firmware can be built for."""
    assert board.firmware, "checked when it was written"
    told = list(board.firmware.defines)
    if board.firmware.recording is not None:
        told.append(f"TS_RECORDING=0x{board.firmware.recording:x}u")
    return [f"-D{define}" for define in told]


def build_image(plan: Plan, board: Board, compiler: Compiler | None = None, optimise: str = "-O2") -> Image:
    return Image(build_project(plan, board, compiler, optimise))
