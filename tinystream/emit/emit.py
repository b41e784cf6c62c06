"""Write a plan as C.  Knows C syntax and the naming rule; knows nothing of any stage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinystream import __version__
from tinystream.emit.learnt import learnt_defines, learnt_event, learnt_headers, learnt_interface, learnt_wiring
from tinystream.emit.templates import event_header, event_version, header, kernels_version, template, templates
from tinystream.errors import ModelError, writing
from tinystream.plan.plan import Detection, Plan
from tinystream.plan.signal import Signal
from tinystream.plan.step import Form, Step

WIDTH = 112  # columns that a line of the generated C fills
INCLUDE = r'^[ \t]*#[ \t]*include "(ts_\w+\.h)".*$'


def emit(plan: Plan, out: Path, form: Form = "groups") -> list[Path]:
    """The files of sources() into the folder `out`; gives what was written."""
    return write(sources(plan, form), out)


def write(texts: dict[str, str], out: Path) -> list[Path]:
    """Texts by path, into the folder `out`; gives what was written."""
    with writing(out, "--out another folder"):
        for name, text in texts.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text, encoding="utf-8")
    return sorted(out / name for name in texts)


def sources(plan: Plan, form: Form = "groups") -> dict[str, str]:
    """<name>.c, <name>.h, <name>_tables.c/.h and the kernels they use: text by file name.

    form: for which kind of core kernels and tables are arranged; every form gives the same bits.
        groups: cores without vector instructions, such as a Cortex-M: weights in groups of channels, in reading order.
        rows: cores whose compiler makes vector instructions of a loop over a row of weights, such as a desktop's.

    ModelError where a step of the plan runs on the host only.
    """
    plan = arranged(plan, form)
    needed = headers(plan)
    texts = {path.name: plain(path) for path in closure([event_header(), *needed])}
    source = template("app.c").substitute(
        about(plan),
        groups=int(form == "groups"),
        includes="\n".join(f'#include "{path.name}"' for path in needed),
        wiring=wiring(plan),
    )
    head = interface(plan, learnt_event(plan, '#include "ts_event.h"', whole=False))
    return {**texts, f"{plan.name}.c": source, f"{plan.name}.h": head, **tables(plan)}


def arranged(plan: Plan, form: Form) -> Plan:
    """The plan with its tables as that form reads them; ModelError where a step of it runs on the host only."""
    if plan.host_only:
        what = f"{plan.name} cannot be written as C: its step '{plan.host_only}' runs on the host only"
        raise ModelError(what, 'a model with full integer quantisation, and no run = "interpreter" in [model]')
    return replace(plan, steps=tuple(step.arranged(form) for step in plan.steps))


def headers(plan: Plan) -> list[Path]:
    """The kernels that the wiring of a plan names."""
    return list(dict.fromkeys([templates() / "kernels/ts_fixed.h", *(header(step) for step in plan.steps), *learnt_headers(plan)]))


def plain(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def closure(headers: list[Path], read: Callable[[Path], str] = plain) -> list[Path]:
    """The headers and all that they include from the folder they lie in, or from ours; what is included stands before what includes it."""
    found: dict[Path, None] = {}
    entered: set[Path] = set()

    def visit(path: Path) -> None:
        if path in entered:
            return
        entered.add(path)
        for name in re.findall(INCLUDE, read(path), re.M):
            beside = path.with_name(name)
            visit(beside if beside.exists() else templates() / "kernels" / name)
        found[path] = None

    for path in headers:
        visit(path)
    return list(found)


# --- the files ------------------------------------------------------------------------------------------------


def wiring(plan: Plan, declared: str = "") -> str:
    """What is the app's own: buffers, what each step is told and remembers, reset and push.  declared: what stands before it."""
    names = table_names(plan)
    return template("wiring.c").substitute(
        about(plan),
        declared=declared,
        arena=arena(plan),
        steps="\n".join(declare(plan, step, names) for step in plan.steps),
        clock="static uint32_t sequence;\nstatic uint64_t block;\n" if plan.detections else "",
        reset="\n".join(reset(plan)) or "    /* nothing is remembered */",
        calls="\n".join(calls(plan)),
        learnt=learnt_wiring(plan),
    )


def interface(plan: Plan, event: str) -> str:
    """The header.  event: where it has struct ts_event from."""
    return template("app.h").substitute(about(plan), event=event, defines="\n".join(defines(plan)), learnt=learnt_interface(plan))


