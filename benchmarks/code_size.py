"""How much code does each kind of step take?  Measures what `tinystream show --board` estimates from.

    python benchmarks/code_size.py            measure everything; writes firmware_templates/cores/code.json.  About an hour of a core.
    python benchmarks/code_size.py --missing  measure the kinds that the file does not have, and leave the others
    python benchmarks/code_size.py --check    how far estimates are from programs that were not measured for them

A kernel that is called once is made part of its caller, without what this call does not need; one that is called more often is there once,
as a whole, and each call adds a few instructions and what it is told.  So each step of all EXAMPLES is compiled alone, and examples of
each kind together, as many as COUNTS.  What is written down of a program is its functions by name, kernels' and libraries', and the rest:
the app's own functions, and what steps are told.  A function counts once in an app, whoever calls it.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import tinystream.detectors
import tinystream.ops
import tinystream.stages
from tinystream.app.planning import plan_file
from tinystream.emit.compiler import Compiler
from tinystream.emit.templates import templates
from tinystream.errors import TinystreamError
from tinystream.firmware.board import Board, boards, find_board
from tinystream.firmware.core import find_core
from tinystream.firmware.cross import cross_compilers
from tinystream.firmware.image import Image, build_image
from tinystream.firmware.project import build_image as build_firmware
from tinystream.firmware.sizes import compiled, estimated, estimated_code, measured_code, numbers_of, text_bytes
from tinystream.ops._prune import pruned
from tinystream.plan.model import parse_model
from tinystream.plan.plan import Plan, plan_model, plan_stage, plan_steps
from tinystream.plan.step import Step

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared/data/models"
CORES = ("cortex-m0", "cortex-m4", "cortex-m55", "rv32imac")  # one of each instruction set
LEVELS = {"-O2": CORES, "-Os": CORES[:2]}
COUNTS = (2, 3, 6, 12)
MOST = 24  # examples of a kind, beside its own
OURS = {"main", "ts_start", "ts_wait", "ts_run", "ts_serve", "ts_take", "ts_give", "ts_call", "ts_open", "ts_fault", "ts_host"}
"""Functions of the bare images that are neither the app's nor a library's."""
BOARD = "qemu_mps2_an386"
BOARDS = ("microbit", "qemu_mps2_an385", BOARD, "netduinoplus2", "nrf52840_dk", "raspberry_pi_pico", "qemu_mps3_an547",
          "qemu_riscv32_virt")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare estimates with programs")
    parser.add_argument("--missing", action="store_true", help="measure what is new")
    told = parser.parse_args()
    if not told.check:
        path = templates() / "cores/code.json"
        found = json.loads(path.read_text(encoding="utf-8")) if told.missing else dict(examples={}, code={})
        new = {kind: some for kind, some in examples().items() if kind not in found["examples"]}
        found["examples"] |= {kind: [numbers_of(example[-1]) for example in some] for kind, some in new.items()}
        for compiler in cross_compilers().values():
            for level in LEVELS:
                print(compiler.name, level, file=sys.stderr)
                measure(found["code"].setdefault(f"{compiler.name} {level}", {}), new, compiler, level)
                path.write_text(as_text(found), encoding="utf-8")
    return check()


def as_text(found: dict) -> str:
    """JSON with a line for each kind."""
    return json.dumps(found, separators=(",", ":")).replace(']],"', ']],\n"').replace('}],"', '}],\n"').replace(']]},"', ']]},\n"') + "\n"


def measure(found: dict, new: dict[str, list[Example]], compiler: Compiler, level: str) -> None:
    """Adds what the new kinds take on each core, and once, what boards take."""
    for core in LEVELS[level]:
        if compiler.name not in cross_compilers(find_core(core).riscv):
            continue
        table = found.setdefault("cores", {}).setdefault(core, dict(functions=[], sets=[], kinds={}, hook=hook(core, compiler, level)))
        for kind, some in new.items():
            one = [measured([example], core, compiler, level, table) for example in some]
            more = [[n, *measured([some[i % len(some)] for i in range(n)], core, compiler, level, table)] for n in COUNTS]
            table["kinds"][kind] = dict(one=one, more=more)
        table["frame"] = frame(core, compiler, level)
    if "boards" not in found:
        found |= dict(compiler=compiler.version, boards=dict(of_boards(compiler, level)))


def measured(some: list[Example], core: str, compiler: Compiler, level: str, table: dict) -> list[int]:
    """[bytes beside functions, place in table["sets"] of the functions] of examples side by side, without those of what they write to."""
    plan = together(some)
    image = bare(plan, core, compiler, level)
    rest, functions = rest_of(image, plan), functions_of(image, plan)
    if hosts := [example[:1] for example in some if len(example) > 1]:
        alone = together(hosts)
        rest -= rest_of(bare(alone, core, compiler, level), alone)
    return [rest, place(table["sets"], sorted(place(table["functions"], [name, size]) for name, size in functions.items()))]


def bare(plan: Plan, core: str, compiler: Compiler, level: str) -> Image:
    """An app alone; where the emulator does not have the core, it keeps what every step gave, as firmware looks at it."""
    there = find_core(core)
    return build_image(plan, there, at(core, compiler), level, "plain" if there.unicorn else "watched")


def at(core: str, compiler: Compiler) -> Compiler:
    """The compiler of that name for a core."""
    return cross_compilers(find_core(core).riscv)[compiler.name]


def place(there: list, one: list) -> int:
    if one not in there:
        there.append(one)
    return there.index(one)


def frame(core: str, compiler: Compiler, level: str) -> int:
    """Bytes that every program has beside its steps, and so every kind was said to take."""
    plan, kinds = wake_word(), defaultdict(list)
    for step in plan.steps:
        kinds[step.kind].append(as_example(plan.steps, step))
    apart = sum(measured(some, core, compiler, level, dict(functions=[], sets=[]))[0] for some in kinds.values())
    return round((apart - rest_of(bare(plan, core, compiler, level), plan)) / (len(kinds) - 1))


def hook(core: str, compiler: Compiler, level: str) -> int:
    """Bytes of each step in firmware, that looks at what each gives."""
    plan = wake_word()
    alone, whole = bare(plan, core, compiler, level), build_firmware(plan, stand_in(core), at(core, compiler), level)
    there = functions_of(alone, plan)
    kernels = sum(size for name, size in functions_of(whole, plan).items() if name in there)
    return round((rest_of(whole, plan) + kernels - rest_of(alone, plan) - sum(there.values())) / len(plan.steps))


def of_boards(compiler: Compiler, level: str) -> Iterator[tuple[str, dict]]:
    """What is not the app's, of each board that can be built."""
    plan, found = wake_word(), []
    for board in boards():
        if board.lacks or board.core == "host" or compiler.name not in cross_compilers(board.riscv):
            continue
        with_compiler = cross_compilers(board.riscv)[compiler.name]
        image = build_firmware(plan, board, with_compiler, level)
        alone = functions_of(bare(plan, board.core, compiler, level), plan)
        there = functions_of(image, plan)
        in_both = sum(size for name, size in there.items() if name in alone)
        library = {name: size for name, size in there.items() if name.startswith("__") and name not in alone}
        test = sum(size for name, size in image.objects if name in ("ts_golden_x", "ts_golden_digests"))
        code = image.sizes.flash - plan.table_bytes - test - text_bytes(plan) - rest_of(image, plan) - in_both - sum(library.values())
        (x,) = plan.x
        ram = image.sizes.variables - plan.ram_bytes - 2 * x.bytes - 4 * len(plan.steps)
        found.append(dict(code=code, ram=ram, library=library))
        yield board.name, found[-1]
    yield "other", {key: round(statistics.median(one[key] for one in found)) for key in ("code", "ram")} | dict(library={})


