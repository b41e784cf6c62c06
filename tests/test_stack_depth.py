"""Is the computed depth of the stack a bound, and a tight one?  Against functions of known depth, and against the emulator."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
from bare import assembled, use_cache
from examples import blocks, example

from tinystream.app.planning import plan_file
from tinystream.errors import BuildError
from tinystream.firmware import cross
from tinystream.firmware.core import find_core
from tinystream.firmware.cross import cross_compiler, cross_compilers
from tinystream.firmware.machine import Machine
from tinystream.firmware.measure import measure
from tinystream.firmware.stack import Depth, stack_depth
from tinystream.io.recording import read_recording
from tinystream.plan.plan import plan_stage
from tinystream.run.replay import blocks_of

pytest.importorskip("unicorn")
pytest.importorskip("capstone")

ROOT = Path(__file__).parents[1]
OURS = re.compile(r"ts_\w+(\.constprop\.\d+|\.isra\.\d+|\.part\.\d+)*|\w+_(push|reset)|main")
LIBRARY = {  # what compilers call by themselves: mem*, and arithmetic that a core has no instruction for
    "memcpy", "memmove", "memset", "__aeabi_memclr", "__aeabi_memcpy", "__aeabi_memmove", "__aeabi_memset", "__aeabi_idiv", "__aeabi_uidiv",
    "__aeabi_idivmod", "__aeabi_idiv0", "__aeabi_ldivmod", "__aeabi_lmul", "__aeabi_lasr", "__aeabi_llsl", "__aeabi_llsr", "__divsi3",
    "__divdi3", "__divmoddi4", "__udivmoddi4", "__gnu_ldivmod_helper", "__muldi3", "__clzsi2", "__clzdi2",
}  # fmt: skip
EVERYWHERE = ["wake_word", "conv_2d", "spectrum", "average_pool_2d_int16"]  # calls in calls, and the division that a core lacks
SMALLEST_AND_LARGEST = ["depthwise_conv_2d", "conv_2d_int16", "fully_connected", "softmax", "svdf", "unidirectional_sequence_lstm", "log"]
PLANS = [(core, name) for core in ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m33") for name in EVERYWHERE]
PLANS += [(core, name) for core in ("cortex-m0", "cortex-m4") for name in SMALLEST_AND_LARGEST]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


# --- functions of known depth ---------------------------------------------------------------------------------

KNOWN = """
leaf:                       @ 0
    bx      lr

saves:                      @ 20 and, below them, 1000
    push    {r4-r7, lr}
    sub     sp, #500
    sub.w   sp, sp, #500
    add.w   sp, sp, #1000
    pop     {r4-r7, pc}

calls:                      @ 8 + 1020 of saves;  16 + 0 of leaf is less
    push    {r4, lr}
    bl      saves
    sub     sp, #8
    bl      leaf
    add     sp, #8
    pop     {r4, pc}

before:                     @ 8 + 1020: what it holds when it calls is less than the most it holds
    push    {r4, lr}
    sub     sp, #512
    add     sp, #512
    bl      saves
    pop     {r4, pc}

tail:                       @ 1020: nothing is held when it jumps
    push    {r4, lr}
    pop     {r4, lr}
    b.w     saves

onwards:                    @ 16, then 1028: it runs into the next function
    push    {r0-r3}
    add     sp, #16
into:                       @ 1028
    push    {r4, lr}
    bl      saves
    pop     {r4, pc}

early:                      @ 40, though a path returns with 8
    push    {r4, lr}
    cmp     r0, #0
    it      eq
    popeq   {r4, pc}
    push    {r0-r7}
    add     sp, #32
    pop     {r4, pc}

cases:                      @ 8 + 64: only a case of the table takes so much
    push    {r4, lr}
    cmp     r0, #2
    bhi     3f
    tbb     [pc, r0]
0:  .byte   (1f - 0b) / 2, (2f - 0b) / 2, (3f - 0b) / 2, 0
1:  sub     sp, #16
    add     sp, #16
    b       3f
2:  sub     sp, #64
    add     sp, #64
3:  pop     {r4, pc}

