"""Wire the entries of an app: what reads what, where the model's input comes from, and what each mistake belongs to.

The rules that connect things:
- A stage reads the one above it, or what `from` names: "source", or stages above by their name (their kind, where it is unique).
- The model reads the last stage, or what its own `from` names: one stage for each of its inputs.  A `quantize` stage that is told no
  scale is given the one of the model's input (the first, where there are several).  Where the model wants int8, the last stage gives
  something wider and nobody wrote a `quantize`, one is put in: before the model, or before the `stack`s that the model reads, so that
  each value is narrowed once and the stack remembers bytes.  Stacking only moves values, so the place changes no bit.
- The detector reads the model, or the last stage where there is no model.

Everything that can be planned is planned, even after a mistake, so that all mistakes are told at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import tinystream.stages
from tinystream.app.definition import C_WORDS, App, words
from tinystream.app.definition import Duty as DutyDefinition
from tinystream.app.definition import Model as ModelDefinition
from tinystream.app.fitted import with_file
from tinystream.app.mistakes import hint
from tinystream.app.sources import Source, exact
from tinystream.errors import AppError, ModelError
from tinystream.interpreters.host_model import HostModel, read_host_model
from tinystream.ops._prune import pruned
from tinystream.plan.kinds import class_name, find
from tinystream.plan.model import Model, read_model
from tinystream.plan.operator import Tensor
from tinystream.plan.plan import Duty, Wiring
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Detector, Fitted, Stage

TAKEN = C_WORDS | words("""
    arena block bool event false main memset now sequence source true x y
    int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t size_t
