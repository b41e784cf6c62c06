"""The power of a harvester over time: constant, day and night, or from a file.

constant:120uW  constant:200lux         always the same
day_night:200lux:10h                    ten hours of it, then dark until the day is over; time 0 is when it begins
trace.csv                               `time_s,power_uw` or `time_s,lux` (what the harvester's file is over): straight lines between,
                                        and after its end from the begin again
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinystream.power.files import PowerError
from tinystream.power.parts import Harvester, find_part

DAY_S = 86_400.0
WATTS = {"w": 1.0, "mw": 1e-3, "uw": 1e-6, "nw": 1e-9}
EXAMPLES = "constant:120uW, constant:200lux, day_night:200lux:10h, or a CSV file with time_s,power_uw"


@dataclass(frozen=True, eq=False)
class Sun:
    """Watts into the storage, straight lines between the points, over and over each period; start_w: a dead storage needs so much.

    size: of the harvester, in its unit.
    """

    name: str
    at_s: np.ndarray
    watts: np.ndarray
    period_s: float
    start_w: float = 0.0
    unit: str = "of it"
    size: float = 1.0

    def __call__(self, times_s: np.ndarray) -> np.ndarray:
        if len(self.at_s) == 1:
            return np.full(len(times_s), self.watts[0])
        return np.interp(np.mod(times_s, self.period_s), self.at_s, self.watts)

    @property
    def mean_w(self) -> float:
        """Over its period."""
        if len(self.at_s) == 1:
            return float(self.watts[0])
        return float(np.sum(np.diff(self.at_s) * (self.watts[1:] + self.watts[:-1]) / 2) / self.period_s)

    def scaled(self, factor: float) -> Sun:
        return replace(self, watts=self.watts * factor, size=self.size * factor)


def find_sun(harvester: str | None, course: str | None) -> Sun:
    """harvester: "indoor_pv:28", a part and how many units of it.  course: as above."""
    part, size = find_harvester(harvester) if harvester else (None, 1.0)
    if course is None:
        raise PowerError("nothing says what there is to harvest", f"--harvest-trace {EXAMPLES}")
    name = f"{size:g} {part.unit} of {part.name}, {course}" if part else course
    if course.startswith("constant:"):
        times, values, unit, period_s = [0.0], *constant(course), DAY_S
    elif course.startswith("day_night:"):
        times, values, unit, period_s = day_night(course)
    else:
        times, values, unit, period_s = from_file(Path(course))
    watts = np.array([to_watts(value, unit, part, size, course) for value in values])
    start_w = part.start_uw.value * 1e-6 if part else 0.0
    sun = Sun(name, np.array(times), watts, period_s, start_w, part.unit if part else "of it", size)
    if not sun.watts.max() > 0:
        raise PowerError(f"{course}: there is nothing to harvest at any time", EXAMPLES)
    return sun


def find_harvester(text: str) -> tuple[Harvester, float]:
    name, _, size = text.partition(":")
    part = find_part(Harvester, name)
    match = re.fullmatch(rf"(\d+\.?\d*)\s*(?:{part.unit})?", size or "1")
    if not match or not float(match[1]):
        raise PowerError(f"'{size}' is no size of {name}", f"--harvester {name}:10, in {part.unit}")
    return part, float(match[1])


def quantity(text: str, course: str) -> tuple[float, str]:
    match = re.fullmatch(r"(\d+\.?\d*(?:e-?\d+)?)\s*([A-Za-zµ/][\w/]*)", text.strip())
    if not match:
        raise PowerError(f"{course}: '{text}' is no power and no light", EXAMPLES)
    return float(match[1]), match[2].replace("µ", "u")


def constant(course: str) -> tuple[list[float], str]:
    value, unit = quantity(course.partition(":")[2], course)
    return [value], unit


def day_night(course: str) -> tuple[list[float], list[float], str, float]:
    parts = course.split(":")
    match = re.fullmatch(r"(\d+\.?\d*)h", parts[2].strip()) if len(parts) == 3 else None
    if not match or not 0 < float(match[1]) < 24:
        raise PowerError(
            f"{course}: a day has so much light, and so many hours of it, more than 0 and less than 24", "day_night:200lux:10h"
        )
    value, unit = quantity(parts[1], course)
    end = float(match[1]) * 3600
    return [0.0, end, np.nextafter(end, DAY_S), DAY_S], [value, value, 0.0, 0.0], unit, DAY_S


def from_file(path: Path) -> tuple[list[float], list[float], str, float]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PowerError(f"{path}: {(getattr(error, 'strerror', None) or 'is no text').lower()}", EXAMPLES) from None
    header = [cell.strip() for cell in lines[0].split(",")] if lines else []
    if len(header) != 2 or header[0] != "time_s":
        raise PowerError(f"{path}:1: '{','.join(header)}' does not name what the columns are", "time_s,power_uw or time_s,lux")
    times: list[float] = []
    values: list[float] = []
    for number, line in enumerate(lines[1:], 2):
        try:
            time, value = map(float, line.split(","))
        except ValueError:
            raise PowerError(f"{path}:{number}: '{line}' is not a time and a value", "two numbers with a comma") from None
        if not (np.isfinite(time) and np.isfinite(value)) or value < 0:
            raise PowerError(f"{path}:{number}: {value:g} cannot be harvested", "0 or more")
        if time <= times[-1] if times else time != 0:
            raise PowerError(f"{path}:{number}: time does not go on from 0: {time:g} s", "times that rise, from 0 on")
        times.append(time)
        values.append(value)
    if len(times) < 2:
        raise PowerError(f"{path}: two points are the least", "time_s,power_uw\\n0,0\\n3600,120")
    unit = header[1].removeprefix("power_") if header[1].startswith("power_") else header[1]
    return times, values, unit, times[-1]


def to_watts(value: float, unit: str, part: Harvester | None, size: float, course: str) -> float:
    """Into the storage.  Power is told as it comes out of the harvester; its converter takes its part."""
    if unit.lower() in WATTS:
        return value * WATTS[unit.lower()] * (part.efficiency.value if part else 1.0)
    if part is None:
        raise PowerError(f"{course}: {unit} make no power without a harvester", "--harvester indoor_pv:10, or a power: constant:120uW")
    if unit.lower().replace("_", "/") != part.over.lower():
        raise PowerError(f"{course}: {part.name} is told over {part.over}, not over {unit}", f"{value:g}{part.over}")
    if not part.power_uw.holds(value):
        limits = f"{part.power_uw.first:g} to {part.power_uw.last:g} {part.over}"
        raise PowerError(f"{course}: {part.name} is told for {limits}, not for {value:g}", "--harvester another")
    return part.power_uw.at(value).nominal * 1e-6 * size * part.efficiency.value
