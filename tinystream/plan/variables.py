"""Turn the variables of a streaming model into operators with state.

A variable lives from one call of the model to the next: VAR_HANDLE names it, READ_VARIABLE reads it, ASSIGN_VARIABLE writes
it, and a subgraph that CALL_ONCE names gives it its start value.  plan/assignments.py brings each to one reading at the beginning of a call
and one writing at its end.

A delay line, which a streaming convolution makes of it, is something that one step can keep by itself:

    READ_VARIABLE -> past                       CONCATENATION(past, x) -> window -> the convolution
    ASSIGN_VARIABLE <- the end of window

Such a variable of P values that takes N new ones each time becomes one operator, ops/history.py: past, x -> past + x.

How it is found: a tensor is followed back through the operators that only lay values side by side or take a run of them, to
pieces of what READ_VARIABLE and other operators gave.  The new value must be the last P of (past + x).  Whatever reads a
part of (past + x) then reads `history`, through a SLICE where it is not all of it; what nobody reads is not remembered.
So the order and form of these operators do not matter, several readers may look at windows of different length, and a
delay without CONCATENATION works as well.

Any other variable, whose new value is computed from its old one (a recurrent layer, a running mean) or from itself by way of another
variable, becomes two operators: ops/recall.py gives the value of the call before, ops/remember.py takes the new one.  The second
reads the first, so that no plan puts it before; steps between the two cannot take many blocks at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.assignments import SELF_MADE, Uses, assigned, handles, in_file_order, named, start_values, uses_of
from tinystream.plan.flatbuffer import damaged
from tinystream.plan.operator import ALIASES, Graph, Operator, Tensor, code, same_scale

MOST_PIECES = 64  # of one tensor: more is not looked through


class Piece(NamedTuple):
    """Values start … stop - 1 of a tensor."""

    tensor: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Variable:
    """A delay line.

    past: what READ_VARIABLE gives first.
    x: what is new each time.
    start: its values before the first call.
    """

    name: str
    past: Tensor
    x: Tensor
    start: np.ndarray
    assign: Operator

    @property
    def size(self) -> int:
        return self.past.size + self.x.size

    def place(self, pieces: tuple[Piece, ...]) -> tuple[int, int] | None:
        """Where a tensor of these pieces lies in (past + x); None where it is not a run of it that begins in the past."""
        first, P = pieces[0], self.past.size
        if first.tensor != self.past.index:
            return None
        if len(pieces) == 1:
            return first.start, first.stop
        if len(pieces) == 2 and first.stop == P and pieces[1].tensor == self.x.index and pieces[1].start == 0:
            return first.start, P + pieces[1].stop
        return None


@dataclass(frozen=True, eq=False)
class Circle:
    """A variable whose new value depends on its old one.

    past: what READ_VARIABLE gives first.
    new:  what is written for the next call.
    start: its values before the first call.
    """

    name: str
    past: Tensor
    new: Tensor
    start: np.ndarray
    assign: Operator


def without_variables(graphs: Sequence[Graph]) -> tuple[Operator, ...]:
    """The operators of the first graph, with those in the place of its variables that their modules compute."""
    if not any(op.kind in SELF_MADE for op in graphs[0].operators):
        return graphs[0].operators
    main = in_file_order(graphs)
    found = {name: use for name, use in uses_of(main).items() if use.reads}
    pieces = followed(main)
    lines = {name: line for name, use in found.items() if (line := delay_line(name, use, main, graphs, pieces))}
    while True:
        circles = [circle(name, use, main, graphs) for name, use in found.items() if name not in lines]
        ordered, waiting = in_order(main, rewritten(main, list(lines.values()), circles, pieces))
        if not waiting:
            return ordered
        way = {op.index for op in turning(waiting) if op.kind == "read_variable"}
        if not way:
            raise damaged("operators wait for each other")
        lines = {name: line for name, line in lines.items() if line.assign.index not in way}


def with_clock(operators: Iterable[Operator], x: Tensor) -> tuple[Operator, ...]:
    """The operators, of which those that give a variable's old value do so whenever x comes."""
    return tuple(replace(op, inputs=(x, *op.inputs[1:])) if op.kind == "var_handle" else op for op in operators)


# --- finding ----------------------------------------------------------------------------------------------------------


