"""Wire the entries of an app: what reads what, where the model's input comes from, and what each mistake belongs to.

The rules that connect things:
- A stage reads the one above it, or what `from` names: "source", or stages above by their name (their kind, where it is unique).
- The model reads the last stage, or what its own `from` names: one stage for each of its inputs.  A `quantize` stage that is told no
  scale is given the one of the model's input (the first, where there are several).  Where the model wants int8, the last stage gives
  something wider and nobody wrote a `quantize`, one is put in: before the model, or before the `stack`s that the model reads, so that
  each value is narrowed once and the stack remembers bytes.  Stacking only moves values, so the place changes no bit.
- A detector reads the model, or the last stage where there is no model or where that stands behind one.  Where there are several sources,
  or models, what reads one of them says which.
- The first source's blocks are the heartbeat; a slower source gives a block every so many of them, by an `every` that is put in.

Everything that can be planned is planned, even after a mistake, so that all mistakes are told at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import tinystream.stages
from tinystream.app.definition import C_WORDS, App, words
from tinystream.app.definition import Duty as DutyDefinition
from tinystream.app.definition import Model as ModelDefinition
from tinystream.app.fitted import with_file
from tinystream.app.mistakes import hint, toml
from tinystream.app.sources import Source, exact
from tinystream.app.timing import Schedule
from tinystream.errors import AppError, ModelError
from tinystream.interpreters.host_model import HostModel, read_host_model
from tinystream.ops._prune import pruned
from tinystream.plan.kinds import class_name, find
from tinystream.plan.model import Model, read_model
from tinystream.plan.operator import Tensor
from tinystream.plan.plan import Detection, Duty, Wiring
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Detector, Fitted, Stage

TAKEN = C_WORDS | words("""
    arena block bool event false learnt_definition main memset now sequence source true x y
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
    """What an entry gives: the step that gives it (-1 is the app's first input), its type, and what its values are called, if they are."""

    index: int
    signal: Signal
    labels: tuple[str, ...] = ()


class Parts(NamedTuple):
    """What is planned: the parts of an app, any of them Broken."""

    name: str
    sources: Sequence[Source | Broken]
    stages: Sequence[Stage | Broken] = ()
    models: Sequence[ModelDefinition | Broken] = ()
    detectors: Sequence[Detector | Broken] = ()
    duty: DutyDefinition | Broken | None = None

    @classmethod
    def of(cls, app: App) -> Parts:
        return cls(app.name, app.sources, app.stages, app.models, app.detectors, app.duty)


