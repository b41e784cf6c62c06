"""Is it scikit-learn's StandardScaler, whatever the units, and are its numbers taken from a file?"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinystream.app.fitted import with_file
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.normalise import Normalise

FEATURES = Signal((3,), "int32", Fraction(10), 2.0**-16)


def normalised(stage: Normalise, x, signal: Signal = FEATURES) -> np.ndarray:
    """In standard deviations."""
    plan = plan_stage("normalise", stage, signal)
    return plan.steps[0].y.real(Engine(plan).push(np.asarray(x, signal.dtype).reshape(-1, *signal.shape))[0].y)


def test_a_mean_is_nothing_and_a_standard_deviation_is_one():
    mean, std = np.array([2.0, -300.0, 0.25]), np.array([0.5, 40.0, 0.125])
    stage = Normalise(mean=tuple(mean.tolist()), std=tuple(std.tolist()))
    for n in (-7.5, -1, 0, 0.25, 3):
        assert normalised(stage, (mean + n * std) * 65536).tolist() == [[n, n, n]]


def test_it_is_what_a_standard_scaler_gives():
    rng = np.random.default_rng(1)
    real = rng.normal([0, 5, -1000], [1e-2, 3, 200], (500, 3))
    x = np.rint(real * 65536)
    mean, scale = (x / 65536).mean(axis=0), (x / 65536).std(axis=0)
    y = normalised(Normalise(mean=tuple(mean.tolist()), std=tuple(scale.tolist())), x)
    assert np.abs(y - (x / 65536 - mean) / scale).max() <= 0.55 * 2.0**-12
    assert np.abs(y.mean(axis=0)).max() < 2.0**-12 and y.std(axis=0) == pytest.approx([1, 1, 1], abs=1e-4)


def test_what_is_beyond_reach_saturates():
    stage = Normalise(mean=0.0, std=1.0, reach=4)
    assert normalised(stage, [2**31 - 1, -(2**31), 3 * 65536]).tolist() == [[4 - 2.0**-13, -4, 3]]
    assert stage.plan(FEATURES).y == replace(FEATURES, dtype="int16", scale=2.0**-13)


def test_every_sample_of_a_block_has_the_numbers_of_its_channel():
    axes = Signal((2, 3), "int16", Fraction(10), 2.0**-13, unit="g", sample_hz=Fraction(20))
    stage = Normalise(mean=(0.0, 0.0, 1.0), std=(0.5, 0.25, 0.125))
    assert normalised(stage, [[4096, 4096, 8192], [0, -2048, 9216]], axes).tolist() == [[[1, 2, 0], [0, -1, 1]]]
    assert stage.plan(axes).tables["mean"].shape == (3,)


def test_every_value_of_a_block_may_have_its_own():
    stage = Normalise(mean=tuple(map(float, range(6))), std=1.0)
    assert not normalised(stage, np.arange(6) * 65536, replace(FEATURES, shape=(2, 3))).any()


def test_its_numbers_may_lie_in_a_file(tmp_path):
    (tmp_path / "scaler.json").write_text(json.dumps({"kind": "normalise", "mean": [1, 2, 3], "std": [1.0, 0.5, 2.0]}))
    stage = with_file(Normalise(file="scaler.json", reach=16), tmp_path)
    assert isinstance(stage, Normalise) and stage.std == (1.0, 0.5, 2.0) and stage.reach == 16


@pytest.mark.parametrize(("stage", "signal", "path", "what"), [
    (Normalise(mean=(0.0, 0.0), std=1.0), FEATURES, ("mean",), "mean has 2 numbers for 3 features"),
    (Normalise(mean=0.0, std=(1.0, 0.0, 1.0)), FEATURES, ("std",),
     "std of feature 1 is 0: it was always the same when this was fitted"),
    (Normalise(mean=0.0, std=1.0), replace(FEATURES, dtype="int64"), (),
     "stage 'normalise' takes up to 1024 int8, int16 or int32 features, and is given 3 int64 at 10 Hz"),
])  # fmt: skip
def test_mistakes(stage, signal, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(signal)
    assert (caught.value.path, caught.value.what) == (path, what)
