"""What several operators share: scales as TFLM turns them into integers, activations, and where windows lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.fixed import quantize_multiplier, requant
from tinystream.plan.operator import Operator, Tensor
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

Activation = Literal["none", "relu", "relu_n1_to_1", "relu6"]
ACTIVATIONS: tuple[Activation, ...] = ("none", "relu", "relu_n1_to_1", "relu6")  # ActivationFunctionType
PADDINGS = ("same", "valid")  # Padding


def read_activation(operator: Operator, slot: int) -> Activation:
    number = operator.option(slot, 0, "b")
    if not 0 <= number < len(ACTIVATIONS):
        raise operator.refuse(
            f"has the fused activation {number}", "only none, RELU, RELU_N1_TO_1 and RELU6 are fused; use a layer of its own"
        )
    return ACTIVATIONS[number]


def read_padding(operator: Operator, slot: int) -> str:
    number = operator.option(slot, 0, "b")
    if number not in (0, 1):
        raise operator.refuse(f"has the padding {number}")
    return PADDINGS[number]


def read_steps(operator: Operator, y_slot: int, x_slot: int) -> tuple[int, int]:
    """A stride, dilation or window: (along y, along x), at least 1."""
    pair = operator.option(y_slot, 1), operator.option(x_slot, 1)
    if not all(1 <= n <= 1 << 12 for n in pair):
        raise operator.refuse(f"has a stride, dilation or window of {pair}")
    return pair


def read_filter(operator: Operator, axis: int, bias_at: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weight int8, bias int32, scale of each channel or of all, float64) of a convolution or dense layer."""
    weight, scales = read_weight(operator, axis)
    bias, channels = operator.constant(bias_at, "int32"), weight.shape[axis]
    bias = np.zeros(channels, np.int32) if bias is None else bias.ravel()
    if bias.size != channels:
        raise operator.refuse(f"has {bias.size} biases for {channels} channels")
    return weight, bias, scales


