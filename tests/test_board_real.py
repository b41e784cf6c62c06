"""Do the drivers of real boards work, as far as QEMU has the peripherals?  The micro:bit V1 and the Netduino Plus 2, samples by UART.

What QEMU lacks (README.md of each board) is compiled here, and not run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from command import APP, KITCHEN

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import WARNINGS
from tinystream.errors import BuildError
from tinystream.firmware.board import Board, find_board
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.flash_files import flash_suffix
from tinystream.firmware.project import build_project, write_project
from tinystream.firmware.run_board import run_board, runnable
from tinystream.io.recording import read_recording
from tinystream.io.records import Alert, Cycles, Hello, Overrun, Reader, SelfTest, Status
from tinystream.plan.plan import Plan
from tinystream.run.replay import blocks_of, make_engine, replay

BOARDS = ["microbit", "netduinoplus2"]
COMPILERS = [pytest.param(c, id=c.name) for c in cross_compilers().values()]
TRUE_M0 = "shift=6"  # 64 ns an instruction: one a cycle at 16 MHz, and more than a Cortex-M0 ever does

SHAKEN = """
name = "shaken"
[source]
kind = "imu"
rate_hz = 100
axes = ["x", "y", "z"]
range_g = 2
block_ms = 10
{duty}
[[stage]]
kind = "biquad"
type = "highpass"
cutoff_hz = 1
order = 2
[detect]
kind = "smoothed"
classes = ["x", "y", "z"]
mean_of = 5
threshold = 0.3
quiet_s = 0.2
"""
DUTY = "[duty]\non_s = 0.5\nevery_s = 3.5\n"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@cache
def wake_word() -> Plan:
    return plan_file(APP)


@cache
def words() -> np.ndarray:
    """1.4 s of the kitchen, with one alert."""
    x = read_recording(KITCHEN, rate_hz=16_000, channels=1).samples[int(5.3 * 16_000) : int(6.7 * 16_000)]
    return blocks_of(wake_word(), x)[0]


def shaken(folder: Path, duty: str = "") -> Plan:
    path = folder / "app.toml"
    path.write_text(SHAKEN.format(duty=duty))
    return plan_file(path)


def shakes(seconds: float) -> np.ndarray:
    """A board that lies still, with some noise, and is pushed along each axis in turn, every 0.4 s."""
    count = int(seconds * 100)
    x = np.random.default_rng(3).normal(0, 60, (count, 3))
    x[:, 2] += 16384
    for i, start in enumerate(range(60, count - 20, 40)):
        x[start : start + 15, i % 3] += 12_000 * (1 - i % 2 / 2)
    return x.astype(np.int16).reshape(-1, 1, 3)


class Told:
    def __init__(self, plan: Plan, board: Board, blocks: np.ndarray, *flags: str, compiler=None, icount: str = "", more=()):
        if not runnable(board):
            pytest.skip(f"needs {board.firmware.qemu[0]}")
        if not cross_compilers():
            pytest.skip("needs ziglang or arm-none-eabi-gcc")
        emulated = (f"-D{define}" for define in board.firmware.emulated)
        program = build_project(plan, board, compiler, more=(*WARNINGS, *emulated, *flags))
        self.reader = Reader()
        self.records = list(self.reader.push(run_board(board, program, blocks, icount, more)))

    def of(self, kind):
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def alerts(self) -> list[tuple]:
        return [(a.sample, a.label, a.score_count) for a in self.of(Alert)]

    @property
    def status(self) -> Status:
        return self.of(Status)[-1]


def events(plan: Plan, blocks: np.ndarray) -> list[tuple]:
    found = replay(plan, make_engine(plan), blocks.reshape(-1, *blocks.shape[2:])).events
    return [(e.sample, e.label, e.score_count) for e in found]


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_wake_word_gives_the_alerts_of_a_replay(name, compiler):
    told = Told(wake_word(), find_board(name), words(), compiler=compiler)
    hello, test = told.records[:2]
    assert isinstance(hello, Hello) and (hello.board, hello.app, hello.definition) == (name, "wake_word", wake_word().digest[:16])
    assert test == SelfTest(1, True)
    assert told.alerts == events(wake_word(), words()) and len(told.alerts) == 1
    assert not told.of(Alert)[0].torn and told.reader.broken == told.reader.missing == 0
    status = told.status
    assert (status.sample, status.blocks, status.late, status.lost) == (words().size, len(words()), 0, 0)
    # an interrupt for every byte at the most, and not a loop that asks over and over; it slept for a part of the time
    assert len(words()) <= status.wakes <= 1.1 * words().nbytes
    assert 0 < status.asleep < 1 and status.seconds > 0


@pytest.mark.parametrize("name", BOARDS)
def test_an_app_of_three_axes_gives_the_alerts_of_a_replay(name, tmp_path):
    plan = shaken(tmp_path)
    told = Told(plan, find_board(name), shakes(6))
    assert told.of(SelfTest) == [SelfTest(1, True)]
    assert told.alerts == events(plan, shakes(6)) and {label for _, label, _ in told.alerts} == {"x", "y", "z"}
    assert (told.status.blocks, told.status.late, told.status.lost) == (600, 0, 0)


@pytest.mark.parametrize("name", BOARDS)
def test_windows_of_duty_are_slept_between_and_the_timer_wakes(name, tmp_path):
    plan = shaken(tmp_path, DUTY)
    blocks = shakes(4)
    told = Told(plan, find_board(name), blocks)
    assert told.alerts == events(plan, blocks) and len(told.alerts) >= 2
    assert told.status.blocks == 100, "two windows of half a second each were heard"
    # two pauses of three seconds, by the board's own ticks, and not ten times as long; how fast samples come depends on this machine
    assert 6 <= told.status.seconds < 20
    assert told.status.asleep > 0.25


def test_a_sender_that_does_not_wait_makes_a_slow_core_say_what_it_has_lost():
    slow = ("-singlestep", "-d", "nochain")  # QEMU then takes ten times as long for an instruction as else, and as long for a byte
    told = Told(wake_word(), find_board("microbit"), words()[:40], "-DSERIAL_FREE", more=slow)
    status = told.status
    assert status.blocks + status.lost == 40, "every block was processed or counted"
    assert status.sample == 40 * words()[0].size, "time has gone on by the blocks that were lost"
    if not status.late + status.lost:
        pytest.skip("this host was so busy with other things that the sender was no faster than the core")
    last = told.of(Overrun)[-1]
    assert (last.late, last.lost) == (status.late, status.lost)


def test_a_micro_bit_keeps_up_with_an_accelerometer_and_not_with_the_wake_word(tmp_path):
    board = find_board("microbit")
    taken = {}
    for plan, blocks in ((wake_word(), words()[:3]), (shaken(tmp_path), shakes(0.1))):
        cycles = Told(plan, board, blocks, "-DTS_BENCH", icount=TRUE_M0).of(Cycles)
        assert [c.step for c in cycles] == [step.name for step in plan.steps]
        taken[plan.name] = sum(of_a_block(plan, c) for c in cycles)
    there_are = 0.010 * board.clock_hz
    print(f"cycles of a block of 10 ms, at one an instruction: {taken}, of {there_are:g}")
    assert taken["wake_word"] > there_are, "README.md says that it does not keep up"
    assert taken["shaken"] < 0.02 * there_are


def of_a_block(plan: Plan, step: Cycles) -> float:
    """A detector runs whenever a score comes, and seldom gives anything; what other steps take is counted by what they give."""
    if step.step_index == plan.detector:
        return step.cycles / step.blocks
    return step.cycles / step.fired * float(plan.steps[step.step_index].y.rate_hz / plan.x[0].rate_hz)


# --- what QEMU does not run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("flags", [(), ("-DSOURCE_SERIAL",)], ids=["sensor", "serial"])
def test_every_source_builds_for_the_chip(name, compiler, flags, tmp_path):
    board = find_board(name)
    for plan, optimise in ((wake_word(), "-Os"), (shaken(tmp_path), "-O3")):
        assert build_project(plan, board, compiler, optimise, more=(*WARNINGS, *flags)).stat().st_size


@pytest.mark.parametrize("name", BOARDS)
def test_a_chip_is_loaded_with_an_intel_hex_file_though_qemu_runs_it_too(name):
    assert flash_suffix(find_board(name)) == ".hex"


def test_a_range_that_the_accelerometer_does_not_have_is_refused(tmp_path):
    path = tmp_path / "app.toml"
    path.write_text(SHAKEN.format(duty="").replace("range_g = 2", "range_g = 16"))
    with pytest.raises(BuildError, match="the imu of 'microbit' does not measure up to 16 g"):
        write_project(plan_file(path), find_board("microbit"), tmp_path / "out")
