"""From a .tflite file to Steps: an operator becomes a Step like any stage's, computed as TFLM's reference kernels do.

The operator CONV_2D is `class Conv2d` of ops/conv_2d.py with its kernel ts_conv_2d.h; it is found by that name.  A module
of tinystream/ops has the form of a stage, but reads its options from the file: `Conv2d.read(operator)`.

Shapes are told without the leading 1 that TFLite calls the batch: [1, 49, 40, 1] is 49x40x1.  An operator knows its
own shapes and reads its input as so many values in a row; so RESHAPE is no step at all, and a stack of 49x40 fits.
A float model with int8 inside keeps only the inside: QUANTIZE at its input and DEQUANTIZE at its output fall away, and
the app deals in the int8 values there.  A uint8 tensor is the same values counted from 128 less: as int8 with another zero.

A model that streams has variables, filled by a second subgraph.  plan/variables.py makes each an operator with state, or two of them.
What no input can change, such as the arithmetic on shapes that converters leave behind, is a constant: plan/fold.py.
An operator in a form that no kernel has, such as a product of which both sides are repeated, is said in another one: plan/simple.py.
An operator with several outputs, such as SPLIT, is read as one operator for each.

Schema: tensorflow/lite/schema/schema.fbs, version 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from inspect import signature
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.builtin import BUILTIN, CUSTOM
from tinystream.plan.flatbuffer import Table, damaged
from tinystream.plan.fold import folded
from tinystream.plan.operator import ALIASES, OWN_STATE, WIDE, Graph, Operator, Tensor, code, has_kernel, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.simple import simplified
from tinystream.plan.step import Step
from tinystream.plan.variables import with_clock, without_variables

LEAST_SCALE = 2.0**-60  # less, or the inverse of more, is damage: products and ratios of three scales must be numbers
LARGEST = 1 << 26  # elements of one tensor: more is damage, not a model for a microcontroller


class Planned(NamedTuple):
    """A model as steps.

    ends:    the step that gives each of its outputs; -1 - i is the model's input i itself.
    tensors: the same of each tensor that flows, by its index.
    """

    steps: list[Step]
    ends: tuple[int, ...]
    tensors: dict[int, int]


@dataclass(frozen=True, eq=False)
class Model:
    """A compiled-to-be model.

    inputs, outputs: the tensors between which it is planned.
    operators: of the file, in its order, one an output; where it has variables, with those rewritten (see variables.py).
    shapes: what an interpreter must be given as those inputs of the file, by number, that only tell a shape; they are none of `inputs`.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    file_bytes: int
    sha256: str
    shapes: dict[int, np.ndarray] = field(default_factory=dict)

    def plan(self, *x: Signal) -> Planned:
        """The steps, sources relative to the group: -1 is the first input.  ModelError where x does not fit."""
        for given, wanted in zip(x, self.inputs, strict=True):
            check_fit(self.name, given, wanted)
        steps: list[Step] = []
        made = {t.index: (-1 - i, signal) for i, (t, signal) in enumerate(zip(self.inputs, x))}
        for operator in self.needed:
            tensors = operator.flowing
            if operator.kind in ALIASES:
                made[operator.y.index] = made[tensors[0].index]
                continue
            sources = tuple(made[t.index][0] for t in tensors)
            signals = [replace(made[t.index][1], scale=t.scale, zero=t.zero) for t in tensors]
            group, base = steps_of(operator, signals), len(steps)
            if not group:  # nothing to do: it gives what it reads
                made[operator.y.index] = made[tensors[0].index]
                continue
            y = group[-1].y
            if y.size != operator.y.size:
                raise operator.refuse(f"computes {y.size} values where the file says {operator.y}", "convert the model again")
            steps += [replace(step, sources=tuple(base + i if i >= 0 else sources[-1 - i] for i in step.sources)) for step in group]
            made[operator.y.index] = (len(steps) - 1, y)
        return Planned(steps, tuple(made[t.index][0] for t in self.outputs), {index: step for index, (step, _) in made.items()})

    def signals(self, rate_hz: Fraction) -> tuple[Signal, ...]:
        """What its inputs want to be given, that often."""
        return tuple(Signal(t.dims, t.dtype, rate_hz, t.scale, t.zero) for t in self.inputs)

    @cached_property
    def needed(self) -> list[Operator]:
        """The operators that the output depends on and the int8 part contains; ModelError where one has no kernel."""
        start, wanted, needed = {t.index for t in self.inputs}, {t.index for t in self.outputs}, []
        for operator in reversed(self.operators):
            read = operator.kind == "assign_variable" or any(t.index in wanted for t in operator.outputs)
            if read and not any(t.index in start for t in operator.outputs):
                needed.append(operator)
                wanted |= {t.index for t in operator.flowing}
        return needed[::-1]


