"""Is the emulator right?  Instructions and stack against programs counted by hand, against capstone and against QEMU."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from bare import machine, use_cache
from examples import example

from tinystream.emit.compiler import WARNINGS, compilers
from tinystream.emit.templates import templates
from tinystream.errors import BuildError, FirmwareError
from tinystream.firmware import cross
from tinystream.firmware.core import COUNTED, find_core
from tinystream.firmware.counter import is_first_of_two
from tinystream.firmware.cross import cross_compiler, cross_compilers, flags
from tinystream.firmware.image import Image, Sizes, build_image, write_sources
from tinystream.firmware.listing import listing
from tinystream.firmware.machine import Machine
from tinystream.firmware.measure import measure
from tinystream.plan.plan import plan_stage

pytest.importorskip("unicorn")
pytest.importorskip("elftools")
capstone = pytest.importorskip("capstone")

V7 = ["cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


def counted(m: Machine, function: str, *arguments: int) -> tuple[int, int]:
    """(r0, instructions) of a call."""
    m.counter.reset()
    return m.call(function, *arguments), m.counter.total()


LOOP = """
loop:                       @ 2 n + 1
1:  subs    r0, #1
    bne     1b
    bx      lr

calls:                      @ 2 + n (3 + 5) + 1
    push    {r4, lr}
    movs    r4, r0
1:  bl      leaf
    subs    r4, #1
    bne     1b
    pop     {r4, pc}
leaf:
    push    {r0, lr}
    movs    r0, #0
    nop
    nop
    pop     {r0, pc}

line:                       @ 3001, longer than any block that the emulator translates, over several pages
    .rept   3000
    adds    r0, #1
    .endr
    bx      lr
"""


@pytest.mark.parametrize("core", COUNTED)
def test_a_loop_counted_by_hand(core, tmp_path):
    m = machine(LOOP, ["loop", "calls", "line"], core, cross_compiler(), tmp_path)
    for n in (1, 2, 7, 1_000_000):
        assert counted(m, "loop", n) == (0, 2 * n + 1)
        assert counted(m, "calls", n)[1] == 2 + n * (3 + 5) + 1
    assert counted(m, "line", 5) == (3005, 3001)
    assert counted(m, "loop", 3)[1] == 7, "what ran before does not matter"


WIDE = """
wide:                       @ 3001 of 32 bits, so that one lies across each border of a page
    nop
    .rept   2999
    add.w   r0, r0, #1
    .endr
    bx      lr

either:                     @ 1 + 6 n + 2, of which one of the two add counts though its condition is false
    movs    r1, #0
1:  lsls    r2, r0, #31
    ite     eq
    addeq   r1, #1          @ n is even
    addne   r1, #100        @ n is odd
    subs    r0, #1
    bne     1b
    mov     r0, r1
    bx      lr

leaves:                     @ 4 n + 4 - 2 for the last round, that ends in the middle
1:  cmp     r0, #1
    it      eq
    bxeq    lr
    subs    r0, #1
    it      ne
    bne     1b
    bx      lr

table:                      @ 1 + 1 + 1, or one more where it falls through
    tbb     [pc, r0]
    .byte   2, 3, 4, 0
2:  nop
3:  nop
4:  bx      lr

divide:                     @ 3
    udiv    r0, r0, r1
    clz     r0, r0
    bx      lr
"""


@pytest.mark.parametrize("core", V7)
def test_conditional_instructions_tables_and_wide_ones_counted_by_hand(core, tmp_path):
    m = machine(WIDE, ["wide", "either", "leaves", "table", "divide"], core, cross_compiler(), tmp_path)
    assert counted(m, "wide", 0) == (2999, 3001)
    for n in (1, 2, 9, 1000):
        assert counted(m, "either", n) == (n // 2 + (n + 1) // 2 * 100, 1 + 6 * n + 2)
        assert counted(m, "leaves", n)[1] == 6 * (n - 1) + 3
    assert [counted(m, "table", i)[1] for i in (0, 1, 2)] == [4, 3, 2]
    assert counted(m, "divide", 80, 5) == (27, 3)


STACK = """
deep:                       @ 20 + 1000 bytes, of which it uses the first and the lowest
    push    {r4-r7, lr}
    sub     sp, #500
    sub     sp, #500
    movs    r1, #1
    str     r1, [sp]
    add     sp, #500
    add     sp, #500
    pop     {r4-r7, pc}

