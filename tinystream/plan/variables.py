"""Turn the variables of a streaming model into operators with state.

A variable lives from one call of the model to the next: VAR_HANDLE names it, READ_VARIABLE reads it, ASSIGN_VARIABLE writes
it, and a subgraph that CALL_ONCE names gives it its start value.  A Step owns its state, and a chunk of blocks passes through
one step before the next step sees it; so a variable must be something that one step can keep by itself.  It is, where it is
a delay line, and that is what a streaming convolution makes of it:

    READ_VARIABLE -> past                       CONCATENATION(past, x) -> window -> the convolution
    ASSIGN_VARIABLE <- the end of window

Such a variable of P values that takes N new ones each time becomes one operator, ops/history.py: past, x -> past + x.

How it is found: a tensor is followed back through the operators that only lay values side by side or take a run of them, to
pieces of what READ_VARIABLE and other operators gave.  The new value must be the last P of (past + x).  Whatever reads a
part of (past + x) then reads `history`, through a SLICE where it is not all of it; what nobody reads is not remembered.
So the order and form of these operators do not matter, several readers may look at windows of different length, and a
delay without CONCATENATION works as well.  A variable whose new value is computed from its old one (a recurrent layer, a
running mean) is refused: it cannot be told block by block from what the step reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.flatbuffer import damaged
from tinystream.plan.operator import ALIASES, Graph, Operator, Tensor, code, same_scale

INIT_SUBGRAPH = 0  # slot of CallOnceOptions
CONTAINER, SHARED_NAME = 0, 1  # slots of VarHandleOptions
SELF_MADE = ("call_once", "var_handle", "read_variable", "assign_variable")
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


def without_variables(graphs: Sequence[Graph]) -> tuple[Operator, ...]:
    """The operators of the first graph, with `read_variable` operators that ops/history.py computes for its variables."""
    main = graphs[0]
    if not any(op.kind in SELF_MADE for op in main.operators):
        return main.operators
    reads, pieces = followed(main)
    variables = [found for name in reads if (found := variable(name, reads[name], main, graphs, pieces))]
    made = rewritten(main, variables, pieces)
    return in_order(main, made, {v.assign.index: v.name for v in variables})


# --- finding ----------------------------------------------------------------------------------------------------------


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


def followed(main: Graph) -> tuple[dict[str, list[Operator]], dict[int, tuple[Piece, ...]]]:
    """The operators that read each variable, and the pieces of every tensor that is made of others' values."""
    names = handles(main)
    reads: dict[str, list[Operator]] = {}
    pieces: dict[int, tuple[Piece, ...]] = {}
    for op in main.operators:
        if op.kind == "read_variable":
            first = reads.setdefault(named(op, names), [])
            first.append(op)
            pieces[op.y.index] = (Piece(first[0].y.index, 0, first[0].y.size),)
        elif op.outputs and (made := seen_through(op, pieces)):
            pieces[op.y.index] = made
    return reads, pieces


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


def variable(name: str, reads: list[Operator], main: Graph, graphs: Sequence[Graph], pieces: dict) -> Variable | None:
    """A variable as a delay line; ModelError where it is none."""
    names = handles(main)
    assigns = [op for op in main.operators if op.kind == "assign_variable" and named(op, names) == name]
    if len(assigns) != 1 or any(op.index > assigns[0].index for op in reads):
        raise ModelError(
            f"variable '{name}' is written {len(assigns)} times, or read after it was written", "write each variable once, at the end"
        )
    past, new = reads[0].y, assigned(assigns[0])
    made, P = pieces_of(new, pieces), past.size
    x = made[-1].tensor
    N = made[-1].stop
    shifted = (Piece(past.index, N, P), Piece(x, 0, N)) if N < P else (Piece(x, N - P, N),)
    tensor = {t.index: t for t in [*main.inputs, *(op.y for op in main.operators if op.outputs)]}.get(x)
    if made != shifted or tensor is None or tensor.size != N or not new.size == P == reads[-1].y.size or x == past.index:
        raise refused(name)
    if not same_scale(past, new) or not same_scale(past, tensor):
        raise ModelError(f"variable '{name}' is read at another scale than it is written", "convert the model again")
    return Variable(name, past, tensor, start_values(name, past, main, graphs), assigns[0])


