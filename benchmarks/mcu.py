"""How many instructions, how much flash and RAM does generated C take on a Cortex-M, and is it less than what people use today?

    python benchmarks/mcu.py [--model kws] [--core cortex-m4] [--compiler gcc] [--optimise O2] [--by-function] [--json]

Needs a compiler for Cortex-M, `pip install 'tinystream[mcu]'` or arm-none-eabi-gcc, and the models (TINYSTREAM_SHARED names the
folder that has them as data/models).

Each model is built as bare firmware, run in an emulator on random inputs, compared with numpy, and its instructions are
counted exactly: the median over the inputs.  A bar that is missed is named at the end, and the exit code is 1.

    instr     executed for one block, by all that the firmware calls in it
    code      in flash: code with its literals, start-up and the compiler's own helpers (mem*, long division)
    const     in flash: weights and tables
    beyond    flash beyond the weights and biases of the .tflite file
    arena     what flows between the steps
    state     what the steps remember from block to block
    RAM       all variables (arena, state, the block that comes in) and the most that the stack has held
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tinystream.firmware.core import COUNTED
from tinystream.firmware.cross import COMMANDS, cross_compiler, cross_compilers
from tinystream.firmware.listing import listing
from tinystream.firmware.measure import Measurement, measure
from tinystream.ops._prune import pruned
from tinystream.plan.model import Model, read_model
from tinystream.plan.operator import ALIASES
from tinystream.plan.plan import Plan, plan_model

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("TINYSTREAM_SHARED", ROOT.parent / "shared"))


@dataclass(frozen=True)
class Peer:
    """What others take for the same work on a Cortex-M4; 0 where it is not known.

    Measured once, with their own code: exact instructions of one inference in an emulator, gcc 12 -O2; flash of the whole ELF
    file; RAM with the stack.  Their outputs are those of TFLM's reference kernels, bit for bit, but where the name says otherwise.
    """

    name: str
    instructions: int
    flash: int = 0
    ram: int = 0


@dataclass(frozen=True)
class Bar:
    """What we promise on a Cortex-M4; None where nothing.  Beside it, RAM is less than the first peer's, and flash beyond
    the weights at most half of the first peer's."""

    instructions: int | None = None
    arena: int | None = None


SPEED = 100
"""Million instructions that the emulator executes and counts in a second of this machine's processor: what we promise."""


@dataclass
class Speed:
    """How fast instructions were emulated and counted, over all rows."""

    instructions: int = 0
    seconds: float = 0.0

    def add(self, measured: Measurement) -> None:
        self.instructions += sum(measured.instructions)
        self.seconds += measured.seconds

    @property
    def millions_a_second(self) -> float:
        return self.instructions / 1e6 / max(self.seconds, 1e-9)

    def misses(self) -> list[str]:
        """Of a short run the most is translation: it tells nothing."""
        slow = self.instructions > 100_000_000 and self.millions_a_second < SPEED
        return [f"{self}, the bar is {SPEED}"] if slow else []

    def __str__(self) -> str:
        return f"{self.instructions / 1e6:,.0f} million instructions emulated and counted, {self.millions_a_second:.0f} million a second"


@dataclass(frozen=True)
class Work:
    """A model, on how many random blocks it is measured, what we promise, and what others take; first TensorFlow Lite Micro."""

    file: str
    blocks: int
    bar: Bar
    peers: tuple[Peer, ...]


