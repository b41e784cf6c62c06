"""What an app takes of a board's flash and RAM: from its plan, and what a program really takes.

Exact from the plan: arena, state, block buffers, digests; tables and the samples of the self-test.  Code is what a compiler makes of it
where one is here, and estimated where none is, from what each kind of step took where benchmarks/code_size.py compiled it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

from tinystream.app.budget import kb
from tinystream.app.definition import Budget
from tinystream.emit.compiler import Compiler
from tinystream.emit.templates import templates
from tinystream.errors import AppError, BuildError
from tinystream.firmware.board import Board
from tinystream.firmware.cross import ZIG, cross_compiler, cross_compilers
from tinystream.firmware.golden import golden
from tinystream.firmware.image import Image
from tinystream.firmware.project import STACK_BYTES, build_image
from tinystream.plan.plan import Plan

BUFFERS = 2
DIGEST = 4  # bytes, of each step


@dataclass(frozen=True)
class Need:
    """Bytes of a board's memory.

    tables, samples: constants in flash: of the app, and of the self-test with its digests; exact.
    code:    all else in flash: instructions, what steps are told, texts, vectors.
    app, buffers, digests: RAM of the app, of two blocks, of the self-test; exact.
    loop:    RAM of the loop and the board's drivers.
    stack:   reserved.
    by:      the compiler that made the code; nothing where it is estimated.
    """

    tables: int
    samples: int
    code: int
    app: int
    buffers: int
    digests: int
    loop: int
    stack: int
    by: str = ""

    @property
    def flash(self) -> int:
        return self.tables + self.samples + self.code

    @property
    def ram(self) -> int:
        return self.app + self.buffers + self.digests + self.loop + self.stack


def need(plan: Plan, board: Board, optimise: str = "-O2") -> Need:
    """What firmware of the app needs on the board: compiled where that can be done here, else estimated."""
    if board.lacks or not cross_compilers(board.riscv):
        return estimated(plan, board, optimise=optimise)
    return compiled(plan, board, cross_compiler(None, board.riscv), optimise)


def compiled(plan: Plan, board: Board, compiler: Compiler, optimise: str = "-O2") -> Need:
    """As a compiler makes it."""
    return found(plan, exactly(plan, board), build_image(plan, board, compiler, optimise), f"{compiler.name} {optimise}")


def found(plan: Plan, least: Need, image: Image, by: str) -> Need:
    """As a program has it, of which `least` was known before."""
    code = image.sizes.flash - least.tables - least.samples
    loop = image.sizes.variables - found_ram(image, plan) - least.buffers - least.digests
    return replace(least, code=code, loop=loop, by=by)


def estimated(plan: Plan, board: Board, compiler: str = ZIG, optimise: str = "-O2") -> Need:
    """By what kinds of steps took elsewhere."""
    known = measured_code(compiler, optimise)["boards"]
    drivers = known.get(board.name) or known["other"]
    code = drivers["code"] + estimated_code(plan, board.core, compiler, optimise)
    return replace(exactly(plan, board), code=code, loop=drivers["ram"])


def exactly(plan: Plan, board: Board) -> Need:
    """What is known from the plan alone."""
    if board.memory is None:
        raise BuildError(f"'{board.name}' is not a board with memory of its own", "--board of one that is; docs/boards.md lists them")
    (x,) = plan.x
    test, digests = golden(plan), DIGEST * len(plan.steps)
    return Need(plan.table_bytes, test.x.nbytes + digests, 0, plan.ram_bytes, BUFFERS * x.bytes, digests, 0, STACK_BYTES)


def estimated_code(plan: Plan, core: str, compiler: str = "zig", optimise: str = "-O2") -> int:
    """Bytes of the app's own code; measured for the two instruction sets of Cortex-M, and taken for other cores as for a Cortex-M4.

    Every kind takes what one, two or three of its examples took; a fourth step takes as much more as the third.  What several kinds
    call, such as a division that the core lacks, counts once.
    """
    table = measured_code(compiler, optimise)["cores"]["cortex-m0" if core in ("cortex-m0", "cortex-m0plus") else "cortex-m4"]
    total = table["hook"] * len(plan.steps)
    called: dict[str, int] = {}
    for kind, count in Counter(step.kind for step in plan.steps).items():
        if kind not in table["kinds"]:
            what = f"how much code '{kind}' takes was never measured"
            raise BuildError(what, "benchmarks/code_size.py measures ours; a stage of your own is sized by `tinystream build`")
        *sizes, calls = table["kinds"][kind]
        total += sizes[min(count, len(sizes)) - 1] + max(0, count - len(sizes)) * max(0, sizes[-1] - sizes[-2])
        called |= dict(table["library"][at] for at in calls)
    return total + sum(called.values())


@cache
def measured_code(compiler: str, optimise: str) -> dict:
    """What benchmarks/code_size.py has written."""
    path = templates() / "cores" / "code.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    name = f"{compiler} {optimise}"
    if name not in found:
        raise BuildError(f"no code was measured with {name}", f"one of {', '.join(found)}")
    return found[name]


# --- does it fit? -----------------------------------------------------------------------------------------------------


def too_much(needs: Need, board: Board, budget: Budget | None) -> list[AppError]:
    """Every limit of the definition that firmware on this board exceeds.  BuildError where the board's own memory does not suffice."""
    assert board.memory, "it has a need"
    limits = {"ram_kb": (needs.ram, board.memory.ram_bytes, "RAM"), "flash_kb": (needs.flash, board.memory.flash_bytes, "flash")}
    errors = []
    for key, (bytes_, there, what) in limits.items():
        if bytes_ > there:
            raise BuildError(f"needs {kb(bytes_)} of {what}, and {board.name} has {kb(there)}", parts_of(needs, key))
        allowed = getattr(budget, key, None)
        if allowed is not None and bytes_ > 1000 * allowed:
            said = f"needs {kb(bytes_)} of {what} on {board.name}, budget {kb(1000 * allowed)}"
            errors.append(AppError(("budget", key), said, parts_of(needs, key)))
    return errors


def parts_of(needs: Need, key: str) -> str:
    """What it is made of, largest first."""
    ram = {"app": needs.app, "two blocks": needs.buffers, "self-test": needs.digests, "loop and drivers": needs.loop, "stack": needs.stack}
    flash = {"tables": needs.tables, "self-test": needs.samples, "code" if needs.by else "code, about": needs.code}
    parts = sorted((ram if key == "ram_kb" else flash).items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {bytes_} B" for name, bytes_ in parts if bytes_)


# --- what a program has -----------------------------------------------------------------------------------------------


def app_variables(plan: Plan) -> set[str]:
    """The static variables of the generated C."""
    names = {"arena"} if plan.buffers else set()
    for step in plan.steps:
        if step.state:
            names |= {f"{step.name}_state", *(f"{step.name}_{n}" for n, v in step.state.items() if hasattr(v, "nbytes"))}
    return names | ({"sequence", "block"} if plan.detections else set())


def found_ram(image: Image, plan: Plan) -> int:
    """Bytes of the app's variables in a program."""
    return sum(size for name, size in image.objects if name.split(".")[0] in app_variables(plan))


def found_tables(image: Image, plan: Plan) -> int:
    """Bytes of the app's tables in a program."""
    return sum(size for name, size in image.objects if name.startswith(f"{plan.name}_"))
