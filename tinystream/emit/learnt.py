"""The part of the generated C that keeps what was learnt: forget, export, restore; nothing where a plan learns nothing.

The form of the bytes stands in plan/learnt.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tinystream.emit.templates import template, templates
from tinystream.plan.learnt import Member, definition_bytes, learns, learnt_bytes, members
from tinystream.plan.plan import Plan


def learnt_headers(plan: Plan) -> list[Path]:
    """The kernel that the wiring needs for it."""
    return [templates() / "kernels/ts_learnt_bytes.h"] if learns(plan) else []


def learnt_event(plan: Plan, event: str, whole: bool) -> str:
    """What the app's header has before its own words: `event`, and enum ts_learnt. whole: its text, no #include."""
    if not learns(plan):
        return event
    text = (templates() / "kernels/ts_learnt.h").read_text(encoding="utf-8").partition("\n")[2].strip()
    return f"{event}\n\n{text}" if whole else f'{event}\n#include "ts_learnt.h"'


def learnt_interface(plan: Plan) -> str:
    return template("learnt.h").substitute(name=plan.name, NAME=plan.name.upper()) if learns(plan) else ""


def learnt_defines(plan: Plan) -> list[tuple[str, object, str]]:
    return [("LEARNT_BYTES", learnt_bytes(plan), f"of what {plan.name}_export gives")] if learns(plan) else []


def learnt_wiring(plan: Plan) -> str:
    """The three functions."""
    if not learns(plan):
        return ""
    raw = [f"0x{byte:02x}" for byte in definition_bytes(plan)]
    return template("learnt.c").substitute(
        name=plan.name,
        NAME=plan.name.upper(),
        definition="\n".join(f"    {', '.join(raw[i : i + 16])}," for i in (0, 16)),
        forget="\n".join(forget(plan)),
        put="\n".join(f"    to = ts_learnt_put(to, {moved(plan, member)});" for member in members(plan)),
        get="\n".join(gets(plan)),
    )


def learnt_native(plan: Plan) -> str:
    """What the native engine calls, and the emulated one."""
    return template("host/learnt.c").substitute(name=plan.name) if learns(plan) else ""


def forget(plan: Plan) -> Iterator[str]:
    for member in members(plan):
        place = variable(plan, member)
        yield f"    memset({place}, 0, sizeof {place});" if member.shape else f"    {place} = 0;"


def gets(plan: Plan) -> Iterator[str]:
    *first, last = members(plan)
    yield from (f"    x = ts_learnt_get(x, {moved(plan, member)});" for member in first)
    yield f"    (void)ts_learnt_get(x, {moved(plan, last)});"


def moved(plan: Plan, member: Member) -> str:
    """Where it is, the bytes of a number, and how many there are."""
    place = variable(plan, member)
    return f"{place if member.shape else f'&{place}'}, {member.dtype.itemsize}, {member.bytes // member.dtype.itemsize}"


def variable(plan: Plan, member: Member) -> str:
    """Its name in C: an array of its own, or a member of the step's state."""
    return f"{plan.steps[member.step].name}_{member.name}" if member.shape else f"{plan.steps[member.step].name}_state.{member.name}"
