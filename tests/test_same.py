"""Is it the same?  Every stage's numpy and C, bit for bit, on its own EXAMPLES.  A new stage is covered by existing."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from examples import CASES, FORMS, IDS, blocks, example, forms

from tinystream.emit.compiler import compilers
from tinystream.emit.host import build_stream, parse_stream
from tinystream.plan.plan import plan_stage
from tinystream.run.engine import Engine
from tinystream.run.learnt import begin
from tinystream.run.native import Native

COMPILERS = {c.name: c for c in compilers()}


TWIN = "zig" if {"clang", "zig"} <= COMPILERS.keys() else ""
"""zig is clang with other defaults: where both are, it builds the first example of each module only."""
FORMED = [
    pytest.param(module, i, form, compiler, id=f"{compiler}-{id_}-{form}")
    for compiler in COMPILERS
    for (module, i), id_ in zip(CASES, IDS)
    for form in forms(module)
    if compiler != TWIN or i == 0
]


def c_outputs(plan, x, folder, compiler, form):
    told, flags = FORMS[form]
    program = build_stream(plan, folder, compiler, spread=True, form=told, more=flags)
    raw = b"".join(block.tobytes() for group in zip(*x) for block in group)
    done = subprocess.run([program], input=raw, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return parse_stream(plan, done.stdout)[0]


@pytest.mark.parametrize(("module", "i", "form", "compiler"), FORMED)
def test_c_gives_the_bits_of_numpy(module, i, form, compiler, tmp_path):
    stage, signals = example(module, i)
    plan = plan_stage("same", stage, *signals)
    x = blocks(module, signals)
    host = Engine(plan).push(*x)
    firmware = c_outputs(plan, x, tmp_path, COMPILERS[compiler], form)
    assert any(len(f.when) for f in host.values()), "an example that never fires tests nothing"
    for index, step in enumerate(plan.steps):
        np.testing.assert_array_equal(firmware[index][0], host[index].when, err_msg=f"when {step.name} fires")
        np.testing.assert_array_equal(firmware[index][1], host[index].y, err_msg=step.name)


@pytest.mark.parametrize(("module", "i"), CASES, ids=IDS)
def test_outputs_do_not_depend_on_chunking_nor_on_the_first_life(module, i):
    stage, signals = example(module, i)
    plan = plan_stage("chunked", stage, *signals)
    x = blocks(module, signals, seed=1)
    whole, engine = Engine(plan).push(*x), Engine(plan)
    engine.push(*x)
    for size in (1, 7):
        begin(plan, engine)
        parts = [engine.push(*(b[j : j + size] for b in x)) for j in range(0, len(x[0]), size)]
        for index in whole:
            np.testing.assert_array_equal(np.concatenate([p[index].when for p in parts]), whole[index].when)
            np.testing.assert_array_equal(np.concatenate([p[index].y for p in parts]), whole[index].y)


def test_native_engine_is_the_same_after_a_reset(tmp_path, monkeypatch):
    from tinystream.stages.frame import AUDIO, Frame

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plan = plan_stage("native", Frame(length_ms=30, hop_ms=20), AUDIO)
    x = blocks("tinystream.stages.frame", (AUDIO,), count=1200)
    host, native = Engine(plan).push(*x), Native(plan)
    native.push(*x)
    native.reset()
    fired = native.push(*x)
    np.testing.assert_array_equal(fired[0].when, host[0].when)
    np.testing.assert_array_equal(fired[0].y, host[0].y)
