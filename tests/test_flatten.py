"""Does Edge Impulse's Flatten tell what it says, in its order?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine
from tinystream.stages.flatten import Flatten

ACCELERATION = Signal((125, 3), "int16", Fraction(1), 4 * 2.0**-15, unit="g", sample_hz=Fraction(125, 2))


def flattened(stage: Flatten, x: Signal, samples: np.ndarray) -> np.ndarray:
    plan = plan_stage("flatten", stage, x)
    return plan.steps[-1].y.real(Engine(plan).push(samples.astype(np.int16)[None])[0].y[0])


def published(x: np.ndarray) -> list[float]:
    return [x.mean(), x.min(), x.max(), np.sqrt((x**2).mean()), x.std(), scipy.stats.skew(x), scipy.stats.kurtosis(x)]


def test_features_are_those_of_the_published_algorithm_axis_after_axis():
    rng = np.random.default_rng(2)
    for loud in (3, 200, 9000):
        samples = np.clip(np.rint(rng.laplace([0, 8192, -300], loud, (125, 3))), -32768, 32767)
        got = flattened(Flatten(scale_axes=9.81), ACCELERATION, samples)
        want = np.array([published(samples[:, axis] * 4 / 32768 * 9.81) for axis in range(3)])
        assert got == pytest.approx(want, rel=1e-4, abs=2e-5)


def test_audio_counts_as_int16():
    samples = np.random.default_rng(3).integers(-3000, 9000, 400)
    audio = Signal((400,), "int16", Fraction(10), 2.0**-15, unit="FS", sample_hz=Fraction(4000))
    assert flattened(Flatten(), audio, samples) == pytest.approx(published(samples), rel=1e-4, abs=1e-4)


def test_what_is_left_out_closes_up():
    samples = np.random.default_rng(4).integers(-3000, 9000, (125, 3))
    all_of_them = flattened(Flatten(), ACCELERATION, samples)
    some = flattened(Flatten(minimum=False, maximum=False, stdev=False), ACCELERATION, samples)
    assert some == pytest.approx(all_of_them[:, [0, 3, 5, 6]], abs=1e-4)


def test_a_constant_has_no_shape():
    assert flattened(Flatten(), ACCELERATION, np.full((125, 3), 8192))[1].tolist() == [1, 1, 1, 1, 0, 0, 0]


def test_nothing_at_all_is_refused():
    nothing = dict.fromkeys(("average", "minimum", "maximum", "rms", "stdev", "skewness", "kurtosis"), False)
    with pytest.raises(AppError, match="is told to leave out every feature"):
        Flatten(**nothing).plan(ACCELERATION)
