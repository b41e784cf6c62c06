"""Is the firmware the same?  The generated C on emulated cores, by each compiler that is here, against numpy, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bare import need_qemu, use_cache
from examples import blocks, example
from test_model import MODELS, awkward
from test_model import compiled as compiled_model
from test_model_int16 import KEYWORD, ONE_OPERATOR
from test_model_int16 import awkward as awkward_int16
from test_model_int16 import compiled as compiled_int16
from test_variables import MODELS as STREAMING
from test_variables import compiled as compiled_streaming
from test_variables import random_steps

from tinystream.app.planning import plan_file
from tinystream.firmware import cross
from tinystream.firmware.core import CORES, find_core
from tinystream.firmware.cross import cross_compiler, cross_compilers
from tinystream.firmware.emulated import Emulated
from tinystream.firmware.measure import measure
from tinystream.io.recording import read_recording
from tinystream.plan.plan import Plan, plan_stage
from tinystream.run.engine import Engine, Fired
from tinystream.run.replay import blocks_of
from tinystream.run.verify import Compared, verify

pytest.importorskip("unicorn")
pytest.importorskip("elftools")

ROOT = Path(__file__).parents[1]
SMALL = {  # what a small core lacks, and what it is given: long multiplication and division, many inputs, waiting, state
    "spectrum": ("tinystream.stages.spectrum", 0),
    "log": ("tinystream.stages.log", 0),
    "frame": ("tinystream.stages.frame", 0),
    "concatenation": ("tinystream.ops.concatenation", 0),
    "conv_2d": ("tinystream.ops.conv_2d", 0),
    "softmax": ("tinystream.ops.softmax", 0),
    "svdf": ("tinystream.ops.svdf", 0),
    "lstm": ("tinystream.ops.unidirectional_sequence_lstm", 0),
    "remember": ("tinystream.ops.remember", 0),
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


def by(name: str, core: str = "cortex-m4"):
    """The compiler of that name for the core, or the test is skipped."""
    need_qemu(core)
    riscv = find_core(core).riscv
    if name not in cross_compilers(riscv):
        pytest.skip(f"needs {(cross.RISCV_INSTALL if riscv else cross.INSTALL)[name]}")
    return cross_compiler(name, riscv)


def assert_same(plan: Plan, given: dict[int, Fired], wanted: dict[int, Fired]) -> None:
    assert given.keys() == wanted.keys()
    for i, want in wanted.items():
        np.testing.assert_array_equal(given[i].when, want.when, err_msg=f"when {plan.steps[i].name} fires")
        np.testing.assert_array_equal(given[i].y, want.y, err_msg=plan.steps[i].name)


@cache
def wake_word() -> tuple[Plan, np.ndarray, dict[int, Fired]]:
    """(plan, blocks, what numpy makes of them): seconds of a recording in which the word is said."""
    plan = plan_file(ROOT / "apps/wake_word")
    samples = read_recording(ROOT / "recordings/kitchen.flac", rate_hz=Fraction(16000), channels=1).samples.reshape(-1)
    x = blocks_of(plan, samples[: 7 * 16000])[0]
    wanted = Engine(plan).push(x)
    assert len(wanted[plan.scores].when) > 100 and len(wanted[plan.detector].when)
    return plan, x, wanted


@pytest.mark.parametrize("compiler", cross.COMMANDS)
@pytest.mark.parametrize("core", CORES)
def test_the_wake_word_hears_the_same_on_every_core(core, compiler):
    plan, x, wanted = wake_word()
    engine = Emulated(plan, core, by(compiler, core))
    assert engine.name == f"{core} ({compiler} -O2)"
    assert_same(plan, engine.push(x), wanted)


@pytest.mark.parametrize("compiler", cross.COMMANDS)
@pytest.mark.parametrize("optimise", ["-O0", "-O3", "-Os"])
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m55", "rv32imac"])
def test_the_wake_word_hears_the_same_at_every_level(core, optimise, compiler):
    plan, x, wanted = wake_word()
    assert_same(plan, Emulated(plan, core, by(compiler, core), optimise).push(x), wanted)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imac"])
def test_small_plans_are_the_same_on_every_core(core, name):
    need_qemu(core)
    module, i = SMALL[name]
    stage, signals = example(module, i)
    plan = plan_stage(name, stage, *signals)
    x = blocks(module, signals, count=150)
    assert_same(plan, Emulated(plan, core).push(*x), Engine(plan).push(*x))


@pytest.mark.parametrize("name", [*MODELS, *(f"micro_wake_word/{name}" for name in STREAMING)])
def test_models_are_the_same_on_a_cortex_m4(name):
    """That TFLM computes the same as numpy is shown in test_model and test_variables."""
    compiler = cross_compiler("gcc" if "gcc" in cross_compilers() else "zig")
    if name.startswith("micro_wake_word/"):
        plan = compiled_streaming(name.partition("/")[2])
        x = [random_steps(plan, 20)]
    else:
        plan = compiled_model(name)[1]
        x = [b[3:6] for b in awkward(name)]
    assert_same(plan, Emulated(plan, "cortex-m4", compiler).push(*x), Engine(plan).push(*x))


@pytest.mark.parametrize("name", [*ONE_OPERATOR, KEYWORD])
def test_models_with_int16_are_the_same_on_a_cortex_m4(name):
    plan = compiled_int16(name)
    x = [awkward_int16(s, 3, seed) for seed, s in enumerate(plan.x)]
    compiler = cross_compiler("gcc" if "gcc" in cross_compilers() else "zig")
    assert_same(plan, Emulated(plan, "cortex-m4", compiler).push(*x), Engine(plan).push(*x))


# --- an engine like the others --------------------------------------------------------------------------------


def test_outputs_do_not_depend_on_chunks_nor_on_the_first_life():
    plan, x, wanted = wake_word()
    engine = Emulated(plan)
    engine.push(x[:37])
    engine.reset()
    parts = [engine.push(x[a:b]) for a, b in ((0, 1), (1, 64), (64, 65), (65, 200))]
    for i, want in wanted.items():
        early = want.when < 200
        np.testing.assert_array_equal(np.concatenate([p[i].when for p in parts]), want.when[early])
        np.testing.assert_array_equal(np.concatenate([p[i].y for p in parts]), want.y[early])


def test_only_what_is_wanted_comes_out():
    plan, x, wanted = wake_word()
    wish = {0, plan.scores}
    assert_same(plan, Emulated(plan).push(x, want=wish), {i: wanted[i] for i in wish})


def test_two_engines_do_not_share_their_state():
    plan, x, wanted = wake_word()
    a, b = Emulated(plan), Emulated(plan)
    a.push(x[:100])
    assert_same(plan, b.push(x), wanted)


def test_verify_names_the_core_and_the_first_step_that_differs():
    plan, x, _ = wake_word()
    samples = x[:150].reshape(-1)
    compared = Compared()
    assert verify(plan, Engine(plan), Emulated(plan), samples, compared) is None
    assert compared.blocks == 150 and compared.outputs[plan.steps[0].name] > 100
    at = next(i for i, step in enumerate(plan.steps) if "bias" in step.tables)
    tables = {**plan.steps[at].tables, "bias": plan.steps[at].tables["bias"] + 500}
    steps = tuple(replace(step, tables=tables) if i == at else step for i, step in enumerate(plan.steps))
    other = Emulated(replace(plan, steps=steps))
    found = verify(plan, Engine(plan), other, samples, Compared())
    assert found is not None and found.step == plan.steps[at].name
    assert other.name in found.what and "python" in found.what


def test_each_step_is_told_its_own_instructions():
    plan, x, _ = wake_word()
    measured = measure(plan, [x[:200]], "cortex-m4", cross_compiler(), by_step=True)
    kinds = [step.kind for step in plan.steps]
    front = measured.by_step[kinds.index("micro_frontend")]
    assert front > 100 * measured.by_step[kinds.index("quantize")] > 0
    assert measured.by_step.total() == sum(measured.instructions)
