"""Are several live sources heard as one, at the same time, and is that what a replay of their recording hears?"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import tty
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import program, tinystream
from nodes import Listener
from test_live_sources import open_times
from test_several import TWO

from tinystream.app.planning import plan_file
from tinystream.errors import RecordingError
from tinystream.io.broker import EmbeddedBroker
from tinystream.io.feed import frame
from tinystream.io.live import Beat, Gap
from tinystream.io.live.join import SLACK_S, Join
from tinystream.io.truth import find_truth
from tinystream.io.written import recorded, write_to
from tinystream.node.capture import about, captures, export
from tinystream.node.unit import unit
from tinystream.plan.plan import Plan
from tinystream.run.engine import Runs
from tinystream.run.inputs import Form, Input, open_input, texts_of
from tinystream.run.live import run_live
from tinystream.run.replay import Reading, blocks_of, make_engine, recordings_of, replay
from tinystream.run.trace import joined

HEAT = """\
[[source]]
kind = "sensor"
name = "heat"
interval_s = 0.1
channels = [{ name = "t", full_scale = 90 }]

"""
STEP_S = 0.06  # a block of the motion, 12 of the sound
LOUD, PLAIN = 1 << 13, 1 << 12  # counts: the detector alerts above 1.5 g, which is 12288 counts of x


@pytest.fixture
def two(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("two").mkdir()
    Path("two/app.toml").write_text(TWO)
    return tmp_path / "two"


def sound(first: int, steps: int) -> np.ndarray:
    """Samples that tell their own time, in milliseconds, and are loud enough for the gate."""
    return (np.arange(60 * first, 60 * (first + steps)) + LOUD).astype(np.int16)


def motion(first: int, steps: int) -> np.ndarray:
    """z tells the sample's number; x rises above the threshold every now and then."""
    n = np.arange(3 * first, 3 * (first + steps))
    return np.stack([np.where(n % 30 < 12, 16_000, 0), 0 * n, n + PLAIN], axis=1).astype(np.int16)


class Server:
    """What a device is fetched from over TCP: one client after the other."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.text = f"tcp:127.0.0.1:{self.server.getsockname()[1]}"
        self.client: socket.socket | None = None

    def send(self, x: np.ndarray | bytes) -> None:
        if self.client is None:
            self.server.settimeout(20)
            self.client = self.server.accept()[0]
        self.client.sendall(x if isinstance(x, bytes) else x.astype("<i2").tobytes())

    def unplug(self) -> None:
        """What it has sent arrives, and then the end."""
        if self.client:
            self.client.close()
        self.client = None

    def close(self) -> None:
        self.unplug()
        self.server.close()


@pytest.fixture
def servers():
    made = Server(), Server()
    yield made
    for server in made:
        server.close()


class Pace:
    """Steps of true time, for both devices by one clock: a busy machine makes them late, but never parts them."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def wait(self) -> None:
        self.at = max(self.at + STEP_S, time.monotonic() - STEP_S)
        time.sleep(max(0.0, self.at - time.monotonic()))


