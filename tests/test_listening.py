"""Does a source that fails come back, with time going on, and does a node tell what it hears?"""

from __future__ import annotations

import threading
import time
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile
from nodes import sound, write_app

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.errors import RecordingError
from tinystream.io.live import Live
from tinystream.io.live.base import Gap
from tinystream.node.capture import PreRoll
from tinystream.node.clock import Clock
from tinystream.node.health import metrics, rss_bytes, temperature_c
from tinystream.node.listening import Listening
from tinystream.node.switches import Switches
from tinystream.node.topics import Topics
from tinystream.node.watch import Watch
from tinystream.run.engine import Engine

LOUD, QUIET = sound(20_000, 20), sound(0, 20)


class Scripted(Live):
    """Blocks, and then what happens."""

    def __init__(self, blocks: np.ndarray, then: BaseException | None = None, overruns: int = 0):
        super().__init__(5, 1)
        self.blocks, self.then, self.overruns = blocks, then, overruns

    def items(self):
        yield from self.blocks
        if self.then:
            raise self.then


@pytest.fixture
def listen(tmp_path):
    app = write_app(tmp_path / "app")
    made: list[Listening] = []

    def start(*sources: Live | BaseException, ends: bool = True, capture: Path | None = None) -> tuple[Listening, list]:
        plan = plan_file(app)
        watch, heard, left, says = Watch(load(app), plan, Engine(plan)), [], list(sources), []

        def source(say) -> Live:
            says.append(say)
            if isinstance(left[0], BaseException):
                raise left.pop(0)
            return left.pop(0)

        listening = Listening(
            watch,
            Clock(Fraction(1000), 5),
            source,
            lambda e, m: heard.append((e, m)),
            threading.RLock(),
            ends,
            (0.02, 0.05),
            Random(1),
            PreRoll(load(app), plan, capture) if capture else None,
        )
        made.append(listening)
        listening.start()
        return listening, heard

    yield start
    for listening in made:
        listening.stop()


def test_a_source_that_fails_begins_again_and_time_goes_on_over_the_gap(listen):
    broken = Scripted(np.concatenate([QUIET, LOUD]), RecordingError("unplugged"), overruns=2)
    listening, heard = listen(broken, RecordingError("not there"), OSError("busy"), Scripted(np.concatenate([QUIET, LOUD]), overruns=3))
    assert listening.ended.wait(20) and listening.state == "ended"
    assert listening.gaps == 1, "attempts that give nothing are no more gaps"
    assert listening.overruns == 5
    samples = [event.sample for event, _ in heard]
    assert samples == sorted(samples) and len(samples) > 10
    first, second = [s for s in samples if s <= 200], [s for s in samples if s > 200]
    assert len(first) == len(second), "the second run is a fresh start"
    assert second[0] - first[0] >= 200 + 30, "the gap lasted at least two shortest pauses, 10 ms each, and 10 ms"
    assert all(event.time_s == event.sample / 1000 for event, _ in heard)
    walls = [moment.wall_s for _, moment in heard]
    assert walls == sorted(walls)


def test_a_source_that_tells_of_missing_samples_is_begun_afresh_behind_them(listen):
    class Holed(Live):
        def items(self):
            yield from np.concatenate([QUIET, LOUD])
            yield Gap(1000, "a cable")
            yield from np.concatenate([QUIET, LOUD])

    listening, heard = listen(Holed(5, 1))
    assert listening.ended.wait(20) and listening.gaps == 1
    samples = [event.sample for event, _ in heard]
    half = len(samples) // 2
    assert [s + 1200 for s in samples[:half]] == samples[half:] and half > 5


def test_what_is_heard_around_an_alert_is_kept_behind_a_gap_too(listen, tmp_path):
    class Holed(Live):
        def items(self):
            yield from QUIET
            yield Gap(1000, "a cable")
            yield from np.concatenate([QUIET, LOUD[:8], QUIET])

    folder = tmp_path / "captures"
    listening, heard = listen(Holed(5, 1), capture=folder)
    assert listening.ended.wait(20) and heard
    listening.capture.close()
    kept = sorted(folder.glob("*/*.wav"))
    assert len(kept) == 1 and soundfile.read(kept[0], dtype="int16")[0].max() == 20_000


def test_a_source_that_ends_though_it_should_not_is_a_failure(listen):
    listening, _ = listen(Scripted(QUIET), Scripted(QUIET), Scripted(QUIET), ends=False)
    wait_for(lambda: listening.gaps >= 2)
    assert not listening.ended.is_set()


