"""The generated C of the apps as it lies in git, so that a change of it is read before it is merged: `make golden` writes it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from tinystream.app.planning import plan_file
from tinystream.emit.emit import emit

ROOT = Path(__file__).parents[1]
APPS = sorted(path.parent.name for path in (ROOT / "apps").glob("*/app.toml") if path.parent.name != "person_detect")
"""But for the one whose model is not in git."""


def golden_folder(app: str) -> Path:
    return ROOT / "tests/golden" / app


def generated(app: str) -> dict[str, str]:
    """What is kept of an app, by file name: its source and headers, and a checksum of its tables.  Kernels lie in git anyway."""
    plan = plan_file(ROOT / "apps" / app)
    with tempfile.TemporaryDirectory(prefix="tinystream-") as name:
        texts = {path.name: path.read_text(encoding="utf-8") for path in emit(plan, Path(name)) if path.name.startswith(plan.name)}
    tables = f"{plan.name}_tables.c"
    texts[f"{tables}.sha256"] = f"{hashlib.sha256(texts.pop(tables).encode()).hexdigest()}  {tables}\n"
    return texts


def write(app: str) -> None:
    """Make what is generated now the golden C."""
    folder = golden_folder(app)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in generated(app).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for app in APPS:
        write(app)
        print(f"{golden_folder(app).relative_to(ROOT)} is what is generated now; git diff shows what changed")
