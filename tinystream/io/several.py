"""Recordings of an app with several sources: a file for each, called <recording>.<source>.<extension>, such as pump7.motion.csv.

A set is told by the file of its first source; the others lie beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from glob import escape
from pathlib import Path

from tinystream.errors import RecordingError
from tinystream.io.recording import READERS


def sets_among(paths: Iterable[Path], names: Sequence[str]) -> list[Path]:
    """The first source's file of every set that has a file among the paths, in their order."""
    found: dict[Path, None] = {}
    for path in paths:
        stem, name = parts(path)
        if name not in names:
            wanted = [f"{path.stem}.{source}{path.suffix}" for source in names]
            what = f"{path} does not say which source it is of, and the app has {len(names)}: {', '.join(names)}"
            raise RecordingError(what, f"name the files of one recording {' and '.join(wanted)}")
        found[of_source(path.with_name(stem), names[0])] = None
    return list(found)


def beside(first: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """The files of a set, in the order of the sources.  RecordingError where one is missing."""
    stem, _ = parts(first)
    return (first, *(of_source(first.with_name(stem), name) for name in names[1:]))


def fingerprint(path: Path, names: Sequence[str] = ()) -> str:
    """SHA-256 of a recording: of its file; of several sources, or a folder of images, over those of the files in order."""
    files = beside(path, names) if names else sorted(path.iterdir()) if path.is_dir() else (path,)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def parts(path: Path) -> tuple[str, str]:
    """The name of the recording, and that of the source.

    >>> parts(Path("hall/pump7.motion.csv"))
    ('pump7', 'motion')
    """
    stem, _, name = path.stem.rpartition(".")
    return stem, name


def of_source(recording: Path, name: str) -> Path:
    """The file of a source of a recording, whatever its format."""
    there = recording.parent.glob(f"{escape(recording.name)}.{escape(name)}.*")  # what lies beside one, such as its truth, has one more dot
    found = sorted(path for path in there if path.stem == f"{recording.name}.{name}" and path.suffix.lower() in READERS)
    if len(found) == 1:
        return found[0]
    if found:
        raise RecordingError(f"{recording} has two files of '{name}': {' and '.join(p.name for p in found)}", "leave one of them there")
    raise RecordingError(f"{recording} has no file of the source '{name}'", f"{recording.name}.{name}.wav, or another format, beside it")
