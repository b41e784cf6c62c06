"""What each READ_VARIABLE of a graph gives, by the file's order.

A variable is written when ASSIGN_VARIABLE runs: what reads it before then sees the value of the call before, what reads it after sees the
new one, and of several that write it the last one counts for the next call.  Here the second kind of reading becomes a RESHAPE of what was
written, and what is overwritten goes; so each variable is read at the beginning of a call and written once, at its end, and order is
nobody's business any more.  A variable that is never written is a constant: its start values.

Source: tflite-micro, micro_resource_variable.cc, call_once.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.flatbuffer import damaged
from tinystream.plan.operator import Graph, Operator, Tensor

INIT_SUBGRAPH = 0  # slot of CallOnceOptions
CONTAINER, SHARED_NAME = 0, 1  # slots of VarHandleOptions
SELF_MADE = ("call_once", "var_handle", "read_variable", "assign_variable")


@dataclass(eq=False)
class Uses:
    """The operators that read a variable before and after it is written, and those that write it, in the file's order."""

    reads: list[Operator] = field(default_factory=list)
    late: list[Operator] = field(default_factory=list)
    assigns: list[Operator] = field(default_factory=list)


def in_file_order(graphs: Sequence[Graph]) -> Graph:
    """The first graph, with each variable read at its old value and written once at the most."""
    main = graphs[0]
    names, uses = handles(main), uses_of(main)
    check_start(main, uses)
    overwritten = {op.index for use in uses.values() for op in use.assigns[:-1]}
    value: dict[str, Tensor] = {}
    known: dict[int, Tensor] = {}
    kept = []
    for op in main.operators:
        op = replace(op, inputs=tuple(t if t is None else known.get(t.index, t) for t in op.inputs))
        if op.kind == "assign_variable":
            name = named(op, names)
            value[name] = written(op, name, uses[name])
            if op.index in overwritten:
                continue
        elif op.kind == "read_variable":
            name = named(op, names)
            now = value.get(name)
            if now is None and not uses[name].assigns:
                now = replace(op.y, data=start_values(name, op.y, op.y, main, graphs))
            if now is not None and now.data is not None:
                known[op.y.index] = replace(op.y, data=now.data)
                continue
            if now is not None:
                op = Operator(op.index, "reshape", None, (now,), op.outputs)
        kept.append(op)
    return replace(main, operators=tuple(kept))


def uses_of(graph: Graph) -> dict[str, Uses]:
    names = handles(graph)
    uses: dict[str, Uses] = {}
    for op in graph.operators:
        if op.kind == "assign_variable":
            uses.setdefault(named(op, names), Uses()).assigns.append(op)
        elif op.kind == "read_variable":
            use = uses.setdefault(named(op, names), Uses())
            (use.late if use.assigns else use.reads).append(op)
    return uses


def handles(graph: Graph) -> dict[int, str]:
    """The name of the variable that each resource tensor stands for."""
    found = {}
    for op in graph.operators:
        if op.kind == "var_handle" and op.outputs:
            container, name = (op.options.string(slot) if op.options else "" for slot in (CONTAINER, SHARED_NAME))
            found[op.y.index] = f"{container}/{name}" if container else name
    return found


def named(op: Operator, names: dict[int, str]) -> str:
    if not op.inputs or op.inputs[0] is None or op.inputs[0].index not in names:
        raise damaged(f"{op.label} names no variable")
    return names[op.inputs[0].index]


def assigned(op: Operator) -> Tensor:
    if len(op.inputs) < 2 or op.inputs[1] is None:
        raise damaged(f"{op.label} writes nothing")
    return op.inputs[1]


def written(op: Operator, name: str, use: Uses) -> Tensor:
    """What an operator writes; ModelError where the variable is read as something else."""
    new = assigned(op)
    for read in (*use.reads, *use.late):
        if (read.y.dtype, read.y.size) != (new.dtype, new.size):
            what = f"variable '{name}' is read as {read.y.size} values of {read.y.dtype}, and {new.size} of {new.dtype} are written"
            raise ModelError(what, "convert the model again")
    return new


def check_start(main: Graph, uses: dict[str, Uses]) -> None:
    """Start values are there before a variable is used."""
    first = min((op.index for use in uses.values() for op in (*use.reads, *use.assigns)), default=0)
    late = [op for op in main.operators if op.kind == "call_once" and op.index > first]
    if late and uses:
        raise late[0].refuse("fills variables that were read or written before", "start values come first: convert the model again")


def start_values(name: str, past: Tensor, new: Tensor, main: Graph, graphs: Sequence[Graph]) -> np.ndarray:
    """What CALL_ONCE writes to the variable; where it writes nothing, the zero of what is written first, as TFLM has it."""
    values = np.full(past.size, new.zero, past.dtype) if past.quantised or past.counts else None
    for call in main.operators:
        if call.kind != "call_once":
            continue
        index = call.option(INIT_SUBGRAPH)
        if not 1 <= index < len(graphs):
            raise damaged(f"{call.label} calls subgraph {index} of {len(graphs)}")
        names = handles(graphs[index])
        for op in graphs[index].operators:
            if op.kind == "assign_variable" and named(op, names) == name:
                values = assigned(op).data
    if values is None or values.dtype != past.dtype or values.size != past.size:
        what = f"variable '{name}' starts with something else than {past.size} constants of {past.dtype}"
        raise ModelError(what, "convert the model again")
    return values.ravel()
