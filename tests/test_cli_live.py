"""Does `tinystream` run on and record what comes over lines and sockets, and is what it recorded what it heard?"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import tty
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command import APP, KITCHEN, program, samples, tinystream, write_sound

from tinystream.app.planning import plan_file
from tinystream.app.sources import Channel, Imu, Microphone, Sensor
from tinystream.errors import RecordingError, TinystreamError
from tinystream.io.feed import frame
from tinystream.io.live import Gap, Live
from tinystream.io.recording import read_as
from tinystream.io.wanted import wanted_of
from tinystream.io.written import Written, recorded
from tinystream.run.replay import make_engine, replay

IMU = """name = "tilt"

[source]
kind     = "imu"
rate_hz  = 100
axes     = ["x", "y", "z"]
range_g  = 4
block_ms = 50

[[stage]]
kind      = "remove_dc"
cutoff_hz = 1
"""
ALSA = """pcm.kitchen {{
  type file
  file "/dev/null"
  infile "{raw}"
  format raw
  slave.pcm "null"
  hint.description "a kitchen"
}}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tilt").mkdir()
    Path("tilt/app.toml").write_text(IMU, encoding="utf-8")
    return tmp_path


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def send(port: int, raw: bytes) -> threading.Thread:
    """To whoever listens there, as soon as it does."""

    def go():
        for _ in range(500):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as there:
                with suppress(OSError):
                    there.sendall(raw)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    return thread


def bare(events: list[dict], ahead: int = 0) -> list[tuple]:
    return [(e["label"], e["score_count"], e["sample"] + ahead) for e in events]


# --- what was recorded is what was heard ----------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".wav", ".csv", ".sds"])
def test_what_was_recorded_live_gives_the_events_of_the_live_run(here, ending):
    heard, port = samples(KITCHEN)[: 20 * 16000], free_port()
    send(port, heard.astype("<i2").tobytes())
    live = tinystream("run", APP, "-i", f"tcp-listen:{port}", "--once", "--any-rate", "--no-publish", "--record", f"heard{ending}")
    again = tinystream("replay", APP, f"heard{ending}")
    assert live.code == again.code == 0, live.err + again.err
    assert live.events and bare(again.events) == bare(live.events)
    assert "gap" not in live.err
    about = json.loads(Path("heard.about.json").read_text())
    assert about["app"] == "wake_word" and about["definition"] == live.events[0]["definition"] and about["rate_hz"] == 16000
    assert about["pieces"] == [{"file": f"heard{ending}", "first_sample": 0, "samples": len(heard)}]


