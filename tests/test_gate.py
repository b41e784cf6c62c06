"""Does it open at its level, close below the other, and hold in between?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from examples import blocks

from tinystream.errors import AppError
from tinystream.plan.plan import Wiring, lay_out, plan_stage, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.frame import Frame
from tinystream.stages.gate import Gate
from tinystream.stages.stack import Stack

AUDIO = Signal((4,), "int16", Fraction(100), 2.0**-15, unit="FS", sample_hz=Fraction(400))


def opened(gate: Gate, *levels: int) -> list[int]:
    """The blocks that pass, of constant blocks at these counts."""
    x = np.array(levels, np.int16)[:, None] * np.ones(4, np.int16)
    return Engine(plan_stage("gate", gate, AUDIO)).push(x)[0].when.tolist()


@pytest.mark.parametrize("of", ["power", "peak"])
def test_opens_at_exactly_the_level(of):
    half = Gate(open_db=20 * np.log10(0.5), of=of)      # 16384 counts, of either sign
    assert opened(half, 16383, -16383, 16384) == [2]
    assert opened(half, -16384) == [0]


def test_full_scale_opens_at_0_db_only_where_it_is_negative():
    assert opened(Gate(open_db=0, of="peak"), 32767, -32768) == [1]


def test_stays_open_between_the_two_levels_and_closes_below():
    gate = Gate(open_db=-20)            # 3276.8 counts; closes at -26 dB, 1642.3
    assert opened(gate, 3276, 3277, 1643, 1642, 1643, 3276) == [1, 2]


def test_holds_after_the_last_loud_block():
    gate = Gate(open_db=-20, hold_ms=20)
    assert opened(gate, 4000, 0, 0, 0, 0) == [0, 1, 2]
    assert opened(gate, 4000, 0, 1643, 0, 0, 0) == [0, 1, 2, 3, 4], "between the levels is loud while it is open, held or not"
    assert opened(Gate(open_db=-20, hold_ms=11), 4000, 0, 0, 0) == [0, 1, 2], "part of a block is a block"


def test_power_is_a_mean_and_a_peak_is_not():
    spike = np.array([[16384, 0, 0, 0]], np.int16)
    for of, fires in [("power", 0), ("peak", 1)]:
        assert len(Engine(plan_stage("gate", Gate(open_db=-7, of=of), AUDIO)).push(spike)[0].when) == fires


def test_passes_its_input_unchanged():
    x = np.array([[30000, -32768, 7, 32767]], np.int16)
    np.testing.assert_array_equal(Engine(plan_stage("gate", Gate(open_db=-20), AUDIO)).push(x)[0].y, x)


def test_nothing_after_it_runs_while_it_is_closed():
    wiring, audio = Wiring(), Signal((160,), "int16", Fraction(100), 2.0**-15, sample_hz=Fraction(16000))
    steps = [Frame(length_ms=10), Gate(open_db=-30), Stack(frames=2)]
    signal, last = audio, -1
    for stage in steps:
        step = stage.plan(signal)
        last, signal = wiring.add(step, [last]), step.y
    plan = plan_steps("cascade", (audio,), wiring.steps)
    assert [b.over for b in lay_out(wiring.steps) if b.step == "gate"] == ["frame"], "it works in the memory of its source"
    x = blocks("tinystream.stages.gate", (audio,))[0]
    fired = Engine(plan).push(x)
    assert 0 < len(fired[1].when) < len(fired[0].when)
    assert fired[2].when.tolist() == fired[1].when[1:].tolist()


@pytest.mark.parametrize(("gate", "x", "what"), [
    (Gate(open_db=-30, close_db=-20), AUDIO, "close_db = -20 lies above open_db, -30"),
    (Gate(open_db=-30), Signal((4,), "int32", Fraction(1)),
     "stage 'gate' measures int16 samples whose zero is 0, and is given 4 int32 at 1 Hz"),
])
def test_mistakes(gate, x, what):
    with pytest.raises(AppError) as caught:
        gate.plan(x)
    assert caught.value.what == what
