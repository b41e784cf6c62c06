"""`tinystream build`: the app as firmware of a board, compiled."""

from __future__ import annotations

import json
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.cli.shared import AppPath, Json, cli, tell
from tinystream.errors import BuildError, writing
from tinystream.firmware.board import boards, find_board
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.flash_files import flash_suffix, write_flash_file
from tinystream.firmware.image import Image
from tinystream.firmware.project import build_project, write_project


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
    as_json: Json = False,
) -> None:
    """Write the app as firmware of a board, and compile it.

    The folder holds all sources, a Makefile and the program, <app>.elf; for a real board also what it is loaded with, a .hex or .uf2 file.
    """
    plan, target = plan_file(app), find_board(board_name(app, board))
    project = write_project(plan, target, out)
    with_compiler = cross_compiler(compiler and compiler.value, target.riscv) if target.core != "host" else None
    more = ("-DTS_BENCH",) if bench else ()
    program = build_project(plan, target, with_compiler, optimise.value, more, project)
    path = out / f"{plan.name}.elf"
    with writing(path, "--out another folder"):
        shutil.copy(program, path)
    paths, suffix = [path], flash_suffix(target)
    if suffix:
        paths.append(path.with_suffix(suffix))
        write_flash_file(path, target, paths[-1])
    sizes = Image(path).sizes if target.core != "host" else None
    if as_json:
        told = dict(app=plan.name, definition=plan.digest, board=target.name, program=str(path), load=str(paths[-1]))
        print(json.dumps(told | (dict(code=sizes.code, constants=sizes.constants, variables=sizes.variables) if sizes else {}), indent=2))
        return
    if sizes and target.memory:
        flash, ram = target.memory.flash_bytes, target.memory.ram_bytes
        tell(f"flash {sizes.flash} of {flash} B: code {sizes.code}, constants {sizes.constants}; RAM {sizes.variables} of {ram} B")
    print(*paths, sep="\n")


def board_name(app: Path, board: str | None) -> str:
    """The one that was asked for, or the definition's."""
    name = board or load(app).board
    if name is None:
        there = ", ".join(board.name for board in boards() if not board.lacks)
        raise BuildError("no board is named", f'--board, or board = "…" in the definition; {there}')
    return name
