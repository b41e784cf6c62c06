"""How much code does each kind of step take?  Measures what `tinystream show --board` estimates from.

    python benchmarks/code_size.py            measure everything; writes firmware_templates/cores/code.json.  About 20 minutes of a core.
    python benchmarks/code_size.py --missing  measure the kinds that the file does not have, and leave the others
    python benchmarks/code_size.py --check    how far estimates are from programs that were not measured for them

Every kind is compiled alone, as its module's EXAMPLES have it, and twice and thrice in a plan: one call is inlined where three are not.
A kind that no example has alone, such as `hold`, is what its example takes beyond the kinds beside it, however often it is called.
What a compiler leaves out because a model does not need it is not known, so most estimates that are off are too high.
What a function of a library takes counts once, whoever calls it.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import re
import statistics
import sys
from collections.abc import Iterator
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
from tinystream.firmware.sizes import estimated_code, measured_code
from tinystream.ops._prune import pruned
from tinystream.plan.model import parse_model
from tinystream.plan.plan import Plan, Wiring, plan_model, plan_stage, plan_steps

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared/data/models"
CORES = ("cortex-m0", "cortex-m4")  # of the two instruction sets; others take the second
LEVELS = ("-O2", "-Os")
TIMES = 3
OURS = {"main", "ts_start", "ts_wait", "ts_run", "ts_serve", "ts_take", "ts_give", "ts_call", "ts_open", "ts_fault", "ts_host"}
"""Functions of the bare images that are neither the app's nor a library's."""
BOARD = "qemu_mps2_an386"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare estimates with programs")
    parser.add_argument("--missing", action="store_true", help="measure what is new")
    told = parser.parse_args()
    if told.check:
        return check()
    path = templates() / "cores/code.json"
    found = json.loads(path.read_text(encoding="utf-8")) if told.missing else {}
    for compiler in cross_compilers().values():
        for level in LEVELS:
            print(compiler.name, level, file=sys.stderr)
            name = f"{compiler.name} {level}"
            if told.missing:
                complete(found[name]["cores"], compiler, level)
            else:
                found[name] = measured(compiler, level)
    text = json.dumps(found, separators=(",", ":")).replace('],"', '],\n"').replace('},"', '},\n"')
    path.write_text(f"{text}\n", encoding="utf-8")
    return check()


def complete(cores: dict[str, dict], compiler: Compiler, level: str) -> None:
    """What there is, with the kinds that are not there yet."""
    for core, found in cores.items():
        table, known = found["kinds"], dict(found["library"])

        def keep(kind: str, sizes: list[int], images: list[Image], table=table, known=known) -> None:
            calls = {name: size for image in images for name, size in library(image).items()}
            known |= {name: size for name, size in calls.items() if name not in known}
            table[kind] = [*sizes, sorted([*known].index(name) for name in calls)]

        for kind, plans in kinds():
            if kind not in table:
                images = [build_image(plan, find_core(core), compiler, level) for plan in plans]
                keep(kind, [app_code(image, plan) for image, plan in zip(images, plans)], images)
        for kind, plan in beside_others(set(table)):
            image = build_image(plan, find_core(core), compiler, level)
            others = sum(table[step.kind][0] for step in plan.steps if step.kind != kind)
            keep(kind, [max(0, app_code(image, plan) - others)] * TIMES, [image])
        found["library"] = list(known.items())


def beside_others(known: set[str]) -> Iterator[tuple[str, Plan]]:
    """Each kind that no example has alone, with the plan of an example in which it is the only one that is not known."""
    found = set(known)
    for room in (tinystream.stages, tinystream.ops, tinystream.detectors):
        for module in pkgutil.iter_modules(room.__path__):
            code = import_module(f"{room.__name__}.{module.name}")
            for stage, *x in getattr(code, "EXAMPLES", []):
                plan = plan_stage("model", stage, *x)
                new = {step.kind for step in plan.steps if step.kind not in found}
                if len(new) == 1 and not plan.host_only:
                    found |= new
                    yield new.pop(), plan


def measured(compiler: Compiler, level: str) -> dict:
    cores: dict[str, dict] = {core: {"kinds": {}, "library": []} for core in CORES}
    complete(cores, compiler, level)
    for core, found in cores.items():
        plan = wake_word()
        plain = app_code(build_image(plan, find_core(core), compiler, level), plan)
        looked_at = app_code(build_firmware(plan, stand_in(core), compiler, level), plan)
        found["hook"] = round((looked_at - plain) / len(plan.steps))
    return {"compiler": compiler.version, "cores": cores, "boards": dict(of_boards(compiler, level))}


def of_boards(compiler: Compiler, level: str) -> Iterator[tuple[str, dict]]:
    """What is not the app's, of each board that can be built."""
    plan, found = wake_word(), []
    for board in boards():
        if board.lacks or board.core == "host" or compiler.name not in cross_compilers(board.riscv):
            continue
        with_compiler = cross_compilers(board.riscv)[compiler.name]
        image = build_firmware(plan, board, with_compiler, level)
        core = find_core(board.core)
        called = library(build_image(plan, core, with_compiler, level, "plain" if core.unicorn else "watched"))
        test = sum(size for name, size in image.objects if name in ("ts_golden_x", "ts_golden_digests"))
        code = image.sizes.flash - plan.table_bytes - test - app_code(image, plan) - sum(called.values())
        (x,) = plan.x
        ram = image.sizes.variables - plan.ram_bytes - 2 * x.bytes - 4 * len(plan.steps)
        found.append(dict(code=code, ram=ram))
        yield board.name, found[-1]
    yield "other", {key: round(statistics.median(one[key] for one in found)) for key in ("code", "ram")}


