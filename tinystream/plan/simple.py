"""Operators as the ones that have kernels: what a file says in one way that no kernel knows, said in another that gives the same bits.

Both tensors of an operator repeated, or one along axes that are not neighbours:  BROADCAST_TO for a tensor, a larger constant for a
constant, and one side is whole.  A sum over axes that are not neighbours:  TRANSPOSE to the end, and the same sum.  DEQUANTIZE,
functions of single values, QUANTIZE, as converters leave them where TFLite has no quantised kernel (NEG of a layer normalisation):
one operator, DEQUANTIZE, with a table.  Places below 0 that are counted from the end before a GATHER: the kernel does so by itself.

Source: ours; the meaning of repeated axes from tensorflow/lite/kernels/internal/common.h, NdArrayDescsForElementwiseBroadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod

import numpy as np

from tinystream.plan.operator import FLOAT_FUNCTIONS, Graph, Operator, Tensor

PAIRS = ("add", "sub", "mul", "div", "maximum", "minimum", "squared_difference")
LARGEST = 1 << 24  # elements of a repeated tensor
SUMS = ("mean", "sum", "reduce_max", "reduce_min")


def simplified(graph: Graph) -> Graph:
    """The same graph; tensors that come in between are counted behind the file's."""
    free = Free(graph.tensors)
    makers = {op.y.index: op for op in graph.operators if op.outputs}
    operators = [simple for op in without_floats(graph, makers) for simple in rewritten(counted_from_the_end(op, makers), free)]
    return replace(graph, tensors=free.count, operators=tuple(operators))


@dataclass
class Free:
    """Numbers of tensors that are not taken."""

    count: int

    def take(self) -> int:
        self.count += 1
        return self.count - 1


def rewritten(op: Operator, free: Free) -> Sequence[Operator]:
    x = [t for t in op.inputs if t is not None]
    if len(x) != 2 or len(op.outputs) != 1:
        return [op]
    if op.kind in PAIRS and (shape := common_shape(x[0].shape, x[1].shape)) is not None:
        return one_side_whole(op, x, shape, free)
    if op.kind == "batch_matmul" and min(len(t.shape) for t in x) >= 2:
        batches = [t.shape[:-2] for t in x]
        shape = common_shape(*batches)
        if shape is not None and not all(prod(b) in (1, prod(shape)) for b in batches):
            return spread(op, x, [(*shape, *t.shape[-2:]) for t in x], free)
    if op.kind in SUMS and x[1].data is not None:
        return neighbouring_axes(op, x[0], x[1], free)
    return [op]


# --- repeated axes ----------------------------------------------------------------------------------------------------


def common_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape to which both are repeated; None where they do not fit."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def one_side_whole(op: Operator, x: list[Tensor], shape: tuple[int, ...], free: Free) -> Sequence[Operator]:
    """One input of the output's size, and the other one repeated along neighbouring axes."""
    size = prod(shape)
    flows = [i for i in (0, 1) if x[i].data is None]
    if not flows or op.y.size != size:
        return [op]
    # the one that becomes, or is, whole: a tensor that flows, and of two the larger, or what is divided
    large = 0 if op.kind == "div" and len(flows) == 2 else max(flows, key=lambda i: x[i].size)
    small = x[1 - large]
    wanted: list[tuple[int, ...]] = [shape, shape]
    if few_groups(small.shape, shape):
        wanted[1 - large] = small.shape
    return spread(op, x, wanted, free)


