"""What an app computes, as one number: equal digests give equal events for equal samples.

SHA-256 over canonical JSON (sorted keys, no spaces, UTF-8) of everything that can change an event: the app's name, source, duty, stages,
the model file's bytes, its labels, the detector, the code of stages that a user wrote, and the version of our kernels.
Not in it: description, board, sinks (nor their secrets) and budget, which change no event.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from tinystream.app.definition import App, Model
from tinystream.plan.fixed import KERNELS_VERSION
from tinystream.plan.stage import Definition, Fitted, Stage


def digest(app: App, base: Path) -> str:
    """SHA-256 in hex."""
    text = json.dumps(content(app, base), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def content(app: App, base: Path) -> dict[str, Any]:
    """What is hashed."""
    duty = {"duty": described(app.duty)} if app.duty else {}  # what is not said leaves no trace
    return duty | {
        "kernels": KERNELS_VERSION,
        "name": app.name,
        "source": one_or_list([described(source) for source in app.sources]),
        "stages": [described_stage(stage, base) for stage in app.stages],
        "model": one_or_list([{"sha256": sha256(base / model.file), **described_model(model)} for model in app.models]),
        "detect": one_or_list([described(detector) for detector in app.detectors]),
    }


def one_or_list(entries: list[dict[str, Any]]) -> Any:
    """One as itself and none as null, so that a definition from before there could be several keeps its hash."""
    return entries if len(entries) > 1 else entries[0] if entries else None


def described_model(model: Model) -> dict[str, Any]:
    """What is said of the model beside its file; what is not said leaves no trace, so that an older definition keeps its hash."""
    said: dict[str, Any] = {"labels": model.labels}
    said |= {key: value for key, value in {"name": model.name, "from": model.from_, "output": model.output}.items() if value}
    return said | ({"run": model.run, "output_scale": model.output_scale} if model.run != "compiled" else {})


def described_stage(stage: Stage, base: Path) -> dict[str, Any]:
    """Kind and options of a stage; of one with fitted numbers in a file, its bytes instead of its name."""
    said = described(stage)
    if isinstance(stage, Fitted):
        file = said.pop("file")
        said |= {"fitted": sha256(base / file)} if file else {}
    return said


def described(entry: Definition) -> dict[str, Any]:
    """Kind and options of one entry, and the code of one that a user wrote."""
    options = {"kind": getattr(entry, "kind", type(entry).__name__), **entry.model_dump(mode="json", by_alias=True)}
    module = type(entry).__module__
    if not module.startswith("tinystream."):
        file = Path(getattr(sys.modules[module], "__file__", None) or "")
        files = [file, file.with_name(f"ts_{options['kind']}.h")]
        options |= {"kind": module, "code": [sha256(f) for f in files if f.is_file()]}
    return options


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