def steps_of(operator: Operator, x: Sequence[Signal]) -> list[Step]:
    """What an operator alone becomes, for what it reads that is computed."""
    plan = code(operator).read(operator).plan
    try:
        signature(plan).bind(*x)
    except TypeError:
        raise operator.refuse(f"reads {len(x)} tensors that are computed, more or fewer than it can") from None
    planned = plan(*x)
    return [planned] if isinstance(planned, Step) else list(planned)


# --- reading ------------------------------------------------------------------------------------------------------


def read_model(path: Path, outputs: Sequence[int] | None = None) -> Model:
    """Read and check a .tflite file.  ModelError says what is wrong with it, all unknown operators at once.

    outputs: which of the file's outputs are wanted, by number; all where nothing is said.  What only the others need is neither
        planned nor checked.
    """
    return parse_model(read_bytes(path), Path(path).name, outputs)


def read_bytes(path: Path) -> bytes:
    """A model's file; ModelError where it is not there."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
        help = "model.file = path of a .tflite file, from the definition's folder"
        raise ModelError(f"model {path} cannot be read: {why}", help) from None


def parse_model(data: bytes, name: str, outputs: Sequence[int] | None = None) -> Model:
    """read_model of bytes at hand."""
    model = open_model(data, name, outputs)
    check(model)
    return model


def open_model(data: bytes, name: str, outputs: Sequence[int] | None = None) -> Model:
    """parse_model of a sound file that may hold what is not compiled: see mistakes()."""
    if data[4:8] != b"TFL3":
        raise damaged(f"{name} does not start as one")
    root = Table.root(data)
    if root.integer(VERSION, 0, "I") != SCHEMA:
        raise ModelError(f"{name} is of schema version {root.integer(VERSION, 0, 'I')}; {SCHEMA} is read", "convert it again")
    if not 1 <= root.count(SUBGRAPHS) <= MOST_SUBGRAPHS:
        raise damaged(f"it has {root.count(SUBGRAPHS)} subgraphs")
    buffers = [read_buffer(i, b) for i, b in enumerate(root.tables(BUFFERS))]
    kinds = [read_kind(code) for code in root.tables(OPERATOR_CODES)]
    graphs = [simplified(folded(signed(read_graph(graph, buffers, kinds)))) for graph in root.tables(SUBGRAPHS)]
    main = graphs[0]
    if outputs is not None:
        main = replace(main, outputs=tuple(output_of(main, name, n) for n in outputs))
    operators = without_variables([main, *graphs[1:]])
    model = Model(name, main.inputs, main.outputs, operators, len(data), hashlib.sha256(data).hexdigest(), main.shapes)
    stripped = strip_ends(model)
    return replace(stripped, operators=with_clock(stripped.operators, stripped.inputs[0])) if stripped.inputs else stripped


def output_of(main: Graph, name: str, number: int) -> Tensor:
    if not 0 <= number < len(main.outputs):
        raise ModelError(f"{name} has no output {number}", f"its outputs are 0 to {len(main.outputs) - 1}")
    return main.outputs[number]


VERSION, OPERATOR_CODES, SUBGRAPHS, _, BUFFERS = range(5)  # slots of Model
SCHEMA = 3
MOST_SUBGRAPHS = 64
DTYPES = (
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
    "resource",
    "variant",
    "uint32",
    "uint16",
    "int4",
)  # TensorType


def read_buffer(index: int, buffer: Table) -> np.ndarray:
    data = buffer.vector(0, np.uint8)
    place = buffer.integer(1, 0, "Q")  # from the start of the file, in files of gigabytes
    if not data.size and place > 1:
        raise ModelError(f"buffer {index} lies behind the model, at byte {place}", "convert it without external buffers")
    return data


def read_graph(graph: Table, buffers: list[np.ndarray], kinds: list[str]) -> Graph:
    tensors = [read_tensor(i, t, buffers) for i, t in enumerate(graph.tables(0))]
    operators = [part for i, op in enumerate(graph.tables(3)) for part in one_output_each(read_operator(i, op, kinds, tensors))]
    inputs, outputs = (tuple(pick(tensors, int(i)) for i in graph.vector(slot, np.int32)) for slot in (1, 2))
    return shapes_told(Graph(len(tensors), inputs, outputs, tuple(operators)))


SHAPE_INPUT = {"transpose_conv": 0, "reshape": 1}


def shapes_told(graph: Graph) -> Graph:
    """The same graph where an input that only tells the shape of an output is a constant: the file tells that shape already."""

    def told(op: Operator) -> Operator:
        at = SHAPE_INPUT.get(op.kind, len(op.inputs))
        shape = op.inputs[at] if at < len(op.inputs) and op.outputs else None
        if shape is None or shape.data is not None or shape.dtype != "int32" or shape.size != len(op.y.shape):
            return op
        constant = replace(shape, data=np.array(op.y.shape, np.int32))
        return replace(op, inputs=tuple(constant if i == at else t for i, t in enumerate(op.inputs)))

    operators = tuple(map(told, graph.operators))
    read, was_read = ({t.index for op in ops for t in op.flowing} for ops in (operators, graph.operators))
    known = {t.index: t.data for op in operators for t in op.inputs if t is not None and t.data is not None}
    shapes = {i: known[t.index] for i, t in enumerate(graph.inputs) if t.index in was_read - read}
    return replace(graph, inputs=tuple(t for i, t in enumerate(graph.inputs) if i not in shapes), operators=operators, shapes=shapes)


def one_output_each(operator: Operator) -> list[Operator]:
    if len(operator.outputs) < 2:
        return [operator]
    return [replace(operator, outputs=(y,), part=i) for i, y in enumerate(operator.outputs)]


SPARSITY = 6  # slot of Tensor


def read_tensor(index: int, t: Table, buffers: list[np.ndarray]) -> Tensor:
    shape = tuple(int(n) for n in t.vector(0, np.int32)[:9])
    number, buffer = t.integer(1, 0, "b"), t.integer(2, 0, "I")
    dtype = DTYPES[number] if 0 <= number < len(DTYPES) else f"type {number}"
    if len(shape) > 8 or any(n < 0 for n in shape) or prod(shape) > LARGEST:
        raise damaged(f"tensor {index} has the shape {list(shape)}")
    if buffer >= len(buffers):
        raise damaged(f"tensor {index} names buffer {buffer} of {len(buffers)}")
    raw = buffers[buffer]
    data = None
    if raw.size and dtype in ("int8", "int32", "int64", "int16", "uint8", "float32"):
        if raw.size != prod(shape) * np.dtype(dtype).itemsize:
            raise damaged(f"tensor {index} of shape {list(shape)} has {raw.size} bytes of {dtype}")
        data = raw.view(np.dtype(dtype).newbyteorder("<")).astype(dtype)
    elif raw.size:
        data = raw
    quantisation = t.table(4)
    scales = zeros = np.empty(0)
    axis = 0
    if quantisation is not None:
        scales, zeros, axis = quantisation.vector(2, np.float32), quantisation.vector(3, np.int64), quantisation.integer(6)
    check_quantisation(index, dtype, scales, zeros)
    if data is not None and t.table(SPARSITY) is not None:
        raise ModelError(f"tensor '{t.string(3)}' has sparse weights", "convert it without sparsity, or densify it")
    return Tensor(index, t.string(3), shape, dtype, scales, zeros, axis, data, bool(t.integer(5, 0, "b")))


def check_quantisation(index: int, dtype: str, scales: np.ndarray, zeros: np.ndarray) -> None:
    if not np.isfinite(scales).all() or (scales < 0).any() or zeros.size not in (0, scales.size):
        raise damaged(f"tensor {index} has no sound scale")
    if dtype not in ("int8", "uint8", "int16"):
        return
    if ((scales != 0) & ((scales < LEAST_SCALE) | (scales > 1 / LEAST_SCALE))).any():
        raise damaged(f"tensor {index} has a scale beyond {LEAST_SCALE:.3g} to {1 / LEAST_SCALE:.3g}")
    limits = np.iinfo(dtype)
    if ((zeros < limits.min) | (zeros > limits.max)).any():
        raise damaged(f"tensor {index} of {dtype} has the zero {zeros[np.argmax(np.abs(zeros))]}")


def read_kind(code: Table) -> str:
    """TFLite's name of an operator in lower case; the old field of one byte counts where the new one is not set."""
    number = max(code.integer(0, 0, "b"), code.integer(3))
    if number == CUSTOM:
        return code.string(1) or "custom"
    return BUILTIN[number].lower() if 0 <= number < len(BUILTIN) else f"builtin_{number}"