def test_what_is_wrong_is_told_in_words(listen):
    listening, _ = listen(*[RecordingError("no microphone gives that")] * 50)
    wait_for(lambda: "no microphone gives that; next attempt after" in listening.state)


def test_an_error_of_ours_does_not_end_a_node(listen):
    listening, heard = listen(Scripted(np.zeros((1, 7), np.int16)), Scripted(np.concatenate([QUIET, LOUD])))
    assert listening.ended.wait(20) and heard


def test_no_event_comes_after_the_stop_though_the_source_holds_on(listen):
    class Hanging(Live):
        def items(self):
            yield LOUD[0]
            gate.wait(20)
            yield from LOUD

    gate = threading.Event()
    listening, heard = listen(Hanging(5, 1))
    wait_for(lambda: listening.samples)
    listening.stop(0.01)
    assert listening.held
    gate.set()
    wait_for(lambda: not listening.held)
    assert not heard


def test_a_source_that_looks_after_itself_is_told_in_its_words(listen):
    class Unplugged(Live):
        def items(self):
            yield LOUD[0]
            gate.wait(20)
            yield LOUD[1]
            gate.clear()
            gate.wait(20)

    gate = threading.Event()
    listening, _ = listen(Unplugged(5, 1))
    wait_for(lambda: listening.state == "running")
    assert listening.awaits
    listening._say("warning: ttyACM0 is gone; it is opened again when it is back")
    assert listening.state.startswith("ttyACM0 is gone") and not listening.awaits
    gate.set()
    wait_for(lambda: listening.state == "running")
    gate.set()


def test_level_and_clipping_are_of_what_was_heard_since_the_last_look(listen):
    class Stepwise(Live):
        def items(self):
            yield np.array([32767, -32768, 0, 0, 0], np.int16)
            gate.wait(20)
            yield sound(0, 1)[0]
            gate.wait(20)

    gate = threading.Event()
    listening, _ = listen(Stepwise(5, 1))
    wait_for(lambda: listening.samples == 5)
    assert listening.level() == (pytest.approx(10 * np.log10(2 / 5), abs=0.1), 0.4)
    assert listening.level() == (None, None)
    gate.set()
    wait_for(lambda: listening.samples == 10)
    assert listening.level() == (-120.0, 0.0)


def test_the_warmest_zone_is_told_and_none_where_there_is_none(tmp_path):
    assert temperature_c(tmp_path) is None
    for name, value in (("thermal_zone0", "41000\n"), ("thermal_zone1", "63500\n"), ("thermal_zone2", "off")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "temp").write_text(value)
    assert temperature_c(tmp_path) == 63.5
    assert rss_bytes(tmp_path / "nothing") is None


def test_metrics_are_what_prometheus_reads():
    text = metrics(
        {"node": 'a"b\\c\n', "app": "x", "alerts": 3, "level_dbfs": -20.5, "last_alert": None, "connected": True, "outbox": "full"}
    )
    lines = text.splitlines()
    assert "tinystream_alerts_total 3" in lines and "# TYPE tinystream_alerts_total counter" in lines
    assert "tinystream_level_dbfs -20.5" in lines and "tinystream_broker_ok 1" in lines and "tinystream_outbox_ok 0" in lines
    assert lines[-1] == 'tinystream_info{node="a\\"b\\\\c\\n",app="x"} 1' and text.endswith("\n")
    assert not any("connected" in line or "last_alert" in line for line in lines)


def test_labels_go_off_after_a_while_or_when_they_are_clear():
    now = [0.0]
    switches = Switches(("yes", "hot", "hot_clear"), Topics("t"), 30, lambda: now[0])

    def told() -> list:
        return [(m.topic, m.payload, m.retain) for m in switches.take()]

    switches.all()
    assert told() == [("t/label/yes", b"OFF", False), ("t/label/hot", b"OFF", True)]
    switches.heard("yes"), switches.heard("hot")
    assert told() == [("t/label/yes", b"ON", False), ("t/label/hot", b"ON", True)]
    now[0] = 20
    switches.heard("yes")
    told()
    now[0] = 40
    switches.tick()
    assert told() == [], "it was heard again 20 s ago"
    now[0] = 100
    switches.tick()
    assert told() == [("t/label/yes", b"OFF", False)], "what is cleared does not go off by itself"
    switches.heard("hot_clear")
    assert told() == [("t/label/hot", b"OFF", True)]


def wait_for(what, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
