"""How a node is: what it costs the computer, how warm that is, and all of it for Prometheus."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ZONES = Path("/sys/class/thermal")
COUNTERS = ("alerts", "overruns", "gaps", "dropped", "delivered", "refused", "clock_jumps")
"""Members of a status that only grow; the others go up and down."""


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