""")
"""What no stage may be called: words of C, names inside every generated file, and "source"."""


class Broken(NamedTuple):
    """An entry that could not be read; what reads it is not judged."""

    kind: str
    name: str | None = None
    from_: None = None


@dataclass(frozen=True)
class Output:
    """What an entry gives: the step that gives it (-1 is the app's input), and its type."""

    index: int
    signal: Signal


class Parts(NamedTuple):
    """What is planned: the parts of an app, any of them Broken."""

    name: str
    source: Source | Broken
    stages: Sequence[Stage | Broken] = ()
    model: ModelDefinition | Broken | None = None
    detect: Detector | Broken | None = None
    duty: DutyDefinition | Broken | None = None

    @classmethod
    def of(cls, app: App) -> Parts:
        return cls(app.name, app.source, app.stages, app.model, app.detect, app.duty)


@dataclass
class Planner:
    """One planning: wires entry after entry and collects mistakes.

    rewrite: plan the model without the channels that no input can change.
    outputs: of each stage, None after a mistake.
    """

    base: Path
    parts: Parts
    rewrite: bool = True
    errors: list[AppError] = field(default_factory=list)
    wiring: Wiring = field(default_factory=Wiring)
    x: Output | None = None
    duty: Duty | None = None
    outputs: list[Output | None] = field(default_factory=list)
    features: int | None = None
    scores: int | None = None
    detector: int | None = None
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Parts, base: Path, rewrite: bool = True) -> Planner:
        """Everything planned, or noted as a mistake."""
        planner = cls(base, parts, rewrite)
        planner.everything()
        return planner

    def everything(self) -> None:
        self.check_names()
        self.x = self.source()
        self.duty = self.windows()
        model = self.model()
        for i, stage in enumerate(self.parts.stages):
            self.outputs.append(self.stage(i, stage, model))
        read = self.read_by_model(model)
        self.features = self.unstacked(read[0].index) if read[0] else None
        scores = self.infer(model, read) if self.parts.model else read[0]
        if self.parts.detect:
            self.detect(self.parts.detect, scores)
        self.check_words()
        if not (self.parts.stages or self.parts.model or self.parts.detect):
            self.errors.append(AppError((), f"app '{self.parts.name}' computes nothing", "add a [[stage]], a [model] or [detect]"))

    def windows(self) -> Duty | None:
        """The duty cycle in blocks."""
        said = self.parts.duty
        if said is None or isinstance(said, Broken) or self.x is None:
            return None
        rate, blocks = self.x.signal.rate_hz, {}
        for key in ("on_s", "every_s"):
            seconds = getattr(said, key)
            blocks[key] = count = exact(seconds) * rate
            if count.denominator != 1 or not 0 < count < 2**31:
                near = float(min(max(1, round(count)), 2**31 - 1) / rate)
                what = f"{key} = {seconds:g} is {float(count):.6g} blocks, not a whole number" if count < 2**31 else f"{key} is too long"
                self.errors.append(AppError(("duty", key), what, f"{key} = {near:.12g}"))
                return None
        if blocks["on_s"] >= blocks["every_s"]:
            what = f"on_s = {said.on_s:g} is not shorter than every_s = {said.every_s:g}: the sensor would never be off"
            self.errors.append(AppError(("duty", "on_s"), what, "without [duty] an app always listens"))
            return None
        return Duty(int(blocks["on_s"]), int(blocks["every_s"]))

    def unstacked(self, index: int) -> int:
        """The step whose vectors a stack gathers: features are told one by one, not a hundred times each."""
        while index >= 0 and self.wiring.steps[index].kind == "stack":
            index = self.wiring.steps[index].sources[0]
        return index

    def last(self) -> Output | None:
        return self.outputs[-1] if self.outputs else self.x

    # --- names and wires --------------------------------------------------------------------------------------

    def check_names(self) -> None:
        """A name stands for one stage, and is one that C can bear."""
        seen = set()
        for i, stage in enumerate(self.parts.stages):
            if stage.name in seen:
                self.errors.append(
                    AppError(("stage", i, "name"), f"stage name '{stage.name}' is used twice", f'name = "{stage.name}_{i + 1}"')
                )
            elif stage.name and (stage.name in TAKEN or stage.name.startswith("ts_")):
                why = "is the app's input" if stage.name == "source" else "is a word of the generated C"
                self.errors.append(
                    AppError(("stage", i, "name"), f"'{stage.name}' {why}, no name for a stage", f'name = "my_{stage.name}"')
                )
            elif stage.name:
                seen.add(stage.name)

    def check_words(self) -> None:
        """No name of a person is one that the generated C makes from another name: a frame's memory is frame_past."""
        made = {f"{self.parts.name}_{word}" for word in ("push", "reset")}
        for step in self.wiring.steps:
            made |= {f"{step.name}_{member}" for member in ("state", "fresh", *step.state, *step.scratch, *step.tables)}
        for i, stage in enumerate(self.parts.stages):
            if stage.name in made:
                what = f"'{stage.name}' is a word of the generated C, no name for a stage"
                self.errors.append(AppError(("stage", i, "name"), what, f'name = "my_{stage.name}"'))

    def inputs(self, i: int, stage: Stage) -> list[Output | None]:
        """What stage i reads; None for what a mistake keeps from being known."""
        if stage.from_ is None:
            return [self.last()]
        if isinstance(stage.from_, str):
            return [self.named(i, stage.from_, ("stage", i, "from"))]
        return [self.named(i, name, ("stage", i, "from", n)) for n, name in enumerate(stage.from_)]

    def named(self, i: int, name: str, path: tuple[str | int, ...]) -> Output | None:
        """The output that `from` means by a name."""
        names = [stage.name or stage.kind for stage in self.parts.stages]
        above = [j for j in range(i) if names[j] == name]
        if len(above) == 1:
            return self.outputs[above[0]]
        if above:
            self.errors.append(
                AppError(path, f"'{name}' may mean {len(above)} stages above", f'name = "{name}_1" at the one that is meant')
            )
        elif name in ("source", getattr(self.parts.source, "name", None)):
            return self.x
        elif name in names:
            where = "is this stage itself" if names[i] == name else "comes later"
            self.errors.append(AppError(path, f"stage '{names[i]}' reads '{name}', which {where}", "a stage reads what stands above it"))
        else:
            self.errors.append(
                AppError(path, f"'{name}' names no stage above", hint(name, dict.fromkeys(["source", *names[:i]]), "there are"))
            )
        return None

    # --- entries ----------------------------------------------------------------------------------------------

    def source(self) -> Output | None:
        if isinstance(self.parts.source, Broken):
            return None
        try:
            return Output(-1, self.parts.source.signal())
        except AppError as error:
            self.errors.append(error.inside("source"))
            return None

    def stage(self, i: int, stage: Stage | Broken, model: Model | HostModel | None) -> Output | None:
        if isinstance(stage, Broken):
            return None
        read = self.inputs(i, stage)
        if len(read) == 1:
            read = [self.narrow(i, read[0], model)]
        inputs = [x for x in read if x is not None]
        if isinstance(stage, Fitted):
            try:
                stage = with_file(stage, self.base)
            except AppError as error:
                self.errors.append(error.inside("stage", i))
                return None
        if len(inputs) < len(read):
            return None
        if stage.kind == "quantize" and self.parts.model:
            if model is None:
                return None
            wanted = model.inputs[0]
            known = dict(scale=wanted.scale, zero=wanted.zero, type=wanted.dtype) if wanted.quantised else {}
            stage = stage.model_copy(update={option: value for option, value in known.items() if getattr(stage, option) is None})
        try:
            inspect.signature(stage.plan).bind(*inputs)
        except TypeError:
            self.errors.append(
                AppError(
                    ("stage", i, "from"),
                    f"stage '{stage.kind}' does not read {len(inputs)} signals at once",
                    'kind = "concat" joins several into one' if len(inputs) > 1 else "from = [two or more names]",
                )
            )
            return None
        return self.add(stage, inputs, ("stage", i), stage.name)

    def add(self, stage: Stage, inputs: Sequence[Output], path: tuple[str | int, ...], name: str | None) -> Output | None:
        """Plan one entry and wire it."""
        try:
            planned = stage.plan(*(x.signal for x in inputs))
        except AppError as error:
            self.errors.append(error.inside(*path))
            return None
        except (MemoryError, OverflowError):
            self.errors.append(AppError(path, f"{path[0]} '{stage.kind}' is far too large to plan", "make its options smaller"))
            return None
        index = self.wiring.add(planned, [x.index for x in inputs], name)
        return Output(index, self.wiring.steps[index].y)

    # --- the model --------------------------------------------------------------------------------------------

    def model(self) -> Model | HostModel | None:
        definition = self.parts.model
        if definition is None or isinstance(definition, Broken):
            return None
        try:
            model = read_one(definition, self.base)
        except ModelError as error:
            key = "output" if definition.output and "has no output" in error.what else "file"
            self.errors.append(AppError(("model", key), error.what, error.help))
            return None
        classes = model.outputs[0].size
        if definition.labels and len(definition.labels) != classes:
            self.errors.append(
                AppError(
                    ("model", "labels"),
                    f"labels names {len(definition.labels)} classes, {definition.file} gives {classes}",
                    f"labels = a list of {classes}",
                )
            )
        return model

    def read_by_model(self, model: Model | HostModel | None) -> list[Output | None]:
        """What the model reads, or the detector where there is no model; None for what a mistake keeps from being known."""
        told, end = getattr(self.parts.model, "from_", None), len(self.parts.stages)
        if told is None:
            return [self.narrow(end, self.last(), model)]
        if isinstance(told, str):
            return [self.narrowed(self.named(end, told, ("model", "from")), model, 0)]
        return [self.narrowed(self.named(end, name, ("model", "from", n)), model, n) for n, name in enumerate(told)]

    def narrow(self, i: int, x: Output | None, model: Model | HostModel | None) -> Output | None:
        """x as the model's int8, if this is the place for it: before stage i, or behind them all."""
        told = getattr(self.parts.model, "from_", None)
        if told is not None or i != self.narrow_at() or any(stage.kind == "quantize" for stage in self.parts.stages):
            return x
        return self.narrowed(x, model, 0)

    def narrowed(self, x: Output | None, model: Model | HostModel | None, n: int) -> Output | None:
        """x as the int8 of the model's input n, by a `quantize` if it is something else."""
        if x is None or model is None or n >= len(model.inputs):
            return x
        wanted = model.inputs[n]
        if x.signal.dtype == wanted.dtype or wanted.dtype not in ("int8", "int16"):
            return x
        quantize = find(tinystream.stages, class_name("quantize"))
        return self.add(quantize(scale=wanted.scale, zero=wanted.zero, type=wanted.dtype), [x], ("model",), "quantize")

    def narrow_at(self) -> int:
        """The first of the stacks that stand last, or the end."""
        at = len(self.parts.stages)
        while at and self.parts.stages[at - 1].kind == "stack" and (at == len(self.parts.stages) or self.parts.stages[at].from_ is None):
            at -= 1
        return at

    def infer(self, model: Model | HostModel | None, read: list[Output | None]) -> Output | None:
        if model is None or any(x is None for x in read):
            return None
        given = [x for x in read if x is not None]
        told = getattr(self.parts.model, "from_", None)
        if len(given) != len(model.inputs):
            what = f"{model.name} has {len(model.inputs)} inputs, and reads {len(given)}"
            names = "a name" if len(model.inputs) == 1 else f"[{len(model.inputs)} names of stages]"
            self.errors.append(AppError(("model", "from" if told else "file"), what, f"from = {names}"))
            return None
        if len({x.signal.rate_hz for x in given}) > 1:
            rates = " and ".join(f"{float(x.signal.rate_hz):.4g} Hz" for x in given)
            self.errors.append(AppError(("model", "from"), f"the model's inputs come at {rates}", "stages that give equally often"))
            return None
        fitting = [self.fits(x, wanted, n) for n, (x, wanted) in enumerate(zip(given, model.inputs))]
        if not all(fitting):
            return None
        try:
            cheaper = pruned(model) if self.rewrite and isinstance(model, Model) else model
            planned = cheaper.plan(*(x.signal for x in given))
        except ModelError as error:
            self.errors.append(AppError(("model", "file"), error.what, error.help))
            return None
        (index,) = self.wiring.add_model(planned, [x.index for x in given])
        if index < 0:
            self.errors.append(AppError(("model", "file"), f"{model.name} computes nothing", "a model with at least one operator"))
            return None
        return Output(index, self.wiring.steps[index].y)

    def fits(self, x: Output, wanted: Tensor, n: int) -> bool:
        """Whether x has the shape of an input; notes the mistake where it has not."""
        told = getattr(self.parts.model, "from_", None)
        if x.signal.size == wanted.size and (rank(x.signal.shape) != rank(wanted.dims) or bare(x.signal.shape) == bare(wanted.dims)):
            return True
        giver = self.giver() if told is None else told if isinstance(told, str) else told[n]
        what = f"model wants {times(wanted.dims)} {wanted.dtype}, {giver} gives {times(x.signal.shape)}"
        where = ("file",) if told is None else ("from",) if isinstance(told, str) else ("from", n)
        self.errors.append(AppError(("model", *where), what, self.fitting(x.signal, wanted.size)))
        return False

    def giver(self) -> str:
        """Who the model reads, by name."""
        return (self.parts.stages[-1].name or self.parts.stages[-1].kind) if self.parts.stages else "the source"

    def fitting(self, given: Signal, size: int) -> str:
        """The number of frames in the last stack that gives `size` values, where there is one."""
        for stage in reversed(self.parts.stages):
            frames = getattr(stage, "frames", None)
            if stage.kind == "stack" and isinstance(frames, int) and given.size % frames == 0 and size % (given.size // frames) == 0:
                return f"{stage.name or stage.kind}.frames = {size * frames // given.size}"
        return f"the features must be {size} values, and are {given.size}"

    # --- the detector -----------------------------------------------------------------------------------------

    def detect(self, detector: Detector | Broken, scores: Output | None) -> None:
        if isinstance(detector, Broken):
            return
        classes = detector.classes or getattr(self.parts.model, "labels", ())
        unknown = [
            AppError(path, f"model has no label '{label}'", hint(label, classes, "its labels"))
            for path, label in wanted(detector)
            if classes and label not in classes
        ]
        self.errors += unknown
        if scores is None or unknown:
            return
        found = self.add(detector.bind(classes) if classes else detector, [scores], ("detect",), "detect")
        if found:
            self.scores, self.detector = scores.index, found.index
            self.labels = classes or tuple(map(str, range(scores.signal.size)))


def read_one(definition: ModelDefinition, base: Path) -> Model | HostModel:
    """A model, to be compiled or to be run by the interpreter, as its definition says."""
    if definition.run == "interpreter":
        return read_host_model(base / definition.file, definition.output, definition.output_scale)
    return read_model(base / definition.file, [definition.output])


def wanted(detector: Detector) -> list[tuple[tuple[str | int, ...], str]]:
    """The labels that a detector is told to look for, each with its path."""
    listed: list[tuple[tuple[str | int, ...], str]] = [
        (("detect", "labels", n), label) for n, label in enumerate(getattr(detector, "labels", None) or ())
    ]
    threshold = getattr(detector, "threshold", None)
    return listed + [(("detect", "threshold", label), label) for label in (threshold if isinstance(threshold, dict) else ())]


# --- words ----------------------------------------------------------------------------------------------------


def times(shape: Sequence[int]) -> str:
    """A shape as people write it, without trailing 1s: 49x40."""
    shape = list(shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    return "x".join(map(str, shape))


def bare(shape: Sequence[int]) -> list[int]:
    """A shape without 1s."""
    return [n for n in shape if n != 1]


def rank(shape: Sequence[int]) -> int:
    return len(bare(shape))