def read_operator(index: int, op: Table, kinds: list[str], tensors: list[Tensor]) -> Operator:
    code = op.integer(0, 0, "I")
    if code >= len(kinds):
        raise damaged(f"operator {index} has code {code} of {len(kinds)}")
    inputs = tuple(None if i == -1 else pick(tensors, int(i)) for i in op.vector(1, np.int32)[:LONGEST_LIST])
    outputs = tuple(pick(tensors, int(i)) for i in op.vector(2, np.int32)[:LONGEST_LIST])
    if not outputs and kinds[code] not in WITHOUT_OUTPUT:
        raise damaged(f"operator {index} has no output")
    return Operator(index, kinds[code], op.table(4), inputs, outputs)


WITHOUT_OUTPUT = ("call_once", "assign_variable")
LONGEST_LIST = 1024  # tensors of one operator that are looked at


def pick(tensors: list[Tensor], index: int) -> Tensor:
    if not 0 <= index < len(tensors):
        raise damaged(f"tensor {index} of {len(tensors)} is referred to")
    return tensors[index]


SIGN_BLIND = ("quantize", "dequantize", *ALIASES)
"""Operators to which a uint8 tensor is an int8 one with another zero.  Arithmetic on uint8 is that of an older scheme, and is refused."""


def signed(graph: Graph) -> Graph:
    """The same graph with its uint8 ends as int8, counted from 128 less."""
    arithmetic = {t.index for op in graph.operators if op.kind not in SIGN_BLIND for t in (*op.inputs, *op.outputs) if t is not None}

    def as_int8(t: Tensor) -> Tensor:
        if t.dtype != "uint8" or t.index in arithmetic or t.data is not None or t.scales.size != 1:
            return t
        return replace(t, dtype="int8", zeros=t.zeros - 128 if t.zeros.size else np.array([-128]))

    def told(op: Operator) -> Operator:
        inputs = tuple(t if t is None else as_int8(t) for t in op.inputs)
        return replace(op, inputs=inputs, outputs=tuple(map(as_int8, op.outputs)))

    inputs, outputs = tuple(map(as_int8, graph.inputs)), tuple(map(as_int8, graph.outputs))
    return replace(graph, inputs=inputs, outputs=outputs, operators=tuple(map(told, graph.operators)))