@dataclass
class Planner:
    """One planning: wires entry after entry and collects mistakes.

    rewrite: plan the models without the channels that no input can change.
    x:       what each source gives to the stages, None after a mistake; heartbeat is the signal of the first.
    outputs: of each stage, None after a mistake.
    inferred: of each model that was wired so far.
    """

    base: Path
    parts: Parts
    rewrite: bool = True
    errors: list[AppError] = field(default_factory=list)
    wiring: Wiring = field(default_factory=Wiring)
    signals: tuple[Signal, ...] = ()
    x: list[Output | None] = field(default_factory=list)
    duty: Duty | None = None
    models: list[Model | HostModel | None] = field(default_factory=list)
    outputs: list[Output | None] = field(default_factory=list)
    inferred: dict[int, Output | None] = field(default_factory=dict)
    features: int | None = None
    detections: list[Detection] = field(default_factory=list)
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Parts, base: Path, rewrite: bool = True) -> Planner:
        """Everything planned, or noted as a mistake."""
        planner = cls(base, parts, rewrite)
        planner.everything()
        return planner

    def everything(self) -> None:
        self.check_names()
        self.sources()
        self.duty = self.windows()
        self.models = [self.read(m, definition) for m, definition in enumerate(self.parts.models)]
        for i, stage in enumerate(self.parts.stages):
            self.outputs.append(self.stage(i, stage))
        for m in range(len(self.models)):
            self.infer(m, len(self.parts.stages))
        for d, detector in enumerate(self.parts.detectors):
            self.detect(d, detector)
        if self.features is None and (last := self.last()):
            self.features = self.unstacked(last.index)
        self.check_words()
        if not (self.parts.stages or self.parts.models or self.parts.detectors):
            self.errors.append(AppError((), f"app '{self.parts.name}' computes nothing", "add a [[stage]], a [model] or [detect]"))

    def windows(self) -> Duty | None:
        """The duty cycle in blocks."""
        said = self.parts.duty
        if said is None or isinstance(said, Broken) or not self.signals:
            return None
        rate, blocks = self.signals[0].rate_hz, {}
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
        return self.outputs[-1] if self.outputs else self.x[0] if len(self.x) == 1 else None

    # --- names and wires --------------------------------------------------------------------------------------

    def at(self, key: str, i: int) -> tuple[str | int, ...]:
        """The keys that lead to an entry: a number where there are several."""
        entries = {"source": self.parts.sources, "model": self.parts.models, "detect": self.parts.detectors}[key]
        return (key,) if len(entries) == 1 else (key, i)

    def entries(self) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
        """Every entry that may have a name, with its path and what it is."""
        yield from ((self.at("source", i), "source", entry) for i, entry in enumerate(self.parts.sources))
        yield from ((("stage", i), "stage", entry) for i, entry in enumerate(self.parts.stages))
        yield from ((self.at("model", i), "model", entry) for i, entry in enumerate(self.parts.models))
        yield from ((self.at("detect", i), "detector", entry) for i, entry in enumerate(self.parts.detectors))

    def check_names(self) -> None:
        """A name stands for one entry, and is one that C can bear."""
        seen: set[str] = set()
        for path, what, entry in self.entries():
            name = getattr(entry, "name", None)
            if name in seen:
                other = f"{name}_{path[-1] + 1}" if isinstance(path[-1], int) else f"{name}_{what}"
                self.errors.append(AppError((*path, "name"), f"{what} name '{name}' is used twice", f'name = "{other}"'))
            elif name and (name in TAKEN or name.startswith("ts_")):
                why = "is the app's input" if name == "source" else "is a word of the generated C"
                self.errors.append(AppError((*path, "name"), f"'{name}' {why}, no name for a {what}", f'name = "my_{name}"'))
            elif name:
                seen.add(name)

    def check_words(self) -> None:
        """No name of a person is one that the generated C makes from another name: a frame's memory is frame_past."""
        made = {f"{self.parts.name}_{word}" for word in ("push", "reset")}
        for step in self.wiring.steps:
            made |= {f"{step.name}_{member}" for member in ("state", "fresh", *step.state, *step.scratch, *step.tables)}
        for path, what, entry in self.entries():
            if what in ("stage", "detector") and entry.name in made:
                why = f"'{entry.name}' is a word of the generated C, no name for a {what}"
                self.errors.append(AppError((*path, "name"), why, f'name = "my_{entry.name}"'))

    def inputs(self, i: int, stage: Stage) -> list[Output | None]:
        """What stage i reads; None for what a mistake keeps from being known."""
        if stage.from_ is None:
            if i == 0 and len(self.parts.sources) > 1:
                self.errors.append(self.which_source(("stage", i)))
            return [self.last()]
        return self.told(i, stage.from_, ("stage", i, "from"))

    def told(self, i: int, from_: str | tuple[str, ...], path: tuple[str | int, ...]) -> list[Output | None]:
        """What `from` names, seen from stage i."""
        if isinstance(from_, str):
            return [self.named(i, from_, path)]
        return [self.named(i, name, (*path, n)) for n, name in enumerate(from_)]

    def which_source(self, path: tuple[str | int, ...]) -> AppError:
        names = [source_name(source) for source in self.parts.sources]
        return AppError(path, f"it does not say which of the sources it reads: {', '.join(names)}", f'from = "{names[0]}"')

    def named(self, i: int, name: str, path: tuple[str | int, ...]) -> Output | None:
        """The output that `from` means by a name."""
        names = [stage.name or stage.kind for stage in self.parts.stages]
        sources = [n for n, source in enumerate(self.parts.sources) if name == source_name(source)]
        if not sources and name == "source" and len(self.parts.sources) == 1:
            sources = [0]
        meant = [m for m, model in enumerate(self.parts.models) if name == model_name(model)]
        above = [j for j in range(i) if names[j] == name]
        if len(above) == 1:
            return self.outputs[above[0]]
        if above:
            what = f"'{name}' may mean {len(above)} stages above"
            self.errors.append(AppError(path, what, f'name = "{name}_1" at the one that is meant'))
        elif len(sources) == 1:
            return self.x[sources[0]]
        elif len(meant) == 1:
            return self.infer(meant[0], i)
        elif sources or meant:
            what = f"'{name}' may mean {len(sources or meant)} {'sources' if sources else 'models'}"
            self.errors.append(AppError(path, what, f'name = "{name}_1" at the one that is meant'))
        elif name == "source":
            self.errors.append(self.which_source(path))
        elif name in names:
            where = "is this stage itself" if i < len(names) and names[i] == name else "comes later"
            what = f"stage '{names[i]}' reads '{name}', which {where}" if i < len(names) else f"'{name}' is read, which {where}"
            self.errors.append(AppError(path, what, "a stage reads what stands above it"))
        else:
            inputs = ["source"] if len(self.parts.sources) == 1 else [source_name(source) for source in self.parts.sources]
            models = [model_name(model) for model in self.parts.models]
            known = dict.fromkeys([*inputs, *names[:i], *(models if i == len(names) or len(models) > 1 else ())])
            self.errors.append(AppError(path, f"'{name}' names no stage above", hint(name, known, "there are")))
        return None

    # --- entries ----------------------------------------------------------------------------------------------

    def sources(self) -> None:
        """The signals of the sources.  Blocks of the first are the heartbeat; a slower one gives a block every so many of them."""
        found: list[Signal | None] = []
        for i, source in enumerate(self.parts.sources):
            try:
                found.append(None if isinstance(source, Broken) else source.signal())
            except AppError as error:
                self.errors.append(error.inside(*self.at("source", i)))
                found.append(None)
        self.signals = tuple(signal for signal in found if signal is not None)
        if len(self.signals) < len(found):
            self.x, self.signals = [None] * len(found), self.signals if found[0] is not None else ()
            self.x[0] = Output(-1, found[0]) if found[0] is not None else None
            return
        self.x = [self.in_time(i, signal) for i, signal in enumerate(self.signals)]

    def in_time(self, i: int, x: Signal) -> Output | None:
        """What source i gives to the stages: its blocks as they come, the slower ones' when a new one is due."""
        every = self.signals[0].rate_hz / x.rate_hz
        if every == 1:
            return Output(-1 - i, x)
        path, first = self.at("source", i), float(1000 / self.signals[0].rate_hz)
        mine, name = float(1000 / x.rate_hz), source_name(self.parts.sources[i])
        if every < 1:
            what = f"a block of '{name}' is {mine:g} ms, shorter than the {first:g} ms of the first source"
            self.errors.append(AppError((*path, "block_ms"), what, "the source with the shortest block comes first: it is the heartbeat"))
        elif every.denominator != 1:
            what = f"a block of '{name}' is {mine:.6g} ms, {float(every):.6g} blocks of the first source, not a whole number"
            near = float(max(1, round(every)) * 1000 / self.signals[0].rate_hz)
            self.errors.append(AppError((*path, "block_ms"), what, f"block_ms = {near:.12g}, if that is a whole number of its samples"))
        else:
            thin = find(tinystream.stages, class_name("every"))
            return self.add(thin(n=int(every)), [Output(-1 - i, replace(x, rate_hz=self.signals[0].rate_hz))], path, name)
        return None

    def stage(self, i: int, stage: Stage | Broken) -> Output | None:
        if isinstance(stage, Broken):
            return None
        read = self.inputs(i, stage)
        if len(read) == 1:
            read = [self.narrow(i, read[0])]
        inputs = [x for x in read if x is not None]
        if isinstance(stage, Fitted):
            try:
                stage = with_file(stage, self.base)
            except AppError as error:
                self.errors.append(error.inside("stage", i))
                return None
        if len(inputs) < len(read):
            return None
        if stage.kind == "quantize" and self.models:
            wanted = {(m.inputs[0].scale, m.inputs[0].zero, m.inputs[0].dtype) if m.inputs[0].quantised else None for m in self.models if m}
            if None in self.models:
                return None
            known = dict(zip(("scale", "zero", "type"), one)) if len(wanted) == 1 and (one := wanted.pop()) else {}
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
        first = len(self.wiring.steps)
        index = self.wiring.add(planned, [x.index for x in inputs], name)
        if len(inputs) > 1:
            self.check_times(first, path)
        y = self.wiring.steps[index].y
        return Output(index, y, inputs[0].labels if y.size == inputs[0].signal.size else ())

    def check_times(self, first: int, path: tuple[str | int, ...]) -> None:
        """What an entry reads together must come in the same block, now and then at least."""
        schedule = Schedule(self.wiring.steps)
        for i in range(first, len(self.wiring.steps)):
            if found := schedule.apart(i):
                names = [self.wiring.steps[self.wiring.steps[i].awaited[n]].name for n in found]
                times = [schedule.of(self.wiring.steps[i].awaited[n]) for n in found]
                told = " and ".join(f"'{name}' at blocks {t.first}, {t.first + t.every} …" for name, t in zip(names, times) if t)
                help = f'kind = "hold" with from = ["{names[0]}", "{names[1]}"] gives the newest of the one with the other'
                self.errors.append(AppError((*path, "from"), f"what it reads never comes together: {told}", help))
                return

    # --- models -----------------------------------------------------------------------------------------------

    def read(self, m: int, definition: ModelDefinition | Broken) -> Model | HostModel | None:
        if isinstance(definition, Broken):
            return None
        try:
            model = read_one(definition, self.base)
        except ModelError as error:
            key = "output" if definition.output and "has no output" in error.what else "file"
            self.errors.append(AppError((*self.at("model", m), key), error.what, error.help))
            return None
        classes = model.outputs[0].size
        if definition.labels and len(definition.labels) != classes:
            self.errors.append(
                AppError(
                    (*self.at("model", m), "labels"),
                    f"labels names {len(definition.labels)} classes, {definition.file} gives {classes}",
                    f"labels = a list of {classes}",
                )
            )
        return model

    @property
    def by_order(self) -> bool:
        """Whether the place of the model is behind the last stage, and not told by any `from`."""
        return len(self.parts.models) == 1 and getattr(self.parts.models[0], "from_", None) is None

    def read_by_model(self, m: int, i: int) -> list[Output | None]:
        """What a model reads, where stage i is the first that has not been planned; None for what a mistake keeps from being known."""
        told, end = getattr(self.parts.models[m], "from_", None), len(self.parts.stages)
        path = (*self.at("model", m), "from")
        if told is not None:
            return [self.narrowed(x, m, n) for n, x in enumerate(self.told(i, told, path))]
        if len(self.parts.models) > 1 or i < end:
            why = "a stage reads it" if i < end else f"there are {len(self.parts.models)} models"
            name = self.giver() if self.parts.stages else "source"
            what = f"model '{model_name(self.parts.models[m])}' must say what it reads: {why}"
            self.errors.append(AppError(path, what, f'from = "{name}"'))
            return [None]
        if not self.parts.stages and len(self.parts.sources) > 1:
            self.errors.append(self.which_source(path))
        return [self.narrow(end, self.last())]

    def narrow(self, i: int, x: Output | None) -> Output | None:
        """x as the model's int8, if this is the place for it: before stage i, or behind them all."""
        if not self.by_order or i != self.narrow_at() or any(stage.kind == "quantize" for stage in self.parts.stages):
            return x
        return self.narrowed(x, 0, 0)

    def narrowed(self, x: Output | None, m: int, n: int) -> Output | None:
        """x as the int8 of input n of model m, by a `quantize` if it is something else."""
        model = self.models[m]
        if x is None or model is None or n >= len(model.inputs):
            return x
        wanted = model.inputs[n]
        if x.signal.dtype == wanted.dtype or wanted.dtype not in ("int8", "int16"):
            return x
        quantize = find(tinystream.stages, class_name("quantize"))
        return self.add(quantize(scale=wanted.scale, zero=wanted.zero, type=wanted.dtype), [x], self.at("model", m), "quantize")

    def narrow_at(self) -> int:
        """The first of the stacks that stand last, or the end."""
        at = len(self.parts.stages)
        while at and self.parts.stages[at - 1].kind == "stack" and (at == len(self.parts.stages) or self.parts.stages[at].from_ is None):
            at -= 1
        return at

    def infer(self, m: int, i: int) -> Output | None:
        """What model m gives; it is wired where it is read first: by stage i, or behind them all."""
        if m not in self.inferred:
            self.inferred[m] = None  # in case that it reads itself
            read = self.read_by_model(m, i)
            if m == 0 and read[0]:
                self.features = self.unstacked(read[0].index)
            self.inferred[m] = self.wired(m, read)
        return self.inferred[m]

    def wired(self, m: int, read: list[Output | None]) -> Output | None:
        model, path = self.models[m], self.at("model", m)
        if model is None or any(x is None for x in read):
            return None
        given = [x for x in read if x is not None]
        told = getattr(self.parts.models[m], "from_", None)
        if len(given) != len(model.inputs):
            what = f"{model.name} has {len(model.inputs)} inputs, and reads {len(given)}"
            names = "a name" if len(model.inputs) == 1 else f"[{len(model.inputs)} names of stages]"
            self.errors.append(AppError((*path, "from" if told else "file"), what, f"from = {names}"))
            return None
        if len({x.signal.rate_hz for x in given}) > 1:
            rates = " and ".join(f"{float(x.signal.rate_hz):.4g} Hz" for x in given)
            self.errors.append(AppError((*path, "from"), f"the model's inputs come at {rates}", "stages that give equally often"))
            return None
        fitting = [self.fits(m, x, wanted, n) for n, (x, wanted) in enumerate(zip(given, model.inputs))]
        if not all(fitting):
            return None
        try:
            cheaper = pruned(model) if self.rewrite and isinstance(model, Model) else model
            planned = cheaper.plan(*(x.signal for x in given))
        except ModelError as error:
            self.errors.append(AppError((*path, "file"), error.what, error.help))
            return None
        (index,) = self.wiring.add_model(planned, [x.index for x in given])
        if index < 0:
            self.errors.append(AppError((*path, "file"), f"{model.name} computes nothing", "a model with at least one operator"))
            return None
        return Output(index, self.wiring.steps[index].y, getattr(self.parts.models[m], "labels", ()))

    def fits(self, m: int, x: Output, wanted: Tensor, n: int) -> bool:
        """Whether x has the shape of an input; notes the mistake where it has not."""
        told = getattr(self.parts.models[m], "from_", None)
        if x.signal.size == wanted.size and (rank(x.signal.shape) != rank(wanted.dims) or bare(x.signal.shape) == bare(wanted.dims)):
            return True
        giver = self.giver() if told is None else told if isinstance(told, str) else told[n]
        what = f"model wants {times(wanted.dims)} {wanted.dtype}, {giver} gives {times(x.signal.shape)}"
        where = ("file",) if told is None else ("from",) if isinstance(told, str) else ("from", n)
        self.errors.append(AppError((*self.at("model", m), *where), what, self.fitting(x.signal, wanted.size)))
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

    def detect(self, d: int, detector: Detector | Broken) -> None:
        if isinstance(detector, Broken):
            return
        path = self.at("detect", d)
        scores = self.read_by_detector(d, detector)
        classes = detector.classes or (scores.labels if scores else ())
        unknown = [
            AppError((*path, *at), f"model has no label '{label}'", hint(label, classes, "its labels"))
            for at, label in wanted(detector)
            if classes and label not in classes
        ]
        self.errors += unknown
        if scores is None or unknown:
            return
        detector = detector.bind(classes) if classes else detector
        found = self.add(detector, [scores], path, detector.name or "detect")
        if found is None:
            return
        labels = detector.labels_of(scores.signal)
        for label in labels:
            if label in self.labels:
                what = f"label '{label}' is of two detectors"
                self.errors.append(AppError(path, what, f"classes = {toml([f'{detector.name or d + 1}_{one}' for one in labels])}"))
                return
        if self.features is None:
            self.features = self.unstacked(scores.index)
        self.detections.append(Detection(found.index, scores.index, len(self.labels), classes))
        self.labels = (*self.labels, *labels)

    def read_by_detector(self, d: int, detector: Detector) -> Output | None:
        """What a detector reads: the model, the last stage where that stands behind the model, or what its `from` names."""
        end, path = len(self.parts.stages), self.at("detect", d)
        if detector.from_ is not None:
            read = self.told(end, detector.from_, (*path, "from"))
            if len(read) > 1:
                self.errors.append(AppError((*path, "from"), "a detector reads one entry", 'kind = "concat" joins several into one'))
                return None
            return read[0]
        models = {model_name(model) for model in self.parts.models}
        behind = any(models & {*([stage.from_] if isinstance(stage.from_, str) else stage.from_ or ())} for stage in self.parts.stages)
        if len(models) == 1 and not behind:
            return self.infer(0, end)
        if len(models) > 1:
            help = f'from = "{model_name(self.parts.models[0])}"'
            self.errors.append(AppError(path, f"it does not say which of the models it reads: {', '.join(sorted(models))}", help))
            return None
        if not self.parts.stages and len(self.parts.sources) > 1:
            self.errors.append(self.which_source(path))
        return self.last()


def source_name(source: Source | Broken) -> str:
    return getattr(source, "name", None) or source.kind


def model_name(model: ModelDefinition | Broken) -> str:
    return model.name or "model"


def read_one(definition: ModelDefinition, base: Path) -> Model | HostModel:
    """A model, to be compiled or to be run by the interpreter, as its definition says."""
    if definition.run == "interpreter":
        return read_host_model(base / definition.file, definition.output, definition.output_scale)
    return read_model(base / definition.file, [definition.output])


def wanted(detector: Detector) -> list[tuple[tuple[str | int, ...], str]]:
    """The labels that a detector is told to look for, each with its path inside the detector."""
    listed: list[tuple[tuple[str | int, ...], str]] = [
        (("labels", n), label) for n, label in enumerate(getattr(detector, "labels", None) or ())
    ]
    threshold = getattr(detector, "threshold", None)
    return listed + [(("threshold", label), label) for label in (threshold if isinstance(threshold, dict) else ())]


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