# --- what is compiled -------------------------------------------------------------------------------------------------


Example = tuple[Step, ...]
"""A step, behind the one whose state it writes where there is such a one."""


def examples() -> dict[str, list[Example]]:
    """Steps of each kind, from all EXAMPLES; of those with the same numbers the first."""
    found: dict[str, list[Example]] = defaultdict(list)
    for room in (tinystream.stages, tinystream.ops, tinystream.detectors):
        for module in pkgutil.iter_modules(room.__path__):
            for stage, *x in getattr(import_module(f"{room.__name__}.{module.name}"), "EXAMPLES", []):
                steps = steps_of(stage, x)
                for step in steps:
                    known = found[step.kind]
                    fits = len(known) < MOST or step.kind == module.name
                    if fits and numbers_of(step) not in [numbers_of(example[-1]) for example in known]:
                        known.append(as_example(steps, step))
    return {kind: known for kind, known in found.items() if known}


def as_example(steps: tuple[Step, ...], step: Step) -> Example:
    """A step of these, with what it writes to."""
    return (steps[step.sources[-1]], step) if step.writes else (step,)


def steps_of(stage, x: list) -> tuple[Step, ...]:
    """Those of an example that there is C for."""
    try:
        plan = plan_stage("model", stage, *x)
    except TinystreamError:
        return ()
    return () if plan.host_only else plan.steps