class Heard:
    """A live run that is recorded; what it gave beside what a replay of each piece gives."""

    def __init__(self, two: Path, texts: tuple[str, str], engine: str, until: int, **how) -> None:
        """until: blocks of the sound in all, at which it ends."""
        self.plan, self.told, self.items = plan_file(two), [], []
        self.live = open_input(self.plan, Input(texts, any_rate=True, tell=self.told.append, **how))
        self.fired: list[dict] = []

        def watch(x, fired):
            self.fired.append({i: fired[i] for i in self.plan.watched} )

        def items():
            left = until
            with closing(recorded(self.live, write_to(Path("heard.wav"), self.plan, {}))) as found:
                for item in found:
                    self.items.append(item)
                    yield item
                    left -= not isinstance(item, Gap)
                    if left <= 0:
                        return

        self.events = []
        run_live(self.plan, make_engine(self.plan, engine), items(), self.events.append, watch=watch, watched=self.plan.watched)
        found = recordings_of(self.plan, [Path()])
        self.pieces = sorted(found, key=lambda path: int(path.name.split(".")[0].partition("-")[2] or 1))

    def samples(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [Reading().read(self.plan, piece).samples for piece in self.pieces]

    def is_what_a_replay_hears(self) -> None:
        for engine in ("python", "native"):
            self.is_what_hears(make_engine(self.plan, engine))
        gaps = [item for item in self.items if isinstance(item, Gap)]
        assert len(gaps) == len(self.pieces) - 1 == self.live.gaps
        assert not [t.name for t in threading.enumerate() if t.name.startswith("source ")], "its threads have ended"

    def is_what_hears(self, engine: Runs) -> None:
        """Events and features of every piece, bit for bit, and where the events are in time."""
        about = json.loads(Path("heard.mic.about.json").read_text())
        wanted, features = [], {i: [] for i in self.plan.watched}
        for piece, told in zip(self.pieces, about["pieces"], strict=True):
            assert piece.name == told["file"]
            trace = replay(self.plan, engine, Reading().read(self.plan, piece).samples, keep="scores")
            wanted += [(e.label, e.score_count, e.sample + told["first_sample"]) for e in trace.events]
            for i in features:
                features[i].append(trace.outputs[self.plan.steps[i].name])
        assert [(e.label, e.score_count, e.sample) for e in self.events] == wanted
        for i, parts in features.items():
            mine, theirs = (joined(found, self.plan.steps[i].y) for found in ([one[i] for one in self.fired], parts))
            np.testing.assert_array_equal(mine.y, theirs.y)
            np.testing.assert_array_equal(mine.when, theirs.when)

    def apart_s(self) -> list[float]:
        """By how much the two sources part at the begin of each piece, by what their samples say."""
        return [(int(mic[0]) - LOUD) / 1000 - (int(x[0, 2]) - PLAIN) / 50 for mic, x in self.samples()]


def run_beside(send) -> threading.Thread:
    """Until it is done, or nobody listens any more."""

    def go():
        with suppress(OSError):
            send()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    return thread


def send_in_true_time(mic: Server, imu: Server, steps: int, silent: range = range(0), faster: int = 1, unplug: bool = False) -> None:
    """silent: steps in which the motion sends nothing, and is unplugged where that is said; faster: of the sound."""

    def send():
        pace = Pace()
        for n in range(steps):
            pace.wait()
            mic.send(sound(faster * n, faster))
            if unplug and n == silent.start:
                imu.unplug()
            if n not in silent:
                imu.send(motion(n, 1))

    run_beside(send)


# --- what belongs together ------------------------------------------------------------------------------------


def test_whatever_the_pieces_in_which_they_come_they_are_joined_as_a_replay_joins_them(two):
    plan = plan_file(two)
    mic, x = sound(0, 40)[:-7], motion(0, 40)
    whole = blocks_of(plan, (mic, x))
    rng = np.random.default_rng(1)
    for _ in range(30):
        join, left, got = Join(plan.names, plan.x), [list(mic[: len(mic) // 5 * 5].reshape(-1, 5)), list(x.reshape(-1, 3, 3))], []
        while any(left):
            i = int(rng.integers(2)) if all(left) else int(bool(left[1]))
            for _ in range(int(rng.integers(1, 30 if i == 0 else 4))):
                if left[i]:
                    join.come(i, 0.0, left[i].pop(0))
            got += join.found(0.0)
        for n in range(2):
            join.come(n, 0.0, None)
        assert not any(isinstance(item, Gap) for item in got)
        for n in range(2):
            assert np.array_equal(np.concatenate([item.x[n] for item in got]), whole[n])
        new = [np.stack([item.new[n] for item in got if item.new[n] is not None]) for n in range(2)]
        assert np.array_equal(new[0], whole[0]) and np.array_equal(new[1], x.reshape(-1, 3, 3)[: -(-whole.beats // 12)])


def test_it_ends_with_the_first_that_ends_and_not_before_its_last_block_is_used(two):
    plan = plan_file(two)
    join = Join(plan.names, plan.x)
    join.come(1, 0.0, motion(0, 1))
    join.come(1, 0.0, None)
    assert list(join.found(0.0)) == [] and not join.over
    for n, block in enumerate(sound(0, 2).reshape(-1, 5)):
        assert join.over == (n >= 12)
        join.come(0, 0.0, block)
        assert len(list(join.found(0.0))) == (n < 12)


@pytest.mark.parametrize("who", [0, 1])
def test_what_has_only_just_come_is_not_left_out_however_much_it_is(two, who):
    """A sender that is faster than true time."""
    plan = plan_file(two)
    join = Join(plan.names, plan.x)
    blocks = [sound(0, 40).reshape(-1, 5), motion(0, 40).reshape(-1, 3, 3)]
    for block in blocks[who]:
        join.come(who, 5.0, block)
    assert list(join.found(5.4)) == []
    for block in blocks[1 - who]:
        join.come(1 - who, 5.4, block)
    assert len(list(join.found(5.4))) == 480 and join.left_out == [0, 0]


def test_three_sources_of_three_rates_leave_out_what_one_misses(two):
    Path("two/app.toml").write_text(TWO.replace("[[stage]]", HEAT + "[[stage]]", 1))
    plan = plan_file(two)
    assert plan.repeats == (1, 12, 20)
    told: list[str] = []
    join = Join(plan.names, plan.x, told.append)
    items = [list(np.arange(n).reshape(-1, *x.shape)) for n, x in zip((1200, 180, 12), plan.x, strict=True)]
    items[2][5:7] = [Gap(2, "a loose wire")]  # 200 ms from 500 ms on
    for i in (0, 1, 2):
        for item in items[i]:
            join.come(i, 0.0, item.astype(np.int16) if isinstance(item, np.ndarray) else item)
    got = list(join.found(0.0))
    gap, second = got[100:102]
    assert isinstance(got[99], Beat) and isinstance(gap, Gap) and gap.exact and gap.why == "heat: a loose wire"
    # heat begins again at 700 ms, the block of the motion that is nearest to that at 720 ms, and the sound where the last of them begins
    assert second.x[0][0, 0] == 720 and second.new[1][0, 0] == 9 * 12 and second.new[2].ravel()[0] == 7
    assert gap.samples == 220 and told == ["warning: heat: a loose wire; left out: 220 samples of mic, 9 samples of motion"]


@pytest.mark.parametrize("seed", [1, 5])
def test_whatever_is_lost_what_is_joined_was_heard_at_the_same_time(two, seed):
    """Three devices of one true clock, of which each loses what it wants, and says how much that was; it arrives up to 0.3 s late."""
    Path("two/app.toml").write_text(TWO.replace("[[stage]]", HEAT + "[[stage]]", 1))
    plan, rng = plan_file(two), np.random.default_rng(seed)
    lasts, length = plan.repeats, [x.shape[0] for x in plan.x]
    coming = []
    for i, x in enumerate(plan.x):
        at, late, came = 0, 0.0, 0.0  # in heartbeats; seconds
        while at < 8000:  # 40 s
            late = min(0.3, max(0.0, late + rng.normal(0, 0.02)))
            lost = int(rng.integers(1, 400 // lasts[i] + 2)) if at and rng.random() < 0.002 * lasts[i] else 0  # blocks
            at += (lost + 1) * lasts[i]
            came = max(came, at * 0.005 + late)
            coming += [(came, i, Gap(lost * length[i], "lost"))] if lost else []
            coming.append((came, i, np.full(x.shape, at - lasts[i], np.int16)))
    join, got = Join(plan.names, plan.x), []
    for at, i, item in sorted(coming, key=lambda one: one[0]):
        join.come(i, at, item)
        got += join.found(at)
    stretches: list[list[Beat]] = [[]]
    for item in got:
        stretches[-1].append(item) if isinstance(item, Beat) else stretches.append([])
    assert len(stretches) > 5 and all(stretches), "no gap comes first, last or behind another"
    now = int(stretches[0][0].x[0].flat[0])
    for stretch, gap in zip(stretches, [*(item for item in got if isinstance(item, Gap)), None]):
        begin = [int(stretch[0].x[i].flat[0]) for i in range(3)]
        assert all(abs(begin[i] - now) <= max(lasts) // 2 + 1 for i in range(3)), begin
        for i in range(3):
            new = [int(beat.new[i].flat[0]) for beat in stretch if beat.new[i] is not None]
            assert new == [begin[i] + n * lasts[i] for n in range(len(new))] and len(new) == -(-len(stretch) // lasts[i])
            assert [int(beat.x[i].flat[0]) for beat in stretch] == [new[n // lasts[i]] for n in range(len(stretch))]
        now += len(stretch) + (gap.samples // 5 if gap else 0)


# --- devices --------------------------------------------------------------------------------------------------


def test_two_servers_in_true_time_are_heard_as_a_replay_of_their_recording(two, servers):
    mic, imu = servers

    send_in_true_time(mic, imu, 30)
    heard = Heard(two, (mic.text, imu.text), "python", 12 * 20)
    heard.is_what_a_replay_hears()
    assert len(heard.pieces) == 1 and heard.apart_s() == [0] and len(heard.events) >= 2
    ((x, y),) = heard.samples()
    assert np.array_equal(x, sound(0, 20)) and np.array_equal(y, motion(0, 20))


def test_a_stall_is_a_gap_of_both_and_behind_it_they_are_near(two, servers):
    """The motion loses 0.96 s that nobody tells; its server's connection stays."""
    mic, imu = servers

    send_in_true_time(mic, imu, 60, silent=range(6, 22))
    heard = Heard(two, (mic.text, imu.text), "native", 12 * 16)
    heard.is_what_a_replay_hears()
    print(heard.apart_s(), heard.told)
    assert len(heard.pieces) >= 2 and max(map(abs, heard.apart_s())) <= SLACK_S
    assert any("mic was ahead of motion by" in told and "samples of mic" in told for told in heard.told)


def test_one_that_is_faster_is_held_near(two, servers):
    """Twice as many samples of the sound as there should be."""
    mic, imu = servers

    send_in_true_time(mic, imu, 45, faster=2)
    heard = Heard(two, (mic.text, imu.text), "python", 12 * 20)
    heard.is_what_a_replay_hears()
    assert len(heard.pieces) >= 2 and any("mic was ahead of motion by" in told for told in heard.told), heard.told
    facts = heard.live.facts()
    assert facts["mic"]["left_out"] > 400 and facts["motion"]["left_out"] == 0 and facts["mic"]["joined"]["gaps"] == heard.live.gaps


def test_one_that_was_unplugged_and_is_back_is_joined_with_what_is_heard_then(two, servers):
    mic, imu = servers

    send_in_true_time(mic, imu, 80, silent=range(6, 20), unplug=True)
    heard = Heard(two, (mic.text, imu.text), "native", 12 * 16)
    heard.is_what_a_replay_hears()
    print(heard.apart_s(), heard.told)
    assert len(heard.pieces) >= 2 and max(map(abs, heard.apart_s())) <= SLACK_S
    assert any("motion: " in told and "opened again" in told for told in heard.told)
    assert any("motion: " in told and "was gone" in told and "left out" in told for told in heard.told)


def test_frames_that_are_lost_on_one_line_are_left_out_of_the_other_to_the_sample(two):
    """Two serial lines, faster than true time: what is counted needs no clock."""
    lines = [os.openpty(), os.openpty()]
    for _, theirs in lines:
        tty.setraw(theirs)
    names = [os.ttyname(theirs) for _, theirs in lines]
    frames = [
        [frame(n, sound(n, 1).tobytes()) for n in range(40)],
        [frame(n, motion(n, 1).tobytes()) for n in range(40) if not 10 <= n < 15],
    ]

    def send(i: int) -> None:
        while open_times(names[i]) < 2:
            time.sleep(0.02)
        time.sleep(0.1)
        for raw in [b"\0", *frames[i]]:
            while raw:
                raw = raw[os.write(lines[i][0], raw) :]

    for i in (0, 1):
        run_beside(lambda i=i: send(i))
    heard = Heard(two, (f"serial:{names[0]}", f"serial:{names[1]}"), "native", 12 * 35, form=Form.frames)
    heard.is_what_a_replay_hears()
    (first, before), (second, behind) = heard.samples()
    assert np.array_equal(first, sound(0, 10)) and np.array_equal(before, motion(0, 10))
    assert np.array_equal(second, sound(15, 25)) and np.array_equal(behind, motion(15, 25))
    (gap,) = [item for item in heard.items if isinstance(item, Gap)]
    assert (gap.samples, gap.exact) == (300, True) and "motion: 5 frames lost or broken" in gap.why
    for ends in lines:
        for end in ends:
            os.close(end)


def test_one_that_begins_late_meets_what_the_other_hears_then(two, servers):
    mic, imu = servers

    send_in_true_time(mic, imu, 60, silent=range(14))
    heard = Heard(two, (mic.text, imu.text), "python", 12 * 8)
    heard.is_what_a_replay_hears()
    assert len(heard.pieces) == 1 and abs(heard.apart_s()[0]) <= SLACK_S and heard.live.gaps == 0
    assert any(told.startswith("note: mic was ahead of motion by") for told in heard.told), heard.told


def test_an_error_names_its_source_and_ends_the_other(two, servers):
    mic, imu = servers
    imu.close()
    live = open_input(plan_file(two), Input((mic.text, imu.text)))
    with pytest.raises(RecordingError, match=f"motion: {imu.text} cannot be reached"):
        list(live)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("source ")]


# --- at the command line --------------------------------------------------------------------------------------


def files(steps: int) -> list[str]:
    """A recording of two sources, as inputs."""
    soundfile.write("p.mic.wav", sound(0, steps), 1000, subtype="PCM_16")
    rows = (motion(0, steps) * (4 / 32768)).tolist()
    Path("p.motion.csv").write_text("\n".join(["timestamp,x,y,z", *(f"{20 * n},{a},{b},{c}" for n, (a, b, c) in enumerate(rows))]) + "\n")
    return ["-i", "motion=p.motion.csv", "-i", "mic=p.mic.wav"]


def test_run_and_record_write_what_replay_takes(two):
    inputs = files(12)
    live = tinystream("run", "two", *inputs, "--no-publish", "--record", "a.csv")
    again, before = tinystream("replay", "two", "a.mic.csv"), tinystream("replay", "two", "p.mic.wav")
    assert live.code == again.code == 0 and len(live.events) >= 2, live.err + again.err
    bare = [[(e["label"], e["score_count"], e["sample"]) for e in done.events] for done in (live, again, before)]
    assert bare[0] == bare[1] == bare[2] and "gap" not in live.err
    done = tinystream("record", "two", *inputs, "--seconds", "0.5", "-o", "b.wav", "--json")
    assert done.code == 0 and "mic: 0.5 s in 1 file: b.mic.wav" in done.err and "motion: 0.5 s in 1 file: b.motion.wav" in done.err
    told = json.loads(done.out)
    assert list(told) == ["mic", "motion"] and told["motion"]["channels"][0]["unit"] == "g"
    assert told["mic"]["source"] == "mic=p.mic.wav, motion=p.motion.csv"
    plan = plan_file(two)
    assert np.array_equal(Reading().read(plan, Path("b.mic.wav")).samples[1], motion(0, 9))
    assert tinystream("record", "two", *inputs, "-o", "b.wav").code == 1, "nothing is written over"


def test_ctrl_c_ends_a_run_whose_devices_are_silent(two, servers):
    mic, imu = servers
    with program("run", two, "-i", f"mic={mic.text}", "-i", f"motion={imu.text}", "--no-publish", "--engine", "python") as run:
        try:
            mic.send(sound(0, 3))
            imu.send(motion(0, 2))
            while b"listens" not in run.stderr.readline():
                pass
            began = time.monotonic()
        finally:
            run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
    assert run.returncode == 130 and b"Traceback" not in err and time.monotonic() - began < 5, err


@pytest.mark.parametrize(
    ("words", "said", "help"),
    [
        ((), "no --input is of 'mic' and 'motion'", "--input mic=… --input motion=…"),
        (("mic=mic",), "no --input is of 'motion'", "--input motion=…"),
        (("mic",), "--input mic: two reads 2 sources, and no name of one stands before it", "--input mic=… --input motion=…"),
        (("mic=mic", "move=a.csv"), "'move' is none of them", "--input mic=… --input motion=…"),
        (("mic=mic", "motion=-", "mic=-"), "--input names the source 'mic' twice", "--input mic=… --input motion=…"),
        (("mic=-", "motion=-"), "standard input is of one source", "mic:NAME"),
    ],
)
def test_inputs_that_do_not_name_the_sources_are_refused(two, words, said, help):
    with pytest.raises(RecordingError, match=said) as caught:
        texts_of(plan_file(two), words)
    assert help in caught.value.help


def test_an_app_with_one_source_takes_its_input_without_a_name():
    plan = Plan("one", (), (), source="microphone")
    assert texts_of(plan, ()) == ("mic",) and texts_of(plan, ["a=b.wav"]) == ("a=b.wav",)
    with pytest.raises(RecordingError, match="one reads one source, and --input is given 2 times"):
        texts_of(plan, ["a", "b"])


def test_what_only_one_of_them_can_be_is_refused_with_its_name(two):
    for inputs, said in (
        (("mic=none.wav", "motion=tcp:a:1"), "mic: none.wav does not exist"),
        (("mic=tcp:a:1", "motion=mic"), "motion: the source of two is a imu, and no microphone"),
    ):
        done = tinystream("run", "two", "-i", inputs[0], "-i", inputs[1])
        assert done.code == 1 and said in done.err


# --- nodes and captures ---------------------------------------------------------------------------------------

CAPTURE = """
[capture]
before_s = 0.2
after_s  = 0.1
"""


def test_a_node_alerts_as_a_replay_does_and_keeps_what_all_of_them_heard(two, tmp_path):
    pytest.importorskip("iotcore")
    with (two / "app.toml").open("a") as file:
        file.write(CAPTURE)
    words, plan = [word.replace("=p.", f"={tmp_path}/p.") for word in files(20)], plan_file(two)
    wanted = replay(plan, make_engine(plan), Reading().read(plan, Path("p.mic.wav")).samples).events
    with EmbeddedBroker() as broker, Listener(broker.port, "tinystream/#") as heard:
        address = ["--broker", f"127.0.0.1:{broker.port}", "--state", tmp_path / "state", "--capture", tmp_path / "c"]
        with program("node", two, *words, *address) as node:
            _, err = node.communicate(timeout=60)
        assert node.returncode == 0, err
        topic = next(topic for topic, _, _ in [*heard.all, *drained(heard)] if "/alert/" in topic)
        alerts = [json.loads(raw) for at, raw, _ in heard.all if at == topic]
    assert len(wanted) >= 2 and [(a["label"], a["score"], a["sample"]) for a in alerts] == [(e.label, e.score, e.sample) for e in wanted]
    found = captures(tmp_path / "c")
    assert found
    for folder in found:
        told = about(folder)
        begin = told["begin_sample"]
        assert begin % 60 == 0, "every source begins with a whole block"
        recording = export(folder, tmp_path / "r")
        assert told["recordings"] == [f"{folder.name}.mic.wav", f"{folder.name}.motion.csv"] and find_truth(recording).labels[0] == "g"
        mic, x = Reading().read(plan, recording).samples
        assert np.array_equal(mic, sound(begin // 60, 20)[: told["samples"]]) and np.array_equal(x, motion(begin // 60, len(x) // 3))
        assert len(x) == 3 * -(-told["samples"] // 60)
        assert any(e["sample"] == told["alerts"][0]["sample_here"] for e in tinystream("replay", "two", recording).events)


def drained(heard: Listener) -> list:
    """What has come to a listener, once nothing more does."""
    with suppress(AssertionError):
        heard.wait("nothing", seconds=0.5)
    return heard.all


def test_a_capture_ends_at_a_gap_and_the_next_counts_from_there(two, servers):
    with (two / "app.toml").open("a") as file:
        file.write(CAPTURE)
    mic, imu = servers
    with program("run", two, "-i", f"mic={mic.text}", "-i", f"motion={imu.text}", "--format", "frames", "--no-publish", "--any-rate",
                 "--engine", "python", "--once", "--capture", two / "c") as run:  # fmt: skip
        mic.send(b"\0" + b"".join(frame(n, sound(n, 1).tobytes()) for n in range(40)))
        imu.send(b"\0" + b"".join(frame(n, motion(n, 1).tobytes()) for n in range(40) if not 11 <= n < 15))
        for server in servers:
            server.unplug()
        out, err = run.communicate(timeout=60)
    assert run.returncode == 0 and b"1 gap" in err, err
    events = [json.loads(line)["sample"] for line in out.splitlines()]
    told = [about(folder) for folder in captures(two / "c")]
    assert [alert["sample"] for one in told for alert in one["alerts"]] == [e if e <= 660 else e - 900 for e in events]
    assert events[0] <= 660 and events[-1] > 900
    for one in told:
        heard, _ = Reading().read(plan_file(two), two / "c" / one["recording"].partition(".")[0] / one["recording"]).samples
        before = len(one["alerts"])
        ahead = 900 if events[0] > 660 else 0
        assert heard[0] == one["begin_sample"] + ahead + LOUD and {e > 660 for e in events[:before]} == {ahead > 0}
        del events[:before]


def test_a_unit_of_a_node_names_every_input_and_device(two):
    plan = plan_file(two)
    text = unit(two, plan, ("mic", "serial:/dev/ttyACM0"))
    assert "--input mic=mic --input motion=serial:/dev/ttyACM0" in text and "SupplementaryGroups=audio dialout" in text
    assert "DeviceAllow=char-alsa rw\nDeviceAllow=char-ttyACM rw" in text
