"""What stages, operators and detectors say of themselves: their docstrings, options and bounds, for people and scripts."""

from __future__ import annotations

import difflib
import inspect
import json
import re
import textwrap
from dataclasses import asdict, dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from pydantic import BaseModel

import tinystream.detectors
import tinystream.ops
import tinystream.stages
from tinystream.errors import TinystreamError
from tinystream.plan.kinds import class_name
from tinystream.plan.kinds import kinds as names

ROOMS = {"stage": tinystream.stages, "detector": tinystream.detectors, "operator": tinystream.ops}


@dataclass(frozen=True)
class Option:
    """One key that a person may write."""

    name: str
    type: str
    default: Any
    description: str


@dataclass(frozen=True)
class Kind:
    """One stage, operator or detector."""

    name: str
    room: str
    summary: str
    formula: str
    options: tuple[Option, ...]
    bound: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self, width: int = 140) -> str:
        """For people, in lines of at most `width`; formulas keep the lines that they have."""
        lines = [f"{self.name} ({self.room})", "", flow(self.formula, width)]
        if self.options:
            wide = max(len(o.name) for o in self.options)
            lines += ["", "options"]
            for o in self.options:
                default = "" if o.default is None else f", default {json.dumps(o.default)}"
                says = f"  {o.name:<{wide}}  {o.type}{default}: {o.description}".rstrip(": ")
                lines.append(textwrap.fill(says, width, subsequent_indent=" " * (wide + 4), break_on_hyphens=False))
        if self.bound:
            near = "equals" if self.bound == "0 counts" else f"stays within {self.bound} of"
            lines += ["", textwrap.fill(f"{near} the textbook, in float64 (tested)", width)]
        return "\n".join(lines)


def flow(text: str, width: int) -> str:
    """Text in lines of `width`: paragraphs are filled, those with an indented line are left as they are."""
    parts = text.split("\n\n")
    return "\n\n".join(part if re.search("^ ", part, re.M) else textwrap.fill(part, width, break_on_hyphens=False) for part in parts)


def kinds() -> list[Kind]:
    """All there are, by room, then by name."""
    return [kind(room, name) for room, package in ROOMS.items() for name in names(package)]


def describe(name: str) -> Kind:
    """One kind by its name; TinystreamError with the nearest names where there is none."""
    found = {k.name: k for k in kinds()}
    if name not in found:
        close = difflib.get_close_matches(name, found)
        raise TinystreamError(
            f"there is no stage, operator or detector '{name}'",
            f"did you mean '{close[0]}'?" if close else "`tinystream stages` lists them",
        )
    return found[name]


def kind(room: str, name: str) -> Kind:
    module = import_module(f"{ROOMS[room].__name__}.{name}")
    text = inspect.getdoc(module) or ""
    return Kind(name, room, text.split("\n", 1)[0].rstrip("."), text, options(module, name), bound(module))


def options(module: ModuleType, name: str) -> tuple[Option, ...]:
    """The fields of the class that a definition writes; operators are read from a model and have none."""
    cls = getattr(module, class_name(name))
    if not (inspect.isclass(cls) and issubclass(cls, BaseModel)):
        return ()
    schema = cls.model_json_schema(by_alias=True)["properties"]
    return tuple(Option(key, type_of(s), s.get("default"), s.get("description", "")) for key, s in schema.items())


def type_of(schema: dict[str, Any]) -> str:
    """A JSON Schema type in a few words: `number > 0`, `one of "hann", "boxcar"`."""
    if "anyOf" in schema:
        return " or ".join(type_of(s) for s in schema["anyOf"] if s.get("type") != "null")
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(f'"{v}"' if isinstance(v, str) else str(v) for v in schema.get("enum", [schema.get("const")]))
    if "minimum" in schema and "maximum" in schema:
        rest = {key: value for key, value in schema.items() if key not in ("minimum", "maximum")}
        return f"{type_of(rest)} {schema['minimum']:g} to {schema['maximum']:g}"
    limits = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    words = [
        schema.get("type", "value")
        .replace("array", "list")
        .replace("integer", "whole number")
        .replace("string", "text")
        .replace("boolean", "true or false")
    ]
    return " ".join(words + [f"{sign} {schema[key]:g}" for key, sign in limits.items() if key in schema])


def bound(module: ModuleType) -> str:
    value = getattr(module, "BOUND", None)
    if value is None:
        return ""
    absolute, relative = (*value, 0)[:2] if isinstance(value, tuple) else (value, 0)
    return f"{absolute:g} count{'s' * (absolute != 1)}" + (f" and {relative:.2g} of the value" if relative else "")
