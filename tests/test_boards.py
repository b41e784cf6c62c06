"""Does the whole firmware of a board do what a replay does?  Samples in, records out: as a process of this machine, and in QEMU."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from command import APP, KITCHEN, tinystream

from tinystream import App, Microphone
from tinystream.app.definition import Duty
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.emit.compiler import WARNINGS, compilers
from tinystream.emit.emit import emit
from tinystream.errors import BuildError
from tinystream.firmware.board import Board, boards, find_board
from tinystream.firmware.core import CORES, NOT_BUILT
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.golden import golden
from tinystream.firmware.project import Project, build_project, write_project
from tinystream.firmware.run_board import run_board, runnable
from tinystream.io.recording import read_recording
from tinystream.io.records import Alert, Cycles, Hello, Overrun, Reader, Record, SelfTest, Status
from tinystream.plan.plan import Plan
from tinystream.run.engine import Engine
from tinystream.run.replay import blocks_of, make_engine, replay
from tinystream.stages import Frame, Gate

SECONDS = 14  # of the kitchen: two alerts
STRICT = WARNINGS
FAST = "shift=5,sleep=off"  # see run_board


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@cache
def plan() -> Plan:
    return plan_file(APP)


@cache
def samples() -> np.ndarray:
    return blocks_of(plan(), read_recording(KITCHEN, rate_hz=16_000, channels=1).samples[: SECONDS * 16_000])[0]


@dataclass
class Ran:
    """What a node told, by kind of record."""

    records: list[Record]
    reader: Reader

    def of(self, kind):
        return [record for record in self.records if isinstance(record, kind)]


def ran(board: Board, program: Path, blocks: np.ndarray, icount: str = FAST) -> Ran:
    if not runnable(board):
        pytest.skip(f"needs {board.firmware.qemu[0]}")
    reader = Reader()
    return Ran(list(reader.push(run_board(board, program, blocks, icount))), reader)


def events(blocks: np.ndarray) -> list[tuple]:
    found = replay(plan(), make_engine(plan()), blocks.reshape(-1)).events
    return [(e.sample, e.label, e.score_count) for e in found]


def alerts(told: Ran) -> list[tuple]:
    return [(a.sample, a.label, a.score_count) for a in told.of(Alert)]


def test_the_process_gives_the_alerts_of_a_replay():
    told = ran(find_board("posix"), build_project(plan(), find_board("posix"), more=STRICT), samples())
    hello, test = told.records[:2]
    assert isinstance(hello, Hello) and hello.definition == plan().digest[:16]
    assert (hello.app, hello.board, hello.labels, hello.sample_hz) == ("wake_word", "posix", ("computer",), 16_000)
    assert test == SelfTest(1, True)
    assert alerts(told) == events(samples()) and len(alerts(told)) == 2
    assert all(a.definition == plan().digest[:16] and not a.torn for a in told.of(Alert))
    assert [r.sequence for r in told.records] == list(range(len(told.records)))
    (status,) = told.of(Status)
    assert (status.blocks, status.alerts, status.late, status.lost) == (len(samples()), 2, 0, 0)
    assert status.sample == samples().size and told.reader.broken == told.reader.missing == 0


@pytest.mark.parametrize("compiler", compilers(), ids=lambda c: c.name)
@pytest.mark.parametrize("optimise", ["-O0", "-Os", "-O3"])
def test_the_self_test_passes_under_every_compiler(compiler, optimise):
    program = build_project(plan(), find_board("posix"), compiler, optimise, STRICT)
    assert ran(find_board("posix"), program, samples()[:0]).of(SelfTest) == [SelfTest(1, True)]


@cache
def gated() -> Plan:
    """Two branches, one of which is often closed."""
    whole, part = Frame(name="whole", length_ms=20), Frame(name="part", length_ms=30)
    loud = Gate(name="loud", open_db=-20, hold_ms=10, from_="source")
    stages = [whole, loud, part]
    return App(name="gated", source=Microphone(rate_hz=8_000, block_ms=10), stages=stages).plan()


@pytest.mark.parametrize("of", [plan, gated], ids=["wake_word", "gated"])
def test_the_bench_tells_every_step_and_all_of_its_time(of):
    board, app = find_board("posix"), of()
    told = ran(board, build_project(app, board, more=(*STRICT, "-DTS_BENCH")), samples()[:0]).of(Cycles)
    assert [c.step for c in told] == [s.name for s in app.steps]
    assert [c.step_index for c in told] == list(range(len(app.steps)))
    (blocks,) = {c.blocks for c in told}
    x = golden(app).x
    fired = Engine(app).push(np.concatenate([x] * -(-blocks // len(x)))[:blocks])
    assert [c.fired for c in told] == [len(fired[i].when) for i in range(len(app.steps))]
    assert all(c.most <= c.cycles for c in told) and all(c.cycles > 0 for c in told if c.fired)


# --- what is caught ---------------------------------------------------------------------------------------------------


def damaged(folder: Path, name: str, before: str, after: str) -> Project:
    """A project with one thing changed in one of its files."""
    project = write_project(plan(), find_board("posix"), folder)
    text = (folder / name).read_text()
    assert text.count(before) >= 1, f"{name} does not hold {before}"
    (folder / name).write_text(text.replace(before, after, 1))
    return project


@pytest.mark.parametrize(
    ("file", "before", "after", "step"),
    [
        ("ts_quantize.h", "ts_rshift(", "-ts_rshift(", "quantize"),
        ("ts_stack.h", "s->at + 1 < k->frames", "s->at + 2 < k->frames", "stack"),
    ],
)
def test_the_self_test_names_the_step_of_a_wrong_kernel(tmp_path, file, before, after, step):
    board = find_board("posix")
    program = build_project(plan(), board, project=damaged(tmp_path, file, before, after))
    assert self_test_of(program) == step


def self_test_of(program: Path) -> str:
    """The step that a process finds wrong at its start; it then ends, and does nothing else."""
    done = subprocess.run([str(program)], input=samples().tobytes(), capture_output=True, timeout=60)
    hello, test = Reader().push(done.stdout)
    assert done.returncode == 1 and isinstance(hello, Hello) and isinstance(test, SelfTest) and not test.passed
    assert plan().steps[test.step_index].name == test.step
    return test.step


def test_the_self_test_names_the_step_of_a_wrong_table(tmp_path):
    board = find_board("posix")
    project = write_project(plan(), board, tmp_path)
    path = tmp_path / "wake_word_tables.c"
    head, body = path.read_text().split("wake_word_conv_2d2_", 1)
    at = body.index("{") + 6
    changed = body[at:].replace("1", "2", 1)
    path.write_text(f"{head}wake_word_conv_2d2_{body[:at]}{changed}")
    assert self_test_of(build_project(plan(), board, project=project)) == "conv_2d2"


def test_kernels_of_another_version_are_refused_by_the_compiler(tmp_path):
    text = (Path(emit(plan(), tmp_path)[0]).parent / "ts_fixed.h").read_text()
    line = next(line for line in text.splitlines() if line.startswith("#define TS_KERNELS_VERSION"))
    project = damaged(tmp_path, "ts_fixed.h", line, "#define TS_KERNELS_VERSION 999")
    with pytest.raises(BuildError, match="Emit this file again: the kernels beside it are of another tinystream version"):
        build_project(plan(), find_board("posix"), project=project)


# --- in QEMU ----------------------------------------------------------------------------------------------------------

COMPILERS = [pytest.param(c, id=c.name) for c in cross_compilers().values()]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_firmware_in_qemu_gives_the_alerts_of_a_replay(compiler):
    board = find_board("qemu_mps2_an386")
    told = ran(board, build_project(plan(), board, compiler, more=STRICT), samples())
    assert told.of(SelfTest) == [SelfTest(1, True)]
    assert alerts(told) == events(samples()) and len(alerts(told)) == 2
    (status,) = told.of(Status)
    assert (status.blocks, status.late, status.lost) == (len(samples()), 0, 0)
    # it sleeps until a block is there: a loop that asks over and over would wake far more often, one that never slept not at all
    # (each byte of an alert wakes it, too)
    assert len(samples()) <= status.wakes <= len(samples()) + 400
    assert told.reader.broken == told.reader.missing == 0


def test_a_core_that_is_too_slow_says_what_it_has_lost():
    board = find_board("qemu_mps2_an386")
    blocks = samples()[:300]
    told = ran(board, build_project(plan(), board), blocks, "shift=8,sleep=off")
    (status,) = told.of(Status)
    assert status.late > 0 and status.lost > 0, "2**8 ns an instruction is not enough for a block"
    assert status.blocks + status.lost == len(blocks), "every block was processed or counted"
    assert status.sample == blocks.size, "time has gone on by the blocks that were lost"
    first, *_, last = told.of(Overrun)
    assert first.late + first.lost > 0 and (last.late, last.lost) == (status.late, status.lost)
    assert len(told.of(Overrun)) < 10, "a record for each block would only make it slower"


def test_the_time_that_a_node_tells_is_that_of_its_blocks():
    board = find_board("qemu_riscv32_virt")  # whose timer QEMU does not count twice while the core sleeps
    if not cross_compilers(riscv=True):
        pytest.skip("needs ziglang or riscv64-unknown-elf-gcc")
    blocks = samples()[:200]
    (status,) = ran(board, build_project(plan(), board), blocks).of(Status)
    assert status.seconds == pytest.approx(2.0, rel=0.02)
    assert 0.5 < status.asleep < 0.9, "some hundred thousand instructions of 2**5 ns a block of 10 ms"


# --- boards as data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", boards(), ids=lambda b: b.name)
def test_every_board_builds_or_says_what_it_lacks(board):
    if board.lacks:
        with pytest.raises(BuildError, match="lacks"):
            write_project(plan(), board, Path("nowhere"))
        return
    if board.core != "host" and not cross_compilers():
        pytest.skip("needs ziglang or arm-none-eabi-gcc")
    if "microphone" not in board.firmware.source:
        pytest.skip("has no microphone")
    assert build_project(plan(), board, more=STRICT).stat().st_size


GOOD = """
name = "mine"
says = "a board"
core = "cortex-m4"
clock_hz = 64_000_000
[memory]
flash_bytes = 1_000_000
ram_bytes = 100_000
source = "its manual"
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("cortex-m4", "cortex-m99", "core = 'cortex-m99' is none of cortex-m0"),
        ("64_000_000", "-1", "clock_hz: input should be greater than 0"),
        ("64_000_000", '"fast"', "clock_hz: input should be a valid integer"),
        ("ram_bytes", "rom_bytes", "memory.ram_bytes: field required"),
        ('"its manual"', '""', "memory.source: string should have at least 1 character"),
        ("[memory]", "[memory]\nfactor = [1.2, 1.1, 1.0]", "memory: factor = \\[1.2, 1.1, 1.0\\] is not low, nominal, high"),
        ('"mine"', '"yours"', "name = 'yours' is not the folder's name"),
        ("says = ", "says ", "is not TOML"),
    ],
)
def test_a_board_that_says_what_cannot_be_is_told_where(tmp_path, before, after, said):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "board.toml").write_text(GOOD)
    assert find_board(str(folder)).lacks == ("[firmware]", "board.c")
    (folder / "board.toml").write_text(GOOD.replace(before, after))
    with pytest.raises(BuildError, match=said):
        find_board(str(folder))