def together(some: Iterable[Example]) -> Plan:
    """Several examples side by side, each with inputs of its own."""
    steps: list[Step] = []
    x: list = []
    for *host, step in some:
        for one in (*host, step):
            inputs = len(one.x) - one.writes
            sources = tuple(-1 - len(x) - i for i in range(inputs)) + (len(steps) - 1,) * one.writes
            steps.append(replace(one, name=f"step{len(steps)}", sources=sources))
            x += one.x[:inputs]
    return plan_steps("model", tuple(x), steps, outputs=tuple(range(len(steps))))


# --- what a program has -----------------------------------------------------------------------------------------------


def functions_of(image: Image, plan: Plan) -> dict[str, int]:
    """Bytes of the functions of kernels and libraries; a compiler's copies count together."""
    found: Counter[str] = Counter()
    for name, size in image.code:
        if base(name) not in OURS and not base(name).startswith((f"{plan.name}_", "ts_native_")):
            found[base(name)] += size
    return dict(found)


def rest_of(image: Image, plan: Plan) -> int:
    """Bytes of the app's own functions, and of what its steps are told."""
    steps = {step.name for step in plan.steps}
    functions = sum(size for name, size in image.code if base(name).startswith(f"{plan.name}_"))
    return functions + sum(size for name, size in image.objects if base(name) in steps)


def base(name: str) -> str:
    """Without what a compiler adds to a copy of its own."""
    return name.split(".")[0]


@cache
def wake_word() -> Plan:
    return plan_file(ROOT / "apps/wake_word")


def stand_in(core: str) -> Board:
    """A board of that core."""
    names = {"cortex-m0": "microbit", "cortex-m4": BOARD, "cortex-m55": "qemu_mps3_an547", "rv32imac": "qemu_riscv32_virt"}
    return find_board(names[core])


# --- how good they are ------------------------------------------------------------------------------------------------


def check() -> int:
    """Firmware of the apps, and of models; of them the wake word alone was measured, for what boards take."""
    told: dict[str, list[float]] = {"apps": [], "models": []}
    for compiler in cross_compilers().values():
        for level in LEVELS:
            for name, what, took, guess in (*of_apps(compiler, level), *of_models(compiler, level)):
                told[what].append(guess / took - 1)
                print(f"{compiler.name} {level} {name:<60} {took:>7} {guess:>7} {100 * told[what][-1]:+6.1f} %", flush=True)
    for what, errors in told.items():
        far = sorted(map(abs, errors))
        shares = ((len(far) // 2, "half"), (len(far) * 9 // 10, "nine of ten"), (-1, "all")) if far else ()
        within = sum(error <= 0.1 for error in far)
        print(f"{what}: {within} of {len(far)} within 10 %; " + ", ".join(f"{share} within {100 * far[at]:.1f} %" for at, share in shares))
    return 0


def of_apps(compiler: Compiler, level: str) -> Iterator[tuple[str, str, int, int]]:
    for path in sorted((ROOT / "apps").iterdir()):
        try:
            plan = plan_file(path)
        except TinystreamError:
            continue        # its model is not here
        for name in BOARDS:
            board = find_board(name)
            if compiler.name not in cross_compilers(board.riscv) or len(plan.x) > 1:
                continue
            with_compiler = cross_compilers(board.riscv)[compiler.name]
            try:
                told = compiled(plan, board, with_compiler, level)
            except TinystreamError as error:
                print(f"{path.name} on {name}: {error}")        # it has no such sensor, or too little memory
                continue
            yield f"{path.name} on {name}", "apps", told.code, estimated(plan, board, compiler.name, level).code


def of_models(compiler: Compiler, level: str) -> Iterator[tuple[str, str, int, int]]:
    """With what a board has beside them, which is the same in both."""
    measured = measured_code(compiler.name, level)
    for core, table in measured["cores"].items():
        board = measured["boards"][stand_in(core).name]
        for path in sorted(SHARED.rglob("*.tflite")) if SHARED.is_dir() else []:
            try:
                plan = plan_model(pruned(parse_model(path.read_bytes(), path.name)), rewrite=True)
            except (TinystreamError, AssertionError):
                continue
            image = bare(plan, core, compiler, level)
            took = rest_of(image, plan) + sum((board["library"] | functions_of(image, plan)).values())
            guess = estimated_code(plan, core, compiler.name, level, board["library"]) - table["hook"] * len(plan.steps)
            yield f"{path.stem[:40]} on {core}", "models", board["code"] + took, board["code"] + guess


if __name__ == "__main__":
    sys.exit(main())
