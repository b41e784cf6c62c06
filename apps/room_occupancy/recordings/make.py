"""Make the recordings of this folder: a simulated office, with a truth file each.

    python apps/room_occupancy/recordings/make.py         the same bytes each time

    office_day.csv      two people come, go out for lunch, come back and leave; one looks in for two minutes in the evening
    sunny_sunday.csv    nobody comes, but the sun does

Nothing in them was recorded.  People breathe out CO2, moisture and heat into one well-mixed room, which an air change an hour takes out
again; lamps burn while somebody is there, and the sun comes through the window.  Sensors have noise, and steps of their own.

Truth begins with "empty", which the app finds out in its first minutes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).parent
OUTSIDE_PPM, OUTSIDE_G_M3 = 420, 4.5        # CO2, and water in the air
ROOM_M3, CHANGES_AN_HOUR = 80, 0.8
CO2_L_H, WATER_G_H, WARMER_C_H = 18, 50, 0.25       # of one person who sits
LAMPS_LX = 440
LATE_S = 900        # what is told so long after a change is about it


class Day(NamedTuple):
    """minutes: how long.  people: (from, to, how many), minutes.  sun_lx: at noon.  told: from where each state lasts."""

    minutes: int
    people: tuple[tuple[int, int, int], ...]
    sun_lx: float
    told: tuple[tuple[int, str], ...]


RECORDINGS = {
    "office_day": Day(780, ((80, 320, 2), (380, 640, 2), (720, 722, 1)), 60,
                      ((0, "empty"), (80, "occupied"), (320, "empty"), (380, "occupied"), (640, "empty"))),
    "sunny_sunday": Day(480, (), 300, ((0, "empty"),)),
}


def main() -> None:
    for seed, (name, day) in enumerate(RECORDINGS.items()):
        rows = office(day, np.random.default_rng(seed))
        lines = ["time,temperature,humidity,light,co2"]
        lines += [f"{60 * i},{t:.2f},{h:.2f},{light:.0f},{co2:.0f}" for i, (t, h, light, co2) in enumerate(rows)]
        (HERE / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (HERE / f"{name}.truth.json").write_text(json.dumps([truth(name, day)]) + "\n", encoding="utf-8")


def truth(name: str, day: Day) -> dict[str, object]:
    """As io/truth.py reads it: a window behind each change."""
    windows = [[60 * begin, 60 * begin + LATE_S] for begin, _ in day.told]
    return dict(wav_file=f"{name}.csv", length_sec=60 * day.minutes, detection_windows=windows, labels=[label for _, label in day.told])


def office(day: Day, rng: np.random.Generator) -> np.ndarray:
    """Temperature in °C, relative humidity in %, light in lx and CO2 in ppm: [minutes, 4]."""
    minute = np.arange(day.minutes)
    people = sum(np.where((minute >= begin) & (minute < end), count, 0) for begin, end, count in day.people) + 0 * minute
    co2, water, warm = OUTSIDE_PPM + 20.0, OUTSIDE_G_M3 + 0.3, 21.0
    air = []
    for n in people:
        out = CHANGES_AN_HOUR / 60
        co2 += n * CO2_L_H * 1000 / ROOM_M3 / 60 - out * (co2 - OUTSIDE_PPM)
        water += n * WATER_G_H / ROOM_M3 / 60 - out * (water - OUTSIDE_G_M3)
        warm += n * WARMER_C_H / 60 - out * 0.5 * (warm - 20.8)
        air.append((warm, 100 * water / saturated(warm), co2))
    temperature, humidity, ppm = np.array(air).T
    sun = day.sun_lx * np.sin(np.pi * minute / day.minutes) ** 2 * rng.uniform(0.95, 1, day.minutes)
    light = sun + LAMPS_LX * (people > 0) + rng.normal(0, 4, day.minutes) * (people > 0)
    noise = rng.normal(0, 1, (day.minutes, 3))
    return np.stack([temperature + 0.02 * noise[:, 0], humidity + 0.05 * noise[:, 1], light, ppm + 2 * noise[:, 2]], axis=1)


def saturated(celsius: float) -> float:
    """Water in saturated air, g/m³: Magnus' formula."""
    return 216.7 * 6.112 * float(np.exp(17.62 * celsius / (243.12 + celsius))) / (273.15 + celsius)


if __name__ == "__main__":
    main()
