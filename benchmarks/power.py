"""Do latency, energy and streaming power come out as MLPerf Tiny has published them?

    python benchmarks/power.py

Needs a compiler for Cortex-M and the emulator (`pip install 'tinystream[mcu]'`), the table of published results and the models
(TINYSTREAM_SHARED names the folder that has them as reference/tables/mlperf_tiny.csv and data/models/mlperf_tiny).  Writes
docs/power-validation.md and its picture.  A bar that is missed is named, and the exit code is 1.

Every board is held out in turn: what is told of it is computed from rows of other boards, but for its own current.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import log10
from pathlib import Path
from statistics import median

import numpy as np
from scipy.optimize import least_squares

from tinystream import App, Microphone
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.cycles import Cycles, cycle_table
from tinystream.firmware.profile import profile
from tinystream.ops._prune import pruned
from tinystream.plan.model import read_model
from tinystream.plan.plan import plan_model
from tinystream.power.battery import Pack
from tinystream.power.board import BoardPower, find_board_power
from tinystream.power.counts import count_runs
from tinystream.power.estimate import Estimate, Setup, StepCycles, estimate
from tinystream.power.figure import Figure, Table
from tinystream.power.interval import Interval, exactly
from tinystream.power.parts import Battery, Sensor
from tinystream.run.engine import Engine
from tinystream.stages import DcNotch

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("TINYSTREAM_SHARED", ROOT.parent / "shared"))
TABLE = SHARED / "reference/tables/mlperf_tiny.csv"
PAGE, PICTURE = ROOT / "docs/power-validation.md", ROOT / "docs/power-validation.svg"

MEMORY = Interval(1 / 1.3, 1, 1.3)
"""Cycles on one board for each on another of the same core: both ways of the factor that boards without one of their own have."""

MODELS = {"ad": "ad01_int8", "ic": "ic_resnet_int8", "kws": "kws_ref_model_int8", "vww": "vww_96_int8"}
CORES = {"CM0+": "Cortex-M0+", "CM4": "Cortex-M4", "CM33": "Cortex-M33", "CM7": "Cortex-M7"}
BOARDS = {
    "U575ZI": ("nucleo_u575zi", "smps"), "U385RG": ("nucleo_u385rg", "smps"), "L4R5ZI": ("nucleo_l4r5zi", "ldo"),
    "L4R5ZI-P": ("nucleo_l4r5zi", "smps"), "H7A3ZI": ("nucleo_h7a3zi", "smps"), "XG24-DK2601B": ("xg24_dk2601b", "dcdc"),
}  # fmt: skip
"""Boards of the table whose currents are known here, with the mode of their supply."""
PUBLISHED_PER_INSTRUCTION = {"ad": (1.71, 1.42), "ic": (1.46, 1.38), "kws": (1.37, 1.71), "vww": (1.45, 1.58)}
"""Cycles an instruction on a NUCLEO-L4R5ZI: published latency of microTVM's submissions to v1.0, with CMSIS-NN and as plain generated C,
over the instructions of their sources as counted exactly (gcc 12 -O2, another compiler version than on the board)."""

BARS = dict(latency=0.15, energy=0.15, saving=0.05, coverage=0.80)
HOP_S = 0.032


@dataclass(frozen=True)
class Row:
    """One published result of an int8 model.  code: whose kernels, and of which years where they changed much."""

    board: str
    core: str
    code: str
    model: str
    clock_hz: float
    supply_v: float | None
    latency_s: float
    energy_uj: float | None
    duty: float | None
    power_uw: float | None

    @property
    def cycles(self) -> float:
        return self.latency_s * self.clock_hz


@dataclass(frozen=True)
class Predicted:
    row: Row
    published: float
    told: Interval

    @property
    def error(self) -> float:
        return abs(self.told.nominal / self.published - 1)

    @property
    def covered(self) -> bool:
        return self.told.low <= self.published <= self.told.high


@dataclass(frozen=True)
class Streamed:
    """A board at its fast and at its slow clock: published and estimated mean power, µW."""

    board: str
    clocks_hz: tuple[float, ...]
    published: tuple[float, ...]
    told: tuple[Interval, ...]

    @property
    def savings(self) -> tuple[float, float]:
        """Published, and estimated."""
        return 1 - self.published[1] / self.published[0], 1 - self.told[1].nominal / self.told[0].nominal


@dataclass(frozen=True)
class Validation:
    """All that the page tells."""

    latency: list[Predicted]
    others: list[Predicted]
    per_instruction: dict[str, Interval]
    energy: list[Predicted]
    currents: list[Predicted]
    streamed: list[Streamed]
    blind: dict[str, float]

    @property
    def intervals(self) -> list[bool]:
        streaming = [told.low <= power <= told.high for s in self.streamed for power, told in zip(s.published, s.told)]
        return [p.covered for p in (*self.latency, *self.energy, *self.currents)] + streaming

    @property
    def off(self) -> list[float]:
        """Errors of cycles an instruction, against both published codes of each model."""
        return [abs(told.nominal / other - 1) for model, told in self.per_instruction.items() for other in PUBLISHED_PER_INSTRUCTION[model]]

    def missed(self) -> Iterator[str]:
        """Bars that are not kept."""
        coverage = sum(self.intervals) / len(self.intervals)
        for what, value, limit in (
            ("median error of latency", middle(self.latency), BARS["latency"]),
            ("median error of latency of another model", middle(self.others), BARS["latency"]),
            ("median error of cycles an instruction", median(self.off), BARS["latency"]),
            ("median error of energy", middle(self.energy), BARS["energy"]),
            ("median error of energy by the published latency", middle(self.currents), BARS["energy"]),
        ):
            if value > limit:
                yield f"{what}: {value:.1%}, the bar is {limit:.0%}"
        for found in self.streamed:
            published, told = found.savings
            if told <= 0 or abs(told - published) > BARS["saving"]:
                yield f"{found.board}: the slower clock saves {told:.1%}, published {published:.1%}"
        if coverage < BARS["coverage"]:
            yield f"intervals hold {coverage:.0%} of the rows, the bar is {BARS['coverage']:.0%}"


def main() -> int:
    if not TABLE.is_file():
        print(f"{TABLE} is not here: TINYSTREAM_SHARED names the folder that has reference/tables", file=sys.stderr)
        return 1
    found = validate(read_rows())
    PAGE.write_text(page(found), encoding="utf-8")
    PICTURE.write_text(picture(found), encoding="utf-8")
    missed = list(found.missed())
    for words in missed:
        print(f"missed: {words}", file=sys.stderr)
    return 1 if missed else 0


def read_rows() -> list[Row]:
    """int8 results of plain Cortex-M cores; what was submitted again unchanged counts once."""
    with TABLE.open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["core_class"] in CORES and line["dtype"] == "int8"]
    return [
        Row(
            board=line["board"].upper().replace("_", "-").removeprefix("NUCLEO-").removesuffix("-Q"),
            core=line["core_class"],
            code=code_of(line["stack_class"], line["stack"]),
            model=line["benchmark"],
            clock_hz=1e6 * float(line["clock_mhz"]),
            supply_v=number(line["supply_V"]),
            latency_s=float(line["latency_ms"]) / 1000,
            energy_uj=number(line["energy_uJ"]),
            duty=number(line["duty_cycle_energy_run"]),
            power_uw=1000 * float(line["avg_power_mW"]) if line["avg_power_mW"] else None,
        )
        for line in lines
        if not line["duplicate_of"]
    ]


def code_of(family: str, stack: str) -> str:
    """X-CUBE-AI by its major version, 9 and 10 as one; Plumerai's engine by whether it is the one of 2023.05."""
    version = re.match(r"X-CUBE-AI (\d+)\.", family)
    if version:
        return f"X-CUBE-AI {min(9, int(version[1]))}"
    return f"{family} 2023.05" if "2023.05" in stack else family


