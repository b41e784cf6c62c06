"""TFLite SVDF, int8 with a state and weights over time of int16: a dense layer whose outputs are remembered, and filtered over time.

    state[f] = state[f][1:], sat16(requant(sum over i of feature[f, i] * (x[i] - x_zero), multiplier1, shift1))
    acc[u] = bias[u] + sum over its filters f and m of time[f, m] * state[f, m],   rank filters for each u
    y[u] = sat8(requant(acc[u], multiplier2, shift2) + y_zero)

acc wraps around in 32 bits, as TFLM's does where weights are large: a product alone has 31.  The state starts at 0.  RELU, the only
activation there is, lies in y's zero: TFLM computes none.  ops/svdf.py is the same with a state of int8.

Source: tflite-micro, svdf_common.cc, EvalIntegerSvdfReference.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tinystream.errors import ModelError
from tinystream.ops._shared import activate
from tinystream.plan.fixed import quantize_multiplier, requant, sat8, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True, eq=False)
class SvdfInt16:
    """feature is [filters, inputs], time is [filters, memory], bias [units]; units * rank = filters.  read() is Svdf's."""

    feature: np.ndarray
    time: np.ndarray
    bias: np.ndarray
    feature_scale: float
    time_scale: float
    state_scale: float
    y_scale: float
    y_zero: int

    def plan(self, x: Signal) -> Step:
        filters, inputs = self.feature.shape
        first = quantize_multiplier(float(np.float32(x.scale) * np.float32(self.feature_scale) / np.float32(self.state_scale)))
        second = quantize_multiplier(float(np.float32(self.state_scale) * np.float32(self.time_scale) / np.float32(self.y_scale)))
        reach = 255 * int(np.abs(self.feature.astype(np.int64)).sum(axis=1).max())
        if reach << max(first[1], 0) >= 1 << 31 or second[1] > 0:
            raise ModelError("an SVDF layer has a sum that may exceed 32 bits", "a scale this large is a mistake of the conversion")
        fold = -(x.zero + 128) * self.feature.astype(np.int64).sum(axis=1)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((len(self.bias),), "int8", x.rate_hz, self.y_scale, self.y_zero),
            params=dict(inputs=inputs, filters=filters, memory=self.time.shape[1], units=len(self.bias), y_zero=self.y_zero,
                        multiplier1=first[0], shift1=first[1], multiplier2=second[0], shift2=second[1]),
            tables=dict(feature=self.feature, time=self.time, fold=fold.astype(np.int32), bias=self.bias),
            state=dict(past=np.zeros(self.time.shape, np.int16)),
            scratch=dict(bytes=("uint8", inputs), acc=("int32", filters)),
            cost=dict(mac8=self.feature.size, mac16=self.time.size, requant=filters + len(self.bias), mem=4 * self.time.size),
            says=f"{filters} filters over {self.time.shape[1]} blocks, to {len(self.bias)}",
        )

    def ideal(self, x, blocks):
        """The textbook's filter over time."""
        features = blocks.reshape(len(blocks), -1) @ (self.feature * self.feature_scale).T
        features = np.clip(features, -32768 * self.state_scale, 32767 * self.state_scale)
        memory = self.time.shape[1]
        stream = np.concatenate([np.zeros((memory - 1, len(self.time))), features])
        windows = np.lib.stride_tricks.sliding_window_view(stream, memory, axis=0)
        acc = np.einsum("nfm,fm->nf", windows, self.time * self.time_scale).reshape(len(blocks), len(self.bias), -1).sum(axis=2)
        return activate(acc + self.bias * self.state_scale * self.time_scale, "none", self.y_scale, self.y_zero)


BOUND = 1.1  # counts: half from each of the two roundings of y; those of the state are much finer


def run(k, s, x):
    return run_many(k, s, x[None])[1][0]


def run_many(k, s, x):
    """The same for many blocks."""
    acc = (x.reshape(len(x), -1) + 128.0) @ k.feature.T.astype(np.float64)  # below 2**53: exact
    feature = sat16(requant(acc.astype(np.int64) + k.fold, k.multiplier1, k.shift1))
    stream = np.concatenate([s.past, feature.T], axis=1)
    s.past = stream[:, len(x) :].copy()
    windows = np.lib.stride_tricks.sliding_window_view(stream, k.memory, axis=1)[:, 1:]
    time = np.einsum("fnm,fm->nf", windows.astype(np.int64), k.time.astype(np.int64))
    y = (k.bias + time.reshape(len(x), k.units, -1).sum(axis=2)).astype(np.int32)  # which wraps
    return np.ones(len(x), bool), sat8(requant(y, k.multiplier2, k.shift2) + k.y_zero)


def _example(inputs, units, rank, memory, seed, *, feature=127, time=3000, bias=900000, y_zero=4, y_scale=0.4):
    rng = np.random.default_rng(seed)
    feature = rng.integers(-feature, feature + 1, (units * rank, inputs)).astype(np.int8)
    time = rng.integers(-time, time + 1, (units * rank, memory)).astype(np.int16)
    bias = rng.integers(-bias, bias, units).astype(np.int32)
    of_feature, of_time, of_state = (float(np.float32(v)) for v in (0.02 / np.sqrt(inputs), 0.0004, 0.0002))
    layer = SvdfInt16(feature, time, bias, of_feature, of_time, of_state, y_scale, y_zero)
    return layer, Signal((inputs,), "int8", Fraction(30), float(np.float32(0.05)), -7)


EXAMPLES = [
    _example(12, 6, 1, 5, 0),
    _example(7, 5, 2, 8, 1, y_zero=-128),
    _example(9, 4, 1, 1, 2, y_scale=0.03),
    _example(2, 6, 1, 3, 3, feature=1, time=1, bias=9, y_scale=8.1e-8),      # a count of a sum is about a count of y
]
