"""Which of a recording's channels become the app's: by --channel, by their names, or in their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tinystream.errors import RecordingError
from tinystream.io.units import split_suffix, split_unit
from tinystream.io.wanted import How, Wanted

SENSORS = {
    "": ["accelerometer", "acceleration", "accel", "acc", "ac", "a", "linacc", "lin_acc", "imu_acc", "vibration", "vib"],
    "g": ["gyroscope", "gyro", "gyr", "gy", "omega", "angular_velocity", "rot", "w", "imu_gyro"],
    "m": ["magnetometer", "magnetic", "mag", "mg", "compass"],
}
"""What stands before or behind x, y or z in the names of columns: axes are x, gx and mx to us."""


class Picked(NamedTuple):
    """columns: of the file, in the app's order.  units: that their headers state, "" for none.  notes: for people."""

    columns: tuple[int, ...]
    units: tuple[str, ...]
    notes: tuple[str, ...] = ()


def chosen(path: Path, headers: Sequence[str], wanted: Wanted, how: How, units: Sequence[str] = ()) -> Picked:
    """The file's channels for the app's; RecordingError where that would need a guess.

    headers: the names, maybe with a unit in brackets; numbers from 0 where the file has none.
    units:   where the file states them elsewhere.
    """
    split = [split_unit(header) for header in headers]
    names = [name for name, _ in split]
    said = list(units) or [unit for _, unit in split]
    columns, notes = _columns(path, headers, names, wanted, how)
    told = []
    for column, unit in zip(columns, wanted.units):
        told.append(said[column] or split_suffix(names[column], unit)[1])
    return Picked(tuple(columns), tuple(told), notes)


def _columns(path: Path, headers: Sequence[str], names: list[str], wanted: Wanted, how: How) -> tuple[list[int], tuple[str, ...]]:
    named = any(name != str(i) for i, name in enumerate(names))
    if how.channel is not None:
        return _picked(path, headers, names, wanted.channels, how.channel), ()
    found = [_find(names, name, unit) for name, unit in zip(wanted.names, wanted.units)] if named else []
    if found and all(len(places) == 1 for places in found):
        columns = [places[0] for places in found]
        return columns, _by_name(wanted, names, columns)
    if any(found):
        raise _not_found(path, headers, names, wanted, found)
    if len(names) != wanted.channels:
        raise _other_number(path, names, wanted, named)
    in_order = named and wanted.names and list(wanted.names) != names
    note = f"its columns {', '.join(names)} are taken as {', '.join(wanted.names)}, in this order"
    return list(range(wanted.channels)), (note,) if in_order else ()


def _find(names: list[str], wanted: str, unit: str) -> list[int]:
    """Columns of that name, spelled the same; or of those that are spelled another way, all."""
    for spelled in (lambda name: name, lambda name: name.lower(), lambda name: axis(split_suffix(name, unit)[0])):
        places = [i for i, name in enumerate(names) if spelled(name) == spelled(wanted)]
        if places:
            return places
    return []


def axis(name: str) -> str:
    """x, gx, mx … for every usual spelling of an axis' name; another name in lower case, without separators.

    >>> [axis(name) for name in ("accX", "acc_x", "x", "Acceleration Z", "gyrY", "wx", "CO2")]
    ['x', 'x', 'x', 'z', 'gy', 'gx', 'co2']
    """
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()).strip("_")
    found = re.fullmatch(r"(?:(.*?)_?)([xyz])(?:_?axis)?|([xyz])_(.+)", plain)
    if found:
        sensor = (found[1] or found[4] or "").strip("_")
        for prefix, words in SENSORS.items():
            if sensor in (prefix, *words):
                return prefix + (found[2] or found[3])
    return plain.replace("_", "")


def _by_name(wanted: Wanted, names: list[str], columns: list[int]) -> tuple[str, ...]:
    """A note where names decided: the order is another one, or columns are left out."""
    if columns == list(range(len(names))):
        return ()
    taken = ", ".join(name if name == names[i] else f"{name} from {names[i]}" for name, i in zip(wanted.names, columns))
    return (f"taken by name: {taken} (it has {', '.join(names)})",)


def _not_found(path: Path, headers: Sequence[str], names: list[str], wanted: Wanted, found: list[list[int]]) -> RecordingError:
    twice = next(((name, places) for name, places in zip(wanted.names, found) if len(places) > 1), None)
    number = ",".join(str(places[0]) if places else "N" for places in found)
    if twice:
        name, places = twice
        what = f"{path} has several columns for '{name}': {', '.join(headers[i] for i in places)}"
        return RecordingError(what, f"--channel {number}  (numbers of columns, in the app's order)")
    missing = [name for name, places in zip(wanted.names, found) if not places]
    what = f"{path} has no column for {_quoted(missing)}: it has {', '.join(names)}"
    return RecordingError(what, f"--channel {number}, with the column that is meant for N")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _other_number(path: Path, names: list[str], wanted: Wanted, named: bool) -> RecordingError:
    there = f"of {', '.join(names)}" if named else f"of 0 to {len(names) - 1}"
    more = f"--channel {','.join(names[: wanted.channels])}  ({there})"
    return RecordingError(
        f"{path} has {_count(len(names), named)}, the app reads {wanted.channels}",
        more if len(names) > wanted.channels else "use a recording of every axis that the app reads",
    )


def _picked(path: Path, headers: Sequence[str], names: list[str], channels: int, channel: str) -> list[int]:
    pick = [word.strip() for word in channel.split(",")]
    if len(pick) != channels:
        raise RecordingError(f"--channel picks {len(pick)} of {path}, the app reads {channels}", f"--channel {','.join(names[:channels])}")
    return [_index(path, headers, names, word) for word in pick]


def _index(path: Path, headers: Sequence[str], names: list[str], wanted: str) -> int:
    for spelled in (list(headers), names):
        if spelled.count(wanted) > 1:
            at = spelled.index(wanted)
            raise RecordingError(f"{path} has several channels '{wanted}'", f"--channel {at}  (their numbers are unique)")
        if wanted in spelled:
            return spelled.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise RecordingError(f"{path} has no channel '{wanted}'", f"--channel {names[0]}  (there are {', '.join(names)})")


def _count(n: int, columns: bool) -> str:
    return f"{n} {'column' if columns else 'channel'}{'' if n == 1 else 's'}"