def kinds() -> Iterator[tuple[str, list[Plan]]]:
    """Each kind, with a plan of one example, of two, of three."""
    for room in (tinystream.stages, tinystream.ops, tinystream.detectors):
        for module in pkgutil.iter_modules(room.__path__):
            if module.name.startswith("_"):
                continue
            code = import_module(f"{room.__name__}.{module.name}")
            found = [planned for example in code.EXAMPLES if (planned := step_of(example, module.name))]
            if found:
                yield module.name, [together([found[i % len(found)] for i in range(n)]) for n in range(1, TIMES + 1)]


def step_of(example, kind: str):
    """The steps of an example that is of this kind alone."""
    stage, *x = example
    try:
        planned = stage.plan(*x)
    except TinystreamError:
        return None
    steps = planned if isinstance(planned, list | tuple) else [planned]
    return (stage, x) if len(steps) == 1 and steps[0].kind == kind and not steps[0].writes else None


def together(examples: list) -> Plan:
    """Several examples side by side, each with inputs of its own."""
    wiring, x = Wiring(), []
    for stage, signals in examples:
        wiring.add(stage.plan(*signals), [-1 - len(x) - i for i in range(len(signals))])
        x += signals
    return plan_steps("model", tuple(x), wiring.steps, outputs=tuple(range(len(wiring.steps))))


def app_code(image: Image, plan: Plan) -> int:
    """Bytes of the app's own functions, and of what its steps are told."""
    steps = {step.name for step in plan.steps}
    functions = sum(size for name, size in image.code if base(name) in kernels() or base(name).startswith(f"{plan.name}_"))
    return functions + sum(size for name, size in image.objects if base(name) in steps)


def library(image: Image) -> dict[str, int]:
    """Functions of the compiler's libraries."""
    ours = kernels() | OURS
    return {name: size for name, size in image.code if base(name) not in ours and not re.match(r"model_|wake_word_", name)}


@cache
def kernels() -> set[str]:
    """Functions of all kernels, by their definitions."""
    texts = [path.read_text(encoding="utf-8") for path in (templates() / "kernels").glob("*.h")]
    return {name for text in texts for name in re.findall(r"^(?:TS_\w+ )?static [^;=]*?\b(ts_\w+)\(", text, re.M)}


def base(name: str) -> str:
    """Without what a compiler adds to a copy of its own."""
    return name.split(".")[0]


@cache
def wake_word() -> Plan:
    return plan_file(ROOT / "apps/wake_word")


def stand_in(core: str) -> Board:
    """A board of that core."""
    return find_board({"cortex-m0": "microbit", "cortex-m4": BOARD}[core])


# --- how good they are ------------------------------------------------------------------------------------------------


def check() -> int:
    plans = {"wake_word": wake_word()}
    for path in sorted(SHARED.rglob("*.tflite")) if SHARED.is_dir() else []:
        try:
            plans[path.stem] = plan_model(pruned(parse_model(path.read_bytes(), path.name)), rewrite=True)
        except (TinystreamError, AssertionError):
            continue
    errors = []
    for compiler in cross_compilers().values():
        for level in LEVELS:
            for core in ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"):
                hook = measured_code(compiler.name, level)["cores"]["cortex-m0" if core == "cortex-m0" else "cortex-m4"]["hook"]
                for name, plan in plans.items():
                    if core not in CORES and name != "wake_word":
                        continue
                    image = build_image(plan, find_core(core), compiler, level)
                    took = app_code(image, plan) + sum(library(image).values())
                    guess = estimated_code(plan, core, compiler.name, level) - hook * len(plan.steps)
                    errors.append(guess / took - 1)
                    print(f"{compiler.name} {level} {core:<10} {name[:40]:<40} {took:>7} {guess:>7} {100 * errors[-1]:+6.1f} %")
    far = sorted(map(abs, errors))
    shares = ((len(far) // 2, "half"), (len(far) * 9 // 10, "nine of ten"), (-1, "all"))
    print(f"{len(far)} programs: " + ", ".join(f"{share} within {100 * far[at]:.1f} %" for at, share in shares))
    return 0


if __name__ == "__main__":
    sys.exit(main())
