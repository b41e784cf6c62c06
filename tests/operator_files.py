"""More .tflite files of one operator, where no example of tinystream/ops says what the file must: places, paddings, constants, types."""

from __future__ import annotations

import numpy as np
from operator_model import INT8, INT32, NONE, compared, flowing, numbers, one_operator, padded

INT64 = 4


def places(*shape: int, dtype: int = INT32) -> tuple:
    """Integers that are computed, or an input."""
    return ([*shape], dtype, None, NONE, NONE, 0)


def known(*shape: int, seed: int = 0, scale: float = 0.05, zero: int = -7) -> tuple:
    """A constant of int8."""
    return ([*shape], INT8, np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8).tobytes(), [scale], [zero], 0)


def extreme(kind, x, axis, y, dtype=INT32) -> bytes:
    """ARG_MAX or ARG_MIN."""
    options = {0: ("int8", {INT32: 2, INT64: 4}[dtype])}
    return one_operator(kind, [flowing(*x), numbers(axis, shape=[])], [places(*y, dtype=dtype)], 40 if kind == "ARG_MAX" else 57, options)


def gathered(x, at, axis, y) -> bytes:
    return one_operator("GATHER", [x, at], [flowing(*y)], 23, {0: ("int32", axis)})


def mirrored(x, pads, y, symmetric) -> bytes:
    told = numbers(*[n for pair in pads for n in pair], shape=[len(pads), 2])
    return one_operator("MIRROR_PAD", [flowing(*x), told], [flowing(*y)], 77, {0: ("int8", int(symmetric))})


def beside(inputs, axis, y) -> bytes:
    return one_operator("CONCATENATION", inputs, [flowing(*y)], 10, {0: ("int32", axis)})


def multiplied(a, b, y, adj_x=0, adj_y=0) -> bytes:
    options = {0: ("int8", adj_x), 1: ("int8", adj_y)}
    return one_operator("BATCH_MATMUL", [a, b], [flowing(*y, scale=0.9)], 101, options)


def divided(a, b, y) -> bytes:
    return one_operator("DIV", [a, b], [flowing(*y, scale=0.02)], 29)


def function(kind, union=0, options=None, y_scale=0.04, y_zero=-100) -> bytes:
    return one_operator(kind, [flowing(1, 300, scale=0.03, zero=9)], [flowing(1, 300, scale=y_scale, zero=y_zero)], union, options)


def table_of_64_bits() -> bytes:
    at = ([3], INT64, np.array([2, 0, 2], np.int64).tobytes(), NONE, NONE, 0)
    return gathered(flowing(1, 4, 5), at, 1, (1, 3, 5))


MORE_FILES = {
    "maximum of constants": lambda: compared("MAXIMUM", (1, 4, 5), [3, -100, 90, 0, -7], [5], (1, 4, 5)),
    "minimum of constants": lambda: compared("MINIMUM", (1, 4, 5), [3, -100, 90, 0], [4, 1], (1, 4, 5)),
    "arg_max": lambda: extreme("ARG_MAX", (1, 6, 5, 3), 2, (1, 6, 3)),
    "arg_max of the last": lambda: extreme("ARG_MAX", (1, 12), -1, (1,)),
    "arg_max of 64 bits": lambda: extreme("ARG_MAX", (1, 6, 5), 1, (1, 5), INT64),
    "arg_min": lambda: extreme("ARG_MIN", (1, 6, 5, 3), 1, (1, 5, 3)),
    "gather": lambda: gathered(flowing(1, 6, 8), numbers(3, 1, 1, 5), 1, (1, 4, 8)),
    "gather of the last": lambda: gathered(flowing(1, 3, 4, 5), numbers(4, 0), -1, (1, 3, 4, 2)),
    "gather of 64 bits": table_of_64_bits,
    "gather computed": lambda: gathered(flowing(1, 4, 5), places(6), 1, (1, 6, 5)),
    "gather computed inside": lambda: gathered(flowing(1, 3, 4, 5), places(2), 2, (1, 3, 2, 5)),
    "embedding": lambda: gathered(known(4, 6), places(1, 7), 0, (1, 7, 6)),
    "mirror_pad": lambda: mirrored((1, 4, 5, 3), ((0, 0), (2, 3), (1, 4), (0, 0)), (1, 9, 10, 3), False),
    "mirror_pad symmetric": lambda: mirrored((1, 4, 5, 3), ((0, 0), (4, 3), (1, 5), (2, 0)), (1, 11, 11, 5), True),
    "mirror_pad flat": lambda: mirrored((1, 6), ((0, 0), (5, 0)), (1, 11), False),
    "concatenation of constants": lambda: beside([known(1, 1, 4), flowing(1, 3, 4), known(1, 2, 4, seed=1)], 1, (1, 6, 4)),
    "concatenation between": lambda: beside([flowing(1, 3, 2), known(1, 3, 1), known(1, 3, 2), flowing(1, 3, 4)], -1, (1, 3, 9)),
    "batch_matmul of a constant": lambda: multiplied(flowing(1, 3, 4, 6), known(1, 1, 6, 5, scale=0.01, zero=3), (1, 3, 4, 5)),
    "batch_matmul by a constant": lambda: multiplied(known(4, 6), flowing(1, 2, 5, 6, scale=0.01), (1, 2, 4, 5), adj_y=1),
    "batch_matmul of one turned": lambda: multiplied(flowing(2, 7, 3), flowing(1, 4, 7, scale=0.04), (2, 3, 4), adj_x=1, adj_y=1),
    "batch_matmul of many": lambda: multiplied(flowing(2, 1, 3, 4), flowing(1, 3, 4, 2, scale=0.04), (2, 3, 3, 2)),
    "batch_matmul across": lambda: multiplied(flowing(2, 1, 4, 3), flowing(3, 2, 4, scale=0.04), (2, 3, 3, 2), adj_x=1, adj_y=1),
    "transpose of six": lambda: one_operator(
        "TRANSPOSE", [flowing(1, 2, 3, 1, 4, 5), numbers(0, 2, 3, 4, 5, 1)], [flowing(1, 3, 1, 4, 5, 2)], 26
    ),
    "transpose of five": lambda: one_operator("TRANSPOSE", [flowing(2, 3, 2, 4, 5), numbers(3, 2, 4, 0, 1)], [flowing(4, 2, 5, 2, 3)], 26),
    "slice of five": lambda: one_operator(
        "SLICE", [flowing(2, 3, 1, 4, 5), numbers(1, 0, 0, 1, 2), numbers(1, 3, 1, 2, -1)], [flowing(1, 3, 1, 2, 3)], 48
    ),
    "pad of five": lambda: padded((2, 3, 2, 2, 3), ((0, 0), (1, 0), (0, 0), (0, 0), (2, 1)), (2, 4, 2, 2, 6)),
    "broadcast_to": lambda: one_operator("BROADCAST_TO", [flowing(1, 3, 1, 2), numbers(1, 3, 4, 2)], [flowing(1, 3, 4, 2)], 104),
    "div by a number": lambda: divided(flowing(1, 300), known(seed=3, scale=0.01), (1, 300)),
    "div of a number": lambda: divided(known(seed=3, scale=0.01), flowing(1, 300), (1, 300)),
    "div of one by many": lambda: divided(flowing(1, 4, 1), flowing(1, 1, 5, scale=0.03), (1, 4, 5)),
    "gelu": lambda: function("GELU", 116),
    "gelu approximate": lambda: function("GELU", 116, {0: ("int8", 1)}),
    "exp": lambda: function("EXP", 33, y_scale=0.3, y_zero=-128),
}
"""As operator_model.FILES."""
