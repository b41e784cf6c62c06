"""What was built once is not built again: files by the digest of all that went into them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tinystream.errors import writing


def cached(name: str, build: Callable[[], Path], help: str) -> Path:
    """The file of that name in the cache folder; build() makes it, elsewhere, where no earlier run has."""
    path = cache_folder() / name
    if not path.exists():
        with writing(path.parent, help):
            path.parent.mkdir(parents=True, exist_ok=True)  # before the work
            built = build()
            half_written = path.with_suffix(f".{os.getpid()}")
            shutil.copy(built, half_written)  # its permissions, too: it may be a program
            half_written.replace(path)  # atomic: another process sees all of it or nothing
    return path


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/tinystream, or ~/.cache/tinystream."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinystream"
