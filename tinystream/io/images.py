"""Images: a file is one frame of a camera, a folder of them a stream, in the order of their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.content import Content
from tinystream.io.wanted import How, Wanted
from tinystream.io.words import first_line

IMAGES = (".png", ".bmp", ".pgm", ".jpg", ".jpeg")
FORMATS = ("PNG", "BMP", "PPM", "JPEG")
MOST_PIXELS = 1 << 26  # of one image


def is_folder_of_images(folder: Path) -> bool:
    return folder.is_dir() and any(_files(folder))


def read_images(path: Path, wanted: Wanted, how: How) -> Content:
    """uint8 [n, height, width], grey."""
    if wanted.frame is None:
        raise RecordingError(f"{path} is an image, the app's source is no camera", "a recording of its channels")
    files = _files(path) if path.is_dir() else [path]
    frames: list[np.ndarray] = []
    told: dict[str, int] = {}
    for file in files:
        frame, notes = _frame(file, wanted.frame, how.resample)
        frames.append(frame)
        for note in notes:
            told[note] = told.get(note, 0) + 1
    many = len(files) > 1
    return Content(np.stack(frames), notes=tuple(f"{n} images {note}" if many else note for note, n in told.items()))


def _files(folder: Path) -> list[Path]:
    """img2 before img10."""
    found = [file for file in folder.iterdir() if file.suffix.lower() in IMAGES and not file.name.startswith(".") and file.is_file()]
    return sorted(found, key=lambda file: [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split("([0-9]+)", file.name)])


def _frame(path: Path, size: tuple[int, int], resample: bool) -> tuple[np.ndarray, list[str]]:
    image, notes = _opened(path), []
    if image.mode != "L":
        notes.append(f"made grey from {image.mode}: 0.299 red + 0.587 green + 0.114 blue")
        image = image.convert("L")
    height, width = size
    if image.size != (width, height):
        if not resample:
            what = f"{path} is {image.width}x{image.height}, the app's camera gives {width}x{height}"
            raise RecordingError(what, "--resample, or images of the camera's own size")
        notes.append(f"resized from {image.width}x{image.height} to {width}x{height} by the mean of areas")
        image = image.resize((width, height), _pillow().Resampling.BOX)
    return np.asarray(image, np.uint8), notes


def _opened(path: Path) -> Any:
    pillow = _pillow()
    try:
        with pillow.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise RecordingError(f"{path} is {image.width}x{image.height}, more than {MOST_PIXELS} pixels", "a smaller image")
            if getattr(image, "n_frames", 1) > 1:
                raise RecordingError(f"{path} holds {image.n_frames} images", "a file for each of them, in one folder")
            image.load()
            return image.copy() if not image.mode.startswith("I") else _of_16_bits(image)
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, OverflowError, ArithmeticError, MemoryError) as e:
        if isinstance(e, OSError) and e.errno:
            raise
        raise RecordingError(f"{path} is no image, or damaged: {first_line(e)}", "save it again") from None
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as e:
        raise RecordingError(f"{path}: {e}", "a smaller image") from None


def _of_16_bits(image: Any) -> Any:
    """The upper eight."""
    return _pillow().fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _pillow() -> Any:
    from PIL import Image  # only cameras need it

    return Image
