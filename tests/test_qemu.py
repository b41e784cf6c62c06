"""Does the core in QEMU do as it is told, and does whatever goes wrong there end in an error?"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from bare import need_qemu, use_cache
from examples import blocks, example

from tinystream.emit.compiler import WARNINGS
from tinystream.emit.templates import templates
from tinystream.errors import BuildError, FirmwareError
from tinystream.firmware import cross, qemu
from tinystream.firmware import image as image_module
from tinystream.firmware.core import CORES, find_core
from tinystream.firmware.cross import cross_compiler, cross_compilers, flags
from tinystream.firmware.emulated import Emulated
from tinystream.firmware.image import Image
from tinystream.firmware.qemu import Qemu, emulator_version
from tinystream.plan.plan import Plan, plan_stage
from tinystream.run.engine import Engine

pytest.importorskip("elftools")

BOARDS = ["cortex-m55", "rv32imac"]
FUNCTIONS = """
#include <stdint.h>

uint32_t weigh(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f, uint32_t g, uint32_t h);
void hang(void);
void stumble(void);
int32_t counted(void);

static int32_t count = 41;

uint32_t weigh(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f, uint32_t g, uint32_t h)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}

void hang(void)
{
    for (volatile int i = 0;; i++) {
    }
}

void stumble(void)
{
    __builtin_trap();
}

int32_t counted(void)
{
    return ++count;
}
"""


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


@pytest.fixture(params=BOARDS)
def machine(request, tmp_path) -> Qemu:
    return started(request.param, tmp_path)


def started(core: str, folder: Path, compiler: str | None = None) -> Qemu:
    """The functions above on a core; built without a warning."""
    need_qemu(core)
    found = find_core(core)
    with_compiler = cross_compiler(compiler, found.riscv)
    (folder / "functions.c").write_text(FUNCTIONS)
    board = templates() / "emulated/qemu"
    sources = [board / ("riscv.S" if found.riscv else "cortex_m.S"), board / "serve.c", folder / "functions.c"]
    keep = [f"-Wl,-u,{name}" for name in ("weigh", "hang", "stumble", "counted")]
    return Qemu(Image(with_compiler.build(sources, folder / f"{core}.elf", *flags(with_compiler, found), "-O2", *WARNINGS, *keep)), found)


@pytest.mark.parametrize("compiler", cross.COMMANDS)
@pytest.mark.parametrize("core", BOARDS)
def test_calls_pass_every_argument_and_variables_have_their_start_values(core, compiler, tmp_path):
    if compiler not in cross_compilers(find_core(core).riscv):
        pytest.skip(f"needs {(cross.RISCV_INSTALL if find_core(core).riscv else cross.INSTALL)[compiler]}")
    machine = started(core, tmp_path, compiler)
    a = [1, 20, 300, 4000, 50_000, 600_000, 7_000_000, 80_000_000]
    assert machine.call("weigh", *a) == sum(n * v for n, v in enumerate(a, 1))
    assert [machine.call("counted") for _ in range(3)] == [42, 43, 44]


@pytest.mark.parametrize("size", [0, 1, 4097, 3_000_001])
def test_memory_comes_back_as_it_was_written(machine, size):
    address = machine.exchange(size + 8)
    x = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    machine.write(address, np.full(size + 8, 7, np.uint8))
    machine.write(address + 3, x)
    np.testing.assert_array_equal(machine.read(address + 3, np.uint8, size), x)
    assert machine.read(address, np.uint8, 3).tolist() == [7] * 3 and machine.read(address + 3 + size, np.uint8, 5).tolist() == [7] * 5


def test_more_memory_than_the_board_has_is_refused(machine):
    with pytest.raises(AssertionError, match="push fewer blocks"):
        machine.exchange(1 << 28)


def test_a_core_that_stumbles_is_an_error(machine):
    with pytest.raises(FirmwareError, match=rf"the {machine.core.name} of QEMU stopped \(exit code 1\) in {machine.core.name}.elf"):
        machine.call("stumble")


def test_a_core_that_hangs_is_an_error(machine, monkeypatch):
    monkeypatch.setattr(qemu, "LIMIT_S", 1)
    with pytest.raises(FirmwareError, match=f"the {machine.core.name} of QEMU gave no answer for 1 s"):
        machine.call("hang")


def test_a_core_that_hangs_is_an_error_though_it_is_told_much(machine, monkeypatch):
    """More than a pipe holds: writing waits as well as reading."""
    monkeypatch.setattr(qemu, "LIMIT_S", 1)
    machine._ask(0, qemu.CALL, machine.image.symbols["hang"], *[0] * 8)
    with pytest.raises(FirmwareError, match="gave no answer for 1 s"):
        machine.write(machine.exchange(1 << 20), np.zeros(1 << 20, np.uint8))


@pytest.mark.parametrize("core", BOARDS)
def test_qemu_ends_with_its_machine(core, tmp_path):
    machine = started(core, tmp_path)
    process = machine._process
    assert process.poll() is None
    del machine
    assert process.poll() is not None


# --- the vector unit of a Cortex-M55 --------------------------------------------------------------------------


def convolution() -> tuple[Plan, list[np.ndarray]]:
    stage, signals = example("tinystream.ops.conv_2d", 0)
    return plan_stage("conv", stage, *signals), blocks("tinystream.ops.conv_2d", signals, count=3)


@pytest.mark.parametrize(("core", "vectors"), [("cortex-m55", True), ("cortex-m55+nomve", False)])
def test_zig_makes_vector_instructions_and_they_run(core, vectors, tmp_path, monkeypatch):
    """Where the start-up does not turn the unit on, the core stumbles over the first of them: so there is one, and it is reached."""
    need_qemu(core)
    plan, x = convolution()
    engine = lambda: Emulated(plan, core, cross_compiler("zig"), "-O3")  # noqa: E731
    wanted = Engine(plan).push(*x)[0].y
    np.testing.assert_array_equal(engine().push(*x)[0].y, wanted)
    shutil.copytree(templates(), tmp_path / "templates")
    start = tmp_path / "templates/emulated/qemu/cortex_m.S"
    text = start.read_text()
    assert "#0x00f00000" in text
    start.write_text(text.replace("#0x00f00000", "#0"))
    monkeypatch.setattr(image_module, "templates", lambda: tmp_path / "templates")
    if vectors:
        with pytest.raises(FirmwareError, match=f"the {core} of QEMU stopped"):
            engine().push(*x)
    else:
        np.testing.assert_array_equal(engine().push(*x)[0].y, wanted)


# --- what is missing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", [name for name, core in CORES.items() if core.qemu])
def test_without_qemu_it_is_told_what_to_install(core, monkeypatch):
    monkeypatch.setattr(qemu.shutil, "which", lambda program: None)
    emulator_version.cache_clear()
    try:
        with pytest.raises(BuildError, match=f"{core.replace('+', '.')} runs in qemu-system-(arm|riscv32), which is not here") as caught:
            emulator_version(find_core(core))
    finally:
        emulator_version.cache_clear()
    assert caught.value.help.startswith("apt install qemu-system-")
