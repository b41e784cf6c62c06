"""What a person writes for one stage, as a frozen, strictly checked object."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


class Definition(BaseModel):
    """Base of every table of an app definition: frozen, no unknown keys, no silent conversions of type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True, allow_inf_nan=False)


class Stage(Definition):
    """Base of all stages.  A subclass lives alone in stages/<kind>.py and adds its options as typed fields.

    name:  how other entries refer to it; the kind where nothing is said.
    from_: (`from` in TOML) the stage or stages it reads; the one above where nothing is said; "source" is the input.
    """

    kind: ClassVar[str]
    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", description="name that `from` can refer to")
    from_: str | tuple[str, ...] | None = Field(default=None, alias="from", description="stage(s) that it reads")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = cls.__module__.rpartition(".")[2]

    def plan(self, *x: Signal) -> Step | list[Step]:
        """The integer step (or steps, wired among themselves) for these inputs.

        Raises AppError, its path starting at the option to blame, where the options do not fit the inputs.
        """
        raise NotImplementedError

    def ideal(self, x: tuple[Signal, ...], *blocks: np.ndarray) -> np.ndarray:
        """The textbook in float64: all outputs, in real units, for all input blocks, in real units, from a reset.

        blocks: one array a source, [n, *shape].  Returns [m, *y.shape]; run() stays within BOUND of it.
        """
        raise NotImplementedError


class Detector(Stage):
    """Base of all detectors: stages in detectors/<kind>.py whose y is an event.

    y is int32 [label, score], given only when there is an event: label counts into `classes`, score into y's scale.
    classes: the names of what it reads, in order.  An app binds the labels of its model where nothing is said.
    """

    classes: tuple[str, ...] | None = Field(default=None, description="names of the scores, in order; the model's labels where nothing is said")

    def bind(self, classes: tuple[str, ...]) -> Self:
        """This detector, told what its scores are called; its own `classes` win."""
        return self if self.classes is not None else self.model_copy(update={"classes": tuple(classes)})