again:                      @ 8 bytes a level
    push    {r4, lr}
    movs    r4, r0
    subs    r0, #1
    beq     1f
    bl      again
1:  pop     {r4, pc}

fifth:                      @ the fifth argument
    ldr     r0, [sp]
    bx      lr

store:
    movs    r1, #1
    str     r1, [r0]
    bx      lr

load:
    ldr     r0, [r0]
    bx      lr

pairs:                      @ halfwords of two registers multiplied at once: the DSP extension
    smuad   r0, r0, r1
    bx      lr
"""
HAND = ["deep", "again", "fifth", "store", "load", "pairs"]


@pytest.mark.parametrize("core", COUNTED)
def test_the_stack_is_measured_to_the_byte(core, tmp_path):
    m = machine(STACK, HAND, core, cross_compiler(), tmp_path)
    m.paint_stack()
    idle = m.stack_bytes()
    assert 0 <= idle <= 16, "main's own"
    m.call("deep")
    assert m.stack_bytes() - idle == 1020
    m.paint_stack()
    assert m.stack_bytes() == idle
    m.call("again", 100)
    assert m.stack_bytes() - idle == 800
    assert m.call("fifth", 1, 2, 3, 4, 55, 66) == 55


def test_what_a_core_cannot_do_stops_it(tmp_path):
    def stops(core, function, *arguments):
        m = machine(STACK, HAND, core, cross_compiler(), tmp_path)
        with pytest.raises(FirmwareError, match=rf"emulated {core} stopped in {function} \(0x"):
            m.call(function, *arguments)

    stops("cortex-m4", "again", 0)      # 2^32 levels: more than there is stack
    stops("cortex-m4", "store", 0)      # flash
    stops("cortex-m4", "load", 0x1000_0000)
    stops("cortex-m0", "pairs", 1, 1)
    stops("cortex-m0plus", "pairs", 1, 1)
    stops("cortex-m0", "load", 1)       # not aligned, which the larger cores allow
    m = machine(STACK, HAND, "cortex-m4", cross_compiler(), tmp_path)
    assert m.call("pairs", 0x0003_0005, 0x0007_FFFF) == 3 * 7 - 5
    assert m.call("load", 1) == int.from_bytes(m.read(1, np.uint8, 4).tobytes(), "little")


# --- compiled code --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["gcc", "zig"])
def image(request, tmp_path_factory) -> Image:
    """A convolution with all its kernel needs, by each compiler that is here."""
    if request.param not in cross_compilers():
        pytest.skip(f"needs {cross.INSTALL[request.param]}")
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        return build_image(convolution(), find_core("cortex-m4"), cross_compiler(request.param))


def convolution():
    stage, x = example("tinystream.ops.conv_2d", 0)
    return plan_stage("conv", stage, *x)


def pushed(image: Image, times: int = 1) -> Machine:
    m = Machine(image, find_core("cortex-m4"))
    m.counter.reset()
    for _ in range(times):
        m.call("conv_push", image.symbols["x"], image.symbols["event"])
    return m


def test_every_instruction_is_as_long_as_capstone_says(image):
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    executed = pushed(image).counter.by_address()
    assert len(executed) > 100
    for address in executed:
        (found,) = decoder.disasm(image.bytes_at(address, 4), address, 1)
        assert found.size == (4 if is_first_of_two(np.frombuffer(image.bytes_at(address, 2), "<u2"))[0] else 2)


def test_no_block_is_missed(image):
    """The core goes only where the code lets it: to the target of a branch, or on behind the block."""
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    m = pushed(image)
    ends = {int(e["to"]): int(e["to"]) + int(e["bytes"]) for e in m.counter.seen}
    ways = 0
    for edge in m.counter.seen[1:]:
        start, to = int(edge["from"]), int(edge["to"])
        if to == image.symbols["conv_push"] & ~1:
            continue  # the emulator's own jump
        *_, final = decoder.disasm(image.bytes_at(start, ends[start] - start), start)
        branch = re.fullmatch(r"b(l|\w\w)?(\.w)?|cbn?z", final.mnemonic)
        if branch and not final.mnemonic.startswith(("bx", "blx")):
            target = final.operands[-1].imm
            assert to == target or (to == ends[start] and final.mnemonic not in ("b", "b.w", "bl")), f"{final} leads to {to:#x}"
            ways += 1
        elif "pc" not in final.op_str and final.mnemonic not in ("bx", "blx", "tbb", "tbh"):
            assert to == ends[start], f"{final} leads to {to:#x}"
    assert ways > 20


def test_counts_are_the_same_every_time(image):
    once, again = pushed(image), pushed(image)
    assert once.counter.total() == again.counter.total() > 1000
    assert once.counter.by_address() == again.counter.by_address()
    assert pushed(image, 3).counter.total() == 3 * once.counter.total()
    once.counter.reset()
    assert once.counter.total() == 0 and not once.counter.by_function()


def test_sums_by_function_and_by_address_are_the_total(image):
    m = pushed(image)
    by_function, by_address = m.counter.by_function(), m.counter.by_address()
    assert by_function.total() == by_address.total() == m.counter.total()
    assert by_function["conv_push"] > 0
    for function, count in by_function.items():
        assert sum(n for address, n in by_address.items() if image.function_at(address) == function) == count


def test_a_listing_shows_every_executed_instruction_of_a_function(image):
    executed = pushed(image, 2).counter.by_address()
    lines = [line for line in listing(image, "conv_push", executed) if line]
    assert len(lines) == sum(image.function_at(address) == "conv_push" for address in executed)
    counts, addresses = zip(*((int(line.split()[0].replace(",", "")), int(line.split()[1], 16)) for line in lines))
    assert counts == tuple(executed[address] for address in addresses) and all(a < b for a, b in pairwise(addresses))
    assert "push" in lines[0].split()[2] and counts[0] == 2


EXIT = """
    static int waits;
    if (waits++ == 1) {
        register int operation __asm("r0") = 0x18;
        register int reason __asm("r1") = 0x20026;
        __asm volatile("bkpt 0xab" : : "r"(operation), "r"(reason));
    }
