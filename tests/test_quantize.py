"""Are counts the model's own, to the last one?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.stages.quantize import Quantize, ceil_log2, mantissa, run

FEATURES = Signal((40,), "uint16", Fraction(100), 1 / 25.6, unit="octaves")


def quantized(stage: Quantize, x: Signal, values) -> np.ndarray:
    return run(stage.plan(x).k, None, np.array(values, x.dtype))


def test_micro_wake_word_rule_is_the_firmwares_for_every_feature_value():
    v = np.arange(65536)
    want = np.clip((v * 256 + 333) // 666 - 128, -128, 127)
    np.testing.assert_array_equal(quantized(Quantize(rule="micro_wake_word"), FEATURES, v), want)


def test_a_model_that_counts_in_ones_is_given_the_same_counts():
    v = np.arange(65536)
    step = Quantize(rule="micro_wake_word", scale=1.0, zero=0).plan(replace(FEATURES, scale=1.0))
    np.testing.assert_array_equal(run(step.k, None, v.astype("uint16")), quantized(Quantize(rule="micro_wake_word"), FEATURES, v))
    assert (step.y.scale, step.y.zero) == (1.0, 0)
    assert (step.y.real(-128), step.y.real(127)) == (-128, 127)


def test_micro_wake_word_rule_by_hand():
    v = [0, 1, 2, 333, 662, 663, 670, 65535]
    assert quantized(Quantize(rule="micro_wake_word"), FEATURES, v).tolist() == [-128, -128, -127, 0, 126, 127, 127, 127]


def test_micro_wake_word_rule_differs_from_the_nearest_count():
    v = np.arange(671)
    model = dict(scale=0.10196078568696976, zero=-128)
    differ = quantized(Quantize(**model), FEATURES, v) != quantized(Quantize(rule="micro_wake_word", **model), FEATURES, v)
    print(f"{differ.mean():.1%} of feature values")
    assert differ.any()


@settings(max_examples=150, deadline=None)
@given(dtype=st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"]), ratio=st.floats(-14, 9),
       to=st.sampled_from(["int8", "int16"]), zero=st.integers(-128, 127), x_zero=st.integers(-100, 300), data=st.data())
def test_every_type_and_scale_rounds_as_fractions_do(dtype, ratio, to, zero, x_zero, data):
    """Against exact rationals; where a value lies so near to a half that 31 bits cannot tell, either neighbour is right."""
    info, y_info = np.iinfo(dtype), np.iinfo(to)
    x = replace(FEATURES, dtype=dtype, scale=2.0**ratio * 3, zero=x_zero)
    stage = Quantize(scale=3.0, zero=zero, type=to)
    near = int((y_info.max + 200) / 2.0**ratio) + 1
    values = st.integers(info.min, info.max) | st.integers(*(min(max(edge, info.min), info.max) for edge in (x_zero - near, x_zero + near)))
    values = data.draw(st.lists(values, min_size=12, max_size=12))
    try:
        got = quantized(stage, x, values)
    except AppError as mistake:
        assert "is more than the greatest input" in mistake.what
        return
    for value, y in zip(values, got.tolist()):
        exact = (value - x_zero) * Fraction(x.scale) / 3 + zero
        close = Fraction(1, 2**18 if to == "int8" else 2**11)
        want = {min(max(floor(exact + slack + Fraction(1, 2)), int(y_info.min)), int(y_info.max)) for slack in (-close, close)}
        assert y in want


@pytest.mark.parametrize(("dtype", "value", "want"), [
    ("int64", 2**63 - 1, 127), ("int64", -(2**63), -128), ("uint32", 2**32 - 1, 127), ("int32", -(2**31), -128)])
@pytest.mark.parametrize("scale", [1000.0, 2.0**-9, 1.0, 2.0**24])
def test_extremes_saturate_and_never_wrap(dtype, value, want, scale):
    x = replace(FEATURES, dtype=dtype, scale=1.0, zero=-5)
    assert quantized(Quantize(scale=scale, zero=0), x, [value] * 40)[0] == want
    assert quantized(Quantize(scale=max(scale / 256, 2.0**-9), zero=0, type="int16"), x, [value] * 40)[0] in (256 * want, 256 * want + 255)


@given(st.fractions(min_value=Fraction(1, 10**9), max_value=10**9))
def test_mantissa_has_31_bits_and_log2_is_exact(ratio):
    multiplier, shift = mantissa(ratio)
    assert 2**30 <= multiplier < 2**31
    assert abs(multiplier / Fraction(2) ** shift - ratio) <= ratio / 2**30
    assert Fraction(2) ** (ceil_log2(ratio) - 1) < ratio <= Fraction(2) ** ceil_log2(ratio)


def test_an_app_can_fill_in_the_models_scale():
    step = Quantize().model_copy(update={"scale": 0.5, "zero": 3}).plan(FEATURES)
    assert (step.y.dtype, step.y.scale, step.y.zero, step.y.unit, step.y.shape) == ("int8", 0.5, 3, "octaves", (40,))


@pytest.mark.parametrize(("stage", "x", "path", "what"), [
    (Quantize(), FEATURES, "scale", "stage 'quantize' has no scale, and no model follows to take it from"),
    (Quantize(scale=0.1), FEATURES, "zero", "stage 'quantize' has no zero, and no model follows to take it from"),
    (Quantize(scale=1e6, zero=0), FEATURES, "scale", "scale = 1e+06 is more than the greatest input, 2560 octaves"),
    (Quantize(scale=1e-6, zero=0), FEATURES, "scale",
     "scale = 1e-06 is so small that one count of the input, 0.03906, is 3.906e+04 counts"),
    (Quantize(rule="micro_wake_word", scale=0.2), FEATURES, "rule",
     'rule = "micro_wake_word" is made for a scale of 0.10196 and a zero of -128, or 1 and 0, not 0.2 and -128'),
    (Quantize(rule="micro_wake_word"), replace(FEATURES, scale=1.0), "rule",
     'rule = "micro_wake_word" is made for features of scale 0.0390625 and zero 0, not 1 and 0'),
    (Quantize(rule="micro_wake_word", type="int16"), FEATURES, "rule", 'rule = "micro_wake_word" is made for int8'),
    (Quantize(scale=0.1, zero=0).model_copy(update={"type": "int32"}), FEATURES, "type",
     "stage 'quantize' gives int8 or int16, and the model wants int32"),
    (Quantize(scale=1.0, zero=0), replace(FEATURES, dtype="uint64"), None,
     "stage 'quantize' takes integers of up to 64 bits with a sign, and is given 40 uint64 at 100 Hz"),
])
def test_mistakes(stage, x, path, what):
    with pytest.raises(AppError) as caught:
        stage.plan(x)
    assert caught.value.what == what
    assert caught.value.path == ((path,) if path else ())
