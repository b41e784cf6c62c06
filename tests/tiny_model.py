"""A .tflite file small enough to build by hand: one dense look at the whole input, as a convolution without sliding."""

from __future__ import annotations

import flatbuffers
import numpy as np


def tiny_model(
    height: int = 4, width: int = 5, classes: int = 2, scale: float = 0.5, zero: int = -3, inputs: int = 1,
    metadata: dict[str, bytes] | None = None,
) -> bytes:  # fmt: skip
    """int8 [1, height, width, 1] -> int8 [1, 1, 1, classes] by CONV_2D, "valid"; all weights are 1."""
    b, metadata = flatbuffers.Builder(4096), metadata or {}
    data = [b"", np.ones(classes * height * width, np.int8).tobytes(), np.zeros(classes, np.int32).tobytes(), *metadata.values()]
    buffers = [table(b, {0: ("offset", b.CreateByteVector(raw))} if raw else {}) for raw in data]
    int8, int32 = 9, 2
    tensors = [
        tensor(b, [1, height, width, 1], int8, 0, "x", [scale], [zero]),
        tensor(b, [classes, height, width, 1], int8, 1, "weights", [0.1] * classes, [0] * classes),
        tensor(b, [classes], int32, 2, "bias", [scale * 0.1] * classes, [0] * classes),
        tensor(b, [1, 1, 1, classes], int8, 0, "y", [1 / 256], [-128]),
        tensor(b, [1, 3], int8, 0, "more", [1.0], [0]),
    ]
    options = table(b, {0: ("int8", 1), 1: ("int32", 1), 2: ("int32", 1), 4: ("int32", 1), 5: ("int32", 1)})
    ends = {1: ("offset", ints(b, [0, 1, 2])), 2: ("offset", ints(b, [3]))}
    operator = table(b, {0: ("uint32", 0), **ends, 3: ("uint8", 1), 4: ("offset", options)})
    lists = {0: tensors, 3: [operator]}
    vectors = {slot: ("offset", offsets(b, members)) for slot, members in lists.items()}
    graph_ends = {1: ("offset", ints(b, [0, 4][:inputs])), 2: ("offset", ints(b, [3]))}
    graph = table(b, {**vectors, **graph_ends})
    code = table(b, {0: ("int8", 3), 2: ("int32", 1), 3: ("int32", 3)})
    notes = [table(b, {0: ("offset", b.CreateString(name)), 1: ("uint32", 3 + i)}) for i, name in enumerate(metadata)]
    parts = {slot: ("offset", offsets(b, members)) for slot, members in {1: [code], 2: [graph], 4: buffers, 6: notes}.items()}
    b.Finish(table(b, {0: ("uint32", 3), **parts}), file_identifier=b"TFL3")
    return bytes(b.Output())


def tensor(b, shape, dtype, buffer, name, scales, zeros, axis=0, variable=False) -> int:
    scales_at = b.CreateNumpyVector(np.array(scales, np.float32))
    quantisation = table(b, {6: ("int32", axis), 2: ("offset", scales_at), 3: ("offset", longs(b, zeros))})
    members = {0: ints(b, shape), 3: b.CreateString(name), 4: quantisation}
    told = {1: ("int8", dtype), 2: ("uint32", buffer), 5: ("int8", int(variable))}
    return table(b, {**told, **{slot: ("offset", at) for slot, at in members.items()}})


def table(b, slots) -> int:
    b.StartObject(8)
    for slot, (kind, value) in slots.items():
        {
            "offset": b.PrependUOffsetTRelativeSlot,
            "int8": b.PrependInt8Slot,
            "uint8": b.PrependUint8Slot,
            "int32": b.PrependInt32Slot,
            "uint32": b.PrependUint32Slot,
            "float32": b.PrependFloat32Slot,
        }[kind](slot, value, 0)
    return b.EndObject()


def ints(b, values) -> int:
    return b.CreateNumpyVector(np.array([*values], np.int32))


def longs(b, values) -> int:
    return b.CreateNumpyVector(np.array([*values], np.int64))


def offsets(b, members) -> int:
    b.StartVector(4, len(members), 4)
    for member in reversed(members):
        b.PrependUOffsetTRelative(member)
    return b.EndVector()
