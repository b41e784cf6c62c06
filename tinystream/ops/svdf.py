"""TFLite SVDF, int8: a dense layer whose outputs are remembered, and filtered over time.

    state[f] = state[f][1:], sat8(requant(sum over i of feature[f, i] * (x[i] - x_zero), multiplier1, shift1)) + state_zero
    acc[u] = bias[u] + sum over its filters f and m of time[f, m] * (state[f, m] - state_zero),   rank filters for each u
    y[u] = sat8(requant(acc[u], multiplier2, shift2) + y_zero)

The new value of the state wraps around in int8 where adding state_zero leaves it, as TFLM's does.  The state starts at
state_zero.  RELU, the only activation there is, lies in y's zero: TFLM computes none.

Source: tflite-micro, svdf_common.cc, EvalIntegerSvdfReference.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._shared import activate, out_signal
from tinystream.ops.svdf_int16 import SvdfInt16
from tinystream.plan.fixed import quantize_multiplier, requant, sat8
from tinystream.plan.operator import Operator, Tensor
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

RANK = 0  # slot of SVDFOptions


@dataclass(frozen=True, eq=False)
class Svdf:
    """feature is [filters, inputs], time is [filters, memory], bias [units]; units * rank = filters."""

    feature: np.ndarray
    time: np.ndarray
    bias: np.ndarray
    feature_scale: float
    time_scale: float
    state_scale: float
    state_zero: int
    y_scale: float
    y_zero: int

    @classmethod
    def read(cls, operator: Operator) -> Svdf | SvdfInt16:
        """Svdf, or SvdfInt16 where the state is int16."""
        rank, state = operator.option(RANK), operator.inputs[4] if len(operator.inputs) > 4 else None
        wide = state is not None and state.dtype == "int16" and state.zero == 0
        feature, bias = operator.constant(1, "int8"), operator.constant(3, "int32")
        time = operator.constant(2, "int16" if wide else "int8")
        if feature is None or time is None or feature.ndim != 2 or time.ndim != 2 or len(feature) != len(time) or not time.size:
            raise operator.refuse("has no weights [filters, inputs] and [filters, memory]")
        if rank < 1 or len(feature) % rank or feature.shape[1] != operator.flow().size:
            raise operator.refuse(f"has rank {rank} of {len(feature)} filters for {operator.flow()}")
        units = len(feature) // rank
        bias = np.zeros(units, np.int32) if bias is None else bias.ravel()
        if state is None or not (wide or state.dtype == "int8") or not state.quantised or state.size != time.size or bias.size != units:
            raise operator.refuse("has no state of int8 or int16, or as many biases as units", "convert with full integer quantisation")
        feature_scale, time_scale = (one_scale(operator, operator.inputs[i]) for i in (1, 2))
        if wide:
            return SvdfInt16(feature, time, bias, feature_scale, time_scale, state.scale, **out_signal(operator.y))
        return cls(feature, time, bias, feature_scale, time_scale, state.scale, state.zero, **out_signal(operator.y))

    def plan(self, x: Signal) -> Step:
        filters, inputs = self.feature.shape
        first = quantize_multiplier(float(np.float32(x.scale) * np.float32(self.feature_scale) / np.float32(self.state_scale)))
        second = quantize_multiplier(float(np.float32(self.state_scale) * np.float32(self.time_scale) / np.float32(self.y_scale)))
        fold = -(x.zero + 128) * self.feature.astype(np.int64).sum(axis=1)
        self.check(255 * np.abs(self.feature.astype(np.int64)).sum(axis=1), first[1])
        reach = 255 * np.abs(self.time.astype(np.int64)).sum(axis=1).reshape(len(self.bias), -1).sum(axis=1)
        self.check(reach + np.abs(self.bias.astype(np.int64)), second[1])
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((len(self.bias),), "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(inputs=inputs, filters=filters, memory=self.time.shape[1], units=len(self.bias), state_zero=self.state_zero,
                        y_zero=self.y_zero, multiplier1=first[0], shift1=first[1], multiplier2=second[0], shift2=second[1]),
            tables=dict(feature=self.feature, time=self.time, fold=fold.astype(np.int32), bias=self.bias),
            state=dict(past=np.full(self.time.shape, self.state_zero, np.int8)),
            scratch=dict(bytes=("uint8", inputs), acc=("int32", filters)),
            cost=dict(mac8=self.feature.size + self.time.size, requant=filters + len(self.bias), mem=2 * self.time.size),
            says=f"{filters} filters over {self.time.shape[1]} blocks, to {len(self.bias)}",
        )

    def check(self, reach: np.ndarray, shift: int) -> None:
        """Sums, shifted left, must fit 32 bits."""
        if int(reach.max()) << max(shift, 0) >= 2**31:
            raise ModelError(f"an SVDF layer has a sum that may exceed 32 bits: {int(reach.max()) << max(shift, 0)}",
                             "a bias or scale this large is a mistake of the conversion: train or convert again")

    def ideal(self, x, blocks):
        """The textbook's filter over time, of what the features are at the state's own scale."""
        features = blocks.reshape(len(blocks), -1) @ (self.feature * self.feature_scale).T
        features = activate(features, "none", self.state_scale, 0)
        memory = self.time.shape[1]
        stream = np.concatenate([np.zeros((memory - 1, len(self.time))), features])
        windows = np.lib.stride_tricks.sliding_window_view(stream, memory, axis=0)
        acc = np.einsum("nfm,fm->nf", windows, self.time * self.time_scale).reshape(len(blocks), len(self.bias), -1).sum(axis=2)
        return activate(acc + self.bias * self.state_scale * self.time_scale, "none", self.y_scale, self.y_zero)


def one_scale(operator: Operator, tensor: Tensor | None) -> float:
    if tensor is None or tensor.scales.size != 1 or not tensor.scale > 0 or tensor.zero:
        raise operator.refuse("has weights with several scales, or a zero that is not 0", "convert the model again")
    return tensor.scale


BOUND = 4.0  # counts: each of the remembered features is rounded to int8, and the examples' time weights add them up


def run(k, s, x):
    return run_many(k, s, x[None])[1][0]


def run_many(k, s, x):
    """The same for many blocks."""
    acc = (x.reshape(len(x), -1) + 128.0) @ k.feature.T.astype(np.float64)  # below 2**53: exact
    feature = (sat8(requant(acc.astype(np.int64) + k.fold, k.multiplier1, k.shift1)).astype(np.int64) + k.state_zero).astype(np.int8)
    stream = np.concatenate([s.past, feature.T], axis=1)
    s.past = stream[:, len(x) :].copy()
    windows = np.lib.stride_tricks.sliding_window_view(stream, k.memory, axis=1)[:, 1:]
    time = np.einsum("fnm,fm->nf", windows.astype(np.int64) - k.state_zero, k.time.astype(np.int64))
    y = k.bias + time.reshape(len(x), k.units, -1).sum(axis=2)
    return np.ones(len(x), bool), sat8(requant(y, k.multiplier2, k.shift2) + k.y_zero)


def _example(inputs, units, rank, memory, seed, *, state_scale=0.05, state_zero=0, y_zero=4, y_scale=0.4):
    rng = np.random.default_rng(seed)
    feature = rng.integers(-127, 128, (units * rank, inputs)).astype(np.int8)
    time = rng.integers(-127, 128, (units * rank, memory)).astype(np.int8)
    bias = rng.integers(-900, 900, units).astype(np.int32)
    scale = float(np.float32(0.02 / np.sqrt(inputs)))
    layer = Svdf(feature, time, bias, scale, float(np.float32(0.01)), float(np.float32(state_scale)), state_zero, y_scale, y_zero)
    return layer, Signal((inputs,), "int8", Fraction(30), float(np.float32(0.05)), -7)


EXAMPLES = [
    _example(12, 6, 1, 5, 0),
    _example(7, 5, 2, 8, 1, y_zero=-128),
    _example(9, 4, 1, 1, 2, y_scale=0.03),
    _example(5, 3, 2, 4, 3, state_scale=0.2, state_zero=20),        # no feature wraps: that would be far from the textbook
]
