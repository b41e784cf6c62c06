"""A .tflite file of one UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

import numpy as np
from operator_model import INT8, INT32, one_operator

from tinystream.ops.unidirectional_sequence_lstm import BIAS, CELL, HIDDEN, INPUTS, RECURRENT, TANH, WEIGHT

INT16 = 7
OPTIONS = {0: ("int8", TANH)}


def lstm_model(op, x, changed: dict | None = None, options: dict | None = None) -> bytes:
    """The file for a layer of ours and its input signal; changed: other tensors at these inputs."""
    outer = (op.steps, op.batches) if op.time_major else (op.batches, op.steps)
    units, inputs = op.weight.shape[1:]
    told: list = [([*outer, inputs], INT8, None, [x.scale], [x.zero], 0), *[None] * (INPUTS - 1)]
    for g in range(4):
        scales = op.weight_scale[g], op.recurrent_scale[g], np.float32(op.weight_scale[g]) * np.float32(x.scale)
        for at, values, scale in zip((WEIGHT, RECURRENT, BIAS), (op.weight[g], op.recurrent[g], op.bias[g]), scales):
            told[at + g] = ([*values.shape], INT32 if at == BIAS else INT8, values.tobytes(), [scale], [0], 0)
    told[HIDDEN] = ([op.batches, units], INT8, None, [op.y_scale], [op.y_zero], 0, True)
    told[CELL] = ([op.batches, units], INT16, None, [op.cell_scale], [0], 0, True)
    for at, tensor in (changed or {}).items():
        told[at] = tensor
    y = ([*outer, units], INT8, None, [op.y_scale], [op.y_zero], 0)
    told_options = {**OPTIONS, 1: ("float32", op.clip), 3: ("uint8", int(op.time_major)), **(options or {})}
    return one_operator("UNIDIRECTIONAL_SEQUENCE_LSTM", told, [y], 71, told_options)
