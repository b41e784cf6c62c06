"""A current over time that a meter wrote, with its marker line: read strictly, as a wrong unit is a wrong battery life.

ppk2:       the CSV of nRF Connect's Power Profiler: `Timestamp(ms),Current(uA)[,D0-D7][,D0,…,D7]`, `-` where digital lines were off.
            Source: NordicSemiconductor/pc-nrfconnect-ppk, src/actions/exportChartAction.ts.
joulescope: CSV that begins with `#time,current,voltage`, in SI units, which that header stands for; gpi0 … gpi3 are its inputs.
            Source: jetperch/pyjoulescope_ui, its statistics recorder; pyjoulescope_examples, bin/downsample_logging.py.
lpm01a:     a log of the X-NUCLEO-LPM01A in `ascii_dec`: `6409-07` is 6409e-7 A, between them `TimeStamp: 1s 500ms, buff 3%` and
            `event N ris`, and what was set before: `output current`, `freq 5k`, `volt 3000m`.
            Source: mlcommons/tiny, benchmark/runner/power_manager/power_manager_lpm.py, with the text of the meter's `help`.
Any other CSV does, too, whose header names time, current and marker with their units: `time(s),current(mA),marker`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from tinystream.power.files import PowerError

AT_ONCE = 500_000
"""Lines that are parsed at once; a sample takes 17 bytes of memory in all."""

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
MICROAMPERES = {"a": 1e6, "ma": 1e3, "ua": 1.0, "na": 1e-3}
VOLTS = {"v": 1.0, "mv": 1e-3}
SI = ("time", "current", "voltage")
"""What Joulescope's header begins with."""

HEADERS = "Timestamp(ms),Current(uA),D0 of a PPK2; time(s),current(mA),marker of any other"
LINES = "docs/power.md tells how the firmware drives one, and how a meter records it"


@dataclass(frozen=True, eq=False)
class Measured:
    """What a meter saw.  high: the marker, which the firmware drives while it processes a block.  volts: where the meter tells them."""

    path: Path
    digest: str
    meter: str
    time_s: np.ndarray
    current_ua: np.ndarray
    high: np.ndarray
    volts: float | None

    @property
    def sample_s(self) -> float:
        return float((self.time_s[-1] - self.time_s[0]) / (len(self.time_s) - 1))


def read_trace(path: Path, marker: str | None = None) -> Measured:
    """marker: the line's name, such as D3; the first where none is named.  PowerError, with the line, for what cannot be a current."""
    try:
        with path.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        with path.open(encoding="utf-8-sig", newline=None) as file:
            if is_log(list(islice(file, 400))):
                file.seek(0)
                return read_log(path, digest, file)
            file.seek(0)
            return read_columns(path, digest, file, marker)
    except OSError as error:
        raise PowerError(f"{path}: {(error.strerror or str(error)).lower()}", "--calibrate trace.csv") from None
    except UnicodeDecodeError:
        what = f"{path} is no text: a meter's own format, such as .ppk2 or .jls, is not read"
        raise PowerError(what, "export it as CSV, with its digital lines") from None


def wrong(path: Path, line: int, what: str, help: str) -> PowerError:
    return PowerError(f"{path}:{line}: {what}", help)


# --- columns -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """One that is read.  factor: to seconds, microamperes or volts.  bit: of a PPK2's D0-D7, whose digits are the lines' levels."""

    what: str
    index: int
    factor: float = 1.0
    bit: int | None = None


def read_columns(path: Path, digest: str, file: TextIO, marker: str | None) -> Measured:
    header = file.readline().strip()
    delimiter = ";" if ";" in header else "\t" if "\t" in header else ","
    names = [name.strip().strip('"') for name in header.lstrip("#").split(delimiter)]
    meter, columns = find_columns(path, names, marker)
    parts = list(parsed(path, file, delimiter, columns))
    if not parts or sum(len(part) for part in parts) < 3:
        raise wrong(path, 2, "there are no samples", HEADERS)
    by_what = {column.what: np.concatenate([part[:, i] for part in parts]) for i, column in enumerate(columns)}
    time_s = by_what["time"]
    check_times(path, time_s, lambda i: i + 2)
    volts = float(by_what["voltage"].mean()) if "voltage" in by_what else None
    return Measured(path, digest, meter, time_s, by_what["current"], by_what["marker"] > 0, volts)


