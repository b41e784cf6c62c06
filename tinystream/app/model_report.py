"""What `tinystream model` tells of a .tflite file: its operators, what they cost, where its buffers lie, and what is not compiled."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from tinystream.errors import ModelError
from tinystream.ops._prune import pruned, removed
from tinystream.plan.arena import lower_bound
from tinystream.plan.model import Model, mistakes, open_model, read_bytes
from tinystream.plan.model import steps_of as steps_of_one
from tinystream.plan.operator import ALIASES, Operator, Tensor, has_kernel
from tinystream.plan.plan import Plan, plan_model
from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


@dataclass(frozen=True)
class OperatorRow:
    """One operator of the file that the outputs depend on.  macs, table_bytes: as it stands in the file, before channels are taken out."""

    number: int
    kind: str
    says: str
    x: tuple[Tensor, ...]
    y: Tensor
    macs: int
    table_bytes: int
    refused: str = ""
    help: str = ""

    def as_dict(self) -> dict[str, Any]:
        return dict(
            number=self.number, operator=self.kind.upper(), does=self.says, inputs=[tensor_as_dict(t) for t in self.x],
            output=tensor_as_dict(self.y), macs=self.macs, table_bytes=self.table_bytes, refused=self.refused or None,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ModelReport:
    """What is known of a file.

    plan:     as an app would have it; None where something is refused.
    refused:  (what, help) of everything that keeps it from being compiled.
    constant: (operator, channels in the file, channels that are computed) where channels that no input can change were taken out.
    """

    model: Model
    operators: tuple[OperatorRow, ...]
    plan: Plan | None
    refused: tuple[tuple[str, str], ...]
    constant: tuple[tuple[str, int, int], ...] = ()

    @classmethod
    def of(cls, path: Path) -> ModelReport:
        """ModelError where the file cannot be read at all."""
        model = open_model(read_bytes(path), path.name)
        rows = tuple(row_of(op) for op in model.needed)
        refused = {error.what: error.help for error in mistakes(model)}
        if not refused:  # else what an operator lacks follows from it
            refused = {row.refused: row.help for row in rows if row.refused}
        if refused:
            return cls(model, rows, None, tuple(refused.items()))
        try:
            smaller = pruned(model)
            return cls(model, rows, plan_model(smaller, Fraction(1), rewrite=True), (), tuple(removed(model, smaller)))
        except ModelError as error:
            return cls(model, rows, None, ((error.what, error.help),))

    @property
    def is_float(self) -> bool:
        return any(t.dtype.startswith("float") for t in self.model.inputs)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for scripts."""
        told: dict[str, Any] = dict(
            model=self.model.name, sha256=self.model.sha256, file_bytes=self.model.file_bytes, compiled=self.plan is not None,
            inputs=[tensor_as_dict(t) for t in self.model.inputs], outputs=[tensor_as_dict(t) for t in self.model.outputs],
            operators=[row.as_dict() for row in self.operators], macs=sum(row.macs for row in self.operators),
            refused=[dict(what=what, help=help) for what, help in self.refused],
            constant_channels=[dict(operator=op, channels=before, computed=after) for op, before, after in self.constant],
        )  # fmt: skip
        return told | (plan_as_dict(self.plan) if self.plan else {})


def row_of(op: Operator) -> OperatorRow:
    """An operator as it would be planned alone, or why it cannot be."""
    says, steps, refused, help = "gives what it reads", [], "", ""
    if op.kind not in ALIASES:
        try:
            steps = steps_of(op)
            says = "; ".join(dict.fromkeys(step.says for step in steps if step.says)) or says
        except ModelError as error:
            says, refused, help = "not compiled", error.what, error.help
    macs = sum(map(macs_of, steps))
    return OperatorRow(op.index, op.kind, says, op.flowing, op.y, macs, sum(step.flash_bytes for step in steps), refused, help)


def steps_of(op: Operator) -> list[Step]:
    if not has_kernel(op):
        raise op.refuse("has no integer kernel here")
    if unfit := [t for t in (*op.flowing, op.y) if t.dtype.startswith("float") or not t.size]:
        raise op.refuse(f"has '{unfit[0].name}' of type {unfit[0]}")
    return steps_of_one(op, [Signal(t.dims, t.dtype, Fraction(1), t.scale, t.zero) for t in op.flowing])


def macs_of(step: Step) -> int:
    """Products that it adds up."""
    return step.cost.get("mac8", 0) + step.cost.get("mac16", 0)


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    """What a plan of a model takes."""
    return dict(
        table_bytes=plan.table_bytes, arena_bytes=plan.arena_bytes, state_bytes=plan.state_bytes, ram_bytes=plan.ram_bytes,
        computed_macs=sum(map(macs_of, plan.steps)), **memory_as_dict(plan),
        steps=[
            dict(step=s.name, kind=s.kind, does=s.says, table_bytes=s.flash_bytes, state_bytes=s.state_bytes, macs=macs_of(s))
            for s in plan.steps
        ],
    )  # fmt: skip


def memory_as_dict(plan: Plan) -> dict[str, Any]:
    """Each buffer of the arena: what it takes, where and when."""
    return dict(
        arena_lower_bound=lower_bound(plan.buffers),
        buffers=[
            dict(step=b.step, member=b.member, dtype=b.dtype, bytes=b.bytes, offset=b.offset, first=b.first, last=b.last,
                 in_place_of=b.over, over=b.below)
            for b in plan.buffers
        ],
    )  # fmt: skip


def tensor_as_dict(t: Tensor) -> dict[str, Any]:
    scale = dict(scale=t.scale, zero=t.zero) if t.scales.size == 1 else {}
    return dict(name=t.name, shape=list(t.shape), dtype=t.dtype, **scale)
