"""A kind's name finds its file and its class: "mel" is mel.py with class Mel.  There is no other registry."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Any


def kinds(room: ModuleType) -> list[str]:
    """Every kind that has a file in this package, by name."""
    return sorted(m.name for m in pkgutil.iter_modules(room.__path__) if not m.name.startswith("_"))


def class_name(kind: str) -> str:
    """
    >>> class_name("micro_frontend")
    'MicroFrontend'
    """
    return "".join(word.capitalize() for word in kind.split("_"))


def find(room: ModuleType, name: str) -> Any:
    """The class `name` of a package, imported when it is asked for: what stands behind `from tinystream.stages import Mel`.

    It serves as a module's __getattr__ and so raises AttributeError for a name that no file bears.
    """
    for kind in kinds(room):
        if class_name(kind) == name:
            return getattr(import_module(f"{room.__name__}.{kind}"), name)
    raise AttributeError(f"module {room.__name__!r} has no attribute {name!r}; its kinds are {', '.join(kinds(room)) or 'none'}")
