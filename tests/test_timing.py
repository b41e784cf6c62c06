"""Is it told, while an app is planned, that two branches never give in the same block?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinystream import App, Microphone
from tinystream.app.timing import Schedule, When, meet
from tinystream.errors import AppErrors
from tinystream.run.engine import Engine
from tinystream.stages import Concat, Every, Frame, Gate, Hold, Stack

MICROPHONE = Microphone(rate_hz=1000, block_ms=5)
progressions = st.builds(When, st.integers(0, 50), st.integers(1, 24))


@given(progressions, progressions)
def test_two_progressions_meet_where_they_share_a_block(a, b):
    blocks = [set(range(when.first, 3000, when.every)) for when in (a, b)]
    shared = sorted(blocks[0] & blocks[1])
    found = meet(a, b)
    assert (shared[:3] if found else []) == ([*range(found.first, 3000, found.every)][:3] if found else shared)


def test_what_never_meets_is_refused_with_the_blocks_and_a_way_out():
    branches = [Stack(name="even", frames=1, every=2), Every(n=2, from_="source"), Stack(name="odd", frames=1)]
    with pytest.raises(AppErrors, match="what it reads never comes together: 'even' at blocks 0, 2 … and 'odd' at blocks 1, 3 …") as caught:
        App(name="apart", source=MICROPHONE, stages=[*branches, Concat(from_=["even", "odd"])]).plan()
    assert 'kind = "hold" with from = ["even", "odd"]' in str(caught.value)
    held = [*branches, Hold(from_=["even", "odd"]), Concat(from_=["hold", "odd"])]
    plan = App(name="held", source=MICROPHONE, stages=held).plan()
    fired = Engine(plan).push(np.arange(50, dtype=np.int16).reshape(10, 5))
    assert fired[len(plan.steps) - 1].when.tolist() == [1, 3, 5, 7, 9]
    assert fired[len(plan.steps) - 1].y[0].ravel().tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_the_schedule_is_when_the_engine_fires():
    plan = App(
        name="times",
        source=MICROPHONE,
        stages=[Frame(length_ms=12, hop_ms=10), Stack(frames=4, every=3), Every(n=2), Gate(name="loud", from_="source", open_db=-20)],
    ).plan()
    rng = np.random.default_rng(0)
    fired = Engine(plan).push(rng.integers(-9000, 9000, (300, 5)).astype(np.int16))
    schedule = Schedule(plan.steps)
    for i, step in enumerate(plan.steps[:3]):
        when = schedule.of(i)
        assert when and fired[i].when.tolist() == [*range(when.first, 300, when.every)], step.name
    assert schedule.of(3) is None, "a gate's times depend on what it hears"
