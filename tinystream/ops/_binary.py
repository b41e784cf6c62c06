"""What operators of two tensors share: which of them is repeated along which axes, and which is constant."""

from __future__ import annotations

from itertools import groupby
from math import prod
from typing import NamedTuple

import numpy as np

from tinystream.plan.operator import Operator, Tensor, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


class Spread(NamedTuple):
    """How the smaller tensor, [outer, inner], is repeated: large[o, r, i] meets small[o, i]."""

    outer: int
    repeat: int
    inner: int

    def params(self) -> dict[str, int]:
        return self._asdict()

    def expand(self, small: np.ndarray, batch: int) -> np.ndarray:
        """small [batch, outer * inner], repeated to [batch, outer, repeat, inner]: a view."""
        shape = (batch, self.outer, self.repeat, self.inner)
        return np.broadcast_to(small.reshape(len(small), self.outer, 1, self.inner), shape)


def spread_of(k) -> Spread:
    """A Spread from the params of a step."""
    return Spread(k.outer, k.repeat, k.inner)


def find_spread(large: tuple[int, ...], small: tuple[int, ...]) -> Spread | None:
    """How `small` is repeated to the shape of `large`, by TFLite's rule: axes from the right, 1 meets anything.  None if it cannot."""
    if len(small) > len(large):
        return None
    small = (1,) * (len(large) - len(small)) + tuple(small)
    if any(s not in (1, n) for s, n in zip(small, large)):
        return None
    axes = [(s == n, n) for s, n in zip(small, large) if n != 1]
    groups = [(same, prod(n for _, n in group)) for same, group in groupby(axes, key=lambda axis: axis[0])]
    if all(same for same, _ in groups):
        return Spread(1, 1, prod(large))
    outer = groups.pop(0)[1] if groups[0][0] else 1
    repeat = groups.pop(0)[1]
    inner = groups.pop(0)[1] if groups else 1
    return None if groups else Spread(outer, repeat, inner)


class Constant(NamedTuple):
    """An operand that is known at plan time: its values, counted from its zero, and their scale."""

    values: np.ndarray
    scale: float
    zero: int


def read_pair(operator: Operator) -> tuple[Spread, int, Constant | None]:
    """(spread, which input is repeated, that input where it is a constant) of an operator of two int8 tensors."""
    x = [t for t in operator.inputs if t is not None]
    if len(x) != 2 or len(operator.inputs) != 2:
        raise operator.refuse(f"has {len(x)} inputs, where two belong")
    known = [i for i in (0, 1) if x[i].data is not None]
    for small in known[:1] or (1, 0):
        spread = find_spread(x[1 - small].shape, x[small].shape)
        if spread and x[1 - small].size == operator.y.size:
            operator.flow(1 - small)
            return spread, small, read_constant(operator, x[small]) if known else None
    raise operator.refuse(
        f"takes shapes {list(x[0].shape)} and {list(x[1].shape)}; one must be a part of the other that is repeated along neighbouring axes"
    )


def read_constant(operator: Operator, tensor: Tensor) -> Constant:
    if tensor.data is None or not tensor.quantised or tensor.dtype != operator.dtype:
        raise operator.refuse(f"has the constant '{tensor.name}' of type {tensor}; {operator.dtype} with one scale is supported")
    return Constant(tensor.data.astype(np.int64).ravel() - tensor.zero, tensor.scale, tensor.zero)


def read_same_scale(operator: Operator) -> tuple[Spread, int, np.ndarray | None]:
    """read_pair of an operator that compares counts; the constant as counts."""
    spread, small, constant = read_pair(operator)
    if not all(same_scale(t, operator.y) for t in operator.inputs if t):
        raise operator.refuse("compares values of different scales", "convert the model again")
    return spread, small, None if constant is None else constant.values + constant.zero


def pair_step(module: str, spread: Spread | None, small: int, a: Signal, b: Signal, says: str) -> Step:
    """The step of an operator that keeps the scale of both."""
    order = (1 - small, small)
    large = (a, b)[order[0]]
    return Step(
        module=module,
        x=tuple((a, b)[i] for i in order),
        y=Signal(large.shape, large.dtype, large.rate_hz, large.scale, large.zero),
        params=pair_spread(spread, a, b).params(),
        sources=tuple(-1 - i for i in order),
        inplace=True,
        cost=dict(add=large.size, mem=3 * large.size),
        says=says,
    )


def pair_spread(spread: Spread | None, a: Signal, b: Signal) -> Spread:
    """The spread that was told, or that of equal shapes."""
    return spread or Spread(1, 1, max(a.size, b.size))