def strip_ends(model: Model) -> Model:
    """Without QUANTIZE from a float input and DEQUANTIZE to a float output: the quantised tensors are its ends."""
    inside = {op.flowing[0].index: op.y for op in model.operators if op.kind == "quantize" and from_float(op)}
    outside = {op.y.index: op.flowing[0] for op in model.operators if op.kind == "dequantize" and to_float(op)}
    return replace(
        model, inputs=tuple(inside.get(t.index, t) for t in model.inputs), outputs=tuple(outside.get(t.index, t) for t in model.outputs)
    )


def from_float(op: Operator) -> bool:
    return bool(op.flowing) and op.flowing[0].dtype == "float32"


def to_float(op: Operator) -> bool:
    return bool(op.flowing) and op.y.dtype == "float32"


# --- what is refused ----------------------------------------------------------------------------------------------


def check(model: Model) -> None:
    """Everything that planning relies on, but for what each operator knows of itself."""
    for mistake in mistakes(model):
        raise mistake


def mistakes(model: Model) -> Iterator[ModelError]:
    """What keeps a model from being planned, the gravest first; what each operator knows of itself is told by its read()."""
    if not model.inputs or not model.outputs:
        what = f"{model.name} has {len(model.inputs)} inputs and {len(model.outputs)} outputs"
        yield ModelError(what, "export it with at least one of each")
    if len({t.index for t in model.inputs}) < len(model.inputs):
        yield damaged("two of its inputs are one tensor")
    yield from operator_mistakes(model)
    yield from tensor_mistakes(model)
    yield from order_mistakes(model)


def operator_mistakes(model: Model) -> Iterator[ModelError]:
    unknown = list({op.index: op for op in model.needed if op.kind not in ALIASES and not has_kernel(op)}.values())
    if unknown:
        yield ModelError(
            f"{len(unknown)} of {len(model.operators)} operators of {model.name} have no integer kernel here: "
            + ", ".join(places(unknown)),
            "writing one takes two files, see tinystream/ops/__init__.py",
        )


def places(operators: list[Operator]) -> list[str]:
    """Operators by kind: "MUL (#15, #18, #21 and 46 more), ABS of int16 (#30)"."""
    kinds: dict[str, list[str]] = {}
    for op in operators:
        kinds.setdefault(op.kind.upper() + (f" of {op.dtype}" if op.dtype in WIDE else ""), []).append(f"#{op.index}")
    return [f"{kind} ({', '.join(at[:3])}{f' and {len(at) - 3} more' if len(at) > 3 else ''})" for kind, at in kinds.items()]