def find_columns(path: Path, names: Sequence[str], marker: str | None) -> tuple[str, list[Column]]:
    if not any(re.search("[A-Za-z]", name) for name in names):
        raise wrong(path, 1, "numbers stand where the names and units of the columns belong", HEADERS)
    lower = [name.lower().replace("µ", "u").replace("μ", "u") for name in names]
    joulescope = tuple(lower[:3]) == SI
    found = []
    for what, starts, units, common in (
        ("time", ("time", "rx timestamp", "board timestamp"), SECONDS, "s, ms or us"),
        ("current", ("current",), MICROAMPERES, "A, mA, uA or nA"),
        ("voltage", ("voltage",), VOLTS, "V or mV"),
    ):
        at = next((i for i, name in enumerate(lower) if name.startswith(starts)), None)
        if at is None:
            if what == "voltage":
                continue
            raise wrong(path, 1, f"no column of the header is a {what}: {', '.join(names)}", HEADERS)
        unit = re.search(r"[\[(]\s*(\w+)\s*[\])]", lower[at])
        if joulescope and not unit:
            found.append(Column(what, at, units[{"time": "s", "current": "a", "voltage": "v"}[what]]))
        elif not unit:
            raise wrong(path, 1, f"'{names[at]}' does not say its unit", f"{names[at]}({common.split(',')[0]}): {common}")
        elif unit[1] not in units:
            raise wrong(path, 1, f"'{names[at]}' is no {what}: its unit is none of {common}", HEADERS)
        else:
            found.append(Column(what, at, units[unit[1]]))
    meter = "joulescope" if joulescope else "ppk2" if lower[:2] == ["timestamp(ms)", "current(ua)"] else "csv"
    return meter, [*found, find_marker(path, names, marker)]


def find_marker(path: Path, names: Sequence[str], marker: str | None) -> Column:
    lines: dict[str, Column] = {}
    for i, name in enumerate(names):
        short = name.lower().replace("[", "").replace("]", "")
        if short == "d0-d7":
            lines |= {f"d{bit}": Column("marker", i, bit=bit) for bit in range(8)} | lines
        elif re.fullmatch(r"d\d|gpi\d|marker", short):
            lines[short] = Column("marker", i)
    if not lines:
        raise wrong(path, 1, f"no column of the header is a marker: {', '.join(names)}", LINES)
    wanted = (marker or next(iter(lines))).lower()
    if wanted not in lines:
        raise wrong(path, 1, f"no column of the header is the marker '{marker}'", f"--marker {' or '.join(lines)}")
    return lines[wanted]


def parsed(path: Path, file: TextIO, delimiter: str, columns: Sequence[Column]) -> Iterator[np.ndarray]:
    """Rows of the columns in seconds, microamperes and volts, many at a time."""
    first = 2
    while lines := list(islice(file, AT_ONCE)):
        texts = lines if lines[-1].strip() else lines[: len("".join(lines).rstrip().splitlines())]
        if not texts:
            return
        try:
            rows = np.loadtxt(texts, delimiter=delimiter, usecols=[c.index for c in columns], ndmin=2, comments=None)
        except ValueError:
            rows = np.empty((0, 0))
        if len(rows) != len(texts):
            raise first_mistake(path, texts, first, delimiter, columns)
        for i, column in enumerate(columns):
            check_values(path, rows[:, i], first, column)
            if column.bit is not None:
                rows[:, i] = rows[:, i] // 10 ** (7 - column.bit) % 10
            rows[:, i] *= column.factor
        yield rows
        first += len(lines)


def first_mistake(path: Path, lines: Sequence[str], first: int, delimiter: str, columns: Sequence[Column]) -> PowerError:
    """Which line it was that could not be read, and why."""
    for number, line in enumerate(lines, first):
        cells = [cell.strip() for cell in line.split(delimiter)]
        for column in columns:
            if column.index >= len(cells):
                return wrong(
                    path, number, f"the line has {len(cells)} columns, its {column.what} would be number {column.index + 1}", HEADERS
                )
            try:
                float(cells[column.index])
            except ValueError:
                cell = cells[column.index]
                if column.what == "marker" and "-" in cell:
                    return wrong(
                        path, number, "the digital lines were not recorded", "switch them on in the Power Profiler, and measure again"
                    )
                return wrong(path, number, f"'{cell}' is no {column.what}", "a number, with a point where it has a fraction")
    return wrong(path, first, "the lines cannot be read", HEADERS)