def number(text: str) -> float | None:
    return float(text) if text else None


def validate(rows: list[Row]) -> Validation:
    single = [row for row in rows if row.model in MODELS]
    streaming = [row for row in rows if row.model == "sww" and row.board in BOARDS]
    latency, known = list(same_code(single)), [Predicted(row, row.latency_s, exactly(row.latency_s)) for row in single]
    return Validation(
        latency, list(other_models(single)), cycles_per_instruction(), list(energies(latency)), list(energies(known)),
        streams(streaming), blind(streaming, single),
    )  # fmt: skip


# --- latency --------------------------------------------------------------------------------------------------


def same_code(rows: list[Row]) -> Iterator[Predicted]:
    """The median of what the same code takes for the same model on other boards of that core."""
    for row in rows:
        peers = [r.cycles for r in rows if (r.core, r.code, r.model) == (row.core, row.code, row.model) and r.board != row.board]
        if peers:
            yield Predicted(row, row.latency_s, MEMORY * (median(peers) / row.clock_hz))


def other_models(rows: list[Row]) -> Iterator[Predicted]:
    """By the operations of a model, their weights and the code's scale fitted to the other boards; any model of theirs counts."""
    work = {model: operations(model) for model in MODELS}
    for board in sorted({row.board for row in rows}):
        others = [row for row in rows if row.board != board]
        weights = fitted(others, work)
        scales = grouped((row.core, row.code, row.cycles / float(weights @ work[row.model])) for row in others)
        for row in rows:
            if row.board == board and (row.core, row.code) in scales:
                cycles = median(scales[row.core, row.code]) * float(weights @ work[row.model])
                yield Predicted(row, row.latency_s, exactly(cycles / row.clock_hz))


