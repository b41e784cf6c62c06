"""Is what was heard around an alert kept, bounded, on this computer alone, and does it become a test?"""

from __future__ import annotations

import json

import numpy as np
import pytest
from command import APP, KITCHEN, RATE_HZ, samples, tinystream

from tinystream import App, Imu
from tinystream.app.definition import Duty
from tinystream.app.node import Capture
from tinystream.app.read import load
from tinystream.errors import TinystreamError
from tinystream.io.truth import find_truth
from tinystream.node.capture import ID, PreRoll, about, captures, comes_again, export
from tinystream.run.live import run_live
from tinystream.run.replay import Reading, make_engine, replay
from tinystream.run.trace import Event
from tinystream.stages import Biquad

SECONDS = 14  # of the kitchen: two alerts


@pytest.fixture(scope="module")
def heard() -> np.ndarray:
    return samples(KITCHEN)[: SECONDS * RATE_HZ]


@pytest.fixture(scope="module")
def plan():
    return load(APP).plan(APP)


def with_capture(**options: object) -> App:
    return load(APP).model_copy(update={"capture": Capture(**options)})


def run(app: App, plan, x: np.ndarray, folder, chunk: int = 1) -> PreRoll:
    """As `tinystream run --capture` does."""
    kept, length = PreRoll(app, plan, folder), plan.x[0].shape[0]
    blocks = [x[i : i + length] for i in range(0, len(x) - length + 1, length)]
    run_live(plan, make_engine(plan), blocks, kept.alert, watch=kept.push, watched=kept.want)
    kept.close()
    return kept


def event(plan, sample: int, label: str = "computer", n: int = 0) -> Event:
    return Event(plan.name, plan.digest, n, label, 0.9, 100, sample, sample / RATE_HZ)


def test_an_alert_leaves_its_samples_and_the_capture_gives_the_alert_again(heard, plan, tmp_path):
    kept = run(with_capture(before_s=3, after_s=1), plan, heard, tmp_path / "captures")
    events = replay(plan, make_engine(plan), heard).events
    found = captures(tmp_path / "captures")
    assert kept.written == len(found) == len(events) == 2 and kept.failed == 0
    for folder, wanted in zip(found, events):
        told, recording = about(folder), export(folder, tmp_path / "recordings")
        x = Reading().read(plan, recording).alone
        begin = told["begin_sample"]
        assert np.array_equal(x, heard[begin : begin + told["samples"]]), "the same samples, bit for bit"
        assert begin <= wanted.sample - 3 * RATE_HZ and begin + len(x) >= min(len(heard), wanted.sample + RATE_HZ)
        assert (told["definition"], told["alerts"][0]["score_count"]) == (plan.digest, wanted.score_count)
        truth = find_truth(recording)
        assert truth.labels == (wanted.label,) and truth.windows[0][1] == pytest.approx((wanted.sample - begin) / RATE_HZ, abs=1e-6)
        done = tinystream("replay", APP, recording)
        again = [(e["label"], e["sample"] + begin, e["score_count"]) for e in done.events]
        assert [one[:2] for one in again] == [(wanted.label, wanted.sample)], "a false alarm becomes a test with one command"
        assert abs(again[0][2] - wanted.score_count) <= 2, "noise is followed for longer than the pre-roll, and a replay starts afresh"


def test_with_all_that_was_heard_before_a_replay_gives_the_same_score(heard, plan, tmp_path):
    run(with_capture(before_s=30, after_s=0), plan, heard[: 8 * RATE_HZ], tmp_path / "c")
    (folder,) = captures(tmp_path / "c")
    told = about(folder)
    assert told["fresh_start"] and told["begin_sample"] == 0
    recording = export(folder, tmp_path / "r")
    assert comes_again(plan, recording, told) == ""
    (again,) = tinystream("replay", APP, recording).events
    parts = ("label", "sample", "score_count")
    assert tuple(again[part] for part in parts) == tuple(told["alerts"][0][part] for part in parts)