"""


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="needs qemu-system-arm")
@pytest.mark.parametrize(("core", "board"), [("cortex-m3", "mps2-an385"), ("cortex-m4", "mps2-an386"), ("cortex-m7", "mps2-an500")])
def test_qemu_executes_the_same_instructions_as_often(core, board, tmp_path):
    """QEMU, one instruction at a time, says where it is; the firmware ends when it waits for its second block."""
    plan = convolution()
    with_compiler = cross_compiler("gcc" if "gcc" in cross_compilers() else "zig")
    sources = write_sources(plan, tmp_path, "plain", find_core(core))
    start = tmp_path / "start.c"
    start.write_text(start.read_text().replace('    __asm volatile("wfi");\n', EXIT))
    image = Image(with_compiler.build(sources, tmp_path / "firmware.elf", *flags(with_compiler, find_core(core)), "-O2"))
    log = tmp_path / "log"
    command = ["qemu-system-arm", "-M", board, "-nographic", "-semihosting", "-kernel", image.path]
    subprocess.run([*command, "-singlestep", "-d", "exec,nochain", "-D", log], check=True, timeout=60, stdin=subprocess.DEVNULL)
    at = [int(a, 16) for a in re.findall(r"^Trace .*? \[[0-9a-f]+/([0-9a-f]+)/", log.read_text(), re.M)]
    waited = at.index(image.symbols["ts_wait"] & ~1)
    qemu = Counter(a for a in at[waited:] if image.function_at(a) not in ("main", "ts_wait"))
    m = Machine(image, find_core(core))
    m.counter.reset()
    m.call("conv_push", image.symbols["x"], image.symbols["event"])
    assert m.counter.by_address() == qemu and qemu.total() > 1000


# --- what is made of it ---------------------------------------------------------------------------------------


def test_a_measurement_tells_each_block_each_step_and_the_sizes():
    plan = convolution()
    x = [np.random.default_rng(0).integers(-128, 128, (5, *s.shape), dtype=s.dtype) for s in plan.x]
    plain = measure(plan, x, "cortex-m4", cross_compiler())
    assert len(plain.instructions) == 5 and plain.median in plain.instructions
    assert sum(plain.instructions) == plain.by_function.total() == plain.by_address.total() and not plain.by_step
    assert plain.image.sizes.constants >= plan.table_bytes and plain.image.sizes.variables >= plan.ram_bytes + x[0][0].nbytes
    assert Sizes(3, 4, 5, 6).flash == 7
    assert 16 < plain.stack < 1000
    steps = measure(plan, x, "cortex-m4", cross_compiler(), by_step=True)
    assert steps.instructions == plain.instructions and steps.by_step.total() == sum(plain.instructions), "marks take no instruction"


def test_a_measurement_refuses_what_numpy_does_not_say(monkeypatch):
    plan = convolution()
    x = [np.zeros((1, *s.shape), s.dtype) for s in plan.x]
    stage, signals = example("tinystream.ops.conv_2d", 0)
    wrong = plan_stage("conv", replace(stage, bias=stage.bias + 1000), *signals)
    monkeypatch.setattr("tinystream.firmware.measure.build_image", lambda _, *told: build_image(wrong, *told))
    with pytest.raises(AssertionError, match="block 0 on cortex-m4 gives"):
        measure(plan, x, "cortex-m4", cross_compiler())


def test_more_edges_than_there_is_room_for_are_an_error(image):
    m = pushed(image)
    m.counter.told.lost = 1
    with pytest.raises(AssertionError, match="more than"):
        m.counter.total()


# --- the texts, the compilers, what is missing ----------------------------------------------------------------


@pytest.mark.parametrize("name", cross_compilers())
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m33"])
@pytest.mark.parametrize("profile", [(), ("-DTS_PROFILE",)], ids=["plain", "profile"])
def test_the_firmware_compiles_without_a_warning(name, core, profile, tmp_path):
    with_compiler, plan = cross_compiler(name), convolution()
    sources = write_sources(plan, tmp_path, "plain", find_core(core))
    told = flags(with_compiler, find_core(core))
    with_compiler.build(sources, tmp_path / "firmware.elf", *told, *WARNINGS, *profile, "-O2")


@pytest.mark.parametrize("name", [c.name for c in compilers()])
def test_the_counter_compiles_without_a_warning(name, tmp_path):
    (with_compiler,) = (c for c in compilers() if c.name == name)
    with_compiler.build([templates() / "host/counter.c"], tmp_path / "counter.so", "-shared", "-fPIC", *WARNINGS)


@pytest.mark.parametrize("package", ["unicorn", "elftools", "capstone"])
def test_a_package_that_is_missing_is_named_with_how_to_install_it(package, image, monkeypatch):
    for module in (package, *(["elftools.elf.elffile"] if package == "elftools" else [])):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BuildError) as caught:
        {
            "unicorn": lambda: Machine(image, find_core("cortex-m4")),
            "elftools": lambda: Image(image.path),
            "capstone": lambda: list(listing(image, "main", {})),
        }[package]()
    assert caught.value.help == "pip install 'tinystream[mcu]'"


def test_what_is_not_here_is_named(monkeypatch):
    with pytest.raises(BuildError, match="no core is called 'cortex-m99'") as caught:
        find_core("cortex-m99")
    assert "cortex-m4" in caught.value.help
    with pytest.raises(BuildError, match="no compiler for Cortex-M is called 'rustc'"):
        cross_compiler("rustc")
    monkeypatch.setattr(cross, "cross_compilers", lambda riscv: {})
    with pytest.raises(BuildError, match="no C compiler for Cortex-M here") as caught:
        cross_compiler()
    assert caught.value.help == "pip install 'tinystream[mcu]'"
    with pytest.raises(BuildError, match="no gcc compiler for Cortex-M here") as caught:
        cross_compiler("gcc")
    assert "gcc-arm-none-eabi" in caught.value.help
