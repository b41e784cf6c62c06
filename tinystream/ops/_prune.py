"""Take channels out of a model that no input can change, and those that only they read; every output keeps its bits.

Training with ReLU and weight decay leaves channels behind that are one value for every input.  Nobody sees them in the file, and an
interpreter computes them each time.  Here an interval is followed through the graph: between which counts each channel of each
tensor can lie, exactly for a dense layer or convolution whose inputs lie in their intervals.  A channel whose interval is one value v is
a constant: what reads it gets weight * (v - zero) in its bias instead, and the channel is not computed.  In the visual wake word of
MLPerf Tiny that is half of the products and four fifths of the weights.

What may lose a channel: what CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED give, also where pools, tables and RESHAPE pass it on.  Where a
window may lie outside of the image, only a constant that equals the zero can go, since there is none of it outside.  Channels go by fours
(of the constant ones some stay), as kernels take them.

Source: ours; interval arithmetic as in Moore, Interval Analysis, 1966, on integers, so without rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tinystream.ops._shared import clamp, multipliers
from tinystream.plan.fixed import requant
from tinystream.plan.model import Model
from tinystream.plan.operator import ALIASES, Operator, Tensor, code
from tinystream.plan.signal import Signal

TOGETHER = 4  # channels that a kernel takes at once
LAYERS = ("conv_2d", "depthwise_conv_2d", "fully_connected")
POOLS = ("average_pool_2d", "max_pool_2d")
TABLES = ("relu", "relu6", "leaky_relu", "hard_swish", "logistic", "tanh", "abs")


@dataclass(frozen=True)
class Range:
    """Between which counts each channel (the last axis) of a tensor lies, for every input."""

    low: np.ndarray
    high: np.ndarray

    @property
    def constant(self) -> np.ndarray:
        return self.low == self.high


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution or dense layer.  weight is [outputs, taps, inputs], of a depthwise one [outputs, taps]."""

    operator: Operator
    weight: np.ndarray
    bias: np.ndarray
    known: Any
    bordered: bool

    @property
    def depthwise(self) -> bool:
        return self.operator.kind == "depthwise_conv_2d"

    @classmethod
    def of(cls, operator: Operator) -> Layer | None:
        """None where it is of another kind, or its shape is not one that this module understands."""
        if operator.kind not in LAYERS or operator.dtype != "int8":
            return None
        known = code(operator).read(operator)
        weight, x = known.weight.astype(np.int64), operator.flowing[0]
        if operator.kind == "depthwise_conv_2d":
            if weight.shape[2] != x.shape[-1]:
                return None
            weight = weight.reshape(-1, weight.shape[2]).T
        elif operator.kind == "fully_connected":
            channels = x.shape[-1] if x.shape else 0
            if not channels or weight.shape[1] % channels:
                return None
            weight = weight.reshape(len(weight), -1, channels)
        else:
            weight = weight.reshape(len(weight), -1, weight.shape[3])
        return cls(operator, weight, known.bias.astype(np.int64), known, getattr(known, "padding", "valid") == "same")

    def range_of(self, x: Range) -> Range:
        """What it gives for what lies in x: the extremes of its sums, requantised as they would be (which keeps their order)."""
        t, zero = self.known, self.operator.flowing[0].zero
        low, high = (np.minimum(x.low, zero), np.maximum(x.high, zero)) if self.bordered else (x.low, x.high)
        up, down = np.maximum(self.weight, 0), np.minimum(self.weight, 0)
        near, far = low.astype(np.int64) - zero, high.astype(np.int64) - zero
        if self.depthwise:
            sums = (up * near[:, None] + down * far[:, None]).sum(1), (up * far[:, None] + down * near[:, None]).sum(1)
        else:
            sums = (up @ near + down @ far).sum(1), (up @ far + down @ near).sum(1)
        scale = np.broadcast_to(self.multiplier(), len(self.weight))
        told = multipliers(scale)
        limits = clamp(t.activation, t.y_scale, t.y_zero)
        ends = [np.clip(requant(self.bias + s, told["multiplier"], told["shift"]) + t.y_zero, *limits) for s in sums]
        return Range(ends[0], ends[1])

    def multiplier(self) -> np.ndarray | float:
        x = self.operator.flowing[0]
        signal = Signal(x.dims, x.dtype, Fraction(1), x.scale, x.zero)
        product = self.known.product(signal) if hasattr(self.known, "product") else x.scale * self.known.weight_scale
        return product / self.known.y_scale


