"""A .tflite file of one operator on int16, made from an example of tinystream/ops: what reads it must compute the same."""

from __future__ import annotations

import numpy as np
from operator_model import OPTIONS, numbers, one_operator, shapes_of

TYPES = {"int8": 9, "int16": 7, "int32": 2, "int64": 4}
OF_INT8 = {"requantize_wide": "requantize", "softmax_wide": "softmax", "svdf_int16": "svdf"}
"""The module whose options an operator has, where that is not its own name without "_int16"."""
KINDS = [
    "add_int16",
    "add_constant_int16",
    "average_pool_2d_int16",
    "conv_2d_int16",
    "depthwise_conv_2d_int16",
    "fully_connected_int16",
    "leaky_relu_int16",
    "logistic_int16",
    "max_pool_2d_int16",
    "maximum_int16",
    "mean_int16",
    "minimum_int16",
    "mul_int16",
    "mul_constant_int16",
    "requantize_wide",
    "softmax_int16",
    "softmax_wide",
    "sub_int16",
    "sum_int16",
    "svdf_int16",
    "tanh_int16",
    "transpose_conv_int16",
]


def tensor(shape, dtype="int16", scale=0.0005, zero=0, data=None) -> tuple:
    raw = None if data is None else np.asarray(data, dtype).tobytes()
    return ([*shape], TYPES[dtype], raw, np.atleast_1d(scale), [zero] * np.size(scale), 0)


def operator_model_int16(kind: str, op, x) -> bytes:
    """The file for an operator of ours and its input signals."""
    base = OF_INT8.get(kind, kind.removesuffix("_int16"))
    number, union, options = OPTIONS[base]
    y = op.plan(*x).y
    shapes = [[1, *s] for s in shapes_of(op, x)]
    inputs, y_shape = [tensor(shape, s.dtype, s.scale, s.zero) for shape, s in zip(shapes, x)], [1, *y.shape]
    if hasattr(op, "weight"):
        inputs += layer_constants(base, op, x[0])
    if base == "fully_connected":
        rows = x[0].size // op.weight.shape[1]
        inputs[0], y_shape = ([rows, op.weight.shape[1]], *inputs[0][1:]), [rows, op.weight.shape[0]]
    if hasattr(op, "span"):
        inputs.append(numbers(2))
        y_shape = [1, op.span[0], op.span[2]]
    if base == "transpose_conv":
        inputs = [numbers(1, *op.y_size, len(op.weight)), inputs[1], inputs[0], inputs[2]]
    if base == "svdf":
        inputs += svdf_constants(op)
    if hasattr(op, "constant"):
        inputs.insert(getattr(op, "small", 1), tensor((op.spread.outer, 1, op.spread.inner), "int16", op.scale, data=op.constant))
    if -1 in getattr(op, "signs", ()):
        number, union = 41, 28
    if hasattr(op, "spread"):
        y_shape = shapes[1 - op.small] if len(x) > 1 else shapes[0]
    return one_operator(number, inputs, [tensor(y_shape, y.dtype, y.scale, y.zero)], union, options(getattr(op, "of", op)))


def layer_constants(base: str, op, x) -> list[tuple]:
    """The weights and biases of a layer."""
    weight, axis = (op.weight[None], 3) if base == "depthwise_conv_2d" else (op.weight, 0)
    scales = np.asarray(op.weight_scale)
    return [
        (list(weight.shape), TYPES["int8"], weight.tobytes(), scales, np.zeros(scales.size), axis),
        tensor([op.bias.size], str(op.bias.dtype), scales * x.scale, data=op.bias),
    ]


def svdf_constants(op) -> list[tuple]:
    """The weights and the state of an SVDF layer."""
    state = ([1, op.time.size], TYPES["int16"], None, [op.state_scale], [0], 0, True)
    return [
        tensor(op.feature.shape, "int8", op.feature_scale, data=op.feature),
        tensor(op.time.shape, "int16", op.time_scale, data=op.time),
        tensor([op.bias.size], "int32", np.float32(op.state_scale) * np.float32(op.time_scale), data=op.bias),
        state,
    ]


# --- operators that are told apart by what their files say, not by EXAMPLES -------------------------------------------


def strided(x, begin, end, step, masks, y) -> bytes:
    rows = [numbers(*row) for row in (begin, end, step)]
    return one_operator("STRIDED_SLICE", [tensor(x), *rows], [tensor(y)], 32, {0: ("int32", masks[0]), 1: ("int32", masks[1])})


def padded(x, pads, y, value=None) -> bytes:
    told = numbers(*[n for pair in pads for n in pair], shape=[len(pads), 2])
    if value is None:
        return one_operator("PAD", [tensor(x), told], [tensor(y)])
    return one_operator("PADV2", [tensor(x), told, tensor([], data=value)], [tensor(y)], 43)