def test_behind_a_gap_another_file_begins_and_each_gives_the_events_of_its_stretch(here):
    """Frames over a serial line, of which some are lost on the way."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    name, heard = os.ttyname(theirs), samples(KITCHEN)[: 24 * 16000].reshape(-1, 1600)
    frames = [frame(n, x.tobytes()) for n, x in enumerate(heard) if n not in (100, 101)]
    with program("run", APP, "-i", f"serial:{name}@921600", "--any-rate", "--no-publish", "--record", here / "heard.wav") as run:
        try:
            wait_until_open(run.pid, name)

            def write():
                with suppress(OSError):
                    for raw in [b"\0", *frames]:
                        while raw:
                            raw = raw[os.write(ours, raw) :]

            threading.Thread(target=write, daemon=True).start()
            for _ in range(600):
                with suppress(OSError, ValueError):
                    if sum(path.stat().st_size for path in here.glob("heard*.wav")) >= 238 * 3200:
                        break
                time.sleep(0.05)
        finally:
            run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
    events = [json.loads(line) for line in out.splitlines()]
    about = json.loads(Path("heard.about.json").read_text())
    first, second = about["pieces"]
    assert (first["samples"], second["first_sample"], second["samples"]) == (160_000, 163_200, 220_800), err
    assert about["gap_list"] == [{"sample": 160_000, "samples": 3200, "exact": True, "why": "2 frames lost or broken"}]
    again = tinystream("replay", APP, "heard.wav", "heard-2.wav")
    parts = [[e for e in again.events if e["recording"] == piece["file"]] for piece in about["pieces"]]
    assert parts[1] and bare(events) == bare(parts[0]) + bare(parts[1], 163_200)
    assert b"1 gap, about 3200 samples missing" in err
    os.close(ours)
    os.close(theirs)


def wait_until_open(pid: int, name: str) -> None:
    """The process has the port open, and what lay in it before is thrown away."""
    for _ in range(1500):
        with suppress(OSError):
            if any(str(there.readlink()) == name for there in Path(f"/proc/{pid}/fd").iterdir()):
                break
        time.sleep(0.02)
    time.sleep(0.3)


def portaudio() -> bool:
    with suppress(ImportError, OSError):
        import sounddevice

        return bool(sounddevice)
    return False


@pytest.mark.skipif(not portaudio(), reason="needs sounddevice and the PortAudio library")
@pytest.mark.skipif(not Path("/usr/share/alsa/alsa.conf").exists(), reason="needs ALSA")
def test_a_microphone_of_the_sound_system_is_heard_and_recorded(here):
    """PortAudio itself, on a device of ALSA's that reads a file, faster than true time."""
    Path("in.raw").write_bytes(samples(KITCHEN)[: 20 * 16000].tobytes())
    Path("asoundrc").write_text(ALSA.format(raw=here / "in.raw"))
    environ = {"ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{here / 'asoundrc'}"}
    with program("sources", "--json", **environ) as listed:
        found = json.loads(listed.communicate(timeout=60)[0])["microphones"]
    if not any(m["name"] == "kitchen" for m in found):
        pytest.skip("this sound system has no device that reads a file")
    with program("run", APP, "-i", "mic:KITCH", "--no-publish", "--record", here / "heard.wav", **environ) as run:
        first = json.loads(run.stdout.readline())
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=30)
    events = [first, *map(json.loads, out.splitlines())]
    again = tinystream("replay", APP, "heard.wav")
    assert bare(events) == bare(again.events)[: len(events)] and run.returncode == 130, err
    plan = plan_file(APP)
    assert bare(events)[0] == bare([e.as_dict() for e in replay(plan, make_engine(plan), samples(KITCHEN)[: 20 * 16000]).events])[0]


# --- record ---------------------------------------------------------------------------------------------------


def test_record_writes_units_rate_and_levels(here):
    port = free_port()
    text = "x,y,z\n" + "".join(f"{0.1 * (i % 3)},0,{9.80665}\n" for i in range(1000))
    send(port, text.encode())
    words = ["--format", "lines", "--unit", "m/s2", "--any-rate", "--once", "-o", "a.csv", "--json"]
    done = tinystream("record", "tilt", "-i", f"tcp-listen:{port}", *words)
    assert done.code == 0, done.err
    assert "10.0 s in 1 file: a.csv" in done.err and "level -1" in done.err and "warning" not in done.err
    about = json.loads(done.out)
    assert about["channels"][0] == {"name": "x", "unit": "g", "scale": 4 / 32768} and about["blocks"] == 200
    header, first = Path("a.csv").read_text().splitlines()[:2]
    assert header == "timestamp,x [g],y [g],z [g]" and first == "0.0,0.0,0.0,1.0"


def test_record_ends_after_its_seconds_and_writes_over_nothing(here):
    write_sound(Path("in.wav"), samples(KITCHEN)[: 3 * 16000])
    assert tinystream("record", APP, "-i", "in.wav", "--seconds", "0.5", "-o", "out.wav").code == 0
    assert len(samples(Path("out.wav"))) == 8000
    done = tinystream("record", APP, "-i", "in.wav", "-o", "out.wav")
    assert done.code == 1 and "out.wav is there already" in done.err
    done = tinystream("record", APP, "-i", "in.wav", "-o", "out.mp3")
    assert done.code == 1 and "a name that ends in .wav, .csv, .sds" in done.err