def pruned(model: Model) -> Model:
    """The same model without channels that no input can change; its outputs are the same for every input."""
    search = Search(model)
    search.follow()
    keep = search.kept()
    if all(mask.all() for mask in keep.values()):
        return model
    smaller = {i: without(search.tensors[i], mask) for i, mask in keep.items()}
    operators = tuple(rewritten(op, search, keep, smaller) if op in search.reached else op for op in model.operators)
    return replace(model, operators=operators)


def without(tensor: Tensor, mask: np.ndarray) -> Tensor:
    return replace(tensor, shape=(*tensor.shape[:-1], int(mask.sum())))


@dataclass
class Search:
    """What is known of each tensor that flows, by its index."""

    model: Model
    tensors: dict[int, Tensor] = field(default_factory=dict)
    ranges: dict[int, Range] = field(default_factory=dict)
    makers: dict[int, Operator] = field(default_factory=dict)
    readers: dict[int, list[Operator]] = field(default_factory=dict)
    layers: dict[Operator, Layer] = field(default_factory=dict)
    reached: set[Operator] = field(default_factory=set)

    def follow(self) -> None:
        for t in self.model.inputs:
            self.tensors[t.index] = t
            self.ranges[t.index] = whole(t)
        for op in self.model.needed:
            self.reached.add(op)
            self.tensors[op.y.index], self.makers[op.y.index] = op.y, op
            for t in op.flowing:
                self.readers.setdefault(t.index, []).append(op)
            layer = Layer.of(op)
            if layer:
                self.layers[op] = layer
            self.ranges[op.y.index] = self.range_of(op, layer)

    def range_of(self, op: Operator, layer: Layer | None) -> Range:
        x = op.flowing[0]
        known = self.ranges[x.index]
        if layer:
            return layer.range_of(known)
        if op.dtype != "int8" or op.y.dtype != "int8":
            return whole(op.y)
        if op.kind in ALIASES:
            return Range(np.tile(known.low, n), np.tile(known.high, n)) if (n := repeated(x, op.y)) else whole(op.y)
        if op.kind in POOLS:
            low, high = clamp(code(op).read(op).activation, op.y.scale, op.y.zero)
            return Range(np.clip(known.low, low, high), np.clip(known.high, low, high))
        if op.kind in TABLES:
            return through(answers(op), known)
        return whole(op.y)

    # --- which channels stay ------------------------------------------------------------------------------------------

    def kept(self) -> dict[int, np.ndarray]:
        """Of each tensor the channels that stay.

        Begun with what is read for its value and grown until every operator that passes channels on, one by one, keeps the same on both
        sides.
        """
        keep = {i: np.zeros(len(r.low), bool) for i, r in self.ranges.items()}
        for t in [*self.model.inputs, *self.model.outputs]:
            keep[t.index][:] = True
        while True:
            before = {i: mask.copy() for i, mask in keep.items()}
            for op in reversed(self.model.needed):
                self.ask(op, keep)
            for mask in keep.values():
                round_up(mask)
            if all((mask == before[i]).all() for i, mask in keep.items()):
                return keep

    def ask(self, op: Operator, keep: dict[int, np.ndarray]) -> None:
        """Mark what `op` needs of its inputs, and what it cannot help giving."""
        y, x = keep[op.y.index], op.flowing[0]
        layer = self.layers.get(op)
        if layer and not layer.depthwise:
            known = self.ranges[x.index]
            foldable = known.constant & ((known.low == x.zero) | (not layer.bordered))
            keep[x.index] |= ~foldable & layer.weight[y].any(axis=(0, 1))
        elif layer or (op.dtype == "int8" and op.kind in (*POOLS, *TABLES)):
            y |= keep[x.index]
            keep[x.index] |= y
        elif op.kind in ALIASES and (n := repeated(x, op.y)):
            # a channel that is spread over several places of y goes only if all of them do
            keep[x.index] |= y.reshape(n, -1).any(axis=0)
            y |= np.tile(keep[x.index], n)
        else:
            y[:] = True
            for t in op.flowing:
                keep[t.index][:] = True


