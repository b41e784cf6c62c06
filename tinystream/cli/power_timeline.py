"""`tinystream power --timeline`, and which files it and --plot can write."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tinystream.plan.plan import Plan
from tinystream.power.estimate import Estimate
from tinystream.power.files import PowerError
from tinystream.power.meters import check_meter, write_current
from tinystream.power.plot import ENDS, check_picture, plot_timeline
from tinystream.power.sweep import KNOBS
from tinystream.power.timeline import Timeline


def check_files(knobs: Collection[str], pictures: Sequence[Path], timelines: Sequence[Path], meter: str, rate_hz: float) -> None:
    """PowerError for what could not be written, before anything is computed."""
    if pictures and not knobs:
        raise PowerError("--plot draws a sweep, and none is asked for", f"--sweep {','.join(KNOBS)}, or --timeline {pictures[0]}")
    if timelines and knobs:
        raise PowerError("a timeline is of one setting, and a sweep tries several", "--timeline and --sweep in two commands")
    check_meter(meter, rate_hz)
    for path in pictures:
        check_picture(path)
    for path in timelines:
        if path.suffix.lower() in ENDS:
            check_picture(path)
        elif path.suffix.lower() != ".csv":
            raise PowerError(f"{path}: no timeline ends in '{path.suffix}'", "a name that ends in .csv, .png or .svg")


def write_timeline(path: Path, line: Timeline, found: Estimate, plan: Plan, meter: str, rate_hz: float) -> None:
    if path.suffix.lower() == ".csv":
        write_current(line, path, meter, rate_hz)
        return
    what = f"{plan.name} on {found.setup.board.name}, {found.setup.pack.name}: simulated current out of the battery, nominal"
    plot_timeline(path, line, float(1 / plan.x[0].rate_hz), what)
