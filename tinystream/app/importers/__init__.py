"""From a published model to an app: one format a file, found by what the file is.

    micro_wake_word     ESPHome's manifest (JSON, version 1 or 2) with its .tflite
    mltk                a .tflite of Silicon Labs' MLTK, whose metadata holds front end and detector
    micro_speech        TFLM's example: 49 frames of 40 features, to silence, unknown, yes, no
    person_detect       TFLM's example: a grey image of 96 x 96 pixels, to no person, person

A module has `fits(source)`, whether a file is of its format, and `read(source, wishes)`, what is made of it: an Imported, or a
TinystreamError that says what is missing.  What an app does not compute as its original does is told, in the definition and to the
person; nothing is left out in silence.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tinystream.app.importers import micro_speech, micro_wake_word, mltk, person_detect
from tinystream.app.importers.imported import Imported
from tinystream.app.importers.source import Source, Wishes
from tinystream.app.planning import plan_file
from tinystream.errors import AppErrors, TinystreamError, writing

FORMATS = {"mltk": mltk, "micro_wake_word": micro_wake_word, "micro_speech": micro_speech, "person_detect": person_detect}
"""In the order in which they are asked; the last two know a model by its shape alone."""


def read_published(path: Path, kind: str | None = None, wishes: Wishes | None = None) -> Imported:
    """The app that a published file describes.  kind: its format, where the file does not tell."""
    source, wishes = Source.of(path), wishes or Wishes()
    format = next((format for name, format in FORMATS.items() if (name == kind if kind else format.fits(source))), None)
    if format is None:
        raise TinystreamError(
            f"nothing in {source.name} tells what front end it was trained with: {source.model.words}",
            f"write an app.toml for it; or --kind {' or '.join(FORMATS)}, if it is one of those",
        )
    imported = format.read(source, wishes)
    imported.refuse_idle(wishes)
    return imported


def write_app(imported: Imported, folder: Path, force: bool = False) -> list[Path]:
    """The app's two files in a folder.  One that is there already and differs is written over only by `force`.

    The app is planned first, elsewhere: what cannot be planned is refused before a file is touched.
    """
    files = {folder / "app.toml": imported.toml.encode(), folder / imported.model_name: imported.model}
    with tempfile.TemporaryDirectory() as trial:
        for path, content in files.items():
            Path(trial, path.name).write_bytes(content)
        try:
            plan_file(trial)
        except AppErrors as mistakes:
            raise TinystreamError(f"{imported.origin} cannot be imported: {mistakes.what}", mistakes.help) from None
    for path, content in files.items():
        if path.exists() and not force and (path.is_dir() or path.read_bytes() != content):
            raise TinystreamError(f"{path} is there already, and differs", "-o names another folder, --force writes over it")
    with writing(folder, "-o names another folder"):
        folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        with writing(path, "-o names another folder"):
            path.write_bytes(content)
    return list(files)
