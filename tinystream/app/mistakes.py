"""Build one object of a definition from its table, with every mistake in it told in our own words.

pydantic finds the mistakes; here they get their path, the value, the limit and a way out.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tinystream.app.secrets import is_secret
from tinystream.errors import AppError
from tinystream.plan.stage import Definition, frozen

WANTS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
}
"""pydantic's types of error that say that a value is of the wrong type."""

Path = tuple[str | int, ...]


def build(cls: type[Definition], table: dict[str, Any], path: Path, who: str) -> tuple[Any, list[AppError]]:
    """(the object, []) or (None, every mistake).  who: what it is to the reader, such as "stage 'mel'"."""
    options = {field.alias or name: field for name, field in cls.model_fields.items()}
    table = cls.respelled(table)
    unknown = [key for key in table if key not in options]
    errors = [AppError((*path, key), f"unknown key '{key}' in {who}", hint(key, options, f"keys of {who}")) for key in unknown]
    meant = {near(key, options) for key in unknown}
    try:
        made = cls.model_validate({key: value for key, value in table.items() if key in options})
    except ValidationError as found:
        errors += [e.inside(*path) for e in translate(cls, options, frozen_table(table), found, who, meant)]
    except AppError as found:
        errors.append(found.inside(*path))
    return (None, errors) if errors else (made, [])


