"""Does every emulated board boot, sleep, hear, and tell what went wrong?  Whole firmware in QEMU, against a replay of the same samples."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from command import APP, KITCHEN

from tinystream.app.definition import Duty
from tinystream.app.planning import plan_file
from tinystream.app.read import load
from tinystream.emit.compiler import WARNINGS
from tinystream.emit.emit import emit
from tinystream.firmware.board import Board, Feed, Firmware, Memory, boards
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.image import Image
from tinystream.firmware.project import build_project, write_project
from tinystream.firmware.run_board import run_board, runnable
from tinystream.io.recording import read_recording
from tinystream.io.records import Alert, Hello, Overrun, Reader, Record, SelfTest, Status
from tinystream.plan.plan import Plan
from tinystream.run.replay import blocks_of, make_engine, replay

ROOT = Path(__file__).parents[1]
BOARDS = [pytest.param(board, id=board.name) for board in boards() if board.name.startswith("qemu_")]
ENDS = BOARDS[:1] + BOARDS[-1:]
FAST, SLOW = "shift=5,sleep=off", "shift=9,sleep=off"  # see run_board: 31 and 2 million instructions a second, by no host's clock


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@cache
def plan() -> Plan:
    return plan_file(APP)


@cache
def samples() -> np.ndarray:
    """A word and the silence around it."""
    return blocks_of(plan(), read_recording(KITCHEN, rate_hz=16_000, channels=1).samples[4 * 16_000 : 7 * 16_000])[0]


def compiler(board: Board, name: str | None = None):
    """gcc, which is faster to compile with, unless another is asked for; the test is skipped where it cannot be built or run."""
    if not runnable(board):
        pytest.skip(f"needs {board.firmware.qemu[0]}")
    there = cross_compilers(board.riscv)
    if not there or name not in (None, *there):
        pytest.skip(f"no {name or ''} compiler for {board.core} here")
    return there[name] if name else there.get("gcc") or next(iter(there.values()))


def ran(board: Board, program: Path, blocks: np.ndarray, icount: str = FAST) -> list[Record]:
    reader = Reader()
    records = list(reader.push(run_board(board, program, blocks, icount)))
    assert reader.broken == reader.missing == 0
    return records


def of(records: list[Record], kind):
    return [record for record in records if isinstance(record, kind)]


def heard(records: list[Record]) -> list[tuple]:
    return [(a.sample, a.label, a.score_count) for a in of(records, Alert)]


@cache
def wanted() -> list[tuple]:
    return [(e.sample, e.label, e.score_count) for e in replay(plan(), make_engine(plan()), samples().reshape(-1)).events]


def program(board: Board) -> Path:
    return build_project(plan(), board, compiler(board), more=WARNINGS)


# --- what it does -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gcc", "zig"])
@pytest.mark.parametrize("board", BOARDS)
def test_it_boots_and_gives_the_alerts_of_a_replay(board, name):
    records = ran(board, build_project(plan(), board, compiler(board, name), more=WARNINGS), samples())
    (hello,), (status,) = of(records, Hello), of(records, Status)
    assert (hello.board, hello.clock_hz, hello.reset, hello.fault_address) == (board.name, board.clock_hz, "unknown", 0)
    assert hello.definition == plan().digest[:16]
    assert of(records, SelfTest) == [SelfTest(1, True)]
    assert heard(records) == wanted() and len(wanted()) == 1
    assert (status.blocks, status.sample, status.late, status.lost) == (len(samples()), samples().size, 0, 0)
    # asleep until a block is there: a loop that asks over and over wakes far more often, one that never sleeps not at all
    assert len(samples()) <= status.wakes <= len(samples()) + 200
    assert 0.4 < status.asleep < 0.97, "the core works for a part of the time, whichever way QEMU counts it"


@pytest.mark.parametrize("board", BOARDS)
def test_a_core_that_is_too_slow_says_what_it_has_lost(board):
    blocks = samples()[:150]
    records = ran(board, program(board), blocks, SLOW)
    (status,) = of(records, Status)
    assert status.late > 0 and status.lost > 0
    assert status.blocks + status.lost == len(blocks), "every block was processed or counted"
    assert status.sample == blocks.size, "time has gone on by the blocks that were lost"
    last = of(records, Overrun)[-1]
    assert (last.late, last.lost) == (status.late, status.lost)


@pytest.mark.parametrize("board", BOARDS)
def test_a_deep_sleep_may_be_longer_than_the_watchdog_waits(board):
    on_duty = load(APP).model_copy(update={"duty": Duty(on_s=1, every_s=11)}).plan(APP)
    records = ran(board, build_project(on_duty, board, compiler(board)), samples()[:120])
    assert len(of(records, Hello)) == 1, "the watchdog did not bite"
    (status,) = of(records, Status)
    assert status.blocks == 100, "the recording ends while the board sleeps"
    assert status.seconds > 11 and status.asleep > 0.9


def test_vector_instructions_give_the_same_bits(tmp_path):
    """gcc -O3 makes vectors of the loops over rows, which the form for cores without such instructions does not have."""
    board = next(b for b in boards() if b.name == "qemu_mps3_an547")
    with_compiler = compiler(board, "gcc")
    project = write_project(plan(), board, tmp_path)
    emit(plan(), tmp_path, "rows")
    elf = build_project(plan(), board, with_compiler, "-O3", project=project)
    if not shutil.which("arm-none-eabi-objdump"):
        pytest.skip("needs arm-none-eabi-objdump")
    listing = subprocess.run(["arm-none-eabi-objdump", "-d", str(elf)], capture_output=True, text=True, check=True).stdout
    assert len(re.findall(r"\tv\w+(?:\.\w+)?\s.*\bq[0-7]\b", listing)) > 10
    records = ran(board, elf, samples())
    assert of(records, SelfTest) == [SelfTest(1, True)] and heard(records) == wanted()


# --- what goes wrong ----------------------------------------------------------------------------------------------------

# each start trips over the next; which it is, is kept in RAM that no start clears
TRIPS = """
#define TRIPPED 0x7a5f0000u

