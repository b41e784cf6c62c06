"""Does it alert when it should, once, on the right label?  Tables by hand, then against a plain second spelling."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystream.detectors.smoothed import Smoothed
from tinystream.errors import AppError
from tinystream.plan.plan import plan_stage
from tinystream.plan.signal import Signal
from tinystream.run.engine import Engine


def probabilities(count: int, rate_hz: Fraction = Fraction(10)) -> Signal:
    return Signal((count,), "int8", rate_hz, 2.0**-8, -128, "probability")


def events(detector: Smoothed, percent: list, rate_hz: Fraction = Fraction(10)) -> list[tuple[int, int, float]]:
    """(decision, label, mean) of each event, for rows of scores given as n/256."""
    x = np.array(percent).reshape(len(percent), -1)
    plan = plan_stage("smoothed", detector, probabilities(x.shape[1], rate_hz))
    fired = Engine(plan).push((x - 128).astype(np.int8))[0]
    return [(int(t), int(label), float(plan.steps[0].y.real(score)) * 256) for t, (label, score) in zip(fired.when, fired.y)]


@pytest.mark.parametrize(("options", "scores", "want"), [
    # one score: at the threshold is above it
    (dict(threshold=0.5), [127, 128, 127, 255], [(1, 0, 128), (3, 0, 255)]),
    # a mean: not before there are N, and exactly at the threshold
    (dict(threshold=0.5, mean_of=2), [255, 0, 255, 1, 255, 0], [(3, 0, 128), (4, 0, 128)]),
    (dict(threshold=0.5, mean_of=3), [255, 255, 0, 0, 200, 184, 255], [(2, 0, 170), (5, 0, 128), (6, 0, 213)]),
    # a maximum of the last two
    (dict(threshold=0.5, max_of=2), [0, 200, 10, 10, 128, 0], [(1, 0, 200), (2, 0, 200), (4, 0, 128), (5, 0, 128)]),
    # minimum duration
    (dict(threshold=0.5, min_scores=3), [200, 200, 0, 200, 200, 200, 200], [(5, 0, 200), (6, 0, 200)]),
    # hysteresis: exactly `clear` is not below it
    (dict(threshold=0.5, clear=0.25), [200, 200, 64, 200, 63, 127, 128], [(0, 0, 200), (6, 0, 128)]),
    # 0.3 s at 10 Hz are three decisions from an alert to the next; part of a decision is a decision
    (dict(threshold=0.5, quiet_s=0.3), [200] * 7, [(0, 0, 200), (3, 0, 200), (6, 0, 200)]),
    (dict(threshold=0.5, quiet_s=0.21), [200] * 5, [(0, 0, 200), (3, 0, 200)]),
    (dict(threshold=0.5, quiet_s=0.05), [200] * 3, [(0, 0, 200), (1, 0, 200), (2, 0, 200)]),
    # counting and arming go on while it is quiet
    (dict(threshold=0.5, quiet_s=0.4, clear=0.25, min_scores=2), [200, 200, 0, 200, 200, 200], [(1, 0, 200), (5, 0, 200)]),
])
def test_one_label_by_hand(options, scores, want):
    assert events(Smoothed(**options), scores) == want


TWO = dict(classes=("none", "yes", "no"), labels=("yes", "no"))


@pytest.mark.parametrize(("options", "scores", "want"), [
    # the greater mean wins; of equals the first; a label that may not alert never does
    (dict(**TWO, threshold=0.5), [(255, 130, 140), (0, 140, 140), (255, 0, 0)], [(0, 2, 140), (1, 1, 140)]),
    # each label is armed alone, so the second alerts while the first is still loud
    (dict(**TWO, threshold=0.5, clear=0.25), [(0, 200, 150), (0, 200, 150), (0, 200, 150)], [(0, 1, 200), (1, 2, 150)]),
    # thresholds of their own, in any order, and those without are never heard
    (dict(classes=TWO["classes"], threshold={"no": 0.25, "none": 0.5}), [(127, 255, 63), (127, 255, 64), (128, 255, 64)],
     [(1, 2, 64), (2, 0, 128)]),
    # quiet is for all labels
    (dict(**TWO, threshold=0.5, quiet_s=0.2), [(0, 200, 0), (0, 0, 200), (0, 0, 201)], [(0, 1, 200), (2, 2, 201)]),
    # duration is counted for each label
    (dict(**TWO, threshold=0.5, min_scores=2), [(0, 200, 0), (0, 130, 255), (0, 0, 128)], [(1, 1, 130), (2, 2, 128)]),
])
def test_several_labels_by_hand(options, scores, want):
    assert events(Smoothed(**options), scores) == want


def plain(d: Smoothed, rows: list[list[int]], rate_hz: Fraction) -> list[tuple[int, int, int]]:
    """The same rules in exact fractions of a probability, over whole histories, with no state but the events so far."""
    over = d.mean_of or d.max_of or 1
    names = d.classes or tuple(map(str, range(len(rows[0]))))
    threshold = d.threshold if isinstance(d.threshold, dict) else dict.fromkeys(d.labels or names, d.threshold)
    found: list[tuple[int, int, int]] = []

    def level(t: int, i: int) -> Fraction:
        window = [Fraction(r[i], 256) for r in rows[t - over + 1 : t + 1]]
        return max(window) if d.max_of else sum(window) / over

    for t in range(over - 1, len(rows)):
        if found and (t - found[-1][0]) / rate_hz < Fraction(str(d.quiet_s)):
            continue
        ready = []
        for i, name in enumerate(names):
            if name not in threshold or t - d.min_scores + 1 < over - 1:
                continue
            if any(level(u, i) < Fraction(str(threshold[name])) for u in range(t - d.min_scores + 1, t + 1)):
                continue
            own = [u for u, label, _ in found if label == i]
            if own and d.clear is not None and not any(level(u, i) < Fraction(str(d.clear)) for u in range(own[-1] + 1, t + 1)):
                continue
            ready.append((-level(t, i), i))
        if ready:
            most, i = min(ready)
            found.append((t, i, int(-most * (1 if d.max_of else over) * 256)))
    return found


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_random_scores_give_the_events_of_the_plain_spelling(data):
    count = data.draw(st.integers(1, 4))
    names = tuple("abcd"[:count])
    watched = tuple(data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True)))
    level = st.sampled_from([0.2, 0.25, 0.4, 0.5, 0.7])
    over = data.draw(st.one_of(st.none(), st.sampled_from(["mean_of", "max_of"])))
    options = {over: data.draw(st.integers(1, 5))} if over else {}
    threshold = data.draw(level) if data.draw(st.booleans()) else {n: data.draw(level) for n in watched}
    if data.draw(st.booleans()):
        options["clear"] = data.draw(st.sampled_from([0.1, 0.2]))
    rate_hz = data.draw(st.sampled_from([Fraction(10), Fraction(100, 3), Fraction(25, 4)]))
    d = Smoothed(classes=names, labels=watched, threshold=threshold, min_scores=data.draw(st.integers(1, 4)),
                 quiet_s=data.draw(st.sampled_from([0, 0.1, 0.12, 0.3, 1])), **options)
    score = st.sampled_from([0, 25, 26, 51, 52, 63, 64, 103, 128, 180, 255])
    rows = data.draw(st.lists(st.lists(score, min_size=count, max_size=count), min_size=1, max_size=50))
    fired = Engine(plan_stage("plain", d, probabilities(count, rate_hz))).push((np.array(rows) - 128).astype(np.int8))[0]
    got = [(int(t), int(label), int(v)) for t, (label, v) in zip(fired.when, fired.y)]
    assert got == plain(d, rows, rate_hz)


def test_an_app_binds_the_names_of_its_model_and_a_detectors_own_win():
    detector = Smoothed(threshold=0.5, labels=("yes",))
    bound = detector.bind(("no", "yes"))
    assert (detector.classes, bound.classes) == (None, ("no", "yes"))
    assert bound.plan(probabilities(2)).tables["label"].tolist() == [1]
    assert bound.bind(("other",)) is bound


def test_score_is_the_mean_in_the_models_unit():
    x = Signal((1, 2), "int16", Fraction(4), 0.01, 100, "logits")
    plan = plan_stage("score", Smoothed(threshold=1.0, mean_of=4), x)
    y = plan.steps[0].y
    blocks = np.array([[[0, 250]], [[0, 251]], [[0, 200]], [[0, 100]]], np.int16)
    (fired,) = Engine(plan).push(blocks)[0].y
    assert (fired[0], y.unit) == (1, "logits")
    assert y.real(fired[1]) == pytest.approx((1.5 + 1.51 + 1.0 + 0.0) / 4)


@pytest.mark.parametrize(("options", "path", "what", "help"), [
    (dict(threshold=80), "threshold", "threshold = 80 is not a probability", "threshold = 0.80"),
    (dict(threshold=0.0), "threshold", "threshold = 0 is not a probability", None),
    (dict(threshold=0.999), "threshold", "threshold = 0.999 is above the greatest score there is, 0.996094", None),
    (dict(threshold=0.5, clear=0.6), "clear", "clear = 0.6 lies above the threshold of 'a', 0.5", "clear = 0.25"),
    (dict(threshold=0.5, clear=-1.0), "clear", "clear = -1 is not a probability", None),
    (dict(threshold=0.5, mean_of=2, max_of=2), "max_of", "mean_of and max_of exclude each other", None),
    (dict(threshold=0.5, labels=("yes",)), "labels", "'yes' is not a label of the scores", "labels from a, b"),
    (dict(threshold=0.5, labels=()), "labels", "no label may alert", 'labels = ["b"]'),
    (dict(threshold={"c": 0.5}), "labels", "'c' is not a label of the scores", None),
    (dict(threshold={"a": 0.5}, labels=("a", "b")), "threshold", "'b' has no threshold", "threshold = { a = 0.8, b = 0.8 }"),
    (dict(threshold={"a": 0.5, "b": 0.5}, labels=("b",)), "threshold", "'a' has a threshold but may not alert", None),
    (dict(threshold=0.5, classes=("a",)), "classes", "1 labels for 2 scores: a", None),
    (dict(threshold=0.5, classes=("a", "a")), "classes", "two scores have the same label: a, a", None),
])
def test_mistakes(options, path, what, help):
    with pytest.raises(AppError) as caught:
        Smoothed(**{"classes": ("a", "b"), **options}).plan(probabilities(2))
    assert (caught.value.path, caught.value.what) == ((path,), what)
    assert help is None or caught.value.help == help


def test_a_threshold_of_logits_has_no_probability_in_its_mistake():
    with pytest.raises(AppError, match=r"threshold = 80 is above the greatest score there is, 25\.4"):
        Smoothed(threshold=80).plan(Signal((2,), "int8", Fraction(4), 0.1, -127))


def test_wide_scores_are_refused():
    with pytest.raises(AppError, match="reads int8, uint8 or int16 scores"):
        Smoothed(threshold=1).plan(Signal((2,), "int32", Fraction(4)))
