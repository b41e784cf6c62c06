"""A model that an app runs by the interpreter that is installed, instead of compiling it: run = "interpreter"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinystream.errors import ModelError
from tinystream.interpreters import interpreted
from tinystream.interpreters.apart import Interpreter, run_apart
from tinystream.plan.model import Planned, check_fit, open_model, read_bytes
from tinystream.plan.operator import Tensor
from tinystream.plan.signal import Signal

TAKEN = ("int8", "int16", "int32", "float32")
FLOAT_TO_COUNTS = "int16"


@dataclass(frozen=True)
class HostModel:
    """What the planner asks a model for, see plan.model.Model.

    data:   the file.
    output: which of the file's outputs is wanted, by number; the only one of `outputs`.
    scale:  real value of one count of an output that the file gives as float32.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    data: bytes
    output: int
    scale: float

    def plan(self, *x: Signal) -> Planned:
        """One step.  ModelError where x does not fit, or where the interpreter cannot run the file."""
        for given, wanted in zip(x, self.inputs, strict=True):
            if wanted.dtype != "float32":
                check_fit(self.name, given, wanted)
        (end,) = self.outputs
        dtype, scale, zero = (FLOAT_TO_COUNTS, self.scale, 0) if end.dtype == "float32" else (end.dtype, end.scale, end.zero)
        y = Signal(end.dims, dtype, x[0].rate_hz, scale, zero)
        interpreter = interpreted.chosen()
        if interpreter is None:
            raise ModelError(f"{self.name} needs an interpreter, and none is installed", "pip install ai-edge-litert")
        gives = self.tried(interpreter)
        if np.prod(gives.shape[1:]) != y.size:
            raise ModelError(f"{self.name} gives {gives.shape[1:]} values where the file says {end}", "convert the model again")
        return Planned([interpreted.step(interpreter, self.data, self.output, x, y)], (0,), {})

    def tried(self, interpreter: Interpreter) -> np.ndarray:
        """The wanted output of a first call, in a process of its own: a file that crashes the interpreter takes nothing else with it."""
        given = run_apart(interpreter, self.data, [dict(seed=np.array(0))])
        if isinstance(given, str):
            raise ModelError(f"{self.name} does not run in {interpreter.module}: {given}", "a model of TFLite's own operators")
        return given[0][self.output]


def read_host_model(path: Path, output: int, scale: float) -> HostModel:
    """Read a .tflite file for the interpreter.  ModelError where it is damaged, or has ends of another type."""
    data = read_bytes(path)
    model = open_model(data, Path(path).name, [output])
    if not model.inputs:
        raise ModelError(f"{model.name} has no inputs", "export it with at least one")
    for tensor in (*model.inputs, *model.outputs):
        if tensor.dtype not in TAKEN or (tensor.dtype != "float32" and not tensor.quantised):
            what = f"tensor '{tensor.name}' of {model.name} is {tensor}"
            raise ModelError(what, f"inputs and outputs of {', '.join(TAKEN)}, or of uint8 with a scale")
    return HostModel(model.name, model.inputs, model.outputs, data, output, scale)
