"""`tinystream emit`: the app as C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.cli.shared import AppPath, cli
from tinystream.emit.emit import emit as emit_c


@cli.command()
def emit(
    app: AppPath, out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="where the C goes")] = Path("build")
) -> None:
    """Write the app as C.

    <name>.c and .h, its tables, and the kernels that it uses; files of an earlier time are written over.
    """
    for path in emit_c(plan_file(app), out):
        print(path)