def test_a_board_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(BuildError) as told:
        find_board("qemu_mps2_an368")
    assert "near to it: qemu_mps2_an386" in str(told.value) and "posix" in str(told.value)


def test_cores_of_boards_are_known():
    assert {board.core for board in boards()} <= {*CORES, *NOT_BUILT, "host"}


# --- duty windows -------------------------------------------------------------------------------------------------------


@cache
def on_duty() -> Plan:
    return load(APP).model_copy(update={"duty": Duty(on_s=5, every_s=5.5)}).plan(APP)


@pytest.mark.parametrize("name", ["posix", "qemu_mps2_an386"])
def test_a_node_on_duty_hears_what_a_replay_on_duty_hears(name):
    wanted = [(e.sample, e.label, e.score_count) for e in replay(on_duty(), make_engine(on_duty()), samples().reshape(-1)).events]
    assert wanted and wanted != events(samples()), "a window begins in the middle of what is heard, and changes it"
    board = find_board(name)
    told = ran(board, build_project(on_duty(), board, more=STRICT), samples())
    assert alerts(told) == wanted
    status = told.of(Status)[-1]
    assert status.blocks == 500 + 500 + 300, "two whole windows and what the recording has of the third"
    assert (status.late, status.lost) == (0, 0)


# --- by hand ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["posix", "qemu_mps2_an386"])
def test_build_writes_a_folder_that_make_builds_too(tmp_path, name):
    needs = "make" if name == "posix" else "arm-none-eabi-gcc"
    if not shutil.which("make") or not shutil.which(needs):
        pytest.skip(f"needs make and {needs}")
    board = find_board(name)
    done = tinystream("build", APP, "--board", name, "--out", tmp_path, *(() if name == "posix" else ("--compiler", "gcc")))
    assert (done.code, done.out) == (0, f"{tmp_path}/wake_word.elf\n"), done.err
    ours = tmp_path / "wake_word.elf"
    first = ran(board, ours, samples()[:100])
    ours.unlink()
    subprocess.run(["make", "-s", "-C", tmp_path, f"MORE={' '.join(STRICT)}"], check=True, timeout=100)
    again = ran(board, ours, samples()[:100])
    assert len(again.records) == len(first.records) == 3 and again.records[:2] == first.records[:2]


def test_build_without_a_board_says_which_there_are(tmp_path):
    done = tinystream("build", APP, "--out", tmp_path)
    assert done.code == 1 and "error: no board is named" in done.err and "qemu_mps2_an386" in done.err


def test_an_app_that_a_board_cannot_feed_is_told_why(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(find_board("posix").folder, folder)
    text, by = (folder / "board.toml").read_text().replace('"posix"', '"mine"'), 'by = "standard input"'
    for before, after, said in [
        (
            'by = "standard input"',
            'by = "standard input"\nrate_hz = [8_000, 48_000]',
            "does not sample at 16000 Hz\n   = help: rate_hz = 8000 or 48000",
        ),
        (by, f"{by}\nchannels = [2]", "does not have 1 channels\n   = help: it has 2"),
        ("[firmware.source.microphone]", "[firmware.source.camera]", "no source of kind 'microphone'\n   = help: it has camera and imu"),
    ]:
        (folder / "board.toml").write_text(text.replace(before, after, 1))
        done = tinystream("build", APP, "--board", folder, "--out", tmp_path / "out")
        assert done.code == 1 and said in done.err
