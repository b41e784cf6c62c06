"""Does every count go the way its real value goes, and do leaves become the scores that people mean?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.app.fitted import with_file
from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages.forest import Forest, Tree, forest, thresholds


def vector(size: int, dtype: str = "int16", scale: float = 2.0**-8, zero: int = 0) -> Signal:
    return Signal((size,), dtype, Fraction(10), scale, zero)


def stump(threshold: float, below: tuple, above: tuple, feature: int = 0) -> Tree:
    return Tree(feature=(feature, -1, -1), threshold=(threshold, 0, 0), left=(1, -1, -1), right=(2, -1, -1), value=((), below, above))


def scores(stage: Forest, x: Signal, counts) -> np.ndarray:
    step = stage.plan(x)
    return step.run(step.k, None, np.array(counts, x.dtype).reshape(-1, x.size))


# --- thresholds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "zero"), [(2.0**-8, 0), (0.1, -3), (1 / 3, 100), (7e-5, 0)])
@pytest.mark.parametrize("compare", ["float64", "float32"])
def test_every_int16_goes_the_way_of_its_real_value(scale, zero, compare):
    x = vector(1, scale=scale, zero=zero)
    every = np.arange(-32768, 32768)
    real = x.real(every).astype(compare).astype(np.float64)
    rng = np.random.default_rng(0)
    met = real[rng.integers(0, 65536, 40)]
    odd = np.concatenate([rng.uniform(real[0], real[-1], 40), met, np.nextafter(met, -9e9), [real[0], real[-1], real[0] - 1, real[-1] + 1]])
    limits = thresholds(odd, x, compare)
    for limit, threshold in zip(limits, odd):
        np.testing.assert_array_equal(every <= limit, real <= threshold)


def test_int32_counts_that_float32_cannot_tell_apart_go_one_way():
    x = vector(1, "int32", 0.1)
    threshold = float(np.float32(2**27 * 0.1))
    limit = int(thresholds(np.array([threshold]), x, "float32")[0])
    near = np.arange(limit - 300, limit + 300)
    np.testing.assert_array_equal(near <= limit, x.real(near).astype(np.float32).astype(float) <= threshold)
    assert limit != int(thresholds(np.array([threshold]), x, "float64")[0])


def test_at_the_threshold_is_left():
    stage = Forest(trees=(stump(1.0, (1.0, 0.0), (0.0, 1.0)),))
    assert scores(stage, vector(1), [255, 256, 257]).tolist() == [[32767, 0], [32767, 0], [0, 32767]]


def test_a_threshold_beyond_every_count_leaves_its_node_out():
    stage = Forest(trees=(stump(200.0, (1.0, 0.0), (0.0, 1.0)), stump(-200.0, (1.0, 0.0), (0.0, 1.0))))
    step = stage.plan(vector(1))
    assert step.k.feature.tolist() == [-1, -1] and step.k.depth == 0
    assert scores(stage, vector(1), [-32768, 32767]).tolist() == [[16384, 16384]] * 2
    edge = Forest(trees=(stump(127.99609375, (1.0, 0.0), (0.0, 1.0)), stump(-128.0, (1.0, 0.0), (0.0, 1.0))))
    assert scores(edge, vector(1), [-32768, -32767, 32767]).tolist() == [[32767, 0], [16384, 16384], [16384, 16384]]


# --- scores -----------------------------------------------------------------------------------------------------


def test_a_probability_is_the_mean_over_all_trees():
    trees = (stump(0.0, (1.0, 0.0), (0.25, 0.75)), stump(1.0, (0.5, 0.5), (0.0, 1.0), 1), stump(0.0, (0.0, 1.0), (1.0, 0.0)))
    found = scores(Forest(trees=trees), vector(2), [[-5, 0], [5, 600]]) / 32768
    np.testing.assert_allclose(found, [[0.5, 0.5], [(0.25 + 0 + 1) / 3, (0.75 + 1) / 3]], atol=2**-15)


def test_a_sum_has_its_base_and_its_sign():
    trees = (stump(0.0, (-0.5, 2.0), (0.25, 0.0)), stump(1.0, (0.125, 0.0), (-3.0, -1.0)))
    stage = Forest(trees=trees, output="sum", base=(1.0, -10.0))
    y = stage.plan(vector(1)).y
    np.testing.assert_allclose(y.real(scores(stage, vector(1), [-5, 5, 600])), [[0.625, -8], [1.375, -10], [-1.75, -11]], atol=1e-8)


def test_isolation_by_hand():
    """A mean depth that is usual is 1/2; half of that is 0.71; none at all is 1."""
    tree = Tree(feature=(0, -1, 0, -1, -1), threshold=(0, 0, 1, 0, 0), left=(1, -1, 3, -1, -1), right=(2, -1, 4, -1, -1),
                value=((), (4.0,), (), (8.0,), (0.0,)))
    found = scores(Forest(trees=(tree, tree), output="isolation", usual_depth=8.0), vector(1), [0, 1, 300])[:, 0] / 32768
    np.testing.assert_allclose(found, [2**-0.5, 0.5, 1], atol=2**-14)


def test_equal_leaves_are_stored_once():
    step = Forest(trees=forest(1, 2, 1, 2) * 50).plan(vector(2))
    assert len(step.k.leaf.reshape(-1, 2)) == 2 and len(step.k.root) == 50


def test_a_deep_tree_needs_no_recursion():
    """A chain of 3000 nodes, each with one leaf."""
    n = 3000
    feature, left, right, value = [], [], [], []
    for i in range(n):
        feature += [0, -1]
        left += [2 * i + 1, -1]
        right += [2 * i + 2, -1]
        value += [(), (float(i % 2), float(1 - i % 2))]
    threshold = tuple(float(i // 2 - 1500) for i in range(2 * n + 1))
    tree = Tree(feature=(*feature, -1), threshold=threshold, left=(*left, -1), right=(*right, -1), value=(*value, (1.0, 0.0)))
    found = scores(Forest(trees=(tree,)), vector(1, scale=1.0), [-32768, -1500, -1499, 0, 1499, 1500, 32767])
    assert found[:, 0].tolist() == [0, 0, 32767, 0, 32767, 32767, 32767]


# --- mistakes ---------------------------------------------------------------------------------------------------

LEAF = ((1.0, 0.0), (0.0, 1.0))


@pytest.mark.parametrize(("options", "path", "what"), [
    (dict(trees=()), "trees", "there are no trees"),
    (dict(trees=(stump(0, *LEAF, feature=2),)), "trees", "tree 0 looks at feature 2, and there are 2"),
    (dict(trees=(stump(0, (1.0,), (0.0, 1.0)),)), "trees", "tree 0: leaf 2 has 2 values, and others 1"),
    (dict(trees=(stump(0, *LEAF), stump(0, (1.0,), (0.0,)))), "trees", "tree 1: leaf 1 has 1 values, and others 2"),
    (dict(trees=(Tree(feature=(0,), threshold=(0,), left=(1,), right=(0,), value=((),)),)), "trees",
     "tree 0: node 0 leads to a node that there is not"),
    (dict(trees=(Tree(feature=(0,), threshold=(0, 1), left=(1,), right=(0,), value=((),)),)), "trees",
     "tree 0: feature, threshold, left, right and value need one entry a node"),
    (dict(trees=(Tree(feature=(0, -1), threshold=(0, 0), left=(1, -1), right=(0, -1), value=((), (1.0,))),)), "trees",
     "tree 0 comes back to a node, or has more than 65535"),
    (dict(trees=(stump(0, (2.0, 0.0), (0.0, 1.0)),)), "output", "2 in a leaf is not a probability"),
    (dict(trees=(stump(0, *LEAF),), output="isolation", usual_depth=4.0), "output",
     'output = "isolation" needs one value in each leaf, its depth'),
    (dict(trees=(stump(0, (1.0,), (2.0,)),), output="isolation"), "output", 'output = "isolation" needs usual_depth'),
    (dict(trees=(stump(0, *LEAF),), usual_depth=4.0), "output", 'output = "probability" knows no usual_depth'),
    (dict(trees=(stump(0, *LEAF),), base=(1.0, 1.0)), "base", 'base means nothing to output = "probability"'),
    (dict(trees=(stump(0, *LEAF),), output="sum", base=(1.0,)), "base", "base has 1 numbers for 2 scores"),
])
def test_mistakes(options, path, what):
    with pytest.raises(AppError) as caught:
        Forest(**options).plan(vector(2))
    assert (caught.value.path, caught.value.what) == ((path,), what)


def test_a_mistake_in_a_file_is_told_at_the_file(tmp_path):
    (tmp_path / "f.json").write_text('{"kind": "forest", "trees": [{"feature": ["a"]}]}')
    with pytest.raises(AppError) as caught:
        with_file(Forest(file="f.json"), tmp_path)
    assert (caught.value.path, caught.value.what) == (("file",), 'f.json: trees wants a whole number, not "a"')
    (tmp_path / "f.json").write_text('{"trees": [{"feature": [-1], "threshold": [0], "left": [-1], "right": [-1]}]}')
    with pytest.raises(AppError, match="tree 0: feature, threshold, left, right and value need one entry a node"):
        with_file(Forest(file="f.json"), tmp_path).plan(vector(2))