def followed(main: Graph) -> dict[int, tuple[Piece, ...]]:
    """The pieces of every tensor that is made of others' values."""
    names = handles(main)
    first: dict[str, Tensor] = {}
    pieces: dict[int, tuple[Piece, ...]] = {}
    for op in main.operators:
        if op.kind == "read_variable":
            past = first.setdefault(named(op, names), op.y)
            pieces[op.y.index] = (Piece(past.index, 0, past.size),)
        elif op.outputs and (made := seen_through(op, pieces)):
            pieces[op.y.index] = made
    return pieces


def pieces_of(tensor: Tensor, pieces: dict[int, tuple[Piece, ...]]) -> tuple[Piece, ...]:
    return pieces.get(tensor.index, (Piece(tensor.index, 0, tensor.size),))


def seen_through(op: Operator, pieces: dict[int, tuple[Piece, ...]]) -> tuple[Piece, ...] | None:
    """The pieces of an operator's output, where it only lays values side by side or takes a run of them; else None."""
    if op.kind in ALIASES and op.flowing:
        return pieces_of(op.flowing[0], pieces)
    if op.kind in ("concatenation", "pack"):
        if code(op).read(op).rows == 1 and len(op.flowing) == len(op.inputs):
            made = joined(piece for t in op.flowing for piece in pieces_of(t, pieces))
            return made if len(made) <= MOST_PIECES else None
    elif op.kind in ("slice", "strided_slice", "split", "split_v", "unpack"):
        run = code(op).read(op).run_of()
        if run and op.flowing:
            return cut(pieces_of(op.flowing[0], pieces), *run)
    return None


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The same values in as few pieces as can be."""
    made: list[Piece] = []
    for piece in pieces:
        if made and (made[-1].tensor, made[-1].stop) == piece[:2]:
            made[-1] = made[-1]._replace(stop=piece.stop)
        else:
            made.append(piece)
    return tuple(made)


def cut(pieces: tuple[Piece, ...], start: int, stop: int) -> tuple[Piece, ...]:
    """Values start … stop - 1 of them."""
    made, at = [], 0
    for tensor, first, last in pieces:
        begin, end = max(first, first + start - at), min(last, first + stop - at)
        if begin < end:
            made.append(Piece(tensor, begin, end))
        at += last - first
    return tuple(made)


def delay_line(name: str, use: Uses, main: Graph, graphs: Sequence[Graph], pieces: dict[int, tuple[Piece, ...]]) -> Variable | None:
    """A variable as a delay line; None where it is none."""
    past, new = use.reads[0].y, assigned(use.assigns[0])
    made, P = pieces_of(new, pieces), past.size
    x = made[-1].tensor
    N = made[-1].stop
    shifted = (Piece(past.index, N, P), Piece(x, 0, N)) if N < P else (Piece(x, N - P, N),)
    tensor = {t.index: t for t in [*main.inputs, *(op.y for op in main.operators if op.outputs)]}.get(x)
    if made != shifted or tensor is None or tensor.size != N or x == past.index:
        return None
    if not same_scale(past, new) or not same_scale(past, tensor):
        return None
    return Variable(name, past, tensor, start_values(name, past, assigned(use.assigns[0]), main, graphs), use.assigns[0])


def circle(name: str, use: Uses, main: Graph, graphs: Sequence[Graph]) -> Circle:
    past, new = use.reads[0].y, assigned(use.assigns[0])
    if new.data is not None:
        raise ModelError(f"variable '{name}' is written constants at every call", "convert the model again")
    return Circle(name, past, new, start_values(name, past, assigned(use.assigns[0]), main, graphs), use.assigns[0])


# --- rewriting --------------------------------------------------------------------------------------------------------


def rewritten(main: Graph, lines: list[Variable], circles: list[Circle], pieces: dict[int, tuple[Piece, ...]]) -> list[Operator]:
    """The operators, with one for each delay line that somebody reads, one for each part of it that is read, and two for each circle."""
    makers = {op.y.index: op for op in main.operators if op.outputs}
    views: dict[int, list[tuple[Tensor, int, int]]] = {i: [] for i in range(len(lines))}
    queue = [*main.outputs, *(v.x for v in lines), *(c.new for c in circles)]
    queue += [t for op in main.operators if op.kind not in SELF_MADE and op.outputs and op.y.index not in pieces for t in op.flowing]
    seen = set()
    while queue:
        tensor = queue.pop()
        if tensor.index in seen or tensor.index not in pieces:
            continue
        seen.add(tensor.index)
        placed = [(i, place) for i, v in enumerate(lines) if (place := v.place(pieces[tensor.index]))]
        if placed:
            views[placed[0][0]].append((tensor, *placed[0][1]))
        elif makers[tensor.index].kind not in SELF_MADE:  # a view of something else: it stays, and so do its sources
            queue += makers[tensor.index].flowing
    replaced = {tensor.index for found in views.values() for tensor, _, _ in found}
    kept = [op for op in main.operators if op.kind not in SELF_MADE and op.outputs and op.y.index not in replaced]
    free = main.tensors
    for i, v in enumerate(lines):
        if views[i]:
            kept += in_one(v, views[i], free)
            free += 3 + 2 * len(views[i])
    uses = uses_of(main)
    for c in circles:
        kept += in_two(c, uses[c.name].reads, free)
        free += 2
    return kept


def in_one(v: Variable, views: list[tuple[Tensor, int, int]], free: int) -> list[Operator]:
    """`history` with as much past as its readers look at, and how each of them sees it.  `free`: the first unused tensor number."""
    front = min(start for _, start, _ in views)
    start = constant(free, v.start[front:], v.past.dtype)
    whole = replace(v.past, index=free + 1, name=f"{v.past.name} and what is new", shape=(1, v.size - front))
    made = [Operator(v.assign.index, "read_variable", None, (v.x, start), (whole,))]
    for n, (tensor, begin, end) in enumerate(views):
        if end - begin == v.size - front:
            made.append(Operator(v.assign.index, "reshape", None, (whole,), (tensor,)))
        else:
            at = [constant(free + 2 + 2 * n + j, [0, number], "int32") for j, number in enumerate((begin - front, end - begin))]
            at[1] = replace(at[1], data=np.array([1, end - begin], np.int32))
            made.append(Operator(v.assign.index, "slice", None, (whole, *at), (tensor,)))
    return made


def in_two(c: Circle, reads: list[Operator], free: int) -> list[Operator]:
    """`recall` and `remember`, and what reads the variable once more."""
    start = replace(constant(free, c.start, c.past.dtype), shape=c.past.shape)
    kept = replace(c.new, index=free + 1, name=f"{c.name} for the next call")
    again = [Operator(op.index, "reshape", None, (c.past,), op.outputs) for op in reads[1:]]
    made = Operator(reads[0].index, "var_handle", None, (None, start), (c.past,))
    return [made, *again, Operator(c.assign.index, "assign_variable", None, (c.new, c.past), (kept,))]


def constant(index: int, values: Sequence[int] | np.ndarray, dtype: str) -> Tensor:
    data = np.array(values, dtype)
    return Tensor(index, "", data.shape, dtype, np.empty(0), np.empty(0), 0, data)


def in_order(main: Graph, operators: list[Operator]) -> tuple[tuple[Operator, ...], list[Operator]]:
    """(the operators that the outputs depend on, each after what it reads; those that wait for each other, where that cannot be)."""
    makers = {op.y.index: op for op in operators}
    writers = {op.inputs[1].index: op for op in operators if op.kind == "assign_variable" and op.inputs[1]}
    wanted, needed = [t.index for t in main.outputs], {}
    while wanted:
        op = makers.get(wanted.pop())
        if op and op.y.index not in needed:
            needed[op.y.index] = op
            wanted += [t.index for t in op.flowing]
            if op.y.index in writers:
                wanted.append(writers[op.y.index].y.index)
    ordered: list[Operator] = []
    waiting = [op for op in operators if op.y.index in needed]
    while waiting:
        later = []
        for op in waiting:
            if any(t.index in needed for t in op.flowing):
                later.append(op)
            else:
                ordered.append(op)
                needed.pop(op.y.index, None)  # two may write one tensor: check() refuses them
        if len(later) == len(waiting):
            break
        waiting = later
    return tuple(ordered), waiting


def turning(waiting: list[Operator]) -> list[Operator]:
    """The operators of one circle among those that wait for each other."""
    makers, way = {op.y.index: op for op in waiting}, [waiting[0]]
    while True:
        before = next(makers[t.index] for t in way[-1].flowing if t.index in makers)
        if before in way:
            return way[way.index(before) :]
        way.append(before)
