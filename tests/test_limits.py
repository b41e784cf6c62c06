"""Does an excursion alert once, when it should, and is it over when it should be?  Tables by hand, then whole apps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tinystream.detectors.limits import Limits
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine

TEN = Signal((1,), "int16", Fraction(10), 0.25)


def events(detector: Limits, real: list, x: Signal = TEN) -> list[tuple[int, str, float]]:
    """(decision, label, score) of each event."""
    values = np.array(real, float).reshape(len(real), -1)
    x = Signal((values.shape[1],), x.dtype, x.rate_hz, x.scale, x.zero)
    plan = plan_stage("limits", detector, x)
    fired = Engine(plan).push(np.rint(values / x.scale + x.zero).astype(x.dtype))[0]
    names = detector.labels_of(x)
    return [(int(t), names[label], float(plan.steps[0].y.real(score))) for t, (label, score) in zip(fired.when, fired.y)]


@pytest.mark.parametrize(("options", "scores", "want"), [
    # at the threshold is above it; an excursion alerts once, and again after it was below
    (dict(threshold=3.0), [2.75, 3, 4, 2.75, 3], [(1, 3), (4, 3)]),
    # below: at the threshold is below it
    (dict(threshold=3.0, when="below"), [3.25, 3, 2, 3.25, -9], [(1, 3), (4, -9)]),
    (dict(threshold=-1.0, when="below", clear=1.0), [0, -1, 1, -1, 1.25, -1], [(1, -1), (5, -1)]),
    # outside: both ends belong to the outside
    (dict(when="outside", low=-1.0, high=2.0), [0, 2, 0, -1, 1.75, -0.75, 5], [(1, 2), (3, -1), (6, 5)]),
    # from one side to the other is one excursion
    (dict(when="outside", low=-1.0, high=2.0, clear_low=0.0), [3, -5, -0.75, 3, 0, 3, 0.25, 3], [(0, 3), (7, 3)]),
    # hysteresis: exactly `clear` is not well
    (dict(threshold=3.0, clear=1.0), [3, 1, 3, 0.75, 3], [(0, 3), (4, 3)]),
    # hold: in a row, and what alerts is the last of them
    (dict(threshold=3.0, hold=3), [3, 3, 0, 3, 3, 4, 3], [(5, 4)]),
    # well in a row
    (dict(threshold=3.0, clear_hold=2), [3, 0, 3, 0, 0, 3], [(0, 3), (5, 3)]),
    # 0.3 s at 10 Hz are three decisions; what is still beyond when they are over alerts then, what is not never does
    (dict(threshold=3.0, quiet_s=0.3), [3, 0, 3, 0, 3, 0, 0, 0], [(0, 3), (4, 3)]),
    (dict(threshold=3.0, quiet_s=0.3), [3, 0, 3, 4, 3], [(0, 3), (3, 4)]),
    (dict(threshold=3.0, quiet_s=0.21), [3, 0, 3, 4, 3], [(0, 3), (3, 4)]),
    # reminders while it lasts, counted from the last one, and not while it is between the threshold and clear
    (dict(threshold=3.0, repeat_s=0.2), [3, 4, 5, 6, 7, 0, 3, 3], [(0, 3), (2, 5), (4, 7), (6, 3)]),
    (dict(threshold=3.0, repeat_s=0.2, clear=1.0), [3, 4, 2, 2, 7, 7], [(0, 3), (4, 7)]),
    (dict(threshold=3.0, repeat_s=0.2, quiet_s=0.5), [3, 4, 5, 6, 7, 8], [(0, 3), (5, 8)]),
])
def test_one_score_by_hand(options, scores, want):
    assert events(Limits(**options), scores) == [(t, "anomaly", v) for t, v in want]


def test_the_end_of_an_excursion_is_told_once_and_only_where_its_beginning_was():
    told = events(Limits(threshold=3.0, clear=1.0, clear_hold=2, hold=2, report_clear=True), [3, 0, 0, 3, 3, 2, 0, 3, 0, 0.5, 0, 0])
    assert told == [(4, "anomaly", 3), (9, "anomaly_clear", 0.5)]


def test_the_end_does_not_wait_for_quiet():
    told = events(Limits(threshold=3.0, quiet_s=1, report_clear=True), [3, 0, 3, 0])
    assert told == [(0, "anomaly", 3), (1, "anomaly_clear", 0)], "and the second excursion was over before it could be told"


TWO = dict(classes=("a", "b"))


@pytest.mark.parametrize(("options", "scores", "want"), [
    # the farthest beyond its own limit first, of equals the first; the other one at the next decision
    (dict(**TWO, threshold=3.0), [(3, 4), (3, 4), (3, 4)], [(0, "b", 4), (1, "a", 3)]),
    (dict(**TWO, threshold={"a": 1.0, "b": 3.0}), [(3, 4), (0, 0), (2, 4), (2, 4)], [(0, "a", 3), (2, "a", 2), (3, "b", 4)]),
    (dict(**TWO, when="outside", low=-2.0, high=2.0), [(3, -4), (0, 0)], [(0, "b", -4)]),
    # one that may not alert never does
    (dict(**TWO, labels=("b",), threshold=3.0), [(9, 0), (9, 3)], [(1, "b", 3)]),
    (dict(**TWO, threshold={"b": 3.0}), [(9, 0), (9, 3)], [(1, "b", 3)]),
    # quiet is for all labels; each has a row of its own
    (dict(**TWO, threshold=3.0, quiet_s=0.2, hold=2), [(3, 0), (3, 3), (0, 3), (0, 4)], [(1, "a", 3), (3, "b", 4)]),
    # an alert goes before the end of another, which follows it
    (dict(**TWO, threshold=3.0, report_clear=True), [(3, 0), (0, 5), (0, 5)], [(0, "a", 3), (1, "b", 5), (2, "a_clear", 0)]),
])
def test_several_scores_by_hand(options, scores, want):
    assert events(Limits(**options), scores) == want


@pytest.mark.parametrize(("options", "path", "what", "help"), [
    (dict(), "when", 'when = "above" needs threshold', "threshold = 1.0"),
    (dict(when="outside", low=1.0), "when", 'when = "outside" needs high', "high = 1.0"),
    (dict(threshold=1.0, low=1.0), "low", 'low means nothing to when = "above", which knows threshold, clear', 'when = "outside"'),
    (dict(when="outside", low=1.0, high=2.0, clear=1.5), "clear",
     'clear means nothing to when = "outside", which knows low, high, clear_low, clear_high', "low and high"),
    (dict(threshold=9000.0), "threshold", "threshold = 9000 is above the greatest score there is, 8191.75", None),
    (dict(threshold=-8192.0), "threshold", "threshold = -8192 is not above the least score there is, -8192", None),
    (dict(threshold=-8193.0, when="below"), "threshold", "threshold = -8193 is below the least score there is, -8192", None),
    (dict(threshold=8191.75, when="below"), "threshold", "threshold = 8191.75 is not below the greatest score there is, 8191.75", None),
    (dict(threshold=1.0, clear=2.0), "clear", "clear = 2 lies above the limit of 'a', 1", "clear = 1"),
    (dict(threshold=1.0, clear=0.5, when="below"), "clear", "clear = 0.5 lies below the limit of 'a', 1", "clear = 1"),
    (dict(when="outside", low=2.0, high=2.0), "low", "low = 2 is not below high = 2, of 'a'", "low = 1"),
    (dict(when="outside", low=0.0, high=9.0, clear_low=5.0, clear_high=5.0), "clear_low", "clear_low = 5 is not below clear_high, 5", None),
    (dict(threshold=1.0, labels=("c",)), "labels", "'c' is not a label of the scores", "labels from a, b"),
    (dict(threshold={"c": 1.0}, labels=("a",)), "threshold", "'c' is not a label of the scores", "threshold from a, b"),
    (dict(threshold={"a": 1.0}, clear={"b": 1.0}), "clear", "'a' has no clear", "clear = { a = 1 }"),
    (dict(threshold=1.0, labels=()), "labels", "no label may alert", 'labels = ["b"]'),
    (dict(threshold=1.0, classes=("a",)), "classes", "1 labels for 2 scores: a", None),
    (dict(threshold=1.0, classes=("a", "a_clear"), report_clear=True), "classes",
     "two scores have the same label: a, a_clear, a_clear, a_clear_clear", None),
])
def test_mistakes(options, path, what, help):
    with pytest.raises(AppError) as caught:
        Limits(**{"classes": ("a", "b"), **options}).plan(Signal((2,), "int16", Fraction(10), 0.25))
    assert (caught.value.path, caught.value.what) == ((path,), what)
    assert help is None or caught.value.help == help


def test_a_limit_between_two_counts_is_met_by_the_count_outside_of_it():
    assert events(Limits(threshold=3.1), [3, 3.25]) == [(1, "anomaly", 3.25)]
    assert events(Limits(threshold=3.1, when="below"), [3.25, 3]) == [(1, "anomaly", 3)]


def test_a_score_that_is_too_far_from_its_zero_saturates():
    x = Signal((1,), "int32", Fraction(10), 1.0, -(2**31))
    step = Limits(threshold=2.0**32 - 1).plan(x)
    y = step.run(step.k, step.fresh_state(), np.array([2**31 - 1], np.int32))
    assert y.tolist() == [0, 2**31 - 1]


def test_int64_scores_are_refused():
    with pytest.raises(AppError, match="reads int8, uint8, int16, uint16, int32 scores"):
        Limits(threshold=1.0).plan(Signal((2,), "int64", Fraction(4)))


def test_an_app_names_the_events_after_its_scores_and_their_ends(tmp_path):
    from tinystream.app.planning import plan_file

    text = """name = "loud"
[source]
kind = "microphone"
rate_hz = 16000
block_ms = 20
[[stage]]
kind = "frame"
length_ms = 20
[[stage]]
kind = "spectrum"
[[stage]]
kind = "mel"
bands = 10
[[stage]]
kind = "log"
[detect]
kind = "limits"
threshold = -1.0
{more}
"""
    file = tmp_path / "app.toml"
    file.write_text(text.format(more="report_clear = true"))
    plan = plan_file(file)
    assert plan.labels == tuple(map(str, range(10))) + tuple(f"{i}_clear" for i in range(10))
    file.write_text(text.format(more='classes = ["' + '", "'.join("abcdefghij") + '"]'))
    assert plan_file(file).labels == tuple("abcdefghij")
