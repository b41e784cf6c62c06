"""Whether a plan keeps the limits that its definition sets."""

from __future__ import annotations

from math import ceil

from tinystream.app.definition import Budget
from tinystream.errors import AppError
from tinystream.plan.plan import Plan


def over_budget(plan: Plan, budget: Budget | None) -> list[AppError]:
    """Every limit that is exceeded, with what takes most.  1 kB is 1000 bytes.

    RAM is arena and state.  Flash is constant tables only: code is not counted yet, and the message says so.
    """
    errors = []
    if budget and budget.ram_kb is not None and plan.ram_bytes > 1000 * budget.ram_kb:
        errors.append(AppError(("budget", "ram_kb"), f"needs {kb(plan.ram_bytes)} RAM, budget {kb(1000 * budget.ram_kb)}", most_ram(plan)))
    if budget and budget.flash_kb is not None and plan.table_bytes > 1000 * budget.flash_kb:
        errors.append(
            AppError(
                ("budget", "flash_kb"),
                f"needs {kb(plan.table_bytes)} of flash for tables alone, without code, budget {kb(1000 * budget.flash_kb)}",
                most_flash(plan),
            )
        )
    return errors


def over_battery(budget: Budget | None, low_days: float, nominal_days: float) -> list[AppError]:
    """Whether a battery might be empty before its time; battery life is an interval, and its low end must keep the limit."""
    if budget is None or budget.battery_days is None or low_days >= budget.battery_days:
        return []
    what = f"the battery lasts {low_days:.3g} days at the worst and {nominal_days:.3g} most likely, budget {budget.battery_days:g} days"
    return [AppError(("budget", "battery_days"), what, "`tinystream power` tells what draws most, and what is known least")]


def needs_recordings(budget: Budget | None) -> list[str]:
    """The limits that `tinystream power` checks, for `show` to say so."""
    return ["battery_days"] if budget and budget.battery_days is not None else []


def most_ram(plan: Plan) -> str:
    """The larger of arena and state, and who needs most of it."""
    if plan.arena_bytes >= plan.state_bytes:
        largest = max(plan.buffers, key=lambda b: b.bytes)
        return share("arena", plan.arena_bytes, largest.step, largest.bytes)
    step = max(plan.steps, key=lambda s: s.state_bytes)
    return share("state", plan.state_bytes, step.name, step.state_bytes)


def share(what: str, whole: int, step: str, part: int) -> str:
    words = "most of it" if 2 * part >= whole else "its largest part"
    return f"the {what} is {kb(whole)}, {words} {step} ({kb(part)})"


def most_flash(plan: Plan) -> str:
    nbytes, step, table = max((t.nbytes, s.name, n) for s in plan.steps for n, t in s.tables.items())
    return f"the largest table is {table} of {step} ({kb(nbytes)})"


def kb(nbytes: float) -> str:
    """Bytes as people read them, rounded up, so that what exceeds a limit also looks larger.

    >>> kb(41_234), kb(32_000)
    ('41.3 kB', '32 kB')
    """
    return f"{nbytes:.0f} B" if nbytes < 1000 else f"{ceil(round(nbytes, 3) / 100) / 10:g} kB"
