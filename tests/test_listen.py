"""Does `tinystream listen` tell what a node has told, from a file, a pipe and a serial line?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import tty

import pytest
from bare import use_cache
from command import APP, KITCHEN, program, tinystream

from tinystream.app.planning import plan_file
from tinystream.firmware.board import find_board
from tinystream.firmware.project import build_project
from tinystream.io.recording import read_recording
from tinystream.run.replay import make_engine, replay


@pytest.fixture(scope="module")
def samples():
    return read_recording(KITCHEN, rate_hz=16_000, channels=1).samples[: 8 * 16_000]


@pytest.fixture(scope="module")
def told(samples, tmp_path_factory) -> bytes:
    """What the wake word's firmware tells, with a bench, as a process of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        firmware = build_project(plan_file(APP), find_board("posix"), more=("-DTS_BENCH",))
    return subprocess.run([str(firmware)], input=samples.tobytes(), capture_output=True, check=True).stdout


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_gives_the_events_of_a_replay(told, samples, tmp_path):
    (tmp_path / "node.bin").write_bytes(told)
    done = tinystream("listen", tmp_path / "node.bin")
    assert done.code == 0 and done.err == ""
    records = lines(done.out)
    assert [r["sequence"] for r in records] == list(range(len(records)))
    plan = plan_file(APP)
    wanted = replay(plan, make_engine(plan), samples).events
    assert len(wanted) == 1
    alerts = [r for r in records if r["record"] == "alert"]
    assert [(a["label"], a["score"], a["sample"], a["time_s"]) for a in alerts] == [(e.label, e.score, e.sample, e.time_s) for e in wanted]
    assert {a["definition"] for a in alerts} == {plan.digest[:16]}


def test_the_cycles_of_a_bench_are_written_by_step(told, tmp_path):
    (tmp_path / "node.bin").write_bytes(told)
    assert tinystream("listen", tmp_path / "node.bin", "--cycles", tmp_path / "cycles.json").code == 0
    measured = json.loads((tmp_path / "cycles.json").read_text())
    plan = plan_file(APP)
    assert (measured["app"], measured["definition"], measured["board"]) == (plan.name, plan.digest[:16], "posix")
    assert list(measured["steps"]) == [s.name for s in plan.steps]
    assert all(0 < s["most"] <= s["cycles"] for s in measured["steps"].values())


def test_without_a_bench_no_cycles_are_made_up(told, tmp_path):
    (tmp_path / "node.bin").write_bytes(told.rpartition(b"\0\0")[2])
    done = tinystream("listen", tmp_path / "node.bin", "--cycles", tmp_path / "cycles.json")
    assert done.code == 1 and "nothing was measured" in done.err and not (tmp_path / "cycles.json").exists()


def test_noise_and_gaps_are_counted(told, tmp_path):
    frames = told.split(b"\0\0")
    frames[3] = frames[3][:-1]
    del frames[5:7]
    (tmp_path / "node.bin").write_bytes(b"\0\0".join(frames))
    done = tinystream("listen", tmp_path / "node.bin")
    assert done.code == 0 and done.err == "warning: 3 records missing, 1 broken frame\n"


def test_a_pipe_is_told_as_it_comes(told):
    with program("listen", "-") as node:
        node.stdin.write(told[:200])
        node.stdin.flush()
        assert json.loads(node.stdout.readline())["record"] == "hello", "before the pipe ends"
        node.stdin.write(told[200:])
        node.stdin.close()
        assert json.loads(node.stdout.read().splitlines()[-1])["record"] == "status"


def test_a_serial_line_is_told_and_waited_for_when_it_is_gone(told):
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    name = os.ttyname(theirs)
    with program("listen", name) as node:
        assert node.stderr.readline() == f"{name} at 115200 baud; Ctrl-C ends it\n".encode()
        threading.Thread(target=os.write, args=(ours, b"noise" + told), daemon=True).start()
        records = [json.loads(node.stdout.readline()) for _ in range(4)]
        assert [r["record"] for r in records] == ["hello", "self_test", "cycles", "cycles"]
        while records[-1]["record"] != "status":
            records.append(json.loads(node.stdout.readline()))
        assert [r["sequence"] for r in records] == list(range(len(records)))
        os.close(theirs)
        os.close(ours)
        assert node.stderr.readline().decode().startswith(f"{name} is gone: ")
        node.send_signal(signal.SIGTERM)
        node.wait(timeout=10)


@pytest.mark.parametrize("port", ["/dev/no_such_port", "/"])
def test_a_port_that_is_not_there_is_told(port):
    done = tinystream("listen", port)
    assert done.code == 1 and f"error: {port} cannot be opened: " in done.err and "ports: " in done.err
