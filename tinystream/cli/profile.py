"""`tinystream profile`: what each step and function takes on a core, and whether each block is done in time."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from tinystream.app.planning import plan_file
from tinystream.cli.build import board_name
from tinystream.cli.shared import (
    WIDE,
    AppPath,
    Channel,
    Counts,
    GapsChoice,
    GapsOption,
    InUnit,
    Json,
    Key,
    Resample,
    cli,
    count,
    output,
    tell,
)
from tinystream.errors import BuildError, writing
from tinystream.firmware.board import Board, find_board
from tinystream.firmware.cross import cross_compiler, cross_compilers
from tinystream.firmware.cycles import MEMORY, ONCE, Cycles, CycleTable, cores_with_cycles, cycle_table
from tinystream.firmware.deadline import Replayed, minimum_clock_hz, replay_in_time
from tinystream.firmware.estimate import FIT, estimate
from tinystream.firmware.flame import flame
from tinystream.firmware.listing import listing
from tinystream.firmware.measured import overridden, read_measured
from tinystream.firmware.profile import Profile, noise, profile
from tinystream.plan.plan import Plan
from tinystream.run.replay import Reading, blocks_of

OPTIMISE = ("O1", "O2", "O3", "Os")


@cli.command("profile")
def profile_command(
    app: AppPath,
    board: Annotated[str | None, typer.Option("--board", "-b", metavar="NAME|FOLDER", help="instead of the definition's board")] = None,
    core: Annotated[str | None, typer.Option("--core", metavar="C", help=f"instead of a board: {', '.join(cores_with_cycles())}")] = None,
    clock: Annotated[float | None, typer.Option("--clock", metavar="MHZ", help="of the core; the board's without")] = None,
    recording: Annotated[Path | None, typer.Option("--recording", "-r", metavar="R", help="what it hears; noise without")] = None,
    buffers: Annotated[int, typer.Option("--buffers", min=2, help="blocks that the firmware has room for")] = 2,
    measured: Annotated[Path | None, typer.Option("--measured", metavar="FILE", help="cycles of steps that were measured")] = None,
    compiler: Annotated[str | None, typer.Option("--compiler", metavar="gcc|zig", help="the one there is, zig first")] = None,
    optimise: Annotated[str, typer.Option("--optimise", "-O", metavar="|".join(OPTIMISE), help="what the compiler is told")] = "O2",
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE.svg", help="draw where the cycles go")] = None,
    functions: Annotated[bool, typer.Option("--functions", help="list the functions of each step, too")] = False,
    show: Annotated[str | None, typer.Option("--listing", metavar="FUNCTION", help="its instructions with their counts, alone")] = None,
    estimated: Annotated[bool, typer.Option("--estimate", help="by the committed counts of kernels: nothing is built or run")] = False,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    unit: InUnit = None,
    gaps: GapsOption = GapsChoice.refuse,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Tell what each step takes on a core, and if it is in time.

    The C is built for the core and run in an emulator: instructions are exact, cycles are estimated from the core's table.
    """
    if board and core:
        raise typer.BadParameter("--board B or --core C: one of them")
    if clock is not None and not 0 < clock < 10_000:
        raise typer.BadParameter(f"--clock {clock:g}: a clock in MHz is above 0 and below 10000")
    if optimise not in OPTIMISE:
        raise typer.BadParameter(f"--optimise {optimise} is none of {', '.join(OPTIMISE)}")
    if picture is not None and picture.suffix.lower() != ".svg":
        raise typer.BadParameter(f"--picture {picture}: the picture is an .svg")
    asked = {"--recording": recording, "--measured": measured, "--picture": picture, "--listing": show, "--functions": functions or None}
    if estimated and (given := [option for option, value in asked.items() if value is not None]):
        raise typer.BadParameter(f"{given[0]} needs the emulator; leave it or --estimate out")
    target = find_board(board_name(app, board)) if not core else None
    clock_hz = clock * 1e6 if clock else float(target.clock_hz) if target else None
    plan = plan_file(app)
    if estimated or missing_tools():
        if not estimated:
            tell(f"note: {missing_tools()}; this is estimated from counts of the kernels")
        print_estimate(plan, cycle_table(core or core_of(target)), memory_of(target), clock_hz, as_json)
        return
    told = read_measured(measured, plan) if measured else None
    how = Reading(resample, channel, counts, unit, gaps.value, key)
    x = [*blocks_of(plan, how.read(plan, recording).samples)] if recording else noise(plan)
    table = cycle_table(core or core_of(target))
    found = profile(plan, x, table, cross_compiler(compiler), f"-{optimise}", memory_of(target))
    found = overridden(found, told) if told else found
    if picture:
        with writing(picture, "--picture FILE.svg elsewhere"):
            picture.write_text(flame(found), encoding="utf-8")
    if show:
        print_listing(found, show)
    elif as_json:
        print(json.dumps(as_dict(found, recording, clock_hz, buffers), indent=2))
    else:
        print_profile(found, recording, functions)
        print_time(found, clock_hz, buffers)


