"""Can an app be changed while it runs, within its limits only, by whom it trusts only, and is it a replay's until then?"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import tiny_model

from tinystream import App, Duty, Microphone, Model, Settings
from tinystream.detectors import Limits, MicroWakeWord, Smoothed
from tinystream.node.clock import Clock
from tinystream.node.payload import alert, numbered, read, written
from tinystream.node.settings import Changes, SettingsError, effective, hash_of, read_changes, sign
from tinystream.node.watch import Watch
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.replay import make_engine, replay
from tinystream.stages import Stack

LIMITS = Settings(threshold=[0.3, 0.95], quiet_s=[0, 10], enable=True)


@pytest.fixture
def app(tmp_path) -> tuple[App, Plan]:
    """Two words of a model, and how loud it is."""
    (tmp_path / "words.tflite").write_bytes(tiny_model(classes=2, scale=2.0**-7, zero=0))
    made = App(
        name="words",
        source=Microphone(rate_hz=1000, block_ms=5),
        stages=[Stack(frames=4)],
        model=Model("words.tflite", labels=["yes", "no"], from_="stack"),
        detectors=[
            Smoothed(name="word", threshold=0.5, mean_of=3, quiet_s=0.05, from_="model"),
            Limits(name="loud", threshold=0.45, clear=0.2, classes=["a", "b"], from_="model", report_clear=True),
        ],
        settings=LIMITS,
    )
    return made, made.plan(tmp_path)


def sound(seed: int = 0, count: int = 600) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.integers(-2000, 16000, count // 20 + 1), 20)[:count]
    return (level[:, None] + rng.integers(-400, 400, (count, 5))).astype(np.int16)


def asked(app: tuple[App, Plan], message: object, limits: Settings | None = LIMITS) -> Changes:
    return read_changes(message if isinstance(message, bytes) else json.dumps(message).encode(), limits, app[1])


# --- a watched app is a replayed one ------------------------------------------------------------------------------


@pytest.mark.parametrize("duty", [None, Duty(on_s=0.2, every_s=0.5)])
def test_without_a_change_events_are_those_of_a_replay(app, duty, tmp_path):
    made = app[0].model_copy(update={"duty": duty})
    plan = made.plan(tmp_path)
    want = replay(plan, make_engine(plan, "python"), sound().ravel()).events
    watch, got = Watch(made, plan, make_engine(plan, "python")), []
    for size, at in [(1, 0), (299, 1), (7, 300), (293, 307)]:
        got += watch.push(sound()[at : at + size])
    assert tuple(got) == want and len(want) > 8


def test_a_change_holds_from_the_next_block_on_and_forgets_nothing(app):
    watch = Watch(*app, Engine(app[1]))
    before = watch.push(sound()[:300])
    watch.apply(asked(app, {"threshold": {"yes": 0.95, "no": 0.95, "a": 0.95, "b": 0.95}}))
    high = watch.push(sound()[300:])
    plain = Watch(*app, Engine(app[1]))
    plain.push(sound()[:300])
    low = plain.push(sound()[300:])
    assert before and 0 < len(high) < len(low)
    assert all(event.score >= 0.94 or "_clear" in event.label for event in high)
    assert [event.sequence for event in [*before, *high]] == [*range(len(before) + len(high))]


def test_what_is_remembered_is_kept_over_a_change(app):
    """The mean of three and the quiet time go on: a change to the same values changes nothing."""
    a, b = (Watch(*app, Engine(app[1])) for _ in range(2))
    want = a.push(sound())
    got = []
    for i in range(0, 600, 3):
        got += b.push(sound()[i : i + 3])
        b.apply(asked(app, {"threshold": {"yes": 0.5}, "quiet_s": 0.05}) if i % 2 else Changes())
    words, also = ([e for e in events if e.label in ("yes", "no")] for events in (want, got))
    assert len(words) > 5 and [replace(e, sequence=0) for e in also] == [replace(e, sequence=0) for e in words]


def test_a_label_that_is_switched_off_does_not_alert(app):
    watch = Watch(*app, Engine(app[1]))
    watch.apply(asked(app, {"enable": {"yes": False, "a_clear": False}}))
    labels = {event.label for event in watch.push(sound())}
    assert "yes" not in labels and "a_clear" not in labels and {"a", "b_clear"} & labels


def test_the_hash_tells_what_holds_and_not_how_it_was_said(app):
    plain = hash_of(effective(*app, Changes()))
    assert hash_of(effective(*app, asked(app, {"threshold": {"yes": 0.5}}))) == plain, "that is what the definition says"
    each = {"yes": 0.6, "no": 0.6, "a": 0.6, "b": 0.6}
    assert hash_of(effective(*app, asked(app, {"threshold": 0.6}))) == hash_of(effective(*app, asked(app, {"threshold": each}))) != plain


def test_a_threshold_of_one_label_leaves_the_others(app):
    told = effective(*app, asked(app, {"threshold": {"no": 0.7}}))
    assert (told["no"]["threshold"], told["yes"]["threshold"], told["a"]["threshold"]) == (0.7, 0.5, 0.45)


def test_the_cutoff_of_a_wake_word_is_its_threshold(tmp_path):
    (tmp_path / "word.tflite").write_bytes(tiny_model(classes=1, scale=2.0**-7, zero=0))
    made = App(name="wake", source=Microphone(rate_hz=1000, block_ms=5), stages=[Stack(frames=4, every=2)],
               model=Model("word.tflite", labels=["okay"]), settings=LIMITS,
               detect=MicroWakeWord(probability_cutoff=0.9, sliding_window_size=3, feature_step_ms=10))  # fmt: skip
    plan = made.plan(tmp_path)
    watch = Watch(made, plan, Engine(plan))
    watch.apply(read_changes(b'{"threshold": 0.5}', LIMITS, plan))
    assert watch.settings["okay"]["threshold"] == 0.5
    with pytest.raises(SettingsError, match="detector 'micro_wake_word' has no quiet_s"):
        watch.apply(read_changes(b'{"quiet_s": 5}', LIMITS, plan))
    assert watch.settings["okay"]["threshold"] == 0.5, "what is refused changes nothing"


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"{", "the message is not JSON"),
        (b"\xff\xfe", "the message is not JSON"),
        (b"[" * 9000, "the message is not JSON"),
        ([1], "the message is [1], no object"),
        (b" " * 20_000, "a message of 20000 bytes, the limit is 16384"),
        ({"treshold": 1}, 'unknown setting "treshold"'),
        ({"threshold": 0.96}, "threshold = 0.96 is outside of what the definition lets be set"),
        ({"threshold": {"yes": 0.29}}, "threshold = 0.29 is outside"),
        ({"threshold": {"maybe": 0.5}}, 'threshold: there is no label "maybe"'),
        ({"threshold": {"a_clear": 0.5}}, 'there is no label "a_clear"'),
        ({"threshold": True}, "threshold wants a number, not true"),
        ({"threshold": "0.5"}, 'threshold wants a number, not "0.5"'),
        (b'{"threshold": NaN}', "threshold wants a number, not NaN"),
        (b'{"threshold": 1e999}', "threshold wants a number"),
        ({"quiet_s": -1}, "quiet_s = -1 is outside"),
        ({"quiet_s": {"yes": 1}}, "quiet_s wants a number"),
        ({"enable": {"yes": 1}}, "enable of 'yes' wants true or false"),
        ({"enable": None}, "wants true or false"),
    ],
)  # fmt: skip
def test_a_message_that_is_wrong_is_refused_and_says_why(message, said, app):
    with pytest.raises(SettingsError) as caught:
        asked(app, message)
    print(caught.value)
    assert said in caught.value.what and caught.value.help


@pytest.mark.parametrize("limits", [None, Settings(quiet_s=[0, 5])])
def test_only_what_the_definition_names_may_be_changed(limits, app):
    with pytest.raises(SettingsError, match="threshold may not be changed"):
        asked(app, {"threshold": 0.5}, limits)
    assert asked(app, b"", limits) == asked(app, {}, limits) == Changes()


WORDS = st.sampled_from(["threshold", "quiet_s", "enable", "yes", "no", "x"])
SIMPLE = st.none() | st.booleans() | st.floats() | st.text(max_size=9)
NESTED = st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4))


@given(st.binary(max_size=300) | NESTED.map(lambda value: json.dumps(value).encode()))
def test_no_message_does_more_than_be_refused(message):
    plan = PLAN.setdefault("plan", App(name="w", source=Microphone(rate_hz=1000, block_ms=5), detect=Limits(
        threshold=0.5, classes=[str(i) for i in range(5)])).plan())  # fmt: skip
    try:
        changes = read_changes(message, LIMITS, plan)
    except SettingsError:
        return
    assert all(0.3 <= value <= 0.95 for value in changes.threshold.values())


PLAN: dict[str, Plan] = {}


# --- signed ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path) -> tuple[Path, Settings]:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for name in ("owner", "stranger"):
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        (tmp_path / f"{name}.pem").write_bytes(private)
        (tmp_path / f"{name}_public.pem").write_bytes(key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo))
    return tmp_path, LIMITS.model_copy(update={"key_file": "owner_public.pem"})


def test_signed_settings_are_taken_once_from_who_has_the_key(app, keys):
    folder, limits = keys
    message = sign({"threshold": 0.6}, folder / "owner.pem", app[1].digest, counter=5)
    changes = read_changes(message, limits, app[1], folder, counter=4)
    assert changes.counter == 5 and set(changes.threshold.values()) == {0.6}
    for refused, counter, said in [
        (message, 5, "its counter is 5, the last one was 5"),
        (b'{"threshold": 0.6}', 0, "settings must be signed here"),
        (b"", 0, "settings must be signed here"),
        (sign({"threshold": 0.6}, folder / "stranger.pem", app[1].digest, 9), 0, "the signature does not fit"),
        (sign({"threshold": 0.6}, folder / "owner.pem", "0" * 64, 9), 0, "signed for another definition"),
        (sign({"threshold": 0.99}, folder / "owner.pem", app[1].digest, 9), 0, "threshold = 0.99 is outside"),
        (tampered(message), 0, "the signature does not fit"),
    ]:
        with pytest.raises(SettingsError, match=said):
            read_changes(refused, limits, app[1], folder, counter)


def tampered(message: bytes) -> bytes:
    """One digit of the signed text changed."""
    envelope = json.loads(message)
    text = base64.b64decode(envelope["signed"]).replace(b"0.6", b"0.7")
    return json.dumps(envelope | {"signed": base64.b64encode(text).decode()}).encode()


def test_a_key_that_is_none_is_named(app, keys):
    folder, limits = keys
    message = sign({}, folder / "owner.pem", app[1].digest, 1)
    for name in ("nowhere.pem", "owner.pem"):
        with pytest.raises(SettingsError, match=f"the public key .*{name} cannot be read"):
            read_changes(message, limits.model_copy(update={"key_file": name}), app[1], folder)
    with pytest.raises(SettingsError, match=r"the private key .* cannot be read"):
        sign({}, folder / "owner_public.pem", app[1].digest, 1)


# --- clock and payload ------------------------------------------------------------------------------------------------


class Time:
    """A wall and a monotonic clock in the test's hand."""

    def __init__(self) -> None:
        self.now, self.set = 1000.0, 0.0

    def clock(self, rate: int = 100, block: int = 10) -> Clock:
        return Clock(Fraction(rate), block, wall=lambda: self.now + 1e9 + self.set, monotonic=lambda: self.now)