def near(word: object, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, in whatever case."""
    folded = {known_word.casefold(): known_word for known_word in known}
    return next((folded[close] for close in difflib.get_close_matches(str(word).casefold(), folded, n=1)), None)


def hint(word: object, known: Iterable[str], what: str) -> str:
    """The help line for an unknown word."""
    known = list(known)
    close = near(word, known)
    return f"did you mean '{close}'?" if close else f"{what}: {', '.join(known) or 'none'}"


def frozen_table(table: dict[str, Any]) -> dict[str, Any]:
    return {key: frozen(value) for key, value in table.items()}


# --- from pydantic's findings to ours -------------------------------------------------------------------------


def translate(
    cls, options: dict[str, FieldInfo], table: dict[str, Any], found: ValidationError, who: str, meant: set[str | None]
) -> list[AppError]:
    """One AppError for each place that is wrong; `meant` are keys that are there, only misspelt."""
    places: dict[Path, list[Any]] = {}
    for error in found.errors(include_url=False):
        places.setdefault(resolve(error["loc"], table, error["type"] == "missing"), []).append(error)
    inner = {path[:n] for path in places for n in range(len(path))}  # "too short" where an element is wrong is an echo
    errors = []
    for path, group in places.items():
        if path in inner and path:
            continue
        if group[0]["type"] == "missing" and len(path) > 1:
            errors.append(AppError(path, f"one of {path[0]} in {who} needs '{path[-1]}'", options[str(path[0])].description or ""))
        elif group[0]["type"] == "missing":
            if path[-1] not in meant:
                text = example(cls, options, str(path[-1]))
                errors.append(AppError(path, f"{who} needs '{path[-1]}'", f"for example {path[-1]} = {text}" if text else ""))
        else:
            errors.append(explain(cls, options, path, group, who))
    return errors


def resolve(loc: Sequence[str | int], table: dict[str, Any], missing: bool = False) -> Path:
    """pydantic's location without the names of union members that it mixes in.  missing: its last word is a key that is not there."""
    path: list[str | int] = []
    value: Any = table
    for n, part in enumerate(loc):
        inside = (isinstance(value, dict) and part in value) or (isinstance(value, tuple) and isinstance(part, int) and part < len(value))
        if inside:
            path.append(part)
            value = value[part]
        elif n == len(loc) - 1 and (n == 0 or missing):
            path.append(part)
    return tuple(path)


def explain(cls, options: dict[str, FieldInfo], path: Path, group: list[Any], who: str) -> AppError:
    """The mistake at one place; several findings there are the members of a union."""
    judged = [e for e in group if e["type"] not in WANTS]
    error = (judged or group)[0]
    context = error.get("ctx", {})
    if error["type"] == "app":
        return AppError(path, error["msg"], context.get("help", ""))
    if error["type"] in ("value_error", "assertion_error"):
        return AppError(path, str(context["error"]), "")
    if not path:
        return AppError(path, f"{who} is not accepted")
    option = str(path[0])
    value = "…" if is_secret(option) else toml(error["input"])
    subject = f"{option} = {value}" if len(path) == 1 else f"{value} in {option}"
    instead = f"{option} = {text}" if (text := example(cls, options, option)) else options[option].description or ""
    if not judged:
        wanted = " or ".join(dict.fromkeys(WANTS[e["type"]] for e in group))
        return AppError(path, f"{option} wants {wanted}, not {value}", instead)
    match error["type"]:
        case "extra_forbidden" if len(path) > 1:
            return AppError(path, f"unknown key '{path[-1]}' in one of {option} in {who}", options[option].description or "")
        case "greater_than_equal" | "less_than_equal":
            small, limit = error["type"].startswith("g"), toml(context.get("ge", context.get("le")))
            return AppError(
                path, f"{subject} is too {'small' if small else 'large'}, the limit is {limit}", limits(options[option], option) or instead
            )
        case "greater_than" | "less_than":
            large, limit = error["type"].startswith("l"), toml(context.get("gt", context.get("lt")))
            return AppError(
                path,
                f"{subject} is too {'large' if large else 'small'}, it must be {'below' if large else 'above'} {limit}",
                limits(options[option], option) or instead,
            )
        case "literal_error":
            words = literals(options[option].annotation)
            close = near(error["input"], [w for w in words if isinstance(w, str)]) if isinstance(error["input"], str) else None
            return AppError(
                path, f"{subject} is none of {listed([toml(word) for word in words])}", f"did you mean {toml(close)}?" if close else instead
            )
        case "too_short" | "too_long" | "string_too_short" | "string_too_long":
            few = error["type"].endswith("short")
            limit, unit = context["min_length" if few else "max_length"], "characters" if "string" in error["type"] else "values"
            return AppError(
                path, f"{subject} is too {'short' if few else 'long'}, the limit is {limit} {unit if limit != 1 else unit[:-1]}", instead
            )
        case "string_pattern_mismatch" if "a-z0-9_" in context["pattern"]:
            word = re.sub(r"[^a-z0-9_]+", "_", str(error["input"]).lower()).strip("_").lstrip("0123456789_")
            return AppError(
                path, f"{subject} is no name: a letter, then letters, digits and _, all lower case", f'{option} = "{word or "kitchen"}"'
            )
    return AppError(path, f"{subject} is not accepted", options[option].description or instead)


def limits(field: FieldInfo, option: str) -> str:
    """The range of a number as its field declares it: "1 <= bands <= 128"."""
    low = next(
        (f"{toml(m.ge)} <= " if hasattr(m, "ge") else f"{toml(m.gt)} < " for m in field.metadata if hasattr(m, "ge") or hasattr(m, "gt")),
        "",
    )
    high = next(
        (f" <= {toml(m.le)}" if hasattr(m, "le") else f" < {toml(m.lt)}" for m in field.metadata if hasattr(m, "le") or hasattr(m, "lt")),
        "",
    )
    if low and not high:
        number, sign = low.split()
        return f"{option} {sign.replace('<', '>')} {number}"
    return f"{low}{option}{high}" if high else ""


def listed(words: list[str]) -> str:
    """All of them, or where they would fill lines, enough to see what they look like."""
    return ", ".join(words) if len(words) <= 16 else f"{len(words)} words: {', '.join(words[:8])} … {words[-1]}"


def literals(annotation: Any) -> list[Any]:
    """All values that an annotation lists, at any depth."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return list(dict.fromkeys(value for inner in get_args(annotation) for value in literals(inner)))


def example(cls: type[Definition], options: dict[str, FieldInfo], option: str) -> str | None:
    """A value that works, in TOML: from the field, from the EXAMPLES of its module, from the words it lists, or the default."""
    field = options[option]
    if field.examples:
        return toml(field.examples[0])
    name = next(name for name, f in cls.model_fields.items() if f is field)
    for made, *_ in getattr(import_module(cls.__module__), "EXAMPLES", []):
        if isinstance(made, cls) and name in made.model_fields_set and getattr(made, name) is not None:
            return toml(getattr(made, name))
    words = literals(field.annotation)
    if words:
        return toml(words[0])
    return None if field.is_required() or field.default in (None, (), "") else toml(field.default)


def toml(value: Any) -> str:
    """A value as TOML writes it, shortened where it is long."""
    match value:
        case bool():
            text = str(value).lower()
        case str():
            text = json.dumps(value, ensure_ascii=False)
        case float():
            text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case list() | tuple():
            text = f"[{', '.join(map(toml, value))}]"
        case dict():
            return "a table"
        case _:
            text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
