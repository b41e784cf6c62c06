"""Currents of a board from a measured trace: what it draws while it computes, while it waits for samples, and asleep.

The firmware drives a marker high while it processes a block (TS_MARKER, board_marker()).  So the trace falls into intervals of three
kinds: high, the core runs; low between two blocks, it idles while samples are collected, or sleeps beside a sensor with a FIFO; low for
as long as a duty cycle is off, it sleeps.  The mean of each interval is one observation, without its edges, where capacitors smear the
current.  Intervals far from the median of their kind are left out, and counted: alerts, records, a debugger.  The level of a kind is the
mean of what is left, by its time; its interval is that of a bootstrap over stretches of the trace, and of the meter nothing: it repeats
its own error.

A meter sees everything at its place.  What the sensor and the rest of the board draw is taken from their figures and subtracted, unless
the meter stands in the chip's own supply.  Idle and capture flow at the same time, so that no trace tells them apart: their sum is the
measured one, split as it was before.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from tinystream.errors import writing
from tinystream.plan.plan import Plan
from tinystream.power.board import RUN_PER_C, BoardPower, Mode, mhz
from tinystream.power.estimate import Setup
from tinystream.power.figure import SPREAD, Figure, Table
from tinystream.power.files import PowerError
from tinystream.power.interval import Interval, amount
from tinystream.power.traces import Measured

Place = Literal["board", "chip"]

LEAST = 20
"""Blocks without which no level is told."""
LEAST_OFF = 2
"""Times that a duty cycle is off."""
PERIOD = 0.03
"""How far the marker's period may be from that of a block: a wrong app, a wrong unit of time."""
EDGE = 0.1
"""Of an interval, at each end, where the current may not have settled."""
FAR = 6.0
"""Standard deviations, by the median of deviations, from which on an interval is left out; but never within NEAR of the median."""
NEAR = 0.05
STRETCHES, DRAWS, SEED = 200, 1000, 1


@dataclass(frozen=True)
class Level:
    """µA at the meter.  left_out: intervals that were not counted, and the share of the time of this kind that they are."""

    current_ua: Interval
    intervals: int
    left_out: int
    left_out_share: float


@dataclass(frozen=True)
class Levels:
    """busy: share of the listening time that the marker is high."""

    high: Level
    low: Level
    off: Level | None
    busy: float


@dataclass(frozen=True)
class Change:
    """A figure of the board, in µA, as the file had it and as the trace has it; with the marks of both."""

    what: str
    before: Interval
    after: Interval
    status: str


@dataclass(frozen=True)
class Calibration:
    """board: with the measured figures in the place of the file's."""

    board: BoardPower
    levels: Levels
    changes: tuple[Change, ...]
    volts: float
    notes: tuple[str, ...]


def calibrate(setup: Setup, plan: Plan, trace: Measured, place: Place = "board", volts: float | None = None) -> Calibration:
    """volts: at the meter, where the trace does not tell them; the board's rail where nobody does."""
    board, mode = setup.board, setup.board.find_mode(setup.mode)
    notes = []
    if volts is None and trace.volts is None:
        notes.append(f"the trace does not tell its voltage: {board.supply.rail_v:g} V are taken, the board's rail; --trace-volts tells it")
    at_v = volts or trace.volts or board.supply.rail_v
    if not board.supply.min_v <= at_v <= board.supply.max_v:
        limits = f"{board.supply.min_v:g} to {board.supply.max_v:g} V"
        raise PowerError(f"{trace.path} was measured at {at_v:.3g} V, {board.name} takes {limits}", "measure at the board's supply pins")
    found = levels(trace, plan, setup.sensor.capture == "serial")
    fitted = _Fit(setup, plan, trace, mode, found, place, at_v)
    return Calibration(fitted.board(), found, tuple(fitted.changes), at_v, tuple(notes))


# --- levels of the trace ---------------------------------------------------------------------------------------------