def test_record_warns_of_clipping_and_of_silence(here):
    loud = (np.sin(np.arange(16000) / 3) * 1e6).clip(-32768, 32767)
    write_sound(Path("loud.wav"), loud.astype(np.int16))
    write_sound(Path("faint.wav"), np.zeros(16000, np.int16))
    assert "it is clipped" in tinystream("record", APP, "-i", "loud.wav", "-o", "a.wav").err
    assert "hardly audible" in tinystream("record", APP, "-i", "faint.wav", "-o", "b.wav").err


class Given(Live):
    def __init__(self, x, items):
        super().__init__(x.shape[0], x.channels, x.shape, x.dtype)
        self.given = items

    def items(self):
        yield from self.given


SOURCES = [
    Imu(rate_hz=62.5, axes=("x", "gx"), range_g=2, range_dps=250, block_ms=160),
    Imu(rate_hz=3200, axes=("z",), range_g=8, block_ms=2.5),
    Sensor(interval_s=60, channels=(Channel(name="temperature", unit="°C", full_scale=90), Channel(name="load", full_scale=3))),
    Microphone(rate_hz=16000, block_ms=10),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: f"{s.kind}{s.signal().shape}")
@pytest.mark.parametrize("ending", [".wav", ".csv", ".sds"])
def test_files_read_back_as_the_same_samples(here, source, ending):
    x = source.signal()
    blocks = [np.random.default_rng(i).integers(-32768, 32768, x.shape).astype(np.int16) for i in range(6)]
    blocks[0].flat[:2] = (-32768, 32767)
    items = [*blocks[:3], Gap(7, "lost"), *blocks[3:]]
    path = Path(f"a{ending}")
    if ending == ".wav" and x.sample_hz.denominator != 1:
        with pytest.raises(RecordingError, match="whole rates only"):
            Written(path, x, source.columns())
        return
    given = list(recorded(Given(x, items), Written(path, x, source.columns())))
    assert len(given) == 7
    for name, part in ((path, blocks[:3]), (Path(f"a-2{ending}"), blocks[3:])):
        recording = read_as(name, wanted_of(x, source.columns()))
        wanted = np.concatenate(part)
        assert np.array_equal(recording.samples.reshape(wanted.shape), wanted) and recording.rate_hz == x.sample_hz


def test_an_app_goes_on_where_its_recording_cannot(here):
    x = SOURCES[3].signal()
    blocks = [np.full(x.shape, i, np.int16) for i in range(5)]
    Path("a-2.wav").write_bytes(b"precious")
    failed: list[TinystreamError] = []
    items = [*blocks[:2], Gap(1, ""), *blocks[2:]]
    assert len(list(recorded(Given(x, items), Written(Path("a.wav"), x), failed.append))) == 6
    assert len(failed) == 1 and Path("a-2.wav").read_bytes() == b"precious"
    with pytest.raises(RecordingError):
        list(recorded(Given(x, items), Written(Path("b.wav"), x.__class__(x.shape, "uint8", x.rate_hz, sample_hz=x.sample_hz))))


def test_a_recorder_that_is_killed_leaves_what_it_had_heard(here):
    with program("record", APP, "-i", "-", "-o", here / "a.wav") as run:
        run.stdin.write(samples(KITCHEN)[:16000].tobytes())
        run.stdin.flush()
        for _ in range(1500):
            if (here / "a.wav").exists() and (here / "a.wav").stat().st_size == 44 + 32000:
                break
            time.sleep(0.02)
        run.kill()
    assert np.array_equal(samples(here / "a.wav"), samples(KITCHEN)[:16000])
    assert json.loads((here / "a.about.json").read_text())["app"] == "wake_word"


# --- sources and mistakes -------------------------------------------------------------------------------------


