"""From samples to a subscriber, as a user meets it: what replay prints is what arrives, in every way there is to run an app."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from brokers import Mosquitto, Subscriber
from command import APP, KITCHEN, RATE_HZ, RECORDINGS, ROOT, WORKSHOP, program, samples, tinystream, write_sound

import tinystream.emit.emit as emit_module
from tinystream.app.planning import plan_file
from tinystream.emit import templates as templates_module
from tinystream.io.broker import EmbeddedBroker
from tinystream.io.truth import read_truth

LATE_S = 1.0  # an alert may come this long after its word has ended


@pytest.fixture(scope="module")
def printed():
    """The alerts that replay prints for the bundled recordings; some, or nothing here would be tested."""
    done = tinystream("replay", APP, RECORDINGS)
    assert done.code == 0 and len(done.events) >= 4, done
    return done.events


@pytest.fixture
def embedded():
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def mosquitto(tmp_path):
    with Mosquitto(tmp_path) as broker:
        yield broker


def topic(event: dict) -> str:
    return f"home/{event['app']}/{event['label']}"


# --- to a subscriber ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_a_subscriber_receives_exactly_what_replay_prints(request, printed, kind, jobs):
    broker = request.getfixturevalue(kind)
    with Subscriber(broker.port) as subscriber:
        done = tinystream("replay", APP, RECORDINGS, "--publish", "--broker", f"127.0.0.1:{broker.port}", "--jobs", jobs)
        received = subscriber.get(len(printed))
    assert done.code == 0 and done.events == printed
    assert [(where, event) for where, _, event in received] == [(topic(event), event) for event in printed]


def test_the_demo_prints_what_its_subscriber_received(printed):
    done = tinystream("demo", APP, RECORDINGS)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        f"{topic(e)}  {e['label']} at {e['time_s']:.2f} s of {Path(e['recording']).name}, score {e['score']:.2f}, sequence {e['sequence']}"
        for e in printed
    ]
    assert f"{len(printed)} alerts in " in done.err and "received from the broker at 127.0.0.1:" in done.err


def test_a_demo_of_silence_has_nothing_to_show_and_says_so(tmp_path):
    done = tinystream("demo", APP, write_sound(tmp_path / "silence.wav", np.zeros(RATE_HZ, np.int16)))
    assert (done.code, done.out) == (0, "") and "0 alerts in 1.0 s of 1 recording" in done.err and "nothing to publish" in done.err


def test_a_demo_needs_neither_the_passwords_nor_the_tls_of_the_field_and_shows_every_topic(tmp_path, monkeypatch, printed):
    shutil.copytree(APP, tmp_path / "app")
    definition = tmp_path / "app/app.toml"
    second = '[[sink]]\nkind = "mqtt"\ntopic = "second/{label}"\nusername = "me"\npassword = "${NOT_SET_HERE}"\ntls = true\nqos = 2\n'
    definition.write_text(definition.read_text(encoding="utf-8").replace("[budget]", f"{second}\n[budget]"), encoding="utf-8")
    monkeypatch.setenv("TINYSTREAM_PASSWORD", "hunter2")
    done = tinystream("demo", tmp_path / "app", KITCHEN)
    alerts = [event for event in printed if event["recording"] == str(KITCHEN)]
    assert done.code == 0, done.err
    topics = [line.split()[0] for line in done.out.splitlines()]
    assert sorted(topics) == sorted([topic(e) for e in alerts] + [f"second/{e['label']}" for e in alerts])


def test_a_broker_killed_during_a_replay_loses_no_alert_from_sight(tmp_path, printed):
    first = [event for event in printed if event["recording"] == str(KITCHEN)]
    long = write_sound(tmp_path / "long.wav", np.tile(samples(KITCHEN), 6))  # seconds of work for the python engine
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port) as subscriber:
        address = f"127.0.0.1:{broker.port}"
        with program("replay", APP, KITCHEN, long, "--engine", "python", "--publish", "--broker", address) as run:
            lines = [run.stdout.readline() for _ in first]
            arrived = [event for *_, event in subscriber.get(len(first))]
            broker.kill()
            out, err = (text.decode() for text in run.communicate(timeout=60))
    found = [json.loads(line) for line in [*lines, *out.splitlines()]]
    late = found[len(first) :]
    assert run.returncode == 1 and arrived == found[: len(first)] == first
    assert len(late) >= len(first), "what came after the broker's end is printed all the same"
    assert f"error: {len(late)} of {len(found)} alerts not delivered to broker {address}, {len(first)} delivered: " in err
    assert "Traceback" not in err and "= help: start a broker there" in err
    named = re.findall(r"not delivered: #(\d+) '(\w+)' at ([\d.]+) s of (\S+)", err)
    told = [(str(e["sequence"]), e["label"], f"{e['time_s']:.3f}", e["recording"]) for e in late]
    assert named == told[:20] and (len(told) <= 20 or f"and {len(told) - 20} more, up to #{told[-1][0]}" in err)


# --- live -----------------------------------------------------------------------------------------------------


def without_recording(events: list[dict]) -> list[dict]:
    return [{key: value for key, value in event.items() if key != "recording"} for event in events]


@pytest.mark.parametrize("engine", ["python", "native"])
def test_a_pipe_gives_the_events_of_a_replay(printed, embedded, engine):
    expected = [event for event in printed if event["recording"] == str(WORKSHOP)]
    end = expected[0]["sample"] + 1000  # the python engine takes its time, block by block
    with Subscriber(embedded.port) as subscriber:
        expected, address = expected[:1], f"127.0.0.1:{embedded.port}"
        raw = samples(WORKSHOP)[:end].astype("<i2").tobytes()
        done = tinystream("run", APP, "-i", "-", "--engine", engine, "--broker", address, stdin=raw)
        received = [event for *_, event in subscriber.get(len(expected))]
    assert done.code == 0 and done.events == received
    assert without_recording(done.events) == without_recording(expected) and {e["recording"] for e in done.events} == {"-"}


def test_a_pipe_that_ends_inside_a_sample_tells_so_after_its_events(printed, embedded):
    expected = [event for event in printed if event["recording"] == str(WORKSHOP)]
    raw = samples(WORKSHOP).astype("<i2").tobytes()[:-1]
    done = tinystream("run", APP, "-i", "-", "--broker", f"127.0.0.1:{embedded.port}", stdin=raw)
    assert done.code == 1 and "error: the stream ends inside a sample: 1 of 2 bytes" in done.err
    assert without_recording(done.events) == without_recording(expected)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_live_app_after_its_alerts_are_delivered(printed, embedded, how):
    first = next(event for event in printed if event["recording"] == str(KITCHEN))
    with Subscriber(embedded.port) as subscriber:
        with program("run", APP, "-i", "-", "--broker", f"127.0.0.1:{embedded.port}") as run:
            run.stdin.write(samples(KITCHEN)[: first["sample"]].astype("<i2").tobytes())  # the block of the alert is the last
            run.stdin.flush()
            event = json.loads(run.stdout.readline())
            run.send_signal(how)
            out, err = run.communicate(timeout=60)
        assert [message for *_, message in subscriber.get(1)] == [event]
    assert without_recording([event]) == without_recording([first])
    assert (run.returncode, out) == (130, b"") and b"Traceback" not in err and b"listens; Ctrl-C ends it" in err


def test_a_recording_in_true_time_takes_its_time_and_gives_the_events_of_a_replay(tmp_path, embedded):
    cut = next(cut for cut in cuts(tmp_path) if tinystream("replay", APP, cut).events)
    expected, address = tinystream("replay", APP, cut).events, f"127.0.0.1:{embedded.port}"
    with Subscriber(embedded.port) as subscriber:
        began = time.monotonic()
        done = tinystream("run", APP, "-i", cut, "--broker", address)
        took = time.monotonic() - began
        received = [event for *_, event in subscriber.get(len(expected))]
    assert done.code == 0 and done.events == received == expected
    assert took >= len(samples(cut)) // 160 * 0.01


def cuts(folder: Path):
    """A few seconds around each word of the bundled recordings."""
    for path in (KITCHEN, WORKSHOP):
        x = samples(path)
        for i, (start, end) in enumerate(windows(path)):
            yield write_sound(folder / f"{path.stem}{i}.wav", x[int((start - 1.5) * RATE_HZ) : int((end + 0.8) * RATE_HZ)])


# --- truth ----------------------------------------------------------------------------------------------------


def windows(path: Path) -> list[tuple[float, float]]:
    (truth,) = read_truth(path.with_suffix(".truth.json"))
    assert truth.recording == path.name and abs(truth.length_s - len(samples(path)) / RATE_HZ) < 0.01
    return list(truth.windows)


def test_the_bundled_app_finds_the_words_and_nothing_else(printed):
    found = set()
    for event in printed:
        path, now = Path(event["recording"]), event["time_s"]
        hit = [(path, i) for i, (start, end) in enumerate(windows(path)) if start <= now <= end + LATE_S]
        assert hit, f"a false alarm at {now} s of {path.name}"
        found.update(hit)
    assert len(printed) == len(found), "one word gave two alerts"
    assert len(found) >= 4 and sum(len(windows(path)) for path in (KITCHEN, WORKSHOP)) == 6


# --- the same in every way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("engine", ["python", "native"])
def test_replay_prints_the_same_by_either_engine_and_any_number_of_jobs(printed, engine, jobs):
    for recordings in ([RECORDINGS], [KITCHEN, WORKSHOP]):
        assert tinystream("replay", APP, *recordings, "--engine", engine, "--jobs", jobs).events == printed


def test_recordings_are_replayed_in_the_order_given_each_from_a_fresh_start(printed):
    assert tinystream("replay", APP, WORKSHOP, KITCHEN).events == sorted(printed, key=lambda e: e["recording"] == str(KITCHEN))


def test_a_program_of_its_own_prints_the_same(printed):
    with program("replay", APP, RECORDINGS, PYTHONHASHSEED="7") as run:
        out, err = run.communicate(timeout=120)
    assert run.returncode == 0 and [json.loads(line) for line in out.splitlines()] == printed
    assert re.fullmatch(rf"{len(printed)} events in [\d.]+ s of 2 recordings, \d+x real time\n", err.decode())


# --- verify ---------------------------------------------------------------------------------------------------


def test_verify_proves_the_recordings_and_counts_what_it_compared(printed):
    plan, blocks = plan_file(APP), sum(len(samples(path)) // 160 for path in (KITCHEN, WORKSHOP))
    done, as_json = tinystream("verify", APP, RECORDINGS), tinystream("verify", APP, RECORDINGS, "--json")
    facts = json.loads(as_json.out)
    assert (done.code, as_json.code) == (0, 0)
    assert (facts["identical"], facts["recordings"], facts["blocks"], facts["events"]) == (True, 2, blocks, len(printed))
    assert set(facts["values"]) == {step.name for step in plan.steps} and all(facts["values"].values())
    assert done.out == (
        f"identical: {facts['features']} features, {facts['scores']} scores, {len(printed)} events; "
        f"{sum(facts['values'].values())} values of {len(plan.steps)} steps in 2 recordings, python against native\n"
    )


@pytest.mark.parametrize(
    ("kernel", "right", "wrong"),
    [
        ("ts_smoothed.h", "most - k->offset", "most + k->offset + 1"),
        ("ts_depthwise_conv_2d.h", "k->y_zero", "k->y_zero + 1"),
    ],
)
def test_verify_names_the_step_and_the_place_of_a_broken_kernel(tmp_path, monkeypatch, kernel, right, wrong):
    folder = tmp_path / "firmware_templates"
    shutil.copytree(ROOT / "firmware_templates", folder)
    path = folder / "kernels" / kernel
    text = path.read_text(encoding="utf-8")
    assert right in text, f"{kernel} does not read as it did: take another token"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    monkeypatch.setattr(templates_module, "templates", lambda: folder)
    monkeypatch.setattr(emit_module, "templates", lambda: folder)
    done = tinystream("verify", APP, WORKSHOP)
    kind = kernel.removeprefix("ts_").removesuffix(".h")
    step = next(step.name for step in plan_file(APP).steps if step.kind == kind)
    assert (done.code, done.out) == (3, "")
    what = rf"error: wake_word differs on {re.escape(str(WORKSHOP))}: step {step}, output \d+ \(block \d+\), index \[[\d, ]+\]: "
    assert re.search(rf"{what}python -?\d+, native -?\d+\n   = help: the first step that differs is '{step}'", done.err), done.err
    facts = json.loads(tinystream("verify", APP, WORKSHOP, "--json").out)
    assert facts["identical"] is False and facts["step"] == step and facts["index"] and facts["values"][0] != facts["values"][1]