def levels(trace: Measured, plan: Plan, reads: bool) -> Levels:
    """PowerError where the marker is not that of this app, or there is too little of it.  reads: of a FIFO, while the marker is low."""
    path, block_s, duty = trace.path, float(1 / plan.x[0].rate_hz), plan.duty
    edges = np.flatnonzero(np.diff(trace.high)) + 1
    if not len(edges):
        always = "high" if trace.high[0] else "low"
        raise PowerError(
            f"{path}: the marker never changes, it is always {always}", "firmware that was built with -DTS_MARKER, and its pin wired"
        )
    begins, ends = edges[:-1], edges[1:]
    up = trace.high[begins]
    took_s = (ends - begins) * trace.sample_s
    off_s = (duty.every - duty.on) * block_s if duty else np.inf
    off = ~up & (took_s > off_s / 2)
    rises = trace.time_s[begins[up]]
    if int(up.sum()) < LEAST:
        raise PowerError(
            f"{path}: the marker rises {len(rises)} times, {LEAST} blocks are needed", f"measure for {2 * LEAST * block_s:.3g} s"
        )
    period_s = float(np.median(np.diff(rises)))
    if abs(period_s / block_s - 1) > PERIOD:
        what = f"{path}: the marker rises every {period_s * 1000:.4g} ms, a block of {plan.name} is {block_s * 1000:.4g} ms"
        raise PowerError(what, "the app that was measured; or the unit of time of the trace is another one than its header says")
    if duty and int(off.sum()) < LEAST_OFF:
        what = f"{path}: {int(off.sum())} whole times without a marker for {off_s:.3g} s, {LEAST_OFF} are needed to tell what sleep draws"
        raise PowerError(what, f"measure for {(LEAST_OFF + 1) * duty.every * block_s:.3g} s")
    low = ~up & ~off
    if int(low.sum()) < LEAST:
        raise PowerError(f"{path}: the marker is low between blocks {int(low.sum())} times, {LEAST} are needed", "measure for longer")
    high = level(trace, begins[up], ends[up], "high")
    waiting = level(trace, begins[low], ends[low], "low", quiet=reads)
    asleep = level(trace, begins[off], ends[off], "off", quiet=True) if duty else None
    return Levels(high, waiting, asleep, float(took_s[up].sum() / took_s[up | low].sum()))


def level(trace: Measured, begins: np.ndarray, ends: np.ndarray, name: str, quiet: bool = False) -> Level:
    """Of intervals of samples.  quiet: the median of each instead of its mean, where something short is on in between."""
    edge = np.maximum(1, ((ends - begins) * EDGE).astype(np.int64))
    first, last = begins + edge, ends - edge
    resolved = last > first
    if resolved.mean() < 0.5:
        what = f"{trace.path}: most times that the marker is {name} last less than 3 samples"
        raise PowerError(what, "sample faster: a PPK2 gives 100 000 samples a second")
    first, last = first[resolved], last[resolved]
    if quiet:
        means = np.array([np.median(trace.current_ua[i:j]) for i, j in zip(first, last)])
    else:
        means = np.add.reduceat(trace.current_ua, np.column_stack([first, last]).ravel())[::2] / (last - first)
    weights = (last - first).astype(float)
    median = float(np.median(means))
    deviation = 1.4826 * float(np.median(np.abs(means - median)))
    kept = np.abs(means - median) <= max(FAR * deviation, NEAR * median)
    current = resampled(means[kept], weights[kept])
    lost = float(weights[~kept].sum() / weights.sum())
    return Level(current, int(kept.sum()), int((~kept).sum()), lost)


def resampled(means: np.ndarray, weights: np.ndarray) -> Interval:
    """The mean by its weights, with the ends of nine of ten bootstraps over stretches: neighbours are not independent."""
    stretch = np.array_split(np.arange(len(means)), min(STRETCHES, len(means)))
    charge = np.array([float(means[i] @ weights[i]) for i in stretch])
    time = np.array([float(weights[i].sum()) for i in stretch])
    drawn = np.random.default_rng(SEED).integers(0, len(charge), (DRAWS, len(charge)))
    low, high = np.quantile(charge[drawn].sum(1) / time[drawn].sum(1), [0.05, 0.95])
    nominal = float(charge.sum() / time.sum())
    return Interval(min(float(low), nominal), nominal, max(float(high), nominal))


