"""Show a mistake at the line and column where it was written.

tomllib gives values without positions, so this walks the text a second time and notes where each key's value stands.  It is only
given documents that tomllib has read, and so need not judge, only follow, the grammar.  Source: TOML v1.0.0, toml.io/en/v1.0.0.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from tinystream.app.secrets import hide
from tinystream.errors import AppError

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """A piece of a text: offsets of its first character and of the one behind its last."""

    start: int
    end: int


def places(text: str) -> dict[Path, Place]:
    """Where the value of every key path stands; for a table with a header it is the header.  Lines end in \\n.

    >>> places('[[stage]]\\nbands = 40')[("stage", 0, "bands")]
    Place(start=18, end=20)
    """
    walk = Walk(text)
    walk.document()
    return walk.places


def locate(found: Mapping[Path, Place], path: Path) -> Place | None:
    """The place of `path`, or of the nearest thing around it that was written; None for the document itself.

    A key may have been written with hyphens where its option has underscores.
    """
    while path:
        hyphens = (*path[:-1], path[-1].replace("_", "-") if isinstance(path[-1], str) else path[-1])
        if path in found or hyphens in found:
            return found[path if path in found else hyphens]
        path = path[:-1]
    return found.get(path)


def in_file_order(errors: Iterable[AppError], found: Mapping[Path, Place]) -> list[AppError]:
    """Sorted by where they stand; one value has one mistake, the first that was noted."""
    unique: dict[Hashable, AppError] = {}
    for error in errors:
        unique.setdefault(error.path if error.path in found else (error.path, error.what), error)
    return sorted(unique.values(), key=lambda error: locate(found, error.path) or Place(0, 0))


def render(errors: Iterable[AppError], file: str, text: str, found: Mapping[Path, Place] | None = None) -> str:
    """All mistakes as a person reads them, one paragraph each, in the order given."""
    found = places(text) if found is None else found
    return "\n\n".join(show(error, file, text, locate(found, error.path)) for error in errors)


def show(error: AppError, file: str, text: str, place: Place | None) -> str:
    """One mistake: what it is, where it stands, that line with carets below, and one line of help."""
    if place is None:
        return "\n".join([f"error: {error.what}", f" --> {file}:1:1", *([f"  = help: {error.help}"] if error.help else [])])
    line, column, source = line_at(text, place.start)
    end = min(place.end, place.start - column + 1 + len(source))
    width = columns(source[column - 1 : column - 1 + max(1, end - place.start)])
    gutter = " " * len(str(line))
    blank = "".join("\t" if c == "\t" else " " * columns(c) for c in source[: column - 1])
    lines = [
        f"error: {error.what}",
        f"{gutter}--> {file}:{line}:{column}",
        f"{gutter} |",
        f"{line} | {visible(hide(source))}",
        f"{gutter} | {blank}{'^' * max(1, width)}",
    ]
    return "\n".join([*lines, f"{gutter} = help: {error.help}"] if error.help else lines)


def line_at(text: str, offset: int) -> tuple[int, int, str]:
    """Line number and column of an offset, both from 1, and the line."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1, text[start:].partition("\n")[0]


def visible(line: str) -> str:
    """A line that does nothing to a terminal but show itself."""
    return "".join(c if c.isprintable() or c == "\t" else "·" for c in line)


def columns(text: str) -> int:
    """How many columns of a terminal a text takes; East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


# --- the walk -------------------------------------------------------------------------------------------------

SPACE = re.compile(r"[ \t]*")
BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
SCALAR = re.compile(r"[^,\]}#\n]*[^,\]}#\n \t]")
STRINGS = [
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
]


class Walk:
    """One pass over a TOML text: `i` moves forward and `places` fills."""

    def __init__(self, text: str):
        self.text = text
        self.i = 0
        self.places: dict[Path, Place] = {}
        self.counts: dict[Path, int] = {}  # elements so far of each array of tables

    def document(self) -> None:
        table: Path = ()
        self.take(BLANK)
        while self.i < len(self.text):
            table = self.header() if self.text[self.i] == "[" else self.pair(table)
            self.take(BLANK)

    def header(self) -> Path:
        """[a.b] or [[a.b]]; gives the path of the table that follows."""
        start, double = self.i, self.text.startswith("[[", self.i)
        self.i += 2 if double else 1
        *outer, last = self.key()
        self.i += 2 if double else 1
        place = Place(start, self.i)
        path = self.enter((), outer, place)
        if double:
            count = self.counts[(*path, last)] = self.counts.get((*path, last), 0) + 1
            self.places.setdefault((*path, last), place)
            path = (*path, last, count - 1)
        else:
            path = self.enter(path, [last], place)
        self.places[path] = place
        return path

    def enter(self, path: Path, keys: list[str], place: Place) -> Path:
        """Down into tables; into the last one of an array of tables."""
        for key in keys:
            path = (*path, key)
            self.places.setdefault(path, place)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def pair(self, table: Path) -> Path:
        """key = value, inside `table`, which it gives back."""
        keys = self.key()
        self.i += 1  # the equals sign
        self.take(SPACE)
        start, path = self.i, table
        for key in keys[:-1]:
            path = (*path, key)
            self.places.setdefault(path, Place(start, start + 1))
        self.value((*path, keys[-1]))
        for n in range(1, len(keys)):  # a dotted key's tables span their first value
            if self.places[(*table, *keys[:n])] == Place(start, start + 1):
                self.places[(*table, *keys[:n])] = Place(start, self.i)
        return table

    def key(self) -> list[str]:
        keys = []
        while True:
            self.take(SPACE)
            if self.text[self.i] in "\"'":
                keys.append(tomllib.loads(f"key = {self.string()}")["key"])
            else:
                keys.append(self.take(BARE_KEY))
            self.take(SPACE)
            if self.text[self.i] != ".":
                return keys
            self.i += 1

    def value(self, path: Path) -> None:
        start, first = self.i, self.text[self.i]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        elif first in "\"'":
            self.string()
        else:
            self.take(SCALAR)
        self.places[path] = Place(start, self.i)

    def array(self, path: Path) -> None:
        self.i += 1
        self.take(BLANK)
        count = 0
        while self.text[self.i] != "]":
            self.value((*path, count))
            count += 1
            self.comma()
        self.i += 1

    def inline_table(self, path: Path) -> None:
        self.i += 1
        self.take(BLANK)
        while self.text[self.i] != "}":
            self.pair(path)
            self.comma()
        self.i += 1

    def comma(self) -> None:
        self.take(BLANK)
        if self.text[self.i] == ",":
            self.i += 1
            self.take(BLANK)

    def string(self) -> str:
        return next(taken for kind in STRINGS if (taken := self.take(kind)))

    def take(self, pattern: re.Pattern[str]) -> str:
        """The text that the pattern matches from here on; "" where it does not."""
        match = pattern.match(self.text, self.i)
        self.i = match.end() if match else self.i
        return match[0] if match else ""
