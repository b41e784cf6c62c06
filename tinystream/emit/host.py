"""The generated C as a program or a shared library of this machine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tinystream.emit.compiler import SANITIZERS, WARNINGS, Compiler
from tinystream.emit.emit import emit, input_names
from tinystream.emit.learnt import learnt_native
from tinystream.emit.templates import template
from tinystream.plan.plan import Plan
from tinystream.plan.step import Form


def build_stream(
    plan: Plan, folder: Path, compiler: Compiler, optimise: str = "-O1", sanitize: bool = True, spread: bool = False, form: Form = "groups",
    more: tuple[str, ...] = (),
) -> Path:
    """A program: blocks on stdin, every step's output on stdout.  spread: with every buffer by itself; more: flags."""
    sources = write_stream(plan, folder, form)
    if spread:
        path = folder / f"{plan.name}.c"
        path.write_text(spread_arena(path.read_text(encoding="utf-8")), encoding="utf-8")
    flags = [*WARNINGS, optimise, *(SANITIZERS if sanitize else ()), *more]
    return compiler.build(sources, folder / "stream", *flags)


def write_stream(plan: Plan, folder: Path, form: Form = "groups") -> list[Path]:
    """What that program is built from (see firmware_templates/host/stream.c)."""
    emit(plan, folder, form)
    names = input_names(plan)
    (folder / "ts_stream.c").write_text(
        template("host/stream.c").substitute(
            name=plan.name,
            events=max(1, len(plan.detections)),
            declare="\n".join(f"    static {s.dtype}_t {n}[{s.size}];" for s, n in zip(plan.x, names)),
            read=" && ".join(f"fread({n}, sizeof {n}, 1, stdin) == 1" for n in names),
            **{"pass": ", ".join(names)},
        ),
        encoding="utf-8",
    )
    return [folder / "ts_stream.c", folder / f"{plan.name}_tables.c"]


def spread_arena(source: str) -> str:
    """The same C with each buffer of the arena as a variable of its own, so that a sanitizer sees where it ends."""
    union = re.search(r"^static union \{\n(.*?)^\} arena;\n", source, re.M | re.S)
    if union is None:
        return source
    own = re.sub(r"^    struct \{ (?:uint8_t _\[\d+\];)? *(.*?;) *\} (\w+);", r"static struct { \1 } arena_\2;", union[1], flags=re.M)
    dirty = " ".join(f"memset(&{name}, byte, sizeof {name});" for name in re.findall(r"\} (\w+);", own))
    own += f"#define TS_DIRTY(byte) do {{ {dirty} }} while (0)\n"
    return source[: union.start()] + own + re.sub(r"\barena\.(\w+)\.", r"arena_\1.", source[union.end() :])


def build_library(plan: Plan, folder: Path, compiler: Compiler, form: Form = "rows") -> Path:
    """A shared library for the native engine."""
    emit(plan, folder, form)
    (folder / "ts_native.c").write_text(native_source(plan), encoding="utf-8")
    native = () if compiler.name == "zig" else ("-march=native",)
    return compiler.build(
        [folder / "ts_native.c", folder / f"{plan.name}_tables.c"], folder / "native.so", "-std=c11", "-O3", "-shared", "-fPIC", *native
    )


def native_source(plan: Plan) -> str:
    """Many blocks a call, the wanted steps' outputs into the caller's arrays (see firmware_templates/host/native.c)."""
    names = input_names(plan)
    return template("host/native.c").substitute(
        name=plan.name,
        events=max(1, len(plan.detections)),
        inputs=", ".join(f"const {s.dtype}_t *{n}" for s, n in zip(plan.x, names)),
        advance=", ".join(f"{n} + (size_t)ts_block * {s.size}" for s, n in zip(plan.x, names)),
        learnt=learnt_native(plan),
    )


def parse_stream(plan: Plan, raw: bytes) -> tuple[dict[int, tuple[np.ndarray, np.ndarray]], list[tuple[int, int, int, int]]]:
    """What the program of build_stream wrote: (when, y) of every step by index, and events as (block, sequence, label, score)."""
    when: dict[int, list[int]] = {i: [] for i in range(len(plan.steps))}
    values: dict[int, list[np.ndarray]] = {i: [] for i in range(len(plan.steps))}
    events, at = [], 0
    while at < len(raw):
        step, block = np.frombuffer(raw, np.int32, 2, at).tolist()
        at += 8
        if step < 0:
            sequence, label, score = np.frombuffer(raw, np.int32, 3, at).tolist()
            events.append((block, sequence, label, score))
            at += 12
            continue
        y = plan.steps[step].y
        when[step].append(block)
        values[step].append(np.frombuffer(raw, y.dtype, y.size, at).reshape(y.shape))
        at += y.bytes
    fired = {i: (np.array(when[i], np.int64), np.array(values[i], s.y.dtype).reshape(-1, *s.y.shape)) for i, s in enumerate(plan.steps)}
    return fired, events
