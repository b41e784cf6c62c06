"""Does a node keep what it has learnt: over windows of duty, over a start, and not what its self-test heard?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bare import use_cache
from board_firmware import STRICT
from c_rules import broken, parse
from test_c_lint import CPPCHECK, HOST, REGISTERS, run, tidy, tool
from test_learnt import TOML, write

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import compilers
from tinystream.emit.host import native_source
from tinystream.firmware.board import find_board
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.project import board_defines, build_project, write_project
from tinystream.firmware.run_board import run_board
from tinystream.io.records import Learnt, Reader, SelfTest
from tinystream.plan.learnt import Refusal
from tinystream.plan.plan import Plan
from tinystream.run.duty import on_duty
from tinystream.run.engine import Engine

pytestmark = pytest.mark.skipif(not compilers(), reason="needs a C compiler")
DUTY = TOML.replace("[[stage]]", "[duty]\non_s = 0.4\nevery_s = 1\n[[stage]]")


@pytest.fixture(autouse=True)
def in_a_folder(monkeypatch, tmp_path, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)
    monkeypatch.chdir(tmp_path)


def heard(seed: int, seconds: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).normal(2000, 300, (50 * seconds, 2, 3)).astype(np.int16)


def ran(plan: Plan, blocks: np.ndarray) -> list[Learnt]:
    board = find_board("posix")
    records = list(Reader().push(run_board(board, build_project(plan, board, more=STRICT), blocks)))
    assert [r.passed for r in records if isinstance(r, SelfTest)] == [True]
    return [r for r in records if isinstance(r, Learnt)]


def crc(engine) -> str:
    return engine.learnt()[-4:].hex()


@pytest.mark.parametrize("text", [TOML, DUTY], ids=["always", "on duty"])
def test_a_node_learns_what_the_host_learns_and_goes_on_after_its_next_start(text, tmp_path):
    plan = plan_file(write(tmp_path, text))
    engine = on_duty(plan, Engine(plan))
    engine.push(heard(1))
    first = ran(plan, heard(1))
    assert [(r.what, r.why) for r in first] == [("saved", "")] and first[0].crc == crc(engine)
    assert Path("tilt.learnt").read_bytes() == engine.learnt()
    engine.reset()
    engine.push(heard(2))
    second = ran(plan, heard(2))
    assert [r.what for r in second] == ["restored", "saved"]
    assert [r.crc for r in second] == [first[0].crc, crc(engine)]


def test_what_is_stored_of_another_definition_is_refused_and_replaced(tmp_path):
    plan = plan_file(write(tmp_path))
    other = plan_file(write(tmp_path, TOML.replace("learn_s = 2", "learn_s = 3")))
    ran(other, heard(1))
    first, saved = ran(plan, heard(2))
    assert (first.what, first.why, saved.what) == ("refused", Refusal.DEFINITION.name.lower(), "saved")
    engine = Engine(plan)
    engine.push(heard(2))
    assert saved.crc == crc(engine)
    Path("tilt.learnt").write_bytes(Path("tilt.learnt").read_bytes()[:-9])
    assert [(r.what, r.why) for r in ran(plan, heard(2))] == [("refused", "size"), ("saved", "")]


def test_it_is_stored_ever_more_rarely(tmp_path):
    """After a status, then after twice as long each time: 64 minutes of blocks are stored seven times."""
    plan = plan_file(write(tmp_path))
    when = [r.sample for r in ran(plan, heard(3, 3900))]
    gaps = np.diff(when)
    assert len(when) < 10 and (gaps[1:-1] == 2 * gaps[:-2]).all()


@pytest.mark.parametrize("name", ["qemu_mps2_an386", "nrf52840_dk", "qemu_riscv32_virt"])
def test_boards_that_store_nothing_build_all_the_same(name, tmp_path):
    board = find_board(name)
    if not cross_compilers(board.riscv):
        pytest.skip("no compiler for the core")
    text = TOML.replace('axes = ["x", "y", "z"]\nrange_g = 4\n', "").replace('"imu"', '"microphone"')
    text = text.replace("rate_hz = 100", "rate_hz = 16000")
    plan = plan_file(write(tmp_path, text.replace("block_ms = 20", "block_ms = 1")))
    assert build_project(plan, board, more=STRICT).exists()


def test_firmware_of_apps_that_learn_nothing_says_nothing_of_it(tmp_path):
    plan = plan_file(write(tmp_path, TOML.partition("[[stage]]")[0] + '[[stage]]\nkind = "stack"\nframes = 2\n'))
    project = write_project(plan, find_board("posix"), tmp_path / "out")
    texts = {path.name: path.read_text() for path in project.files}
    assert "LEARN" not in texts["ts_app.h"] and "ts_learnt.h" not in texts
    assert ran(plan, heard(1)) == []


def test_linters_find_nothing_in_it(tmp_path):
    tool("clang-tidy"), tool("cppcheck")
    plan, board = plan_file(write(tmp_path)), find_board("posix")
    project = write_project(plan, board, tmp_path / "out")
    files = [path for path in project.sources if path.name in ("main.c", "self_test.c", "board.c")]
    run(tool("cppcheck"), *CPPCHECK, *board_defines(board), *files)
    tidy(files, "-std=c11", *board_defines(board), more=(REGISTERS,))
    (tmp_path / "native.c").write_text(native_source(plan), encoding="utf-8")
    tidy([tmp_path / "native.c"], "-std=c11", f"-I{tmp_path / 'out'}", more=(HOST,))
    (tmp_path / "headers").mkdir()
    found = broken(parse(tmp_path / "out/tilt.c", compilers()[0], tmp_path / "headers"))
    assert not found, "\n".join(found)
