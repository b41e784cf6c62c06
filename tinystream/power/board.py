"""What a board draws: power.toml beside its board.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from tinystream.emit.templates import templates
from tinystream.firmware.board import Board, Part, find_board
from tinystream.power.figure import Figure, Table
from tinystream.power.files import PowerError, read_figures, unknown
from tinystream.power.interval import Interval, exactly

IN_30_C = 3.1
"""Leakage at 30 °C more, as a factor: SRAM retention of a STM32U575 at 25, 55 and 85 °C, data sheet tables 65 and 66."""

RUN_PER_C = 0.19 / 60
"""Relative rise of a run current per °C: the same data sheet, table 39, 25 to 85 °C."""

INFERENCE = Interval(1.04, 1.25, 1.45)
"""What integer inference draws over a data sheet's run table: measured over table 39 of the STM32U575 in 20 published runs."""

Capture = Literal["pdm", "i2s", "analog", "serial"]


class Supply(Part):
    """How power gets to the chip.

    min_v, max_v: what its supply pins take.
    rail_v:       what its regulator gives, where the battery cannot feed the pins by itself.
    regulator:    the one on the board, of parts/regulators/; what a battery outside of min_v … max_v goes through.
    """

    min_v: float = Field(gt=0)
    max_v: float = Field(gt=0)
    rail_v: float = Field(gt=0)
    regulator: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Supply:
        if not self.min_v <= self.rail_v <= self.max_v:
            raise ValueError(f"rail_v = {self.rail_v:g} is not from min_v = {self.min_v:g} to max_v = {self.max_v:g}")
        return self


class Mode(Part):
    """One way to feed the core.

    kind: of the chip's own regulator: "ldo" draws a current that does not depend on the voltage, "smps" a power that does not.
    at_v: where the currents were told.
    run:  µA over clock_hz, computing.
    idle: µA over clock_hz, core asleep with its clocks on, as it is between two blocks of a stream that a peripheral collects.
    capture: what that peripheral draws beside it, with DMA and its clock, all the time that it collects.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["ldo", "smps"]
    at_v: float = Field(gt=0)
    run: Table
    idle: Table
    capture: dict[Capture, Figure] = Field(min_length=1)

    @property
    def raised(self) -> bool:
        """Whether the run table is a data sheet's, seen or told of."""
        return self.run.status in ("datasheet", "secondary")

    @model_validator(mode="after")
    def _idle_draws_less(self) -> Mode:
        """With its doubt: otherwise more work would cost less."""
        for clock_hz, _ in (*self.run.points, *self.idle.points):
            if self.idle.holds(clock_hz) and self.run.holds(clock_hz):
                idle, run = self.idle.at(clock_hz), self.run.at(clock_hz)
                if idle.nominal > run.low or idle.high > run.nominal:
                    raise ValueError(f"mode '{self.name}' may draw as much idle as running, at {mhz(clock_hz)}")
        return self


class Sleep(Part):
    """A state without clocks that keeps RAM.

    current_ua:     over °C; beyond its points, and where there is one, by IN_30_C.
    wake_charge_nc: until the core runs again; where it is not told, wake_s of the run current.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    retains_bytes: int = Field(gt=0)
    current_ua: Table
    wake_s: Figure
    wake_charge_nc: Figure | None = None

    def current(self, temperature_c: float) -> Interval:
        points = self.current_ua.points
        nearest = min(max(temperature_c, points[0][0]), points[-1][0])
        return self.current_ua.at(nearest) * IN_30_C ** ((temperature_c - nearest) / 30)


class Default(Part):
    """What is taken where the command names none."""

    sensor: dict[str, str] = Field(default_factory=dict)
    radio: str | None = None


class BoardPower(Part):
    """A board's currents.

    quiescent_ua: what else hangs at the supply, or nothing where the chip alone is told of.
    says:         what the figures are of, for people.
    """

    board: Board
    says: str = Field(min_length=1)
    min_c: float = -40
    max_c: float = 85
    supply: Supply
    mode: tuple[Mode, ...] = Field(min_length=1)
    sleep: tuple[Sleep, ...] = Field(min_length=1)
    quiescent_ua: Figure | None = None
    default: Default = Default()

    @property
    def name(self) -> str:
        return self.board.name

    def find_mode(self, name: str | None) -> Mode:
        """The first where none is named."""
        modes = {mode.name: mode for mode in self.mode}
        if name is not None and name not in modes:
            raise unknown(f"supply mode of {self.name}", name, modes)
        return self.mode[0] if name is None else modes[name]

    def run_ua(self, mode: Mode, clock_hz: float, temperature_c: float) -> Interval:
        """Computing.  A data sheet's table is raised by INFERENCE, whose range takes the place of the status's.

        A range of the table's own comes on top.
        """
        self.check_clock(mode, clock_hz)
        current = mode.run.at(clock_hz)
        if mode.raised:
            current = (current if mode.run.spread else exactly(current.nominal)) * INFERENCE
        return current * (1 + RUN_PER_C * (temperature_c - 25))

    def idle_ua(self, mode: Mode, clock_hz: float, temperature_c: float) -> Interval:
        self.check_clock(mode, clock_hz)
        return mode.idle.at(clock_hz) * (1 + RUN_PER_C * (temperature_c - 25))

    def sleep_for(self, ram_bytes: int, temperature_c: float) -> Sleep:
        """The state that draws least and keeps so much RAM."""
        fit = [sleep for sleep in self.sleep if sleep.retains_bytes >= ram_bytes]
        if not fit:
            most = max(sleep.retains_bytes for sleep in self.sleep)
            raise PowerError(f"{self.name} keeps {most} B of RAM asleep, the app has {ram_bytes} B", "a smaller app, or another board")
        return min(fit, key=lambda sleep: sleep.current(temperature_c).nominal)

    def check_clock(self, mode: Mode, clock_hz: float) -> None:
        """PowerError for a clock that one of the mode's tables does not reach."""
        first, last = max(mode.run.first, mode.idle.first), min(mode.run.last, mode.idle.last)
        if not first <= clock_hz <= last:
            known = f"from {mhz(first)} to {mhz(last)}" if first < last else f"for {mhz(first)} alone"
            raise PowerError(f"{self.name} has no currents for {mhz(clock_hz)}: its tables are {known}", f"--clock {last / 1e6:g}MHz")


def find_board_power(name: str) -> BoardPower:
    """The board of that name, or of a folder of the user's, with its power.toml."""
    if "/" not in name and not (Path(name) / "board.toml").is_file() and name not in board_names():
        raise unknown("board with currents", name, board_names(), "; or the folder of your own, with a / in its path")
    board = find_board(name)
    return read_figures(board.folder / "power.toml", BoardPower, board=board)


def board_names() -> list[str]:
    """All of ours whose currents are known."""
    return sorted(path.parent.name for path in (templates() / "boards").glob("*/power.toml") if path.with_name("board.toml").is_file())


def hertz(text: str) -> float:
    """A clock as people write it.

    >>> hertz("64MHz"), hertz("32e6"), hertz("32 768 Hz")
    (64000000.0, 32000000.0, 32768.0)
    """
    match = re.fullmatch(r"([0-9][0-9_ ]*\.?[0-9]*(?:e[0-9]+)?)\s*([kMG]?)(?:Hz)?", text.strip())
    if not match or not float(match[1].replace(" ", "")):
        raise PowerError(f"'{text}' is no clock", "--clock 64MHz")
    return float(match[1].replace(" ", "")) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[match[2]]


def mhz(clock_hz: float) -> str:
    return f"{clock_hz / 1e6:.6g} MHz"
