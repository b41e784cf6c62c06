"""What a person writes for one stage, as a frozen, strictly checked object."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tinystream.plan.signal import Signal
from tinystream.plan.step import Step


class Definition(BaseModel):
    """Base of every table of an app definition: frozen, no unknown keys, no silent conversions of type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _freeze(cls, options: Any) -> Any:
        """A list is as good as a tuple: TOML knows no other word, and frozen objects hold tuples."""
        return {key: frozen(value) for key, value in options.items()} if isinstance(options, dict) else options

    @classmethod
    def respelled(cls, options: dict[str, Any]) -> dict[str, Any]:
        """A table with its keys spelled as the fields are; a class that accepts other spellings says so here."""
        return options


def frozen(value: Any) -> Any:
    """The same value with tuples where there were lists, at any depth."""
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


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

    # *args and **kwargs, so that a subclass may name its inputs: plan(self, x), plan(self, left, right)

    def plan(self, *args: Any, **kwargs: Any) -> Step | list[Step]:
        """plan(*x: Signal): the integer step (or steps, wired among themselves) for these inputs.

        Raises AppError, its path starting at the option to blame, where the options do not fit the inputs.
        """
        raise NotImplementedError

    def ideal(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """ideal(x: tuple[Signal, ...], *blocks): the textbook in float64, from a reset; real units in and out.

        blocks: one array a source, [n, *shape].  Returns [m, *y.shape]; run() stays within BOUND of it.
        """
        raise NotImplementedError


class Fitted(Stage):
    """Base of stages whose numbers were fitted to recordings: centres, covariances, trees.

    file:   a JSON file beside the definition.  Its keys are options of the stage, {"kind": …, "mean": […], …}; "about" is for people.
    FITTED: the options that must be there, in the definition or in the file.  An app reads the file before it plans (app/fitted.py);
            a stage that is planned has them all.
    """

    FITTED: ClassVar[tuple[str, ...]] = ()
    file: str | None = Field(default=None, min_length=1, description="JSON file with the fitted options", examples=["normal.json"])

    @property
    def missing(self) -> tuple[str, ...]:
        """What neither the definition nor a file has said."""
        return tuple(option for option in self.FITTED if getattr(self, option) is None)


class Detector(Stage):
    """Base of all detectors: stages in detectors/<kind>.py whose y is an event.

    y is int32 [label, score], given only when there is an event: label counts into `classes`, score into y's scale.
    classes: the names of what it reads, in order.  An app binds the labels of its model where nothing is said.
    """

    classes: tuple[str, ...] | None = Field(
        default=None, description="names of the scores, in order; the model's labels where nothing is said")

    def bind(self, classes: tuple[str, ...]) -> Self:
        """This detector, told what its scores are called; its own `classes` win."""
        return self if self.classes is not None else self.model_copy(update={"classes": tuple(classes)})

    def labels_of(self, x: Signal) -> tuple[str, ...]:
        """What the label numbers of its events mean, where it reads x."""
        return self.classes or tuple(map(str, range(x.size)))