def missing_tools() -> str:
    """What a profile needs and is not here; nothing where all is."""
    lacking = [name for name in ("unicorn", "elftools", "capstone") if find_spec(name) is None]
    lacking += ["a compiler for Cortex-M"] * (not cross_compilers())
    return f"no {', no '.join(lacking)} here (pip install 'tinystream[mcu]')" if lacking else ""


def core_of(board: Board | None) -> str:
    assert board, "a board or a core"
    if board.core == "host":
        raise BuildError(f"{board.name} is a host, which has no table of cycles", "--core C takes a core")
    return board.core


def memory_of(board: Board | None) -> Cycles:
    return Cycles(*board.memory.factor) if board and board.memory else MEMORY


def print_listing(found: Profile, function: str) -> None:
    lines = list(listing(found.image, function, found.executed))
    if not lines:
        ran = sorted({f.function for f in found.functions})
        raise BuildError(f"no instruction of '{function}' was executed", f"these ran: {', '.join(ran)}; others were inlined")
    print(*lines, sep="\n")


# --- JSON -----------------------------------------------------------------------------------------------------


def as_dict(found: Profile, recording: Path | None, clock_hz: float | None, buffers: int) -> dict[str, Any]:
    """All figures; cycles are [low, nominal, high]."""
    plan, blocks = found.plan, len(found.cycles)
    steps = []
    for i, name in enumerate([*(step.name for step in plan.steps), None]):
        firing, run = (found.step_firing(i), found.step_run(i)) if name is not None else (None, None)
        steps.append(dict(
            step=name, kind=plan.steps[i].kind if name is not None else None, measured=name in found.measured,
            firings=int(found.fired[:, i].sum()) if name is not None else None, instructions=int(found.instructions[:, i].sum()),
            cycles=numbers(Cycles.of(found.cycles[:, i].sum(axis=0))), cycles_per_firing=numbers(firing) if firing else None,
            runs=int(found.runs[i]) if name is not None else None, cycles_per_run=numbers(run) if run else None,
            cycles_per_average_block=numbers(found.step_mean(i)), worst_block=numbers(found.step_worst(i)),
        ))  # fmt: skip
    functions = [
        dict(step=f.step or None, function=f.function, instructions=f.instructions, cycles=numbers(f.cycles)) for f in found.functions
    ]
    told: dict[str, Any] = dict(
        app=plan.name, definition=plan.digest, core=found.table.core, code=found.table.code, cycles_are=found.table.status,
        compiler=found.compiler, memory_factor=numbers(found.memory), recording=str(recording) if recording else None, blocks=blocks,
        block_s=found.period_s, first_score=found.settled, instructions=int(found.instructions.sum()), average_block=numbers(found.mean),
        worst_block=numbers(found.worst), minimum_clock_hz=numbers(minimum_clock(found, buffers)), buffers=buffers,
        steps=steps, functions=functions,
    )  # fmt: skip
    if clock_hz:
        told["at_clock"] = dict(clock_hz=clock_hz, share=numbers(found.mean * (1 / available(found, clock_hz))))
        for bound, replayed in at_clock(found, clock_hz, buffers).items():
            told["at_clock"][bound] = dict(late=replayed.late, lost=replayed.lost, latency_s=replayed.latency_s)
    return told


