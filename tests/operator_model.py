"""A .tflite file of one operator, made from an example of tinystream/ops: what reads it must compute the same."""

from __future__ import annotations

import flatbuffers
import numpy as np
from tiny_model import ints, offsets, table, tensor

from tinystream.ops._shared import ACTIVATIONS, PADDINGS

INT8, INT32 = 9, 2
OPTIONS = {     # number of BuiltinOperator, number in the union BuiltinOptions, slots and types of the options
    "add": (0, 11, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "average_pool_2d": (1, 5, lambda op: pool(op)),
    "conv_2d": (3, 1, lambda op: window(op, 3, 4)),
    "depthwise_conv_2d": (4, 2, lambda op: {**window(op, 4, 5), 3: ("int32", op.weight.shape[2] // op.x_shape[2])}),
    "fully_connected": (9, 8, lambda op: {0: ("int8", ACTIVATIONS.index(op.activation))}),
    "logistic": (14, 0, lambda op: {}),
    "max_pool_2d": (17, 5, lambda op: pool(op)),
    "softmax": (25, 9, lambda op: {0: ("float32", op.beta)}),
    "mean": (40, 27, lambda op: {}),
    "requantize": (114, 0, lambda op: {}),
}


def window(op, activation: int, dilation: int) -> dict:
    return {0: ("int8", PADDINGS.index(op.padding)), 1: ("int32", op.stride[1]), 2: ("int32", op.stride[0]),
            activation: ("int8", ACTIVATIONS.index(op.activation)),
            dilation: ("int32", op.dilation[1]), dilation + 1: ("int32", op.dilation[0])}


def pool(op) -> dict:
    return {0: ("int8", PADDINGS.index(op.padding)), 1: ("int32", op.stride[1]), 2: ("int32", op.stride[0]),
            3: ("int32", op.window[1]), 4: ("int32", op.window[0]), 5: ("int8", ACTIVATIONS.index(op.activation))}


def operator_model(kind: str, op, x) -> bytes:
    """The file for an operator of ours and its input signals."""
    number, union, options = OPTIONS[kind]
    step = op.plan(*x)
    shapes = [[1, *getattr(op, "x_shape", s.shape)] if i == 0 or kind != "add" else [1, *x[0].shape] for i, s in enumerate(x)]
    inputs = [(shape, INT8, None, [s.scale], [s.zero], 0) for shape, s in zip(shapes, x)]
    flowing = list(range(len(inputs)))
    if hasattr(op, "weight"):
        weight = op.weight[None] if kind == "depthwise_conv_2d" else op.weight
        scales = np.asarray(op.weight_scale)
        axis = 3 if kind == "depthwise_conv_2d" else 0
        inputs.append((list(weight.shape), INT8, weight.tobytes(), scales, np.zeros(scales.size), axis))
        inputs.append(([op.bias.size], INT32, op.bias.tobytes(), scales * x[0].scale, np.zeros(scales.size), 0))
    if kind == "mean":
        inputs.append(([2], INT32, np.array([1, 2], np.int32).tobytes(), [], [], 0))
    rows = [x[0].size // op.weight.shape[1]] if kind == "fully_connected" else [1]
    if kind == "fully_connected":
        inputs[0] = ([*rows, op.weight.shape[1]], *inputs[0][1:])
    y_shape = [*rows, op.weight.shape[0]] if kind == "fully_connected" else [1, *step.y.shape]
    tensors = [*inputs, (y_shape, INT8, None, [step.y.scale], [step.y.zero], 0)]

    b = flatbuffers.Builder(4096)
    raws = [b"", *(t[2] for t in tensors if t[2])]
    buffers = [table(b, {0: ("offset", b.CreateByteVector(raw))} if raw else {}) for raw in raws]
    made, filled = [], 0
    for i, (shape, dtype, raw, scales, zeros, axis) in enumerate(tensors):
        filled += raw is not None
        made.append(tensor(b, shape, dtype, filled if raw else 0, f"t{i}", scales, zeros, axis))
    told = {3: ("uint8", union), 4: ("offset", table(b, options(op)))} if union else {}
    last = len(tensors) - 1
    operator = table(b, {0: ("uint32", 0), 1: ("offset", ints(b, range(last))), 2: ("offset", ints(b, [last])), **told})
    vectors = {slot: ("offset", offsets(b, members)) for slot, members in {0: made, 3: [operator]}.items()}
    graph = table(b, {**vectors, 1: ("offset", ints(b, flowing)), 2: ("offset", ints(b, [last]))})
    code = table(b, {0: ("int8", number), 2: ("int32", 2), 3: ("int32", number)})
    parts = {slot: ("offset", offsets(b, members)) for slot, members in {1: [code], 2: [graph], 4: buffers}.items()}
    b.Finish(table(b, {0: ("uint32", 3), **parts}), file_identifier=b"TFL3")
    return bytes(b.Output())

