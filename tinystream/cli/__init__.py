"""The command line: one function a verb, each loads, calls, prints.

Data goes to stdout, people's words to stderr.  Exit code 0: as asked; 1: a mistake that the message explains, or a broken
budget; 2: wrong usage; 3: `verify` found a difference; 130: interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from tinystream import __version__
from tinystream.cli.shared import cli, tell
from tinystream.errors import TinystreamError

VERBS = (
    *("show", "replay", "run", "node", "fleet", "sources", "record", "capture", "verify", "emit"),
    *("profile", "power", "build", "listen", "model", "catalogue", "importing", "demo"),
)
"""Modules of this folder; `--help` lists their verbs in this order."""

for module in VERBS:
    import_module(f"tinystream.cli.{module}")


def version(asked: bool) -> None:
    if asked:
        print(f"tinystream {__version__}")
        raise typer.Exit


@cli.callback()
def options(_: Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="print the version")] = False) -> None:
    pass


def main() -> None:
    """The entry point of the `tinystream` command."""
    try:
        cli()
    except TinystreamError as error:
        tell("\n".join([str(error), *getattr(error, "__notes__", ())]))
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # `tinystream replay … | head` is not a mistake
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:  # such as a full disk under standard output
        tell(f"error: {str(error.strerror or error).lower()}{f': {error.filename}' if error.filename else ''}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", ()):  # alerts that were not delivered
            tell(note)
        raise SystemExit(130) from None
