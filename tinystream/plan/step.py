"""A planned stage, operator or detector: nothing left in it but integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Literal

import numpy as np

from tinystream.plan.signal import Signal

Form = Literal["rows", "groups"]


@dataclass(frozen=True, eq=False)
class Step:
    """One entry of a plan.  Host engine, C emitter and power estimate all read this and only this.

    `module` is where its arithmetic lives, such as "tinystream.stages.mel"; its last word is the step's kind, which
    names four things at once: stages/<kind>.py, ts_<kind>.h, `struct ts_<kind>` and the `kind = "<kind>"` of an app.
    The names in `params`, `tables`, `state` and `scratch` are the names of the C struct members.

    x:       what comes in, one Signal a source, in the order of the arguments of run().
    y:       what goes out.
    params:  int constants.
    tables:  constant arrays, in flash.  Equal tables of several steps are stored once.
    form:    how the tables are arranged.  "rows" is what run() reads, and a core whose compiler makes vector instructions of a loop over a
             row of weights; "groups" is for cores without, such as a Cortex-M.  See arranged().
    state:   start values of what it remembers, in RAM: arrays, or ints (int32 in C).  Those of an array that differ are a table, too.
    learnt:  names in `state` of what it has learnt: a reset keeps it, only forgetting clears it.  It starts at 0, as RAM does.
    scratch: arrays it needs only while it runs, as name -> (dtype, length); they share the arena, as members of k.
    sources: whose outputs it reads: indices of steps, counted from the first step its stage planned; -1 is what the
             stage itself reads.  The planner makes them indices into the plan, where -1 is the app's input.
    writes:  its last source is the step whose state it is given, and changes: what that step gives next time.  run() does not get it as x.
    apart:   with `writes`: it runs whether or not that step has just run, and only looks at what that step remembers.
    waits:   run() may say "nothing yet"; what follows it then does not run.
    inplace: y may lie in the memory of source 0, which has the same dtype; the kernel allows y == x.
    gap:     bytes; y may lie over the memory of source 0 if it begins at least so much before it, or, where it is negative, at most so
             much behind it: what is written has been read by then.  None where the two must lie apart.
    cost:    operations per firing by class (mac8, mul, add, mem …), for the power estimate.
    says:    what it does in a few words, for people: "30 ms hann window every 20 ms".
    """

    module: str
    x: tuple[Signal, ...]
    y: Signal
    params: dict[str, int] = field(default_factory=dict)
    tables: dict[str, np.ndarray] = field(default_factory=dict)
    state: dict[str, np.ndarray | int] = field(default_factory=dict)
    learnt: tuple[str, ...] = ()
    scratch: dict[str, tuple[str, int]] = field(default_factory=dict)
    sources: tuple[int, ...] = (-1,)
    writes: bool = False
    apart: bool = False
    waits: bool = False
    inplace: bool = False
    gap: int | None = None
    cost: dict[str, int] = field(default_factory=dict)
    says: str = ""
    name: str = ""
    form: Form = "rows"

    def __post_init__(self) -> None:
        assert len(self.x) == len(self.sources), f"{self.kind}: one source a signal"
        assert not (self.writes and self.state), f"{self.kind}: one state a step"
        assert self.writes or not self.apart, f"{self.kind}: apart is said of a step that writes"
        assert not any(np.any(self.state[n]) for n in self.learnt), f"{self.kind}: what is learnt starts at 0"
        assert not self.inplace or self.x[0].dtype == self.y.dtype, f"{self.kind}: in place needs one dtype"

    @property
    def kind(self) -> str:
        return self.module.rpartition(".")[2]

    @cached_property
    def code(self) -> ModuleType:
        """The module that holds run(), and the C header's neighbour."""
        return import_module(self.module)

    @property
    def host_only(self) -> bool:
        """There is no C for it (the module says HOST_ONLY = True)."""
        return getattr(self.code, "HOST_ONLY", False)

    @property
    def batched(self) -> bool:
        """run() has no state and takes many blocks at once, along a leading axis (the module says BATCHED = True)."""
        return getattr(self.code, "BATCHED", False)

    @cached_property
    def k(self) -> SimpleNamespace:
        """What run() is told: params and tables by name."""
        return SimpleNamespace(**self.params, **self.tables)

    def fresh_state(self) -> SimpleNamespace:
        """What run() remembers, as it is after a reset."""
        return SimpleNamespace(**{n: v.copy() if isinstance(v, np.ndarray) else v for n, v in self.state.items()})

    @property
    def run(self) -> Callable[..., np.ndarray | None]:
        """run(k, s, *x) -> y, or None for "nothing yet"; the definition of this step's arithmetic."""
        return self.code.run

    @property
    def given(self) -> tuple[int, ...]:
        """The sources whose outputs run() gets."""
        return self.sources[: len(self.sources) - self.writes]

    @property
    def awaited(self) -> tuple[int, ...]:
        """The sources that must have something new for it to run."""
        return self.given if self.apart else self.sources

    @property
    def stored(self) -> dict[str, np.ndarray]:
        """All arrays in flash: its tables, and start values that differ from place to place, as <name>_start."""
        arrays = {n: v for n, v in self.state.items() if isinstance(v, np.ndarray)}
        return self.tables | {f"{n}_start": v for n, v in arrays.items() if (v != v.flat[0]).any()}

    @cached_property
    def in_groups(self) -> Step:
        """arranged("groups"): what firmware has in its flash."""
        return self.arranged("groups")

    def arranged(self, form: Form) -> Step:
        """The same step with its tables as the kernels of that form read them; every form gives the same bits.

        A module whose kernel has two forms says IN_GROUPS: a function of k that gives tables, and None for those that are not read then.
        """
        if form == self.form:
            return self
        assert self.form == "rows", "tables are arranged once"
        groups = getattr(self.code, "IN_GROUPS", None)
        changed = groups(self.k) if groups else {}
        return replace(self, form=form, tables={n: t for n, t in (self.tables | changed).items() if t is not None})

    @property
    def flash_bytes(self) -> int:
        """Constant tables of this step alone, as firmware has them, without code."""
        return sum(t.nbytes for t in self.in_groups.stored.values())

    @property
    def state_bytes(self) -> int:
        """What it remembers, in RAM: the arrays, and struct ts_<kind>_state with an int32 or a pointer each, 4 bytes on a 32-bit core."""
        return sum(4 + (v.nbytes if isinstance(v, np.ndarray) else 0) for v in self.state.values())
