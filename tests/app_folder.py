"""What the tests of bundled apps have in common."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import first_compiler
from tinystream.errors import BuildError
from tinystream.io.recording import find_recordings
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import Reading, make_engine, replay
from tinystream.run.trace import Event
from tinystream.run.verify import Compared, verify


def app_script(path: Path) -> ModuleType:
    """A script of an app as a module, with its neighbours in reach."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def told_on(app: Path, folder: Path) -> dict[Path, list[Event]]:
    """The events of each recording in a folder, each from a fresh start."""
    plan = plan_file(app)
    engine = make_engine(plan)
    return {path: list(replay(plan, engine, Reading().read(plan, path).samples).events) for path in find_recordings([folder])}


def identical_on(plan: Plan, path: Path, seconds: float | None = None) -> None:
    """Every step's output in python, in native C and on an emulated Cortex-M4; skips what cannot be built here."""
    samples = Reading().read(plan, path).samples
    identical(plan, samples if seconds is None else samples[: int(seconds * plan.x[0].sample_hz)])


def identical(plan: Plan, samples: np.ndarray) -> None:
    """The same of samples that lie in no file."""
    if not first_compiler():
        pytest.skip("no C compiler")
    assert verify(plan, Engine(plan), Native(plan), samples, Compared()) is None
    pytest.importorskip("unicorn")
    from tinystream.firmware.emulated import Emulated

    try:
        core = Emulated(plan, "cortex-m4")
    except BuildError as missing:
        pytest.skip(f"native is the same, but there is no Cortex-M4: {missing}")
    compared = Compared()
    assert verify(plan, Engine(plan), core, samples, compared) is None
    assert compared.blocks and all(compared.outputs[step.name] for i, step in enumerate(plan.steps) if i != plan.detector)