def operations(model: str) -> np.ndarray:
    """Products of convolutions, of depthwise and of pointwise ones and of dense layers; and outputs."""
    counts = np.zeros(5)
    for op in read_model(SHARED / f"data/models/mlperf_tiny/{MODELS[model]}.tflite").needed:
        y = int(np.prod(op.outputs[0].shape))
        counts[4] += y
        if op.kind == "conv_2d":
            _, height, width, depth = op.inputs[1].shape
            counts[0 if height * width > 1 else 2] += y * height * width * depth
        elif op.kind == "depthwise_conv_2d":
            counts[1] += y * op.inputs[1].shape[1] * op.inputs[1].shape[2]
        elif op.kind == "fully_connected":
            counts[3] += int(np.prod(op.inputs[1].shape))
    return counts


def fitted(rows: list[Row], work: dict[str, np.ndarray]) -> np.ndarray:
    """Weights of operations, each code with a scale of its own: least squares of logarithms, drawn a little towards 1."""
    codes = sorted({(row.core, row.code) for row in rows})
    member = [[i for i, row in enumerate(rows) if (row.core, row.code) == code] for code in codes]
    measured, done = np.log([row.cycles for row in rows]), np.array([work[row.model] for row in rows])

    def residuals(x: np.ndarray) -> np.ndarray:
        found = measured - np.log(done @ weights_of(x))
        for group in member:
            found[group] -= np.median(found[group])
        return np.concatenate([found, 0.3 * x])

    return weights_of(least_squares(residuals, np.zeros(4), loss="soft_l1", f_scale=0.1).x)


def weights_of(x: np.ndarray) -> np.ndarray:
    """Pointwise is the unit."""
    return np.insert(np.exp(x), 2, 1.0)


def grouped(found: Iterable[tuple[str, str, float]]) -> dict[tuple[str, str], list[float]]:
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for core, code, value in found:
        groups[core, code].append(value)
    return groups


@cache
def cycles_per_instruction() -> dict[str, Interval]:
    """Of our emitted C on an emulated Cortex-M4, with the memory of the L4R5: what `tinystream power` would take of these models."""
    found = {}
    for model, file in MODELS.items():
        read = read_model(SHARED / f"data/models/mlperf_tiny/{file}.tflite")
        plan = replace(plan_model(pruned(read), Fraction(30), rewrite=True), name=model)
        x = [np.random.default_rng(7).integers(-128, 128, (1, *s.shape), dtype=np.int8) for s in plan.x]
        memory = find_board_power("nucleo_l4r5zi").board.memory
        assert memory, "the board tells its memory"
        profiled = profile(plan, x, cycle_table("cortex-m4"), cross_compiler(None), memory=Cycles(*memory.factor))
        found[model] = Interval(*(profiled.cycles.sum(axis=(0, 1)) / profiled.instructions.sum()).tolist())
    return found


# --- energy ---------------------------------------------------------------------------------------------------


def energies(latency: list[Predicted]) -> Iterator[Predicted]:
    """Latency as told x the run current of power.toml x the voltage that was supplied."""
    for predicted in latency:
        row = predicted.row
        if row.energy_uj and row.supply_v and row.board in BOARDS:
            board, mode = board_of(row.board)
            current_ua = board.run_ua(board.find_mode(mode), row.clock_hz, 25)
            at_v = row.supply_v if board.find_mode(mode).kind == "ldo" else board.find_mode(mode).at_v
            yield Predicted(row, row.energy_uj, predicted.told * current_ua * at_v)


def board_of(name: str) -> tuple[BoardPower, str]:
    board, mode = BOARDS[name]
    return find_board_power(board), mode


# --- streaming wake word --------------------------------------------------------------------------------------