def check_values(path: Path, values: np.ndarray, first: int, column: Column) -> None:
    bad = ~np.isfinite(values)
    if column.what in ("current", "voltage"):
        bad |= values < 0
    elif column.what == "marker":
        bad |= (values < 0) | ((values > 1) & (column.bit is None))
    if not bad.any():
        return
    at = int(np.argmax(bad))
    helps = {"current": "a meter the right way round, and calibrated", "marker": "0 or 1", "time": "a number", "voltage": "volts above 0"}
    raise wrong(path, first + at, f"a {column.what} of {values[at]:g} cannot be", helps[column.what])


def check_times(path: Path, time_s: np.ndarray, line: Callable[[int], int]) -> None:
    back = np.diff(time_s) <= 0
    if back.any():
        at = int(np.argmax(back)) + 1
        what = f"time does not go on: {time_s[at]:g} s comes after {time_s[at - 1]:g} s"
        raise wrong(path, line(at), what, "one measurement in a file, in its order")


# --- the log of an LPM01A ----------------------------------------------------------------------------------------

SAMPLE = re.compile(r"(\d{4})([+-]\d{2})")
STAMP = re.compile(r"TimeStamp:\s*(\d+)s\s*(\d+)ms")
EVENT = re.compile(r"event \d+ (ris|fal)")
SETTING = re.compile(r"\b(output|freq|volt)\s+(?:get\s+)?(current|energy|[\d.]+(?:[+-]\d+)?[umk]?)", re.IGNORECASE)
FACTOR = {"u": 1e-6, "m": 1e-3, "k": 1e3}


def is_log(lines: Sequence[str]) -> bool:
    return any(SAMPLE.fullmatch(line.strip()) or STAMP.search(line) or "PowerShield" in line for line in lines)


def read_log(path: Path, digest: str, file: TextIO) -> Measured:
    """Samples between what else the meter tells; their times by the frequency that was set, or by its time stamps."""
    current: list[float] = []
    at_line: list[int] = []
    high: list[bool] = []
    level: bool | None = None
    edges: set[str] = set()
    stamps: list[tuple[int, float]] = []
    told: dict[str, str] = {}
    for number, raw in enumerate(file, 1):
        text = raw.strip()
        if sample := SAMPLE.fullmatch(text):
            current.append(int(sample[1]) * 10.0 ** int(sample[2]) * 1e6)
            at_line.append(number)
            high.append(bool(level))
        elif stamp := STAMP.search(text):
            stamps.append((len(current), int(stamp[1]) + int(stamp[2]) / 1000))
        elif event := EVENT.search(text):
            if level is None:  # it was the other one before
                high = [event[1] == "fal"] * len(high)
            level = event[1] == "ris"
            edges.add(event[1])
        elif setting := SETTING.search(text):
            told[setting[1].lower()] = setting[2].lower()
        elif "error" in text.lower() or re.match(r"-?[\d.]|nan", text, re.IGNORECASE):
            raise wrong(path, number, f"'{text}' is no sample of the meter", "6409-07, four digits and an exponent, in amperes")
    if told.get("output") != "current":
        says = "the log does not say what was measured" if "output" not in told else f"the meter told an {told['output']}, no current"
        raise wrong(path, 1, says, "send `output current` before `start`, and keep the answer in the log")
    if len(current) < 3:
        raise wrong(path, 1, "there are no samples", "format ascii_dec")
    if edges != {"ris", "fal"}:
        says = f"the log has only edges of the marker that {'rise' if 'ris' in edges else 'fall'}" if edges else "the log has no marker"
        raise wrong(path, 1, f"{says}, so that its level is not known", "events of both edges on D7, or CSV with a column 'marker'")
    index = np.arange(len(current))
    if "freq" in told:
        time_s = index / quantity(told["freq"])
    elif len(stamps) > 1 and stamps[-1][0] > stamps[0][0]:
        counts, seconds = np.array(stamps).T
        check_times(path, seconds, lambda i: at_line[min(stamps[i][0], len(at_line) - 1)])
        time_s = np.polyval(np.polyfit(counts, seconds, 1), index)
    else:
        raise wrong(path, 1, "neither the frequency nor two time stamps are told", "send `freq 5k` before `start`")
    volts = quantity(told["volt"]) if "volt" in told else None
    return Measured(path, digest, "lpm01a", time_s, np.array(current), np.array(high), volts)


def quantity(text: str) -> float:
    """As the meter writes numbers.

    >>> quantity("5k"), quantity("500m"), quantity("3300-03")
    (5000.0, 0.5, 3.3)
    """
    if match := re.fullmatch(r"([\d.]+)([+-]\d+)", text):
        return float(f"{match[1]}e{match[2]}")
    return float(text.rstrip("umk")) * FACTOR.get(text[-1], 1.0)