def defines(plan: Plan) -> Iterator[str]:
    """What a user of the header can know while compiling."""
    named = [(f"BLOCK{suffix}", x, suffix.lower()) for suffix, x in zip(suffixes(plan), plan.x)]
    rows: list[tuple[str, object, str]] = []
    for name, x, suffix in named:
        rows.append((name, x.size, f"values a block{suffix and f' of {suffix[1:]}'}"))
        if len(x.shape) > 1:
            rows.append((name.replace("BLOCK", "CHANNELS"), x.shape[-1], "values of one moment, side by side"))
        if x.sample_hz is not None and x.sample_hz.denominator == 1:
            rows.append((name.replace("BLOCK", "SAMPLE_HZ"), x.sample_hz, "moments a second" if len(x.shape) > 1 else "values a second"))
    rows.append(("BLOCK_US", round(1_000_000 / plan.x[0].rate_hz), "from one block to the next"))
    rows.append(("RAM_BYTES", plan.ram_bytes, "static, on a 32-bit core"))
    rows += learnt_defines(plan)
    rows.append(("STEPS", len(plan.steps), "that TS_AFTER may look at"))
    rows += scores(plan)
    rows.append(("LABELS", f"{{ {', '.join(map(string, plan.labels or ('',)))} }}", ""))
    rows.append(("DEFINITION", string(plan.digest), ""))
    rows.append(("DEFINITION_32", definition_32(plan), "its first 32 bits, for alerts that must be short"))
    width, wide = max(len(n) for n, _, _ in rows), max(len(str(v)) for _, v, words in rows if words)
    for name, value, words in rows:
        line = f"#define {plan.name.upper()}_{name:<{width}}  {value!s:<{wide}}"
        yield f"{line}  /* {words} */" if words else line.rstrip()


def scores(plan: Plan) -> list[tuple[str, object, str]]:
    """What is told of events, and how their scores are counted: of one detector alike for all labels, of several for each label."""
    y = [plan.steps[d.step].y for d in plan.detections]
    if len(y) > 1:
        ends = [d.first for d in plan.detections[1:]] + [len(plan.labels)]
        times = [end - d.first for d, end in zip(plan.detections, ends)]
        scales = ", ".join(repr(float(one.scale)) for one, n in zip(y, times) for _ in range(n))
        zeros = ", ".join(str(one.zero) for one, n in zip(y, times) for _ in range(n))
        return [
            ("EVENTS", len(y), "that one push can give: room in its array"),
            ("SCORE_SCALES", f"{{ {scales} }}", "of each label: (event.score - its zero) times this is the score"),
            ("SCORE_ZEROS", f"{{ {zeros} }}", ""),
            ("LABEL_COUNT", len(plan.labels), ""),
        ]
    return [
        ("SCORE_SCALE", repr(float(one.scale)), f"{counts(one)} times this is the score{f', {comment(one.unit)}' if one.unit else ''}")
        for one in y
    ] + [("LABEL_COUNT", len(plan.labels), "")] * len(y)


def about(plan: Plan) -> dict[str, object]:
    """What the heads of the generated files tell."""
    x = plan.x[0]
    return dict(
        name=plan.name,
        NAME=plan.name.upper(),
        version=__version__,
        origin=f" (definition {plan.digest[:16]})" if plan.digest else "",
        says=comment(plan.says or "A plan without a definition."),
        heartbeat=f"{1000 / float(x.rate_hz):g} ms: {' and '.join(map(block, plan.x))}",
        ram_bytes=plan.ram_bytes,
        arena_bytes=plan.arena_bytes,
        state_bytes=plan.state_bytes,
        table_bytes=plan.table_bytes,
        definition_32=definition_32(plan),
        kernels_version=kernels_version(),
        event_version=event_version(),
        inputs=", ".join(
            f"const {x.dtype}_t {name}[{plan.name.upper()}_BLOCK{suffix}]"
            for x, name, suffix in zip(plan.x, input_names(plan), suffixes(plan))
        ),
        given="int" if len(plan.detections) > 1 else "bool",
        taken=f"event[{plan.name.upper()}_EVENTS]" if len(plan.detections) > 1 else "*event",
        pushed=pushed(plan),
    )