def test_sources_lists_what_devices_say_as_mere_text(monkeypatch):
    from tinystream.cli import sources
    from tinystream.io.live.serial_port import Port

    monkeypatch.setattr(sources, "ports", lambda: [Port("/dev/ttyACM0", "[red]Nano\x1b[2J", "A[1]", "Arduino", "2341:805a")])
    monkeypatch.setenv("COLUMNS", "140")
    done = tinystream("sources")
    assert done.code == 0 and "serial:/dev/ttyACM0" in done.out and "[red]Nano?[2J" in done.out and "serial number A[1]" in done.out
    assert json.loads(tinystream("sources", "--json").out)["serial_ports"][0]["usb"] == "2341:805a"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tilt", "-i", "mic"], "the source of tilt is a imu, and no microphone"),
        (["tilt", "-i", "serial:/dev/none"], "/dev/none cannot be opened"),
        (["tilt", "-i", "serial:/dev/none@0"], "0 is no speed of a serial port"),
        (["tilt", "-i", "serial:"], "--input serial: is incomplete"),
        (["tilt", "-i", "tcp:here"], "has no port from 1 to 65535"),
        (["tilt", "-i", "tcp:5050"], "names no host"),
        (["tilt", "-i", "tcp:localhost:99999"], "has no port from 1 to 65535"),
        (["tilt", "-i", "udp:0"], "has no port from 1 to 65535"),
        (["tilt", "-i", "udp:192.0.2.1:5050"], "cannot be listened on"),
        (["tilt", "-i", "-", "--format", "lines"], "standard input holds raw samples, and no lines"),
        (["tilt", "-i", "udp:5050", "--gaps", "linear"], "--gaps linear needs the samples behind a gap"),
        (["tilt", "-i", "none.csv"], "none.csv does not exist"),
    ],
)
def test_a_source_that_is_none_is_told(here, words, said):
    done = tinystream("run", *words)
    assert done.code == 1 and said in done.err and "help: " in done.err and done.out == ""


def test_garbage_at_full_rate_neither_ends_a_run_nor_grows_it(here):
    port = free_port()
    with program("run", here / "tilt", "-i", f"tcp-listen:{port}", "--format", "lines", "--no-publish", "--any-rate") as run:
        try:
            send(port, b"0,0,1\n" * 100).join()
            before = memory_kb(run.pid)
            send(port, np.random.default_rng(1).bytes(1 << 21) + b"1,2,3" * (1 << 18)).join()
            send(port, b"0,0,1\n" * 100).join()
            time.sleep(0.5)
            assert run.poll() is None and memory_kb(run.pid) < before + 20_000
        finally:
            run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert b"could not be read" in err and b"Traceback" not in err and run.returncode == 130


def memory_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")))


def test_a_pty_under_a_name_of_its_own_is_found_again(here):
    """As /dev/serial/by-id does for a device that comes back."""
    pairs = [os.openpty(), os.openpty()]
    for _, theirs in pairs:
        tty.setraw(theirs)
    link = here / "sensor"
    link.symlink_to(os.ttyname(pairs[0][1]))
    with program("record", here / "tilt", "-i", f"serial:{link}", "-o", here / "a.csv", "--seconds", "4", "--any-rate") as run:
        wait_until_open(run.pid, os.ttyname(pairs[0][1]))
        os.write(pairs[0][0], b"x,y,z\n" + b"0,0,1\n" * 206)
        while b"recording" not in run.stderr.readline():
            pass
        for _ in range(500):
            if (here / "a.csv").exists() and (here / "a.csv").read_text().count("\n") >= 201:
                break
            time.sleep(0.02)
        link.unlink()
        link.symlink_to(os.ttyname(pairs[1][1]))
        for end in reversed(pairs[0]):
            os.close(end)
        wait_until_open(run.pid, os.ttyname(pairs[1][1]))
        os.write(pairs[1][0], b"x,y,z\n" + b"0,0,1\n" * 206)
        _, err = run.communicate(timeout=60)
    about = json.loads((here / "a.about.json").read_text())
    assert run.returncode == 0 and [p["samples"] for p in about["pieces"]] == [205, 195], err
    assert b"is back" in err and "was gone" in about["gap_list"][0]["why"]
    for end in pairs[1]:
        os.close(end)
