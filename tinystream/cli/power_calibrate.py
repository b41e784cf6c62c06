"""What `tinystream power` does with --calibrate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from tinystream.cli.shared import count, output, tell
from tinystream.power.calibrate import Calibration, Level, Place, as_toml, calibrate, write_board
from tinystream.power.counts import Counts
from tinystream.power.estimate import Estimate, StepCycles, estimate
from tinystream.power.files import PowerError
from tinystream.power.interval import exactly, spread
from tinystream.power.report import told
from tinystream.power.traces import Measured

PLACES: tuple[Place, ...] = ("board", "chip")
WIDTH = 100


def check_options(calibrate: Path | None, marker: str | None, metered: str, volts: float | None, write: Path | None) -> Place:
    """PowerError for what has no trace to be said of."""
    if calibrate is None and (
        given := [o for o, v in (("--marker", marker), ("--trace-volts", volts), ("--write", write)) if v is not None]
    ):
        raise PowerError(f"{given[0]} is of a measured trace, and none is named", "--calibrate trace.csv")
    if metered not in PLACES:
        raise PowerError(f"a meter cannot stand at '{metered}'", " or ".join(PLACES))
    return "board" if metered == "board" else "chip"


def tell_calibration(
    before: Estimate, counts: Counts, cycles: Mapping[str, StepCycles], trace: Measured, place: Place, volts: float | None
) -> tuple[Calibration, Estimate]:
    """The board's figures, and the estimate with them."""
    found = calibrate(before.setup, counts.plan, trace, place, volts)
    return found, estimate(counts, cycles, replace(before.setup, board=found.board))


def calibration_as_dict(trace: Measured, found: Calibration, before: Estimate, after: Estimate) -> dict[str, Any]:
    levels = {name: level and level_as_dict(level) for name, level in asdict_levels(found).items()}
    return dict(
        trace=dict(file=trace.path.name, sha256=trace.digest, meter=trace.meter, volts=found.volts, samples=len(trace.time_s)),
        levels=levels,
        busy=dict(before=told(before.busy), measured=found.levels.busy),
        figures=[
            dict(what=c.what, unit="µA", before=dict(told(c.before), status=c.status), after=dict(told(c.after), status="measured"))
            for c in found.changes
        ],
        total_ua=dict(before=told(before.total_ua), after=told(after.total_ua)),
        days=dict(before=told(before.days), after=told(after.days)),
        notes=found.notes,
    )  # fmt: skip


def asdict_levels(found: Calibration) -> dict[str, Level | None]:
    return dict(computing=found.levels.high, between_blocks=found.levels.low, off_duty=found.levels.off)


def level_as_dict(level: Level) -> dict[str, Any]:
    return dict(asdict(level), current_ua=told(level.current_ua))


def print_calibration(trace: Measured, found: Calibration, before: Estimate, after: Estimate, written: list[Path]) -> None:
    console = output()
    console.width = min(console.width, WIDTH)
    samples = f"{len(trace.time_s):,} samples in {trace.time_s[-1] - trace.time_s[0]:.4g} s"
    console.print(f"\n[bold]{escape(trace.path.name)}[/], {trace.meter}, {found.volts:.4g} V: {samples}\n", highlight=False)
    seen = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("the marker is", "µA at the meter (90 %)", "times", "left out"):
        seen.add_column(column)
    names = dict(computing="high: a block is processed", between_blocks="low between blocks", off_duty="low, off duty")
    for name, level in asdict_levels(found).items():
        if level:
            lost = f"{count(level.left_out, 'time')}, {level.left_out_share:.2%} of their time" if level.left_out else ""
            seen.add_row(names[name], spread(level.current_ua), f"{level.intervals:,}", lost)
    console.print(seen)
    console.print("left out: far from the others, such as alerts, records or a debugger\n", highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("figure of the board", "before", "after", "was"):
        table.add_column(column, overflow="fold")
    for change in found.changes:
        table.add_row(f"{change.what}, µA", spread(change.before), spread(change.after), change.status)
    table.add_row("busy, %", spread(before.busy * 100), spread(exactly(found.levels.busy * 100)), "the marker's; not taken over")
    table.add_row("sum out of the battery, µA", spread(before.total_ua), spread(after.total_ua), "")
    table.add_row("life, days", spread(before.days), spread(after.days), "", style="bold")
    console.print(table)
    if written:
        tell(f"written: {', '.join(map(str, written))}; --board {written[0].parent}/ takes it")
    else:
        console.print("\nfor power.toml (--write FOLDER makes a board of it):", highlight=False)
        changed = found.board.model_dump(exclude_none=True, include={"mode", "sleep"})
        changed["mode"] = [mode for mode in changed["mode"] if mode["run"]["status"] == "measured"]
        changed["sleep"] = [sleep for sleep in changed["sleep"] if sleep["current_ua"]["status"] == "measured"]
        print(as_toml({key: value for key, value in changed.items() if value}))
    for note in found.notes:
        tell(f"note: {note}")


def write(found: Calibration, out: Path | None) -> list[Path]:
    return write_board(found.board, out) if out else []
