"""Does a trace keep what a replay saw, and does a difference name its first place?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import APP, KITCHEN, WORKSHOP, samples, tinystream, write_sound

from tinystream.app.planning import plan_file
from tinystream.errors import TinystreamError
from tinystream.run.engine import Engine, Fired
from tinystream.run.replay import make_engine, replay
from tinystream.run.trace import Difference, Event, Trace, difference, first_unequal

PLAN = plan_file(APP)
SECONDS = 7  # of the kitchen: with its first word


@pytest.fixture(scope="module")
def whole():
    return replay(PLAN, Engine(PLAN), samples(KITCHEN)[: SECONDS * 16_000], "kitchen", "all")


def changed(trace: Trace, step: str, at: tuple[int, ...], value: int) -> Trace:
    """A trace of another engine that gave one other value, as its digest tells."""
    fired = trace.outputs[step]
    y = fired.y.copy()
    y[at] = value
    outputs = {**trace.outputs, step: Fired(fired.when, y)}
    return replace(trace, engine="other", outputs=outputs, digests={**trace.digests, step: "another"})


def test_a_trace_is_the_same_after_saving_and_loading(tmp_path, whole):
    whole.save(tmp_path / "a.npz")
    loaded = Trace.load(tmp_path / "a.npz")
    for name in ("app", "definition", "engine", "recording", "blocks", "samples", "events", "digests", "features", "scores"):
        assert getattr(loaded, name) == getattr(whole, name), name
    assert list(loaded.outputs) == list(whole.outputs)
    for name, fired in whole.outputs.items():
        for part in ("when", "y"):
            a, b = getattr(fired, part), getattr(loaded.outputs[name], part)
            assert a.dtype == b.dtype and np.array_equal(a, b), (name, part)
    assert difference(whole, loaded) is None
    assert whole.events and loaded.count(whole.scores) == len(whole.outputs[whole.scores].when) > 100
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_both_engines_give_traces_without_a_difference(whole):
    native = replay(PLAN, make_engine(PLAN, "native"), samples(KITCHEN)[: SECONDS * 16_000], "kitchen", "all")
    assert (whole.engine, native.engine) == ("python", "native")
    assert difference(whole, native) is None and difference(native, whole) is None and whole.digests == native.digests


@pytest.mark.parametrize("keep", ["events", "scores"])
def test_what_is_kept_does_not_change_what_is_told(whole, keep):
    less = replay(PLAN, Engine(PLAN), samples(KITCHEN)[: SECONDS * 16_000], "kitchen", keep)
    assert less.events == whole.events and less.digests == (whole.digests if keep == "scores" else {})
    assert set(less.outputs) == ({whole.features, whole.scores} if keep == "scores" else set())


def test_the_first_difference_is_named_by_step_place_and_both_values(whole):
    first, later = list(whole.digests)[1], list(whole.digests)[4]
    shape = whole.outputs[first].y.shape[1:]
    at = (17, *(n - 1 for n in shape))
    old = whole.outputs[first].y[at].item()
    other = changed(changed(whole, later, (0,), 5), first, at, old - 1 if old > 0 else old + 1)
    found = difference(whole, other)
    new = other.outputs[first].y[at].item()
    assert found == Difference(first, at, (old, new), found.what, found.block)
    block = whole.outputs[first].when[17]
    assert str(found) == f"difference: step {first}, output 17 (block {block}), index {list(at[1:])}: python {old}, other {new}"


def test_outputs_at_other_moments_or_in_other_number_differ():
    y = np.arange(6, dtype=np.int16).reshape(3, 2)
    a = Fired(np.array([0, 1, 2]), y)
    found = first_unequal("mel", a, Fired(np.array([0, 2, 3]), y), ("a", "b"), before=10)
    assert (found.index, found.values) == ((11,), (1, 2)) and "output 11: a fires at block 1, b at block 2" in found.what
    found = first_unequal("mel", a, Fired(a.when[:2], y[:2]), ("a", "b"), before=10)
    assert (found.index, found.values) == ((12,), (13, 12)) and "a has fired 13 times, b 12 times" in found.what
    assert first_unequal("mel", a, Fired(a.when.copy(), y.copy()), ("a", "b")) is None


def test_where_only_digests_are_kept_the_step_is_named(whole):
    bare = replace(whole, outputs={})
    other = replace(bare, engine="other", digests={**whole.digests, whole.features: "another"})
    found = difference(bare, other)
    assert (found.step, found.index) == (whole.features, None) and "keep all steps" in found.what


def test_traces_of_two_definitions_are_not_compared(whole):
    found = difference(whole, replace(whole, definition="0" * 64))
    assert found.step == "definition" and f"{whole.definition[:16]} and {'0' * 16}" in found.what


def test_other_events_or_other_steps_are_a_difference(whole):
    first = whole.events[0]
    late = replace(whole, events=(replace(first, sample=first.sample + 160, time_s=first.time_s + 0.01), *whole.events[1:]))
    assert difference(whole, late).step == "events" and f"python {first.label} at {first.time_s:.3f} s" in difference(whole, late).what
    assert difference(whole, replace(whole, events=())).values == (len(whole.events), 0)
    assert difference(whole, replace(whole, digests={})).step == "steps"


# --- files that are no trace ----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_trace_cut_short_is_refused(tmp_path, whole, share):
    path = tmp_path / "a.npz"
    whole.save(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(TinystreamError, match="is not a trace") as e:
        Trace.load(path)
    assert "replay --trace" in e.value.help


def test_a_trace_with_a_changed_byte_is_refused_or_whole(tmp_path, whole):
    path = tmp_path / "a.npz"
    whole.save(path)
    raw, refused = path.read_bytes(), 0
    for at in np.random.default_rng(3).integers(0, len(raw), 60).tolist():
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :])
        try:
            assert difference(whole, Trace.load(path)) is None, f"byte {at} changed a trace unseen"
        except TinystreamError:
            refused += 1
    assert refused > 30


def test_what_is_no_trace_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    (tmp_path / "c.npz").write_text("words")
    for path in [*tmp_path.iterdir(), tmp_path, tmp_path / "none.npz"]:
        with pytest.raises(TinystreamError, match="is not a trace"):
            Trace.load(path)


def test_a_trace_of_another_format_is_refused(tmp_path):
    about = np.frombuffer(json.dumps({"format": 99}).encode(), np.uint8)
    np.savez(tmp_path / "a.npz", about=about)
    with pytest.raises(TinystreamError, match="format 99, this version reads 1"):
        Trace.load(tmp_path / "a.npz")


# --- replay --trace -------------------------------------------------------------------------------------------


def test_the_trace_of_one_recording_is_the_file_that_was_named(tmp_path):
    where = tmp_path / "new/folder/kitchen.trace"
    done = tinystream("replay", APP, KITCHEN, "--trace", where)
    trace = Trace.load(where)
    assert done.code == 0 and [e.as_dict() for e in trace.events] == done.events
    blocks = len(samples(KITCHEN)) // 160
    assert (trace.recording, trace.blocks, trace.samples) == (str(KITCHEN), blocks, blocks * 160)
    assert set(trace.outputs) == {trace.features, trace.scores} and list(trace.digests) == [step.name for step in PLAN.steps]


@pytest.mark.parametrize("jobs", [1, 2])
def test_traces_of_several_recordings_lie_in_a_folder_under_their_names(tmp_path, jobs):
    done = tinystream("replay", APP, KITCHEN, WORKSHOP, "--trace", tmp_path / "all", "--jobs", jobs, "--engine", "python")
    traces = {path.name: Trace.load(path) for path in (tmp_path / "all").iterdir()}
    assert set(traces) == {"kitchen.npz", "workshop.npz"}
    assert [e.as_dict() for name in sorted(traces) for e in traces[name].events] == done.events


def test_recordings_of_one_name_keep_their_traces_apart(tmp_path):
    x = samples(KITCHEN)[:16_000]
    for name in ("yes/1.wav", "no/1.wav", "no/1.flac"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_sound(tmp_path / "in" / name, x)
    out = tmp_path / "out"
    assert tinystream("replay", APP, tmp_path / "in", "--trace", out, "--engine", "python").code == 0
    found = {str(path.relative_to(out)): Path(Trace.load(path).recording) for path in out.rglob("*.npz")}
    inside = tmp_path / "in"
    assert found == {"yes/1.npz": inside / "yes/1.wav", "no/1.wav.npz": inside / "no/1.wav", "no/1.flac.npz": inside / "no/1.flac"}


def test_an_existing_folder_takes_the_trace_of_one_recording(tmp_path):
    assert tinystream("replay", APP, WORKSHOP, "--trace", tmp_path, "--engine", "python").code == 0
    assert Trace.load(tmp_path / "workshop.npz").events[0] == Event(**tinystream("replay", APP, WORKSHOP).events[0])