def refused(name: str) -> ModelError:
    return ModelError(
        f"variable '{name}' is computed from its own value of the call before; only what is remembered as it was is compiled",
        "streaming convolutions are; recurrent layers are not",
    )


def assigned(op: Operator) -> Tensor:
    if len(op.inputs) < 2 or op.inputs[1] is None:
        raise damaged(f"{op.label} writes nothing")
    return op.inputs[1]


def start_values(name: str, past: Tensor, main: Graph, graphs: Sequence[Graph]) -> np.ndarray:
    """What CALL_ONCE writes to the variable; its zero where it writes nothing, as TFLM has it."""
    values = np.full(past.size, past.zero, past.dtype) if past.quantised else None
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


# --- rewriting --------------------------------------------------------------------------------------------------------


def rewritten(main: Graph, variables: list[Variable], pieces: dict[int, tuple[Piece, ...]]) -> list[Operator]:
    """The operators, with one for each variable that somebody reads, and one for each part of it that is read."""
    makers = {op.y.index: op for op in main.operators if op.outputs}
    views: dict[int, list[tuple[Tensor, int, int]]] = {i: [] for i in range(len(variables))}
    queue = [*main.outputs, *(v.x for v in variables)]
    queue += [t for op in main.operators if op.kind not in SELF_MADE and op.outputs and op.y.index not in pieces for t in op.flowing]
    seen = set()
    while queue:
        tensor = queue.pop()
        if tensor.index in seen or tensor.index not in pieces:
            continue
        seen.add(tensor.index)
        placed = [(i, place) for i, v in enumerate(variables) if (place := v.place(pieces[tensor.index]))]
        if placed:
            views[placed[0][0]].append((tensor, *placed[0][1]))
        elif makers[tensor.index].kind not in SELF_MADE:  # a view of something else: it stays, and so do its sources
            queue += makers[tensor.index].flowing
    replaced = {tensor.index for found in views.values() for tensor, _, _ in found}
    kept = [op for op in main.operators if op.kind not in SELF_MADE and op.outputs and op.y.index not in replaced]
    free = main.tensors
    for i, v in enumerate(variables):
        if views[i]:
            kept += delay_line(v, views[i], free)
            free += 3 + 2 * len(views[i])
    return kept


def delay_line(v: Variable, views: list[tuple[Tensor, int, int]], free: int) -> list[Operator]:
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


def constant(index: int, values: Sequence[int] | np.ndarray, dtype: str) -> Tensor:
    data = np.array(values, dtype)
    return Tensor(index, "", data.shape, dtype, np.empty(0), np.empty(0), 0, data)


def in_order(main: Graph, operators: list[Operator], names: dict[int, str]) -> tuple[Operator, ...]:
    """Those that the outputs depend on, each after what it reads; ModelError for a circle."""
    makers = {op.y.index: op for op in operators}
    wanted, needed = [t.index for t in main.outputs], {}
    while wanted:
        op = makers.get(wanted.pop())
        if op and op.y.index not in needed:
            needed[op.y.index] = op
            wanted += [t.index for t in op.flowing]
    ordered: list[Operator] = []
    waiting = [op for op in operators if op.y.index in needed]
    while waiting:
        later = []
        for op in waiting:
            if any(t.index in needed for t in op.flowing):
                later.append(op)
            else:
                ordered.append(op)
                del needed[op.y.index]
        if len(later) == len(waiting):
            raise turning(later, names)
        waiting = later
    return tuple(ordered)


def turning(waiting: list[Operator], names: dict[int, str]) -> ModelError:
    """Why operators wait for each other: the variable that the circle goes through."""
    makers, way = {op.y.index: op for op in waiting}, [waiting[0]]
    while True:
        before = next(makers[t.index] for t in way[-1].flowing if t.index in makers)
        if before in way:
            break
        way.append(before)
    name = next((names[op.index] for op in way[way.index(before) :] if op.kind == "read_variable"), None)
    return damaged("operators wait for each other") if name is None else refused(name)
