"""Units that recordings state, and how values come from one to another: value * factor + offset."""

from __future__ import annotations

import re
from typing import NamedTuple

GRAVITY = 9.80665  # m/s2, standard gravity (CGPM 1901)
DEGREE = 0.017453292519943295  # rad

# dimension -> unit -> (factor, offset) to the dimension's first unit
UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "acceleration": {"g": (1, 0), "mg": (1e-3, 0), "m/s2": (1 / GRAVITY, 0), "mm/s2": (1e-3 / GRAVITY, 0), "cm/s2": (1e-2 / GRAVITY, 0)},
    "angular rate": {"dps": (1, 0), "mdps": (1e-3, 0), "rad/s": (1 / DEGREE, 0), "mrad/s": (1e-3 / DEGREE, 0), "rpm": (6, 0)},
    "temperature": {"°C": (1, 0), "K": (1, -273.15), "°F": (5 / 9, -160 / 9)},
    "share": {"%": (1, 0), "ppm": (1e-4, 0), "ppb": (1e-7, 0)},
    "illuminance": {"lux": (1, 0), "klux": (1e3, 0)},
    "pressure": {"Pa": (1, 0), "hPa": (100, 0), "kPa": (1e3, 0), "bar": (1e5, 0)},
    "magnetic field": {"uT": (1, 0), "nT": (1e-3, 0), "mT": (1e3, 0), "T": (1e6, 0), "gauss": (100, 0), "mgauss": (0.1, 0)},
    "voltage": {"V": (1, 0), "mV": (1e-3, 0), "uV": (1e-6, 0)},
    "current": {"A": (1, 0), "mA": (1e-3, 0), "uA": (1e-6, 0)},
    "speed": {"m/s": (1, 0), "mm/s": (1e-3, 0), "km/h": (1 / 3.6, 0)},
    "length": {"m": (1, 0), "cm": (1e-2, 0), "mm": (1e-3, 0), "um": (1e-6, 0)},
    "angle": {"°": (1, 0), "rad": (1 / DEGREE, 0)},
    "time": {"s": (1, 0), "ms": (1e-3, 0), "us": (1e-6, 0), "ns": (1e-9, 0)},
    "frequency": {"Hz": (1, 0), "kHz": (1e3, 0)},
    "full scale": {"FS": (1, 0)},
}
# other spellings, without spaces and in lower case; where two units share one, the one of the wanted dimension is meant
SPELLINGS = {
    "g": ["gravity", "gn", "g0", "gs"],
    "m/s2": ["m/s^2", "m/s**2", "m/s²", "m/s/s", "ms-2", "ms^-2", "ms2", "mps2", "m.s-2", "meter/s2", "meters/s2"],
    "mm/s2": ["mm/s^2", "mm/s²"],
    "cm/s2": ["cm/s^2", "cm/s²", "gal"],
    "dps": ["°/s", "deg/s", "degrees/s", "degps", "deg/sec", "degree/s", "°/sec"],
    "mdps": ["m°/s", "mdeg/s"],
    "rad/s": ["rads", "radps", "rad/sec", "rad.s-1", "rad/s.", "rads-1"],
    "rpm": ["r/min", "rev/min", "1/min"],
    "°C": ["c", "℃", "degc", "celsius", "cel", "deg_c", "°celsius"],
    "K": ["kelvin", "degk"],
    "°F": ["f", "℉", "degf", "fahrenheit", "deg_f"],
    "%": ["percent", "pct", "%rh", "rh%", "%relativehumidity"],
    "lux": ["lx"],
    "klux": ["klx"],
    "hPa": ["mbar", "mb", "millibar"],
    "uT": ["µt", "μt", "microtesla"],
    "gauss": ["g", "gs"],
    "mgauss": ["mg"],
    "uV": ["µv", "μv"],
    "uA": ["µa", "μa"],
    "um": ["µm", "μm", "micron"],
    "m/s": ["mps"],
    "mm/s": ["mmps"],
    "km/h": ["kph", "kmh"],
    "°": ["deg", "degree", "degrees"],
    "s": ["sec", "second", "seconds"],
    "ms": ["msec", "millisecond", "milliseconds", "millis"],
    "us": ["µs", "μs", "usec", "microsecond", "microseconds", "micros"],
    "ns": ["nsec", "nanosecond", "nanoseconds"],
    "FS": ["fullscale", "full-scale"],
}
COUNTS = {"counts", "count", "lsb", "raw", "adc", "ticks", "wav"}
"""Units of the sensor's own integers; "wav" is Edge Impulse's word for 16-bit audio."""
UNSAID = {"", "n/a", "na", "none", "-", "?", "unit", "units", "a.u.", "1", "unknown"}


class Unit(NamedTuple):
    name: str
    dimension: str
    factor: float
    offset: float


class Conversion(NamedTuple):
    """value in the wanted unit = value * factor + offset."""

    factor: float
    offset: float


def is_counts(text: str) -> bool:
    return _plain(text) in COUNTS


def is_said(text: str) -> bool:
    return _plain(text) not in UNSAID


def read_unit(text: str, dimension: str | None = None) -> Unit | None:
    """The unit that is written so, of that dimension if there is one of it; None for an unknown one."""
    found = _BY_SPELLING.get(_plain(text), [])
    return next((unit for unit in found if unit.dimension == dimension), found[0] if found else None)


def dimension(text: str) -> str | None:
    unit = read_unit(text)
    return unit.dimension if unit else None


def conversion(stated: str, wanted: str) -> Conversion | None:
    """From one unit to another; None where one cannot become the other.  The same text is the same unit, known or not."""
    if _plain(stated) == _plain(wanted):
        return Conversion(1, 0)
    there = read_unit(wanted)
    here = read_unit(stated, there.dimension if there else None)
    if not (here and there) or here.dimension != there.dimension:
        return None
    return Conversion(here.factor / there.factor, (here.offset - there.offset) / there.factor)


def split_unit(header: str) -> tuple[str, str]:
    """Name and unit of a column's header such as `accX [m/s2]` or `Temp (°C)`; the unit is "" where there is none in brackets."""
    found = re.fullmatch(r"(.*?)\s*[\[(<{]([^\[\](){}<>]*)[\])>}]\s*", header.strip())
    if not found or not found[1]:
        return header.strip(), ""
    return found[1].strip(), found[2].strip()


def split_suffix(name: str, wanted: str) -> tuple[str, str]:
    """The same for `x_g`: only where the last word is a unit of the wanted one's dimension, since it may be a name as well."""
    head, _, tail = name.rpartition("_")
    unit = read_unit(tail, dimension(wanted)) if head and tail else None
    return (head, tail) if unit and unit.dimension == dimension(wanted) else (name, "")


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text).lower().replace("·", ".")


def _by_spelling() -> dict[str, list[Unit]]:
    made: dict[str, list[Unit]] = {}
    for dimension, units in UNITS.items():
        for name, (factor, offset) in units.items():
            for spelling in dict.fromkeys([_plain(name), *SPELLINGS.get(name, [])]):
                made.setdefault(spelling, []).append(Unit(name, dimension, factor, offset))
    return made


_BY_SPELLING = _by_spelling()