def streams(rows: list[Row]) -> list[Streamed]:
    """Boards that were measured at two clocks, by the sum of tinystream.power; cycles of a hop as measured at the fast clock."""
    found = []
    for board in dict.fromkeys(row.board for row in rows):
        fast, *slow = sorted((row for row in rows if row.board == board), key=lambda row: -row.clock_hz)
        if slow:
            pair = (fast, slow[0])
            told = tuple(power_uw(row, hop_cycles(fast)) for row in pair)
            found.append(Streamed(board, tuple(row.clock_hz for row in pair), tuple(row.power_uw or 0 for row in pair), told))
    return sorted(found, key=lambda s: s.board, reverse=True)


def hop_cycles(row: Row) -> float:
    assert row.duty, "a streaming row tells its duty"
    return row.duty * HOP_S * row.clock_hz


def power_uw(row: Row, cycles: float) -> Interval:
    """Of board and capture alone, as the benchmark measures it: the microphone is a file, the supply an instrument."""
    found = streamed(row, cycles)
    return found.total_ua * (row.supply_v or 0)


def streamed(row: Row, cycles: float) -> Estimate:
    board, mode = board_of(row.board)
    plan = App(name="hop", source=Microphone(rate_hz=16_000, block_ms=1000 * HOP_S), stages=[DcNotch()]).plan()
    counts = count_runs(plan, Engine(plan), [np.zeros(16_000, np.int16)])
    told = {step.name: StepCycles(exactly(cycles), "measured", "MLPerf Tiny v1.3, at the fast clock") for step in plan.steps}
    return estimate(counts, told, Setup(board, supply(row.supply_v or 0), SILENT, regulator="direct", mode=mode, clock_hz=row.clock_hz))


def supply(volts: float) -> Pack:
    """A battery that is none."""
    flat, nothing = Table(points=((0, 1), (1e9, 1)), status="exact", source="an instrument"), figure(0)
    warm = Table(points=((-40, 1), (85, 1)), status="exact", source="an instrument")
    cell = Battery(
        name="supply", says="an instrument", capacity_mah=figure(1), cell_v=volts, max_v=volts, end_v=volts, cut_off=flat, load=flat,
        pulse=flat, temperature=warm, self_discharge_percent_year=nothing,
    )  # fmt: skip
    return Pack(cell, 1)


def figure(value: float) -> Figure:
    return Figure(value=value, status="exact", source="the benchmark's rules")


SILENT = Sensor(
    name="file", says="sound from a file", feeds=("microphone",), capture="i2s", standby_ua=figure(0), start_s=figure(0),
    current_ua=Table(points=((1, 0), (1e6, 0)), status="exact", source="the benchmark's rules"),
)  # fmt: skip


def blind(rows: list[Row], single: list[Row]) -> dict[str, float]:
    """The saving by the slow clock where only the fast one was measured: run current proportional to the clock, and what idle and
    capture share by the median of the other two boards."""
    pairs = {s.board: s for s in streams(rows)}
    share = {}
    for name in pairs:
        board, mode = board_of(name)
        capture, idle = board.find_mode(mode).capture["i2s"].value, board.find_mode(mode).idle.points[-1][1]
        share[name] = capture / (capture + idle)
    found = {}
    for name, pair in pairs.items():
        fast = next(row for row in rows if row.board == name and row.clock_hz == pair.clocks_hz[0])
        energy = [r.energy_uj / r.latency_s for r in single if r.board == name and r.energy_uj and r.supply_v == fast.supply_v]
        run, duty, ratio = median(energy), fast.duty or 0, pair.clocks_hz[1] / pair.clocks_hz[0]
        idle = ((fast.power_uw or 0) - duty * run) / (1 - duty)
        still = median(share[other] for other in pairs if other != name) * idle
        slow = still + duty / ratio * run * ratio + (1 - duty / ratio) * (idle - still) * ratio
        found[name] = 1 - slow / (still + duty * run + (1 - duty) * (idle - still))
    return found


# --- page and picture -----------------------------------------------------------------------------------------


def middle(found: list[Predicted]) -> float:
    return median(p.error for p in found)


def tenth(found: list[Predicted]) -> float:
    """The error that one in ten is beyond."""
    return float(np.quantile([p.error for p in found], 0.9))