def tensor_mistakes(model: Model) -> Iterator[ModelError]:
    for op in model.needed:
        for tensor in [*(() if op.kind in OWN_STATE else op.inputs), op.y]:
            if tensor and tensor.variable:
                yield ModelError(
                    f"tensor '{tensor.name}' of {model.name} is a variable that lives from call to call",
                    "export the model without its state",
                )
    flowing = {t.index: t for t in [*model.inputs, *(t for op in model.needed for t in [*op.flowing, op.y])]}
    real = [t for t in flowing.values() if t.dtype.startswith("float")]
    strange = [t for t in flowing.values() if not t.dtype.startswith("float") and not t.quantised and not t.counts]
    for tensor in real[:1]:
        yield ModelError(
            f"tensor '{tensor.name}' of {model.name} is {tensor.dtype}; only int8 models are compiled{more(real)}",
            "convert with full integer quantisation: target_spec.supported_ops = [TFLITE_BUILTINS_INT8], and a representative dataset; "
            'or run = "interpreter" in the [model] of an app, for the host only',
        )
    for tensor in strange[:1]:
        what = f"tensor '{tensor.name}' of {model.name} is {tensor}"
        yield ModelError(
            f"{what}; only int8 or int16 with one scale and zero flows between operators{more(strange)}",
            "convert with full integer quantisation, inference_input_type = inference_output_type = int8",
        )
    for op in model.needed:
        types = {t.dtype for t in [*op.flowing, op.y] if not t.counts}
        if op.kind not in CHANGE_TYPE and len(types) > 1 and (op.kind in ALIASES or has_kernel(op)):
            yield op.refuse(f"mixes {' and '.join(str(t) for t in [*op.flowing, op.y])}", "convert the model again")
        if op.kind in ALIASES and (not op.flowing or op.flowing[0].size != op.y.size or not same_scale(op.flowing[0], op.y)):
            yield op.refuse("changes the number of values or their scale", "convert the model again")


CHANGE_TYPE = ("quantize", "dequantize", "softmax", "var_handle")  # operators whose output may be of another type than their input


def more(tensors: Sequence[Tensor]) -> str:
    return f" (and so with {len(tensors) - 1} more)" if len(tensors) > 1 else ""


def order_mistakes(model: Model) -> Iterator[ModelError]:
    """Every operator reads what earlier ones made."""
    known = {t.index for t in model.inputs}
    for operator in model.needed:
        if not operator.flowing or any(t.index not in known for t in operator.flowing):
            yield damaged(f"{operator.label} reads a tensor that nothing before it computes")
        if len(operator.outputs) != 1 or operator.y.index in known or operator.y.data is not None:
            yield damaged(f"{operator.label} writes {len(operator.outputs)} tensors, or one that is already there")
        known.update(t.index for t in operator.outputs)
    if lost := [t.name for t in model.outputs if t.index not in known]:
        yield damaged(f"nothing computes its output '{lost[0]}'")
    if all(op.kind in ALIASES for op in model.needed):
        yield ModelError(f"{model.name} computes nothing", "model.file = a model with at least one operator")


HALF_RANGE = {"int8": 128, "uint8": 128, "int16": 32768}
"""Counts from the middle to the end: scales are alike where even there they differ by less than half a count.

So several models that were trained on one front end may read the same counts, though each was given a scale of its own."""


def check_fit(name: str, given: Signal, wanted: Tensor) -> None:
    alike = given.zero == wanted.zero and abs(given.scale / wanted.scale - 1) * HALF_RANGE.get(given.dtype, 2**31) < 0.5
    if given.dtype == wanted.dtype and given.size == wanted.size and alike:
        return
    shape = "x".join(map(str, given.shape))
    stack = f"{shape} {given.dtype} with scale {given.scale:.6g}, zero {given.zero}"
    if given.size != wanted.size:
        help = (
            f"stack.frames = {wanted.dims[0]}"
            if given.size % given.shape[-1] == wanted.size % given.shape[-1] == 0
            else f"make the features {'x'.join(map(str, wanted.dims))} values"
        )
    elif given.dtype != wanted.dtype:
        help = "a stage before the model must give int8"
    else:
        help = f"quantise the features with scale {wanted.scale:.9g} and zero {wanted.zero}"
    raise ModelError(f"{name} wants {wanted}, and is given {stack}", help)
