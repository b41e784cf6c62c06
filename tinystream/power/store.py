"""What holds harvested energy: a capacitor, or a small cell that can be charged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

from tinystream.power.battery import find_pack
from tinystream.power.files import PowerError, unknown
from tinystream.power.parts import Storage, find_part, part_names

CHARGED = ("lipo", "li_ion_18650", "nimh_aa")
"""Batteries that a harvester may charge."""


@dataclass(frozen=True)
class Capacitor:
    """farads with leakage_ua at max_v, which falls with the voltage: ½CV² in joules."""

    name: str
    farads: float
    max_v: float
    leakage_ua: float

    @property
    def empty_v(self) -> float:
        return 0.0

    @property
    def size(self) -> float:
        return self.farads

    unit = "F"

    def joules(self, volts: float) -> float:
        return self.farads * volts * volts / 2

    def volts(self, joules: float) -> float:
        return sqrt(2 * max(joules, 0.0) / self.farads)

    def leak_w(self, volts: float) -> float:
        return self.leakage_ua * 1e-6 * volts * volts / self.max_v

    def scaled(self, factor: float) -> Capacitor:
        return replace(self, farads=self.farads * factor, leakage_ua=self.leakage_ua * factor)


@dataclass(frozen=True)
class Cell:
    """mah between empty_v and max_v, along a straight line of the charge; joules above empty.  What it loses by itself is a current."""

    name: str
    mah: float
    empty_v: float
    max_v: float
    leakage_ua: float

    unit = "mAh"

    @property
    def size(self) -> float:
        return self.mah

    @property
    def coulombs(self) -> float:
        return self.mah * 3.6

    def joules(self, volts: float) -> float:
        share = (volts - self.empty_v) / (self.max_v - self.empty_v)
        return self.coulombs * share * (self.empty_v + volts) / 2

    def volts(self, joules: float) -> float:
        """Of the quadratic that joules() is."""
        slope = (self.max_v - self.empty_v) / self.coulombs
        return sqrt(self.empty_v**2 + 2 * slope * max(joules, 0.0))

    def leak_w(self, volts: float) -> float:
        return self.leakage_ua * 1e-6 * volts

    def scaled(self, factor: float) -> Cell:
        return replace(self, mah=self.mah * factor, leakage_ua=self.leakage_ua * factor)


Store = Capacitor | Cell


def find_store(name: str, temperature_c: float = 20.0) -> Store:
    """A part of parts/storage, or a cell that can be charged, "lipo:40mAh"."""
    if name in part_names(Storage):
        part = find_part(Storage, name)
        return Capacitor(part.name, part.capacity_f, part.max_v, part.leakage_ua.value)
    kind = name.split(":")[0].lower()
    if kind not in CHARGED:
        raise unknown("storage", name, [*part_names(Storage), *CHARGED], "; a cell with its capacity: lipo:40mAh")
    pack = find_pack(name)
    leak = pack.self_discharge_ua(temperature_c).nominal
    return Cell(pack.name, pack.capacity_mah.nominal, pack.cell.end_v, pack.cell.max_v, leak)


def check_volts(store: Store, brown_out_v: float, restart_v: float, start_v: float) -> None:
    """PowerError for thresholds that are not in order, or that the storage cannot have."""
    if not store.empty_v <= brown_out_v < restart_v <= store.max_v:
        what = f"brown-out at {brown_out_v:.3g} V and restart at {restart_v:.3g} V are not in order within {store.name}"
        raise PowerError(what, f"{store.empty_v:.3g} V <= --brown-out < --restart <= {store.max_v:.3g} V")
    if not store.empty_v <= start_v <= store.max_v:
        raise PowerError(f"{store.name} cannot begin with {start_v:.3g} V", f"--start-volts {store.max_v:g}")
