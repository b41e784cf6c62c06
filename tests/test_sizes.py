"""Does firmware take of a board what was told before it was compiled?"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from bare import use_cache
from command import APP, tinystream

from tinystream import App, Imu, Microphone
from tinystream.app.planning import plan_file
from tinystream.emit.compiler import Compiler
from tinystream.errors import BuildError
from tinystream.firmware.board import Board, find_board
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.project import build_image
from tinystream.firmware.sizes import app_variables, compiled, estimated, estimated_code, exactly, found_ram, found_tables, need, unlike
from tinystream.firmware.stack import firmware_stack
from tinystream.ops import conv_2d, fully_connected
from tinystream.plan.plan import Plan, plan_stage, plan_steps
from tinystream.stages import Biquad, Gate, Mfcc, Quantize

pytest.importorskip("elftools")

WITHIN = 0.10  # of the code: what we promise
BOARDS = ("microbit", "qemu_mps2_an385", "qemu_mps2_an386", "nrf52840_dk", "raspberry_pi_pico")
COMPILERS = [pytest.param(c, id=c.name) for c in cross_compilers().values()]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@cache
def app(name: str) -> Plan:
    if name == "wake_word":
        return plan_file(APP)
    if name == "hum":  # kinds that the wake word does not have
        stages = [Mfcc(bands=20, low_hz=100, high_hz=3_500, coefficients=10), Quantize(scale=0.5, zero=0)]
        return App(name="hum", source=Microphone(rate_hz=16_000, block_ms=10), stages=stages).plan()
    stages = [Biquad(type="highpass", cutoff_hz=10, order=2), Gate(open_db=-30)]
    return App(name="shake", source=Imu(rate_hz=100, axes=["x", "y", "z"], range_g=4, block_ms=320), stages=stages).plan()


def as_compiled(plan: Plan, compiler) -> range:
    """Bytes of RAM: to the byte with gcc; clang makes one byte of an int32 that only ever holds two values."""
    flags = sum(not hasattr(value, "nbytes") for step in plan.steps for value in step.state.values())
    return range(plan.ram_bytes - (3 * flags if compiler.name == "zig" else 0), plan.ram_bytes + 1)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", BOARDS)
def test_memory_is_what_was_told_before(name, compiler):
    plan, board = app("wake_word"), find_board(name)
    image, told, guess = build_image(plan, board, compiler), exactly(plan, board), estimated(plan, board, compiler.name)
    assert told.app == plan.ram_bytes and found_ram(image, plan) in as_compiled(plan, compiler)
    assert found_tables(image, plan) == told.tables == plan.table_bytes
    assert {name.split(".")[0] for name, _ in image.objects} >= app_variables(plan), "each variable has a symbol, and so was counted"
    code = image.sizes.flash - told.tables - told.samples
    assert abs(guess.code / code - 1) < WITHIN, f"{guess.code} B of code told, {code} B in the program"
    assert abs(image.sizes.variables + image.sizes.stack - guess.ram) <= 64, "drivers as another compiler's version lays them out"
    assert firmware_stack(image) <= told.stack


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["hum", "shake"])
def test_so_it_is_with_other_apps(name, compiler):
    plan, board = app(name), find_board("qemu_mps2_an386")
    image, told = build_image(plan, board, compiler, "-Os"), compiled(plan, board, compiler, "-Os")
    assert found_ram(image, plan) in as_compiled(plan, compiler) and found_tables(image, plan) == told.tables
    assert told.flash == image.sizes.flash
    assert 0 <= told.ram - image.sizes.variables - image.sizes.stack <= plan.ram_bytes - found_ram(image, plan)


APPS = Path(__file__).parents[1] / "apps"
WITH = {  # a board that has the sensor and the memory
    "bearing_monitor": "qemu_mps2_an386", "exercise": "qemu_mps2_an386", "fan_monitor": "nrf52840_dk", "pump_sound": "raspberry_pi_pico",
    "sound_events": "nrf52840_dk",
}  # fmt: skip


@pytest.mark.parametrize("optimise", ["-O2", "-Os"])
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("name", "where"), WITH.items())
def test_the_code_of_apps_is_told_from_the_plan(name, where, compiler, optimise):
    """What was measured for the estimate are examples of the kinds, and none of these."""
    plan, board = plan_file(APPS / name), find_board(where)
    told, found = (each(plan, board, compiler=compiler, optimise=optimise) for each in (told_from_the_plan, as_built))
    print(f"{name} on {where}: {told} B told, {found} B in the program, {100 * (told / found - 1):+.1f} %")
    assert abs(told / found - 1) < WITHIN


@pytest.mark.parametrize("where", ["qemu_mps3_an547", "qemu_riscv32_virt"])
def test_so_it_is_on_other_instruction_sets(where):
    board = find_board(where)
    for compiler in cross_compilers(board.riscv).values():
        for name in ("wake_word", "pump_sound"):
            plan = plan_file(APPS / name)
            told, found = (each(plan, board, compiler=compiler, optimise="-O2") for each in (told_from_the_plan, as_built))
            assert abs(told / found - 1) < WITHIN, (compiler.name, name)


def told_from_the_plan(plan: Plan, board: Board, compiler: Compiler, optimise: str) -> int:
    return estimated(plan, board, compiler.name, optimise).code


def as_built(plan: Plan, board: Board, compiler: Compiler, optimise: str) -> int:
    return compiled(plan, board, compiler, optimise).code


def test_a_function_that_two_kinds_call_counts_once():
    """Both kernels call ts_eight_one and ts_four_one, and what these call."""
    one, other = (plan_stage("model", *example) for example in (conv_2d.EXAMPLES[3], fully_connected.EXAMPLES[0]))
    steps = [*one.steps, replace(other.steps[0], sources=(-2,))]
    both = plan_steps("model", (*one.x, *other.x), steps, outputs=(0, 1))
    apart = [estimated_code(plan, "cortex-m4") for plan in (one, other)]
    assert max(apart) < estimated_code(both, "cortex-m4") < sum(apart) - 1500


def test_of_a_kind_that_occurs_once_the_example_is_taken_that_is_most_like_it():
    told = dict(type=-2, size=40, outputs=12, x_zero=3)
    assert unlike(told, told) == 0
    assert unlike(told, told | dict(size=41, x_zero=-128)) < unlike(told, told | dict(size=1)) < unlike(told, told | dict(type=-4))
    assert unlike(told, told | dict(outputs=20)) < unlike(told, told | dict(outputs=16)) < unlike(told, told | dict(outputs=3))
    assert unlike(told, told | dict(bias=0)) == unlike(told | dict(bias=0), told) > 0


def test_each_call_more_adds_as_much_as_the_calls_before():
    stage, x = fully_connected.EXAMPLES[0]
    step = stage.plan(x)
    sizes = []
    for count in (3, 12, 13, 40):
        steps = [replace(step, name=f"step{i}", sources=(-1,)) for i in range(count)]
        plan = plan_steps("model", (x,), steps, outputs=tuple(range(count)))
        sizes.append(estimated_code(plan, "cortex-m0", "gcc", "-Os"))
    each = sizes[2] - sizes[1]
    assert 30 < each < 120 and sizes[3] - sizes[2] == 27 * each and abs(sizes[1] - sizes[0] - 9 * each) < 9 * 22


def with_budget(folder: Path, **limits: float) -> Path:
    shutil.copytree(APP, folder)
    text = (folder / "app.toml").read_text()
    for key, value in limits.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"{key} ")]
        text = text.replace(line, f"{key} = {value}")
    (folder / "app.toml").write_text(text)
    return folder


@pytest.mark.parametrize("verb", ["show", "build"])
@pytest.mark.parametrize(("key", "what"), [("ram_kb", "RAM"), ("flash_kb", "flash")])
def test_a_budget_holds_for_the_whole_firmware(tmp_path, monkeypatch, verb, key, what):
    tight = with_budget(tmp_path / "tight", **{key: 6 if key == "ram_kb" else 37})
    assert tinystream("show", tight).code == 0, "the app alone keeps it"
    monkeypatch.setattr("tinystream.firmware.sizes.cross_compilers", lambda riscv: {})
    monkeypatch.setattr(Compiler, "build", refused)
    done = tinystream(verb, tight, "--board", "nrf52840_dk", *(("--out", tmp_path / "out") if verb == "build" else ()))
    assert done.code == 1 and f"kB of {what} on nrf52840_dk, budget" in done.err and "app.toml:" in done.err
    assert not (tmp_path / "out").exists()


def refused(compiler, *_):
    raise AssertionError(f"{compiler.name} was called for what does not fit")


def test_code_that_is_too_much_is_told_when_it_is_known(tmp_path):
    tight = with_budget(tmp_path / "tight", flash_kb=45)
    done = tinystream("build", tight, "--board", "nrf52840_dk", "--out", tmp_path / "out")
    assert done.code == 1 and "kB of flash on nrf52840_dk, budget 45 kB" in done.err and "code " in done.err


def test_without_a_compiler_code_is_estimated_and_said_to_be(monkeypatch):
    monkeypatch.setattr("tinystream.firmware.sizes.cross_compilers", lambda riscv: {})
    done = tinystream("show", APP, "--board", "nrf52840_dk")
    assert done.code == 0 and "code, about " in done.out and "code is estimated" in done.out


def test_a_board_that_is_too_small_is_told(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    text = (find_board("nrf52840_dk").folder / "board.toml").read_text()
    (folder / "board.toml").write_text(text.replace("nrf52840_dk", "small").replace("262_144", "8_192"))
    done = tinystream("show", APP, "--board", folder)
    assert done.code == 1 and "kB of RAM, and small has 8.2 kB" in done.err and "stack 4096 B" in done.err


@pytest.mark.parametrize("compiler", COMPILERS)
def test_what_only_the_linker_sees_is_told_as_what_does_not_fit(compiler):
    """What the app alone needs would fit; with the board's own variables it does not."""
    plan, board = plan_file(APPS / "sound_events"), find_board("microbit")
    assert board.memory and exactly(plan, board).ram < board.memory.ram_bytes
    with pytest.raises(BuildError) as refused:
        compiled(plan, board, compiler)
    assert re.fullmatch(r"needs 16\.[5-9] kB of RAM, and microbit has 16\.4 kB", refused.value.what)
    assert refused.value.help and "bug" not in refused.value.help


def test_show_tells_it_for_programs_too():
    told = json.loads(tinystream("show", APP, "--board", "nrf52840_dk", "--json").out)
    needs = told["needs"]
    assert told["board"] == "nrf52840_dk" and needs["app"] == told["ram_bytes"] and needs["tables"] == told["table_bytes"]
    assert needs["ram"] == sum(needs[part] for part in ("app", "buffers", "digests", "loop", "stack"))
    assert needs["flash"] == sum(needs[part] for part in ("tables", "samples", "code"))


def test_a_process_has_no_memory_of_its_own():
    with pytest.raises(BuildError, match="'posix' is not a board with memory of its own"):
        need(app("wake_word"), find_board("posix"))