def test_the_wall_time_of_a_sample_is_by_the_block_that_came_soonest():
    time, rng = Time(), np.random.default_rng(0)
    clock = time.clock()
    for n in range(1, 200):
        time.now = 1000 + n / 10 + float(rng.uniform(0.02, 0.2))
        clock.seen(10 * n)
    moment = clock.at(1234)
    assert moment.wall_s == pytest.approx(1e9 + 1000 + 12.34 + 0.02, abs=0.01)
    assert 0.18 < moment.uncertainty_s < 0.3 and clock.jumps == 0


def test_a_clock_that_is_set_is_counted_and_moves_no_sample():
    time = Time()
    clock = time.clock()
    for n in range(1, 50):
        time.now = 1000 + n / 10
        time.set = 0 if n < 20 else -3600
        clock.seen(10 * n)
    assert clock.jumps == 1
    assert clock.at(400).wall_s == pytest.approx(1e9 + 1004 - 3600)
    assert clock.at(410).wall_s - clock.at(400).wall_s == pytest.approx(0.1)


def test_a_fast_sensor_shows_as_drift():
    time = Time()
    clock = time.clock()
    for n in range(1, 1500):
        time.now = 1000 + n / 10 / 1.0005
        clock.seen(10 * n)
        assert (clock.drift_ppm is None) == (n < 602)
    assert clock.drift_ppm == pytest.approx(500, abs=1)


def test_before_a_block_was_seen_a_moment_says_how_little_it_knows():
    assert Time().clock().at(5).uncertainty_s == 60


@pytest.mark.parametrize("payload", ["json", "cbor"])
def test_an_alert_says_what_when_and_by_which_settings_and_holds_no_sample(app, payload):
    (event, *_) = Watch(*app, Engine(app[1])).push(sound())
    time = Time()
    clock = time.clock()
    clock.seen(10)
    kept = alert(event, "kitchen", clock.at(event.sample), "0123abcd")
    told = read(written(numbered(kept, "9f8e7d6c", 17), payload))
    assert told == {
        "id": "9f8e7d6c-17", "sequence": 17, "node": "kitchen", "app": "words", "definition": app[1].digest, "label": event.label,
        "score": event.score, "sample": event.sample, "time_s": event.time_s, "wall_time": kept["wall_time"],
        "wall_uncertainty_s": 0.1, "settings": "0123abcd",
    }  # fmt: skip
    assert kept["wall_time"].endswith("Z") and len(written(told)) < 400


@given(st.binary(max_size=200))
def test_bytes_of_a_stranger_are_a_dictionary_or_nothing(raw):
    assert isinstance(read(raw), dict | None)
