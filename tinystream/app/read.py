"""Read an app definition from a TOML file, and tell all of its mistakes at once, each at its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinystream.app.definition import App, Budget, Duty, Model
from tinystream.app.kinds import class_of, known_kinds
from tinystream.app.locate import Place, in_file_order, places, render, show
from tinystream.app.mistakes import build, hint
from tinystream.app.node import Capture, Node, Settings
from tinystream.app.planner import Broken, Parts
from tinystream.app.secrets import misplaced, secret_mistakes
from tinystream.app.sources import Microphone
from tinystream.errors import AppError, AppErrors
from tinystream.plan.stage import Definition

TABLES = {
    "source": "[source]", "duty": "[duty]", "stage": "[[stage]]", "model": "[model]", "detect": "[detect]", "sink": "[[sink]]",
    "budget": "[budget]", "node": "[node]", "settings": "[settings]", "capture": "[capture]",
}  # fmt: skip
SCALARS = ("name", "description", "board")

Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class File:
    """The text of a definition, with \\n for line ends."""

    path: Path
    text: str

    def refuse(self, errors: Sequence[AppError]) -> AppErrors:
        """The exception that shows these mistakes at their lines, in the order of the file."""
        found = places(self.text)
        ordered = in_file_order(errors, found)
        return AppErrors(ordered, render(ordered, str(self.path), self.text, found))

    @property
    def says(self) -> str:
        """The first comment of the file."""
        comments = (line[1:].strip() for line in self.text.split("\n") if line.startswith("#") and not line.startswith("#:"))
        return next((comment for comment in comments if comment), "")


def load(path: str | Path) -> App:
    """The app that a TOML file (or app.toml of a folder) declares.  Raises AppErrors with every mistake in it.

    Only the definition is judged: whether stages fit each other and the model is known once it is planned, see plan_file().
    """
    file = read(Path(path))
    draft = Draft.of(file)
    if draft.errors:
        raise file.refuse(draft.errors)
    assert draft.app, "a draft without mistakes is an app"
    return draft.app


def located(path: str | Path, errors: Sequence[AppError]) -> AppErrors:
    """Mistakes that were found later, such as a broken budget, shown at their lines of the file."""
    return read(Path(path)).refuse(errors)


def app_file(path: str | Path) -> Path:
    """The file of a definition: itself, or app.toml of a folder."""
    path = Path(path)
    return path / "app.toml" if path.is_dir() else path


# --- bytes and text -------------------------------------------------------------------------------------------


def read(path: Path) -> File:
    """The text of a file in UTF-8, with or without a byte order mark."""
    path = app_file(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
        help = "name a definition, or the folder with its app.toml"
        raise AppErrors([AppError((), what, help)], f"error: {what}\n --> {path}\n  = help: {help}") from None
    if b"\0" in raw and raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        what, help = "the file is not text", "name a definition, or the folder with its app.toml"
        raise AppErrors([AppError((), what, help)], f"error: {what}\n --> {path}\n  = help: {help}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        what = "the file is UTF-16, not UTF-8" if wide else f"byte 0x{raw[error.start]:02x} is not UTF-8"
        at = 0 if wide else error.start
        text = normal(raw[:at].decode("utf-8-sig", "replace"))
        line = normal(raw[at:].decode("latin-1")).partition("\n")[0] if not wide else ""
        raise refuse_at(path, text + line, len(text), what, "save the file as UTF-8") from None
    return File(path, normal(text))


def normal(text: str) -> str:
    return text.replace("\r\n", "\n")


def refuse_at(path: Path, text: str, offset: int, what: str, help: str) -> AppErrors:
    """A mistake at an offset of the text, where no keys are known."""
    error = AppError((), what, help)
    return AppErrors([error], show(error, str(path), text, Place(offset, offset + 1)))


def parse(file: File) -> dict[str, Any]:
    """The document.  Raises AppErrors at the place where TOML's grammar ends."""
    try:
        return tomllib.loads(file.text)
    except RecursionError:
        raise refuse_at(
            file.path, file.text, 0, "values are nested too deeply", "an app definition needs no more than lists in tables"
        ) from None
    except ValueError as error:
        reason = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)$", reason)
        lines = file.text.split("\n")
        line, column = (int(found[1]), int(found[2])) if found else (len(lines), len(lines[-1]) + 1)
        offset = sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
        reason = re.sub(r" \(at .*\)$", "", reason)
        raise refuse_at(file.path, file.text, offset, *grammar(reason, lines[line - 1])) from None


def grammar(reason: str, line: str) -> tuple[str, str]:
    """(what, help) for a reason that tomllib gives."""
    if reason == "Invalid value" and (bare := re.match(r"\s*([\w.-]+)\s*=\s*([A-Za-z_][\w./ -]*)", line)):
        return f"{bare[1]} wants text in quotes", f'{bare[1]} = "{bare[2].strip()}"'
    if reason == "Cannot overwrite a value":
        return "this key is written twice", "remove one of the two"
    if twice := re.match(r"Cannot declare \((.*)\) twice", reason):
        name = ".".join(re.findall(r"'([^']*)'", twice[1]))
        return f"[{name}] is written twice", f"[[{name}]] for several" if name in ("stage", "sink") else "one is enough"
    return f"not TOML: {reason[:1].lower()}{reason[1:]}", "each line is key = value, a [table] or a # comment"


