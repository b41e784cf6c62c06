"""`tinystream emit`: the app as C."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.cli.shared import AppPath, cli, tell
from tinystream.emit.targets import TARGETS, find, write_target

Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="where the C goes")]
TargetName = Annotated[str, typer.Option("--target", "-t", metavar="TARGET", help=f"{', '.join(TARGETS)}")]


@cli.command(epilog="Targets: " + "; ".join(f"{name}, {target.says}" for name, target in TARGETS.items()) + ".")
def emit(app: AppPath, out: Out = Path("build"), target: TargetName = "pair") -> None:
    """Write the app as C, for a project of your own or as a library.

    Files of an earlier time are written over.
    """
    kind = find(target)
    plan = plan_file(app)
    written = write_target(plan, target, out)
    for path in written:
        print(path)
    then = kind.then.format(out=quote(str(out)), absolute=quote(str(out.resolve())), name=plan.name, NAME=plan.name.upper())
    tell(f"{plan.name} as {kind.says}: {len(written)} files, {plan.ram_bytes} B of RAM, {plan.table_bytes} B of tables.  Next:\n    {then}")