def read_weight(operator: Operator, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """(weight int8, scale of each channel or of all, float64) of a layer."""
    weight = operator.constant(1, "int8")
    if weight is None or not weight.size:
        raise operator.refuse("has no weights")
    tensor, channels = operator.inputs[1], weight.shape[axis]
    assert tensor is not None, "its values were found"
    # a dense layer's axis is 0; files of one channel may name any axis
    if (tensor.scales == 0).any():
        raise operator.refuse("has a weight scale of 0", "convert the model again")
    if tensor.scales.size not in (1, channels):
        raise operator.refuse(f"has {tensor.scales.size} weight scales for {channels} channels")
    if tensor.zeros.any():
        raise operator.refuse("has weights whose zero is not 0", "convert again: int8 weights are symmetric since TensorFlow 2")
    return weight, np.asarray(tensor.scales, np.float64)


def out_signal(y: Tensor) -> dict:
    """The part of an operator's output that its file tells."""
    return dict(y_scale=y.scale, y_zero=y.zero)


def clamp(activation: str, scale: float, zero: int, dtype: str = "int8") -> tuple[int, int]:
    """The counts between which a fused activation keeps the output.

    Source: tensorflow/lite/kernels/kernel_util.cc, CalculateActivationRangeQuantized; float32, as there.
    """

    def count(real: float) -> int:
        exact = float(np.float32(real) / np.float32(scale))
        return zero + int(np.floor(abs(exact) + 0.5)) * (1 if exact >= 0 else -1)

    least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    low, high = {
        "none": (least, most),
        "relu": (count(0.0), most),
        "relu_n1_to_1": (count(-1.0), count(1.0)),
        "relu6": (count(0.0), count(6.0)),
    }[activation]
    return max(low, least), min(high, most)


def activate(real: np.ndarray, activation: str, scale: float, zero: int, dtype: str = "int8") -> np.ndarray:
    """The textbook's activation, and the range of the type at this scale."""
    low, high = {"none": (-np.inf, np.inf), "relu": (0, np.inf), "relu_n1_to_1": (-1, 1), "relu6": (0, 6)}[activation]
    info = np.iinfo(dtype)
    return np.clip(np.clip(real, low, high), (info.min - zero) * scale, (info.max - zero) * scale)


def multipliers(real: np.ndarray) -> dict[str, np.ndarray]:
    """multiplier and shift of each channel, as tables."""
    pairs = [quantize_multiplier(r) for r in np.atleast_1d(real)]
    return dict(multiplier=np.array([m for m, _ in pairs], np.int32), shift=np.array([s for _, s in pairs], np.int8))


def accumulator(what: str, weight: np.ndarray, bias: np.ndarray, x_zero: int) -> np.ndarray:
    """The bias for inputs counted from -128, so that a kernel multiplies bytes: bias - sum(weight) * (x_zero + 128).

    weight: [channels, terms].  ModelError where a sum, at any point, may leave int32.
    """
    w = weight.astype(np.int64)
    folded = bias.astype(np.int64) - w.sum(axis=1) * (x_zero + 128)
    alone = 128 * np.abs(w).sum(axis=1) + SUM_START  # without the bias, as ts_groups.h adds them up
    low = np.minimum(folded + 255 * np.minimum(w, 0).sum(axis=1), -alone)
    high = np.maximum(folded + 255 * np.maximum(w, 0).sum(axis=1), alone)
    if low.min() <= -(2**31) or high.max() >= 2**31:
        raise ModelError(
            f"{what} has a channel whose sum may exceed 32 bits: {max(-int(low.min()), int(high.max()))}",
            "a bias this large is a mistake of the conversion, or a dead channel: train or convert again",
        )
    return folded.astype(np.int32)


SUM_START = 1 << 22  # TS_SUM_START of ts_requant.h: where sums begin
PAIR_LIMIT = 1 << 22  # of the first sum of two that share 64 bits, see ts_groups.h


def fits_pairs(weight: np.ndarray) -> bool:
    """Whether two inputs may share a word: no sum of weights times -128 .. 127 reaches the second."""
    return 128 * int(np.abs(weight.astype(np.int64)).sum(axis=1).max()) < PAIR_LIMIT


def by_groups(weight: np.ndarray) -> np.ndarray:
    """[channels, terms] in the order in which a core without vector instructions reads it.

    [channels / 8][terms][8], then [terms][4] where as many are left, then the rest one after the other.
    """
    eights = len(weight) // 8 * 8
    fours = len(weight) // 4 * 4
    return np.concatenate([
        weight[:eights].reshape(-1, 8, weight.shape[1]).transpose(0, 2, 1).ravel(),
        weight[eights:fours].T.ravel(),
        weight[fours:].ravel(),
    ])  # fmt: skip


def in_groups(k) -> dict[str, np.ndarray | None]:
    """Tables of a step for ts_groups.h: weights in groups, biases for inputs as they are, and words of struct ts_requant where they do."""
    weight, bias = k.weight.astype(np.int64), k.bias + 128 * k.weight.astype(np.int64).sum(axis=1)
    negative, positive = np.minimum(weight, 0).sum(axis=1), np.maximum(weight, 0).sum(axis=1)
    found = requant_words(k, bias, 127 * negative - 128 * positive, 127 * positive - 128 * negative)
    if found is None:
        return dict(weight=by_groups(k.weight), bias=bias.astype(np.int32))
    words, same = found
    return dict(weight=by_groups(np.where(same[:, None], 0, k.weight)), requant=words, bias=None, multiplier=None, shift=None)


def requant_words(k, bias: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(words of struct ts_requant, whether each channel is one number for every sum); None where a channel needs more than words tell.

    low and high: between which each channel's sum, without the bias, lies.  A channel that is one number, be it because its bias is huge,
    must get weights of 0: its words say 4 * (number - zero) halved, and halved again.
    """
    ends = narrow(k, bias + low), narrow(k, bias + high)
    same = ends[0] == ends[1]
    bias = np.where(same, 4 * (ends[0].astype(np.int64) - k.y_zero), bias)
    multiplier, right = np.where(same, 1 << 30, k.multiplier), np.where(same, 1, -k.shift.astype(np.int64))
    reach = np.where(same, 0, np.maximum(-low, high)) + np.abs(bias)
    fits = (right >= 1) & (right <= 15) & (np.abs(bias - SUM_START) < 1 << 26) & (reach < 1 << 30)
    if not fits.all() or (k.low, k.high) != (-128, 127):
        return None
    return np.stack([(bias - SUM_START) * 32 + right, multiplier], axis=1).astype(np.int32), same


def narrow(k, acc) -> np.ndarray:
    """Accumulators, channels last, to int8: each channel's requant, the zero, the activation."""
    return np.clip(requant(acc, k.multiplier, k.shift) + k.y_zero, k.low, k.high).astype(np.int8)


# --- windows over an image ------------------------------------------------------------------------------------------


def windows(
    shape: tuple[int, int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: str
) -> dict[str, int]:
    """Params of a sliding window: TFLite's output size, and how far the first window begins outside.

    Source: tensorflow/lite/kernels/padding.h, ComputePaddingHeightWidth.
    """
    sizes = {}
    for axis, x, window, step, gap in zip("yx", shape, kernel, stride, dilation):
        reach = (window - 1) * gap + 1
        y = -(-x // step) if padding == "same" else -(-(x - reach + 1) // step)
        if y < 1:
            raise ModelError(
                f"a window of {reach} does not fit an image of {'x'.join(map(str, shape))}", 'padding = "same", or a larger input'
            )
        sizes[axis] = y, max(0, (y - 1) * step + reach - x) // 2
    return dict(
        height=shape[0],
        width=shape[1],
        channels=shape[2],
        y_height=sizes["y"][0],
        y_width=sizes["x"][0],
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride_y=stride[0],
        stride_x=stride[1],
        dilation_y=dilation[0],
        dilation_x=dilation[1],
        pad_y=sizes["y"][1],
        pad_x=sizes["x"][1],
    )


def gathered(place: dict[str, int]) -> bool:
    """Whether a row of some window lies partly outside of the image, or has gaps."""

    def outside(axis: str, x: str) -> bool:
        reach = (place[f"y_{x}"] - 1) * place[f"stride_{axis}"] + (place[f"kernel_{x}"] - 1) * place[f"dilation_{axis}"] + 1
        return place[f"pad_{axis}"] > 0 or reach - place[f"pad_{axis}"] > place[x]

    return outside("y", "height") or outside("x", "width") or (place["dilation_x"] > 1 and place["kernel_width"] > 1)


def gap(place: dict[str, int], outputs: int, at_once: int) -> int:
    """Step.gap of a window that slides over an image of bytes: how far y must begin before x.

    `at_once` windows are read while what they give is written, outputs bytes each: then no later window may begin below that.
    """
    pixels = place["y_height"] * place["y_width"]
    row, column = np.divmod(np.arange(pixels, dtype=np.int64), place["y_width"])
    first = np.maximum(row * place["stride_y"] - place["pad_y"], 0) * place["width"]
    first = (first + np.maximum(column * place["stride_x"] - place["pad_x"], 0)) * place["channels"]
    needed = np.minimum.accumulate(first[::-1])[::-1][::at_once]
    written = np.minimum(np.arange(len(needed)) * at_once + at_once, pixels) * outputs
    return int((written - needed).max())


def padded(step: Step, x: Signal, shape: tuple[int, int], before: tuple[int, int]) -> Step:
    """A step of windows that reads an image of `shape` which another step would have padded with its zero: `before` rows and columns."""
    height, width = shape
    place = step.params | dict(
        height=height, width=width, pad_y=step.params["pad_y"] + before[0], pad_x=step.params["pad_x"] + before[1]
    )
    inplace = step.inplace and place["y_height"] <= height and place["y_width"] <= width
    at_once = None if step.gap is None else gap(place, step.y.shape[-1], 2)
    return replace(step, x=(x,), params=place, inplace=inplace, gap=at_once)


def slide(k, x: np.ndarray, outside) -> np.ndarray:
    """All windows of images [n, height, width, channels]: a view [n, y_height, y_width, kernel_height, kernel_width, channels].

    What lies outside the image is `outside`.
    """
    n = len(x)
    high = max((k.y_height - 1) * k.stride_y + (k.kernel_height - 1) * k.dilation_y + 1 - k.pad_y, k.height)
    wide = max((k.y_width - 1) * k.stride_x + (k.kernel_width - 1) * k.dilation_x + 1 - k.pad_x, k.width)
    padded = np.pad(
        x.reshape(n, k.height, k.width, k.channels),
        ((0, 0), (k.pad_y, high - k.height), (k.pad_x, wide - k.width), (0, 0)),
        constant_values=outside,
    )
    a, b, c, d = padded.strides
    return np.lib.stride_tricks.as_strided(
        padded,
        (n, k.y_height, k.y_width, k.kernel_height, k.kernel_width, k.channels),
        (a, b * k.stride_y, c * k.stride_x, b * k.dilation_y, c * k.dilation_x, d),
        writeable=False,
    )


def in_parts(x: np.ndarray, bytes_each: int):
    """Slices of a batch whose working memory stays near 32 MB."""
    count = max(1, (1 << 25) // max(1, bytes_each))
    return (x[i : i + count] for i in range(0, max(1, len(x)), count))