def few_groups(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether it is repeated along neighbouring axes only."""
    padded = (1,) * (len(shape) - len(small)) + tuple(small)
    kept = [s == n for s, n in zip(padded, shape) if n != 1]
    return [same for same, _ in groupby(kept)].count(False) <= 1


def spread(op: Operator, x: list[Tensor], shapes: list[tuple[int, ...]], free: Free) -> Sequence[Operator]:
    """The operator behind BROADCAST_TO of those inputs whose shape is not the wanted one; as it is, for its reader to refuse, if huge."""
    if any(prod(shape) > LARGEST for shape in shapes):
        return [op]
    before, inputs = [], []
    for t, shape in zip(x, shapes):
        if t.size == prod(shape):
            inputs.append(replace(t, shape=shape))
        elif t.data is not None:
            inputs.append(
                replace(t, index=free.take(), shape=shape, data=np.ascontiguousarray(np.broadcast_to(t.data.reshape(t.shape), shape)))
            )
        else:
            inputs.append(replace(t, index=free.take(), name=f"{t.name}, repeated", shape=shape))
            before.append(Operator(op.index, "broadcast_to", None, (t, numbers(shape)), (inputs[-1],)))
    return [*before, replace(op, inputs=tuple(inputs))]


def numbers(values: Sequence[int]) -> Tensor:
    """A constant of int32 that no other operator reads."""
    return Tensor(-1, "", (len(values),), "int32", np.empty(0), np.empty(0), 0, np.array(values, np.int32))


# --- sums over axes ---------------------------------------------------------------------------------------------------


def neighbouring_axes(op: Operator, x: Tensor, axes: Tensor, free: Free) -> Sequence[Operator]:
    rank = len(x.shape)
    assert axes.data is not None, "the caller looked"
    named = axes.data.ravel()[:9].tolist()
    if any(not -rank <= a < rank for a in named):
        return [op]
    summed = {int(a) % rank for a in named}
    long = [n in summed for n, size in enumerate(x.shape) if size != 1]
    if [inside for inside, _ in groupby(long)].count(True) <= 1:
        return [op]
    order = [n for n in range(rank) if n not in summed] + sorted(summed)
    moved = replace(x, index=free.take(), name=f"{x.name}, transposed", shape=tuple(x.shape[n] for n in order))
    behind = numbers(range(rank - len(summed), rank))
    return [Operator(op.index, "transpose", None, (x, numbers(order)), (moved,)), replace(op, inputs=(moved, behind))]


# --- places in a table ------------------------------------------------------------------------------------------------


def counted_from_the_end(op: Operator, makers: dict[int, Operator]) -> Operator:
    """GATHER by x instead of by SELECT(LESS(x, 0), ADD(x, n), x), as Keras makes of an embedding of n rows."""
    rows, places = op.inputs if op.kind == "gather" and len(op.inputs) == 2 else (None, None)
    select = makers.get(places.index) if places is not None else None
    if rows is None or select is None or select.kind not in ("select", "select_v2") or len(select.inputs) != 3:
        return op
    condition, other, x = (t for t in select.inputs)
    less, add = (makers.get(t.index) if t is not None else None for t in (condition, other))
    axis = op.option(0)
    if x is None or less is None or add is None or not -len(rows.shape) <= axis < len(rows.shape):
        return op
    from_the_end = compares(less, "less", x, 0) and compares(add, "add", x, rows.shape[axis])
    return replace(op, inputs=(rows, x)) if from_the_end else op


def compares(op: Operator, kind: str, x: Tensor, number: int) -> bool:
    """Whether it is this kind of operator, of x and of this number."""
    a, b = op.inputs if len(op.inputs) == 2 else (None, None)
    return (
        op.kind == kind and a is not None and b is not None and a.index == x.index and b.data is not None and bool((b.data == number).all())
    )


# --- what converters leave in float32 ---------------------------------------------------------------------------------


def without_floats(graph: Graph, makers: dict[int, Operator]) -> list[Operator]:
    """DEQUANTIZE, functions of single values and QUANTIZE as one operator; where a float has another reader, it is computed as before."""
    made = []
    for op in graph.operators:
        functions: list[str] = []
        source = op
        while source.kind in ("quantize", *FLOAT_FUNCTIONS) and single_float(source):
            source = makers.get(source.flowing[0].index, source)
            if source.kind not in FLOAT_FUNCTIONS:
                break
            functions.insert(0, source.kind)
        if op.kind == "quantize" and source.kind == "dequantize" and source.flowing:
            made.append(Operator(op.index, "dequantize", None, (source.flowing[0],), op.outputs, floats=tuple(functions)))
        else:
            made.append(op)
    return made


def single_float(op: Operator) -> bool:
    return len(op.inputs) == 1 and len(op.flowing) == 1 and op.flowing[0].dtype == "float32"
