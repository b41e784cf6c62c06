"""One operator of a .tflite file and its tensors, as the file describes them; how its name finds its module."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from math import isclose, prod
from typing import Any

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.builtin import BUILTIN
from tinystream.plan.flatbuffer import Table
from tinystream.plan.kinds import class_name
from tinystream.plan.signal import Signal

WIDE = ("int16", "int32")
ZEROS = {"int8": (-128, 127), "int16": (-32768, 32767), "int32": (0, 0)}
"""Types that flow between operators, and between which counts their zero may lie."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor as the file describes it.

    shape:  as in the file, with the batch; `dims` is without.
    scales: one, or one a channel along `axis`; none for a tensor that is not quantised.
    data:   its values, for a constant; None for what flows.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zeros: np.ndarray
    axis: int
    data: np.ndarray | None
    variable: bool = False

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape without a leading 1."""
        return (self.shape[1:] if len(self.shape) > 1 and self.shape[0] == 1 else self.shape) or (1,)

    @property
    def scale(self) -> float:
        return float(self.scales[0]) if self.scales.size else float(self.counts)

    @property
    def zero(self) -> int:
        return int(self.zeros[0]) if self.zeros.size else 0

    @property
    def quantised(self) -> bool:
        """Whether it flows as int8, int16 or int32 with one scale."""
        low, high = ZEROS.get(self.dtype, (1, 0))
        return self.scales.size == 1 and self.scale > 0 and low <= self.zero <= high

    @property
    def counts(self) -> bool:
        """Whether it holds plain integers, such as places in another tensor."""
        return self.dtype in ("int32", "int64") and not self.scales.size

    def __str__(self) -> str:
        text = f"{'x'.join(map(str, self.dims))} {self.dtype}"
        return f"{text} with scale {self.scale:.6g}, zero {self.zero}" if self.quantised else text


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator of the file.

    kind:    TFLite's builtin name in lower case, such as "conv_2d"; unknown ones are "builtin_<number>" or the custom name.
    options: its option table; None where the file has none.
    inputs:  its tensors; None for an optional one that is left out.
    part:    which of the file's outputs this is, where an operator with several became as many with one.
    floats:  of DEQUANTIZE, functions of single values that are computed in float32 before its output is quantised again.
    """

    index: int
    kind: str
    options: Table | None
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    part: int = 0
    floats: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.kind.upper()} (#{self.index})"

    @property
    def flowing(self) -> tuple[Tensor, ...]:
        """The inputs that are computed, in the order of the arguments of run()."""
        return tuple(t for t in self.inputs if t is not None and t.data is None and not t.variable)

    @property
    def y(self) -> Tensor:
        return self.outputs[0]

    @property
    def dtype(self) -> str:
        """The type of what is computed with: of the first input that flows."""
        return (self.flowing or self.outputs)[0].dtype

    def option(self, slot: int, default: int = 0, kind: str = "i") -> int:
        return default if self.options is None else self.options.integer(slot, default, kind)

    def refuse(self, why: str, help: str = "") -> ModelError:
        return ModelError(f"{self.label} of the model {why}", help)

    def flow(self, position: int = 0) -> Tensor:
        """An input that must be computed."""
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None or tensor.data is not None:
            raise self.refuse(f"has a constant or nothing as input {position}, where a computed tensor belongs")
        return tensor

    def constant(self, position: int, dtype: str) -> np.ndarray | None:
        """The values of a constant input, in their shape; None where it is left out."""
        tensor = self.inputs[position] if position < len(self.inputs) else None
        if tensor is None:
            return None
        if tensor.data is None:
            raise self.refuse(f"takes input {position}, '{tensor.name}', from another operator; only a constant is supported there")
        if tensor.dtype != dtype:
            raise self.refuse(f"has '{tensor.name}' of type {tensor.dtype}, and is computed with {dtype} only")
        return tensor.data.reshape(tensor.shape)

    def image(self, tensor: Tensor) -> tuple[int, int, int]:
        """(height, width, channels) of a tensor of four dimensions."""
        if len(tensor.shape) != 4 or tensor.shape[0] != 1:
            raise self.refuse(f"has '{tensor.name}' of shape {list(tensor.shape)}; [1, height, width, channels] is supported")
        return tensor.shape[1:]


@dataclass(frozen=True, eq=False)
class Graph:
    """One subgraph of the file; its operators have one output each, or none.  Tensors are counted in each subgraph for itself.

    shapes: values of those inputs of the file, by number, that only tell a shape; they are none of `inputs`.
    """

    tensors: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    shapes: dict[int, np.ndarray] = field(default_factory=dict)


def same_scale(a: Signal | Tensor, b: Signal | Tensor) -> bool:
    return a.zero == b.zero and isclose(a.scale, b.scale, rel_tol=1e-6)


# --- by name ----------------------------------------------------------------------------------------------------------


OWN_STATE = ("svdf", "unidirectional_sequence_lstm")  # operators that remember something in a variable tensor of their own
ALIASES = ("reshape", "squeeze", "expand_dims")  # operators that give what they read
FLOAT_FUNCTIONS = ("abs", "ceil", "cos", "elu", "exp", "floor", "log", "neg", "relu", "round", "rsqrt", "sin", "sqrt", "square", "tanh")
"""Functions of single values that converters may leave in float32, between DEQUANTIZE and QUANTIZE."""
MODULES = {
    "quantize": "requantize",  # a stage has its name; kernels share one folder
    "strided_slice": "slice",
    "split": "slice",
    "split_v": "slice",
    "unpack": "slice",
    "pack": "concatenation",
    "padv2": "pad",
    "mirror_pad": "gather",
    "arg_min": "arg_max",
    "exp": "function",
    "log": "function",
    "gelu": "function",
    "neg": "function",
    "dequantize": "function",
    "read_variable": "history",  # these three as plan/variables.py makes them
    "var_handle": "recall",
    "assign_variable": "remember",
    "quantize_int16": "requantize_wide",
    "quantize_int32": "requantize_wide",
    "relu_int16": "leaky_relu_int16",
    "relu6_int16": "limit_int16",
}
"""Operators that are computed by a module of another name; with a type behind it, where it is so for inputs of this type."""


def module_of(operator: Operator) -> str | None:
    """The module that computes an operator: "conv_2d" or, for int16, "conv_2d_int16"; one that only moves values says ANY_TYPE."""
    if operator.kind.upper() not in BUILTIN:
        return None
    name, typed = MODULES.get(operator.kind, operator.kind), f"{operator.kind}_{operator.dtype}"
    for own in (MODULES.get(typed, f"{name}_{operator.dtype}"), name):
        found = find_spec(f"tinystream.ops.{own}") is not None
        if found and (own != name or operator.dtype not in WIDE or getattr(import_module(f"tinystream.ops.{own}"), "ANY_TYPE", False)):
            return own
    return None


def has_kernel(operator: Operator) -> bool:
    return module_of(operator) is not None


def code(operator: Operator) -> Any:
    """The class of an operator: Conv2d of tinystream.ops.conv_2d."""
    name = module_of(operator)
    assert name is not None, f"{operator.label} has no kernel for {operator.dtype}; check_operators() says so to people"
    return getattr(import_module(f"tinystream.ops.{name}"), class_name(name))
