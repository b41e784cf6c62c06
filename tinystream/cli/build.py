"""`tinystream build`: the app as firmware of a board, compiled."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.app.read import load, located
from tinystream.cli.shared import AppPath, Json, cli, tell
from tinystream.errors import BuildError, writing
from tinystream.firmware.board import Board, boards, find_board
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.flash_files import flash_suffix, write_flash_file
from tinystream.firmware.image import Image
from tinystream.firmware.project import build_project, check_board, check_recording, write_project
from tinystream.firmware.sizes import Need, exactly, found, too_much
from tinystream.firmware.stack import firmware_stack


class CompilerChoice(StrEnum):
    """Who compiles for a bare board."""

    gcc = "gcc"
    zig = "zig"


class OptimiseChoice(StrEnum):
    """How."""

    size = "-Os"
    speed = "-O2"
    more = "-O3"


BoardOption = Annotated[str | None, typer.Option("--board", "-b", metavar="NAME|FOLDER", help="instead of the definition's board")]


@cli.command()
def build(
    app: AppPath,
    board: BoardOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="where sources and the program go")] = Path("build"),
    compiler: Annotated[CompilerChoice | None, typer.Option(help="zig (from pip) if installed, else GCC for the board's core")] = None,
    optimise: Annotated[OptimiseChoice, typer.Option(help="for size or speed")] = OptimiseChoice.speed,
    bench: Annotated[bool, typer.Option("--bench", help="firmware that also tells the cycles of each step")] = False,
    recording: Annotated[
        bool, typer.Option("--recording", help="firmware that tells samples to who asks over its line; without, none can")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the app as firmware of a board, and compile it.

    The folder holds all sources, a Makefile and the program, <app>.elf; for a real board also what it is loaded with, a .hex or .uf2 file.
    """
    plan, target = plan_file(app), find_board(board_name(app, board))
    check_board(plan, target)
    if recording:
        check_recording(target)
    with_compiler = cross_compiler(compiler and compiler.value, target.riscv) if target.core != "host" else None
    least = exactly(plan, target) if with_compiler else None
    if least:
        check_fit(app, least, target)
    project = write_project(plan, target, out)
    more = (*(("-DTS_BENCH",) if bench else ()), *(("-DTS_TELLS_SAMPLES",) if recording else ()))
    program = build_project(plan, target, with_compiler, optimise.value, more, project)
    path = out / f"{plan.name}.elf"
    with writing(path, "--out another folder"):
        shutil.copy(program, path)
    image = Image(path) if with_compiler else None
    if with_compiler and least and image and not (bench or recording):
        check_fit(app, found(plan, least, image, f"{with_compiler.name} {optimise.value}"), target)
    paths, suffix = [path], flash_suffix(target)
    if suffix:
        paths.append(path.with_suffix(suffix))
        write_flash_file(path, target, paths[-1])
    sizes, stack = image and image.sizes, stack_of(image)
    if as_json:
        told = dict(app=plan.name, definition=plan.digest, board=target.name, program=str(path), load=str(paths[-1]))
        print(json.dumps(told | (asdict(sizes) | {"stack_used": stack} if sizes else {}), indent=2))
        return
    if sizes and target.memory:
        flash, ram = target.memory.flash_bytes, target.memory.ram_bytes
        used = f", of which {stack} at the most are used, interrupts with them" if stack else ""
        tell(f"flash {sizes.flash} of {flash} B: code {sizes.code}, constants {sizes.constants}")
        tell(f"RAM   {sizes.variables + sizes.stack} of {ram} B: variables {sizes.variables}, stack {sizes.stack}{used}")
    print(*paths, sep="\n")


def check_fit(app: Path, needs: Need, board: Board) -> None:
    """The budget and the board's memory; before anything is compiled, for what is known then."""
    if broken := too_much(needs, board, load(app).budget):
        raise located(app, broken)


def stack_of(image: Image | None) -> int | None:
    """Bytes of the stack that can be used; None where that cannot be computed.  BuildError where it is more than there is."""
    try:
        used = firmware_stack(image) if image else None
    except BuildError as error:
        tell(f"note: {error.what}")
        return None
    if image and used and used > image.sizes.stack:
        raise BuildError(f"the stack can grow to {used} B, and {image.sizes.stack} are kept for it", "a bug of ours: report it, please")
    return used


def board_name(app: Path, board: str | None) -> str:
    """The one that was asked for, or the definition's."""
    name = board or load(app).board
    if name is None:
        there = ", ".join(board.name for board in boards() if not board.lacks)
        raise BuildError("no board is named", f'--board, or board = "…" in the definition; {there}')
    return name
