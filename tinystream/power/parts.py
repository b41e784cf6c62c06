"""What is wired to a board: sensors, radios, batteries, regulators, harvesters, storage; a TOML file each."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal, TypeVar

from pydantic import Field, model_validator

from tinystream.emit.templates import templates
from tinystream.firmware.board import Part
from tinystream.power.board import Capture
from tinystream.power.figure import Figure, Table
from tinystream.power.files import PowerError, read_figures, unknown


class Named(Part):
    """kind: its folder, and what people call it."""

    kind: ClassVar[str]
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    says: str = Field(min_length=1)


class Sensor(Named):
    """Where samples come from.

    feeds:        kinds of [source] that it is one of.
    capture:      how its samples get to the core: "serial" for those with a FIFO behind SPI or I2C, which let the core sleep.
    current_ua:   on, over the rate of samples in Hz.
    standby_ua:   off, in a duty cycle.
    start_s:      from off to samples that count.
    fifo:         samples of all channels that it holds before the core must read; 0 where a peripheral streams.
    sample_bytes: of one channel, as they travel.
    """

    kind: ClassVar[str] = "sensor"
    feeds: tuple[str, ...] = Field(min_length=1)
    capture: Capture
    current_ua: Table
    standby_ua: Figure
    start_s: Figure
    fifo: int = Field(default=0, ge=0)
    sample_bytes: int = Field(default=2, ge=1)
    bus_hz: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _serial_has_a_bus(self) -> Sensor:
        if (self.capture == "serial") != (self.bus_hz is not None) or (self.capture == "serial") != (self.fifo > 0):
            raise ValueError("bus_hz and fifo are told of sensors with capture = 'serial', and of no others")
        return self


class LoRa(Part):
    """The parts of a LoRaWAN uplink that are not its time on air, which is computed."""

    transmit_ua: Figure
    receive_ua: Figure
    receive_windows_s: Figure
    bandwidth_hz: float = Field(default=125_000, gt=0)


class Radio(Named):
    """Who carries an alert.

    charge_uc:   of one alert of free_bytes, from the radio's supply; whatever wakes, connects, sends and waits is in it.
    byte_uc:     of each byte beyond free_bytes.
    peak_ma:     the most at once, which a battery must give.
    standby_ua:  between alerts.
    loss:        probability that an attempt fails and is made again.
    """

    kind: ClassVar[str] = "radio"
    charge_uc: Figure | None = None
    byte_uc: Figure | None = None
    free_bytes: int = Field(default=0, ge=0)
    max_bytes: int = Field(gt=0)
    peak_ma: Figure
    standby_ua: Figure
    loss: Figure
    lora: LoRa | None = None

    @model_validator(mode="after")
    def _charge_is_told_or_computed(self) -> Radio:
        if (self.charge_uc is None) == (self.lora is None):
            raise ValueError("charge_uc is told, or [lora] is there to compute it")
        if self.loss.interval.high > 0.9:
            raise ValueError("loss is a probability below 0.9")
        return self


class Battery(Named):
    """One cell.

    capacity_mah: to end_v at rest, at 20 °C and a small load.
    cell_v:       mean over its discharge.
    cut_off:      fraction of the capacity that is given above a voltage, where the board needs more than end_v.
    load:         fraction over a continuous current in mA.
    pulse:        fraction over the largest current in mA; beyond the last point the cell cannot give it.
    temperature:  fraction over °C; beyond its ends the cell is not for use.
    self_discharge_percent_year: at 20 °C; doubles each 10 °C.
    """

    kind: ClassVar[str] = "battery"
    capacity_mah: Figure
    cell_v: float = Field(gt=0)
    max_v: float = Field(gt=0)
    end_v: float = Field(gt=0)
    cut_off: Table
    load: Table
    pulse: Table
    temperature: Table
    self_discharge_percent_year: Figure
    short: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _more_never_gives_more(self) -> Battery:
        for name in ("cut_off", "load", "pulse"):
            fractions = [fraction for _, fraction in getattr(self, name).points]
            if fractions != sorted(fractions, reverse=True) or fractions[0] > 1:
                raise ValueError(f"{name}: fractions fall from 1 on, and {fractions} do not")
        return self


class Regulator(Named):
    """What stands between battery and rail.  dropout_v: of an LDO, or what a buck needs above its output."""

    kind: ClassVar[str] = "regulator"
    converts: Literal["ldo", "buck", "boost", "buck_boost"]
    quiescent_ua: Figure
    efficiency: Figure | None = None
    min_v: float = Field(gt=0)
    max_v: float = Field(gt=0)
    dropout_v: float = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _switchers_have_an_efficiency(self) -> Regulator:
        if (self.efficiency is None) != (self.converts == "ldo"):
            raise ValueError("efficiency is told of a switching regulator; an LDO passes its current on")
        if self.efficiency and not 0 < self.efficiency.interval.low <= self.efficiency.interval.high <= 1:
            raise ValueError("efficiency is above 0, at most 1")
        return self


class Harvester(Named):
    """Power out of light, motion or heat.  power_uw: of one unit, over what is told in `over` ("lux", "mg", "K")."""

    kind: ClassVar[str] = "harvester"
    unit: str = Field(min_length=1)
    over: str = Field(min_length=1)
    power_uw: Table
    efficiency: Figure
    start_uw: Figure


class Storage(Named):
    """What holds harvested energy: leakage_ua at max_v."""

    kind: ClassVar[str] = "storage"
    capacity_f: float = Field(gt=0)
    max_v: float = Field(gt=0)
    resistance_ohm: Figure
    leakage_ua: Figure


FOLDERS: dict[type[Named], str] = {
    Sensor: "sensors", Radio: "radios", Battery: "batteries", Regulator: "regulators", Harvester: "harvesters", Storage: "storage",
}  # fmt: skip

P = TypeVar("P", bound=Named)


def part_names(kind: type[Named]) -> list[str]:
    return sorted(path.stem for path in (templates() / "parts" / FOLDERS[kind]).glob("*.toml"))


def find_part(kind: type[P], name: str) -> P:
    """The part of that name; PowerError with all that there are."""
    if name not in part_names(kind):
        raise unknown(kind.kind, name, part_names(kind))
    path = templates() / "parts" / FOLDERS[kind] / f"{name}.toml"
    part = read_figures(path, kind)
    if part.name != name:
        raise PowerError(f"{path}: name = '{part.name}' is not the file's name", f'name = "{name}"')
    return part


USUAL: dict[str, tuple[str, ...]] = {
    "microphone": ("mp34dt05", "ics_43434_low_power", "ics_43434", "vm1010"),
    "imu": ("lsm6dsox", "iis3dwb"),
    "environment": ("bme280",),
}
"""Sensors that are taken for each kind of source where none is named: the first that the board can read, at the app's rate."""


def usual_sensor(kind: str, rate_hz: float, captures: Collection[str], wanted: str | None = None) -> Sensor:
    """wanted: the board's own choice, if it has one."""
    tried = [find_part(Sensor, name) for name in ((wanted,) if wanted else ()) + USUAL.get(kind, ())]
    fit = [sensor for sensor in tried if sensor.capture in captures and sensor.current_ua.holds(rate_hz)]
    if not fit:
        known = [name for name in part_names(Sensor) if kind in find_part(Sensor, name).feeds]
        raise PowerError(
            f"no usual sensor for a source of kind '{kind}' at {rate_hz:g} Hz on this board", f"--sensor {' or '.join(known) or 'NAME'}"
        )
    return fit[0]
