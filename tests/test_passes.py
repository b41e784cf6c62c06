"""Do passes keep every byte, and the moment at which it comes?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tinystream.app.planning import plan
from tinystream.app.read import load
from tinystream.io.recording import read_recording
from tinystream.ops.conv_2d import Conv2d
from tinystream.ops.depthwise_conv_2d import DepthwiseConv2d
from tinystream.plan.passes import reuse_windows
from tinystream.plan.plan import Wiring, plan_steps
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.run.native import Native
from tinystream.run.replay import blocks_of
from tinystream.stages.stack import Stack

ROOT = Path(__file__).parents[1]
X = Signal((6,), "int8", Fraction(100), 0.05, -3)
RNG = np.random.default_rng(3)


def conv(shape, kernel, outputs, **options):
    weight = RNG.integers(-127, 128, (outputs, *kernel, shape[2])).astype(np.int8)
    scale = np.full(outputs, 2e-3 / np.sqrt(weight[0].size))
    return Conv2d(shape, weight, RNG.integers(-99, 99, outputs).astype(np.int32), scale, 0.03, 4, **options)


def depthwise(shape, kernel, **options):
    weight = RNG.integers(-127, 128, (*kernel, shape[2])).astype(np.int8)
    return DepthwiseConv2d(shape, weight, RNG.integers(-99, 99, shape[2]).astype(np.int32), np.full(shape[2], 1e-2), 0.03, 4, **options)


def wired(stack, *operators):
    """Steps of a stack and operators in a row."""
    wiring, x = Wiring(), X
    for stage in (stack, *operators):
        given = x if stage is stack else replace(x, scale=0.05 if stage is operators[0] else 0.03, zero=-3 if stage is operators[0] else 4)
        step = stage.plan(given)
        index = wiring.add(step, [len(wiring.steps) - 1])
        x = wiring.steps[index].y
    return wiring.steps


def outputs(steps, index):
    x = np.random.default_rng(5).integers(-128, 128, (200, *X.shape)).astype(np.int8)
    plan = plan_steps("passes", (X,), steps)
    fired = Engine(plan).push(x)
    for i, native in Native(plan).push(x).items():
        np.testing.assert_array_equal(native.y, fired[i].y)
    return fired[index]


CHAINS = {
    "down to one row": [
        Stack(frames=14, every=3), conv((14, 1, 6), (5, 1), 4, stride=(3, 1)), depthwise((4, 1, 4), (4, 1)), conv((1, 1, 4), (1, 1), 2)
    ],
    "rows are left for the rest": [Stack(frames=11, every=2), conv((11, 1, 6), (3, 1), 4, stride=(2, 1)), depthwise((5, 1, 4), (3, 1))],
    "an operator over all rows follows": [Stack(frames=9), conv((9, 1, 6), (3, 1), 3), conv((7, 1, 3), (7, 1), 2, padding="same")],
    "dilated": [Stack(frames=12), conv((12, 1, 6), (2, 1), 3), conv((11, 1, 3), (3, 1), 5, dilation=(4, 1)), conv((3, 1, 5), (3, 1), 1)],
    "wide rows, padded across": [Stack(frames=8), conv((8, 6, 1), (3, 3), 2), depthwise((6, 4, 2), (2, 3), stride=(1, 2))],
}


@pytest.mark.parametrize("name", CHAINS)
def test_reusing_columns_keeps_bytes_and_times(name):
    steps = wired(*CHAINS[name])
    rewritten, at = reuse_windows(steps)
    before, after = outputs(steps, len(steps) - 1), outputs(rewritten, at[-1])
    assert len(before.when) > 50
    np.testing.assert_array_equal(after.when, before.when)
    np.testing.assert_array_equal(after.y.reshape(before.y.shape), before.y)
    assert sum(s.cost["mac8"] for s in rewritten if "mac8" in s.cost) < sum(s.cost["mac8"] for s in steps if "mac8" in s.cost)


UNFIT = {
    "the stride is not the step of the stack": [Stack(frames=14, every=2), conv((14, 1, 6), (5, 1), 4, stride=(3, 1))],
    "vectors are left over": [Stack(frames=15, every=3), conv((15, 1, 6), (5, 1), 4, stride=(3, 1))],
    "padded in time": [Stack(frames=9), conv((9, 1, 6), (3, 1), 3, padding="same")],
    "one window is the whole stack": [Stack(frames=5), conv((5, 1, 6), (5, 1), 3)],
    "rows are not the vectors": [Stack(frames=10), conv((5, 2, 6), (3, 1), 3)],
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_slide_stays_as_it_is(name):
    steps = wired(*UNFIT[name])
    rewritten, at = reuse_windows(steps)
    assert [s.params for s in rewritten] == [s.params for s in steps]
    assert at == list(range(len(steps)))


def test_a_step_that_somebody_looks_at_stays():
    steps = wired(*CHAINS["down to one row"])
    rewritten, at = reuse_windows(steps, keep=[2])
    for kept in (2, 3):
        before, after = outputs(steps, kept), outputs(rewritten, at[kept])
        np.testing.assert_array_equal(after.when, before.when)
        np.testing.assert_array_equal(after.y.reshape(before.y.shape), before.y)


def test_the_wake_word_is_the_same_with_and_without_passes():
    app, folder = load(ROOT / "apps/wake_word"), ROOT / "apps/wake_word"
    plain, quick = plan(app, folder, rewrite=False), plan(app, folder)
    assert plain.digest == quick.digest
    assert quick.ram_bytes < plain.ram_bytes
    samples = read_recording(ROOT / "recordings/kitchen.flac", rate_hz=Fraction(16000), channels=1).samples
    loud = np.random.default_rng(1).integers(-32768, 32768, 48000).astype(np.int16)
    for x in (samples, loud):
        a, b = Native(plain).push(*blocks_of(plain, x)), Native(quick).push(*blocks_of(quick, x))
        for mark in ("features", "scores", "detector"):
            before, after = a[getattr(plain, mark)], b[getattr(quick, mark)]
            np.testing.assert_array_equal(after.when, before.when, err_msg=mark)
            np.testing.assert_array_equal(after.y.ravel(), before.y.ravel(), err_msg=mark)
