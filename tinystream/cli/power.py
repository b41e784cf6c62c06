"""`tinystream power`: how long a battery lasts, by what was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinystream.app.budget import over_battery
from tinystream.app.definition import Budget
from tinystream.app.planning import plan_file
from tinystream.app.read import app_file, load, located
from tinystream.cli import power_calibrate as calibration
from tinystream.cli import power_harvest as harvesting
from tinystream.cli.power_sweep import knobs_told, tell_sweep, truths_of
from tinystream.cli.power_timeline import check_files, write_timeline
from tinystream.cli.profile import missing_tools
from tinystream.cli.shared import (
    AppPath,
    Channel,
    Counts,
    EngineChoice,
    EngineOption,
    GapsChoice,
    GapsOption,
    InUnit,
    Json,
    Key,
    Recordings,
    Resample,
    cli,
    count,
    output,
    progress_bar,
    tell,
)
from tinystream.errors import AppError, TinystreamError
from tinystream.firmware.cross import cross_compiler
from tinystream.plan.plan import Plan
from tinystream.power import counts as replayed
from tinystream.power.battery import find_pack
from tinystream.power.board import BoardPower, find_board_power, hertz, mhz
from tinystream.power.cycles import counted_cycles, emulated_cycles
from tinystream.power.estimate import Estimate, Setup, StepCycles, Term, check, estimate
from tinystream.power.feed import find_way
from tinystream.power.files import PowerError
from tinystream.power.interval import Interval, amount, spread, together
from tinystream.power.node import rail
from tinystream.power.parts import Sensor, Storage, find_part, usual_sensor
from tinystream.power.radio import Alert, find_alert
from tinystream.power.report import estimate_as_dict
from tinystream.power.sweep import Sweep, settings
from tinystream.power.timeline import timeline as drawn
from tinystream.power.traces import read_trace
from tinystream.run.replay import Reading, blocks_of, make_engine, recordings_of

WIDTH = 100
SMALL = 0.03
"""Of the core's work: steps below it share a line."""
PROFILED_S = 10
"""Of the recordings, from their begin, run in the emulator for cycles; the counts are of all."""


