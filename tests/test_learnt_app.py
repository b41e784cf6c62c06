"""Does a whole app that has only heard a sound machine alert when it no longer sounds so, in windows, and after a change of node?"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from test_learnt import make

from tinystream.app.planning import plan_file
from tinystream.plan.plan import Plan
from tinystream.run.duty import on_duty
from tinystream.run.replay import replay
from tinystream.run.verify import Compared, verify

PUMP = """
name = "pump"
[source]
kind = "imu"
rate_hz = 400
axes = ["x", "y", "z"]
range_g = 4
block_ms = 100
{duty}
[[stage]]
kind = "frame"
length_ms = 200
[[stage]]
kind = "stats"
features = ["rms", "crest", "kurtosis"]
[[stage]]
kind = "baseline"
how = "covariance"
learn_s = 10
follow_s = 60
[[detect]]
name = "odd"
kind = "limits"
threshold = 9.0
hold = 3
"""
DUTY = "[duty]\non_s = 1\nevery_s = 4"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


def planned(folder: Path, duty: str = DUTY) -> Plan:
    (folder / "app.toml").write_text(PUMP.format(duty=duty))
    return plan_file(folder)


@cache
def heard(seconds: int, knocks: bool, seed: int = 0) -> np.ndarray:
    """A pump at 25 Hz with gravity on z; one that knocks has a blow of 20 ms on x, ten times a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(400 * seconds) / 400
    x = rng.normal(0, 200, (len(t), 3))
    x += np.sin(2 * np.pi * 25 * t)[:, None] * [1500, 900, 600] + [0, 0, 8192]
    if knocks:
        x[:, 0] += (t % 0.1 < 0.02) * rng.normal(0, 6000, len(t))
    return x.astype(np.int16)


def alerts(plan: Plan, samples: np.ndarray, name: str = "native", learnt: bytes = b"") -> list[float]:
    return [event.time_s for event in replay(plan, on_duty(plan, make(plan, name)), samples, learnt=learnt).events]


@pytest.mark.parametrize("name", ["python", "native"])
def test_it_alerts_when_the_machine_begins_to_knock_and_not_before(name, tmp_path):
    both = np.concatenate([heard(100, False), heard(40, True)])
    for duty in ("", DUTY):
        when = alerts(planned(tmp_path, duty), both, name)
        assert when and 100 < when[0] < 102
    assert alerts(planned(tmp_path), heard(140, False)) == []


def test_a_new_node_that_is_given_the_baseline_knows_at_once(tmp_path):
    plan = planned(tmp_path)
    engine = on_duty(plan, make(plan, "native"))
    engine.push(heard(100, False).reshape(-1, 40, 3))
    assert alerts(plan, heard(8, True), learnt=engine.learnt())[0] < 2
    assert alerts(plan, heard(8, True)) == [], "without, the knocking is what is learnt"


@pytest.mark.parametrize("name", ["native", "cortex-m0", "cortex-m4"])
def test_every_engine_gives_the_same_and_has_learnt_the_same(name, tmp_path):
    plan = planned(tmp_path)
    compared = Compared()
    both = np.concatenate([heard(50, False), heard(10, True)])
    assert verify(plan, on_duty(plan, make(plan, "python")), on_duty(plan, make(plan, name)), both, compared) is None
    assert compared.outputs["baseline"] > 20
