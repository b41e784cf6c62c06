"""Are the centres the means of their members, chosen farthest first, and is the distance in units of the typical one?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import Plan, plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.clusters import Clusters


def features(size: int, dtype: str = "int32") -> Signal:
    return Signal((size,), dtype, Fraction(10))


def planned(stage: Clusters, x: np.ndarray) -> Plan:
    return plan_stage("kinds", stage, features(x.shape[1], x.dtype.name))


def learnt(stage: Clusters, x: np.ndarray):
    """What is remembered after these vectors, and what they gave, real."""
    plan = planned(stage, x)
    engine = Engine(plan)
    fired = engine.push(x)[0]
    return engine.states[0], plan.steps[0].y.real(fired.y)[:, 0]


def test_centres_and_distance_by_hand():
    """0 and 1000 are chosen, 10 joins the one and 990 the other; then distances of 5 and 15, so 10 is typical."""
    x = np.array([[0], [10], [1000], [990], [10], [1010], [20], [-34], [500], [1000]], np.int32)
    stage = Clusters(centres=2, learn_blocks=6, first_blocks=4)
    s, y = learnt(stage, x)
    assert s.members.tolist() == [3, 3] and s.sum[:, 0].tolist() == [20, 3000] and s.centre[:, 0].tolist() == [7, 1000]
    assert s.total.tolist() == [5 + 15] and s.typical.tolist() == [10 << 8] and s.floored == 0
    np.testing.assert_allclose(y, [1.3, 4.1, 49.3, 0], atol=2**-16)
    s, y = learnt(stage, x.astype(np.int16))
    assert s.centre[0, 0] == round(256 * 20 / 3), "features of 16 bits have 8 more"
    np.testing.assert_allclose(y[0], (20 - 20 / 3) / 10, atol=1e-3)


def test_the_first_centres_are_the_farthest_and_of_equals_the_first():
    """After 0 the farthest is 8, which is there twice; then 4 is the farthest from both, and so is -4: the first of them."""
    x = np.array([[0], [4], [8], [-4], [8], [100], [100]], np.int32)
    s, _ = learnt(Clusters(centres=3, learn_blocks=6, first_blocks=5), x)
    assert s.past.tolist() == x[:5].tolist()
    assert s.sum[:, 0].tolist() == [0 - 4, 8 + 8 + 100, 4] and s.members.tolist() == [2, 3, 1]


def test_kinds_that_are_apart_are_found():
    rng = np.random.default_rng(1)
    places = np.array([[0, 0, 0], [5000, 0, 0], [0, -7000, 2000]])
    x = (places[rng.integers(0, 3, 400)] + rng.normal(0, 50, (400, 3))).round().astype(np.int32)
    s, y = learnt(Clusters(centres=3, learn_blocks=300), x)
    found = s.centre[[int(np.argmin(np.linalg.norm(s.centre - place, axis=1))) for place in places]]
    np.testing.assert_allclose(found, places, atol=20)
    assert sorted(s.members) == sorted(np.bincount(np.argmin(np.linalg.norm(x[:300, None] - places, axis=2), axis=1)))
    assert 0.8 < y.mean() < 1.2 and y.max() < 4
    between = np.array([[2500, 0, 0]], np.int32)
    assert learnt(Clusters(centres=3, learn_blocks=300), np.concatenate([x[:300], between]))[1][0] > 20


def test_identical_vectors_have_a_typical_distance_of_one_count():
    for dtype in ("int8", "int32"):
        x = np.full((20, 3), 7, dtype)
        x[-1, 0] += 5
        s, y = learnt(Clusters(centres=3, learn_blocks=15), x)
        assert s.floored == 1 and y[:-1].tolist() == [0] * 4 and y[-1] == 5


def test_full_scale_saturates():
    x = np.zeros((12, 64), np.int32)
    x[6:, ::2], x[6:, 1::2] = 2**31 - 1, -(2**31)
    s, y = learnt(Clusters(centres=1, learn_blocks=6), x)
    assert s.floored == 1 and (y == 2**15 - 2**-16).all()


@pytest.mark.parametrize(("stage", "path", "what", "help"), [
    (Clusters(centres=2), (), "stage 'clusters' is not told how long it learns", "learn_s = 600"),
    (Clusters(centres=3, learn_blocks=20, first_blocks=2), ("first_blocks",), "first_blocks = 2 are fewer than the 3 centres",
     "first_blocks = 12"),
    (Clusters(centres=3, learn_blocks=12), ("learn_blocks",), "learn_blocks = 12 is 12 vectors, and the first 12 only choose centres",
     "learn_blocks = 120"),
    (Clusters(centres=3, learn_s=1), ("learn_s",), "learn_s = 1 is 10 vectors, and the first 12 only choose centres", "learn_s = 12"),
])
def test_mistakes(stage, path, what, help):
    with pytest.raises(AppError) as caught:
        stage.plan(features(3))
    assert (caught.value.path, caught.value.what, caught.value.help) == (path, what, help)