def page(found: Validation) -> str:
    held = sum(found.intervals)
    return PAGE_TEXT.format(
        summary="\n".join(summary(found)),
        held=held,
        of=len(found.intervals),
        share=f"{held / len(found.intervals):.0%}",
        bar=f"{BARS['coverage']:.0%}",
        memory=f"{MEMORY.high:g}",
        latency="\n".join(by(found.latency, lambda p: CORES[p.row.core], "core")),
        others="\n".join(by(found.others, lambda p: p.row.model, "model")),
        per_instruction="\n".join(instructions(found)),
        energy="\n".join(by(found.energy, lambda p: p.row.board, "board")),
        currents="\n".join(by(found.currents, lambda p: p.row.board, "board")),
        streaming="\n".join(streaming(found)),
    )


PAGE_TEXT = """\
<!-- written by `make validate`; do not edit -->
# Power estimates against published measurements

MLPerf Tiny has published latency, energy and mean power of streaming on boards of several makers. Here every board is left out in turn,
and what is told of it comes from the others, but for its own current. The rows themselves are not in this repository.

{summary}

All stated intervals together, with those of streaming below, hold {held} of {of} rows, {share}; the bar is {bar}.

![published and estimated latency and energy](power-validation.svg)

## Latency

**Same code on another board**: the cycles that one stack takes for one model on other boards of the core, divided by this board's clock.
This is what `tinystream power` does with cycles of an emulated core, and it tests that cycles belong to core and code. The stated
interval is the memory factor of a board that has none of its own, ÷ and × {memory}.

{latency}

**Fitted over models**: weights of five kinds of operations and a scale for each stack, fitted to the other boards. Errors are largest
where a stack treats one model in a special way: newer ones leave out channels of the visual wake word that cannot matter.

{others}

**Cycles of emulated code**: the stacks above are not our code, so what can be compared is how many cycles an instruction takes. Published
are microTVM's submissions on a NUCLEO-L4R5ZI, whose sources were counted exactly; beside them our emitted C of the same models, by the
table of the Cortex-M4 and the factor of the board's memory, as `tinystream power` reckons.

{per_instruction}

## Energy of an inference

**By latency from other boards**: the latency of the same code on other boards × the run current of this board's `power.toml` × the
voltage. The interval holds the doubts of both.

{energy}

**By the published latency**, which leaves the current alone to err:

{currents}

Currents of the L4R5, U385, H7A3 and xG24 come from the median of some of these very measurements; firmware differs from row to row, and
moves the current by 10 to 25 %. That of the U575 is its data sheet's, raised by 1.25 as everywhere.

## Streaming wake word at two clocks

Mean power of a model of 0.83 million products each 32 ms, its features, and sound collected over I2S. Estimated by the sum of
`tinystream power` with the hop's cycles as measured at the fast clock; mW.

{streaming}

Idle and capture currents of these boards were derived from these two rows each. That the sum gives them back is no prediction: it shows
that its terms are the right ones, and that the slower clock wins while a peripheral keeps the clocks on. The last column is a prediction:
only the fast clock is taken as measured, run current is proportional to the clock, and idle and capture share what is left as on the other
two boards. Its errors say how much a board's own idle current matters: measure it.

## What was not tested

Sensors, radios, batteries, regulators, temperature and wake-ups: no published measurement of a whole node is at hand. Nothing was run on
hardware by us. Most boards of the table are of one maker.
"""


def summary(found: Validation) -> Iterator[str]:
    yield "| what | rows | boards | median error | 90 % below | inside the interval | bar |"
    yield "|---|---|---|---|---|---|---|"
    for what, part, bar in (
        ("latency, same code and model on other boards", found.latency, BARS["latency"]),
        ("latency, same code, fitted over models", found.others, BARS["latency"]),
        ("energy, by latency from other boards", found.energy, BARS["energy"]),
        ("energy, by the published latency", found.currents, BARS["energy"]),
    ):
        inside = f"{sum(p.covered for p in part)} of {len(part)}" if part is not found.others else "none is stated"
        boards = len({p.row.board for p in part})
        yield f"| {what} | {len(part)} | {boards} | {middle(part):.1%} | {tenth(part):.0%} | {inside} | {bar:.0%} |"
    pairs = [(told, other) for model, told in found.per_instruction.items() for other in PUBLISHED_PER_INSTRUCTION[model]]
    inside = f"{sum(told.low <= other <= told.high for told, other in pairs)} of {len(pairs)}"
    off = f"{median(found.off):.1%} | {float(np.quantile(found.off, 0.9)):.0%}"
    yield f"| cycles an instruction of emulated code | {len(pairs)} | 1 | {off} | {inside} | {BARS['latency']:.0%} |"