def pushed(plan: Plan) -> str:
    """What the header says of push."""
    told = "how many events there are." if len(plan.detections) > 1 else "true when *event is new."
    if len(plan.x) == 1:
        return f"One block of samples in; {told}"
    slow = [f"{name}'s lasts {n} pushes" for name, n in zip(input_names(plan), plan.repeats) if n > 1]
    wait = f" {', '.join(slow)}: pass it with each of them, the block is read with the last." if slow else ""
    return f"A block of each source in ({', '.join(map(comment, plan.names))}); {told}{wait}"


def tables(plan: Plan) -> dict[str, str]:
    """<name>_tables.h and .c; arrays with equal contents are written once."""
    externs = "\n".join(f"extern {signature(name, table)};" for _, name, table in table_list(plan))
    return {
        f"{plan.name}_tables.h": template("tables.h").substitute(about(plan), externs=externs),
        f"{plan.name}_tables.c": template("tables.c").substitute(about(plan), arrays=arrays(plan)),
    }


def arrays(plan: Plan, storage: str = "") -> str:
    return "\n\n".join(f"{storage}{signature(name, table)} = {{\n{rows(table)}\n}};" for _, name, table in table_list(plan))


# --- parts of the source --------------------------------------------------------------------------------------


def arena(plan: Plan) -> str:
    """A union: each buffer is a member padded to its offset, so C knows its type and the debugger its name."""
    if not plan.buffers:
        return ""
    lines = [
        "/* --- what flows between the steps; a place is used again once its last reader has run ------------------- */",
        "",
        "static union {",
    ]
    rows = []
    for step in plan.steps:
        for b in sorted((b for b in plan.buffers if b.step == step.name), key=lambda b: b.member != "y"):
            when = f"steps {b.first}-{b.last}" if b.last > b.first else f"step {b.first}"
            what = f"{when}, in the place of {b.over}" if b.over else when
            name = step.name if b.member == "y" else f"{step.name}_{b.member}"
            rows.append((f"uint8_t _[{b.offset}];" if b.offset else "", f"{b.dtype}_t", f"{b.member}[{b.size}];", f"}} {name};", what))
    pad, type_, array, owner = (max(len(row[i]) for row in rows) for i in range(4))
    lines += [f"    struct {{ {a:<{pad}} {b:<{type_}} {c:<{array}} {d:<{owner}} /* {what} */" for a, b, c, d, what in rows]
    return "\n".join([*lines, "} arena;", ""])


def declare(plan: Plan, step: Step, names: dict[tuple[str, str], str]) -> str:
    """`struct ts_<kind>` with its members by name, and the state if the step keeps any."""
    scratch = {n: f"arena.{step.name}_{n}.{n}" for n in step.scratch}
    members = {**{n: number(v) for n, v in step.params.items()}, **{n: names[step.name, n] for n in step.tables}, **scratch}
    lines = [f"/* {step.name}: {comment(step.says)} */"] if step.says else []
    if members:
        width = max(map(len, members))
        lines += [f"static const struct ts_{step.kind} {step.name} = {{", *(f"    .{n:<{width}} = {v}," for n, v in members.items()), "};"]
    for n, v in step.state.items():
        if isinstance(v, np.ndarray):
            lines.append(f"static {v.dtype}_t {step.name}_{n}[{v.size}];")
    if step.state:
        lines.append(f"static struct ts_{step.kind}_state {step.name}_state;")
    return "\n".join([*lines, ""]) if lines else ""


def reset(plan: Plan) -> Iterator[str]:
    """The state is filled here, so that start values cost no flash, but for those that differ from place to place."""
    names = table_names(plan)
    for step in plan.steps:
        if not step.state:
            continue
        for n, v in step.state.items():
            if not isinstance(v, np.ndarray) or n in step.learnt:
                continue
            name = f"{step.name}_{n}"
            if f"{n}_start" in step.stored and v.any():
                yield f"    memcpy({name}, {names[step.name, f'{n}_start']}, sizeof {name});"
            elif v.size == 1:
                yield f"    {name}[0] = {number(v.flat[0])};"
            elif not v.any():
                yield f"    memset({name}, 0, sizeof {name});"
            else:
                yield f"    for (size_t i = 0; i < {v.size}; i++) {name}[i] = {number(v.flat[0])};"
        members = [f".{n} = {start(step, n)}" for n in step.state]
        line = f"    {step.name}_state = (struct ts_{step.kind}_state){{"
        if len(line) + sum(len(m) + 2 for m in members) <= WIDTH - 3:
            yield f"{line} {', '.join(members)} }};"
        else:
            yield from [line, *(f"        {m}," for m in members), "    };"]
    if plan.detections:
        yield "    sequence = 0;"
        yield "    block = 0;"


