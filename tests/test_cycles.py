"""Are cycles those of the tables?  Programs in assembly, counted by hand with the manual beside; and the tables themselves."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from bare import machine, use_cache

from tinystream.emit.templates import templates
from tinystream.errors import BuildError
from tinystream.firmware.core import CORES, COUNTED
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.cycles import CLASSES, ONCE, Cycles, Timer, cores_with_cycles, cycle_table, read_table
from tinystream.firmware.profile import Costs

pytest.importorskip("unicorn")
pytest.importorskip("elftools")
pytest.importorskip("capstone")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    use_cache(monkeypatch, tmp_path_factory)


SMALL = """
loop:
1:  subs    r0, #1
    bne     1b
    bx      lr

three:
    ldr     r1, [r0]
    ldr     r2, [r0, #4]
    ldr     r3, [r0, #8]
    bx      lr

chain:                      @ what is loaded is the next address
    ldr     r0, [r0]
    ldr     r0, [r0]
    bx      lr

computed:                   @ the address comes from the instruction before
    adds    r0, #4
    ldr     r1, [r0]
    bx      lr

other:                      @ or from the one before that
    adds    r0, #4
    movs    r2, #0
    ldr     r1, [r0]
    bx      lr

stores:
    ldr     r1, [r0]
    str     r1, [r0, #4]
    str     r1, [r0, #8]
    movs    r2, #0
    movs    r3, #0
    str     r1, [r0, r2]
    bx      lr

stack:
    push    {r4, r5, lr}
    movs    r4, #0
    bl      leaf
    pop     {r4, r5, pc}
leaf:
    bx      lr

product:
    muls    r0, r1, r0
    bx      lr

forward:                    @ r0 = 0: taken; 1: not
    cmp     r0, #0
    beq     1f
    nop
1:  bx      lr
"""
R = 0x2000_0000 + 65536
BY_HAND = {  # function, arguments: cycles on a Cortex-M0, M0+, M3 and M4 at (low, nominal, high), without the BX LR at its end
    ("loop", 1): [(2, 2, 2)] * 4,
    ("loop", 5): [(5 + 4 * 3 + 1,) * 3, (5 + 4 * 2 + 1,) * 3] + [(5 + 4 * 2 + 1, 5 + 4 * 3 + 1, 5 + 4 * 4 + 1)] * 2,
    ("three", R): [(6,) * 3] * 2 + [(2 + 1 + 1,) * 3] * 2,
    ("chain", R): [(4,) * 3] * 4,
    ("computed", R): [(3,) * 3] * 2 + [(1 + 2 + 1,) * 3] * 2,
    ("other", R): [(4,) * 3] * 4,
    ("stores", R): [(4 * 2 + 2,) * 3] * 2 + [(2 + 1 + 1 + 2 + 2,) * 3] * 2,
    ("stack",): [
        (4 + 1 + 4 + 3 + 4 + 3,) * 3, (4 + 1 + 3 + 2 + 4 + 2,) * 3,
        *[(4 + 1 + 2 + 2 + 4 + 1, 4 + 1 + 3 + 3 + 4 + 2, 4 + 1 + 4 + 4 + 4 + 3)] * 2,
    ],
    ("product", 2, 3): [(1,) * 3] * 4,
    ("forward", 0): [(4,) * 3, (3,) * 3] + [(3, 4, 5)] * 2,
    ("forward", 1): [(3,) * 3] * 4,
}  # fmt: skip
RETURN = [(3,) * 3, (2,) * 3, (2, 3, 4), (2, 3, 4)]


def cycles(m, core: str, function: str, *arguments: int) -> list[float]:
    m.counter.reset()
    m.call(function, *arguments)
    costs = Costs(Timer(m.image, cycle_table(core)), ONCE).of(m.counter)
    instructions, *sums = np.array(costs.cost).T @ m.counter.seen["count"][costs.edge]
    assert instructions == m.counter.total()
    return sums


@pytest.mark.parametrize(("core", "column"), [("cortex-m0", 0), ("cortex-m0plus", 1), ("cortex-m3", 2), ("cortex-m4", 3)])
def test_cycles_counted_by_hand(core, column, tmp_path):
    m = machine(SMALL, sorted({call[0] for call in BY_HAND}), core, cross_compiler(), tmp_path)
    for call, by_hand in BY_HAND.items():
        returned = (0, 0, 0) if call[0] == "stack" else RETURN[column]
        assert cycles(m, core, *call) == [a + b for a, b in zip(by_hand[column], returned)], call


LARGE = """
long:
    smull   r0, r1, r2, r3
    smlal   r0, r1, r2, r3
    mla     r0, r1, r2, r3
    mul     r0, r1, r2
    bx      lr

divide:
    udiv    r0, r0, r1
    bx      lr

update:
    ldr     r1, [r0], #4
    ldr     r2, [r0], #4
    bx      lr

either:                     @ a condition that is false takes its turn
    cmp     r0, #0
    ite     eq
    moveq   r0, #1
    udivne  r0, r0, r0
    bx      lr

literal:
    ldr     r0, =0x12345678
    bx      lr
    .ltorg

pair:
    ldrd    r2, r3, [r0]
    bx      lr

zero:                       @ r0 = 0: taken; 1: not
    cbz     r0, 1f
    nop
1:  bx      lr

leave:                      @ r0 = 0: it returns at once
    cmp     r0, #0
    it      eq
    bxeq    lr
    bx      lr

table:
    tbb     [pc, r0]
    .byte   1, 1
    bx      lr

pairs:
    smuad   r0, r0, r1
    smlald  r0, r1, r2, r3
    bx      lr
"""
LARGE_BY_HAND = {  # on a Cortex-M3 and M4
    ("long", 1, 2, 3, 4): [(3 + 4 + 2 + 1, 4 + 5.5 + 2 + 1, 5 + 7 + 2 + 1), (4, 4, 4)],
    ("divide", 100, 7): [(2, 7, 12)] * 2,
    ("update", R): [(1 + 1, 2 + 2, 2 + 2)] * 2,
    ("either", 0): [(1 + 0 + 1 + 1, 1 + 1 + 1 + 7, 1 + 1 + 1 + 12)] * 2,
    ("literal",): [(2, 2, 3)] * 2,
    ("pair", R): [(3, 3, 3)] * 2,
    ("zero", 0): [(2, 3, 4)] * 2,
    ("zero", 1): [(2, 2, 2)] * 2,
    ("leave", 0): [(1, 2, 2)] * 2,
    ("leave", 1): [(2, 3, 3)] * 2,
    ("table", 0): [(3, 4, 6)] * 2,
}


@pytest.mark.parametrize(("core", "column"), [("cortex-m3", 0), ("cortex-m4", 1)])
def test_what_larger_cores_have_counted_by_hand(core, column, tmp_path):
    m = machine(LARGE, sorted({call[0] for call in LARGE_BY_HAND} | {"pairs"}), core, cross_compiler(), tmp_path)
    for call, by_hand in LARGE_BY_HAND.items():
        assert cycles(m, core, *call) == [a + b for a, b in zip(by_hand[column], RETURN[2])], call
    if core == "cortex-m4":
        assert cycles(m, core, "pairs", 1, 1)[1] == 1 + 1 + 3


def test_a_core_without_a_table_takes_a_factor_of_anothers(tmp_path):
    m = machine(SMALL, ["loop"], "cortex-m7", cross_compiler(), tmp_path)
    factor = cycle_table("cortex-m7").factor.cycles
    assert cycles(m, "cortex-m7", "loop", 9) == pytest.approx(factor.array * cycles(m, "cortex-m4", "loop", 9))
    assert 0 < factor.low < factor.nominal < factor.high < 1


# --- the tables -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", cores_with_cycles())
def test_every_table_can_be_read_and_names_its_sources(core):
    table = cycle_table(core)
    assert table.core == core and table.code in COUNTED and set(table.entries) == set(CLASSES)
    assert (table.status == "published") == (table.like == core)
    for entry in [*table.entries.values(), *[table.factor] * (table.like != core)]:
        assert entry.source and entry.status in ("published", "estimated", "unverified")


@pytest.mark.parametrize("core", CORES)
def test_every_core_that_firmware_is_built_for_has_a_table(core):
    assert cycle_table(core).core == core.partition("+")[0]
    assert cycle_table(core.removeprefix("cortex-")) == cycle_table(core)


ALU = 'alu                      = { cycles = [1, 1, 1], source = "table", status = "published" }\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ALU, "", "alu is missing"),
        (ALU, ALU + ALU.replace("alu ", "mmx "), "mmx is not known"),
        (ALU, ALU.replace("[1, 1, 1]", "[1, 1]"), r"alu.cycles = \[1, 1\] is not \[low, nominal, high\]"),
        (ALU, ALU.replace("[1, 1, 1]", "[1, 3, 2]"), "in rising order"),
        (ALU, ALU.replace("[1, 1, 1]", "[-1, 1, 2]"), "in rising order"),
        (ALU, ALU.replace("[1, 1, 1]", "[1, 1, nan]"), "in rising order"),
        (ALU, ALU.replace("[1, 1, 1]", "[1, 1, inf]"), "in rising order"),
        (ALU, ALU.replace("[1, 1, 1]", "[true, 1, 1]"), "in rising order"),
        (ALU, ALU.replace('"table"', '"hearsay"'), "hearsay"),
        (ALU, ALU.replace('"published"', '"sure"'), "sure"),
        (ALU, ALU.replace(', status = "published"', ""), "alu needs cycles, source and status"),
        ('core = "cortex-m3"', 'core = "cortex-m9"', "is of 'cortex-m9'"),
        ("[sources]", "[sources", "is not TOML"),
        ("[sources]", "clock = 1\n[sources]", "clock is not known"),
    ],
)
def test_a_table_with_a_mistake_is_refused(old, new, said, tmp_path):
    text = (templates() / "cores/cortex-m3.toml").read_text()
    assert old in text
    path: Path = tmp_path / "cortex-m3.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BuildError, match=said):
        read_table(path)


def test_a_core_that_is_not_known_is_named():
    with pytest.raises(BuildError, match=re.escape("no table of cycles for a core called 'm5'")) as caught:
        cycle_table("m5")
    assert "cortex-m55" in caught.value.help


def test_bounds_multiply():
    assert Cycles(1, 2, 3) * Cycles(1, 1.5, 2) == Cycles(1, 3, 6) and Cycles(1, 2, 3) * 2 == Cycles(2, 4, 6)
