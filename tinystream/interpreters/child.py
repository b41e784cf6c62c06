"""Run one interpreter over inputs from a file: what `tinystream model --compare` starts as a process of its own.

python -m tinystream.interpreters.child FOLDER      # model.tflite, in.npz, told.json → out.npz
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ARENA_BYTES = 1 << 24
KERNELS = dict(reference="BUILTIN_REF", optimised="BUILTIN_WITHOUT_DEFAULT_DELEGATES", default="AUTO")


class Lite:
    """TFLite's interpreter, of the package tflite_runtime or ai_edge_litert.

    kernels: see KERNELS.  Without a delegate, which keeps to itself what flows inside, every tensor can be looked at.
    """

    def __init__(self, data: bytes, package: str, kernels: str):
        module = import_module(f"{package}.interpreter")
        resolver, shows = getattr(module.OpResolverType, KERNELS[kernels]), kernels != "default"
        self._lite = module.Interpreter(model_content=data, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=shows)
        self._lite.allocate_tensors()
        self.inputs, self._outputs = self._lite.get_input_details(), self._lite.get_output_details()
        self._seen = {details["index"] for details in self._lite.get_tensor_details()} if shows else set()

    def call(self, x: list[np.ndarray]) -> list[np.ndarray]:
        for details, block in zip(self.inputs, x):
            self._lite.set_tensor(details["index"], block)
        self._lite.invoke()
        return [self._lite.get_tensor(details["index"]).copy() for details in self._outputs]

    def tensor(self, index: int) -> np.ndarray | None:
        """A tensor of the last call; None where it cannot be seen."""
        if index not in self._seen:
            return None
        try:
            return self._lite.get_tensor(index).copy()
        except ValueError:
            return None


class Micro:
    """TFLM."""

    def __init__(self, data: bytes):
        runtime = import_module("tflite_micro.python.tflite_micro.runtime")
        self._micro = runtime.Interpreter.from_bytes(data, arena_size=ARENA_BYTES)
        self.inputs: list[dict[str, Any]] = []
        self._count = 0
        for details, found in ((self._micro.get_input_details, self.inputs), (self._micro.get_output_details, None)):
            for i in range(64):
                try:
                    told = details(i)
                except (IndexError, ValueError, RuntimeError):
                    break
                if found is None:
                    self._count += 1
                else:
                    found.append(told)

    def call(self, x: list[np.ndarray]) -> list[np.ndarray]:
        for i, block in enumerate(x):
            self._micro.set_input(block, i)
        self._micro.invoke()
        return [self._micro.get_output(i).copy() for i in range(self._count)]

    def tensor(self, index: int) -> np.ndarray | None:
        return None


def given(details: dict[str, Any], file: Any, i: int) -> np.ndarray:
    """All calls of input i in the interpreter's type: counts as they are, as uint8, or as the real numbers they stand for; or a shape."""
    shape, dtype = [int(n) for n in details["shape"]], np.dtype(details["dtype"])
    if "seed0" in file:
        rng = np.random.default_rng([int(file["seed0"]), i])
        return rng.normal(0, 1, (8, *shape)).astype(dtype)
    if f"shape{i}" in file:
        return file[f"shape{i}"].reshape(-1, *shape).astype(dtype)
    counts = file[f"counts{i}"].reshape(-1, *shape)
    if np.issubdtype(dtype, np.floating):
        return ((counts.astype(np.float32) - np.float32(file[f"zero{i}"])) * np.float32(file[f"scale{i}"])).astype(dtype)
    return (counts.astype(np.int32) + (128 if dtype == np.uint8 and counts.dtype == np.int8 else 0)).astype(dtype)


def main(folder: Path) -> None:
    told, data = json.loads((folder / "told.json").read_text()), (folder / "model.tflite").read_bytes()
    interpreter = Lite(data, told["module"], told["kernels"]) if told["kernels"] else Micro(data)
    with np.load(folder / "in.npz") as file:
        x = [given(details, file, i) for i, details in enumerate(interpreter.inputs)]
    calls = [interpreter.call([block[n] for block in x]) for n in range(len(x[0]))]
    outputs = {f"out{i}": np.stack([call[i] for call in calls]) for i in range(len(calls[0]))}
    watched = {f"t{index}": tensor for index in told["watched"] if (tensor := interpreter.tensor(index)) is not None}
    np.savez(folder / "out.npz", **outputs, **watched)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