def test_run_keeps_list_tells_and_export_says_that_the_alert_comes_again(heard, plan, tmp_path):
    done = tinystream("run", APP, "-i", "-", "--no-publish", "--capture", tmp_path / "c", stdin=heard[: 8 * RATE_HZ].tobytes())
    assert done.code == 0 and len(done.events) == 1 and f"1 capture in {tmp_path / 'c'}" in done.err
    (told,) = json.loads(tinystream("capture", "list", tmp_path / "c", "--json").out)
    assert told["alerts"][0]["label"] == "computer" and told["id"] in tinystream("capture", "list", tmp_path / "c").out
    out = tinystream("capture", "export", told["id"], "--from", tmp_path / "c", "-o", tmp_path / "r", "--app", APP)
    assert out.code == 0 and out.out.strip() == str(tmp_path / "r" / f"{told['id']}.wav") and "the alert comes again" in out.err
    again = tinystream("capture", "export", tmp_path / "c" / told["id"], "-o", tmp_path / "r")
    assert again.code == 1 and "is there already" in again.err, "a truth that was corrected is not written over"


def test_a_pre_roll_that_is_too_short_is_told(heard, plan, tmp_path):
    run(with_capture(before_s=0.2, after_s=0.2), plan, heard[: 8 * RATE_HZ], tmp_path / "c")
    (folder,) = captures(tmp_path / "c")
    out = tinystream("capture", "export", folder, "-o", tmp_path / "r", "--app", APP)
    assert out.code == 0 and "warning: the alert " in out.err and "a longer before_s helps" in out.err


def test_without_being_asked_nothing_is_kept(heard, plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tinystream("run", APP, "-i", "-", "--no-publish", stdin=heard[: 8 * RATE_HZ].tobytes()).code == 0
    assert list(tmp_path.iterdir()) == []


def test_memory_is_bounded_and_alerts_that_are_near_share_a_capture(plan, tmp_path):
    kept = PreRoll(with_capture(before_s=1, after_s=0.5), plan, tmp_path)
    length = plan.x[0].shape[0]
    most = 0
    for n in range(3000):
        kept.push(np.full((1, length), n, np.int16))
        if n % 7 == 0:
            kept.alert(event(plan, (n + 1) * length, n=n))
        most = max(most, len(kept._held))
        assert kept._pending is None or len(kept._pending.alerts) <= 3000
    kept.close()
    per_s = round(RATE_HZ / length)
    assert most <= 2 * 1.5 * per_s + 2
    told = [about(folder) for folder in captures(tmp_path)]
    assert sum(len(one["alerts"]) for one in told) == len(range(0, 3000, 7)), "every alert is in one capture"
    assert max(one["samples"] for one in told) <= 3 * RATE_HZ + 2 * length


def test_the_oldest_goes_and_the_quota_holds(plan, tmp_path):
    kept = PreRoll(with_capture(before_s=1, after_s=0, quota_mb=0.12), plan, tmp_path)
    length, names = plan.x[0].shape[0], []
    for n in range(1, 1001):
        kept.push(np.full((1, length), n, np.int16))
        if n % 200 == 0:
            kept.alert(event(plan, n * length))
            names += [captures(tmp_path)[-1].name]
    there = [folder.name for folder in captures(tmp_path)]
    assert kept.written == 5 and there == names[-3:], "33 kB each"
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) <= 120_000


def test_what_is_larger_than_the_quota_or_cannot_be_written_is_counted_and_ends_nothing(plan, tmp_path):
    length = plan.x[0].shape[0]
    (tmp_path / "file").write_text("in the way")
    for folder, quota in ((tmp_path / "small", 0.0001), (tmp_path / "file" / "c", 1)):
        kept = PreRoll(with_capture(before_s=1, after_s=0, quota_mb=quota), plan, folder)
        kept.push(np.zeros((50, length), np.int16))
        kept.alert(event(plan, 50 * length))
        assert (kept.written, kept.failed) == (0, 1)
    assert not list((tmp_path / "small").iterdir()), "nothing half written is left"


def test_a_half_written_capture_is_cleared_away_and_nothing_else(plan, tmp_path):
    half, mine = tmp_path / "20260102T030405678Z-computer.part", tmp_path / "notes.part"
    for folder in (half, mine):
        folder.mkdir()
    kept = PreRoll(with_capture(before_s=0, after_s=0), plan, tmp_path)
    kept.push(np.zeros((1, plan.x[0].shape[0]), np.int16))
    kept.alert(event(plan, plan.x[0].shape[0]))
    assert not half.exists() and mine.exists() and len(captures(tmp_path)) == 1


