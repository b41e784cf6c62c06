"""Does an app on duty listen in its windows alone, each from a fresh start, whatever the engine and the chunks?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from command import APP

from tinystream.app.definition import Duty as DutyDefinition
from tinystream.app.digest import digest
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.errors import AppErrors
from tinystream.plan.plan import Duty, Plan
from tinystream.run.duty import OnDuty
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import make_engine, replay

TOML = """
name = "hum"
[source]
kind = "microphone"
rate_hz = 1_000
block_ms = 10
[duty]
on_s = 0.5
every_s = 2
[[stage]]
kind = "frame"
length_ms = 30
window = "hann"
[[stage]]
kind = "spectrum"
[[stage]]
kind = "mel"
bands = 4
low_hz = 50
high_hz = 400
"""


def write(folder, text: str):
    (folder / "app.toml").write_text(text)
    return folder / "app.toml"


@pytest.fixture
def plan(tmp_path) -> Plan:
    return plan_file(write(tmp_path, TOML))


def test_the_windows_are_counted_in_blocks(plan):
    assert plan.duty == Duty(50, 200) and plan.x[0].rate_hz == Fraction(100)


@pytest.mark.parametrize("engine", [Engine, Native])
@pytest.mark.parametrize("chunks", [[900], [1] * 900, [7, 43, 150, 60, 140, 500]], ids=["whole", "single", "odd"])
def test_each_window_is_a_run_of_its_own(plan, engine, chunks):
    x = np.random.default_rng(3).integers(-(2**15), 2**15, (900, 10)).astype(np.int16)
    dutied, at, given = OnDuty(plan, plan.duty, engine(plan)), 0, []
    for n in chunks:
        given.append(dutied.push(x[at : at + n]))
        at += n
    for i in range(len(plan.steps)):
        when, y = (np.concatenate([getattr(g[i], part) for g in given]) for part in ("when", "y"))
        wanted = [(begin, engine(plan).push(x[begin : begin + 50])[i]) for begin in range(0, 900, 200)]
        assert np.array_equal(when, np.concatenate([begin + w.when for begin, w in wanted]))
        assert np.array_equal(y, np.concatenate([w.y for _, w in wanted]))


def test_a_replay_starts_from_the_first_window_again(plan):
    x = np.random.default_rng(4).integers(-(2**15), 2**15, 1500).astype(np.int16)
    engine = make_engine(plan)
    first, again = (replay(plan, engine, x, keep="all") for _ in range(2))
    assert first.digests == again.digests and first.blocks == 150
    assert first.outputs["mel"].when.max() < 50


def test_duty_is_part_of_what_an_event_carries():
    app = load(APP)
    windows = [DutyDefinition(on_s=1, every_s=2), DutyDefinition(on_s=1, every_s=3)]
    assert len({digest(app.model_copy(update={"duty": duty}), APP) for duty in (None, *windows)}) == 3


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("on_s = 0.5", "on_s = 0.505", "on_s = 0.505 is 50.5 blocks, not a whole number\n --> *:8:8|on_s = 0.5"),
        ("on_s = 0.5", "on_s = 2", "on_s = 2 is not shorter than every_s = 2: the sensor would never be off|without [duty]"),
        ("every_s = 2", "every_s = 1e12", "every_s is too long|every_s = 21474836.47"),
        ("on_s = 0.5", "on_s = 0", "on_s|"),
        ("on_s = 0.5", "on_ms = 500", "unknown key 'on_ms' in duty|on_s"),
        ("every_s = 2\n", "", "every_s|"),
        ("[duty]", "[[duty]]", "duty is one table, not a list|[duty] on a line of its own"),
    ],
)
def test_a_duty_that_cannot_be_is_told_at_its_line(tmp_path, before, after, said):
    with pytest.raises(AppErrors) as told:
        plan_file(write(tmp_path, TOML.replace(before, after)))
    what, _, help = said.partition("|")
    assert what.partition("\n")[0] in str(told.value) and help in str(told.value)
