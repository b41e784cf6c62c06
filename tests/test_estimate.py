"""Is what is estimated without tools near to what the emulator counts?  And is every kernel in it?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from bare import use_cache
from command import APP, tinystream
from examples import CASES, example

from tinystream.app.planning import plan_file
from tinystream.cli import profile as verb
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.cycles import ONCE, Cycles, cores_with_cycles, cycle_table
from tinystream.firmware.estimate import FIT, FITTED, estimate, fitted
from tinystream.firmware.profile import noise, profile
from tinystream.plan.plan import Duty, plan_stage

CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4")


def pair(module: str, i: int) -> tuple:
    stage, signals = example(module, i)
    return stage, *signals


@pytest.mark.parametrize("core", CORES)
def test_every_kernel_has_counts(core):
    kinds = {step.kind for module, i in CASES for step in plan_stage("example", *pair(module, i)).steps if not step.host_only}
    assert len(kinds) > 80 and kinds <= fitted(core).keys(), "python benchmarks/cycles.py writes them"
    for kind, classes in fitted(core).items():
        assert all(n >= 0 and cycles >= 0 for n, cycles in classes.values()) and any(n > 0 for n, _ in classes.values()), kind


def test_every_core_with_a_table_has_counts():
    assert {FITTED.get(core, core) for core in cores_with_cycles()} == set(CORES)


@pytest.mark.parametrize("core", CORES)
def test_the_wake_word_takes_what_is_estimated(core, monkeypatch, tmp_path_factory):
    """The fit has not seen it.  Every layer, too, but for those that hardly count."""
    for package in ("unicorn", "elftools", "capstone"):
        pytest.importorskip(package)
    use_cache(monkeypatch, tmp_path_factory)
    plan = plan_file(APP)
    told = estimate(plan, cycle_table(core), ONCE)
    found = profile(plan, [noise(plan)[0][:250]], cycle_table(core), cross_compiler("zig"))
    assert told.mean.low < found.mean.nominal < told.mean.high
    assert told.worst.low < found.worst.nominal < told.worst.high
    for i, step in enumerate(told.steps):
        if found.step_mean(i).nominal > 0.01 * found.mean.nominal:
            assert 0.4 < found.step_run(i).nominal / step.cycles.nominal < 2, step.name


def test_factors_of_core_and_memory_multiply():
    plan = plan_file(APP)
    m4, m7 = (estimate(plan, cycle_table(core), ONCE) for core in ("cortex-m4", "cortex-m7"))
    assert m7.mean.nominal == pytest.approx(m4.mean.nominal * cycle_table("cortex-m7").factor.cycles.nominal)
    assert m4.mean.low == pytest.approx(m4.mean.nominal * FIT.low) and m4.mean.high == pytest.approx(m4.mean.nominal * FIT.high)
    slow = estimate(plan, cycle_table("cortex-m4"), Cycles(1, 1.5, 2))
    assert slow.mean.nominal == pytest.approx(1.5 * m4.mean.nominal) and slow.mean.high == pytest.approx(2 * m4.mean.high)


def test_a_step_runs_as_often_as_what_it_reads_comes():
    plan = plan_file(APP)
    told = estimate(plan, cycle_table("cortex-m4"), ONCE)
    rates = {step.name: step.rate_hz for step in told.steps}
    assert rates["micro_frontend"] == rates["stack"] == 100 and rates["conv_2d"] == pytest.approx(100 / 3)
    assert told.mean.nominal < told.worst.nominal == pytest.approx(sum(step.cycles.nominal for step in told.steps))


def test_a_duty_takes_its_share():
    plan = plan_file(APP)
    always, sometimes = (estimate(replace(plan, duty=duty), cycle_table("cortex-m4"), ONCE) for duty in (None, Duty(100, 400)))
    assert sometimes.mean.nominal == pytest.approx(always.mean.nominal / 4) and sometimes.worst == always.worst


def test_a_stage_of_the_users_is_estimated_by_its_classes_or_not_at_all():
    plan = plan_file(APP)
    step = plan.steps[0]
    theirs, silent = replace(step, module="their.stage"), replace(step, module="their.stage", cost={})
    known = estimate(replace(plan, steps=(theirs,)), cycle_table("cortex-m4"), ONCE)
    assert known.unknown == () and 0.2 < known.mean.nominal / estimate(plan, cycle_table("cortex-m4"), ONCE).steps[0].cycles.nominal < 5
    unknown = estimate(replace(plan, steps=(silent,)), cycle_table("cortex-m4"), ONCE)
    assert unknown.unknown == (step.name,) and unknown.mean.nominal == 0


def test_the_command_estimates_where_tools_are_missing(monkeypatch):
    asked = tinystream("profile", APP, "--core", "cortex-m4", "--estimate", "--clock", "64")
    assert asked.code == 0 and asked.err == "" and "from counts of the kernels" in asked.out and "at 64 MHz: " in asked.out
    monkeypatch.setattr(verb, "find_spec", lambda name: None)
    without = tinystream("profile", APP, "--core", "cortex-m4", "--clock", "64")
    assert without.out == asked.out and "no unicorn" in without.err and "pip install 'tinystream[mcu]'" in without.err
    told = json.loads(tinystream("profile", APP, "--core", "rv32imac", "--estimate", "--json").out)
    assert told["core"] == "rv32imac" and told["average_block"][0] < told["average_block"][1] < told["average_block"][2]
    assert [step["step"] for step in told["steps"]] == [step.name for step in plan_file(APP).steps]


NEEDS = [["--picture", "flame.svg"], ["--measured", "file.json"], ["--listing", "ts_conv_2d"], ["--recording", "r.wav"]]


@pytest.mark.parametrize("option", NEEDS)
def test_what_needs_the_emulator_is_refused_with_an_estimate(option):
    done = tinystream("profile", APP, "--core", "cortex-m4", "--estimate", *option)
    assert done.code == 2 and f"{option[0]} needs" in " ".join(done.err.split())