# --- figures of the board --------------------------------------------------------------------------------------------


class _Fit:
    """Figures from levels, by what else flows at the meter."""

    def __init__(self, setup: Setup, plan: Plan, trace: Measured, mode: Mode, found: Levels, place: Place, volts: float):
        self.setup, self.plan, self.trace, self.mode, self.levels, self.place = setup, plan, trace, mode, found, place
        self.clock_hz = float(setup.clock_hz or setup.board.board.clock_hz)
        self.kelvin = 1 + RUN_PER_C * (setup.temperature_c - 25)
        self.to_mode = volts / mode.at_v if mode.kind == "smps" else 1.0
        self.source = f"{trace.path.name} by {trace.meter}, SHA-256 {trace.digest}"
        self.changes: list[Change] = []

    def board(self) -> BoardPower:
        board, sensor = self.setup.board, self.setup.sensor
        rate_hz = float(self.plan.x[0].sample_hz or 0)
        on, standby = sensor.current_ua.at(rate_hz), sensor.standby_ua.interval
        high, low, off = self.levels.high, self.levels.low, self.levels.off
        modes, sleeps = list(board.mode), list(board.sleep)
        state = board.sleep_for(self.plan.ram_bytes, self.setup.temperature_c)
        if sensor.capture == "serial":
            run = self.chip("run current", high, [on])
            asleep: Interval | None = self.chip("sleep current", off or low, [standby if off else on])
            mode = self.measured_mode(run, None, None)
        else:
            capture = self.mode.capture[sensor.capture]
            both = self.chip("idle and capture", low, [on])
            idle_before = self.mode.idle.at(self.clock_hz)
            share = idle_before.nominal / ((idle_before.nominal + capture.value) or 1.0)
            run = self.chip("run current", high, [on, both * (1 - share)])
            mode = self.measured_mode(run, both * share, both * (1 - share))
            asleep = self.chip("sleep current", off, [standby]) if off else None
        modes[board.mode.index(self.mode)] = mode
        if asleep:
            current = measured(asleep, [(self.setup.temperature_c, asleep.nominal)], self.source)
            told = state.model_copy(update=dict(current_ua=current))
            self.changes.append(
                Change(
                    f"sleep current, {state.name}",
                    state.current(self.setup.temperature_c),
                    told.current(self.setup.temperature_c),
                    state.current_ua.status,
                )
            )
            sleeps = [told, *(s for s in board.sleep if s.retains_bytes < state.retains_bytes)]
        return board.model_copy(update=dict(mode=tuple(modes), sleep=tuple(sleeps)))

    def chip(self, what: str, level: Level, others: Sequence[Interval]) -> Interval:
        """What is left of a level when the others are subtracted, with their doubt."""
        rest = list(others[1:]) if self.place == "chip" else [*others, *self.around()]
        nominal = level.current_ua.nominal - sum(other.nominal for other in rest)
        if nominal <= 0:
            parts = " + ".join(amount(other.nominal) for other in rest)
            seen = f"{amount(level.current_ua.nominal)} µA were measured where the rest alone draws {parts} µA"
            help = "--metered chip where the sensor is not behind the meter, or another --sensor"
            raise PowerError(f"{self.trace.path}: {seen}: no {what} is left", help)
        down = hypot(level.current_ua.nominal - level.current_ua.low, *(other.high - other.nominal for other in rest))
        up = hypot(level.current_ua.high - level.current_ua.nominal, *(other.nominal - other.low for other in rest))
        return Interval(max(0.0, nominal - down), nominal, nominal + up)

    def around(self) -> Iterator[Interval]:
        """What else flows all the time."""
        if self.setup.board.quiescent_ua:
            yield self.setup.board.quiescent_ua.interval
        if self.setup.alert:
            yield self.setup.alert.radio.standby_ua.interval
        if self.setup.storage:
            yield self.setup.storage.leakage_ua.interval

    def measured_mode(self, run: Interval, idle: Interval | None, capture: Interval | None) -> Mode:
        """The mode at this one clock: at others nothing was measured."""
        mode, board = self.mode, self.setup.board
        update: dict[str, Any] = dict(run=self.table(run))
        self.changes.append(
            Change(
                f"run current at {mhz(self.clock_hz)}",
                board.run_ua(mode, self.clock_hz, 25),
                update["run"].at(self.clock_hz),
                mode.run.status,
            )
        )
        if idle and capture:
            kind = self.setup.sensor.capture
            update["idle"] = self.table(idle)
            scaled = capture * self.to_mode
            figure = Figure(value=significant(scaled.nominal), range=ends(scaled), status="measured", source=self.source)
            update["capture"] = mode.capture | {kind: figure}
            before = mode.idle.at(self.clock_hz)
            self.changes.append(Change(f"idle current at {mhz(self.clock_hz)}", before, update["idle"].at(self.clock_hz), mode.idle.status))
            self.changes.append(Change(f"capture by {kind}", mode.capture[kind].interval, figure.interval, mode.capture[kind].status))
        try:
            return Mode.model_validate(mode.model_copy(update=update).model_dump())
        except ValidationError as error:
            what = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise PowerError(
                f"{self.trace.path}: {what}, by the trace", "is the marker the one that is high while a block is processed?"
            ) from None

    def table(self, current: Interval) -> Table:
        return measured(
            current * (self.to_mode / self.kelvin), [(self.clock_hz, current.nominal * self.to_mode / self.kelvin)], self.source
        )