def numbers(cycles: Cycles) -> list[float]:
    return [round(c, 4) for c in (cycles.low, cycles.nominal, cycles.high)]


# --- words for people -----------------------------------------------------------------------------------------


def print_profile(found: Profile, recording: Path | None, with_functions: bool) -> None:
    """A row a step: a run of it, the most in a block, and its share of the average block."""
    plan, mean = found.plan, found.mean.nominal
    console = output()
    range_ = ("from", "to") if console.width >= WIDE else ()
    heard = recording or "noise, as no recording is given"
    columns = ("fired", "ran", "instr/run", "cycles/run", *range_, "worst block", "share")
    table = titled(f"{plan.name} on {found.table.core} ({found.compiler}): {heard}", columns)
    shown = 2 + len(range_)
    for i, name in enumerate([*(step.name for step in plan.steps), ""]):
        instructions, runs = int(found.instructions[:, i].sum()), int(found.runs[i]) if name else 0
        cycles = found.step_run(i) if name else None
        if name or instructions:
            words = f"{name} (measured)" if name in found.measured else name or "after the last step"
            counts = (f"{found.fired[:, i].sum():,}", f"{runs:,}") if name else ("", "")
            share = f"{100 * found.step_mean(i).nominal / mean:.1f} %"
            table.add_row(words, *counts, *each(instructions, cycles, runs)[:shown], f"{found.step_worst(i).nominal:,.0f}", share)
        for f in found.functions if with_functions else ():
            if f.step == name:
                table.add_row(f"  {f.function}", "", "", *each(f.instructions, f.cycles * (1 / max(1, runs)), runs)[:shown], "", "")
    console.print(table)
    if not range_:
        console.print(f"(ranges are shown in {WIDE} columns, and in --json)")


