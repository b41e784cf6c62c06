"""Secrets stay in the environment: a definition only names the variable, "${MQTT_PASSWORD}"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from tinystream.errors import AppError
from tinystream.plan.stage import Definition

SINK = TypeVar("SINK", bound=Definition)

REFERENCE = re.compile(r"\$\{([^}]*)\}?")
SECRET = re.compile(r"pas+w|pwd|passphrase|secret|token|api_?key", re.IGNORECASE)
ASSIGNED = re.compile(rf"""([\w-]*(?:{SECRET.pattern})[\w-]*["']?\s*=\s*)("[^"]*"?|'[^']*'?|[^,}}#\s][^,}}#]*)""", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_secret(option: str) -> bool:
    """Whether the value of an option of this name must never be shown or written down."""
    return SECRET.search(option) is not None


def hide(line: str) -> str:
    """A line of a definition with the values of secrets starred out, column for column.

    >>> hide('qos = 1, password = "hunter2"')
    'qos = 1, password = *********'
    """
    return ASSIGNED.sub(lambda m: m[1] + "*" * len(m[2]), line)


def secret_mistakes(options: Mapping[str, Any]) -> Iterator[AppError]:
    """Mistakes of a sink's options: a secret that is written out, and ${…} that names no variable."""
    for option, value in options.items():
        if not isinstance(value, str):
            continue
        bad = [m[0] for m in REFERENCE.finditer(value) if not (m[0].endswith("}") and NAME.fullmatch(m[1]))]
        if is_secret(option) and (bad or not REFERENCE.fullmatch(value)):
            yield AppError(
                (option,), f"{option} is a secret and does not belong into a definition", f'{option} = "${{MQTT_{option.upper()}}}"'
            )
        elif bad:
            yield AppError(
                (option,), f"'{bad[0]}' in {option} is not the name of an environment variable", f'{option} = "${{MY_{option.upper()}}}"'
            )


def misplaced(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[AppError]:
    """${NAME} anywhere but in a sink: what an app computes must not depend on the machine that reads it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if (*path, key) != ("sink",):
                yield from misplaced(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from misplaced(inner, (*path, i))
    elif isinstance(value, str) and (found := REFERENCE.search(value)):
        yield AppError(path, f"'{found[0]}' is only read in sinks", "write the value itself: what an app computes is all in its definition")


def resolve_secrets(sink: SINK, environ: Mapping[str, str]) -> SINK:
    """The sink with every ${NAME} replaced from `environ`: for the moment of use, never to be kept, shown or hashed.

    Raises AppError naming the option and the variable that is missing.
    """

    def value_of(option: str, reference: re.Match[str]) -> str:
        name = reference[1]
        if name not in environ:
            raise AppError((option,), f"environment variable {name} is not set, which {option} of sink '{kind}' needs", f"export {name}=…")
        return environ[name]

    kind = getattr(sink, "kind", type(sink).__name__)
    options = {option: value for option, value in dict(sink).items() if isinstance(value, str) and "${" in value}
    return sink.model_copy(update={option: REFERENCE.sub(partial(value_of, option), value) for option, value in options.items()})
