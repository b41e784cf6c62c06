"""Are sources joined in order, and only where they count in the same way?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.concat import Concat

A = Signal((2, 3), "int16", Fraction(10), 0.5, 4, "g", bin_hz=Fraction(10))


def test_rows_are_joined_in_the_order_of_the_sources():
    b, c = replace(A, shape=(2, 1)), replace(A, shape=(2, 2), unit="dB")
    plan = plan_stage("concat", Concat(), A, b, c)
    blocks = [np.arange(s.size, dtype=np.int16).reshape(1, *s.shape) + 100 * i for i, s in enumerate((A, b, c))]
    y = Engine(plan).push(*blocks)[1].y
    assert y[0].tolist() == [[0, 1, 2, 100, 200, 201], [3, 4, 5, 101, 202, 203]]
    assert plan.steps[-1].y == replace(A, shape=(2, 6), unit="", bin_hz=None)


@pytest.mark.parametrize(("other", "what"), [
    (dict(dtype="int8"), "stage 'concat' cannot join different types: int16 and int8"),
    (dict(rate_hz=Fraction(30, 7)), "stage 'concat' cannot join different rates: 10 Hz and 30/7 Hz"),
    (dict(scale=0.25), "stage 'concat' cannot join different scales: 0.5 and 0.25"),
    (dict(zero=0), "stage 'concat' cannot join different zeros: 4 and 0"),
    (dict(shape=(3, 3)), "stage 'concat' joins the last axis, the others must be equal: 2x3 int16 at 10 Hz and 3x3 int16 at 10 Hz"),
    (dict(shape=(3,)), "stage 'concat' joins the last axis, the others must be equal: 2x3 int16 at 10 Hz and 3 int16 at 10 Hz"),
])
def test_sources_that_count_differently_are_refused(other, what):
    with pytest.raises(AppError) as caught:
        Concat().plan(A, replace(A, **other))
    assert caught.value.what == what
    assert caught.value.path == ("from",)


def test_one_source_is_refused():
    with pytest.raises(AppError, match="joins two or more sources, and is given 1"):
        Concat().plan(A)
