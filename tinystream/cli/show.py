"""`tinystream show`: the steps of an app, and its memory."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from tinystream.app.budget import needs_recordings
from tinystream.app.model_report import memory_as_dict
from tinystream.app.planning import over_budget, plan_file
from tinystream.app.read import load, located
from tinystream.cli.shared import WIDE, AppPath, Json, cli, output, shape_text, tell
from tinystream.firmware.board import Board, find_board
from tinystream.firmware.sizes import Need, need, parts_of, too_much
from tinystream.plan.arena import lower_bound
from tinystream.plan.plan import Plan
from tinystream.plan.signal import Signal


@cli.command()
def show(
    app: AppPath,
    as_json: Json = False,
    memory: Annotated[bool, typer.Option("--memory", help="list every buffer of the arena, too")] = False,
    board: Annotated[str | None, typer.Option("--board", "-b", metavar="NAME|FOLDER", help="what its firmware needs of this board")] = None,
) -> None:
    """List the steps with shape, rate, flash and RAM.

    Exit code 1 when a budget is broken, or where it does not fit the board.
    """
    plan, definition = plan_file(app), load(app)
    broken = over_budget(plan, definition.budget)
    target = find_board(board) if board else None
    needs = need(plan, target) if target else None
    if needs and target:
        broken = too_much(needs, target, definition.budget) or broken
    if as_json:
        told = plan_as_dict(plan) | (memory_as_dict(plan) if memory else {})
        told |= {"board": target.name, "needs": asdict(needs) | {"flash": needs.flash, "ram": needs.ram}} if needs and target else {}
        print(json.dumps(told | {"over_budget": [error.what for error in broken]}, indent=2))
    else:
        print_plan(plan)
        if memory:
            print_memory(plan)
        if needs and target:
            print_needs(needs, target)
        if plan.host_only:
            tell(f"note: {plan.host_only} runs on the host only; RAM and flash are without what its interpreter takes")
        for key in needs_recordings(definition.budget):
            tell(f"note: budget.{key} is checked by `tinystream power`, which needs recordings")
    if broken:
        raise located(app, broken)


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    steps = [
        dict(
            step=s.name, kind=s.kind, does=s.says, shape=s.y.shape, dtype=s.y.dtype, rate_hz=float(s.y.rate_hz),
            flash_bytes=s.flash_bytes, state_bytes=s.state_bytes, output_bytes=s.y.bytes,
        )
        for s in plan.steps
    ]  # fmt: skip
    totals = {key: getattr(plan, key) for key in ("arena_bytes", "state_bytes", "ram_bytes", "table_bytes")}
    return dict(app=plan.name, says=plan.says, definition=plan.digest, labels=plan.labels, steps=steps, **totals)


def print_plan(plan: Plan) -> None:
    console = output()
    wide = console.width >= WIDE
    table = Table(box=None, header_style="bold", pad_edge=False, title=f"{plan.name}: {plan.says}" if plan.says else plan.name)
    table.title_justify = "left"
    table.add_column("step", overflow="fold")
    if wide:
        table.add_column("what it does", overflow="fold")
    table.add_column("gives", overflow="fold")
    for column in ("rate", "flash B", "state B", "arena B"):
        table.add_column(column, justify="right", no_wrap=True)
    rows: list[tuple[str, str, Signal, tuple[int, ...]]] = [("source", "", x, ()) for x in plan.x]
    for step in plan.steps:
        arena = sum(b.bytes for b in plan.buffers if b.step == step.name and not b.over)
        rows.append((step.name, step.says, step.y, (step.flash_bytes, step.state_bytes, arena)))
    for name, says, y, sizes in rows:
        table.add_row(name, *[says] * wide, shape_text(y.shape, y.dtype), f"{float(y.rate_hz):.4g} Hz", *map(str, sizes))
    console.print(table)
    if not wide:
        console.print(f"(what each step does is shown in {WIDE} columns, and in --json)")
    ram = f"RAM {plan.ram_bytes} B: arena {plan.arena_bytes} B (places are used again over time), state {plan.state_bytes} B"
    console.print(f"\n{ram}\nflash {plan.table_bytes} B of tables; code is not counted", soft_wrap=True, highlight=False)


def print_needs(needs: Need, board: Board) -> None:
    """What firmware takes of a board."""
    assert board.memory, "it has a need"
    console = output()
    console.print(f"\n{board.name}: {board.says}", soft_wrap=True, highlight=False, markup=False)
    for what, key, bytes_, there in (
        ("flash", "flash_kb", needs.flash, board.memory.flash_bytes),
        ("RAM", "ram_kb", needs.ram, board.memory.ram_bytes),
    ):
        console.print(f"{what:<5} {bytes_} of {there} B: {parts_of(needs, key)}", soft_wrap=True, highlight=False)
    code = f"code as {needs.by} makes it" if needs.by else "code is estimated, and may be less: nothing is compiled for this board here"
    console.print(code, soft_wrap=True, highlight=False)


def print_memory(plan: Plan) -> None:
    """Every buffer of the arena: where it lies, and from which step to which."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("buffer", "bytes", "offset", "first step", "last step", ""):
        table.add_column(column, justify="right" if column in ("bytes", "offset") else "left", overflow="fold")
    names = [step.name for step in plan.steps]
    for b in plan.buffers:
        where = f"in the place of {b.over}" if b.over else f"may lie over {b.below}" if b.below else ""
        name = b.step if b.member == "y" else f"{b.step}.{b.member}"
        table.add_row(name, str(b.bytes), str(b.offset), f"{b.first} {names[b.first]}", f"{b.last} {names[b.last]}", where)
    console = output()
    console.print(table)
    bound = f"{lower_bound(plan.buffers)} B are in use at once at the most, no arrangement needs less"
    console.print(f"arena {plan.arena_bytes} B; {bound}", soft_wrap=True, highlight=False)
