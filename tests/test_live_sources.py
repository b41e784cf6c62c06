"""Do live sources mark what is missing, come back after they were gone, and tell how they are?"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import tty
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from select import select
from types import SimpleNamespace

import numpy as np
import pytest
from command import APP, KITCHEN, samples

from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.app.sources import Imu
from tinystream.errors import RecordingError
from tinystream.io.feed import frame
from tinystream.io.live import Gap, Live, Microphone, SerialPort, Tcp, TcpListener, Udp
from tinystream.io.live.decoder import Decoder, Lost, Raw
from tinystream.io.live.detected import Detected
from tinystream.io.live.frames import Frames
from tinystream.io.live.lines import Lines
from tinystream.io.live.sensiml import SensiML
from tinystream.io.live.serial_port import Port
from tinystream.io.live.stream import Stream, Taking
from tinystream.io.wanted import How, wanted_of
from tinystream.node.watch import Watch
from tinystream.run.live import run_live
from tinystream.run.replay import make_engine, replay

IMU = Imu(rate_hz=100, axes=("x", "y", "z"), range_g=4, block_ms=50)
SIGNAL = IMU.signal()
X = np.random.default_rng(3).integers(-32768, 32768, (60, 3)).astype(np.int16)
RAW = X.tobytes()


class Now:
    """A clock that goes on when it is slept by."""

    def __init__(self):
        self.s = 0.0

    def sleep(self, s: float) -> None:
        self.s += s


class Script(Stream):
    """pieces: (seconds until it comes, bytes), or an exception instead of bytes, or None for an end; each `connections` is one opening."""

    lossless = False

    def __init__(self, *connections, decoder: Decoder | None = None, **taking):
        self.now, self.told = Now(), []
        how = Taking(tell=self.told.append, clock=self.clock, sleep=self.now.sleep, **taking)
        super().__init__("device", SIGNAL, decoder or Raw(3), how)
        self.connections, self.opened = list(connections), []

    def clock(self) -> float:
        return self.now.s

    def connect(self, again: bool):
        self.opened.append(self.now.s)
        script = self.connections.pop(0)
        if isinstance(script, Exception):
            raise script
        self.pieces = list(script)
        return self

    def read(self):
        if not self.pieces:
            return None
        seconds, piece = self.pieces[0]
        if seconds > 0.2:
            self.pieces[0] = (seconds - 0.2, piece)
            self.now.s += 0.2
            return b""
        self.now.s += self.pieces.pop(0)[0]
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        pass


def steady(x: np.ndarray, rate: float, each: int = 5) -> list:
    return [(each / rate, x[i : i + each].tobytes()) for i in range(0, len(x), each)]


def taken(live: Live, at_most: int = 10**6) -> list:
    found = []
    with closing(iter(live)) as items:
        for item in items:
            found.append(item)
            if len(found) == at_most:
                break
    return found


def joined(items: list) -> list:
    """Stretches of samples, and what lies between them."""
    found: list = []
    for item in items:
        if isinstance(item, Gap) or not found or isinstance(found[-1], Gap):
            found.append(item)
        else:
            found[-1] = np.concatenate([found[-1], item])
    return found


# --- gaps -----------------------------------------------------------------------------------------------------


def test_samples_of_any_pieces_are_whole_blocks_and_the_rest_is_left():
    live = Script([(0.01, RAW[:100]), (0.01, RAW[100:101]), (0.01, RAW[101:-6])], again=False)
    blocks = taken(live)
    assert all(b.shape == (5, 3) and b.dtype == np.int16 for b in blocks) and np.array_equal(np.concatenate(blocks), X[:55])
    assert live.left == 4 and live.gaps == 0 and live.blocks == 11


def test_a_device_that_was_gone_is_opened_again_and_the_gap_is_as_long_as_the_clock_says():
    live = Script(
        [*steady(X[:20], 100), (0.01, RAW[120:138]), (0.0, OSError(5, "Input/output error"))],
        RecordingError("not yet"),
        RecordingError("not yet"),
        [(0.01, RAW[180:])],
        again=True,
    )
    before, gap, after = joined(taken(live, 4 + 1 + 6))
    assert np.array_equal(before, X[:20]) and np.array_equal(after, X[30:])
    assert live.opened == pytest.approx([0.0, 0.21, 0.71, 1.71]) and gap.samples == 150 + 3 and not gap.exact
    assert "is gone: input/output error" in live.told[0] and "device is back" in live.told[1]
    assert (live.gaps, live.missing) == (1, 153)


def test_a_connection_that_opens_and_gives_nothing_is_not_opened_ever_faster():
    live = Script(*[[(0.0, OSError(5, "gone"))] for _ in range(9)], [(0.01, RAW)])
    taken(live, 12)
    assert np.allclose(np.diff(live.opened), [0.5, 1, 2, 4, 8, 16, 30, 30, 30])


def test_a_rate_that_a_device_says_and_the_app_does_not_read_is_refused_or_told_once():
    told = b'{"sample_rate": 50, "column_location": {"x": 0, "y": 1, "z": 2}}\n'
    for rate in ("refuse", "tell"):
        decoder = SensiML("device", wanted_of(SIGNAL, IMU.columns()), How())
        live = Script([(0.01, told), *steady(X, 50)], decoder=decoder, again=False, rate=rate)
        if rate == "refuse":
            with pytest.raises(RecordingError, match="device says that it sends 50 Hz, the app reads 100 Hz"):
                taken(live)
        else:
            taken(live)
            assert len([word for word in live.told if "says that it sends 50 Hz" in word]) == 1


def test_several_troubles_between_two_blocks_are_one_gap_and_none_comes_first_or_last():
    frames = [frame(n, X[i : i + 5].tobytes()) for n, i in enumerate(range(0, 60, 5))]
    noise = b"\0noise\0"
    parts = [noise, *frames[:3], noise, frames[4], frames[6][:-4] + b"\0", frames[7], noise, frames[9][:-4] + b"\0"]
    live = Script([(0.01, b"".join(parts))], decoder=Frames(3), again=False)
    a, first, b, second, c = joined(taken(live))
    assert np.array_equal(a, X[:15]) and np.array_equal(b, X[20:25]) and np.array_equal(c, X[35:40])
    assert (first.samples, second.samples) == (5, 10) and first.exact and second.exact and live.garbage == 5


def test_a_block_that_a_loss_cuts_is_dropped_and_its_samples_are_in_the_gap():
    class Lossy(Decoder):
        def push(self, raw):
            yield X[:8]
            yield Lost(4, "lost")
            yield X[12:24]

    a, gap, b = joined(taken(Script([(0.1, b"x")], decoder=Lossy(), again=False)))
    assert np.array_equal(a, X[:5]) and gap == Gap(3 + 4, "lost") and np.array_equal(b, X[12:22])


def test_a_pause_is_a_gap_where_nothing_holds_the_sender_back():
    script = [*steady(X[:20], 100), (4.0, RAW[120:]), (0.0, RAW[:30])]
    live = Script(script, again=False)
    a, gap, b = joined(taken(live))
    assert np.array_equal(a, X[:20]) and 395 <= gap.samples <= 405 and not gap.exact and len(b) == 45
    assert "nothing has come from device for 2." in live.told[0] and "sends again" in live.told[1]
    live = Script(script, again=False)
    live.lossless = True
    (whole,) = joined(taken(live))
    assert len(whole) == 65


@pytest.mark.parametrize("gaps", ["hold", "keep"])
def test_missing_samples_may_be_held_or_closed_up_when_a_person_says_so(gaps):
    text = [",".join(repr(v) for v in row) for row in (X * (4 / 32768)).tolist()]
    text[7] = "x"
    decoder = Lines("device", wanted_of(SIGNAL, IMU.columns()), How())
    live = Script([(0.1, "\n".join([*text, ""]).encode())], decoder=decoder, again=False, gaps=gaps)
    (whole,) = joined(taken(live))
    wanted = X.copy()
    wanted[7] = wanted[6]
    assert np.array_equal(whole, wanted if gaps == "hold" else np.delete(X, 7, axis=0)[:55])
    assert live.filled == (gaps == "hold") and live.garbage == 1 and live.gaps == 0


def test_holding_ends_after_a_second_so_that_garbage_does_not_become_samples():
    text = "".join(",".join(repr(v) for v in row) + "\n" for row in (X[:10] * (4 / 32768)).tolist())
    decoder = Lines("device", wanted_of(SIGNAL, IMU.columns()), How())
    live = Script([(0.1, text.encode()), *[(0.001, b"x\n" * 50)] * 1000, (0.1, text.encode())], decoder=decoder, again=False, gaps="hold")
    items = joined(taken(live))
    assert sum(len(item) for item in items if not isinstance(item, Gap)) <= 20 + 100
    assert live.gaps == 1 and sum(map(len, live._held)) <= 5 and live.garbage == 50_000


# --- rate -----------------------------------------------------------------------------------------------------

LONG = np.tile(X, (60, 1))


def test_the_rate_is_measured_and_told():
    live = Script(steady(LONG, 100.4), again=False)
    taken(live)
    assert live.rate_measured == pytest.approx(100.4, rel=1e-3) and live.told == ["device sends 100.4 Hz"]
    assert live.facts()["rate_measured_hz"] == pytest.approx(100.4, rel=1e-3)


@pytest.mark.parametrize("rate", [97.0, 50.0, 200.0])
def test_another_rate_is_refused_or_told(rate):
    with pytest.raises(RecordingError, match=f"device sends {rate:g}.* Hz by this machine's clock, the app reads 100 Hz") as e:
        taken(Script(steady(LONG, rate), again=False))
    assert "--any-rate" in e.value.help
    live = Script(steady(LONG, rate), again=False, rate="tell")
    taken(live)
    assert len(live.told) == 1 and "taken as they are" in live.told[0] and live.blocks == 720


def test_a_rate_that_drifts_off_later_is_told_and_not_refused():
    live = Script([*steady(LONG, 100), *steady(LONG, 104), *steady(np.tile(LONG, (3, 1)), 100)], again=False)
    taken(live)
    assert [("warning" in word, "again" in word) for word in live.told] == [(False, False), (True, False), (False, True)]
    assert live.blocks == 5 * 720 and live.gaps == 0


def test_values_in_another_unit_are_refused_once_they_are_clearly_beyond():
    text = "".join(f"{-9.8},{i % 3},0\n" for i in range(2000)).encode()
    pieces = [(0.05, part + b"\n") for part in text.split(b"\n")[:-1]]
    decoder = Lines("device", wanted_of(SIGNAL, IMU.columns()), How())
    with pytest.raises(RecordingError, match="values exceed full scale") as e:
        taken(Script([(0.01, p) for _, p in pieces], decoder=decoder, again=False))
    assert "--unit m/s2" in e.value.help


# --- level ----------------------------------------------------------------------------------------------------


def test_level_tells_rms_peak_and_clipping_since_it_was_last_asked():
    loud = np.full((10, 3), 32767, np.int16)
    half = np.full((10, 3), 16384, np.int16)
    live = Script([(0.1, loud.tobytes() + half.tobytes())], again=False)
    with closing(iter(live)) as items:
        next(items), next(items)
        assert live.level() == (pytest.approx(0, abs=0.1), 0, 1)
        next(items), next(items)
        assert live.level() == (pytest.approx(-6.0, abs=0.1), pytest.approx(-6.0, abs=0.1), 0)
        assert live.level().peak_dbfs == -120
    assert live.heard.clipped == 0.5 and live.heard.peak_dbfs == 0


# --- serial ports ---------------------------------------------------------------------------------------------


def open_times(name: str) -> int:
    """How often this process has the file open."""
    found = 0
    for there in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(there.readlink()) == name
    return found


class Device:
    """A pty that a device is at the other end of."""

    def __init__(self):
        self.ours, self.theirs = os.openpty()
        tty.setraw(self.theirs)
        self.name = os.ttyname(self.theirs)

    def write(self, raw: bytes) -> None:
        threading.Thread(target=self._write, args=(raw,), daemon=True).start()

    def _write(self, raw: bytes) -> None:
        """Once the port is open, and what was in it before is thrown away."""
        while open_times(self.name) < 2:
            time.sleep(0.02)
        time.sleep(0.1)
        with suppress(OSError):
            while raw:
                raw = raw[os.write(self.ours, raw[:512]) :]

    def unplug(self) -> None:
        for end in (self.theirs, self.ours):
            os.close(end)


def serial_port(there, port: str, told: list, decoder: Decoder | None = None) -> SerialPort:
    return SerialPort(port, SIGNAL, decoder or Frames(3), Taking(tell=told.append, sleep=lambda s: time.sleep(0.01)), there=lambda: there)


FRAMES = [frame(n, X[i : i + 5].tobytes()) for n, i in enumerate(range(0, 60, 5))]


@pytest.mark.parametrize("by", ["device", "SN42", "accelerometer"])
def test_a_device_that_comes_back_under_another_name_is_found_again(by):
    told: list = []
    device, other = Device(), Device()
    there = [Port(other.name, "a modem", "SN1", "", "1:1"), Port(device.name, "An Accelerometer", "SN42", "", "1:2")]
    live = serial_port(there, device.name if by == "device" else by, told)
    with closing(iter(live)) as items:
        device.write(b"\0" + b"".join(FRAMES[:6]))
        got = [next(items) for _ in range(6)]
        again = Device()  # so that it has another name
        device.unplug()
        there[1] = there[1]._replace(device=again.name)
        again.write(b"\0" + b"".join(FRAMES[8:]))
        gap = next(items)
        got += [next(items) for _ in range(4)]
    assert again.name != device.name and isinstance(gap, Gap) and not gap.exact and "was gone" in gap.why
    assert np.array_equal(np.concatenate(got), np.concatenate([X[:30], X[40:]]))
    assert any("is gone" in word for word in told) and any("is back" in word for word in told)
    again.unplug()
    other.unplug()


def test_a_port_that_may_be_several_or_none_is_refused_with_what_is_there():
    there = [Port("/dev/a", "acc", "1"), Port("/dev/b", "acc", "2")]
    with pytest.raises(RecordingError, match="several serial ports are 'acc': /dev/a"):
        next(iter(serial_port(there, "acc", [])))
    with pytest.raises(RecordingError, match="/dev/none cannot be opened"):
        next(iter(serial_port(there, "/dev/none", [])))


def test_lines_over_a_serial_port_are_those_of_the_data_forwarder():
    device = Device()
    live = serial_port([], device.name, [], Lines(device.name, wanted_of(SIGNAL, IMU.columns()), How(unit="m/s2"), joined=True))
    g = np.round(X / 8192 * 9.80665, 4)
    with closing(iter(live)) as items:
        device.write("".join(f"{a}\t{b}\t{c}\r\n" for a, b, c in [g[0], *g]).encode())
        got = np.concatenate([next(items) for _ in range(12)])
    assert np.abs(got.astype(int) - X).max() <= 1
    device.unplug()


def test_a_device_of_sensiml_is_asked_to_begin_and_does():
    device = Device()
    told = b'{"sample_rate": 100, "column_location": {"AccelerometerX": 0, "AccelerometerY": 1, "AccelerometerZ": 2}}\r\n'
    heard = []

    def run():
        with suppress(OSError):
            while not select([device.ours], [], [], 0.05)[0]:
                os.write(device.ours, told)
            heard.append(os.read(device.ours, 100))
            os.write(device.ours, RAW)

    live = serial_port([], device.name, [], Detected(device.name, wanted_of(SIGNAL, IMU.columns()), How(), joined=True))
    threading.Thread(target=run, daemon=True).start()
    with closing(iter(live)) as items:
        got = np.concatenate([next(items) for _ in range(12)])
    assert heard == [b"connect"] and np.array_equal(got, X)
    device.unplug()


# --- network --------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_tcp_server_that_ends_is_asked_again_or_was_all():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve():
            for part in (RAW[:165], RAW[180:]):
                with server.accept()[0] as client:
                    client.sendall(part)

        threading.Thread(target=serve, daemon=True).start()
        live = Tcp("127.0.0.1", port, SIGNAL, Raw(3), Taking(sleep=lambda s: time.sleep(0.01)))
        a, gap, b = joined(taken(live, 5 + 1 + 6))
    assert np.array_equal(a, X[:25]) and gap.samples >= 2 and np.array_equal(b, X[30:])
    with pytest.raises(RecordingError, match=f"tcp:127.0.0.1:{port} cannot be reached: connection refused"):
        next(iter(Tcp("127.0.0.1", port, SIGNAL, Raw(3))))


def test_a_listener_takes_one_client_after_the_other_and_only_of_this_machine():
    port = free_port()
    live = TcpListener(port, SIGNAL, Raw(3), Taking(sleep=lambda s: time.sleep(0.01)))

    def send():
        for part in (RAW[:150], RAW[150:]):
            for _ in range(200):
                with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as client:
                    client.sendall(part)
                    break
                time.sleep(0.02)

    threading.Thread(target=send, daemon=True).start()
    with closing(iter(live)) as items:
        got = [next(items) for _ in range(5)]
        assert live._listening.getsockname()[0] == "127.0.0.1"
        got += [next(items) for _ in range(8)]
    a, gap, b = joined(got)
    assert np.array_equal(a, X[:25]) and isinstance(gap, Gap) and np.array_equal(b, X[25:])
    assert live._listening is None
    with socket.create_server(("127.0.0.1", port)), pytest.raises(RecordingError, match="cannot be listened on"):
        next(iter(TcpListener(port, SIGNAL, Raw(3))))


def test_datagrams_come_from_one_sender_and_a_lost_frame_is_known():
    port = free_port()
    live = Udp(port, SIGNAL, Frames(3))
    with closing(iter(live)) as items, socket.socket(type=socket.SOCK_DGRAM) as sender, socket.socket(type=socket.SOCK_DGRAM) as stranger:

        def send():
            time.sleep(0.3)
            for n, piece in enumerate(FRAMES):
                if n != 5:
                    sender.sendto(piece, ("127.0.0.1", port))
                stranger.sendto(FRAMES[0], ("127.0.0.1", port))

        threading.Thread(target=send, daemon=True).start()
        a, gap, b = joined([next(items) for _ in range(12)])
    assert np.array_equal(a, X[:25]) and (gap.samples, gap.exact) == (5, True) and np.array_equal(b, X[30:])
    assert live.garbage >= 9


# --- microphones ----------------------------------------------------------------------------------------------


class Sound:
    """In the place of the package sounddevice: microphones that can be unplugged."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *names: str):
        self.names, self.open, self.refreshed = list(names), [], 0
        self.default = SimpleNamespace(device=[0, 0])

    def query_hostapis(self):
        return [{"name": "ALSA"}]

    def query_devices(self):
        return [{"name": n, "max_input_channels": 1, "default_samplerate": 48000.0, "hostapi": 0} for n in self.names]

    def _terminate(self):
        self.refreshed += 1

    def _initialize(self):
        pass

    def InputStream(self, **told):
        if told["device"] is not None and not told["device"] < len(self.names):
            raise self.PortAudioError("Invalid device")
        stream = SimpleNamespace(**told, start=lambda: None, abort=lambda **_: None, close=lambda **_: None)
        self.open.append(stream)
        return stream

    def hear(self, x: np.ndarray, overflowed: bool = False) -> None:
        self.open[-1].callback(x.reshape(-1, 1), len(x), None, SimpleNamespace(input_overflow=overflowed))

    def unplug(self) -> None:
        self.names = ["HDMI"]
        self.open[-1].finished_callback()


