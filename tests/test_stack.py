"""Are the last vectors joined, oldest first, when they are due?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.stack import Stack

VECTORS = Signal((2,), "int8", Fraction(100, 3), 0.1, -128, "octaves")


def test_first_output_when_full_then_each_every():
    plan = plan_stage("stack", Stack(frames=3, every=2), VECTORS)
    x = np.arange(16, dtype=np.int8).reshape(8, 2)
    fired = Engine(plan).push(x)[0]
    assert fired.when.tolist() == [2, 4, 6]
    assert fired.y[1].tolist() == [[4, 5], [6, 7], [8, 9]]


def test_rate_is_an_exact_fraction_and_scale_passes_through():
    y = Stack(frames=49, every=7).plan(VECTORS).y
    assert (y.rate_hz, y.scale, y.zero, y.unit, y.dtype, y.shape) == (Fraction(100, 21), 0.1, -128, "octaves", "int8", (49, 2))
    assert y.sample_hz == VECTORS.rate_hz, "its time axis counts vectors"


@pytest.mark.parametrize("options", [dict(frames=0), dict(frames=3, every=0), dict(frames=2.0)])
def test_counts_below_one_are_refused(options):
    with pytest.raises(ValueError):
        Stack(**options)
