"""What operators share that make one value of many along axes."""

from __future__ import annotations

from itertools import groupby
from math import prod

from tinystream.plan.operator import Operator, same_scale
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step

Span = tuple[int, int, int]
"""(outer, n, inner): x is [outer][n][inner], y is [outer][inner]."""


def read_span(operator: Operator) -> Span:
    """How the axes that an operator reduces lie in its input; they must be neighbours, but for axes of length 1."""
    x, axes = operator.flow(), operator.constant(1, "int32")
    rank = len(x.shape)
    if axes is None or any(not -rank <= a < rank for a in axes.ravel()[:9].tolist()):
        raise operator.refuse(f"has no axes, or others than the {rank} there are")
    reduced = {int(a) % rank for a in axes.ravel()[:9]}
    long = [(n in reduced, size) for n, size in enumerate(x.shape) if size != 1]
    groups = [(inside, prod(size for _, size in group)) for inside, group in groupby(long, key=lambda axis: axis[0])]
    outer = groups.pop(0)[1] if groups and not groups[0][0] else 1
    n = groups.pop(0)[1] if groups else 1
    inner = groups.pop(0)[1] if groups else 1
    if groups or not outer * n * inner:
        raise operator.refuse(f"reduces axes {sorted(reduced)} of {list(x.shape)}; neighbouring axes are supported", "transpose before it")
    return outer, n, inner


def span_shape(span: Span) -> tuple[int, ...]:
    """The shape of y, without axes of length 1."""
    outer, _, inner = span
    return tuple(size for size in (outer, inner) if size != 1) or (1,)


def read_choice(operator: Operator) -> Span:
    """read_span of an operator that gives one of the values it reads."""
    if not same_scale(operator.flow(), operator.y):
        raise operator.refuse("changes the scale", "convert the model again")
    return read_span(operator)


def choice_step(module: str, x: Signal, span: Span, which: str) -> Step:
    """The step of an operator that gives one of n values, of int8."""
    outer, n, inner = span
    return Step(
        module=module,
        x=(x,),
        y=Signal(span_shape(span), "int8", x.rate_hz, x.scale, x.zero),
        params=dict(outer=outer, n=n, inner=inner),
        cost=dict(add=x.size, mem=x.size),
        says=f"{which} of {n}",
    )
