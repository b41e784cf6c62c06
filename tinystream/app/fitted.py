"""Numbers that were fitted to recordings, from the JSON file that a stage names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tinystream.app.mistakes import build, hint
from tinystream.errors import AppError
from tinystream.plan.stage import Fitted

LARGEST = 64 << 20
"""Bytes; no fitted stage that a microcontroller could hold comes near."""


def with_file(stage: Fitted, base: Path) -> Fitted:
    """The stage with what its file says among its options; as it is, where it names none.

    Raises AppError, its path starting at the option to blame, where the file cannot be read, is of another kind, says what the
    definition says as well, or leaves out what must be fitted.
    """
    if stage.file is None:
        return checked(stage)
    options = read_options(base / stage.file)
    kind = options.pop("kind", stage.kind)
    options.pop("about", None)
    if kind != stage.kind:
        raise AppError(("file",), f"{stage.file} holds the numbers of a stage '{kind}', not of '{stage.kind}'", f'kind = "{kind}"')
    known = {field.alias or name: name for name, field in type(stage).model_fields.items()}
    for key in options:
        if key not in known or key in ("name", "from", "file"):
            raise AppError(("file",), f"{stage.file}: unknown key '{key}'", hint(key, [*stage.FITTED, "about"], "keys"))
        if known[key] in stage.model_fields_set:
            raise AppError((key,), f"'{key}' is said here and in {stage.file}", f"leave '{key}' out of one of them")
    said = {key: getattr(stage, name) for key, name in known.items() if name in stage.model_fields_set}
    made, errors = build(type(stage), said | options, (), f"stage '{stage.kind}'")
    if errors:
        raise AppError(("file",), f"{stage.file}: {errors[0].what}", errors[0].help)
    return checked(made)


def checked(stage: Fitted) -> Fitted:
    """The stage, whole.  AppError where something must still be fitted."""
    if stage.missing:
        what = f"stage '{stage.kind}' needs {' and '.join(stage.missing)}" + (f", {stage.file} has none" if stage.file else "")
        help = f'file = "{stage.kind}.json", written when it was fitted, or the numbers here'
        raise AppError(("file",) if stage.file else (), what, help)
    return stage


def read_options(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds."""
    try:
        raw = path.read_bytes() if path.stat().st_size <= LARGEST else None
    except OSError as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
        raise AppError(("file",), f"{path}: {what}", "its path starts at the folder of the definition") from None
    if raw is None:
        raise AppError(("file",), f"{path} is larger than {LARGEST >> 20} MB", "fewer centres, trees or prototypes")
    try:
        found = json.loads(raw, parse_constant=not_finite)
    except (ValueError, RecursionError) as error:
        why = "is nested too deeply" if isinstance(error, RecursionError) else f"is not JSON: {error}"
        raise AppError(("file",), f"{path} {why}", "fit it again") from None
    if not isinstance(found, dict):
        raise AppError(("file",), f"{path} holds no object with options", '{"kind": …, …}')
    return found


def not_finite(word: str) -> float:
    raise ValueError(f"{word} is no finite number")
