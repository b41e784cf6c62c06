"""`tinystream capture`: what was kept around alerts, and how it becomes a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tinystream.app.planning import plan_file
from tinystream.cli.shared import Json, cli, output, tell
from tinystream.errors import TinystreamError
from tinystream.node import capture as kept

capture_app = typer.Typer(help="What was kept around alerts, and how it becomes a test.", no_args_is_help=True)
cli.add_typer(capture_app, name="capture")

FOLDER = Path("captures")


@capture_app.command("list")
def list_captures(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="of `run --capture`")] = FOLDER,
    as_json: Json = False,
) -> None:
    """Captures, oldest first."""
    found = []
    for path in kept.captures(folder):
        try:
            found.append((path, kept.about(path)))
        except TinystreamError as error:
            tell(f"warning: {error.what}")
    if as_json:
        print(json.dumps([{"id": path.name, **told} for path, told in found], indent=2))
        return
    table = Table("id", "alerts", "score", "length", "of", box=None, pad_edge=False)
    for path, told in found:
        labels = ", ".join(str(alert["label"]) for alert in told["alerts"])
        table.add_row(path.name, labels, f"{told['alerts'][0]['score']:g}", f"{told['samples'] / told['rate_hz']:.1f} s", told["of"])
    output().print(table)


@capture_app.command("export")
def export_capture(
    name: Annotated[str, typer.Argument(metavar="ID", help="as `capture list` tells it, or the capture's own folder")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="of recordings")],
    folder: Annotated[Path, typer.Option("--from", metavar="FOLDER", help="of `run --capture`")] = FOLDER,
    app: Annotated[Path | None, typer.Option("--app", metavar="APP", help="replay it, and tell whether the alert comes again")] = None,
) -> None:
    """Recording and truth of a capture, for `tinystream replay`.

    The truth says when the alert was: correct it, or empty its windows where the alert was a false one.
    """
    capture = Path(name) if Path(name).is_dir() else folder / name
    if not kept.ID.fullmatch(capture.name):
        raise TinystreamError(f"'{name}' is no capture", "tinystream capture list FOLDER")
    told = kept.about(capture)
    recording = kept.export(capture, out)
    print(recording)
    if app:
        different = kept.comes_again(plan_file(app), recording, told)
        tell(f"warning: {different}" if different else "the alert comes again in a replay")
    elif not told["fresh_start"]:
        tell("note: a replay starts afresh; --app tells whether the alert comes again")
