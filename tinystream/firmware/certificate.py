"""What was proved, as a file that can be tested again: the app, the tools, the engines, the recordings, the digest of each step."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from errno import EACCES, EISDIR
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from tinystream import __version__
from tinystream.emit.templates import kernels_version
from tinystream.errors import BuildError, TinystreamError, writing
from tinystream.firmware.engines import PYTHON, Spec
from tinystream.firmware.prove import Heard, Proving
from tinystream.io.several import fingerprint
from tinystream.plan.plan import Plan
from tinystream.run.replay import Reading

FORMAT = 1
LATER = ("unit", "gaps", "key_env")  # ways of reading that are sealed only where they are used: the seals of older files hold
ANOTHER = "--certificate another file"
AGAIN = "verify with --certificate writes a new one, where that is meant"
Strict = ConfigDict(frozen=True, extra="forbid", strict=True)


class EngineLine(BaseModel):
    """One engine that agreed; what does not apply to it is empty, and left out of the file."""

    model_config = Strict
    engine: str
    compiler: str = ""
    optimise: str = ""
    compiler_version: str = ""
    emulator: str = ""

    @property
    def spec(self) -> Spec:
        return Spec(self.engine, self.compiler, self.optimise)


class Certificate(BaseModel):
    """That these engines gave the same outputs of every step of this app for these recordings.

    definition: the app's hash.
    reading:    how the recordings were read.
    recordings: by file, below the folder that they have in common.
    compared:   values of all outputs, of one engine.
    seal:       SHA-256 over all the rest, so that a slip of an editor is seen.  It is no signature.
    """

    model_config = Strict
    format: int
    app: str
    definition: str
    kernels: int
    date: str
    tools: dict[str, str]
    reading: Reading
    engines: tuple[EngineLine, ...]
    recordings: dict[str, Heard]
    compared: int
    seal: str = ""

    @property
    def right_seal(self) -> str:
        data, usual = self.said(), asdict(Reading())
        for key in [key for key in LATER if data["reading"][key] == usual[key]]:
            del data["reading"][key]
        text = json.dumps({key: value for key, value in data.items() if key != "seal"}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def said(self) -> dict[str, Any]:
        """What is written; an app that learns nothing says nothing of it."""
        data = self.model_dump(mode="json")
        for heard in data["recordings"].values():
            if not heard["learnt"]:
                del heard["learnt"]
        return data


def certificate(plan: Plan, reading: Reading, specs: Sequence[Spec], proved: dict[Path, Heard]) -> Certificate:
    """Of what prove() has given."""
    made = Certificate(
        format=FORMAT,
        app=plan.name,
        definition=plan.digest,
        kernels=kernels_version(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        tools=tools(),
        reading=reading,
        engines=tuple(line(spec) for spec in specs),
        recordings=dict(zip(names(list(proved)), proved.values())),
        compared=values(proved.values()),
    )
    return made.model_copy(update={"seal": made.right_seal})


def line(spec: Spec) -> EngineLine:
    return EngineLine(engine=spec.engine, compiler=spec.compiler, optimise=spec.optimise, **spec.tools())


def tools() -> dict[str, str]:
    return {"tinystream": __version__, "python": platform.python_version(), "numpy": np.__version__}


def values(heard: Iterable[Heard]) -> int:
    return sum(step.values for one in heard for step in one.steps.values())


def names(paths: Sequence[Path]) -> list[str]:
    """Each file below the folder that all have in common."""
    full = [path.parent.resolve() / path.name for path in paths]
    top = os.path.commonpath([path.parent for path in full])
    return [path.relative_to(top).as_posix() for path in full]


def writable(path: Path, recordings: Sequence[Path]) -> None:
    """TinystreamError, before any work, where a certificate cannot be written there; its folder is made."""
    if path.resolve() in {recording.resolve() for recording in recordings}:
        raise TinystreamError(f"the certificate would overwrite the recording {path}", ANOTHER)
    with writing(path, ANOTHER):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            why = EISDIR if path.is_dir() else EACCES
            raise OSError(why, os.strerror(why))


def write(path: Path, what: Certificate) -> None:
    data = what.said()
    data["engines"] = [{key: text for key, text in engine.items() if text} for engine in data["engines"]]
    with writing(path, ANOTHER):
        half_written = path.with_name(path.name + ".part")
        half_written.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        half_written.replace(path)


def read(path: Path) -> Certificate:
    """What write() wrote; TinystreamError for anything else."""
    help = "tinystream verify … --certificate FILE writes one"
    try:
        text = path.read_bytes()
        number = json.loads(text)["format"]
        if number != FORMAT:
            raise TinystreamError(f"{path} is a certificate of format {number}, this version reads {FORMAT}", help)
        return Certificate.model_validate_json(text)
    except OSError as error:
        raise TinystreamError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}", help) from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        what = f"{path} is not a certificate: {where}: {error.errors()[0]['msg'].lower()}"
        raise TinystreamError(what, help) from None
    except (ValueError, KeyError, TypeError):
        raise TinystreamError(f"{path} is not a certificate", help) from None


# --- tested again ---------------------------------------------------------------------------------------------


def recheck(what: Certificate, plan: Plan, app: Path, given: Sequence[Path], jobs: int, progress: Callable[[int], None]) -> Iterator[str]:
    """All that no longer holds, in words.  plan: of the app."""
    yield from of_itself(what, plan)
    there = dict(matched(what, given, plan.names))
    yield from (f"recording {lost(file, given)}" for file in what.recordings if file not in there)
    specs = []
    for engine in what.engines:
        try:
            now = line(engine.spec)
        except BuildError as error:
            yield f"{engine.spec.name} cannot be asked: {error.what}"
            continue
        specs.append(engine.spec)
        for key, value in now:
            if value != getattr(engine, key):
                yield f"{engine.spec.name} was made with {key.replace('_', ' ')} '{getattr(engine, key)}', here it is '{value}'"
    if PYTHON not in specs:
        yield "python is not among its engines: it is the definition"
    if what.definition == plan.digest and there and specs:
        proving = Proving(app, what.reading, jobs)
        for (file, path), heard in zip(there.items(), proving.hear(specs, list(there.values()), progress)):
            yield from (f"{file}: {words}" for words in unequal(what.recordings[file], heard, proving, path))


def of_itself(what: Certificate, plan: Plan) -> Iterator[str]:
    """What can be seen without running anything."""
    if what.seal != what.right_seal:
        yield "the certificate was changed after it was written: its seal does not fit"
    parts = (("app", what.app, plan.name), ("definition", what.definition, plan.digest), ("kernels", what.kernels, kernels_version()))
    for part, then, now in parts:
        if then != now:
            yield f"{part} was '{then}', is '{now}'"
    if what.compared != values(what.recordings.values()):
        yield f"compared says {what.compared}, its recordings have {values(what.recordings.values())} values"


def matched(what: Certificate, given: Sequence[Path], names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The given files that are recordings of the certificate, by their bytes: (its name for one, where it is)."""
    by_bytes = {fingerprint(path, names): path for path in given}
    return ((file, by_bytes[heard.sha256]) for file, heard in what.recordings.items() if heard.sha256 in by_bytes)


def lost(file: str, given: Sequence[Path]) -> str:
    changed = Path(file).name in {path.name for path in given}
    return f"{file} has changed: its bytes are not those that were certified" if changed else f"{file} is missing"


def unequal(then: Heard, heard: dict[Spec, Heard], proving: Proving, path: Path) -> Iterator[str]:
    """How what the engines gave now differs from the certificate's: by value where it differs from numpy's, too."""
    same: dict[str, list[str]] = {}
    for spec, now in heard.items():
        if now == then:
            continue
        if PYTHON in heard and now != heard[PYTHON]:
            yield proving.difference(spec, path).what
            continue
        same.setdefault(first_change(then, now), []).append(spec.name)
    yield from (f"{change} ({', '.join(engines)})" for change, engines in same.items())


def first_change(then: Heard, now: Heard) -> str:
    for part in ("samples", "blocks"):
        if getattr(then, part) != getattr(now, part):
            return f"{getattr(then, part)} {part} then, {getattr(now, part)} now"
    if list(then.steps) != list(now.steps):
        return "the certificate has other steps than the app"
    name = next((name for name in now.steps if now.steps[name] != then.steps[name]), None)
    if name is None:
        return "something else is learnt than was certified"
    return f"step {name} gives other outputs than were certified"
