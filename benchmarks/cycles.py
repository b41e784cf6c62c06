"""Fit what a step takes to what it computes, for where there is no compiler: firmware_templates/cores/kernels.csv.

    python benchmarks/cycles.py             fits, writes the file, prints its errors; half an hour on a busy machine
    python benchmarks/cycles.py --missing   fits the kernels that the file does not have, and leaves the others
    python benchmarks/cycles.py --check     prints the errors of the file as it is

Each kernel is fitted to the examples of its module, built for three cores by zig at -O2: what a run takes is a sum over the classes of
Step.cost, none of which takes less than nothing, with the least relative error.  The errors are those on models and an app, none of which
the fit has seen: models that are not here are left out, see docs/mcu.md.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
from mcu import WORKS, file_of, planned, random_blocks
from scipy.optimize import nnls

import tinystream.detectors
import tinystream.ops
import tinystream.stages
from tinystream.app.planning import plan_file
from tinystream.emit.templates import templates
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.cycles import cycle_table
from tinystream.firmware.estimate import fitted, step_counts
from tinystream.firmware.profile import noise, profile
from tinystream.plan.model import read_model
from tinystream.plan.plan import Plan, plan_stage
from tinystream.plan.step import Step

CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4")
ROOMS = (tinystream.stages, tinystream.ops, tinystream.detectors)
APP = Path(__file__).parents[1] / "apps/wake_word"
BLOCKS = 24
COLUMNS = ("core", "kind", "class", "instructions", "cycles")


@dataclass(frozen=True)
class Row:
    """What a run of a step took, and how often it ran."""

    step: Step
    runs: int
    taken: tuple[float, float]  # instructions, nominal cycles without wait states


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fit nothing")
    parser.add_argument("--missing", action="store_true", help="fit what is new")
    options = parser.parse_args()
    if options.missing:
        kinds = [kind for kind in all_kinds() if any(kind not in fitted(core) for core in CORES)]
        print(f"fits {len(kinds)} kernels: {', '.join(kinds)}", file=sys.stderr)
        write(templates() / "cores/kernels.csv", {core: fitted(core) | new(core, kinds) for core in CORES})
    elif not options.check:
        fits = {core: fit([row for plan, x in examples() for row in rows_of(plan, x, core)]) for core in CORES}
        write(templates() / "cores/kernels.csv", fits)
    print(f"{'instructions and cycles, estimated / emulated':<46} {'plan':>12} {'steps, from':>12} {'to':>6}")
    for core in CORES:
        for plan, x in unseen():
            print(errors(core, plan.name, list(rows_of(plan, x, core))))
    return 0


def all_kinds() -> list[str]:
    """Every kernel that an example plans."""
    return sorted({step.kind for plan, _ in examples() for step in plan.steps if not step.host_only})


def new(core: str, kinds: list[str]) -> dict[str, dict[str, tuple[float, ...]]]:
    """These kernels, each fitted to the examples that have it."""
    some = [(plan, x) for plan, x in examples() if any(step.kind in kinds for step in plan.steps)]
    rows = [row for plan, x in some for row in rows_of(plan, x, core) if row.step.kind in kinds]
    return {kind: classes for kind, classes in fit(rows).items() if kind}


def examples() -> Iterator[tuple[Plan, list[np.ndarray]]]:
    """Each example of each kernel, with blocks."""
    for room in ROOMS:
        for found in iter_modules(room.__path__):
            module = import_module(f"{room.__name__}.{found.name}")
            if found.name.startswith("_") or getattr(module, "HOST_ONLY", False):
                continue
            for stage, *signals in module.EXAMPLES:
                yield plan_stage(found.name, stage, *signals), blocks(module, tuple(signals))


def blocks(module, signals) -> list[np.ndarray]:
    """As the module wants them, or any values."""
    rng, own = np.random.default_rng(3), getattr(module, "inputs", None)
    if own is not None:
        return own(signals, rng, BLOCKS)
    ranges = [np.iinfo(s.dtype) for s in signals]
    return [rng.integers(r.min, r.max, (BLOCKS, *s.shape), dtype=s.dtype, endpoint=True) for r, s in zip(ranges, signals)]


def unseen() -> Iterator[tuple[Plan, list[np.ndarray]]]:
    plan = plan_file(APP)
    yield plan, noise(plan)
    for name in WORKS:
        path = file_of(name)
        if path is None:
            print(f"{name}: left out, its file is not here", file=sys.stderr)
        else:
            plan = planned(read_model(path), name)
            yield plan, random_blocks(plan, WORKS[name].blocks)


def rows_of(plan: Plan, x: list[np.ndarray], core: str) -> Iterator[Row]:
    found = profile(plan, x, cycle_table(core), cross_compiler("zig"))
    for i, step in enumerate(plan.steps):
        run, runs = found.step_run(i), int(found.runs[i])
        if run is not None:
            yield Row(step, runs, (float(found.instructions[:, i].sum() / runs), run.nominal))


def fit(rows: list[Row]) -> dict[str, dict[str, tuple[float, ...]]]:
    """kind -> class -> (instructions, cycles); kind "" is fitted to all."""
    by_kind: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_kind[row.step.kind].append(row)
    return {kind: fit_kernel(some) for kind, some in sorted([("", rows), *by_kind.items()])}


def fit_kernel(rows: list[Row]) -> dict[str, tuple[float, ...]]:
    classes = sorted({name for row in rows for name in row.step.cost})
    operations = np.array([[1.0, *(row.step.cost.get(name, 0) for name in classes)] for row in rows])
    taken = np.array([row.taken for row in rows])
    solved = [nnls(operations / y[:, None], np.ones(len(y)))[0] for y in taken.T]
    return {name: tuple(map(float, each)) for name, each in zip(["", *classes], zip(*solved))}


def write(path: Path, cores: dict[str, dict[str, dict[str, tuple[float, ...]]]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("# What an operation of a class of Step.cost takes in each kernel; class '' is a run's own, kind '' is any kernel.\n")
        file.write("# By benchmarks/cycles.py, zig -O2, without wait states; see tinystream/firmware/estimate.py.\n")
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for core, kernels in cores.items():
            for kind, classes in kernels.items():
                table.writerows([core, kind, name, f"{n:.4g}", f"{cycles:.4g}"] for name, (n, cycles) in classes.items())


def errors(core: str, name: str, rows: list[Row]) -> str:
    """Estimated over emulated: of the whole, and of the steps that take 1 % of it or more, from the lowest to the highest."""
    estimated = np.array([step_counts(row.step, core) for row in rows], float) * [[row.runs] for row in rows]
    taken = np.array([row.taken for row in rows]) * [[row.runs] for row in rows]
    whole = estimated.sum(axis=0) / taken.sum(axis=0)
    ratio = (estimated / taken)[taken[:, 1] >= 0.01 * taken[:, 1].sum(), 1]
    return f"{core + ' ' + name:<46} {whole[0]:5.2f} {whole[1]:6.2f} {ratio.min():12.2f} {ratio.max():6.2f}"


if __name__ == "__main__":
    sys.exit(main())