def start(step: Step, member: str) -> str:
    """What a reset gives a member of the state: a learnt one keeps what it has."""
    value = step.state[member]
    if isinstance(value, np.ndarray):
        return f"{step.name}_{member}"
    return f"{step.name}_state.{member}" if member in step.learnt else number(value)


def calls(plan: Plan) -> Iterator[str]:
    """Two lines a step: the call; what it gave.  What follows a waiting step is skipped by a return or, where other branches go on,
    by an if."""
    conditions = plan.conditions()
    count = len(plan.steps)
    several = {d.step: d for d in plan.detections} if len(plan.detections) > 1 else {}
    ends = {i for i, s in enumerate(plan.steps) if s.waits and i not in several and all(i in conditions[j] for j in range(i + 1, count))}
    flags = {i for i, s in enumerate(plan.steps) if s.waits} - ends
    yield "    const uint64_t now = block++;" if plan.detections else "    (void)event;"
    yield from ["    int events = 0;"] * bool(several)
    nothing = "return events;" if several else "return false;"
    read = {j for step in plan.steps for j in step.sources}
    yield from (f"    (void){name};" for i, name in enumerate(input_names(plan)) if -1 - i not in read)
    yield from (f"    bool {plan.steps[i].name}_fresh = false;" for i in sorted(flags))
    yield ""
    yield "    TS_FENCE();"
    rows: list[tuple[str, str]] = []
    opened: list[int] = []  # the flags that the block we are in has asked for
    passed: set[int] = set()  # the flags that are known to be set where the step above ends
    for i, step in enumerate(plan.steps):
        needs = sorted(conditions[i] & flags)
        if needs != opened:
            if opened:
                rows.append(("    }", ""))
            if needs:
                rows.append((f"    if ({' && '.join(f'{plan.steps[j].name}_fresh' for j in needs)}) {{", ""))
            opened = needs
        pad = "        " if opened else "    "
        before, after = ("if (!", f") {nothing}") if i in ends else (f"{step.name}_fresh = ", ";") if i in flags else ("", ";")
        if not passed <= set(needs):
            rows.append((f"{pad}TS_BEFORE({i});", ""))
        passed = {*needs, *({i} & flags)}
        rows += [(line, "") for line in call(plan, step, pad + before, after)]
        done = f"TS_DONE({i}, arena.{step.name}.y);"
        rows.append((f"{pad}if ({step.name}_fresh) {done}" if i in flags else pad + done, gives(step.y)))
        if i in several:
            rows += [(pad + line, "") for line in tell(step, several[i])]
    column = min(WIDTH - 32, max(len(line) for line, words in rows if words) + 2)
    yield from (f"{line:<{column}}/* {words} */" if words else line for line, words in rows)
    alone = len(plan.detections) == 1
    yield from (pad + line for line in (announce(plan) if alone else ()))
    if opened:
        yield from [f"{pad}return true;"] * alone
        yield "    }"
    yield "    return true;" if alone and not opened else f"    {nothing}"


def call(plan: Plan, step: Step, before: str, after: str) -> list[str]:
    """ts_<kind>(k, s, x, y), between what stands before and after it; k and s on a line of their own where it is long."""
    told, flow = arguments(plan, step)
    before += f"ts_{step.kind}("
    line = f"{before}{', '.join([*told, *flow])}){after}"
    if len(line) <= WIDTH or not told:
        return [line]
    return [f"{before}{', '.join(told)},", f"{' ' * len(before)}{', '.join(flow)}){after}"]


def announce(plan: Plan) -> list[str]:
    """Fill *event from what the detector gave."""
    assert plan.detector is not None
    y = f"arena.{plan.steps[plan.detector].name}.y"
    return ["event->sequence = sequence++;", f"event->label = {y}[0];", f"event->score = {y}[1];", "event->block = now;"]


def tell(step: Step, detection: Detection) -> list[str]:
    """One event more, from what one of several detectors gave."""
    y = f"arena.{step.name}.y"
    first = f" + {detection.first}" if detection.first else ""
    return [
        f"if ({step.name}_fresh) {{",
        f"    event[events++] = (struct ts_event){{ .sequence = sequence++, .label = {y}[0]{first}, .score = {y}[1], .block = now }};",
        "}",
    ]


# --- words of C -----------------------------------------------------------------------------------------------