@pytest.fixture
def sound(monkeypatch):
    made = Sound("HDMI", "USB kitchen: Audio", "USB hall: Audio")
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


def test_a_microphone_that_was_unplugged_is_opened_again_by_its_name(sound):
    told: list = []
    one = X[:20, 0]

    def wait(s: float) -> None:
        if sound.refreshed == 2:
            sound.names = ["another", "HDMI", "USB kitchen: Audio"]

    live = Microphone(Fraction(100), 20, 1, "kitchen", tell=told.append, sleep=wait)
    items = iter(live)
    threading.Timer(0.1, lambda: sound.hear(one)).start()
    assert np.array_equal(next(items), one)
    sound.unplug()

    def later():
        while len(sound.open) < 2:
            time.sleep(0.01)
        sound.hear(one[::-1])

    threading.Thread(target=later, daemon=True).start()
    gap, block = next(items), next(items)
    assert isinstance(gap, Gap) and "kitchen: Audio was gone" in gap.why and np.array_equal(block, one[::-1])
    assert [stream.device for stream in sound.open] == [1, 2] and sound.refreshed == 3
    assert "is gone" in told[0] and "is back" in told[1]
    items.close()


def test_an_overrun_is_counted_and_is_a_gap(sound):
    live = Microphone(Fraction(100), 20, 1)
    items = iter(live)
    threading.Timer(0.1, lambda: [sound.hear(X[:20, 0], overflowed=i in (0, 2)) for i in range(4)]).start()
    got = [next(items) for _ in range(5)]
    assert [isinstance(item, Gap) for item in got] == [False, False, True, False, False]
    assert live.overruns == 2 and "2 overruns" in live.notes()[0] and sound.open[0].device is None
    items.close()


