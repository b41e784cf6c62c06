"""Run a .tflite file by the interpreters that are installed.

Each interpreter runs in a process of its own: a model that crashes one takes nothing else with it.  What they are:

    tflm                    TFLM's reference kernels (package tflite-micro): what deployed firmware computes, and what we do
    … reference             TFLite's reference kernels, with every operator's output to look at
    … default               the same package as people mostly run it on a desktop, with its optimised kernels
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

CHILD, CHILD_S = ["-m", "tinystream.interpreters.child"], 600


@dataclass(frozen=True)
class Interpreter:
    """One way to run a model elsewhere.

    package: as pip names it.
    kernels: "reference", "optimised" or "default" (optimised, by the delegate that the package has), where there is a choice.
    """

    package: str
    kernels: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.package} {self.kernels}" if self.kernels else "tflm"

    @property
    def module(self) -> str:
        return self.package.replace("-", "_")

    @property
    def missing(self) -> str:
        """How to have it; nothing where it is installed."""
        return "" if find_spec(self.module) else f"pip install {self.package}{self.note}"

    @property
    def version(self) -> str:
        try:
            return version(self.package)
        except PackageNotFoundError:
            return ""


INTERPRETERS = (
    Interpreter("tflite-micro", note=" --pre (Linux on x86-64)"),
    *(Interpreter(package, kernels) for package in ("tflite-runtime", "ai-edge-litert") for kernels in ("reference", "default")),
)


# --- a process of its own -----------------------------------------------------------------------------------------------


def run_apart(
    interpreter: Interpreter, data: bytes, x: list[dict[str, np.ndarray]], watched: Sequence[int] = ()
) -> tuple[list[np.ndarray], dict[int, np.ndarray]] | str:
    """(outputs over all calls, tensors that were watched as the last call left them) of an interpreter, or why it gave none."""
    with tempfile.TemporaryDirectory(prefix="tinystream-") as name:
        hand_over(Path(name), interpreter, data, x, watched)
        try:
            done = subprocess.run([sys.executable, *CHILD, name], capture_output=True, timeout=CHILD_S)
        except subprocess.TimeoutExpired:
            return f"it took longer than {CHILD_S} s"
        if done.returncode < 0:
            return f"it crashed (signal {-done.returncode})"
        if done.returncode:
            return f"it failed: {last_words(done.stderr.decode(errors='replace'))}"
        return handed_back(Path(name), watched)


def hand_over(folder: Path, interpreter: Interpreter, data: bytes, x: list[dict[str, np.ndarray]], watched: Sequence[int] = ()) -> None:
    """What tinystream.run.interpreter reads."""
    (folder / "model.tflite").write_bytes(data)
    np.savez(folder / "in.npz", **{f"{key}{i}": value for i, block in enumerate(x) for key, value in block.items()})
    told = dict(module=interpreter.module, kernels=interpreter.kernels, watched=list(watched))
    (folder / "told.json").write_text(json.dumps(told))


def handed_back(folder: Path, watched: Sequence[int] = ()) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
    """What it has written."""
    with np.load(folder / "out.npz") as file:
        given = [file[f"out{i}"] for i in range(len([key for key in file if key.startswith("out")]))]
        return given, {index: file[f"t{index}"] for index in watched if f"t{index}" in file}


def last_words(told: str) -> str:
    """What an interpreter said before it failed, without the traceback around it."""
    lines = [line for line in told.splitlines() if line.strip() and not line.startswith((" ", "Traceback", "INFO", "WARNING"))]
    return "; ".join(lines[-3:])[:300]
