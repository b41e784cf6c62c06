"""Does a depthwise convolution give the same where y lies over x, and where its image is a part of a larger one?"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from examples import FORMS
from test_passes import depthwise

from tinystream.emit.compiler import compiler
from tinystream.emit.host import build_stream, parse_stream
from tinystream.ops.limit import Limit
from tinystream.ops.slice import Slice
from tinystream.plan.plan import Wiring, plan_steps
from tinystream.plan.signal import Signal
from tinystream.plan.views import viewed
from tinystream.run.engine import Engine


def signal(*shape):
    return Signal(shape, "int8", Fraction(10), 0.05, -3)


def planned(x, *operators):
    """A plan of operators one after the other; what the first one gives is in the arena, not the caller's."""
    wiring, given = Wiring(), x
    for operator in operators:
        wiring.add(operator.plan(given), [len(wiring.steps) - 1])
        given = replace(wiring.steps[-1].y, scale=0.05, zero=-3)
    return plan_steps("in_place", (x,), wiring.steps)


def random(x, count=3):
    return np.random.default_rng(2).integers(-128, 128, (count, *x.shape)).astype(np.int8)


def c_outputs(plan, x, folder, form):
    told, flags = FORMS[form]
    program = build_stream(plan, folder, compiler(), "-O0", form=told, more=flags)
    done = subprocess.run([program], input=x.tobytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return parse_stream(plan, done.stdout)[0]


IMAGES = {
    "a square": ((9, 9, 3), (3, 3), dict(padding="same")),
    "higher than wide": ((25, 5, 6), (3, 3), dict(padding="same")),
    "wider than high": ((4, 11, 2), (3, 3), dict(padding="same")),
    "higher, in several bands": ((90, 7, 2), (3, 3), dict(padding="same")),
    "wider, in several bands": ((7, 90, 2), (3, 3), dict(padding="same")),
    "every second of an even number": ((12, 12, 5), (3, 3), dict(padding="same", stride=(2, 2))),
    "every second of an odd number": ((13, 7, 5), (3, 3), dict(padding="same", stride=(2, 2))),
    "every third, in several bands": ((80, 61, 2), (3, 3), dict(padding="same", stride=(3, 3))),
    "higher, and narrower behind it": ((11, 5, 4), (3, 3), {}),
    "strides that differ": ((20, 9, 3), (3, 3), dict(padding="same", stride=(1, 2))),
    "a column": ((21, 1, 7), (5, 1), {}),
    "taps apart": ((15, 14, 3), (3, 2), dict(padding="same", dilation=(2, 3))),
    "five by five": ((10, 8, 3), (5, 5), dict(padding="same")),
    "one window": ((9, 1, 13), (9, 1), {}),
    "one window of two axes": ((3, 4, 6), (3, 4), {}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", IMAGES)
def test_y_over_x_gives_the_same(name, form, tmp_path):
    shape, kernel, options = IMAGES[name]
    x = signal(*shape)
    plan = planned(x, Limit(low=-100), depthwise(shape, kernel, **options))
    assert plan.buffers[1].over == "limit", "or this tests nothing"
    blocks = random(x)
    y = c_outputs(plan, blocks, tmp_path, form)[1][1]
    np.testing.assert_array_equal(y, Engine(plan).push(blocks)[1].y)


def test_y_does_not_lie_over_x_where_a_channel_gives_several():
    weight = np.ones((3, 3, 8), np.int8)
    layer = replace(depthwise((6, 6, 4), (3, 3), padding="same"), weight=weight, bias=np.zeros(8, np.int32), weight_scale=np.full(8, 1e-2))
    assert not layer.plan(signal(6, 6, 4)).inplace


# --- parts of a larger image ------------------------------------------------------------------------------------------


def rows_of(shape, rows, channels):
    return Slice(shape, (range(shape[0])[rows], range(shape[1])[channels]))


PARTS = {
    "some channels": ([rows_of((9, 64), slice(None), slice(32, 64))], (9, 1, 32), (9, 1)),
    "the newest rows of some channels": (
        [rows_of((9, 64), slice(None), slice(0, 32)), rows_of((9, 32), slice(4, 9), slice(None))],
        (5, 1, 32),
        (5, 1),
    ),
    "every second row": ([rows_of((9, 64), slice(0, 9, 2), slice(None))], (5, 1, 64), (5, 1)),
    "several windows": ([rows_of((12, 10), slice(2, 12), slice(3, 8))], (10, 1, 5), (3, 1)),
    "rows alone": ([rows_of((12, 10), slice(2, 12), slice(None))], (2, 5, 10), (2, 2)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_read_where_it_lies(name, form, tmp_path):
    slices, shape, kernel = PARTS[name]
    x = signal(*slices[0].x_shape)
    plan = planned(x, Limit(low=-100), *slices, depthwise(shape, kernel))
    steps, at = viewed(plan.steps)
    assert [s.kind for s in steps] == ["limit", "depthwise_conv_2d"] and at[-1] == 1
    short, blocks = plan_steps("short", (x,), steps), random(x)
    want = Engine(plan).push(blocks)[len(slices) + 1].y
    np.testing.assert_array_equal(Engine(short).push(blocks)[1].y, want)
    np.testing.assert_array_equal(c_outputs(short, blocks, tmp_path, form)[1][1], want)


def test_a_slice_stays_where_its_values_do_not_lie_like_pixels():
    turned = Slice((9, 8), (range(8, -1, -1), range(8)))
    steps = planned(signal(9, 8), turned, depthwise((9, 1, 8), (9, 1))).steps
    ragged = Slice((9, 8), (range(9), range(0, 8, 2)))
    for each in (steps, planned(signal(9, 8), ragged, depthwise((9, 1, 4), (9, 1))).steps):
        assert [s.kind for s in viewed(each).steps] == ["slice", "depthwise_conv_2d"]


def test_a_slice_stays_where_others_look_at_it():
    steps = planned(signal(9, 8), rows_of((9, 8), slice(2, 9), slice(None)), depthwise((7, 1, 8), (7, 1))).steps
    assert [s.kind for s in viewed(steps, keep=[0]).steps] == ["slice", "depthwise_conv_2d"]
    limited = planned(signal(9, 8), rows_of((9, 8), slice(2, 9), slice(None)), Limit(low=-9)).steps
    assert [s.kind for s in viewed(limited).steps] == ["slice", "limit"]