def test_a_microphone_that_hears_nothing_ends_when_it_is_stopped(sound):
    live, got = Microphone(Fraction(100), 20, 1), []
    thread = threading.Thread(target=lambda: got.extend(live), daemon=True)
    thread.start()
    while not sound.open:
        time.sleep(0.01)
    live.stop()
    thread.join(2)
    assert not thread.is_alive() and got == []


@pytest.mark.parametrize(("device", "said"), [("audio", "several microphones are 'audio'"), ("attic", "no microphone 'attic'"), (7, "'7'")])
def test_a_microphone_that_is_not_one_is_refused_with_what_is_there(sound, device, said):
    with pytest.raises(RecordingError, match=said) as e:
        next(iter(Microphone(Fraction(100), 20, 1, device)))
    assert "kitchen" in str(e.value)


# --- what runs on them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("watched", [False, True])
def test_an_app_begins_afresh_behind_a_gap_and_its_events_go_on_in_time(watched):
    plan, heard = plan_file(APP), samples(KITCHEN)
    first, second = heard[: 12 * 16000], heard[2 * 16000 : 22 * 16000]
    wanted = [(e.label, e.score_count, e.sample) for e in replay(plan, make_engine(plan), first).events]
    later = [(e.label, e.score_count, e.sample + len(first) + 777) for e in replay(plan, make_engine(plan), second).events]
    assert wanted and later
    engine = make_engine(plan)
    items = [*first.reshape(-1, 160), Gap(777, "unplugged"), *second.reshape(-1, 160)]
    if watched:
        watch, found = Watch(load(APP), plan, engine), []
        for item in items:
            if isinstance(item, Gap):
                watch.gap(item.samples)
            else:
                found += watch.push(item[np.newaxis])
    else:
        found = []
        trace = run_live(plan, engine, items, found.append)
        assert trace.events == tuple(found) and trace.samples == len(first) + len(second)
    assert [(e.label, e.score_count, e.sample) for e in found] == wanted + later
    assert [e.sequence for e in found] == list(range(len(found)))
    assert all(e.time_s == round(e.sample / 16000, 6) for e in found)
