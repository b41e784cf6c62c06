"""An app as a user declares it: the objects that TOML is read into, and that Python writes.

Nothing here computes: `App.plan()` hands over to planning.py.  All objects are frozen and compare by value, so both spellings
of one app are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tinystream.app.node import Capture, Node, Settings
from tinystream.app.secrets import secret_mistakes
from tinystream.app.sources import Source
from tinystream.plan.stage import Definition, Detector, Stage

if TYPE_CHECKING:
    from tinystream.plan.plan import Plan


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


C_WORDS = words("""
    auto break case char const continue default do double else enum extern float for goto if inline int long register restrict
    return short signed sizeof static struct switch typedef union unsigned void volatile while main
""")
"""ISO/IEC 9899:2011 §6.4.1, and main."""

C_HEADERS = words("""
    assert complex ctype errno fenv inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic stdbool stddef
    stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype board
""")
"""Files that <name>.h and <name>.c would hide: ISO/IEC 9899:2011 §7.1.2, and board.c of every firmware."""


class Model(Definition):
    """A .tflite file, and what its outputs mean."""

    name: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9_]*$", description="name that `from` can refer to; else it is model", examples=["vad"]
    )
    file: str = Field(min_length=1, description="path of the .tflite file, from the folder of the definition", examples=["model.tflite"])
    labels: tuple[str, ...] = Field(default=(), description="what each output of the model means, in order", examples=[["no", "yes"]])
    from_: str | tuple[str, ...] | None = Field(
        default=None, alias="from", description="stage that it reads, or a list: one for each of its inputs; else the last stage"
    )
    output: int = Field(default=0, ge=0, description="which output of the model the detector reads, counted from 0")
    run: Literal["compiled", "interpreter"] = Field(
        default="compiled",
        description="interpreter: by TFLite, on the host only, for a model that cannot be compiled, such as a float one; no C is emitted",
    )
    output_scale: float = Field(
        default=2.0**-15, gt=0, description="with run = interpreter: real value of one count of a float output, which becomes int16"
    )

    def __init__(self, *file: str, **options: Any) -> None:
        super().__init__(**dict(zip(("file",), file, strict=True)) if file else {}, **options)

    @field_validator("labels")
    @classmethod
    def _labels_fit_into_c(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        for label in labels:
            if not label or not label.isprintable() or set(label) & set('"\\'):
                raise PydanticCustomError(
                    "app",
                    "label {label} holds what an event cannot carry",
                    {"label": repr(label), "help": "a label is printable text without quotes and backslashes"},
                )
            if labels.count(label) > 1:
                raise PydanticCustomError(
                    "app", "label '{label}' is given twice", {"label": label, "help": "each output has a label of its own"}
                )
        return labels


class Duty(Definition):
    """Listen for a while, sleep, and listen again: between the windows the sensor is off, and each begins from a fresh start."""

    on_s: float = Field(gt=0, description="length of a window, a whole number of blocks", examples=[2])
    every_s: float = Field(gt=0, description="time from one window's begin to the next one's, a whole number of blocks", examples=[60])


class Budget(Definition):
    """Limits that an app is held to.

    ram_kb and flash_kb are checked against the plan by `tinystream show` (1 kB is 1000 bytes), battery_days by `tinystream power`,
    against the low end of its estimate.
    """

    ram_kb: float | None = Field(default=None, gt=0, description="arena and state at most, in kB of 1000 bytes", examples=[32])
    flash_kb: float | None = Field(
        default=None, gt=0, description="constant tables at most, in kB of 1000 bytes; code is not counted yet", examples=[128]
    )
    battery_days: float | None = Field(default=None, gt=0, description="days on the battery, at the low end", examples=[30])
    battery: str | None = Field(default=None, min_length=1, description="cells and kind, or kind and capacity", examples=["2xAA"])


SEVERAL = {"source": "sources", "model": "models", "detect": "detectors"}
"""What an app may have one of, as [source], or several of, as [[source]]: the word for one, and the field that holds them."""


def several(options: Mapping[str, Any]) -> dict[str, Any]:
    """source=x as sources=(x,); None is none."""
    options = dict(options)
    for one, many in SEVERAL.items():
        if one in options:
            given = options.pop(one)
            options[many] = () if given is None else given if isinstance(given, tuple | list) else (given,)
    return options


class App(Definition):
    """Sources, what is computed from them, and who hears of it.  The order of stages is the order of the data.

    App(source=…, model=…, detect=…) is the spelling for one of each; the fields are tuples.
    """

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", max_length=63, description="name of the app and of its C functions", examples=["wake_word"]
    )
    description: str = Field(
        default="",
        description="what the app does, in a sentence; the first comment of the file where nothing is said",
        examples=["Alert when someone says yes."],
    )
    board: str | None = Field(default=None, min_length=1, description="board that the firmware is for", examples=["nrf52840_dk"])
    sources: tuple[SerializeAsAny[Source], ...] = Field(min_length=1, description="where samples come from")
    duty: Duty | None = Field(default=None, description="windows of listening; always, where nothing is said")
    stages: tuple[SerializeAsAny[Stage], ...] = Field(default=(), description="signal processing, in order")
    models: tuple[Model, ...] = Field(default=(), description="the neural network that reads the last stage, or several")
    detectors: tuple[SerializeAsAny[Detector], ...] = Field(default=(), description="what turns scores into events")
    sinks: tuple[SerializeAsAny[Definition], ...] = Field(default=(), description="who hears of an event")
    budget: Budget | None = Field(default=None, description="limits that the plan must keep")
    node: Node | None = Field(default=None, description="how it is run around the clock")
    settings: Settings | None = Field(default=None, description="what may be changed while it runs; nothing, where nothing is said")
    capture: Capture | None = Field(default=None, description="what is kept around an alert; nothing, where nothing is said")

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_tuple_of_one(cls, options: Any) -> Any:
        return several(options) if isinstance(options, dict) else options

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's; a source, model or detector may be given as it is to App()."""
        return super().model_copy(update=several(update) if update else update, deep=deep)

    @property
    def source(self) -> Source:
        """The first source, whose blocks an app counts."""
        return self.sources[0]

    @property
    def model(self) -> Model | None:
        return self.models[0] if self.models else None

    @property
    def detect(self) -> Detector | None:
        return self.detectors[0] if self.detectors else None

    @field_validator("name")
    @classmethod
    def _name_is_free_in_c(cls, name: str) -> str:
        for taken, why in [
            (name in C_WORDS, "is a word of C"),
            (name in C_HEADERS, f"would hide {name}.h of the firmware"),
            (name.startswith("ts_"), "begins with ts_, as the kernels do"),
        ]:
            if taken:
                raise PydanticCustomError(
                    "app", 'name = "{name}" {why}', {"name": name, "why": why, "help": f'name = "{name.removeprefix("ts_") or "my"}_app"'}
                )
        return name

    @field_validator("sinks")
    @classmethod
    def _secrets_stay_outside(cls, sinks: tuple[Definition, ...]) -> tuple[Definition, ...]:
        for i, sink in enumerate(sinks):
            for mistake in secret_mistakes(dict(sink)):
                raise mistake.inside("sink", i)
        return sinks

    def plan(self, base: str | Path = ".") -> Plan:
        """Everything in integers.  base: the folder that the model's path starts from.

        Raises AppErrors with every mistake that was found.
        """
        from tinystream.app.planning import plan  # which imports this file

        return plan(self, Path(base))