# --- the document ---------------------------------------------------------------------------------------------


def whole_ones(entries: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(entry for entry in entries if not isinstance(entry, Broken))


@dataclass
class Draft:
    """An app as far as it could be read: `app` where nothing is wrong, `parts` for planning in any case."""

    file: File
    app: App | None = None
    parts: Parts = field(default_factory=lambda: Parts("app", (Broken("source"),)))
    errors: list[AppError] = field(default_factory=list)

    @classmethod
    def of(cls, file: File) -> Draft:
        draft = cls(file)
        draft.document(parse(file))
        return draft

    def document(self, doc: dict[str, Any]) -> None:
        known = [*SCALARS, *TABLES]
        self.errors += [
            AppError((key,), f"unknown key '{key}' in the app", hint(key, known, "keys of an app")) for key in doc if key not in known
        ]
        self.errors += misplaced(doc)
        if "source" not in doc:
            kinds = " or ".join(f'"{kind}"' for kind in known_kinds("source"))
            self.errors.append(AppError((), "app needs a [source]", f"[source] with kind = {kinds}"))
        sources = tuple(self.one_or_many(doc, "source", lambda table, path: self.entry(table, path, "source")))
        duty = self.plain(doc, "duty", Duty)
        stages = tuple(self.many(doc, "stage", "stage"))
        models = tuple(self.one_or_many(doc, "model", lambda table, path: self.made(Model, table, path, "model")))
        detectors = tuple(self.one_or_many(doc, "detect", lambda table, path: self.entry(table, path, "detector")))
        sinks = [sink for sink in self.many(doc, "sink", "sink") if not isinstance(sink, Broken)]
        budget = self.plain(doc, "budget", Budget)
        around = {key: self.plain(doc, key, cls) for key, cls in (("node", Node), ("settings", Settings), ("capture", Capture))}
        scalars = {key: doc[key] for key in SCALARS if key in doc}
        whole = {
            "stages": whole_ones(stages),
            "sinks": tuple(sinks),
            "sources": whole_ones(sources) or (Microphone(rate_hz=16_000, block_ms=20),),
            "models": whole_ones(models),
            "detectors": whole_ones(detectors),
        }
        parts = {"duty": duty, "budget": budget, **around}
        optional = {key: part for key, part in parts.items() if not isinstance(part, Broken)}
        app, errors = build(App, {**scalars, **whole, **optional}, (), "app")
        self.errors += errors
        self.app = app if not self.errors else None
        self.parts = Parts(app.name if app else "app", sources or (Broken("source"),), stages, models, detectors, duty)

    def one_or_many(self, doc: dict[str, Any], key: str, made: Callable[[dict[str, Any], Keys], Any]) -> list[Any]:
        """The objects of [key] or of [[key]]; the path to a mistake has a number only where the file has a list."""
        if key not in doc:
            return []
        found = doc[key]
        if isinstance(found, dict):
            return [made(found, (key,))]
        if not found or not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            return [self.misshapen(key, found)]
        return [made(table, (key, i)) for i, table in enumerate(found)]

    def many(self, doc: dict[str, Any], key: str, what: str) -> list[Any]:
        """The objects of an array of tables."""
        tables = doc.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.misshapen(key, tables)
            return []
        return [self.entry(table, (key, i), what) for i, table in enumerate(tables)]

    def plain(self, doc: dict[str, Any], key: str, cls: type[Definition]) -> Any:
        """The object of a table without a kind."""
        if key not in doc:
            return None
        if not isinstance(doc[key], dict):
            return self.misshapen(key, doc[key])
        return self.made(cls, doc[key], (key,), key)

    def made(self, cls: type[Definition], table: dict[str, Any], path: Keys, who: str) -> Any:
        """The object of a table without a kind; Broken, and the mistakes noted, where it cannot be made."""
        made, errors = build(cls, table, path, who)
        self.errors += errors
        return Broken(who) if made is None else made

    def misshapen(self, key: str, value: Any) -> Broken:
        several = TABLES[key].startswith("[[")
        what = f"{key} is a list of tables" if several else f"{key} is one table"
        self.errors.append(
            AppError(
                (key,),
                f"{what}, not {'one' if isinstance(value, dict) else 'a list' if isinstance(value, list) else 'a value'}",
                f"{TABLES[key]} on a line of its own",
            )
        )
        return Broken(key)

    def entry(self, table: dict[str, Any], path: tuple[str | int, ...], what: str) -> Any:
        """The object of a table with a kind; Broken, and the mistakes noted, where it cannot be made."""
        kind, name = table.get("kind"), table.get("name")
        broken = Broken(kind if isinstance(kind, str) else what, name if isinstance(name, str) else None)
        options = {key: value for key, value in table.items() if key != "kind"}
        if what == "sink":
            self.errors += [error.inside(*path) for error in secret_mistakes(options)]
        if kind is None:
            self.errors.append(AppError(path, f"{what} needs 'kind'", f"{what}s: {', '.join(known_kinds(what))}"))
            return broken
        try:
            cls = class_of(what, kind)
        except AppError as error:
            self.errors.append(error.inside(*path))
            return broken
        made, errors = build(cls, options, path, f"{what} '{kind}'")
        self.errors += errors
        return broken if made is None else made