@pytest.mark.parametrize("label", ["../../etc/passwd", "a/b", ".", "ü" * 100, "con:|?*", "-rf"])
def test_no_label_leaves_the_folder(plan, tmp_path, label):
    kept = PreRoll(with_capture(before_s=0, after_s=0), plan, tmp_path / "c")
    kept.push(np.zeros((1, plan.x[0].shape[0]), np.int16))
    kept.alert(event(plan, plan.x[0].shape[0], label))
    (folder,) = captures(tmp_path / "c")
    assert ID.fullmatch(folder.name) and folder.parent == tmp_path / "c" and [p.name for p in tmp_path.iterdir()] == ["c"]
    assert about(folder)["alerts"][0]["label"] == label


def test_only_the_labels_that_are_named(plan, tmp_path):
    kept = PreRoll(with_capture(before_s=0, after_s=0, labels=["computer"]), plan, tmp_path / "c")
    kept.push(np.zeros((1, plan.x[0].shape[0]), np.int16))
    kept.alert(event(plan, plan.x[0].shape[0], "other"))
    assert not (tmp_path / "c").exists()
    with pytest.raises(TinystreamError, match="names the label 'yes', which wake_word has not"):
        PreRoll(with_capture(labels=["yes"]), plan, tmp_path)


def test_a_capture_of_a_duty_cycle_begins_with_a_window(plan, tmp_path):
    on_duty = load(APP).model_copy(update={"duty": Duty(on_s=1, every_s=2)}).plan(APP)
    kept = PreRoll(with_capture(before_s=0.5, after_s=0.1), on_duty, tmp_path)
    length = on_duty.x[0].shape[0]
    alert = 2 * RATE_HZ + 96 * length
    for n in range(1, 331):
        kept.push(np.full((1, length), n, np.int16))
        if n * length == alert:
            kept.alert(event(on_duty, alert))
    (folder,) = captures(tmp_path)
    told = about(folder)
    assert told["begin_sample"] == 2 * RATE_HZ and told["fresh_start"], "the window's own start, though it is more than before_s ago"
    assert told["samples"] == 106 * length


def test_features_are_kept_with_their_blocks_and_no_sample(heard, plan, tmp_path):
    x = heard[: 8 * RATE_HZ]
    run(with_capture(before_s=1, after_s=0.2, of="features"), plan, x, tmp_path)
    (folder,) = captures(tmp_path)
    told = about(folder)
    trace = replay(plan, make_engine(plan), x, keep="scores").outputs[plan.steps[plan.features].name]
    with np.load(folder / told["recording"]) as file:
        begin = told["begin_sample"] // plan.x[0].shape[0]
        inside = (trace.when >= begin) & (trace.when < begin + told["samples"] // plan.x[0].shape[0])
        assert np.array_equal(file["when"] + begin, trace.when[inside]) and np.array_equal(file["y"], trace.y[inside])
        assert float(file["scale"]) == plan.steps[plan.features].y.scale
    assert not list(folder.glob("*.wav"))


def test_other_sensors_are_tables_of_the_same_counts(tmp_path):
    source = Imu(rate_hz=100, axes=["x", "y", "z"], range_g=4, block_ms=100)
    app = App(name="tilt", source=source, stages=[Biquad(type="highpass", cutoff_hz=1, order=2)])
    tilt = app.plan()
    x = np.random.default_rng(3).integers(-32768, 32768, (1000, 3)).astype(np.int16)
    kept = PreRoll(app.model_copy(update={"capture": Capture(before_s=2, after_s=0)}), tilt, tmp_path / "c")
    for i in range(0, 1000, 10):
        kept.push(x[np.newaxis, i : i + 10])
    kept.alert(event(tilt, 1000, "x"))
    (folder,) = captures(tmp_path / "c")
    told, recording = about(folder), export(folder, tmp_path / "r")
    assert recording.suffix == ".csv" and [c["name"] for c in told["channels"]] == ["x", "y", "z"] and told["channels"][0]["unit"] == "g"
    assert np.array_equal(Reading().read(tilt, recording).alone, x[told["begin_sample"] :])


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"recording": "../../x.wav", "alerts": [1]}', '{"recording": 3, "alerts": [1]}', "\0"])
def test_a_description_that_is_not_ours_is_told(tmp_path, text):
    folder = tmp_path / "20260102T030405678Z-computer"
    folder.mkdir()
    (folder / f"{folder.name}.capture.json").write_text(text)
    done = tinystream("capture", "export", folder, "-o", tmp_path / "r")
    assert done.code == 1 and "is no capture" in done.err and not (tmp_path / "r").exists()
    assert tinystream("capture", "list", tmp_path).code == 0
