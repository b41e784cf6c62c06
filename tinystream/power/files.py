"""Read a TOML file of figures strictly, and find one by name."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tinystream.errors import TinystreamError
from tinystream.firmware.core import nearest_first

Told = TypeVar("Told", bound=BaseModel)
TELLS = "docs/power.md tells what it holds"


class PowerError(TinystreamError):
    """A board, part or setting of which no estimate can be made."""


def read_figures(path: Path, model: type[Told], **more: Any) -> Told:
    """What the file says; PowerError, with the file and the key, where that cannot be."""
    try:
        return model(**tomllib.loads(path.read_text(encoding="utf-8")), **more)
    except OSError as error:
        raise PowerError(f"{path}: {(error.strerror or str(error)).lower()}", TELLS) from None
    except ValidationError as error:
        first = error.errors()[0]
        where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise PowerError(f"{path}: {where + ': ' if where else ''}{what[0].lower()}{what[1:]}", TELLS) from None
    except (ValueError, TypeError) as error:
        raise PowerError(f"{path} is not TOML that can be read: {error}", TELLS) from None


def unknown(what: str, name: str, there: Collection[str], help: str = "") -> PowerError:
    """No such name: all that there are, the nearest first."""
    return PowerError(f"no {what} is called '{name}' here", f"{', '.join(nearest_first(name.lower(), there)) or 'there are none'}{help}")
