"""The way from a battery to a board's supply pins."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from tinystream.power.battery import Pack
from tinystream.power.board import BoardPower, Mode
from tinystream.power.figure import interpolated
from tinystream.power.files import PowerError
from tinystream.power.interval import ZERO, Interval
from tinystream.power.parts import Regulator, find_part

ANY = "tps63900"
"""What makes a rail out of any battery: taken, and said, where neither the pins nor the board's own regulator can be fed directly."""

ENOUGH = 0.8
"""Fraction of a battery that the board must be able to use for the two to be wired directly where nothing is said."""


@dataclass(frozen=True)
class Feed:
    """regulator: None where the battery feeds the pins.  needed_v: of the battery, below which the board stops."""

    rail_v: float
    battery_v: float
    needed_v: float
    regulator: Regulator | None = None

    @property
    def name(self) -> str:
        return self.regulator.name if self.regulator else "direct"

    @property
    def switches(self) -> bool:
        return self.regulator is not None and self.regulator.converts != "ldo"

    def from_rail(self, current_ua: Interval) -> Interval:
        """The battery's current for one of the rail, without what the regulator itself loses.

        An LDO passes the current on, and its loss is heat; a switching regulator passes the power on.
        """
        return current_ua * (self.rail_v / self.battery_v) if self.switches else current_ua

    def chip(self, mode: Mode, current_ua: Interval) -> Interval:
        """A current of the chip, told at the mode's voltage, as it is at the rail's: a chip's own converter passes the power on, too."""
        return current_ua * (mode.at_v / self.rail_v) if mode.kind == "smps" else current_ua

    def losses_ua(self, passed_ua: Interval) -> Interval:
        """What the regulator itself takes while it passes so much on."""
        if self.regulator is None:
            return ZERO
        own = self.regulator.quiescent_ua.interval
        if self.regulator.efficiency is None:
            return own
        eta = self.regulator.efficiency.interval
        lost = Interval(1 / eta.high - 1, 1 / eta.nominal - 1, 1 / eta.low - 1)
        return own + passed_ua * lost


Way = Regulator | Literal["direct"]


def find_way(name: str) -> Way:
    return "direct" if name == "direct" else find_part(Regulator, name)


def find_feed(board: BoardPower, pack: Pack, way: Way | None = None) -> tuple[Feed, list[str]]:
    """That way, or the first that fits: the pins, the board's own regulator, any; with what to tell people of it."""
    if way == "direct":
        return direct(board, pack), []
    if way is not None:
        return through(board, pack, way), []
    least, most = pack.cells * pack.cell.end_v, pack.cells * pack.cell.max_v
    if most <= board.supply.max_v and interpolated(pack.cell.cut_off.points, board.supply.min_v / pack.cells) >= ENOUGH:
        return direct(board, pack), []
    if board.supply.regulator:
        with suppress(PowerError):
            return through(board, pack, find_part(Regulator, board.supply.regulator)), []
    pins = f"{pack.name} gives {least:.3g} to {most:.3g} V, {board.name} takes {board.supply.min_v:g} to {board.supply.max_v:g} V"
    return through(board, pack, find_part(Regulator, ANY)), [f"{pins}: {ANY} is put between them; --regulator names another"]


def direct(board: BoardPower, pack: Pack) -> Feed:
    most = pack.cells * pack.cell.max_v
    if most > board.supply.max_v:
        what = f"{pack.name} gives {most:.3g} V when it is new, the pins of {board.name} take {board.supply.max_v:g} V"
        raise PowerError(what, f"--regulator {board.supply.regulator or ANY}")
    return Feed(pack.volts, pack.volts, board.supply.min_v)


def through(board: BoardPower, pack: Pack, regulator: Regulator) -> Feed:
    """PowerError where the regulator cannot make the board's rail out of the battery."""
    rail_v, most, least = board.supply.rail_v, pack.cells * pack.cell.max_v, pack.cells * pack.cell.end_v
    if most > regulator.max_v:
        raise PowerError(f"{pack.name} gives {most:.3g} V when it is new, {regulator.name} takes {regulator.max_v:g} V", "fewer cells")
    down = regulator.converts in ("ldo", "buck")
    needed_v = max(regulator.min_v, rail_v + regulator.dropout_v if down else 0)
    if needed_v >= most:
        what = f"{regulator.name} needs {needed_v:.3g} V to make {rail_v:g} V, {pack.name} gives {most:.3g} V when it is new"
        raise PowerError(what, f"--regulator {ANY}, or more cells")
    if regulator.converts == "boost" and most > rail_v:
        what = f"{regulator.name} makes more volts, not less: {pack.name} gives up to {most:.3g} V, the rail is {rail_v:g} V"
        raise PowerError(what, f"--regulator {ANY}")
    return Feed(rail_v, pack.volts, max(needed_v, least), regulator)
