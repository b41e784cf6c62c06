"""Is an event one of ESPHome's firmware?  Tables by hand, both roundings over all values, and the firmware's slices spelled anew."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from esphome import Firmware
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystream.detectors.micro_wake_word import MicroWakeWord, score
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine


def events(detector: MicroWakeWord, probabilities, slices: int = 3, dtype: str = "uint8") -> list[tuple[int, int]]:
    """(score number, sum) of each event."""
    x = score(dtype, slices)
    blocks = (np.array(probabilities) + x.zero).astype(dtype).reshape(-1, 1)
    fired = Engine(plan_stage("mww", detector, x)).push(blocks)[0]
    assert not fired.y[:, 0].any(), "there is one label"
    return list(zip(fired.when.tolist(), fired.y[:, 1].tolist()))


NEW = MicroWakeWord(probability_cutoff=0.97, sliding_window_size=2)
OLD = NEW.model_copy(update={"rule": "mww_2024_10"})


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_nothing_in_the_first_74_slices(dtype):
    """Old rule: every slice counts, the 74th is the first that may fire.  74 slices are 24 scores and two slices."""
    assert events(OLD, [255] * 30, 3, dtype) == [(24, 510)]
    assert events(OLD, [255] * 80, 1, dtype) == [(73, 510)]


def test_loud_slices_do_not_count_in_the_new_rule():
    assert events(NEW, [255] * 500) == []


def test_new_rule_by_hand():
    """A slice takes the newest score: with three slices a score, the two before a loud one still see the quiet one."""
    cutoff = 247
    # 3 slices for each of 24 quiet scores = 72, then two more before the 25th score arrives: 74, ignoring has ended
    assert events(NEW, [0] * 24 + [cutoff, cutoff + 1]) == [(25, 2 * cutoff + 1)]
    assert events(NEW, [0] * 24 + [cutoff, cutoff]) == [], "the sum must exceed"
    assert events(NEW, [0] * 23 + [cutoff] * 100) == [], "two slices short, and loud ones do not count"
    assert events(NEW, [0] * 23 + [255] * 4 + [246, 255, 255]) == [(28, 501)], "the missing slices, with a score below the cutoff"


def test_an_event_between_two_scores_comes_with_the_next():
    """Ignoring ends one slice after a score that dipped, while the sum is high; then the sum is of before the next score."""
    half = MicroWakeWord(probability_cutoff=0.5, sliding_window_size=2)          # 127
    quiet = [0] * 23                                                            # 69 slices, and 2 before the first 255: 71
    assert events(half, [*quiet, 255, 126, 255]) == [(25, 381)], "slice 72 with the 126; 73 and 74 before the 255"


def test_an_event_starts_all_over():
    assert [t for t, _ in events(OLD, [255] * 100)] == [24, 49, 73, 98], "slices 73, 147, 221 and 295"
    assert [t for t, _ in events(NEW, ([0] * 25 + [255] * 2) * 3)] == [26, 53, 80]
    assert events(NEW, [0] * 25 + [255] * 100) == [(26, 510)], "and only silence lets the new rule listen again"


@pytest.mark.parametrize(("cutoff", "whole"), [(0.97, 247), (0.5, 127), (0.6, 153), (0.99, 252), (0.2, 51), (0.003, 0)])
def test_cutoff_is_truncated(cutoff, whole):
    step = MicroWakeWord(probability_cutoff=cutoff, sliding_window_size=5).plan(score("uint8", 3))
    assert (step.params["cool"], step.params["limit"]) == (whole, whole * 5 + 1)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 7, 10, 20, 100, 255])
@pytest.mark.parametrize("cutoff", [0.01, 0.1, 0.2, 0.3, 0.5, 0.6, 0.66, 0.7, 0.8, 0.83, 0.9, 0.95, 0.97, 0.99])
def test_the_old_rules_float_mean_is_a_whole_limit_for_every_sum(window, cutoff):
    limit = MicroWakeWord(probability_cutoff=cutoff, sliding_window_size=window, rule="mww_2024_10").plan(score("uint8", 3)).params["limit"]
    for total in range(255 * window + 1):
        mean = np.float32(total) / np.float32(255 * window)
        assert (mean > np.float32(cutoff)) == (total >= limit)


def test_a_mean_that_equals_the_cutoff_is_no_event_of_either_rule():
    """51 of 255 is 0.2: both divisions round alike, so that the limit is that of exact fractions."""
    for window in range(1, 21):
        for percent in range(1, 100):
            limit = MicroWakeWord(probability_cutoff=percent / 100, sliding_window_size=window, rule="mww_2024_10").least_sum()
            assert limit == percent * 255 * window // 100 + 1


@settings(max_examples=150, deadline=None)
@given(rule=st.sampled_from(["mww_2025", "mww_2024_10"]), cutoff=st.integers(1, 99).map(lambda c: c / 100), window=st.integers(1, 12),
       stride=st.integers(1, 6),
       runs=st.lists(st.tuples(st.integers(0, 255), st.integers(1, 30)), min_size=1, max_size=25))
def test_random_words_give_the_events_of_the_firmware(rule, cutoff, window, stride, runs):
    probabilities = [level for level, length in runs for _ in range(length)]
    detector = MicroWakeWord(rule=rule, probability_cutoff=cutoff, sliding_window_size=window)
    assert events(detector, probabilities, stride) == Firmware(rule, cutoff, window, stride).listen(probabilities)


@pytest.mark.parametrize(("options", "x", "what"), [
    (dict(), Signal((2,), "uint8", Fraction(100, 3), 2.0**-8),
     "one probability in steps of 1/256, and is given 2 uint8 at 33.33 Hz in steps of 0.00390625"),
    (dict(), Signal((1,), "int8", Fraction(100, 3), 2.0**-8), "one probability"),
    (dict(), Signal((1,), "uint8", Fraction(100, 3), 1 / 255), "one probability"),
    (dict(), Signal((1,), "int16", Fraction(100, 3), 2.0**-8, -32768), "one probability"),
    (dict(), Signal((1,), "uint8", Fraction(40), 2.0**-8), "a score every 25 ms is not a whole number of feature frames of 10 ms"),
    (dict(), Signal((1,), "uint8", Fraction(4, 3), 2.0**-8),
     "a score every 750 ms is not a whole number of feature frames of 10 ms, 1 to 74"),
    (dict(probability_cutoff=0.999999999, rule="mww_2024_10"), score("uint8", 3), "probability_cutoff = 1 is never exceeded"),
])
def test_mistakes(options, x, what):
    with pytest.raises(AppError) as caught:
        MicroWakeWord(**{"probability_cutoff": 0.97, "sliding_window_size": 5, **options}).plan(x)
    assert what in caught.value.what


def test_the_models_own_output_shape_is_taken():
    MicroWakeWord(probability_cutoff=0.97, sliding_window_size=5).plan(Signal((1, 1), "uint8", Fraction(100, 3), 2.0**-8))