__attribute__((section(".noinit"))) static volatile uint32_t tripped;

__attribute__((noinline)) static void hangs(void)
{
    for (;;) {
        __asm volatile("nop");
    }
}

__attribute__((noinline)) static void executes_nothing(void)
{
    __asm volatile(UNDEFINED);
}

__attribute__((noinline)) static void reads_nowhere(void)
{
    (void)*(volatile uint32_t *)0xe0200000u;
    __asm volatile("nop");
}

__attribute__((noinline)) static void overflows(void)
{
    volatile uint32_t much[64];
    much[0] = 0;
    overflows();
    much[1] = much[0];
}

static void trip(void)
{
    static void (*const trips[])(void) = { TRIPS };
    if ((tripped & 0xffff0000u) != TRIPPED) {
        tripped = TRIPPED;
    }
    const uint32_t which = tripped & 0xffffu;
    if (which < sizeof trips / sizeof trips[0]) {
        tripped++;
        trips[which]();
    }
}
"""


@pytest.mark.parametrize("board", BOARDS)
def test_what_hangs_or_faults_starts_again_and_tells_where_it_was(board, tmp_path):
    project = write_project(plan(), board, tmp_path)
    main = tmp_path / "main.c"
    before, listen, after = main.read_text().partition("\n/* The sensor on, from a fresh start")
    processed = "        node.processed++;\n"
    assert listen and after.count(processed) == 1
    trips = ["hangs", "executes_nothing", "reads_nowhere", *["overflows"] * board.riscv]  # QEMU has memory below the others' stacks
    defines = f'#define UNDEFINED "{"unimp" if board.riscv else "udf #0"}"\n#define TRIPS {", ".join(trips)}\n'
    trip = processed + "        trip();\n"
    main.write_text(f"{before}\n{defines}{TRIPS}{listen}{after.replace(processed, trip)}")
    elf = build_project(plan(), board, compiler(board), project=project)
    records = ran(board, elf, samples()[:20])
    hellos, image = of(records, Hello), Image(elf)
    assert [hello.reset for hello in hellos] == ["unknown", "watchdog", *["fault"] * (len(trips) - 1)]
    assert [image.function_at(hello.fault_address) for hello in hellos[1:]] == trips
    assert of(records, SelfTest) == [SelfTest(1, True)] * len(hellos)
    (status,) = of(records, Status)
    assert status.blocks == 20, "the last start has nothing to trip over, and hears all"


@pytest.mark.parametrize("board", ENDS)
def test_the_self_test_names_the_step_of_a_wrong_kernel(board, tmp_path):
    project = write_project(plan(), board, tmp_path)
    change(tmp_path / "ts_quantize.h", r"ts_rshift\(", "-ts_rshift(")
    records = ran(board, build_project(plan(), board, compiler(board), project=project), samples()[:1])
    (test,) = of(records, SelfTest)
    assert (test.passed, test.step) == (False, "quantize") and not of(records, Status), "it must not listen"


@pytest.mark.parametrize("board", ENDS)
def test_the_self_test_names_the_step_of_a_wrong_table(board, tmp_path):
    project = write_project(plan(), board, tmp_path)
    change(tmp_path / "wake_word_tables.c", r"(int8_t wake_word_conv_2d2_weight\[3072\] = \{\s*)-29", r"\g<1>100")
    (test,) = of(ran(board, build_project(plan(), board, compiler(board), project=project), samples()[:1]), SelfTest)
    assert (test.passed, test.step) == (False, "conv_2d2")


def change(path: Path, before: str, after) -> None:
    text, count = re.subn(before, after, path.read_text(), count=1)
    assert count, f"{path.name} holds no {before}"
    path.write_text(text)


# --- what is written of them --------------------------------------------------------------------------------------------


def page() -> str:
    return (ROOT / "docs/boards.md").read_text(encoding="utf-8")


def test_the_page_lists_every_board_that_can_be_built():
    listed = re.findall(r"^\| `(\w+)` \|", page().split("## Run it in QEMU")[0], re.M)
    assert sorted(listed) == sorted(board.name for board in boards() if not board.lacks)


def test_the_page_tells_every_key_of_a_board():
    for part in (Board, Memory, Feed, Firmware):
        for key in set(part.model_fields) - {"folder"}:
            assert f"`{key}`" in page() or f"`[{key}]`" in page() or f"`[{key}.source" in page(), key


def test_the_page_shows_how_a_board_is_run(monkeypatch, capsys):
    compiler(next(b for b in boards() if b.name == "qemu_mps3_an547"))
    monkeypatch.chdir(ROOT)
    exec(re.findall(r"```python\n(.*?)```", page(), re.S)[0], {})
    assert re.findall(r"^(\w+)\(", capsys.readouterr().out, re.M) == ["Hello", "SelfTest", *["Alert"] * 4, "Status"]
