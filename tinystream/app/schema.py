"""JSON Schema of a definition, for completion and checking in an editor.

An editor takes it from `#:schema app.schema.json` in the first line of an app.toml (Taplo, Even Better TOML).  It knows every kind that
has a file here; stages of one's own ("my_package.envelope") are let through unchecked.  What only planning can know, such as
whether stages fit each other, it does not say.  Draft 2020-12.
"""

from __future__ import annotations

from typing import Any

from tinystream.app.definition import SEVERAL, App, Budget, Duty, Model
from tinystream.app.kinds import class_of, known_kinds
from tinystream.app.node import Capture, Node, Settings
from tinystream.plan.stage import Definition

OWN_KIND = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"


def schema() -> dict[str, Any]:
    """The schema, as JSON holds it."""
    top = properties(App)
    tables = {
        "source": one_or_several(one_of("source")),
        "duty": table(Duty),
        "stage": {"type": "array", "items": one_of("stage"), "description": top["stages"]["description"]},
        "model": one_or_several(table(Model)),
        "detect": one_or_several(one_of("detector")),
        "sink": {"type": "array", "items": one_of("sink"), "description": top["sinks"]["description"]},
        "budget": table(Budget),
        "node": table(Node),
        "settings": table(Settings),
        "capture": table(Capture),
    }
    for key in ("source", "duty", "model", "detect", "budget", "node", "settings", "capture"):
        tables[key]["description"] = top[SEVERAL.get(key, key)]["description"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tinystream app",
        "description": "An always-on sensing app: a source, stages, a model, a detector, sinks.",
        "type": "object",
        "properties": {**{key: top[key] for key in ("name", "description", "board")}, **tables},
        "required": ["name", "source"],
        "additionalProperties": False,
    }


def one_or_several(entry: dict[str, Any]) -> dict[str, Any]:
    """[key], or [[key]] once or more."""
    return {"anyOf": [entry, {"type": "array", "items": entry, "minItems": 1}]}


def one_of(what: str) -> dict[str, Any]:
    """A table whose `kind` says which options it has."""
    known = [table(class_of(what, kind), kind) for kind in known_kinds(what)]
    if what in ("stage", "detector"):
        own = {"type": "string", "pattern": OWN_KIND, "description": f"importable module of a {what} of your own"}
        known.append({"title": f"a {what} of your own", "type": "object", "properties": {"kind": own}, "required": ["kind"]})
    return {"type": "object", "required": ["kind"], "oneOf": known}


def table(cls: type[Definition], kind: str | None = None) -> dict[str, Any]:
    """One class as the schema of its table."""
    made = cls.model_json_schema(by_alias=True)
    options = properties(cls)
    required = made.get("required", [])
    about = {"title": kind or cls.__name__.lower(), "description": first_line(cls.__doc__)}
    if kind is not None:
        options = {"kind": {"const": kind, "type": "string", "description": about["description"]}, **options}
        required = ["kind", *required]
    return {**about, "type": "object", "properties": options, "required": required, "additionalProperties": False}


def properties(cls: type[Definition]) -> dict[str, Any]:
    """The options of a class.  None is not written in TOML, so it is left out of what an option may be."""
    made = cls.model_json_schema(by_alias=True)
    return {key: without_null(expand(value, made.get("$defs", {}))) for key, value in made["properties"].items()}


def expand(value: Any, definitions: dict[str, Any]) -> Any:
    """The same schema with its references written out."""
    if isinstance(value, dict):
        if "$ref" in value:
            target = definitions[value["$ref"].rpartition("/")[2]]
            return expand({**target, **{k: v for k, v in value.items() if k != "$ref"}}, definitions)
        return {key: expand(inner, definitions) for key, inner in value.items()}
    return [expand(inner, definitions) for inner in value] if isinstance(value, list) else value


def without_null(option: dict[str, Any]) -> dict[str, Any]:
    """{"anyOf": [X, null]} as X; pydantic's made-up titles and null defaults go as well."""
    option = {key: value for key, value in option.items() if key != "title" and not (key == "default" and value is None)}
    members = [m for m in option.get("anyOf", []) if m.get("type") != "null"]
    if not members:
        return option
    rest = {key: value for key, value in option.items() if key != "anyOf"}
    return {**members[0], **rest} if len(members) == 1 else {**rest, "anyOf": members}


def first_line(docstring: str | None) -> str:
    return next(iter((docstring or "").strip().splitlines()), "")
