"""Is it right?  Every stage's integers against its own textbook in float64, within its stated BOUND.

BOUND is in counts of the output; a second number, where there is one, is relative to the value.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from examples import CASES, IDS, blocks, example

from tinystream.plan.plan import plan_stage
from tinystream.run.engine import Engine


@pytest.mark.parametrize(("module", "i"), CASES, ids=IDS)
def test_integers_stay_within_the_bound_of_the_textbook(module, i):
    stage, signals = example(module, i)
    plan = plan_stage("right", stage, *signals)
    x = blocks(module, signals, seed=2)
    y = plan.steps[-1].y
    got = Engine(plan).push(*x)[len(plan.steps) - 1].y
    want = stage.ideal(signals, *(s.real(b) for s, b in zip(signals, x)))
    assert got.shape == want.shape
    absolute, relative = (*np.atleast_1d(import_module(module).BOUND), 0)[:2]
    ideal_counts = np.asarray(want, np.float64) / y.scale + y.zero
    error = np.abs(got - ideal_counts) - relative * np.abs(ideal_counts)
    print(f"worst error beyond the relative part: {error.max():.4g} counts, bound {absolute}")
    assert error.max() <= absolute
