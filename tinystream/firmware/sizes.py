"""What an app takes of a board's flash and RAM: from its plan, and what a program really takes.

Exact from the plan: arena, state, block buffers, digests; tables and the samples of the self-test.  Code is what a compiler makes of it
where one is here, and estimated where none is, from what each kind of step took where benchmarks/code_size.py compiled it.
"""

from __future__ import annotations

import json
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
from tinystream.plan.step import Step

BUFFERS = 2
DIGEST = POINTER = 4  # bytes, of each step


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
    code = drivers["code"] + text_bytes(plan) + estimated_code(plan, board.core, compiler, optimise, drivers["library"])
    return replace(exactly(plan, board), code=code, loop=drivers["ram"])


def text_bytes(plan: Plan) -> int:
    """The names of the steps, for what the loop reports."""
    return sum(POINTER + len(step.name) + 1 for step in plan.steps)


def exactly(plan: Plan, board: Board) -> Need:
    """What is known from the plan alone."""
    if board.memory is None:
        raise BuildError(f"'{board.name}' is not a board with memory of its own", "--board of one that is; docs/boards.md lists them")
    (x,) = plan.x
    test, digests = golden(plan), DIGEST * len(plan.steps)
    return Need(plan.table_bytes, test.x.nbytes + digests, 0, plan.ram_bytes, BUFFERS * x.bytes, digests, 0, STACK_BYTES)


def estimated_code(plan: Plan, core: str, compiler: str = ZIG, optimise: str = "-O2", library: dict[str, int] | None = None) -> int:
    """Bytes of the app's own code, and of the functions of `library`, those that what surrounds it calls.

    A kind that occurs once takes what that of its examples took that a compiler sees most like it; one that occurs more often takes what
    so many of its examples took.  Functions, of kernels and of libraries, count once in an app.
    """
    cores = measured_code(compiler, optimise)["cores"]
    table = cores.get("cortex-m0" if core == "cortex-m0plus" else core) or cores["cortex-m4"]
    total = table["hook"] * len(plan.steps)
    called = dict(library or {})
    steps: dict[str, list[Step]] = {}
    for step in plan.steps:
        steps.setdefault(step.kind, []).append(step)
    total -= table["frame"] * (len(steps) - 1)
    for kind, some in steps.items():
        if kind not in table["kinds"]:
            what = f"how much code '{kind}' takes was never measured"
            raise BuildError(what, "benchmarks/code_size.py measures ours; a stage of your own is sized by `tinystream build`")
        rest, functions = taken(table["kinds"][kind], some)
        total += rest
        for name, size in (table["functions"][at] for at in table["sets"][functions]):
            called[name] = max(size, called.get(name, 0))
    return total + sum(called.values())


def taken(measured: dict, steps: list[Step]) -> tuple[int, int]:
    """What steps of one kind take: bytes beside the functions, and which set of functions."""
    count = len(steps)
    if count == 1:
        told = numbers_of(steps[0])
        examples = code_file()["examples"][steps[0].kind]
        rest, functions = min(zip(examples, measured["one"]), key=lambda known: unlike(known[0], told))[1]
        return rest, functions
    *_, (fewer, less, _), (more, most, _) = measured["more"]
    each = (most - less) // (more - fewer)
    at, rest, functions = max((one for one in measured["more"] if one[0] <= count), key=lambda one: one[0])
    return rest + (count - at) * each, functions


def numbers_of(step: Step) -> dict[str, int]:
    """What a compiler sees of a step in firmware: its params, and 0 for each table that is not there."""
    absent = [name for name in step.tables if name not in step.in_groups.tables]
    return step.params | dict.fromkeys(absent, 0)


def unlike(one: dict[str, int], other: dict[str, int]) -> float:
    """How differently a compiler sees two steps of a kind."""
    return sum(apart(name, one.get(name, MANY), other.get(name, MANY)) for name in one.keys() | other.keys())


def apart(name: str, one: int, other: int) -> float:
    """0, 1 and types decide on branches, small numbers on loops that are unrolled; limits and zero points hardly on anything.
    Of the outputs of a layer it matters which are left over beside groups of eight and of four."""
    if one == other:
        return 0
    if name == "type":
        return 4
    if name in ("low", "high") or name.endswith("zero"):
        return 0.1 + 0.4 * (0 in (one, other))
    if name == "outputs":
        return 0.1 + 3 * ((one < 8) != (other < 8)) + 2 * ((one & 4) != (other & 4)) + ((one & 3) != (other & 3))
    few = (abs(one) <= FEW) + (abs(other) <= FEW)
    return 3 * (one in (0, 1) or other in (0, 1)) + 0.5 * few


MANY, FEW = 1 << 30, 8
"""Stands for an array that is there; loops of no more rounds are unrolled."""


@cache
def measured_code(compiler: str, optimise: str) -> dict:
    """What benchmarks/code_size.py has written, of a compiler."""
    found, name = code_file()["code"], f"{compiler} {optimise}"
    if name not in found:
        raise BuildError(f"no code was measured with {name}", f"one of {', '.join(found)}")
    return found[name]


@cache
def code_file() -> dict:
    return json.loads((templates() / "cores/code.json").read_text(encoding="utf-8"))


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
