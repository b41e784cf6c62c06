"""A .tflite file of one operator, made from an example of tinystream/ops: what reads it must compute the same."""

from __future__ import annotations

from dataclasses import replace

import flatbuffers
import numpy as np
from tiny_model import ints, offsets, table, tensor

from tinystream.ops._shared import ACTIVATIONS, PADDINGS
from tinystream.ops.svdf import EXAMPLES
from tinystream.plan.builtin import BUILTIN

INT8, INT32 = 9, 2
NONE: tuple = ()
OPTIONS = {     # number of BuiltinOperator, number in the union BuiltinOptions, slots and types of the options
    "add": (0, 11, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "add_constant": (0, 11, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "average_pool_2d": (1, 5, lambda op: pool(op)),
    "conv_2d": (3, 1, lambda op: window(op, 3, 4)),
    "depthwise_conv_2d": (4, 2, lambda op: {**window(op, 4, 5), 3: ("int32", op.weight.shape[2] // op.x_shape[2])}),
    "fully_connected": (9, 8, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "logistic": (14, 0, lambda op: {}),
    "max_pool_2d": (17, 5, lambda op: pool(op)),
    "softmax": (25, 9, lambda op: {0: ("float32", op.beta)}),
    "mul": (18, 21, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "mul_constant": (18, 21, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "sub": (41, 28, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "maximum": (55, 39, lambda op: {}),
    "minimum": (57, 39, lambda op: {}),
    "prelu": (54, 0, lambda op: {}),
    "resize_nearest_neighbor": (97, 74, lambda op: {0: ("int8", int(op.align_corners)), 1: ("int8", int(op.half_pixel_centers))}),
    "transpose_conv": (67, 49, lambda op: {**slid(op), 3: ("int8", ACTIVATIONS.index(op.activation))}),
    "svdf": (27, 6, lambda op: {0: ("int32", len(op.time) // len(op.bias)), 1: ("int8", ACTIVATIONS.index("relu"))}),
    "mean": (40, 27, lambda op: {}),
    "sum": (74, 27, lambda op: {}),
    "reduce_max": (82, 27, lambda op: {}),
    "reduce_min": (89, 27, lambda op: {}),
    "squared_difference": (99, 76, lambda op: {}),
    "squared_difference_constant": (99, 76, lambda op: {}),
    "batch_matmul": (126, 101, lambda op: {0: ("int8", int(op.adj_x)), 1: ("int8", int(op.adj_y))}),
    "rsqrt": (76, 0, lambda op: {}),
    "div": (42, 29, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "l2_normalization": (11, 12, lambda op: {}),
    "log_softmax": (50, 36, lambda op: {}),
    "resize_bilinear": (23, 15, lambda op: {2: ("int8", int(op.align_corners)), 3: ("int8", int(op.half_pixel_centers))}),
    "relu": (19, 0, lambda op: {}),
    "relu6": (21, 0, lambda op: {}),
    "tanh": (28, 0, lambda op: {}),
    "leaky_relu": (98, 75, lambda op: {0: ("float32", op.alpha)}),
    "abs": (101, 78, lambda op: {}),
    "hard_swish": (117, 0, lambda op: {}),
    "requantize": (114, 0, lambda op: {}),
}


def slid(op) -> dict:
    return {0: ("int8", PADDINGS.index(op.padding)), 1: ("int32", op.stride[1]), 2: ("int32", op.stride[0])}


def window(op, activation: int, dilation: int) -> dict:
    return {**slid(op), activation: ("int8", ACTIVATIONS.index(op.activation)),
            dilation: ("int32", op.dilation[1]), dilation + 1: ("int32", op.dilation[0])}


def pool(op) -> dict:
    return {**slid(op), 3: ("int32", op.window[1]), 4: ("int32", op.window[0]), 5: ("int8", ACTIVATIONS.index(op.activation))}


def operator_model(kind: str, op, x) -> bytes:
    """The file for an operator of ours and its input signals."""
    number, union, options = OPTIONS[kind]
    y = op.plan(*x).y
    shapes = [[1, *s] for s in shapes_of(op, x)]
    inputs = [(shape, INT8, None, [s.scale], [s.zero], 0) for shape, s in zip(shapes, x)]
    y_shape = [1, *y.shape]
    if hasattr(op, "weight"):
        weight = op.weight[None] if kind == "depthwise_conv_2d" else op.weight
        scales = np.asarray(op.weight_scale)
        axis = 3 if kind == "depthwise_conv_2d" else 0
        inputs.append((list(weight.shape), INT8, weight.tobytes(), scales, np.zeros(scales.size), axis))
        inputs.append(([op.bias.size], INT32, op.bias.tobytes(), scales * x[0].scale, np.zeros(scales.size), 0))
    if kind == "fully_connected":
        rows = x[0].size // op.weight.shape[1]
        inputs[0], y_shape = ([rows, op.weight.shape[1]], *inputs[0][1:]), [rows, op.weight.shape[0]]
    if hasattr(op, "span"):
        inputs.append(numbers(2))
        y_shape = [1, op.span[0], op.span[2]]
    if kind == "transpose_conv":
        inputs = [numbers(1, *op.y_size, len(op.weight)), inputs[1], inputs[0], inputs[2]]
    if kind == "svdf":
        inputs += svdf_constants(op)
    if kind in ("resize_nearest_neighbor", "resize_bilinear"):
        inputs.append(numbers(*op.size))
    if hasattr(op, "constant"):
        zero = int(np.clip(-128 - op.constant.min(), -128, 127 - op.constant.max()))
        raw = (op.constant + zero).astype(np.int8).tobytes()
        inputs.append(([*[1] * (kind != "prelu"), op.spread.outer, 1, op.spread.inner], INT8, raw, [op.scale], [zero], 0))
    if -1 in getattr(op, "signs", ()):
        number, union = 41, 28
    if kind == "add_constant" and op.signs == (-1, 1):
        inputs.reverse()
    if hasattr(op, "spread"):
        y_shape = shapes[1 - getattr(op, "small", 1)] if len(x) > 1 else shapes[0]
    return one_operator(number, inputs, [(y_shape, INT8, None, [y.scale], [y.zero], 0)], union, options(op))


def svdf_constants(op) -> list[tuple]:
    """The weights and the state of an SVDF layer."""
    return [
        ([*op.feature.shape], INT8, op.feature.tobytes(), [op.feature_scale], [0], 0),
        ([*op.time.shape], INT8, op.time.tobytes(), [op.time_scale], [0], 0),
        ([op.bias.size], INT32, op.bias.tobytes(), [np.float32(op.state_scale) * np.float32(op.time_scale)], [0], 0),
        ([1, op.time.size], INT8, None, [op.state_scale], [op.state_zero], 0, True),
    ]


def shapes_of(op, x) -> list[tuple[int, ...]]:
    """The shapes of the inputs, without the batch."""
    if spread := getattr(op, "spread", None):
        shapes = [(spread.outer, spread.repeat, spread.inner), (spread.outer, 1, spread.inner)][: len(x)]
        return shapes if getattr(op, "small", 1) == 1 else shapes[::-1]
    if hasattr(op, "spread"):
        return [x[0].shape] * 2
    if hasattr(op, "span"):
        return [op.span]
    return [getattr(op, "x_shape", x[0].shape), *(s.shape for s in x[1:])]


def numbers(*values: int, shape: list[int] | None = None) -> tuple:
    """A constant of int32."""
    return (shape if shape is not None else [len(values)], INT32, np.array(values, np.int32).tobytes(), NONE, NONE, 0)


def flowing(*shape: int, scale: float = 0.05, zero: int = -7) -> tuple:
    """A tensor of int8 that is computed."""
    return ([*shape], INT8, None, [scale], [zero], 0)


def one_operator(operator: int | str, inputs: list, outputs: list, union: int = 0, options: dict | None = None, result: int = 0) -> bytes:
    """The file of one operator.  A tensor is (shape, type, bytes or None, scales, zeros, axis[, is variable]); None is an input left out.

    result: which of the outputs is the model's.
    """
    number = BUILTIN.index(operator) if isinstance(operator, str) else operator
    tensors = [t for t in (*inputs, *outputs) if t is not None]
    at = iter(range(len(tensors)))
    x, y = ([-1 if t is None else next(at) for t in ends] for ends in (inputs, outputs))
    b = flatbuffers.Builder(4096)
    raws = [b"", *(t[2] for t in tensors if t[2])]
    buffers = [table(b, {0: ("offset", b.CreateByteVector(raw))} if raw else {}) for raw in raws]
    made, filled = [], 0
    for i, (shape, dtype, raw, scales, zeros, axis, *variable) in enumerate(tensors):
        filled += raw is not None
        made.append(tensor(b, shape, dtype, filled if raw else 0, f"t{i}", scales, zeros, axis, *variable))
    told = {3: ("uint8", union), 4: ("offset", table(b, options or {}))} if union else {}
    ends = {1: ("offset", ints(b, x)), 2: ("offset", ints(b, y))}
    made_operator = table(b, {0: ("uint32", 0), **ends, **told})
    vectors = {slot: ("offset", offsets(b, members)) for slot, members in {0: made, 3: [made_operator]}.items()}
    flow = [i for i, t in zip(x, inputs) if t is not None and t[2] is None and len(t) == 6]
    graph = table(b, {**vectors, 1: ("offset", ints(b, flow)), 2: ("offset", ints(b, [y[result]]))})
    version = 1 if number in (BUILTIN.index("HARD_SWISH"), BUILTIN.index("PRELU")) else 2
    code = table(b, {0: ("int8", min(number, 127)), 2: ("int32", version), 3: ("int32", number)})
    parts = {slot: ("offset", offsets(b, members)) for slot, members in {1: [code], 2: [graph], 4: buffers}.items()}
    b.Finish(table(b, {0: ("uint32", 3), **parts}), file_identifier=b"TFL3")
    return bytes(b.Output())


# --- operators that choose and order values: they are told apart by what their files say, not by EXAMPLES ---------------


def strided(x, begin, end, step, masks, y, shrink=0) -> bytes:
    rows = [numbers(*row) for row in (begin, end, step)]
    options = {0: ("int32", masks[0]), 1: ("int32", masks[1]), 4: ("int32", shrink)}
    return one_operator("STRIDED_SLICE", [flowing(*x), *rows], [flowing(*y)], 32, options)


def split(axis, x, y, count, result) -> bytes:
    outputs = [flowing(*y)] * count
    return one_operator("SPLIT", [numbers(axis, shape=[]), flowing(*x)], outputs, 35, {0: ("int32", count)}, result)


def split_v(sizes, axis, x, ys, result) -> bytes:
    inputs = [flowing(*x), numbers(*sizes), numbers(axis, shape=[])]
    return one_operator("SPLIT_V", inputs, [flowing(*y) for y in ys], 79, {0: ("int32", len(ys))}, result)


def unpack(x, axis, y, count, result) -> bytes:
    return one_operator("UNPACK", [flowing(*x)], [flowing(*y)] * count, 64, {0: ("int32", count), 1: ("int32", axis)}, result)


def pack(xs, axis, y) -> bytes:
    options = {0: ("int32", len(xs)), 1: ("int32", axis)}
    return one_operator("PACK", [flowing(*x) for x in xs], [flowing(*y)], 59, options)


def concatenation(xs, axis, y) -> bytes:
    return one_operator("CONCATENATION", [flowing(*x) for x in xs], [flowing(*y)], 10, {0: ("int32", axis)})


def padded(x, pads, y, value=None) -> bytes:
    told = numbers(*[n for pair in pads for n in pair], shape=[len(pads), 2])
    if value is None:
        return one_operator("PAD", [flowing(*x), told], [flowing(*y)])
    count = ([], INT8, np.array(value, np.int8).tobytes(), [0.05], [-7], 0)
    return one_operator("PADV2", [flowing(*x), told, count], [flowing(*y)], 43)


def reduced(kind, x, axes, y, keep=True) -> bytes:
    return one_operator(kind, [flowing(*x), numbers(*axes)], [flowing(*y, scale=0.05)], 27, {0: ("int8", int(keep))})


def compared(kind, x, values, shape, y) -> bytes:
    constant = (shape, INT8, np.array(values, np.int8).tobytes(), [0.05], [-7], 0)
    return one_operator(kind, [flowing(*x), constant], [flowing(*y)], 39)


def svdf(state_zero) -> bytes:
    """A layer whose state has a zero of its own: its features wrap around."""
    op, x = EXAMPLES[0]
    op = replace(op, state_zero=state_zero)
    y = ([1, op.bias.size], INT8, None, [op.y_scale], [op.y_zero], 0)
    return one_operator("SVDF", [flowing(1, x.size, scale=x.scale, zero=x.zero), *svdf_constants(op)], [y], 6,
                        {0: ("int32", 1), 1: ("int8", 1)})


FILES = {
    "svdf above": lambda: svdf(30),
    "svdf below": lambda: svdf(-50),
    "maximum of a constant": lambda: compared("MAXIMUM", (1, 4, 5), 3, [], (1, 4, 5)),
    "minimum of a constant": lambda: compared("MINIMUM", (1, 4, 5), -9, [1], (1, 4, 5)),
    "mean of an image": lambda: reduced("MEAN", (1, 6, 5, 3), (1, 2), (1, 1, 1, 3)),
    "mean over time": lambda: reduced("MEAN", (1, 6, 5), (1,), (1, 5), keep=False),
    "mean of each row": lambda: reduced("MEAN", (1, 6, 5, 1), (-1, 2), (1, 6, 1, 1)),
    "sum of an image": lambda: reduced("SUM", (1, 6, 5, 3), (2, 1), (1, 1, 1, 3)),
    "reduce_max of an image": lambda: reduced("REDUCE_MAX", (1, 6, 5, 3), (1, 2), (1, 3), keep=False),
    "pad": lambda: padded((1, 4, 5, 3), ((0, 0), (1, 2), (0, 3), (0, 0)), (1, 7, 8, 3)),
    "pad all": lambda: padded((1, 4, 1, 3), ((1, 0), (1, 2), (0, 3), (2, 1)), (2, 7, 4, 6)),
    "pad flat": lambda: padded((1, 4), ((0, 0), (0, 2)), (1, 6)),
    "padv2": lambda: padded((1, 4, 5, 3), ((0, 0), (1, 2), (0, 3), (0, 0)), (1, 7, 8, 3), value=99),
    "slice": lambda: one_operator("SLICE", [flowing(1, 5, 6, 4), numbers(0, 1, 0, 2), numbers(1, 3, -1, 2)], [flowing(1, 3, 6, 2)]),
    "strided_slice masks": lambda: strided((1, 11, 3, 8), [0, -7, 5, 0], [0, 0, 0, 0], [1, 1, 1, 1], (13, 15), (1, 7, 3, 8)),
    "strided_slice steps": lambda: strided((1, 9, 7, 5), [0, 8, 1, 0], [1, -10, 7, 4], [1, -2, 3, 2], (0, 0), (1, 5, 2, 2)),
    "strided_slice beyond": lambda: strided((1, 9, 7), [0, -20, -3], [1, 5, 99], [1, 1, 1], (0, 0), (1, 5, 3)),
    "strided_slice shrinks": lambda: strided((1, 6, 7), [0, -2, 0], [1, 0, 7], [1, 1, 1], (0, 0), (1, 7), shrink=2),
    "split": lambda: split(-1, (1, 4, 6), (1, 4, 2), 3, 1),
    "split first": lambda: split(1, (1, 4, 6), (1, 2, 6), 2, 0),
    "split_v": lambda: split_v([3, 5, 4], -1, (1, 4, 12), [(1, 4, 3), (1, 4, 5), (1, 4, 4)], 1),
    "split_v rest": lambda: split_v([3, -1, 4], 2, (1, 4, 12), [(1, 4, 3), (1, 4, 5), (1, 4, 4)], 2),
    "unpack": lambda: unpack((1, 4, 3), 1, (1, 3), 4, 2),
    "unpack last": lambda: unpack((1, 4, 3), -1, (1, 4), 3, 1),
    "pack": lambda: pack([(1, 4), (1, 4)], 1, (1, 2, 4)),
    "pack last": lambda: pack([(1, 4), (1, 4), (1, 4)], -1, (1, 4, 3)),
    "concatenation": lambda: concatenation([(1, 3, 4), (1, 2, 4)], 1, (1, 5, 4)),
    "concatenation last": lambda: concatenation([(1, 3, 2, 4), (1, 3, 2, 1), (1, 3, 2, 2)], -1, (1, 3, 2, 7)),
}
"""Name of the operator, in lower case, and of the case."""