def arguments(plan: Plan, step: Step) -> tuple[list[str], list[str]]:
    """(k, s), (x …, y): in this order, always; k only where there is something to tell, s where something is kept."""
    told = [f"&{step.name}"] if step.params or step.tables or step.scratch else []
    owner = plan.steps[step.sources[-1]] if step.writes else step
    kept = [f"&{owner.name}_state"] if owner.state else []
    names = input_names(plan)
    x = [f"arena.{plan.steps[j].name}.y" if j >= 0 else names[-1 - j] for j in step.given]
    return [*told, *kept], [*x, f"arena.{step.name}.y"]


def input_names(plan: Plan) -> list[str]:
    return ["x"] if len(plan.x) == 1 else [f"x{i}" for i in range(len(plan.x))]


def suffixes(plan: Plan) -> list[str]:
    """What the macros of each input end with: nothing where there is one."""
    return [""] if len(plan.x) == 1 else [f"_X{i}" for i in range(len(plan.x))]


def table_list(plan: Plan) -> list[tuple[object, str, np.ndarray]]:
    """(identity, C name, array) of every table that differs from all before it."""
    seen: dict[object, tuple[object, str, np.ndarray]] = {}
    for step in plan.steps:
        for n, t in step.stored.items():
            identity = (t.dtype.str, t.tobytes())
            seen.setdefault(identity, (identity, f"{plan.name}_{step.name}_{n}", t))
    return list(seen.values())


def table_names(plan: Plan) -> dict[tuple[str, str], str]:
    """The C name of each step's table, by step and member."""
    by_content = {identity: name for identity, name, _ in table_list(plan)}
    return {(s.name, n): by_content[t.dtype.str, t.tobytes()] for s in plan.steps for n, t in s.stored.items()}


def signature(name: str, table: np.ndarray) -> str:
    return f"const {table.dtype}_t {name}[{table.size}]"


def rows(table: np.ndarray) -> str:
    """Values, as many a line as fit 112 columns."""
    texts = [number(v, table.dtype) for v in table.ravel()]
    width = max(map(len, texts)) + 2
    per_row = max(1, 108 // width)
    return "\n".join("    " + ", ".join(f"{t:>{width - 2}}" for t in texts[i : i + per_row]) + "," for i in range(0, len(texts), per_row))


def number(value, dtype=None) -> str:
    """An integer constant of C whose type holds the value."""
    value = int(value)
    if dtype is not None and np.dtype(dtype) == np.uint64:
        return f"UINT64_C({value})"
    if value == -(2**63):
        return "INT64_MIN"
    if not -(2**31) <= value < 2**31:
        return f"INT64_C({value})" if dtype is None or np.dtype(dtype) == np.int64 else f"{value}u"
    return "INT32_MIN" if value == -(2**31) else str(value)


# --- words for people -----------------------------------------------------------------------------------------


def gives(y: Signal) -> str:
    """Shape, type and rate, without axes of 1: 13x64 int8 at 33.33 Hz."""
    shape = [n for n in y.shape if n != 1] or [1]
    return f"{'x'.join(map(str, shape))} {y.dtype} at {float(y.rate_hz):.4g} Hz"


def block(x: Signal) -> str:
    """What a block of an input is: 160 int16 values at 16000 Hz."""
    values = f"{x.size} {x.dtype} values" + (f", {x.shape[-1]} side by side," if len(x.shape) > 1 else "")
    return values + (f" at {float(x.sample_hz):g} Hz" if x.sample_hz is not None else "")


def counts(y: Signal) -> str:
    """What an event's score counts from the real zero."""
    return f"(event.score - {y.zero})" if y.zero else "event.score"


def definition_32(plan: Plan) -> str:
    """The first 32 bits of the digest, as a constant that C's preprocessor compares."""
    return f"0x{plan.digest[:8] or '0'}u"


def comment(text: str) -> str:
    """One line of words that neither ends a C comment nor seems to begin one, and has no trigraph that would go on on the next line."""
    return line(text).replace("??/", "?? /").replace("*/", "* /").replace("/*", "/ *")


def line(text: str) -> str:
    """The words in one line; nothing in it that a terminal would not show."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def string(text: str) -> str:
    """A string literal of C."""
    escaped = {'"': '\\"', "\\": "\\\\", "?": "\\?"}  # ??/ would be a backslash
    return '"' + "".join(escaped.get(c) or (c if c.isprintable() else "".join(f"\\{b:03o}" for b in c.encode())) for c in text) + '"'