def by(found: list[Predicted], key: Callable[[Predicted], str], name: str) -> Iterator[str]:
    yield f"| {name} | rows | median error | worst |"
    yield "|---|---|---|---|"
    for value in sorted({key(p) for p in found}):
        part = [p for p in found if key(p) == value]
        yield f"| {value} | {len(part)} | {middle(part):.1%} | {max(p.error for p in part):.0%} |"


def instructions(found: Validation) -> Iterator[str]:
    yield "| model | published, with CMSIS-NN | published, plain C | estimated |"
    yield "|---|---|---|---|"
    for model, told in sorted(found.per_instruction.items()):
        library, plain = PUBLISHED_PER_INSTRUCTION[model]
        yield f"| {model} | {library:.2f} | {plain:.2f} | {told.nominal:.2f} ({told.low:.2f} to {told.high:.2f}) |"


def streaming(found: Validation) -> Iterator[str]:
    yield "| board | clocks | published | estimated | slower saves, published | estimated | by the fast clock alone |"
    yield "|---|---|---|---|---|---|---|"
    for s in found.streamed:
        clocks = " and ".join(f"{hz / 1e6:g}" for hz in s.clocks_hz) + " MHz"
        published = ", ".join(f"{p / 1000:.2f}" for p in s.published)
        told = ", ".join(f"{t.nominal / 1000:.2f} ({t.low / 1000:.1f} to {t.high / 1000:.1f})" for t in s.told)
        yield f"| {s.board} | {clocks} | {published} | {told} | {s.savings[0]:.0%} | {s.savings[1]:.0%} | {found.blind[s.board]:.0%} |"


def picture(found: Validation) -> str:
    """Published across, estimated up, both logarithmic; a line is the stated interval."""
    parts = [*panel(found.latency, "latency of an inference, s", 0), *panel(found.currents, "energy of an inference, µJ", 410)]
    style = (
        "text{font:12px sans-serif;fill:#333} line{stroke:#999} .interval{stroke:#8ab} "
        ".equal{stroke:#bbb;stroke-dasharray:4 3} circle{fill:#246;fill-opacity:.6}"
    )
    body = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="820" height="410" viewBox="0 0 820 410">\n'
        f'<style>{style}</style>\n<rect width="820" height="410" fill="#fff"/>\n{body}\n</svg>\n'
    )


def panel(found: list[Predicted], title: str, left: int) -> Iterator[str]:
    values = [v for p in found for v in (p.published, p.told.low, p.told.high)]
    low, high = int(np.floor(log10(min(values)))), int(np.ceil(log10(max(values))))

    def place(value: float) -> float:
        return 320 * (log10(value) - low) / (high - low)

    x0, y0 = left + 60, 360
    yield f'<text x="{x0}" y="24">{title}</text>'
    for power in range(low, high + 1):
        at, label = place(10.0**power), f"{10.0**power:g}"
        yield f'<line x1="{x0 + at:.1f}" y1="{y0}" x2="{x0 + at:.1f}" y2="{y0 - 320}" stroke-opacity=".25"/>'
        yield f'<line x1="{x0}" y1="{y0 - at:.1f}" x2="{x0 + 320}" y2="{y0 - at:.1f}" stroke-opacity=".25"/>'
        yield f'<text x="{x0 + at:.1f}" y="{y0 + 16}" text-anchor="middle">{label}</text>'
        yield f'<text x="{x0 - 6}" y="{y0 - at + 4:.1f}" text-anchor="end">{label}</text>'
    yield f'<line class="equal" x1="{x0}" y1="{y0}" x2="{x0 + 320}" y2="{y0 - 320}"/>'
    yield f'<text x="{x0 + 160}" y="{y0 + 36}" text-anchor="middle">published</text>'
    yield f'<text x="{left + 14}" y="200" text-anchor="middle" transform="rotate(-90 {left + 14} 200)">estimated</text>'
    for p in found:
        x, ends = x0 + place(p.published), [y0 - place(v) for v in (p.told.low, p.told.high)]
        yield f'<line class="interval" x1="{x:.1f}" y1="{ends[0]:.1f}" x2="{x:.1f}" y2="{ends[1]:.1f}"/>'
        yield f'<circle cx="{x:.1f}" cy="{y0 - place(p.told.nominal):.1f}" r="3"/>'


if __name__ == "__main__":
    sys.exit(main())
