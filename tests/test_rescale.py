"""Are counts exact in another step, and saturated where it is too small?"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages._scaled import scaled
from tinystream.stages.rescale import Rescale, run


def signal(dtype: str, scale: float, zero: int = 0) -> Signal:
    return Signal((3,), dtype, Fraction(10), scale, zero, unit="g")


def rescaled(stage: Rescale, x: Signal, values) -> list[int]:
    return run(stage.plan(x).k, None, np.array([values], x.dtype))[0].tolist()


def test_powers_of_two_are_exact_and_halves_go_up():
    x = signal("int16", 2.0**-12)
    assert rescaled(Rescale(scale=2.0**-14), x, [1, -3, 32767]) == [4, -12, 4 * 32767]
    assert rescaled(Rescale(scale=2.0**-11), x, [1, -1, -32768]) == [1, 0, -16384]


def test_any_ratio_is_the_nearest_count():
    x, v = signal("int16", 1 / 977), np.arange(-32768, 32768)
    y = run(Rescale(scale=2.0**-16).plan(x).k, None, v.astype(np.int16)[None])[0]
    assert np.abs(y - v / 977 * 2**16).max() <= 0.5 + 2**-10


def test_what_does_not_fit_saturates():
    assert rescaled(Rescale(scale=2.0**-30), signal("int16", 1.0), [2, -2, 1]) == [2**31 - 1, -(2**31), 2**30]
    assert rescaled(Rescale(scale=2.0**-15, type="int16"), signal("int32", 2.0**-16), [65535, -(2**31), 3]) == [32767, -32768, 2]
    low, high = -(2**63), 2**63 - 1
    assert rescaled(Rescale(scale=1.0), signal("int64", 1.0, 7), [low, high, 9]) == [-(2**31), 2**31 - 1, 2]
    assert rescaled(Rescale(scale=2.0**32), signal("int64", 1.0, -7), [low, high, 2**40]) == [-(2**31) + 2, 2**31 - 2, 256]
    assert rescaled(Rescale(scale=2.0**31), signal("int64", 1.0), [low, high, 2**40]) == [-(2**31), 2**31 - 1, 512]


@pytest.mark.parametrize(("x", "scale"), [
    (signal("int16", 2.0**-15), 2.0**-31), (signal("int32", 0.3), 0.5), (signal("uint16", 2.0**-10), 2.0**-25),
    (signal("int8", 0.1, -128), 2.0**-26),
])
def test_the_scale_is_the_finest_power_of_two_where_none_is_said(x, scale):
    y = Rescale().plan(x).y
    assert (y.dtype, y.scale, y.zero, y.unit) == ("int32", scale, 0, "g")
    info = np.iinfo(x.dtype)
    ends = [abs(v) for v in rescaled(Rescale(), x, [info.min, info.max, 0])]
    assert 2**30 <= max(ends) <= 2**31


@pytest.mark.parametrize(("stage", "x", "what", "help_"), [
    (Rescale(scale=2.0), signal("int16", 2.0**-15), "scale = 2 is more than the greatest input, 1 g", "scale = 4.65661e-10"),
    (Rescale(scale=2.0**-40), signal("int16", 1.0), "scale = 9.09495e-13 is so small that one count of the input, 1, fills int32",
     "scale = 1.52588e-05"),
])
def test_scales_that_tell_nothing_are_refused(stage, x, what, help_):
    with pytest.raises(AppError) as caught:
        stage.plan(x)
    assert (caught.value.path, caught.value.what, caught.value.help) == (("scale",), what, help_)


def test_a_wide_value_keeps_31_bits_at_every_exponent():
    value = (1 << 62) + (1 << 40) + 12345
    for right in range(-40, 130):
        got = int(scaled(value, 0, 1 << 30, right + 30))
        want = value / 2.0**right
        assert abs(got - min(want, 2**31 - 1)) <= 0.5 + 2.0**-30 * got
        assert int(scaled(-value, 0, 1 << 30, right + 30)) == pytest.approx(max(-want, -(2**31)), rel=2.0**-30, abs=0.501)
