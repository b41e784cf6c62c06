"""Scores of decision trees: one tree, a random forest, boosted trees or an isolation forest.

Each tree is walked from its root: left where x[feature] <= threshold, else right, to a leaf with a row of values.

    output = "probability"   y = mean of the rows over all trees, int16 in Q15: a probability of each class
    output = "sum"           y = base + sum of the rows, int32: boosted trees (in log odds), regressions
    output = "isolation"     y = 2**(-mean / usual_depth), int16 in Q15: near 1 is alone, near 0.5 and below is among others;
                             rows hold one value, the depth of a leaf (and what it would take to split it up further)

Thresholds are whole counts of x, and exact: a count goes left where its real value, in float64 (or float32, where that is what
`compare` says), is <= the threshold, for every count there is.  Nodes that no count, or every count, passes are left out.

Nodes lie one behind the other, a left child behind its parent: feature, threshold (as wide as x) and how far on the right child is.  A leaf
has feature -1 and the index of its row; equal rows are stored once, in Q14 for probabilities.

Source: Breiman et al., Classification and Regression Trees, 1984; Breiman, Random Forests, 2001; Friedman, Greedy function approximation,
2001; Liu, Ting and Zhou, Isolation Forest, 2008, eq. 2.  Integers: ours.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, log2
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import rshift, sat16
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Definition, Fitted
from tinystream.plan.step import Step
from tinystream.stages._exp2 import EXP2_TABLE, exp2_q30
from tinystream.stages._standard import Row, features, type_of

MOST = (1 << 16) - 1
"""Nodes of a tree, rows of a forest."""


class Tree(Definition):
    """One tree, by node: node 0 is the root, and feature -1 is a leaf."""

    feature: tuple[int, ...] = Field(default=(), description="which value each node looks at; -1 is a leaf")
    threshold: tuple[float, ...] = Field(default=(), description="left is what is not above it, in real units")
    left: tuple[int, ...] = Field(default=(), description="node to the left")
    right: tuple[int, ...] = Field(default=(), description="node to the right")
    value: tuple[Row, ...] = Field(default=(), description="what each leaf says; of other nodes it is not looked at")


class Forest(Fitted):
    """Scores of decision trees: one tree, a random forest, boosted trees or an isolation forest."""

    FITTED: ClassVar[tuple[str, ...]] = ("trees",)
    trees: tuple[Tree, ...] | None = Field(default=None, description="each with feature, threshold, left, right and value, by node")
    output: Literal["probability", "sum", "isolation"] = Field(default="probability", description="what becomes of the leaves' values")
    base: Row | None = Field(default=None, description='added to each score, with output = "sum"; 0 where nothing is said')
    usual_depth: float | None = Field(default=None, ge=1, description='mean depth of usual values, for output = "isolation"')
    compare: Literal["float64", "float32"] = Field(default="float64", description="how real values were compared where it was fitted")

    def plan(self, x: Signal) -> Step:
        type_ = type_of(x, self.kind)
        count = self._check(x)
        planned = [self._nodes(i, tree, x) for i, tree in enumerate(self.trees or ())]
        rows, index = np.unique(np.concatenate([p.values for p in planned]), axis=0, return_inverse=True)
        if len(rows) > MOST:
            raise AppError(("trees",), f"these trees have {len(rows)} different leaves, and {MOST} fit", "fewer trees, or less deep ones")
        given = self._given(x, rows, count)
        feature = np.concatenate([p.feature for p in planned])
        skip = np.concatenate([p.skip for p in planned])
        skip[feature < 0] = index.ravel()
        roots = np.cumsum([0, *(len(p.feature) for p in planned[:-1])])
        depth = max(p.depth for p in planned)
        return Step(
            module=__name__,
            x=(x,),
            y=given.y,
            params=dict(type=type_, leaf_type=-2 if given.leaf.dtype == np.int16 else -4, trees=len(planned), depth=depth, scores=count,
                        output=["probability", "sum", "isolation"].index(self.output), multiplier=given.multiplier, shift=given.shift),
            tables=dict(root=roots.astype(np.int32), feature=feature.astype(np.int16),
                        threshold=np.concatenate([p.threshold for p in planned]).astype(x.dtype), skip=skip.astype(np.uint16),
                        leaf=given.leaf, base=given.base, exp2=EXP2_TABLE if self.output == "isolation" else EXP2_TABLE[:1]),
            scratch=dict(sum=("int64", count)),
            cost=dict(add=6 * depth * len(planned), mem=4 * depth * len(planned), mul64=count),
            says=f"{len(planned)} tree{'s' * (len(planned) > 1)} of {len(feature)} nodes, depth {depth}",
        )

    def ideal(self, x, blocks):
        rows = blocks.reshape(len(blocks), -1).astype(np.float32 if self.compare == "float32" else np.float64).astype(np.float64)
        found = np.zeros((len(rows), self._check(x[0])))
        for tree in self.trees or ():
            for i, values in enumerate(rows):
                node = 0
                while tree.feature[node] >= 0:
                    node = (tree.left if values[tree.feature[node]] <= tree.threshold[node] else tree.right)[node]
                found[i] += tree.value[node]
        if self.output == "sum":
            return found + (0 if self.base is None else self.base)
        mean = found / len(self.trees or ())
        return mean if self.output == "probability" else 2 ** (-mean / (self.usual_depth or 1))

    # --- what was fitted, checked ---------------------------------------------------------------------------------

    def _check(self, x: Signal) -> int:
        """How many scores there are."""
        if not self.trees:
            raise AppError(("trees",), "there are no trees", "fit it again")
        count = 0
        for i, tree in enumerate(self.trees):
            sizes = {len(getattr(tree, key)) for key in ("feature", "threshold", "left", "right", "value")}
            if len(sizes) > 1 or 0 in sizes:
                raise AppError(("trees",), f"tree {i}: feature, threshold, left, right and value need one entry a node", "fit it again")
            if max(tree.feature) >= x.size:
                raise AppError(("trees",), f"tree {i} looks at feature {max(tree.feature)}, and there are {x.size}",
                               "fit it again on what this stage reads")
            for node, feature in enumerate(tree.feature):
                if feature >= 0 and not (0 <= tree.left[node] < len(tree.feature) and 0 <= tree.right[node] < len(tree.feature)):
                    raise AppError(("trees",), f"tree {i}: node {node} leads to a node that there is not", "fit it again")
                count = count or (0 if feature >= 0 else len(tree.value[node]))
                if feature < 0 and (not tree.value[node] or len(tree.value[node]) != count):
                    raise AppError(("trees",), f"tree {i}: leaf {node} has {len(tree.value[node])} values, and others {count}",
                                   "fit it again")
        self._check_output(count)
        return count

    def _check_output(self, count: int) -> None:
        values = [v for tree in self.trees or () for f, row in zip(tree.feature, tree.value) if f < 0 for v in row]
        if self.output == "probability" and not all(0 <= v <= 1 for v in values):
            raise AppError(("output",), f"{next(v for v in values if not 0 <= v <= 1):g} in a leaf is not a probability", 'output = "sum"')
        if self.output == "isolation" and (count != 1 or not all(0 <= v <= 10_000 for v in values)):
            raise AppError(("output",), 'output = "isolation" needs one value in each leaf, its depth', "fit it again")
        if (self.output == "isolation") != (self.usual_depth is not None):
            wrong = "needs usual_depth" if self.output == "isolation" else "knows no usual_depth"
            raise AppError(("output",), f'output = "{self.output}" {wrong}', "usual_depth = 10.24 for 256 samples")
        if self.base is not None and (self.output != "sum" or len(self.base) != count):
            raise AppError(("base",), f"base has {len(self.base)} numbers for {count} scores" if self.output == "sum" else
                           f'base means nothing to output = "{self.output}"')

    def _nodes(self, i: int, tree: Tree, x: Signal) -> Nodes:
        """A tree in the order in which it is walked, without what is never decided."""
        info = np.iinfo(x.dtype)
        limits = thresholds(np.array(tree.threshold, np.float64), x, self.compare).tolist()
        feature: list[int] = []
        skip: list[int] = []
        limit: list[int] = []
        values: list[Row] = []
        depth, seen = 0, 0
        stack: list[tuple[int, int, int]] = [(0, -1, 0)]        # node, whose right child it is, depth
        while stack:
            node, parent, level = stack.pop()
            seen += 1
            while tree.feature[node] >= 0 and seen <= len(tree.feature) and not info.min <= limits[node] < info.max:
                node = (tree.left if limits[node] >= info.max else tree.right)[node]
                seen += 1
            if seen > len(tree.feature) or len(feature) >= MOST:
                raise AppError(("trees",), f"tree {i} comes back to a node, or has more than {MOST}", "fit it again, less deep")
            if parent >= 0:
                skip[parent] = len(feature) - parent
            leaf, depth = tree.feature[node] < 0, max(depth, level)
            feature.append(-1 if leaf else tree.feature[node])
            skip.append(0)
            limit.append(0 if leaf else limits[node])
            if leaf:
                values.append(tree.value[node])
            else:
                stack += [(tree.right[node], len(feature) - 1, level + 1), (tree.left[node], -1, level + 1)]
        return Nodes(np.array(feature), np.array(skip), np.array(limit, np.int64), np.array(values), depth)

    def _given(self, x: Signal, rows: np.ndarray, count: int) -> Given:
        """How leaves and scores are counted."""
        trees = len(self.trees or ())
        base = np.zeros(count)
        if self.output == "sum":
            base += 0 if self.base is None else self.base
            each = [max(abs(v) for f, row in zip(t.feature, t.value) if f < 0 for v in row) for t in self.trees or ()]
            most = float(np.abs(base).max() + sum(each))
            spare = ceil(log2(trees + 1))                       # bits below a count of y, so that roundings of leaves stay below it
            bits = 30 - ceil(log2(max(most, 2.0**-30)))
            leaf = np.rint(rows * 2.0**bits).astype(np.int32)
            y = Signal((count,), "int32", x.rate_hz, 2.0 ** (spare - bits))
            return Given(y, leaf, np.rint(base * 2.0**bits).astype(np.int64), 1, spare)
        y = Signal((count,), "int16", x.rate_hz, 2.0**-15, unit="probability" if self.output == "probability" else "")
        if self.output == "probability":                        # Q14 to Q15
            return Given(y, np.rint(rows * 2**14).astype(np.int16), np.zeros(1, np.int64), round(2**31 / trees), 30)
        bits = 14 - ceil(log2(max(float(rows.max()), 1.0)))
        ratio = Fraction(2**20) / (Fraction(self.usual_depth or 1) * trees)
        return Given(y, np.rint(rows * 2.0**bits).astype(np.int16), np.zeros(1, np.int64), round(ratio * 2**24), 24 + bits)


class Nodes:
    """A tree as it is stored: by node, and a row of values for each leaf, in their order."""

    def __init__(self, feature: np.ndarray, skip: np.ndarray, threshold: np.ndarray, values: np.ndarray, depth: int) -> None:
        self.feature, self.skip, self.threshold, self.values, self.depth = feature, skip, threshold, values, depth


class Given:
    """y, leaves and base in integers; a score is rshift((base + sum) * multiplier, shift), in counts of y or as an exponent in Q20."""

    def __init__(self, y: Signal, leaf: np.ndarray, base: np.ndarray, multiplier: int, shift: int) -> None:
        self.y, self.leaf, self.base, self.multiplier, self.shift = y, leaf, base, multiplier, shift


def thresholds(real: np.ndarray, x: Signal, compare: str) -> np.ndarray:
    """The greatest count whose real value is not above each threshold; one less than the least there is where none is."""
    info = np.iinfo(x.dtype)
    low, high = np.full(real.shape, info.min - 1, np.int64), np.full(real.shape, info.max, np.int64)
    while (low < high).any():
        middle = (low + high + 1) >> 1
        value = x.real(middle)
        value = value.astype(np.float32).astype(np.float64) if compare == "float32" else value
        fits = value <= real
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    return low


BOUND = 2.0     # counts: half from rounding; 1 for a leaf in Q14, or for all of a sum; 2**-x and depths in 14 bits are within 2
BATCHED = True


def run(k, s, x):
    x = x.reshape(len(x), -1)
    total = np.zeros((len(x), k.scores), np.int64) + (k.base if k.output == 1 else 0)
    leaves, here = k.leaf.reshape(-1, k.scores).astype(np.int64), np.arange(len(x))
    for root in k.root:
        at = np.full(len(x), root, np.int64)
        for _ in range(k.depth):
            feature = k.feature[at]
            left = x[here, np.maximum(feature, 0)] <= k.threshold[at]
            at = np.where(feature < 0, at, np.where(left, at + 1, at + k.skip[at]))
        total += leaves[k.skip[at]]
    v = rshift(total * k.multiplier, k.shift)
    if k.output == 1:
        return v.astype(np.int32)
    return sat16(v if k.output == 0 else rshift(exp2_q30(k.exp2, v), 15))


def grown(size: int, depth: int, count: int, rng: np.random.Generator, kind: str, wide: float) -> Tree:
    """A tree for examples: some branches end early."""
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    value: list[Row] = []

    def grow(level: int) -> int:
        at = len(feature)
        leaf = level == depth or (level > 1 and rng.random() < 0.2)
        p = rng.dirichlet(np.full(count, 0.5)) if kind == "probability" else rng.normal(0, 0.3, count)
        feature.append(-1 if leaf else int(rng.integers(size)))
        threshold.append(float(rng.normal(0, wide)))
        left.append(-1)
        right.append(-1)
        value.append(() if not leaf else (level + float(rng.uniform(0, 4)),) if kind == "isolation" else tuple(p.tolist()))
        if not leaf:
            left[at] = grow(level + 1)
            right[at] = grow(level + 1)
        return at

    grow(0)
    return Tree(feature=tuple(feature), threshold=tuple(threshold), left=tuple(left), right=tuple(right), value=tuple(value))


def forest(trees: int, size: int, depth: int, count: int, kind: str = "probability", wide: float = 2.0, seed: int = 0) -> tuple[Tree, ...]:
    rng = np.random.default_rng(seed)
    return tuple(grown(size, depth, count, rng, kind, wide) for _ in range(trees))


EXAMPLES = [
    (Forest(trees=forest(1, 3, 4, 2)), features("int32", 3)),
    (Forest(trees=forest(25, 8, 6, 4), compare="float32"), features("int16", 2, 4, scale=2.0**-12)),
    (Forest(trees=forest(40, 5, 3, 1, "sum"), output="sum", base=(-1.5,)), features("int32", 5, scale=2.0**-16)),
    (Forest(trees=forest(7, 6, 3, 3, "sum", 300.0), output="sum"), features("int8", 6, scale=3.0, zero=-20)),
    (Forest(trees=forest(50, 4, 8, 1, "isolation"), output="isolation", usual_depth=10.24), features("int32", 4)),
    (Forest(trees=forest(3, 4, 0, 2)), features("int8", 4)),
]


def inputs(x, rng, count):
    """The corners, then values on both sides of the thresholds of the examples: full scale would always take the same way."""
    info = np.iinfo(x[0].dtype)
    wide = 300.0 if x[0].scale > 1 else 2.0
    blocks = np.clip(np.rint(rng.normal(0, 2 * wide, (4 * count, *x[0].shape)) / x[0].scale + x[0].zero), info.min, info.max)
    blocks[0], blocks[1], blocks[2] = 0, info.max, info.min
    return [blocks.astype(x[0].dtype)]
