"""`tinystream stages` and `tinystream schema`: what a definition can say."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from tinystream.app.documentation import describe, kinds
from tinystream.app.schema import schema as definition_schema
from tinystream.cli.shared import Json, cli, output


@cli.command()
def stages(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="a stage, operator or detector")] = None,
    ops: Annotated[bool, typer.Option("--ops", help="list the operators of models instead")] = False,
    as_json: Json = False,
) -> None:
    """List the stages and detectors, or tell all about one."""
    if name:
        print(json.dumps(describe(name).as_dict(), indent=2) if as_json else describe(name).text(output().width))
        return
    found = [kind for kind in kinds() if (kind.room == "operator") == ops]
    if as_json:
        print(json.dumps([kind.as_dict() for kind in found], indent=2))
        return
    table = Table(box=None, header_style="bold")
    for column in ("kind", "is a", "what it does"):
        table.add_column(column)
    for kind in found:
        table.add_row(kind.name, kind.room, kind.summary)
    output().print(table)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of definitions, for your editor."""
    print(json.dumps(definition_schema(), indent=2))
