"""Boards: a folder each, with a board.toml, and board.c where firmware can be built for it.

Ours lie in firmware_templates/boards/; a folder of the user's is named by its path.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tinystream.emit.templates import templates
from tinystream.errors import BuildError
from tinystream.firmware.core import CORES, NOT_BUILT


class Part(BaseModel):
    """A table of a board.toml: nothing but what is declared here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Memory(Part):
    """What the linker places things in; a figure without a source is not taken.

    factor: cycles on this board for each of a core without wait states, (low, nominal, high): flash, its cache, its clock.
    """

    flash_bytes: int = Field(gt=0)
    ram_bytes: int = Field(gt=0)
    flash_origin: int = Field(default=0, ge=0)
    ram_origin: int = Field(default=0x2000_0000, ge=0)
    source: str = Field(min_length=1)
    factor: tuple[float, float, float] = (1.0, 1.1, 1.3)
    factor_source: str = "median and range of published latencies of one core on several boards; not of this one"

    @model_validator(mode="after")
    def _in_order(self) -> Memory:
        low, nominal, high = self.factor
        if not 0 < low <= nominal <= high:
            raise ValueError(f"factor = {list(self.factor)} is not low, nominal, high")
        return self


class Feed(Part):
    """What board.c can feed an app of one kind of source with."""

    rate_hz: tuple[float, ...] = ()
    """Sample rates; any where it is empty."""
    channels: tuple[int, ...] = ()
    """Numbers of channels; any where it is empty."""
    range_g: tuple[float, ...] = ()
    """Full scales of an imu; any where it is empty."""
    by: str = Field(min_length=1)
    """The way samples take: "PDM through EasyDMA"."""


class Firmware(Part):
    """How firmware is built for the board.

    start:  the start-up code: firmware_templates/firmware/start_<start>.c; hosted has none.
    files:  the board's C, from its folder; several boards may share a file.
    ran_on: where this board.c was run: hardware, QEMU, or nowhere.
    qemu:   the command that makes QEMU this board.
    uf2_family: of the chip, where its boot loader takes UF2 files.
    recording: where QEMU puts the recording that takes the sensor's place: TS_RECORDING of board.c; without, it comes on the serial line.
    emulated: more defines, of the build that QEMU runs, where that is another one than the chip's.
    """

    start: Literal["cortex_m", "riscv", "hosted"]
    source: dict[str, Feed]
    files: tuple[str, ...] = ("board.c",)
    ran_on: str = Field(min_length=1)
    qemu: tuple[str, ...] = ()
    uf2_family: int | None = Field(default=None, ge=0)
    recording: int | None = Field(default=None, ge=0)
    defines: tuple[str, ...] = ()
    emulated: tuple[str, ...] = ()


class Board(Part):
    """A board.

    clock_hz: of the core, as board.c sets it.
    What it draws lies beside it, in power.toml: see tinystream/power.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    says: str = Field(min_length=1)
    core: str
    clock_hz: int = Field(gt=0)
    memory: Memory | None = None
    firmware: Firmware | None = None
    folder: Path

    @model_validator(mode="after")
    def _core_is_known(self) -> Board:
        if self.core not in (known := (*CORES, *NOT_BUILT, "host")):
            raise ValueError(f"core = '{self.core}' is none of {', '.join(known)}")
        return self

    @property
    def riscv(self) -> bool:
        return self.core in CORES and CORES[self.core].riscv

    @cached_property
    def lacks(self) -> tuple[str, ...]:
        """What must be there for firmware and is not; empty where it can be built."""
        if self.firmware is None:
            return ("[firmware]", "board.c")
        files = [name for name in self.firmware.files if not (self.folder / name).is_file()]
        return (*files, *["[memory]"] * (self.memory is None and self.core != "host"))


def boards() -> list[Board]:
    """All of ours, by name."""
    return [read_board(path.parent) for path in sorted((templates() / "boards").glob("*/board.toml"))]


def find_board(name: str) -> Board:
    """The board of that name, or of a folder of the user's; BuildError where there is none."""
    if "/" in name or (Path(name) / "board.toml").is_file():
        return read_board(Path(name))
    folder = templates() / "boards" / name
    if not (folder / "board.toml").is_file():
        there = sorted(path.parent.name for path in (templates() / "boards").glob("*/board.toml"))
        near = ", ".join(get_close_matches(name, there, 3, 0.5))
        help = f"{near and f'near to it: {near}; '}all: {', '.join(there)}; or a folder of your own, with a / in its path"
        raise BuildError(f"no board is called '{name}' here", help)
    return read_board(folder)


def read_board(folder: Path) -> Board:
    """The board of a folder; BuildError, with the file and the key, where board.toml says what it cannot mean."""
    path = folder / "board.toml"
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BuildError(f"{path}: {(error.strerror or str(error)).lower()}", "a board is a folder with a board.toml") from None
    except ValueError as error:
        raise BuildError(f"{path} is not TOML: {error}", "docs/boards.md tells what it holds") from None
    try:
        board = Board(**written, folder=folder)
    except ValidationError as error:
        first = error.errors()[0]
        where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise BuildError(
            f"{path}: {where + ': ' if where else ''}{what[0].lower()}{what[1:]}", "docs/boards.md tells what it holds"
        ) from None
    if folder.resolve().name != board.name:
        raise BuildError(f"{path}: name = '{board.name}' is not the folder's name", f'name = "{folder.resolve().name}"')
    return board
