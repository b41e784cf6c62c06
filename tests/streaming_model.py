"""Small .tflite files with variables, made by hand: a graph is its tensors and its operators, by name."""

from __future__ import annotations

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
from tiny_model import ints, offsets, table, tensor

from tinystream.plan.builtin import BUILTIN
from tinystream.plan.model import DTYPES

SCALE, ZERO = 0.05, -7
FIRST_VERSION = ("SHAPE", "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")


@dataclass
class Graph:
    """tensors: (shape, dtype, values or None[, scales, zeros]); operators: (kind, inputs, outputs, union, options); tensors are named by
    strings."""

    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensors: dict[str, tuple] = field(default_factory=dict)
    operators: list[tuple] = field(default_factory=list)

    def flow(self, name: str, *shape: int, dtype: str = "int8", scale: float = SCALE, zero: int = ZERO) -> str:
        self.tensors[name] = (shape, dtype, None, [scale], [zero])
        return name

    def operator(self, kind: str, x: list[str], y: str, union: int = 0, options: dict | None = None) -> str:
        self.operators.append((kind, x, [y], union, options or {}))
        return y

    def constant(self, values, dtype: str = "int32", shape: tuple | None = None) -> str:
        data = np.array(values, dtype)
        name = f"constant{len(self.tensors)}"
        self.tensors[name] = (data.shape if shape is None else shape, dtype, data)
        return name

    def handle(self, variable: str) -> str:
        name = f"{variable}_handle"
        if name not in self.tensors:
            self.tensors[name] = ((), "resource", None)
            self.operators.append(("VAR_HANDLE", [], [name], 111, {0: ("string", ""), 1: ("string", variable)}))
        return name

    def read(self, variable: str, *shape: int, **told) -> str:
        y = self.flow(f"{variable}_past{len(self.tensors)}", *shape, **told)
        self.operators.append(("READ_VARIABLE", [self.handle(variable)], [y], 0, {}))
        return y

    def assign(self, variable: str, value: str) -> None:
        self.operators.append(("ASSIGN_VARIABLE", [self.handle(variable), value], [], 0, {}))

    def concatenate(self, y: str, *x: str, axis: int = 1, **told) -> str:
        size = sum(self.tensors[t][0][axis] for t in x)
        self.flow(y, *(size if n == axis else m for n, m in enumerate(self.tensors[x[0]][0])), **told)
        self.operators.append(("CONCATENATION", [*x], [y], 10, {0: ("int32", axis)}))
        return y

    def slice(self, y: str, x: str, begin: int, rows: int) -> str:
        shape = self.tensors[x][0]
        self.flow(y, 1, rows, *shape[2:])
        told = [self.constant([0, begin, *[0] * (len(shape) - 2)]), self.constant([1, rows, *shape[2:]])]
        self.operators.append(("SLICE", [x, *told], [y], 0, {}))
        return y

    def add(self, y: str, a: str, b: str, **told) -> str:
        self.flow(y, *self.tensors[a][0], **told)
        self.operators.append(("ADD", [a, b], [y], 11, {}))
        return y

    def mul(self, y: str, a: str, b: str, **told) -> str:
        self.flow(y, *self.tensors[a][0], **told)
        return self.operator("MUL", [a, b], y, 21)

    def sub(self, y: str, a: str, b: str, **told) -> str:
        self.flow(y, *self.tensors[a][0], **told)
        return self.operator("SUB", [a, b], y, 28)

    def function(self, kind: str, y: str, x: str) -> str:
        """LOGISTIC or TANH: their scales are given."""
        told = {"LOGISTIC": dict(scale=1 / 256, zero=-128), "TANH": dict(scale=1 / 128, zero=0)}[kind]
        self.flow(y, *self.tensors[x][0], **told)
        return self.operator(kind, [x], y)

    def dense(self, y: str, x: str, units: int, **told) -> str:
        """A dense layer with random weights."""
        rng, inputs = np.random.default_rng(len(self.tensors)), self.tensors[x][0][-1]
        scale = float(np.float32(0.02 / np.sqrt(inputs)))
        weight, bias = self.constant(rng.integers(-127, 128, (units, inputs)), "int8"), self.constant(rng.integers(-900, 900, units))
        self.tensors[weight] += ([scale], [0])
        self.tensors[bias] += ([float(np.float32(scale) * np.float32(self.tensors[x][3][0]))], [0])
        self.flow(y, 1, units, **told)
        return self.operator("FULLY_CONNECTED", [x, weight, bias], y, 8)

    def call_once(self) -> None:
        self.operators.append(("CALL_ONCE", [], [], 103, {0: ("int32", 1)}))


def starts(**variables: np.ndarray) -> Graph:
    """The subgraph that fills variables."""
    graph = Graph()
    for name, values in variables.items():
        graph.assign(name, graph.constant(values, "int8"))
    return graph


def streaming_model(*graphs: Graph) -> bytes:
    b = flatbuffers.Builder(4096)
    kinds = sorted({op[0] for graph in graphs for op in graph.operators})
    raws = [b"", *(t[2].tobytes() for graph in graphs for t in graph.tensors.values() if t[2] is not None)]
    buffers = [table(b, {0: ("offset", b.CreateByteVector(raw))} if raw else {}) for raw in raws]
    made, filled = [], 0
    for graph in graphs:
        number = {name: i for i, name in enumerate(graph.tensors)}
        tensors = []
        for name, (shape, dtype, values, *quantisation) in graph.tensors.items():
            filled += values is not None
            scale = quantisation or (([SCALE], [ZERO]) if dtype == "int8" else ([], []))
            tensors.append(tensor(b, shape, DTYPES.index(dtype), filled if values is not None else 0, name, *scale))
        operators = []
        for kind, x, y, union, options in graph.operators:
            slots = {slot: ("offset", b.CreateString(value)) if how == "string" else (how, value) for slot, (how, value) in options.items()}
            told = {3: ("uint8", union), 4: ("offset", table(b, slots))} if union else {}
            ends = {slot: ("offset", ints(b, [number[n] for n in names])) for slot, names in ((1, x), (2, y))}
            operators.append(table(b, {0: ("uint32", kinds.index(kind)), **ends, **told}))
        ends = {slot: ("offset", ints(b, [number[n] for n in names])) for slot, names in ((1, graph.inputs), (2, graph.outputs))}
        lists = {slot: ("offset", offsets(b, members)) for slot, members in {0: tensors, 3: operators}.items()}
        made.append(table(b, {**lists, **ends}))
    codes = []
    for kind in kinds:
        builtin = BUILTIN.index(kind)
        codes.append(table(b, {0: ("int8", min(builtin, 127)), 2: ("int32", 1 if kind in FIRST_VERSION else 2), 3: ("int32", builtin)}))
    parts = {slot: ("offset", offsets(b, members)) for slot, members in {1: codes, 2: made, 4: buffers}.items()}
    b.Finish(table(b, {0: ("uint32", 3), **parts}), file_identifier=b"TFL3")
    return bytes(b.Output())