TFLM, TVM = "TFLM + CMSIS-NN", "microTVM + CMSIS-NN"
MLPERF = "data/models/mlperf_tiny"
WORKS = {
    "kws": Work(
        f"{MLPERF}/kws_ref_model_int8.tflite", 3, Bar(9_000_000, 16_400),
        (Peer(TFLM, 7_700_000, 107_000, 24_300), Peer(TVM, 8_740_000, 46_000, 18_300), Peer("TFLM reference", 43_000_000)),
    ),
    "vww": Work(
        f"{MLPERF}/vww_96_int8.tflite", 3, Bar(26_000_000, 55_400),
        (Peer(TFLM, 24_100_000, 386_000, 102_000), Peer(TVM, 24_900_000, 285_000, 93_000),
         Peer("TinyEngine (wrong bits)", 19_700_000, 245_000, 61_000)),
    ),
    "ic": Work(
        f"{MLPERF}/ic_resnet_int8.tflite", 3, Bar(31_000_000, 49_400),
        (Peer(TFLM, 29_900_000, 149_000, 56_500), Peer(TVM, 31_900_000, 99_000, 70_000)),
    ),
    "ad": Work(
        f"{MLPERF}/ad01_int8.tflite", 3, Bar(750_000, 800),
        (Peer(TFLM, 583_000, 305_000, 4_000), Peer(TVM, 606_000, 275_000, 6_900)),
    ),
    "streaming": Work(f"{MLPERF}/str_ww_ref_model_int8.tflite", 3, Bar(), (Peer(TFLM, 2_230_000, 125_000, 17_900),)),
    "micro_speech": Work(
        "data/models/tflm/micro_speech_quantized.tflite", 3, Bar(1_600_000), (Peer(TFLM, 1_500_000, 62_800, 8_300),)
    ),
    "okay_nabu": Work("", 60, Bar(130_000), (Peer(TFLM, 261_000, 148_000, 24_500),)),  # the package's own file
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One model on one core by one compiler."""

    model: str
    core: str
    compiler: str
    optimise: str
    macs: int
    instructions: int
    code: int
    constants: int
    weights: int
    arena: int
    state: int
    block: int
    variables: int
    stack: int

    @property
    def beyond_weights(self) -> int:
        return self.code + self.constants - self.weights

    @property
    def ram(self) -> int:
        return self.variables + self.stack


def main() -> int:
    told = options()
    rows, missed, speed = [], [], Speed()
    for name in told.model:
        path = file_of(name)
        if path is None:
            print(f"{name}: left out, its file is not here\n", file=sys.stderr)
            continue
        model = read_model(path)
        plan = planned(model, name)
        x = random_blocks(plan, WORKS[name].blocks)
        if not told.json:
            print(title(name, plan))
        for core in told.core:
            for compiler in told.compiler:
                measured = measure(plan, x, core, cross_compiler(compiler), told.optimise)
                speed.add(measured)
                row = row_of(name, core, compiler, told.optimise, plan, model, measured)
                rows.append(row)
                missed += list(misses(row))
                if not told.json:
                    print(line(row))
                if told.by_function:
                    print(*breakdown(plan, measured, x, told.optimise, core, compiler), sep="\n")
                if told.listing:
                    print(*listing(measured.image, told.listing, measured.by_address), sep="\n")
        if not told.json:
            print(*peers(name), sep="\n", end="\n\n")
    if told.json:
        print(json.dumps([asdict(row) | {"beyond_weights": row.beyond_weights, "ram": row.ram} for row in rows], indent=1))
    elif rows:
        print(speed)
    missed += speed.misses()
    for words in missed:
        print(f"missed: {words}", file=sys.stderr)
    return 1 if missed else 0


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=list(WORKS), help="may be given again; all without")
    parser.add_argument("--core", action="append", choices=COUNTED, help="may be given again; m0, m4, m7 and m33 without")
    parser.add_argument("--compiler", action="append", choices=list(COMMANDS), help="may be given again; all that are here without")
    parser.add_argument("--optimise", default="O2", choices=["O1", "O2", "O3", "Os"])
    parser.add_argument("--by-function", action="store_true", help="instructions of each function, and of each step")
    parser.add_argument("--listing", metavar="FUNCTION", help="how often each instruction of it was executed, in all blocks")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    told.model = told.model or list(WORKS)
    told.optimise = f"-{told.optimise}"
    told.core = told.core or ["cortex-m0", "cortex-m4", "cortex-m7", "cortex-m33"]
    told.compiler = told.compiler or list(cross_compilers())
    return told


def file_of(name: str) -> Path | None:
    """The .tflite file, or None where it is not here."""
    path = SHARED / WORKS[name].file
    if not WORKS[name].file:
        package = find_spec("pymicro_wakeword")
        path = Path(package.origin).with_name("models") / f"{name}.tflite" if package and package.origin else path
    return path if path.is_file() else None


def planned(model: Model, name: str) -> Plan:
    """The model alone, as an app would have it."""
    return replace(plan_model(pruned(model), Fraction(30), rewrite=True), name=name)


def random_blocks(plan: Plan, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.integers(-128, 128, (count, *s.shape), dtype=np.int8) for s in plan.x]


def weight_bytes(model: Model) -> int:
    """Weights and biases as they lie in the file."""
    constants = {t.index: t.data.nbytes for op in model.needed if op.kind not in ALIASES for t in op.inputs if t and t.data is not None}
    return sum(constants.values())


def row_of(name: str, core: str, compiler: str, optimise: str, plan: Plan, model: Model, measured: Measurement) -> Row:
    sizes = measured.image.sizes
    return Row(
        name, core, compiler, optimise, sum(step.cost.get("mac8", 0) for step in plan.steps), measured.median,
        sizes.code, sizes.constants, weight_bytes(model), plan.arena_bytes, plan.state_bytes, sum(s.bytes for s in plan.x),
        sizes.variables, measured.stack,
    )  # fmt: skip


def misses(row: Row) -> Iterator[str]:
    """What this row promised and does not keep."""
    if row.core != "cortex-m4":
        return
    bar, tflm = WORKS[row.model].bar, WORKS[row.model].peers[0]
    where = f"{row.model} on {row.core} by {row.compiler} {row.optimise}"
    limits = (
        ("instructions", row.instructions, bar.instructions, "the bar"),
        ("bytes of arena", row.arena, bar.arena, "the bar"),
        ("bytes of flash beyond the weights", row.beyond_weights, (tflm.flash - row.weights) // 2, "half of TFLM's"),
        ("bytes of RAM", row.ram, tflm.ram, "TFLM's"),
    )
    for what, value, limit, whose in limits:
        if limit is not None and value > limit:
            yield f"{where}: {value:,} {what}, {whose} is {limit:,}"


# --- words for people -----------------------------------------------------------------------------------------

COLUMNS = "{:<24} {:>12} {:>7} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7} {:>6} {:>8}"


def title(name: str, plan: Plan) -> str:
    macs = sum(step.cost.get("mac8", 0) for step in plan.steps)
    head = COLUMNS.format("", "instr", "/MAC", "code", "const", "beyond", "arena", "state", "block", "stack", "RAM")
    return f"{name}: {macs:,} MACs\n{head}"


def line(row: Row) -> str:
    figures = (row.code, row.constants, row.beyond_weights, row.arena, row.state, row.block, row.stack, row.ram)
    who = f"{row.core} {row.compiler} {row.optimise}"
    return COLUMNS.format(who, f"{row.instructions:,}", f"{row.instructions / max(row.macs, 1):.2f}", *(f"{v:,}" for v in figures))


def peers(name: str) -> Iterator[str]:
    """The others, then what we promise."""
    for peer in WORKS[name].peers:
        flash, ram = (f"{value:,}" if value else "" for value in (peer.flash, peer.ram))
        yield COLUMNS.format(peer.name, f"{peer.instructions:,}", "", "", flash and f"= {flash}", "", "", "", "", "", ram).rstrip()
    bar = WORKS[name].bar
    limits = (f"{value:,}" if value else "" for value in (bar.instructions, bar.arena))
    yield COLUMNS.format("the bar on cortex-m4", next(limits), "", "", "", "", next(limits), "", "", "", "").rstrip()


def breakdown(plan: Plan, measured: Measurement, x: list[np.ndarray], optimise: str, core: str, compiler: str) -> Iterator[str]:
    """Instructions a block, on the average: of each function, then of each step."""
    blocks = len(x[0])
    for function, count in measured.by_function.most_common():
        yield f"    {count / blocks:>12,.0f} {function}"
    yield "    by step"
    by_step = measure(plan, x, core, cross_compiler(compiler), optimise, by_step=True).by_step
    for i, step in enumerate(plan.steps):
        macs, count = step.cost.get("mac8", 0), by_step.get(i, 0) / blocks
        a_mac = f"{count / macs:6.2f} a MAC" if macs else ""
        yield f"    {count:>12,.0f} {step.name:<28} {'x'.join(map(str, step.y.shape)):<12} {a_mac}"


if __name__ == "__main__":
    sys.exit(main())
