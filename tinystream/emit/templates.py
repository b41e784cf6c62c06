"""Where the C that we ship lies: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from string import Template

from tinystream.plan.step import Step


@cache
def templates() -> Path:
    """The folder firmware_templates/."""
    package = Path(__file__).parents[1]
    for folder in (package / "firmware_templates", package.parent / "firmware_templates"):
        if folder.is_dir():
            return folder
    raise AssertionError("the installation lacks firmware_templates: the wheel must carry it")


def template(name: str) -> Template:
    return Template((templates() / name).read_text(encoding="utf-8"))


def header(step: Step) -> Path:
    """ts_<kind>.h of a step: ours, or beside the module of a stage that a user wrote."""
    name = f"ts_{step.kind}.h"
    ours = templates() / "kernels" / name
    if step.module.startswith("tinystream."):
        return ours
    file = import_module(step.module).__file__
    assert file, f"{step.module} has no file, so its header {name} cannot be found"
    return Path(file).with_name(name)


@cache
def kernels_version() -> int:
    """The number that generated code demands of the kernels beside it."""
    for line in (templates() / "kernels/ts_fixed.h").read_text(encoding="utf-8").splitlines():
        if line.startswith("#define TS_KERNELS_VERSION"):
            return int(line.split()[-1])
    raise AssertionError("ts_fixed.h does not say TS_KERNELS_VERSION")
