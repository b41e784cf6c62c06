"""What an engine has learnt, from its first moment to its last: begun, kept in files, compared.

A replay begins with nothing learnt, or with what it is given; a window of duty only resets, so that what was learnt lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinystream.errors import LearntError, writing
from tinystream.plan.learnt import check, first_unequal, learns, refused
from tinystream.plan.plan import Plan
from tinystream.run.engine import Runs
from tinystream.run.trace import Difference

ANOTHER = "--save-learnt another file"
LEARNING = "a stage that learns, such as 'baseline'"


def begin(plan: Plan, engine: Runs, learnt: bytes = b"") -> None:
    """A fresh start: forgotten and reset, then what is given takes its place."""
    if learns(plan):
        engine.forget()
    engine.reset()
    if learnt:
        engine.restore(learnt)


def learnt_by(plan: Plan, engine: Runs) -> bytes:
    """What the engine has learnt so far; nothing where the plan learns nothing."""
    return engine.learnt() if learns(plan) else b""


def read_learnt(plan: Plan, path: Path) -> bytes:
    """What save() wrote; LearntError where it is not of this plan."""
    if not learns(plan):
        raise LearntError(f"{plan.name} learns nothing, so {path} is not for it", LEARNING)
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise LearntError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}", "--save-learnt FILE writes one") from None
    if why := check(plan, blob):
        raise refused(plan, blob, why, str(path))
    return blob


def check_save(plan: Plan, path: Path, recordings: Sequence[Path]) -> None:
    """LearntError, before any work, where nothing will be learnt, or a recording would be lost."""
    if not learns(plan):
        raise LearntError(f"{plan.name} learns nothing, so there will be nothing to save", LEARNING)
    if path.resolve() in {recording.resolve() for recording in recordings}:
        raise LearntError(f"what was learnt would overwrite the recording {path}", ANOTHER)


def save(blob: bytes, path: Path) -> None:
    with writing(path, ANOTHER):
        path.parent.mkdir(parents=True, exist_ok=True)
        half_written = path.with_name(path.name + ".part")
        half_written.write_bytes(blob)
        half_written.replace(path)


def learnt_otherwise(plan: Plan, a: Runs, b: Runs) -> Difference | None:
    """The first value that two engines have learnt otherwise."""
    found = first_unequal(plan, a.learnt(), b.learnt()) if learns(plan) else None
    if found is None:
        return None
    what = f"{found.place}: {a.name} {found.values[0]}, {b.name} {found.values[1]}"
    return Difference(found.step, found.at, found.values, what)