single:                     @ 4 + 8 + 12
    str     lr, [sp, #-4]!
    strd    r4, r5, [sp, #-8]!
    stmdb   sp!, {r6, r7, r8}
    ldmia   sp!, {r6, r7, r8}
    ldrd    r4, r5, [sp], #8
    ldr     pc, [sp], #4

far:                        @ 20 + 4096, as a Cortex-M0 is told
    push    {r4-r7, lr}
    ldr     r4, =-4096
    add     sp, r4
    movs    r4, #128
    lsls    r4, r4, #5
    add     sp, r4
    pop     {r4-r7, pc}
    .ltorg

given:                      @ 16 + 8: as gcc returns on a Cortex-M0 from a function whose arguments it stored
    push    {r0-r3}
    push    {r4, lr}
    pop     {r4}
    pop     {r3}
    add     sp, #16
    bx      r3

again:                      @ what follows cannot be known
    push    {r4, lr}
    bl      other
    pop     {r4, pc}

other:
    push    {r4, lr}
    bl      again
    pop     {r4, pc}

pointer:
    push    {r4, lr}
    blx     r0
    pop     {r4, pc}

hop:
    bx      r0

array:
    push    {r7, lr}
    mov     r7, sp
    subs    r1, r7, r0
    mov     sp, r1
    mov     sp, r7
    pop     {r7, pc}

amount:
    ldr     r1, [r0]
    add     sp, r1
    bx      lr

grows:
    push    {r0}
    subs    r0, #1
    bne     grows
    bx      lr

forgets:
    push    {r4, lr}
    bx      lr

takes:
    add     sp, #8
    bx      lr

outside:
    b.w     0x00f00000
"""
DEPTHS = {
    "leaf": 0, "saves": 1020, "calls": 1028, "before": 1028, "tail": 1020, "onwards": 1028, "into": 1028, "early": 40, "cases": 72,
    "single": 24, "far": 4116, "given": 24,
}  # fmt: skip
REFUSED = {
    "again": "the stack has no bound: again calls other calls again",
    "pointer": "calls through a pointer, 'blx r0'",
    "hop": "jumps through a pointer, 'bx r0'",
    "array": "moves the stack pointer by 'mov sp, r1'",
    "amount": "moves the stack pointer by a computed amount, 'add sp, r1'",
    "grows": "takes more of the stack each time it comes by",
    "forgets": "returns with 8 bytes left on the stack",
    "takes": "gives back more stack than it took",
    "outside": "goes on where no instruction is",
}


@pytest.fixture(scope="module", params=cross.COMMANDS)
def known(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        use_cache(patch, tmp_path_factory)
        return assembled(KNOWN, [*DEPTHS, *REFUSED, "other"], "cortex-m4", by(request.param), tmp_path_factory.mktemp("known"))


def by(name: str):
    """The compiler of that name, or the test is skipped."""
    if name not in cross_compilers():
        pytest.skip(f"needs {cross.INSTALL[name]}")
    return cross_compiler(name)


def test_functions_of_known_depth_are_known_to_the_byte(known):
    assert {name: stack_depth(known, name).bytes for name in DEPTHS} == DEPTHS
    assert stack_depth(known, "calls").path == ("calls", "saves")
    assert stack_depth(known, "onwards").path == ("onwards", "into", "saves")


@pytest.mark.parametrize("name", [name for name in DEPTHS if name != "cases"])
def test_the_emulator_measures_what_was_computed(name, known):
    """r0 is 1, so that no early return is taken.  Room that nothing is written to is not seen, so most are only no deeper."""
    m = Machine(known, find_core("cortex-m4"))
    m.paint_stack()
    idle = m.stack_bytes()
    m.call(name, 1)
    assert m.stack_bytes() - idle <= DEPTHS[name]
    if name in ("single", "given", "early"):
        assert m.stack_bytes() - idle == DEPTHS[name]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_known_is_an_error_that_names_the_function(name, known):
    with pytest.raises(BuildError) as refused:
        stack_depth(known, name)
    assert REFUSED[name] in str(refused.value) and name in str(refused.value)


def test_a_function_that_is_not_there_is_an_error(known):
    with pytest.raises(BuildError, match="no function 'sinks'"):
        stack_depth(known, "sinks")


# --- compiled code --------------------------------------------------------------------------------------------


@cache
def measured_plan(name: str):
    """(plan, blocks of each input)."""
    if name == "wake_word":
        plan = plan_file(ROOT / "apps/wake_word")
        samples = read_recording(ROOT / "recordings/kitchen.flac", rate_hz=Fraction(16000), channels=1).samples.reshape(-1)
        return plan, [blocks_of(plan, samples[: 7 * 16000])[0]]
    room = "stages" if name in ("spectrum", "log") else "ops"
    stage, signals = example(f"tinystream.{room}.{name}", 0)
    return plan_stage(name, stage, *signals), blocks(f"tinystream.{room}.{name}", signals)


@pytest.mark.parametrize("compiler", cross.COMMANDS)
@pytest.mark.parametrize(("core", "name"), PLANS)
def test_no_run_goes_deeper_than_was_computed(core, name, compiler):
    """Nor much less deep: what is left are paths that these blocks do not take, such as a convolution of another shape."""
    plan, x = measured_plan(name)
    measured = measure(plan, x, core, by(compiler))
    depth = stack_depth(measured.image)
    print(f"{core} {compiler} {name}: {depth.bytes} bytes computed by {' > '.join(depth.path)}, {measured.stack} measured")
    assert measured.stack <= depth.bytes <= measured.stack + (160 if name == "wake_word" else 64)
    # nothing is linked but ours and what compilers bring
    assert {name for _, name in measured.image.functions if not OURS.fullmatch(name)} <= LIBRARY
    push, reset = (stack_depth(measured.image, f"{plan.name}_{what}") for what in ("push", "reset"))
    assert max(push.bytes, reset.bytes) <= depth.bytes
    assert isinstance(push, Depth) and push.path[0] == f"{plan.name}_push"