def measured(current: Interval, points: Sequence[tuple[float, float]], source: str) -> Table:
    """As doubtful as a measured figure is in general, or more where the trace says so."""
    down, up = SPREAD["measured"]
    spread = max(1e-3, min(down, current.low / current.nominal)), max(up, current.high / current.nominal)
    return Table(points=tuple((x, significant(y)) for x, y in points), status="measured", source=source, spread=spread)


def ends(current: Interval) -> tuple[float, float]:
    down, up = SPREAD["measured"]
    return significant(min(current.low, current.nominal * down)), significant(max(current.high, current.nominal * up))


def significant(value: float) -> float:
    return float(f"{value:.6g}")


# --- the file ----------------------------------------------------------------------------------------------------------


def write_board(board: BoardPower, out: Path) -> list[Path]:
    """A folder that --board takes: the board's board.toml, and power.toml with the measured figures.  Its name is the board's."""
    if out.name != board.name:
        raise PowerError(f"a folder '{out.name}' cannot hold the board '{board.name}'", f"--write {out / board.name}")
    with writing(out, "--write another folder"):
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "board.toml").exists():
            shutil.copyfile(board.board.folder / "board.toml", out / "board.toml")
        (out / "power.toml").write_text(as_toml(board.model_dump(exclude={"board"}, exclude_none=True)), encoding="utf-8")
    return [out / "board.toml", out / "power.toml"]


def as_toml(values: dict[str, Any], prefix: str = "") -> str:
    """Values first, then tables, then tables in lists; figures stay on one line."""
    lines, tables = [], []
    for key, value in values.items():
        if isinstance(value, dict) and "value" not in value and value:
            tables.append(f"\n[{prefix}{key}]\n" + as_toml(value, f"{prefix}{key}."))
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
            tables += [f"\n[[{prefix}{key}]]\n" + as_toml(one, f"{prefix}{key}.") for one in value]
        else:
            lines.append(f"{key} = {inline(value)}\n")
    return "".join(lines + tables)


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower() if isinstance(value, bool) else repr(value)
