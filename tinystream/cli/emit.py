"""`tinystream emit`: the app as C."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.cli.shared import AppPath, cli, tell
from tinystream.emit.targets import TARGETS, find, write_target
from tinystream.firmware.board import find_board
from tinystream.firmware.project import write_project

Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="where the C goes")]
TargetName = Annotated[str | None, typer.Option("--target", "-t", metavar="TARGET", help=f"{', '.join(TARGETS)}")]


@cli.command(epilog="Targets: " + "; ".join(f"{name}, {target.says}" for name, target in TARGETS.items()) + ".")
def emit(
    app: AppPath,
    out: Out = Path("build"),
    target: TargetName = None,
    board: Annotated[str | None, typer.Option("--board", "-b", metavar="NAME|FOLDER", help="as firmware of this board instead")] = None,
) -> None:
    """Write the app as C: a pair of files, a library, or firmware.

    Files of an earlier time are written over.
    """
    if board and target is not None:
        raise typer.BadParameter("--target is for a project of yours, --board for firmware of ours; give one of the two")
    plan = plan_file(app)
    if board:
        for path in write_project(plan, find_board(board), out).files:
            print(path)
        tell(f"{plan.name} as firmware.  Next:\n    make -C {quote(str(out))}\nor `tinystream build`, which compiles it, too")
        return
    target = "pair" if target is None else target
    kind = find(target)
    written = write_target(plan, target, out)
    for path in written:
        print(path)
    then = kind.then.format(out=quote(str(out)), absolute=quote(str(out.resolve())), name=plan.name, NAME=plan.name.upper())
    tell(f"{plan.name} as {kind.says}: {len(written)} files, {plan.ram_bytes} B of RAM, {plan.table_bytes} B of tables.  Next:\n    {then}")
