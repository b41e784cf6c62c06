"""What operators on int16 share: zeros that are 0, activations, and how their sums become int16.

Weights are int8, activations int16 around 0 ("16x8").  A layer's sums are 64 bits wide where its biases are int64, as the
converter makes them, and 32 bits where they are int32; TFLM narrows the two differently:

    64 bits   y = clamp((acc * m + 2**(14 - shift)) >> (15 - shift)),   m = the multiplier rounded to 15 bits
    32 bits   y = clamp(requant(acc, multiplier, shift))

Source: tensorflow/lite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier of int64 and of int32.
"""

from __future__ import annotations

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._shared import activate, clamp, multipliers, read_weight
from tinystream.plan.fixed import requant
from tinystream.plan.operator import Operator
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

LARGEST_SHIFT = 7  # of a 64-bit sum, as MultiplyByQuantizedMultiplier wants it
BIASES = {
    "conv_2d": ("int64", "int32"),
    "depthwise_conv_2d": ("int64",),
    "fully_connected": ("int64", "int32"),
    "transpose_conv": ("int64", "int16"),
}
"""Types of biases that TFLM takes; int16 is widened to int64."""
BIAS_TYPE = {"conv_2d": 6, "fully_connected": 4}  # slot of the options that says of which type a bias is that is left out
INT32 = 2  # TensorType


def signal16(shape: tuple[int, ...], x: Signal, scale: float) -> Signal:
    """What an operator gives for x."""
    return Signal(shape, "int16", x.rate_hz, scale)


def check_symmetric(operator: Operator) -> None:
    """Arithmetic on int16 knows no zero but 0."""
    for tensor in (*operator.flowing, operator.y):
        if tensor.zero:
            what = f"has '{tensor.name}' of int16 with zero {tensor.zero}; int16 is counted from 0"
            raise operator.refuse(what, "convert the model again")


def clamp16(activation: str, scale: float) -> tuple[int, int]:
    """The counts between which a fused activation keeps an int16 output."""
    return clamp(activation, scale, 0, "int16")


def activate16(real: np.ndarray, activation: str, scale: float) -> np.ndarray:
    """The textbook's activation, and the range of int16 at this scale."""
    return activate(real, activation, scale, 0, "int16")


# --- layers -----------------------------------------------------------------------------------------------------------


def read_filter16(operator: Operator, axis: int, bias_at: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weight int8, bias int64 or int32, scale of each channel or of all, float64) of a layer on int16."""
    check_symmetric(operator)
    weight, scales = read_weight(operator, axis)
    return weight, read_bias16(operator, bias_at, weight.shape[axis]), scales


def read_bias16(operator: Operator, at: int, channels: int) -> np.ndarray:
    told = operator.inputs[at] if at < len(operator.inputs) else None
    if told is None:
        slot = BIAS_TYPE.get(operator.kind)
        return np.zeros(channels, "int32" if slot is not None and operator.option(slot, 0, "b") == INT32 else "int64")
    bias = operator.constant(at, told.dtype if told.dtype in BIASES[operator.kind] else "int64")
    assert bias is not None, "it is there"
    if bias.size != channels:
        raise operator.refuse(f"has {bias.size} biases for {channels} channels")
    return bias.ravel().astype("int64" if bias.dtype == np.int16 else bias.dtype)


def layer_tables(what: str, weight: np.ndarray, bias: np.ndarray, real: np.ndarray) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """(params, tables) with which a layer's sums are begun and narrowed: wide; bias, multiplier and shift of each channel.

    weight: [channels, terms]; real: x_scale * weight_scale / y_scale of each channel.  ModelError where a sum, or what it
    becomes, may not fit its type.
    """
    wide = bias.dtype == np.int64
    tables = multipliers(np.broadcast_to(real, len(bias)))
    reach = [abs(int(b)) + 32768 * int(w) for b, w in zip(bias, np.abs(weight.astype(np.int64)).sum(axis=1))]
    if max(reach) >= 1 << (47 if wide else 31):
        raise ModelError(f"{what} has a channel whose sum may exceed {48 if wide else 32} bits: {max(reach)}",
                         "a bias this large is a mistake of the conversion, or a dead channel: train or convert again")
    if int(tables["shift"].max()) > LARGEST_SHIFT or max(r * s for r, s in zip(reach, np.broadcast_to(real, len(bias)))) >= 2.0**31:
        raise ModelError(f"{what} has a channel whose output may exceed 32 bits", "a scale this large is a mistake of the conversion")
    if wide:
        m = tables["multiplier"].astype(np.int64)
        tables["multiplier"] = np.where(m < 0x7FFF0000, (m + (1 << 15)) >> 16, 0x7FFF).astype(np.int32)
    return dict(wide=int(wide)), dict(bias=bias.astype(np.int64), **tables)


def narrow16(k, acc: np.ndarray) -> np.ndarray:
    """Sums, channels last, to int16."""
    if k.wide:
        total = 15 - k.shift.astype(np.int64)
        y = (acc * k.multiplier + (np.int64(1) << (total - 1))) >> total
    else:
        y = requant(acc, k.multiplier, k.shift)
    return np.clip(y, k.low, k.high).astype(np.int16)


LAYER_BOUND = (1.01, 2.0**-15)  # counts: the rounding of y (twice, for 32 bits), and a multiplier of 15 bits


# --- each value by itself ---------------------------------------------------------------------------------------------


def value_step(module: str, x: Signal, y: Signal, says: str, params: dict[str, int], tables: dict[str, np.ndarray] | None = None) -> Step:
    """The step of an operator that computes each value from the one at its place."""
    return Step(
        module=module,
        x=(x,),
        y=y,
        params=dict(length=x.size, **params),
        tables=tables or {},
        inplace=x.dtype == y.dtype,
        cost=dict(requant=x.size, mem=2 * x.size),
        says=says,
    )
