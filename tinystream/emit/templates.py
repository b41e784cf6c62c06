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


def event_header() -> Path:
    return templates() / "kernels/ts_event.h"


@cache
def kernels_version() -> int:
    """The number that generated code demands of the kernels beside it."""
    return number_in(templates() / "kernels/ts_fixed.h", "TS_KERNELS_VERSION")


@cache
def event_version() -> int:
    """The number that an app's header demands of the struct that another app's header may have brought."""
    return number_in(event_header(), "TS_EVENT_VERSION")


def number_in(path: Path, macro: str) -> int:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"#define {macro} "):
            return int(line.split()[2])
    raise AssertionError(f"{path.name} does not say {macro}")