@cli.command()
def power(
    app: AppPath,
    recordings: Recordings,
    board: Annotated[str | None, typer.Option("--board", metavar="NAME", help="the board; the app's where none is named")] = None,
    battery: Annotated[
        str | None, typer.Option("--battery", metavar="2xAA|lipo:1200mAh|…", help="cells and kind; the budget's where none is named")
    ] = None,
    sensor: Annotated[str | None, typer.Option("--sensor", metavar="NAME", help="the microphone or motion sensor")] = None,
    radio: Annotated[
        str | None, typer.Option("--radio", metavar="NAME|NAME:sf9|none", help="who carries alerts; the board's where none is named")
    ] = None,
    payload: Annotated[int, typer.Option("--payload", metavar="BYTES", help="of an alert")] = 20,
    alerts_per_day: Annotated[
        float | None, typer.Option("--alerts-per-day", metavar="N", help="in the field, where recordings hold more or fewer than life")
    ] = None,
    regulator: Annotated[
        str | None, typer.Option("--regulator", metavar="NAME|direct", help="between battery and board; what fits where none is named")
    ] = None,
    storage: Annotated[str | None, typer.Option("--storage", metavar="NAME", help="a supercapacitor beside the battery")] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", metavar="NAME", help="how the core is fed, where the board has several ways")
    ] = None,
    clock: Annotated[str | None, typer.Option("--clock", metavar="64MHz|64e6", help="of the core; the board's where not told")] = None,
    temperature: Annotated[float, typer.Option("--temperature", metavar="°C", help="of board and battery")] = 25,
    measured: Annotated[
        Path | None, typer.Option("--measured", metavar="FILE", help="cycles that were measured on the board, instead of estimated ones")
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", metavar="KNOB,…|KNOB=VALUE,…", help="try other settings: clock, duty=2/8, gate=-50, stride=6"),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="what is to be heard; NAME.truth.json beside each recording")
    ] = None,
    plot: Annotated[
        list[Path] | None, typer.Option("--plot", metavar="FILE.png|.svg", help="with --sweep: life against misses and false alarms")
    ] = None,
    timeline: Annotated[
        list[Path] | None, typer.Option("--timeline", metavar="FILE.csv|.png|.svg", help="write the simulated current over time")
    ] = None,
    meter: Annotated[str, typer.Option("--format", metavar="ppk2|joulescope", help="whose CSV a timeline is")] = "ppk2",
    rate: Annotated[float, typer.Option("--rate", metavar="HZ", help="samples a second in a timeline's CSV")] = 10_000,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", metavar="TRACE.csv", help="a measured current with its marker line: fit the board's figures"),
    ] = None,
    marker: Annotated[
        str | None, typer.Option("--marker", metavar="D0", help="the trace's marker line; its first where none is named")
    ] = None,
    metered: Annotated[
        str, typer.Option("--metered", metavar="board|chip", help="what the meter has behind it: with the sensor, or not")
    ] = "board",
    trace_volts: Annotated[
        float | None, typer.Option("--trace-volts", metavar="V", help="at the meter, where its file does not say")
    ] = None,
    write: Annotated[Path | None, typer.Option("--write", metavar="FOLDER", help="a board with the measured figures")] = None,
    harvester: Annotated[
        str | None, typer.Option("--harvester", metavar="indoor_pv:28", help="what charges the storage, and how many units of it")
    ] = None,
    harvest_trace: Annotated[
        str | None,
        typer.Option("--harvest-trace", metavar="constant:120uW|day_night:200lux:10h|FILE.csv", help="what there is to harvest, over time"),
    ] = None,
    brown_out: Annotated[float | None, typer.Option("--brown-out", metavar="V", help="of the storage, below which power fails")] = None,
    restart: Annotated[float | None, typer.Option("--restart", metavar="V", help="of the storage, from which on it is back")] = None,
    start_volts: Annotated[float | None, typer.Option("--start-volts", metavar="V", help="of the storage at the begin; full")] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="36h|3d", help="how long the node is looked at; three periods")] = None,
    availability: Annotated[
        float | None, typer.Option("--availability", metavar="0.99", help="tell the least harvester and storage for it")
    ] = None,
    engine: EngineOption = EngineChoice.auto,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    unit: InUnit = None,
    gaps: GapsOption = GapsChoice.refuse,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Estimate how long a battery lasts, by what was recorded.

    Each term is told with a low, a nominal and a high end, and each figure with its source.

    Exit code 1 where the low end is below budget.battery_days.
    """
    knobs = knobs_told(sweep or [])
    check_files(knobs, plot or [], timeline or [], meter, rate)
    place = calibration.check_options(calibrate, marker, metered, trace_volts, write)
    trace = read_trace(calibrate, marker) if calibrate else None
    plan, definition = plan_file(app), load(app)
    budget = definition.budget or Budget()
    if not (board or definition.board):
        raise PowerError("no board is named, and the app names none", "--board nrf52840_dk")
    harvests = harvesting.check_options(
        (harvester, harvest_trace), (brown_out, restart, start_volts, duration, availability), (battery, sweep, timeline, calibrate)
    )
    if not (battery or budget.battery or harvests):
        raise PowerError("no battery is named, and the app's budget names none", "--battery 2xAA")
    with written(app, "board", told=board):
        where = find_board_power(board or definition.board or "")
    with written(app, "budget", "battery", told=battery):
        pack = rail(where) if harvests else find_pack(battery or budget.battery or "")
    way = find_way(regulator) if regulator else None
    volts = (brown_out, restart, start_volts)
    node = harvesting.find_node(where, storage, harvester, harvest_trace, way, volts, duration, availability) if harvests else None
    setup = Setup(
        board=where,
        pack=pack,
        sensor=find_sensor(plan, where, mode, sensor),
        alert=find_radio(where, radio, payload),
        storage=find_part(Storage, storage) if storage and not node else None,
        regulator="direct" if node else way,
        mode=mode,
        clock_hz=hertz(clock) if clock else None,
        temperature_c=temperature,
        alerts_per_day=alerts_per_day,
    )
    check(setup, plan)
    how = Reading(resample, channel, counts, unit, gaps.value, key)
    paths = recordings_of(plan, recordings)
    x = [how.read(plan, path).alone for path in paths]
    if knobs:
        choices = settings(definition, setup, knobs, float(plan.x[0].rate_hz))
        truths = truths_of(paths, truth, knobs, plot or [], bool(plan.detections))
        if measured and set(knobs) != {"clock"}:
            raise PowerError("cycles were measured of one definition, and this sweep tries others", "--sweep clock alone, or no --measured")
        trying = Sweep(definition, app_file(app).parent, setup, x, truths, lambda p: cycles_of(p, where, x, measured), engine.value)
        tried = []
        with progress_bar("sweep", len(choices)) as advance:
            for one in trying.run(choices):
                tried.append(one)
                advance(1)
        tell_sweep(plan.name, tried, list(knobs), plot or [], as_json)
        return
    heard = replayed.count_runs(plan, make_engine(plan, engine.value), x)
    cycles = cycles_of(plan, where, x, measured)
    found = estimate(heard, cycles, setup)
    for path in timeline or []:
        write_timeline(path, drawn(heard, cycles, found), found, plan, meter, rate)
    if node:
        lived = harvesting.live(node, plan, heard, cycles, found, x, make_engine(plan, engine.value))
        harvesting.tell_life(plan, found, lived, as_json)
        return
    if trace:
        fitted, after = calibration.tell_calibration(found, heard, cycles, trace, place, trace_volts)
        files = calibration.write(fitted, write)
        if as_json:
            print(json.dumps(calibration.calibration_as_dict(trace, fitted, found, after), indent=2, ensure_ascii=False))
        else:
            calibration.print_calibration(trace, fitted, found, after, files)
        return
    if as_json:
        print(json.dumps(estimate_as_dict(found, heard), indent=2, ensure_ascii=False))
    else:
        print_estimate(found, heard, len(x))
    if broken := over_battery(definition.budget, found.days.low, found.days.nominal):
        raise located(app, broken)


@contextmanager
def written(app: Path, *keys: str, told: str | None) -> Iterator[None]:
    """What is wrong inside is shown at its line of the definition, where it was not told in the command."""
    try:
        yield
    except TinystreamError as error:
        raise error if told else located(app, [AppError(keys, error.what, error.help)]) from None


def cycles_of(plan: Plan, board: BoardPower, x: list[np.ndarray], measured: Path | None) -> dict[str, StepCycles]:
    """Emulated where the tools are here."""
    if plan.host_only:
        raise PowerError(
            f"there is no C of step '{plan.host_only}' whose cycles could be counted: it runs on the host only", 'run = "compiled"'
        )
    lacking = missing_tools()
    if lacking and measured:
        raise PowerError(f"measured cycles take the place of emulated ones, and there is {lacking}", "pip install 'tinystream[mcu]'")
    if lacking:
        tell(f"note: {lacking}; cycles are estimated from counts of the kernels")
        return counted_cycles(plan, board.board)
    return emulated_cycles(plan, board.board, [profiled(plan, x)], cross_compiler(None), measured)


def find_sensor(plan: Plan, board: BoardPower, mode: str | None, name: str | None) -> Sensor:
    if name:
        return find_part(Sensor, name)
    rate_hz = float(plan.x[0].sample_hz or 0)
    return usual_sensor(plan.source, rate_hz, board.find_mode(mode).capture, board.default.sensor.get(plan.source))


def find_radio(board: BoardPower, name: str | None, payload: int) -> Alert | None:
    name = name or board.default.radio
    return find_alert(name, payload) if name and name != "none" else None


def profiled(plan: Plan, x: list[np.ndarray]) -> np.ndarray:
    """The first PROFILED_S of all recordings, as blocks."""
    most = max(1, int(PROFILED_S * plan.x[0].rate_hz))
    blocks = chain.from_iterable(blocks_of(plan, samples)[0] for samples in x)
    return np.array([block for block, _ in zip(blocks, range(most))])


# --- words for people -----------------------------------------------------------------------------------------


def print_estimate(found: Estimate, heard: replayed.Counts, recordings: int) -> None:
    console = output()
    console.width = min(console.width, WIDTH)
    setup, days = found.setup, found.days
    radio = setup.alert.radio.name if setup.alert else "no radio"
    console.print(
        f"[bold]{heard.plan.name} on {setup.board.name}[/], {mhz(found.clock_hz)}, mode {found.mode.name}, {setup.temperature_c:g} °C; "
        f"{setup.sensor.name}; {radio}; {setup.pack.name}"
        + (f" through {found.feed.regulator.name}" if found.feed.regulator else "")
        + f"\n{heard.listened_s:.4g} s listened to in {count(recordings, 'recording')}: {count(len(heard.listened), 'block')}, "
        f"{count(len(heard.alerts), 'alert')}; the core is busy for {spread(found.busy * 100)} % of the time; "
        f"{spread(found.alerts_per_day)} alerts a day\n",
        highlight=False,
    )
    console.print(terms_table(found))
    life = Table.grid(padding=(0, 2))
    life.add_row("usable", f"{spread(found.usable_mah)} mAh")
    life.add_row("life", f"[bold]{spread(days)} days[/]")
    most, share = next(iter(found.doubts.items()))
    life.add_row("doubt", f"{share:.0%} of its square comes from {doubt_words(found, most)}")
    console.print(life)
    print_sources(console, found)
    for note in found.notes:
        tell(f"note: {note}")
    console.print("\nnot modelled: " + "; ".join(found.not_modelled), highlight=False)


def terms_table(found: Estimate) -> Table:
    """Terms by group, a group's sum where it has several; µA out of the battery."""
    total = found.total_ua
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("µA out of the battery", overflow="fold")
    for column in ("low", "nominal", "high", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("status")
    table.add_column("how", overflow="fold")

    def add(name: str, current: Interval, status: str = "", how: str = "", style: str = "") -> None:
        share = f"{100 * current.nominal / total.nominal:.1f} %" if total.nominal else ""
        table.add_row(name, *(amount(value) for value in current.values), share, status, how, style=style)

    for group in found.groups:
        terms = [term for term in found.terms if term.group == group]
        if len(terms) > 1:
            add(group, found.group_ua(group))
        for name, current, status, how in shown(terms):
            add(f"  {name}" if len(terms) > 1 else name, current, status, how)
    add("sum", total, style="bold")
    return table


def shown(terms: list[Term]) -> Iterator[tuple[str, Interval, str, str]]:
    """Name, current, status, how; small terms of a group in one line."""
    whole = sum(term.current_ua.nominal for term in terms)
    small = [term for term in terms if term.current_ua.nominal < SMALL * whole] if len(terms) > 3 else []
    for term in terms:
        if term not in small:
            yield term.name, term.current_ua, term.status, term.how
    if small:
        yield f"{len(small)} more steps", together(term.current_ua for term in small), "", "each is in --json"


def doubt_words(found: Estimate, group: str) -> str:
    """The group that is known least, and the figure in it that is."""
    terms = [term for term in found.terms if term.group == group]
    if not terms:
        return f"the capacity of the battery ({found.setup.pack.cell.capacity_mah.status})"
    widest = max(terms, key=lambda term: term.current_ua.width)
    worst = max(widest.sources, key=lambda source: source.doubt)
    return f"{group} ({worst.status})" if worst.what == group else f"{group}: {worst.what} ({worst.status})"


def print_sources(console: Console, found: Estimate) -> None:
    """Every figure once, with its status and where it is from."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("figure", overflow="fold", max_width=26)
    table.add_column("value", no_wrap=True)
    table.add_column("status and source", overflow="fold")
    seen: dict[tuple[str, str, str], None] = {}
    for term in found.terms:
        for source in term.sources:
            differs = term.group == "active" and source.what in ("cycles of a run", "runs a second")  # from step to step
            value = "see above" if differs else f"{spread(source.figure)} {source.unit}"
            seen[source.what, value, f"{source.status}: {source.source}"] = None
    figure = found.setup.pack.cell.capacity_mah
    for row in [*seen, ("capacity of a cell", f"{spread(figure.interval)} mAh", f"{figure.status}: {figure.source}")]:
        table.add_row(*map(escape, row))
    console.print()
    console.print(table)
