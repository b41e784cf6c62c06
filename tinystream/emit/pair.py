"""An app as one .c and one .h: kernels, wiring and tables in a file that needs nothing beside it but its header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tinystream.emit.emit import INCLUDE, about, arranged, arrays, closure, headers, interface, signature, table_list, wiring
from tinystream.emit.learnt import learnt_event
from tinystream.emit.templates import event_header, template, templates
from tinystream.plan.plan import Plan
from tinystream.plan.step import Form

PARTS = ("kernels", "app", "tables")


def pair(plan: Plan, form: Form = "groups") -> dict[str, str]:
    """<name>.c and <name>.h: text by file name.  form, and what is refused: as in emit.sources().

    Every name of the kernels and every table is local to <name>.c, so that apps of several versions of tinystream fit into one image.
    Tables are defined at its end, where they hide nothing, and are declared before by what C calls tentative definitions.
    """
    plan = arranged(plan, form)
    ours, own = kernels(plan, groups=form == "groups")
    heading = "/* --- tables, by name; what they hold stands at the end of this file -------------------------------------- */\n\n"
    declared = [f"static {signature(name, table)};\n" for _, name, table in table_list(plan)]
    holes = dict(
        about(plan),
        groups=int(form == "groups"),
        kernels=ours,
        own=own,
        wiring=wiring(plan, declared=heading + "".join(declared) + "\n" if declared else ""),
        arrays=arrays(plan, storage="static "),
    )
    c = template("pair.c")
    draft = c.substitute(holes, **{f"{part}_line": "?" for part in PARTS})
    lines = {f"{part}_line": draft[: draft.index(f"/* ======== {part} =")].count("\n") + 1 for part in PARTS}
    event = event_header().read_text(encoding="utf-8").partition("\n")[2].strip()
    head = interface(plan, learnt_event(plan, event, whole=True))
    return {f"{plan.name}.c": c.substitute(holes, **lines).rstrip() + "\n", f"{plan.name}.h": head}


def kernels(plan: Plan, groups: bool) -> tuple[str, str]:
    """The text of our kernels, and of those that stages of the user brought, in the order of inclusion."""

    def text(path: Path) -> str:
        return "\n".join(chosen(path.read_text(encoding="utf-8").splitlines(), groups))

    paths = [path for path in closure(headers(plan), text) if path.name != "ts_learnt.h"]  # <name>.h has it
    ours = [path for path in paths if path.parent == templates() / "kernels"]
    own = [path for path in paths if path not in ours]  # ours never include one of these
    return "\n\n".join(bare(path.name, text(path)) for path in ours), "".join(f"\n{bare(path.name, text(path))}\n" for path in own)


def chosen(lines: list[str], groups: bool) -> Iterator[str]:
    """The lines of a header without what TS_GROUPS rules out; every other condition is the C compiler's."""
    inside: list[bool | None] = []  # for each #if that is open: whether its lines are wanted; None where that is not ours to say
    for line in lines:
        directive = re.match(r"\s*#\s*(if|ifdef|ifndef|else|endif)\b\s*(\w*)\s*(/\*.*)?$", line)
        word = directive[1] if directive else ""
        if re.match(r"\s*#\s*if", line):
            inside.append(groups if directive and directive[2] == "TS_GROUPS" and word == "if" else None)
        elif word == "else" and inside and inside[-1] is not None:
            inside[-1] = not inside[-1]
        ours = word in ("if", "else", "endif") and inside[-1:] not in ([], [None])
        if not ours and False not in inside:
            yield line
        if re.match(r"\s*#\s*endif", line) and inside:
            inside.pop()


def bare(name: str, text: str) -> str:
    """What a header says itself: without its guard, and without includes of kernels, for these stand before it."""
    lines = [line for line in text.splitlines() if not re.match(INCLUDE, line) and line.split() != ["#pragma", "once"]]
    at = [i for i, line in enumerate(lines) if line.lstrip().startswith("#")]
    words = [lines[i].split() for i in at]
    if len(at) > 2 and words[0][0] == "#ifndef" and words[1] == ["#define", words[0][1]] and words[-1][0] == "#endif":
        lines = [line for i, line in enumerate(lines) if i not in (at[0], at[1], at[-1])]
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return body if body.startswith(f"/* {name} - ") else f"/* {name} */\n{body}"
