"""The text of a definition, as a person would write it: aligned, with units, with comments that say why.

TOML is data and has no room for comments in it, so the text is made of lines, not of a document.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from tinystream.app.definition import C_HEADERS, C_WORDS
from tinystream.errors import TinystreamError

WIDE = 110        # columns of a comment
COMMENT = 30      # column in which comments begin, where there is room


class Row(NamedTuple):
    """A key of a table."""

    key: str
    value: bool | int | float | str | Sequence[str]
    comment: str = ""


class Table(NamedTuple):
    """A table: `header` with its brackets, in front of it what a person should know."""

    header: str
    rows: Sequence[Row]
    above: str = ""

    @property
    def text(self) -> str:
        wide = max(len(row.key) for row in self.rows)
        entries = [f"{row.key:<{wide}} = {value(row.value)}" for row in self.rows]
        column = max([COMMENT, *(len(entry) + 2 for entry, row in zip(entries, self.rows) if row.comment)])
        lines = [f"{entry:<{column}}# {row.comment}" if row.comment else entry for entry, row in zip(entries, self.rows)]
        return "\n".join([*comment(self.above), *([self.header] if self.header else []), *lines])


def comment(text: str, hang: int = 0) -> list[str]:
    """Lines of a comment; those after the first are indented by `hang`."""
    return [f"# {line}" for line in textwrap.wrap(text, WIDE - 2, subsequent_indent=" " * hang, break_on_hyphens=False)]


def value(x: bool | int | float | str | Sequence[str]) -> str:
    """As TOML writes it."""
    match x:
        case bool():
            return str(x).lower()
        case int():
            return f"{x:_}"
        case float():
            return str(int(x)) if x.is_integer() and abs(x) < 1e6 else repr(x)
        case str():
            return json.dumps(x, ensure_ascii=False)
        case _:
            return f"[{', '.join(map(value, x))}]"


def printable(text: str, what: str) -> str:
    """Text that may stand in a comment and in an event."""
    if not text.strip() or not text.isprintable() or set(text) & set('"\\'):
        raise TinystreamError(f"{what} is {json.dumps(text[:60])}, which an event cannot carry",
                              "printable text without quotes and backslashes")
    return text


def app_name(words: str, other: str) -> str:
    """A name for an app and its C functions from the words that people say; from `other` where they hold no letter."""
    name = next((slug for text in (words, other) if (slug := slugged(text))), "imported")
    taken = name in C_WORDS or name in C_HEADERS or name.startswith("ts_")
    return f"{name.removeprefix('ts_') or 'my'}_app" if taken else name


def slugged(text: str) -> str:
    """Lower case, digits and _, a letter first; empty where there is none."""
    return re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_").lstrip("0123456789_")[:60]
