"""`tinystream profile`: what each step and function takes on a core, and whether each block is done in time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from tinystream.app.planning import plan_file
from tinystream.cli.shared import AppPath, Channel, Counts, Json, Resample, cli, count, output, tell
from tinystream.errors import BuildError, writing
from tinystream.firmware.board import Board, find_board
from tinystream.firmware.cross import cross_compiler
from tinystream.firmware.cycles import MEMORY, ONCE, Cycles, cores_with_cycles, cycle_table
from tinystream.firmware.deadline import Replayed, minimum_clock_hz, replay_in_time
from tinystream.firmware.flame import flame
from tinystream.firmware.listing import listing
from tinystream.firmware.measured import overridden, read_measured
from tinystream.firmware.profile import Profile, noise, profile
from tinystream.run.replay import Reading, blocks_of

OPTIMISE = ("O1", "O2", "O3", "Os")


@cli.command("profile")
def profile_command(
    app: AppPath,
    board: Annotated[str | None, typer.Option("--board", metavar="B", help="a board: its core, its clock, its memory")] = None,
    core: Annotated[str | None, typer.Option("--core", metavar="C", help=f"without a board: {', '.join(cores_with_cycles())}")] = None,
    clock: Annotated[float | None, typer.Option("--clock", metavar="MHZ", help="of the core; the board's without")] = None,
    recording: Annotated[Path | None, typer.Option("--recording", "-r", metavar="R", help="what it hears; noise without")] = None,
    buffers: Annotated[int, typer.Option("--buffers", min=2, help="blocks that the firmware has room for")] = 2,
    measured: Annotated[Path | None, typer.Option("--measured", metavar="FILE", help="cycles of steps that were measured")] = None,
    compiler: Annotated[str | None, typer.Option("--compiler", metavar="gcc|zig", help="the one there is, zig first")] = None,
    optimise: Annotated[str, typer.Option("--optimise", "-O", metavar="|".join(OPTIMISE), help="what the compiler is told")] = "O2",
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE.svg", help="draw where the cycles go")] = None,
    functions: Annotated[bool, typer.Option("--functions", help="list the functions of each step, too")] = False,
    show: Annotated[str | None, typer.Option("--listing", metavar="FUNCTION", help="its instructions with their counts, alone")] = None,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    as_json: Json = False,
) -> None:
    """Tell what each step takes on a core, and if it is in time.

    The C is built for the core and run in an emulator: instructions are exact, cycles are estimated from the core's table.
    """
    if (board is None) == (core is None):
        raise typer.BadParameter("say --board B or --core C, one of them")
    if clock is not None and not 0 < clock < 10_000:
        raise typer.BadParameter(f"--clock {clock:g}: a clock in MHz is above 0 and below 10000")
    if optimise not in OPTIMISE:
        raise typer.BadParameter(f"--optimise {optimise} is none of {', '.join(OPTIMISE)}")
    if picture is not None and picture.suffix.lower() != ".svg":
        raise typer.BadParameter(f"--picture {picture}: the picture is an .svg")
    target = find_board(board) if board else None
    clock_hz = clock * 1e6 if clock else float(target.clock_hz) if target else None
    plan = plan_file(app)
    told = read_measured(measured, plan) if measured else None
    x = [blocks_of(plan, Reading(resample, channel, counts).read(plan, recording).samples)] if recording else noise(plan)
    table = cycle_table(core_of(target) if target else core or "")
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
        print_profile(found, recording, clock_hz, functions)
        print_time(found, clock_hz, buffers)


def core_of(board: Board) -> str:
    if board.core not in cores_with_cycles():
        raise BuildError(f"{board.name} is a {board.core}, which has no table of cycles", "--core C takes another core")
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


def print_profile(found: Profile, recording: Path | None, clock_hz: float | None, with_functions: bool) -> None:
    """A row a step: a run of it, the most in a block, and its share of the average block."""
    plan, mean = found.plan, found.mean.nominal
    heard = recording or "noise, as no recording is given"
    table = Table(box=None, header_style="bold", pad_edge=False, title=f"{plan.name} on {found.table.core} ({found.compiler}): {heard}")
    table.title_justify = "left"
    table.add_column("step", overflow="fold")
    for column in ("fired", "ran", "instr/run", "cycles/run", "from", "to", "worst block", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    for i, name in enumerate([*(step.name for step in plan.steps), ""]):
        instructions, runs = int(found.instructions[:, i].sum()), int(found.runs[i]) if name else 0
        cycles = found.step_run(i) if name else None
        if name or instructions:
            words = f"{name} (measured)" if name in found.measured else name or "after the last step"
            counts = (f"{found.fired[:, i].sum():,}", f"{runs:,}") if name else ("", "")
            share = f"{100 * found.step_mean(i).nominal / mean:.1f} %"
            table.add_row(words, *counts, *each(instructions, cycles, runs), f"{found.step_worst(i).nominal:,.0f}", share)
        for f in found.functions if with_functions else ():
            if f.step == name:
                table.add_row(f"  {f.function}", "", "", *each(f.instructions, f.cycles * (1 / max(1, runs)), runs), "", "")
    output().print(table)


def each(instructions: int, cycles: Cycles | None, runs: int) -> tuple[str, ...]:
    """Instructions and cycles of a run: nominal, from, to; nothing where there was none."""
    if not runs or cycles is None:
        return ("",) * 4
    return f"{instructions / runs:,.0f}", f"{cycles.nominal:,.0f}", f"{cycles.low:,.0f}", f"{cycles.high:,.0f}"


def print_time(found: Profile, clock_hz: float | None, buffers: int) -> None:
    """What it comes to: the average and the worst block, and whether they are done in time."""
    blocks, period_ms = len(found.cycles), 1000 * found.period_s
    since = f"from the first score on, {found.settled * found.period_s:.2f} s after the start" if found.settled else "all"
    table, memory = found.table, found.memory
    factors = ["instructions", f"the table of the {table.like}"]
    factors += [f"{span(table.factor.cycles, 'g')} for the {table.core}, which has none"] * (table.like != table.core)
    factors += [f"{span(memory, 'g')} for flash and RAM"] * (memory != ONCE)
    print(f"\n{count(blocks, 'block')} of {period_ms:g} ms, {int(found.instructions.sum()):,} instructions")
    print(f"cycles are estimated: {' x '.join(factors)}")
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
