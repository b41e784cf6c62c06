"""Do clang-tidy and cppcheck find nothing in the C that is generated?  Kernels, apps and what firmware and harnesses are made of.

One example of each stage, operator and detector is looked at for each set of kernels and form.
firmware_templates/.clang-tidy says which checks are on, and why the others are not.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from examples import MODULES, example

from tinystream.app.planning import plan_file
from tinystream.emit.emit import emit
from tinystream.emit.host import native_source, write_stream
from tinystream.emit.templates import templates
from tinystream.firmware.board import boards
from tinystream.firmware.core import find_core
from tinystream.firmware.image import write_sources
from tinystream.firmware.project import board_defines, write_project
from tinystream.plan.plan import Plan, plan_stage
from tinystream.plan.step import Form

APP = Path(__file__).parents[1] / "apps/wake_word"
HOST = "--checks=-bugprone-implicit-widening-of-multiplication-result,-bugprone-misplaced-widening-cast"
"""Off where offsets have 64 bits: sizes of kernels fit an int32_t, and they are looked at with 32 bits."""

FLAGS = ("-std=c11", "--target=thumb-freestanding-eabi", "-mcpu=cortex-m4", f"-I{templates() / 'emulated'}")
CPPCHECK = (
    "--enable=warning,style,performance,portability", "--inconclusive", "--std=c11", "--platform=unix32", "--quiet", "--error-exitcode=1",
    "--inline-suppr",
    "--suppress=unusedStructMember",        # the bytes before a buffer of the arena; a struct of k that a form does not read
    "--suppress=shiftTooManyBitsSigned",    # x >> 31 is the sign of x, and ts_fixed.h asserts it
    "--suppress=shiftNegativeLHS",          # the assertion itself
    "--suppress=comparePointers:*start.c",  # where a section begins and ends are two symbols of the linker
    "--suppress=missingIncludeSystem",
)  # fmt: skip


def tool(name: str) -> str:
    """The path of a linter, or the test is skipped."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: " + {"clang-tidy": "pip install clang-tidy", "cppcheck": "apt install cppcheck"}[name])
    return found