def whole(t: Tensor) -> Range:
    limits = np.iinfo(t.dtype)
    channels = t.shape[-1] if t.shape else 1
    return Range(np.full(channels, limits.min, np.int64), np.full(channels, limits.max, np.int64))


def round_up(mask: np.ndarray) -> None:
    """Keep so many of the others that whole groups stay, and one group at least."""
    wanted = min(len(mask), max(TOGETHER, -(-int(mask.sum()) // TOGETHER) * TOGETHER))
    mask[np.flatnonzero(~mask)[: wanted - int(mask.sum())]] = True


def repeated(x: Tensor, y: Tensor) -> int:
    """How often the last axis of x lies in the last axis of y, side by side; 0 where a reshape does something else with it."""
    if not x.shape or not y.shape or y.shape[-1] % x.shape[-1]:
        return 0
    return y.shape[-1] // x.shape[-1]


def answers(op: Operator) -> np.ndarray:
    """What an operator that is a table gives for -128 to 127."""
    x = op.flowing[0]
    step = code(op).read(op).plan(Signal(x.dims, x.dtype, Fraction(1), x.scale, x.zero))
    return step.tables["table"].astype(np.int64)


def through(table: np.ndarray, x: Range) -> Range:
    parts = [table[low + 128 : high + 129] for low, high in zip(x.low, x.high)]
    return Range(np.array([p.min() for p in parts]), np.array([p.max() for p in parts]))


# --- rewriting ----------------------------------------------------------------------------------------------------------


def rewritten(op: Operator, search: Search, keep: dict[int, np.ndarray], smaller: dict[int, Tensor]) -> Operator:
    """The operator between the smaller tensors."""
    inputs = [smaller[t.index] if t is not None and t.index in smaller else t for t in op.inputs]
    layer = search.layers.get(op)
    if layer:
        inputs = fewer_weights(op, layer, search, keep, inputs)
    return replace(op, inputs=tuple(inputs), outputs=(smaller[op.y.index],))


def fewer_weights(op: Operator, layer: Layer, search: Search, keep: dict[int, np.ndarray], inputs: Sequence[Tensor | None]) -> list:
    x, weight = op.flowing[0], inputs[1]
    assert weight is not None and weight.data is not None, "a layer that was read has weights"
    y, values = keep[op.y.index], weight.data.reshape(weight.shape)
    bias = layer.bias[y]
    if layer.depthwise:
        values = values[..., y]
    else:
        mask, known = keep[x.index], search.ranges[x.index]
        gone = np.where(mask, 0, known.low - x.zero)
        bias = bias + (layer.weight[y] @ gone).sum(axis=1)
        values = values.reshape(*layer.weight.shape)[y][:, :, mask]
        shape = (len(bias), -1) if op.kind == "fully_connected" else (len(bias), *weight.shape[1:3], int(mask.sum()))
        values = values.reshape(shape)
    if np.abs(bias).max(initial=0) >= 2**31:
        raise op.refuse("has a bias that exceeds 32 bits where constants are folded into it")
    scales, zeros = ((a[y] if a.size > 1 else a) for a in (weight.scales, weight.zeros))
    made = replace(weight, shape=values.shape, data=values, scales=scales, zeros=zeros)
    return [inputs[0], made, bias_tensor(op, bias.astype(np.int32))]


def bias_tensor(op: Operator, values: np.ndarray) -> Tensor:
    given = op.inputs[2] if len(op.inputs) > 2 else None
    if given is None:
        return Tensor(-1, "", values.shape, "int32", np.empty(0), np.empty(0), 0, values)
    return replace(given, shape=values.shape, data=values, scales=np.empty(0), zeros=np.empty(0))


def removed(before: Model, after: Model) -> Iterable[tuple[str, int, int]]:
    """(operator, channels before, channels after) of what lost some, for people."""
    smaller = {op.index: op for op in after.operators if op.kind in LAYERS}
    for op in before.operators:
        if op.kind in LAYERS and op.index in smaller and smaller[op.index].y.shape != op.y.shape:
            yield op.label, op.y.shape[-1], smaller[op.index].y.shape[-1]
