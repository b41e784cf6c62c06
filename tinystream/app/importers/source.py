"""The file that somebody published, and what the person who imports it wishes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tinystream.errors import TinystreamError
from tinystream.plan.model import Model, parse_model
from tinystream.plan.operator import Tensor


@dataclass(frozen=True)
class Wishes:
    """What the command line may say.  rule: of ESPHome's firmware; labels: of a model that does not carry its own."""

    name: str | None = None
    rule: Literal["mww_2025", "mww_2024_10"] | None = None
    model: Path | None = None
    labels: tuple[str, ...] = ()

    @property
    def given(self) -> set[str]:
        """The wishes but for the name, which every format heeds."""
        return {wish for wish in ("rule", "model", "labels") if getattr(self, wish)}


@dataclass(frozen=True)
class Published:
    """A .tflite file, read."""

    data: bytes
    model: Model

    @property
    def x(self) -> Tensor:
        """Its input; where it has several, the first."""
        return self.model.inputs[0]

    @property
    def y(self) -> Tensor:
        return self.model.outputs[0]

    @property
    def dims(self) -> tuple[int, ...]:
        """Of its input, without what one element is counted as."""
        dims = self.x.dims
        while len(dims) > 1 and dims[-1] == 1:
            dims = dims[:-1]
        return dims

    @property
    def words(self) -> str:
        """What goes in and comes out."""
        return f"it makes {shape(self.y)} of {shape(self.x)}"

    @classmethod
    def of(cls, data: bytes, name: str) -> Published:
        return cls(data, parse_model(data, name))


@dataclass(frozen=True)
class Source:
    """A file by its bytes; its name decides nothing."""

    path: Path
    data: bytes

    @classmethod
    def of(cls, path: Path) -> Source:
        return cls(path, content(path, "name a manifest (.json) or a model (.tflite)"))

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_model(self) -> bool:
        return self.data[4:8] == b"TFL3"

    @cached_property
    def model(self) -> Published:
        """The model that this file is; ModelError where it is damaged, or holds what is not compiled."""
        return Published.of(self.data, self.name)

    @cached_property
    def manifest(self) -> Any:
        """The JSON that this file is."""
        try:
            return json.loads(self.data.decode("utf-8-sig"))
        except RecursionError:
            reason = "it is nested too deeply"
        except UnicodeDecodeError:
            reason = "it is not text"
        except ValueError as error:
            reason = str(error)
        raise TinystreamError(f"{self.name} is neither a .tflite file nor JSON: {reason[:1].lower()}{reason[1:]}",
                              "name a microWakeWord manifest or a .tflite file")


def content(path: Path, help: str) -> bytes:
    """The bytes of a file, or why there are none."""
    try:
        return path.read_bytes()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error)).lower()
        raise TinystreamError(f"{path} cannot be read: {why}", help) from None


def shape(tensor: Tensor) -> str:
    dims = [n for n in tensor.dims if n != 1] or [1]
    return f"{'x'.join(map(str, dims))} {tensor.dtype}"
