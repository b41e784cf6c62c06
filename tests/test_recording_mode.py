"""Does a node tell its samples to who asks, with a marker around them, and to nobody else?"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
import time
import tty

import numpy as np
import pytest
import soundfile
from bare import use_cache
from board_firmware import STRICT, kitchen, wake_word
from command import APP, program, samples, tinystream

from tinystream.firmware.board import find_board
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.project import build_project
from tinystream.firmware.run_board import finished, runnable
from tinystream.io.records import Alert, Reader, Recording, Samples, ask_for_samples
from tinystream.node.recorder import Recorder

ON = ("-DTS_TELLS_SAMPLES",)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


def told_by(firmware, asked: bytes, tmp_path) -> list:
    (tmp_path / "asked").write_bytes(asked)
    command = ["sh", "-c", 'exec "$0" 3<"$1"', str(firmware), str(tmp_path / "asked")]
    done = subprocess.run(command, input=kitchen().tobytes(), capture_output=True, check=True, timeout=60)
    reader = Reader()
    records = list(reader.push(done.stdout))
    assert reader.broken == reader.missing == 0
    return records


def values(records: list) -> np.ndarray:
    """The samples that were told, which follow each other without a gap."""
    given = [r for r in records if isinstance(r, Samples)]
    at = given[0].sample
    parts = []
    for record in given:
        assert record.sample + record.offset == at
        parts.append(np.frombuffer(record.raw, "<i2"))
        at += len(parts[-1])
    return np.concatenate(parts)


def test_a_node_that_was_asked_tells_its_samples_between_two_markers(tmp_path):
    firmware = build_project(wake_word(), find_board("posix"), more=(*STRICT, *ON))
    quiet = told_by(firmware, b"", tmp_path)
    assert not [r for r in quiet if isinstance(r, Recording | Samples)], "never by itself"
    told = told_by(firmware, b"noise\0" + ask_for_samples(7, 50), tmp_path)
    begun, ended = (r for r in told if isinstance(r, Recording))
    block = wake_word().x[0].shape[0]
    assert (begun.what, begun.blocks, begun.sample_hz, begun.block, begun.channels, begun.width) == ("begun", 50, 16_000, block, 1, 2)
    assert (ended.what, ended.blocks) == ("ended", 50)
    inside = told[told.index(begun) + 1 : told.index(ended)]
    assert [r for r in told if isinstance(r, Samples)] == [r for r in inside if isinstance(r, Samples)]
    first = inside[0].sample
    assert np.array_equal(values(told), kitchen()[first : first + 50 * block])
    alerts = [(a.sample, a.score_count) for a in told if isinstance(a, Alert)]
    assert alerts == [(a.sample, a.score_count) for a in quiet if isinstance(a, Alert)] and alerts, "and goes on to listen"


def test_firmware_that_was_not_built_for_it_tells_nothing(tmp_path):
    firmware = build_project(wake_word(), find_board("posix"), more=STRICT)
    assert not [r for r in told_by(firmware, ask_for_samples(7, 50), tmp_path) if isinstance(r, Recording | Samples)]
    assert b"TS_TELLS_SAMPLES" not in firmware.read_bytes()


ASK = ask_for_samples(1, 50)


@pytest.mark.parametrize("asked", [ASK[:-2], ASK.replace(b"\x81", b"\x82"), b"\xff" * 100 + b"\0", ask_for_samples(1, 0)])
def test_what_is_no_request_is_passed_over(tmp_path, asked):
    firmware = build_project(wake_word(), find_board("posix"), more=(*STRICT, *ON, "-fsanitize=address,undefined"))
    assert not [r for r in told_by(firmware, asked, tmp_path) if isinstance(r, Recording | Samples)]


def test_noise_before_a_request_costs_nothing_and_a_recording_has_a_limit(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, 2000).astype(np.uint8).tobytes()
    firmware = build_project(wake_word(), find_board("posix"), more=(*STRICT, *ON, "-fsanitize=address,undefined"))
    told = [r for r in told_by(firmware, noise + ask_for_samples(7, 2**32 - 1), tmp_path) if isinstance(r, Recording)]
    minute = round(60 * wake_word().x[0].rate_hz)
    assert [(r.what, r.blocks <= minute) for r in told] == [("begun", True), ("ended", True)] and told[0].blocks == minute


def test_the_board_in_qemu_tells_its_samples_too(tmp_path):
    board = find_board("qemu_mps2_an386")
    if not runnable(board) or not cross_compilers():
        pytest.skip("needs qemu-system-arm and a cross compiler")
    firmware = build_project(wake_word(), board, more=(*STRICT, *ON))
    x = kitchen()[: 2 * 16_000]
    block = wake_word().x[0].shape[0]
    (tmp_path / "recording.bin").write_bytes(struct.pack("<I", len(x) // block) + x.tobytes())
    command = [*board.firmware.qemu, "-display", "none", "-monitor", "none", "-serial", "stdio", "-semihosting", "-kernel", str(firmware)]
    command += ["-device", f"loader,file={tmp_path / 'recording.bin'},addr=0x{board.firmware.recording:x},force-raw=on"]
    records = list(Reader().push(finished(board, command, ask_for_samples(7, 20), 60)))
    begun, ended = (r for r in records if isinstance(r, Recording))
    assert (begun.blocks, ended.blocks) == (20, 20)
    given = [r for r in records if isinstance(r, Samples)]
    assert sum(len(r.raw) for r in given) == 20 * block * 2 and len({(r.sample, r.offset) for r in given}) == len(given)
    for record in given:  # there may be blocks between, which were lost while the line was busy
        at = record.sample + record.offset
        assert record.raw == x[at : at + len(record.raw) // 2].tobytes()


class Node:
    """The firmware as a process behind a serial port, which hears in true time."""

    def __init__(self, firmware):
        self.ours, self.theirs = os.openpty()
        tty.setraw(self.theirs)
        self.port = os.ttyname(self.theirs)
        command = ["sh", "-c", 'exec "$0" 3<&1', str(firmware)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.ours)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.hear, daemon=True)

    def hear(self) -> None:
        x, block = kitchen(), wake_word().x[0].shape[0]
        at = 0
        while not self.ended.is_set():
            self.process.stdin.write(x[at : at + 5 * block].tobytes())
            self.process.stdin.flush()
            at = (at + 5 * block) % (len(x) - 5 * block)
            time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


def test_listen_writes_what_it_asked_for_and_says_so(tmp_path):
    firmware, path = build_project(wake_word(), find_board("posix"), more=(*STRICT, *ON)), tmp_path / "node.wav"
    with Node(firmware) as node:
        done = program("listen", f"{node.port}=pump", "--record", path, "--seconds", "0.5")
        out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err.decode()
    assert f"RECORDING: raw samples of pump go to {path}, for 0.5 s at most" in err.decode() and "recording ended: 0.500 s" in err.decode()
    kept, heard = samples(path), kitchen()
    begins = np.flatnonzero(heard == kept[0])
    assert len(kept) == 8000 and any(np.array_equal(heard[i : i + 1600], kept[:1600]) for i in begins), "the sensor's own samples"
    told = [json.loads(line) for line in out.splitlines()]
    assert [r["what"] for r in told if r["record"] == "recording"] == ["begun", "ended"]
    assert all("raw" not in r for r in told), "and not one of them is printed"


def test_a_node_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("tinystream.node.recorder.ANSWER_S", 0.5)
    with Node(build_project(wake_word(), find_board("posix"), more=STRICT)) as node:
        done = tinystream("listen", node.port, "--record", tmp_path / "node.wav")
    assert done.code == 1 and "the node tells no samples" in done.err and "build --recording" in done.err
    assert not (tmp_path / "node.wav").exists()


def test_a_sample_that_was_lost_ends_the_recording(tmp_path):
    said, sent = [], []
    recorder = Recorder(tmp_path / "x.wav", 10, sent.append, said.append)
    recorder.ask()
    recorder.take(Recording(0, "begun", 0, 100, 8000.0, 4, 2, 2), "n")
    for n in (0, 4, 12):
        recorder.take(Samples(1, n, 0, np.arange(8, dtype="<i2").tobytes()), "n")
    assert sent == [ask_for_samples(1, 2**32 - 1), ask_for_samples(1, 0)], "it is asked for no more"
    recorder.take(Recording(9, "ended", 16, 3, 8000.0, 4, 2, 2), "n")
    assert recorder.done and "samples were lost after 0.001 s" in said[1] and "384000 baud" in said[1]
    x, rate = soundfile.read(tmp_path / "x.wav", dtype="int16")
    assert rate == 8000 and np.array_equal(x, np.tile(np.arange(8).reshape(4, 2), (2, 1)))


def test_a_board_that_hears_nothing_cannot_be_built_for_recording(tmp_path):
    done = tinystream("build", APP, "--board", "nrf52840_dk", "--recording", "-o", tmp_path / "b")
    assert done.code == 1 and "hears nothing over its line" in done.err and not (tmp_path / "b").exists()
