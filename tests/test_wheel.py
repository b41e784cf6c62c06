"""Is the wheel whole?  It is built, installed where nothing else of this tree is, and used from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from command import APP, ROOT, WORKSHOP, tinystream

pytest.importorskip("pip")  # installs the wheel
pytest.importorskip("hatchling")  # builds it


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The command `tinystream` of an environment with this wheel; what it depends on comes from the environment of the tests."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join({sysconfig.get_path(name) for name in ("purelib", "platlib")}))
    where = run(python, "-c", "import tinystream; print(tinystream.__file__)", cwd=home).strip()
    assert Path(where).is_relative_to(home), f"not the wheel is imported, but {where}"
    return home / "bin/tinystream"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder with a copy of an app and of a recording."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(APP, "app")
    shutil.copy(WORKSHOP, "workshop.flac")


def run(*command: object, cwd: Path | None = None) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**environ, "COLUMNS": "80"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_carries_all_of_the_c_and_nothing_beside_the_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name for name in names if name.startswith("tinystream/firmware_templates/")}
    there = {f"tinystream/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "firmware_templates").rglob("*") if path.is_file()}
    assert inside == there and "tinystream/py.typed" in names
    rest = {name.split("/")[0] for name in names}
    assert rest == {"tinystream", next(name for name in rest if name.endswith(".dist-info"))}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_installed_wheel_lists_what_there_is(installed, empty):
    assert run(installed, "--version") == tinystream("--version").out
    assert json.loads(run(installed, "stages", "--json")) == json.loads(tinystream("stages", "--json").out)
    assert json.loads(run(installed, "schema")) == json.loads(tinystream("schema").out)


def test_the_installed_wheel_plans_and_writes_the_same_as_the_checkout(installed, empty):
    assert json.loads(run(installed, "show", "app", "--json")) == json.loads(tinystream("show", "app", "--json").out)
    run(installed, "emit", "app", "-o", "by_wheel")
    assert tinystream("emit", "app", "-o", "by_checkout").code == 0
    texts = [{path.name: path.read_bytes() for path in Path(folder).iterdir()} for folder in ("by_wheel", "by_checkout")]
    assert texts[0] == texts[1] and "wake_word.c" in texts[0]


@pytest.mark.parametrize("engine", ["auto", "python"])
def test_the_installed_wheel_replays_as_the_checkout_does(installed, empty, engine):
    out = run(installed, "replay", "app", "workshop.flac", "--engine", engine)
    assert out == tinystream("replay", "app", "workshop.flac").out and out
