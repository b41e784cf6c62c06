"""A simulated current in the files of two meters, so that what reads a measurement reads an estimate.

ppk2:      the CSV that nRF Connect's Power Profiler exports: `Timestamp(ms),Current(uA),D0,…,D7`.
joulescope: the CSV of Joulescope's statistics logger: `time,current,voltage,power,charge,energy`, in seconds, amperes, volts, watts,
           coulombs and joules; charge and energy since the begin.

A sample is the mean current since the sample before, so that charge is kept; a digital line is what it was in the middle.
Joulescope's logger tells the time at the end of a sample and has no digital lines.

Sources: pc-nrfconnect-ppk, src/actions/exportChartAction.ts; pyjoulescope_examples, bin/downsample_logging.py, header "simple".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinystream.errors import writing
from tinystream.power.files import PowerError
from tinystream.power.timeline import RADIO, Timeline

LINES = ("the core computes", "the radio is on", "samples are collected")
"""What D0, D1 and D2 mark: what a firmware can drive a pin with, to lay a measurement over the estimate."""

MOST_SAMPLES = 20_000_000


def check_meter(meter: str, rate_hz: float) -> None:
    """PowerError for a meter that is not known, or a rate that cannot be."""
    if meter not in METERS:
        raise PowerError(f"there is no format '{meter}' for a current", ", ".join(METERS))
    if not 0 < rate_hz <= 1e6:
        raise PowerError(f"a current cannot be sampled at {rate_hz:g} Hz", "--rate 10000: up to 1000000")


def write_current(line: Timeline, path: Path, meter: str, rate_hz: float) -> None:
    """So many samples a second; the last one that is not full is left out."""
    check_meter(meter, rate_hz)
    samples = int(line.seconds * rate_hz)
    if not 1 <= samples <= MOST_SAMPLES:
        what = f"{line.seconds:g} s at {rate_hz:g} Hz are {samples} samples, from 1 to {MOST_SAMPLES} can be written"
        raise PowerError(what, "--rate with another number, or fewer recordings")
    edges_s = np.arange(samples + 1) / rate_hz
    with writing(path, "another file"):
        METERS[meter](line, edges_s, path)


def write_ppk2(line: Timeline, edges_s: np.ndarray, path: Path) -> None:
    at = line.at((edges_s[1:] + edges_s[:-1]) / 2)
    state = line.state[at]
    lines = (np.array(line.computing)[state], state == line.states.index(RADIO), line.listening[at])
    columns = np.column_stack([edges_s[:-1] * 1000, line.means(edges_s), *lines])
    header = "Timestamp(ms),Current(uA)," + ",".join(f"D{i}" for i in range(8))
    np.savetxt(path, columns, "%.10g,%.3f," + "%d," * len(lines) + ",".join("0" * (8 - len(lines))), header=header, comments="")


def write_joulescope(line: Timeline, edges_s: np.ndarray, path: Path) -> None:
    current = line.means(edges_s) / 1e6
    charge = np.interp(edges_s[1:], line.edges_s, line.charge_uc) / 1e6
    volts = np.full(len(current), line.volts)
    columns = np.column_stack([edges_s[1:], current, volts, current * volts, charge, charge * volts])
    np.savetxt(path, columns, "%.7f,%g,%.4f,%g,%g,%g", header="time,current,voltage,power,charge,energy", comments="")


METERS: dict[str, Callable[[Timeline, np.ndarray, Path], None]] = {"ppk2": write_ppk2, "joulescope": write_joulescope}
