"""`tinystream import`: an app of a published model."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.importers import Wishes, read_published, write_app
from tinystream.cli.shared import Json, cli, tell


class FormatChoice(StrEnum):
    """What `import` reads."""

    mltk = "mltk"
    micro_wake_word = "micro_wake_word"
    micro_speech = "micro_speech"


class RuleChoice(StrEnum):
    """Whose detection an imported wake word has."""

    mww_2025 = "mww_2025"
    mww_2024_10 = "mww_2024_10"


@cli.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a microWakeWord manifest, or a .tflite of MLTK or micro_speech")],
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="where the app goes; the app's name, here")] = None,
    kind: Annotated[FormatChoice | None, typer.Option(help="the format, where the file does not tell")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="the app's name")] = None,
    rule: Annotated[RuleChoice | None, typer.Option(help="microWakeWord: which firmware's detection")] = None,
    model: Annotated[Path | None, typer.Option("--model", metavar="FILE", help="microWakeWord: instead of the manifest's model")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="NAME", help="of an output; once for each, in order")] = None,
    force: Annotated[bool, typer.Option("--force", help="write over what is there")] = False,
    as_json: Json = False,
) -> None:
    """Make an app of a published model.

    Writes app.toml and the model beside it, and tells how near the app is to the original: which bits are the same, what differs.
    """
    imported = read_published(file, kind, Wishes(name, rule.value if rule else None, model, tuple(label or ())))
    written = write_app(imported, out or Path(imported.name), force)
    if as_json:
        print(json.dumps(imported.as_dict() | {"files": [str(path) for path in written]}, indent=2))
        return
    tell(f"{imported.name}: {imported.says}  ({imported.origin}, {imported.credit})")
    for what, how in imported.near._asdict().items():
        tell(f"  {what:<9} {how}")
    for lack in imported.lacks:
        tell(f"  not here  {lack}")
    for path in written:
        print(path)
