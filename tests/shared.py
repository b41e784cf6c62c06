"""Recordings and models that are too large, or not ours, to lie in this repository; tests that need them skip without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_folder() -> Path:
    return Path(os.environ.get("TINYSTREAM_SHARED", Path(__file__).parents[2] / "shared"))


def shared(*parts: str) -> Path:
    """A file or folder of the shared data; skips the test where it is absent."""
    folder = shared_folder()
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {'/'.join(parts)} of the shared data, which is not at {folder} (TINYSTREAM_SHARED names another place)")
    return path