def run(*command: str | Path) -> None:
    """A linter; what it finds is the failure's text."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    found = [line for line in (done.stdout + done.stderr).splitlines() if not line.endswith((" generated.", "in non-user code)"))]
    if done.returncode:
        pytest.fail("\n".join(found), pytrace=False)


def tidy(files: list[Path], *flags: str, more: tuple[str, ...] = ()) -> None:
    run(tool("clang-tidy"), "--quiet", f"--config-file={templates() / '.clang-tidy'}", *more, *files, "--", *flags)


def check(*files: Path) -> None:
    run(tool("cppcheck"), *CPPCHECK, *files)


def write(plan: Plan, folder: Path, form: Form) -> Path:
    """The firmware of a plan as one file, so that the analyzer sees main() call it with arrays of their size; gives that file."""
    folder.mkdir()
    write_sources(plan, folder, "plain", find_core("cortex-m4"))
    emit(plan, folder, form)
    whole = folder / "whole.c"
    whole.write_text('#include "ts_app.c"\n#include "ts_main.c"\n', encoding="utf-8")
    return whole


def written(module: str, folder: Path) -> list[Path]:
    """The firmware of each example of a module, in each form there is."""
    forms: tuple[Form, ...] = ("groups", "rows") if hasattr(import_module(module), "IN_GROUPS") else ("groups",)
    plans = [plan_stage("example", *flat(module, i)) for i in range(len(import_module(module).EXAMPLES))]
    return [write(plan, folder / f"{form}-{i}", form) for i, plan in enumerate(plans) for form in forms]


def flat(module: str, i: int) -> tuple:
    stage, signals = example(module, i)
    return stage, *signals


def first_of_each(files: list[Path]) -> list[Path]:
    """One file of each form and set of kernels."""
    kernels = {(path.parent.name.partition("-")[0], *sorted(h.name for h in path.parent.glob("ts_*.h"))): path for path in reversed(files)}
    return list(kernels.values())


@pytest.mark.parametrize("module", MODULES, ids=[m.rpartition(".")[2] for m in MODULES])
def test_clang_tidy_finds_nothing_in_a_kernel(module, tmp_path):
    tool("clang-tidy")
    tidy(first_of_each(written(module, tmp_path)), *FLAGS)


@pytest.mark.parametrize("room", ["stages", "ops", "detectors"])
def test_cppcheck_finds_nothing_in_the_kernels_of_a_room(room, tmp_path):
    tool("cppcheck")
    modules = [m for m in MODULES if m.split(".")[1] == room]
    for module in modules:
        (tmp_path / module).mkdir()
    files = [path for module in modules for path in first_of_each(written(module, tmp_path / module))]
    check(*(path.with_name("example.c") for path in files))


# --- an app, and what it is built with ------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["groups", "rows"])
def test_clang_tidy_finds_nothing_in_an_app(form, tmp_path):
    plan = plan_file(APP)
    tidy([write(plan, tmp_path / form, form), tmp_path / form / f"{plan.name}_tables.c"], *FLAGS)


def test_clang_tidy_finds_nothing_in_what_firmware_and_harnesses_are_made_of(tmp_path):
    plan = plan_file(APP)
    tidy([templates() / "emulated/start.c"], *FLAGS)
    write_stream(plan, tmp_path, "rows")
    (tmp_path / "native.c").write_text(native_source(plan), encoding="utf-8")
    tidy([tmp_path / "ts_stream.c", tmp_path / "native.c", templates() / "host/counter.c"], "-std=c11", f"-I{tmp_path}", more=(HOST,))


def test_cppcheck_finds_nothing_in_an_app_and_what_it_is_built_with(tmp_path):
    plan = plan_file(APP)
    write(plan, tmp_path / "app", "groups")
    check(
        tmp_path / "app" / f"{plan.name}.c",
        tmp_path / "app" / "ts_main.c",
        templates() / "emulated/start.c",
        templates() / "host/counter.c",
    )
    (tmp_path / "host").mkdir()
    write_stream(plan, tmp_path / "host", "rows")
    (tmp_path / "host/native.c").write_text(native_source(plan), encoding="utf-8")
    check(tmp_path / "host/ts_stream.c", tmp_path / "host/native.c")


# --- firmware of boards ---------------------------------------------------------------------------------------

BOARDS = {(board.folder / board.firmware.files[0]).resolve(): board for board in reversed(boards()) if not board.lacks}
"""One for each board.c."""

REGISTERS = "--checks=" + ",".join(
    (
        "-performance-no-int-to-ptr",  # a register is an address
        "-bugprone-branch-clone",  # of two choices that differ in another app
        "-concurrency-mt-unsafe",  # exit(), in a process of one thread
        "-readability-redundant-declaration",  # of ticks, where a core counts cycles by them
        "-bugprone-implicit-widening-of-multiplication-result",
        "-bugprone-misplaced-widening-cast",  # both: see HOST
    )
)


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
def test_linters_find_nothing_in_a_boards_firmware(board, tmp_path):
    tool("clang-tidy"), tool("cppcheck")
    project = write_project(plan_file(APP), board, tmp_path)
    common = ("main.c", "self_test.c", "start.c") if board.name.startswith("qemu_mps2") else ()
    files = [path for path in project.sources if path.name in ("board.c", *common)]
    defines = board_defines(board)
    run(tool("cppcheck"), *CPPCHECK, "--suppress=badBitmaskCheck", *defines, *files)  # a field of a register may be 0
    if not board.riscv:  # whose assembler clang-tidy's target does not know
        tidy(files, *(FLAGS if board.core != "host" else ("-std=c11",)), *defines, more=(REGISTERS,))


# --- would they find anything? --------------------------------------------------------------------------------

WRONG = {
    "clang-tidy": {
        "misc-": "int f(int x);\nint f(int x)\n{\n    return x == x ? 1 : 2;\n}\n",
        "bugprone-": "#include <stdint.h>\nint64_t f(int32_t x);\nint64_t f(int32_t x)\n{\n    return x * 3;\n}\n",
        "clang-analyzer-": "int f(int x);\nint f(int x)\n{\n    const int y[2] = { 0, 1 };\n    return x == 2 ? y[x] : 0;\n}\n",
        "readability-": "int F(int x);\nint F(int x)\n{\n    return x;\n}\n",
    },
    "cppcheck": {
        "unreadVariable": "int f(int x)\n{\n    int y = x;\n    y = 2;\n    return x;\n}\n",
        "arrayIndexOutOfBounds": "int f(void)\n{\n    int y[2] = { 0, 1 };\n    return y[2];\n}\n",
    },
}


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for name, rules in WRONG.items() for rule in rules])
def test_each_of_them_finds_what_is_wrong(name, rule, tmp_path):
    tool(name)
    (tmp_path / "wrong.c").write_text(WRONG[name][rule], encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match=rule):
        tidy([tmp_path / "wrong.c"], *FLAGS) if name == "clang-tidy" else check(tmp_path / "wrong.c")
