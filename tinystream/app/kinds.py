"""From the word behind `kind =` to its class, for stages, detectors, sources and sinks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

import tinystream.detectors
import tinystream.stages
from tinystream.app.mistakes import hint
from tinystream.app.sinks import File, Mqtt, SinkDefinition, Stdout
from tinystream.app.sources import SOURCES
from tinystream.errors import AppError
from tinystream.plan.kinds import class_name, kinds
from tinystream.plan.stage import Definition, Detector, Stage

USER_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")

SINKS: dict[str, type[SinkDefinition]] = {sink.kind: sink for sink in (Mqtt, Stdout, File)}

ROOMS: dict[str, ModuleType] = {"stage": tinystream.stages, "detector": tinystream.detectors}
CLASSES: dict[str, Mapping[str, type[Definition]]] = {"source": SOURCES, "sink": SINKS}


def known_kinds(what: str) -> list[str]:
    """The kinds that come with tinystream; what: "stage", "detector", "source" or "sink"."""
    return kinds(ROOMS[what]) if what in ROOMS else sorted(CLASSES[what])


def class_of(what: str, kind: object) -> type[Definition]:
    """The class of a kind.  Raises AppError with path ("kind",).

    "my_package.envelope" names an importable module of a user, which holds class Envelope: importing it runs its code.
    """
    if not isinstance(kind, str):
        raise AppError(("kind",), "kind wants text in quotes", f"{what}s: {', '.join(known_kinds(what))}")
    if what in ROOMS and USER_MODULE.fullmatch(kind):
        return class_of_user(what, kind)
    if kind not in known_kinds(what):
        raise AppError(("kind",), f"unknown {what} '{kind}'", hint(kind, known_kinds(what), f"{what}s"))
    if what in CLASSES:
        return CLASSES[what][kind]
    return getattr(import_module(f"{ROOMS[what].__name__}.{kind}"), class_name(kind))


def class_of_user(what: str, module: str) -> type[Definition]:
    """The class that a user's own module holds, with whatever may be wrong there told as a mistake of `kind`."""
    name = class_name(module.rpartition(".")[2])
    try:
        found = getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise AppError(
            ("kind",),
            f"{what} '{module}' cannot be imported: {error.name} is not found",
            "install it, or put the folder that holds it into PYTHONPATH",
        ) from error
    except Exception as error:  # a user's module can fail in any way while it is imported
        raise AppError(
            ("kind",), f"{what} '{module}' cannot be imported: {type(error).__name__}: {error}", f"python -c 'import {module}' shows where"
        ) from error
    base = Detector if what == "detector" else Stage
    if not (isinstance(found, type) and issubclass(found, base)):
        raise AppError(
            ("kind",), f"module {module} has no class {name}({base.__name__})", f"class {name}(tinystream.plan.stage.{base.__name__})"
        )
    return found
