"""How a node is: what it hears, what it costs the computer, and how warm that is."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FULL_SCALE = 32_768
SILENT_DBFS = -120.0
"""Told of digital silence, whose level has no logarithm."""
ZONES = Path("/sys/class/thermal")
COUNTERS = ("alerts", "overruns", "gaps", "dropped", "delivered", "refused", "clock_jumps")
"""Members of a status that only grow; the others go up and down."""


class Level:
    """How loud samples were since the last look: RMS in dB of full scale, and the share of them that lie at its ends.

    Full scale is a sine's peak, so a square wave at full scale has 0 dBFS.  Only int16 has a full scale here.
    """

    def __init__(self) -> None:
        self._squares, self._clipped, self._count = 0, 0, 0

    def hear(self, x: np.ndarray) -> None:
        if x.dtype == np.int16:
            wide = x.reshape(-1).astype(np.int64)
            self._squares += int(wide @ wide)
            self._clipped += int(np.count_nonzero((wide == FULL_SCALE - 1) | (wide == -FULL_SCALE)))
            self._count += wide.size

    def look(self) -> tuple[float | None, float | None]:
        """(dBFS, clipped share); (None, None) where nothing was heard."""
        squares, clipped, count = self._squares, self._clipped, self._count
        self._squares, self._clipped, self._count = 0, 0, 0
        if not count:
            return None, None
        mean = squares / count / FULL_SCALE**2
        return round(max(SILENT_DBFS, 10 * float(np.log10(mean))) if mean else SILENT_DBFS, 1), round(clipped / count, 6)


class Load:
    """CPU seconds of this process against the time that passed, since the last look; 100 % is one core."""

    def __init__(self) -> None:
        self._cpu, self._now = time.process_time(), time.monotonic()

    def look(self) -> float:
        before, (self._cpu, self._now) = (self._cpu, self._now), (time.process_time(), time.monotonic())
        return round(100 * (self._cpu - before[0]) / max(1e-3, self._now - before[1]), 1)


def rss_bytes(statm: Path = Path("/proc/self/statm")) -> int | None:
    """Memory that this process holds; None where the system does not tell."""
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def temperature_c(zones: Path = ZONES) -> float | None:
    """Of the warmest zone of this computer; None where it has none."""
    found = []
    for zone in zones.glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):  # a zone that is switched off
            continue
    return round(max(found), 1) if found else None


def metrics(status: Mapping[str, Any]) -> str:
    """A status as Prometheus reads it (text format 0.0.4): its numbers, and what is not one as a label of tinystream_info."""
    lines = []
    for name, value in status.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            counts = name in COUNTERS
            full = f"tinystream_{name}{'_total' if counts else ''}"
            lines += [f"# TYPE {full} {'counter' if counts else 'gauge'}", f"{full} {value}"]
    about = {name: status[name] for name in ("node", "app", "definition", "version", "instance", "settings") if name in status}
    up = {"source": status.get("source") == "running", "broker": status.get("connected") is True, "outbox": status.get("outbox") == "ok"}
    for name, well in up.items():
        lines += [f"# TYPE tinystream_{name}_ok gauge", f"tinystream_{name}_ok {int(well)}"]
    labels = ",".join(f'{name}="{quoted(str(value))}"' for name, value in about.items())
    return "\n".join([*lines, "# TYPE tinystream_info gauge", f"tinystream_info{{{labels}}} 1", ""])


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
