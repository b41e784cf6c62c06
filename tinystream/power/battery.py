"""How much of a battery an app can have."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tinystream.power.figure import SPREAD, Table, interpolated
from tinystream.power.files import PowerError, unknown
from tinystream.power.interval import Interval, exactly
from tinystream.power.parts import Battery, find_part, part_names

HOURS_A_YEAR = 8766
MOST_CELLS = 24
WORTH_TELLING = 0.95
"""Fraction of the capacity below which a board that stops early is told of."""


@dataclass(frozen=True)
class Pack:
    """Cells of one kind in series.  capacity_mah: where it was told in the command, instead of the file's."""

    cell: Battery
    cells: int
    told_mah: float | None = None

    @property
    def name(self) -> str:
        capacity = f" of {self.told_mah:g} mAh" if self.told_mah else ""
        return f"{self.cells} x {self.cell.name}{capacity}" if self.cells > 1 else f"{self.cell.name}{capacity}"

    @property
    def volts(self) -> float:
        """Mean over the discharge."""
        return self.cells * self.cell.cell_v

    @property
    def scale(self) -> float:
        """How many of the file's cells this one is."""
        return self.told_mah / self.cell.capacity_mah.value if self.told_mah else 1.0

    @property
    def capacity_mah(self) -> Interval:
        return self.cell.capacity_mah.interval * self.scale

    def usable(self, needed_v: float, load_ma: float, peak_ma: float, temperature_c: float) -> tuple[Interval, list[str]]:
        """mAh that an app gets which needs so many volts; with what to tell people of it."""
        cell, notes = self.cell, []
        per_cell = needed_v / self.cells
        for what, table, ma in (("on the average", cell.load, load_ma), ("at once", cell.pulse, peak_ma)):
            most = self.scale * table.last
            if ma > most:
                notes.append(f"{ma:.3g} mA {what} is more than a {cell.name} is told to give, {most:.3g} mA: take it as out of reach")
        given = interpolated(cell.cut_off.points, per_cell)
        if given < WORTH_TELLING:
            notes.append(f"the board stops at {per_cell:.3g} V a cell: {given:.0%} of the capacity is given above")
        parts = (
            fraction(cell.cut_off, per_cell),
            fraction(cell.load, load_ma / self.scale),
            fraction(cell.pulse, peak_ma / self.scale),
            fraction(cell.temperature, temperature_c),
        )
        usable = self.capacity_mah
        for part in parts:
            usable = usable * part
        return usable, notes

    def self_discharge_ua(self, temperature_c: float) -> Interval:
        rate = self.cell.self_discharge_percent_year.interval * (2 ** ((temperature_c - 20) / 10) / 100)
        return rate * self.capacity_mah * (1000 / HOURS_A_YEAR)


def fraction(table: Table, x: float) -> Interval:
    """What is left of 1; the doubt is of what is lost."""
    lost = 1 - interpolated(table.points, x)
    down, up = table.spread or SPREAD[table.status]
    return Interval(max(0.0, 1 - lost * up), 1 - lost, 1 - lost * down) if lost else exactly(1)


def find_pack(spec: str) -> Pack:
    """What a word such as "2xAA", "cr2032" or "lipo:1200mAh" means; PowerError where it means nothing."""
    names = {short: name for name in part_names(Battery) for short in (name, *find_part(Battery, name).short)}
    match = re.fullmatch(r"(?:(\d+)\s*x\s*)?([a-z][a-z0-9_]*|\d{5})(?::(\d+(?:\.\d+)?)mah)?", spec.strip().lower())
    if not match:
        raise PowerError(f"'{spec}' is no battery", "cells, kind, and a capacity if you know it: 2xAA, cr2032, lipo:1200mAh")
    cells, name, capacity = int(match[1] or 1), match[2], match[3]
    if name not in names:
        raise unknown("battery", name, names)
    if not 1 <= cells <= MOST_CELLS:
        raise PowerError(f"'{spec}' has {cells} cells, from 1 to {MOST_CELLS} can be reckoned with", f"2x{name}")
    if capacity is not None and not float(capacity):
        raise PowerError(f"'{spec}' has no capacity", f"{name}:1000mAh")
    pack = Pack(find_part(Battery, names[name]), cells)
    return replace(pack, told_mah=float(capacity)) if capacity else pack