def without_bias(operator, union, options, weight, x, y) -> bytes:
    """A layer whose bias is left out: its options say of which type it would be."""
    weight = np.random.default_rng(5).integers(-127, 128, weight).astype(np.int8)
    inputs = [tensor(x), tensor(weight.shape, "int8", 0.004, data=weight)]
    return one_operator(operator, inputs, [tensor(y)], union, options)


CONV = {0: ("int8", 1), 1: ("int32", 1), 2: ("int32", 1), 4: ("int32", 1), 5: ("int32", 1)}
FILES = {
    "relu": lambda: one_operator("RELU", [tensor((1, 40), scale=0.0007)], [tensor((1, 40))]),
    "relu6": lambda: one_operator("RELU6", [tensor((1, 40))], [tensor((1, 40))]),
    "maximum of a constant": lambda: one_operator("MAXIMUM", [tensor((1, 4, 5)), tensor([], data=-400)], [tensor((1, 4, 5))], 39),
    "minimum of a constant": lambda: one_operator("MINIMUM", [tensor((1, 4, 5)), tensor([1], data=900)], [tensor((1, 4, 5))], 39),
    "pad": lambda: padded((1, 4, 5, 3), ((0, 0), (1, 2), (0, 3), (0, 0)), (1, 7, 8, 3)),
    "padv2": lambda: padded((1, 4, 5, 3), ((0, 0), (1, 2), (0, 3), (0, 1)), (1, 7, 8, 4), value=-9999),
    "slice": lambda: one_operator("SLICE", [tensor((1, 5, 6, 4)), numbers(0, 1, 0, 2), numbers(1, 3, -1, 2)], [tensor((1, 3, 6, 2))]),
    "strided_slice": lambda: strided((1, 9, 7, 5), [0, 8, 1, 0], [1, -10, 7, 4], [1, -2, 3, 2], (0, 0), (1, 5, 2, 2)),
    "split": lambda: one_operator(
        "SPLIT", [numbers(-1, shape=[]), tensor((1, 4, 6))], [tensor((1, 4, 2))] * 3, 35, {0: ("int32", 3)}, 1),
    "split_v": lambda: one_operator(
        "SPLIT_V", [tensor((1, 4, 9)), numbers(3, 5, 1), numbers(-1, shape=[])], [tensor((1, 4, n)) for n in (3, 5, 1)], 79,
        {0: ("int32", 3)}, 1),
    "unpack": lambda: one_operator("UNPACK", [tensor((1, 4, 3))], [tensor((1, 3))] * 4, 64, {0: ("int32", 4), 1: ("int32", 1)}, 2),
    "pack": lambda: one_operator("PACK", [tensor((1, 4))] * 2, [tensor((1, 4, 2))], 59, {0: ("int32", 2), 1: ("int32", -1)}),
    "concatenation": lambda: one_operator(
        "CONCATENATION", [tensor((1, 3, 4)), tensor((1, 3, 2))], [tensor((1, 3, 6))], 10, {0: ("int32", -1)}),
    "transpose": lambda: one_operator("TRANSPOSE", [tensor((1, 4, 3, 5)), numbers(0, 3, 1, 2)], [tensor((1, 5, 4, 3))], 26),
    "resize_nearest_neighbor": lambda: one_operator(
        "RESIZE_NEAREST_NEIGHBOR", [tensor((1, 4, 3, 2)), numbers(7, 5)], [tensor((1, 7, 5, 2))], 74),
    "transpose_conv of an int16 bias": lambda: one_operator(
        "TRANSPOSE_CONV",
        [numbers(1, 4, 6, 2), tensor((2, 2, 2, 3), "int8", 0.004, data=np.arange(-12, 12)), tensor((1, 2, 3, 3)),
         tensor([2], "int16", 2e-6, data=[30000, -20000])],
        [tensor((1, 4, 6, 2), scale=0.0001)], 49, {1: ("int32", 2), 2: ("int32", 2)}),
    "conv_2d without a bias": lambda: without_bias("CONV_2D", 1, CONV, (6, 2, 3, 4), (1, 5, 5, 4), (1, 4, 3, 6)),
    "conv_2d without an int32 bias": lambda: without_bias(
        "CONV_2D", 1, {**CONV, 6: ("int8", TYPES["int32"])}, (6, 2, 3, 4), (1, 5, 5, 4), (1, 4, 3, 6)),
    "fully_connected without a bias": lambda: without_bias("FULLY_CONNECTED", 8, {}, (6, 40), (1, 40), (1, 6)),
    "fully_connected without an int32 bias": lambda: without_bias(
        "FULLY_CONNECTED", 8, {4: ("int8", TYPES["int32"])}, (6, 40), (1, 40), (1, 6)),
}
"""Name of the operator, in lower case, and of the case."""