def titled(title: str, columns: tuple[str, ...]) -> Table:
    """An empty table of numbers, a row a step."""
    table = Table(box=None, header_style="bold", pad_edge=False, title=Text(title))
    table.title_justify = "left"
    table.add_column("step", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def each(instructions: int, cycles: Cycles | None, runs: int) -> tuple[str, ...]:
    """Instructions and cycles of a run: nominal, from, to; nothing where there was none."""
    if not runs or cycles is None:
        return ("",) * 4
    return f"{instructions / runs:,.0f}", f"{cycles.nominal:,.0f}", f"{cycles.low:,.0f}", f"{cycles.high:,.0f}"


def print_time(found: Profile, clock_hz: float | None, buffers: int) -> None:
    """What it comes to: the average and the worst block, and whether they are done in time."""
    blocks, period_ms = len(found.cycles), 1000 * found.period_s
    since = f"from the first score on, {found.settled * found.period_s:.2f} s after the start" if found.settled else "all"
    if duty := found.plan.duty:
        print(f"on duty {duty.on} of every {duty.every} blocks; the others take nothing, and are counted so")
    table, memory = found.table, found.memory
    factors = ["instructions", f"the table of the {table.like}"]
    factors += [f"{span(table.factor.cycles, 'g')} for the {table.core}, which has none"] * (table.like != table.core)
    factors += [f"{span(memory, 'g')} for flash and RAM"] * (memory != ONCE)
    print(f"\n{count(blocks, 'block')} of {period_ms:g} ms, {int(found.instructions.sum()):,} instructions")
    measured = f"; {count(len(found.measured), 'step')} as measured" if found.measured else ""
    print(f"cycles are estimated: {' x '.join(factors)}{measured}")
    print(f"average block  {span(found.mean)} cycles ({since})\nworst block    {span(found.worst)} cycles")
    least = minimum_clock(found, buffers)
    print(f"no block is missed from {span(least * 1e-6, '.2f')} MHz on, with {buffers} buffers")
    if clock_hz is None:
        tell("note: --clock MHZ tells the share of the time, and replays the deadlines")
        return
    share = found.mean * (100 / available(found, clock_hz))
    print(f"at {clock_hz / 1e6:g} MHz: {span(share, '.1f')} % of the time, {clock_hz / least.nominal:.1f} times the clock that is needed")
    for bound, replayed in at_clock(found, clock_hz, buffers).items():
        if bound != "low":
            print(f"  {bound:<8} {missed(replayed, blocks)}; longest latency {1000 * replayed.latency_s:.2f} ms")


def span(cycles: Cycles, spec: str = ",.0f") -> str:
    return f"{cycles.nominal:{spec}} ({cycles.low:{spec}} to {cycles.high:{spec}})"


def missed(replayed: Replayed, blocks: int) -> str:
    if not replayed.missed:
        return f"no block of {blocks} is missed"
    first = min([*replayed.late, *replayed.lost])
    return f"{replayed.missed} of {blocks} blocks are missed: {len(replayed.lost)} lost, {len(replayed.late)} late, first block {first}"


def available(found: Profile, clock_hz: float) -> float:
    """Cycles from one block to the next."""
    return clock_hz * found.period_s


def minimum_clock(found: Profile, buffers: int) -> Cycles:
    return Cycles(*(minimum_clock_hz(cycles, found.period_s, buffers) for cycles in found.blocks.T))


def at_clock(found: Profile, clock_hz: float, buffers: int) -> dict[str, Replayed]:
    return {
        bound: replay_in_time(cycles, clock_hz, found.period_s, buffers)
        for bound, cycles in zip(("low", "nominal", "high"), found.blocks.T)
    }


# --- without tools --------------------------------------------------------------------------------------------


def print_estimate(plan: Plan, table: CycleTable, memory: Cycles, clock_hz: float | None, as_json: bool) -> None:
    """A row a step, and what they come to; every gate open."""
    found = estimate(plan, table, memory)
    share = found.mean * (found.block_hz / clock_hz) if clock_hz else None
    if as_json:
        steps = [
            dict(step=s.name, kind=s.kind, runs_hz=s.rate_hz, instructions=s.instructions, cycles_per_run=s.cycles and numbers(s.cycles))
            for s in found.steps
        ]
        told = dict(app=plan.name, definition=plan.digest, core=table.core, cycles_are="estimated from counts of the kernels",
                    memory_factor=numbers(memory), block_s=1 / found.block_hz, average_block=numbers(found.mean),
                    worst_block=numbers(found.worst), unknown=found.unknown, steps=steps)  # fmt: skip
        print(json.dumps(told | (dict(at_clock=dict(clock_hz=clock_hz, share=numbers(share))) if share else {}), indent=2))
        return
    columns = ("runs/s", "instr/run", "cycles/run", "from", "to", "share")
    rows = titled(f"{plan.name} on {table.core}, from counts of the kernels", columns)
    for s in found.steps:
        if s.cycles is None or s.instructions is None:
            rows.add_row(s.name, f"{s.rate_hz:.4g}", *["not known"] * 4, "")
        else:
            part = found.duty * s.cycles.nominal * s.rate_hz / found.block_hz / found.mean.nominal
            rows.add_row(s.name, f"{s.rate_hz:.4g}", *each(round(s.instructions), s.cycles, 1), f"{100 * part:.1f} %")
    output().print(rows)
    print(f"\ncycles are estimated: {span(FIT, 'g')} for the fit x {span(memory, 'g')} for flash and RAM; gates are open")
    print(f"average block  {span(found.mean)} cycles\nworst block    {span(found.worst)} cycles, if every step runs in it")
    if found.unknown:
        tell(f"note: not known, and in none of the sums: {', '.join(found.unknown)}")
    if share and clock_hz:
        print(f"at {clock_hz / 1e6:g} MHz: {span(share * 100, '.1f')} % of the time")
