"""Labels as other programs keep them: Audacity's label tracks, tables, Edge Impulse's `info.labels`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from tinystream.errors import RecordingError
from tinystream.io.words import first_line

TRACK = "a line a label: start, end in seconds and its text, with tabs between them, as Audacity exports it"
TABLE = "a header start_s,end_s,label, and a line for each window"
STARTS, ENDS = ("start_s", "start", "begin_s", "begin"), ("end_s", "end", "stop_s", "stop")


class Labelled(NamedTuple):
    """windows: start and end, in seconds.  labels: of each."""

    windows: tuple[tuple[float, float], ...]
    labels: tuple[str, ...]


def read_track(path: Path) -> Labelled:
    """Audacity's label track: `start<TAB>end<TAB>label`; lines of a frequency range, which begin with a backslash, are passed over."""
    found = [_span(path, number, line.split("\t", 2), TRACK) for number, line in _lines(path) if not line.startswith("\\")]
    return _labelled(found)


def is_track(path: Path) -> bool:
    """Does this text look like a label track?"""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "").rstrip("\n").split("\t")
        return len(first) >= 2 and all(isfinite(float(cell)) for cell in first[:2]) and not (len(first) > 2 and _is_number(first[2]))
    except (OSError, ValueError):
        return False


def read_label_table(path: Path) -> Labelled:
    """CSV of `start_s,end_s,label`, in any order of its columns."""
    lines = list(_lines(path))
    header = [cell.strip().lower() for cell in next(csv.reader([lines[0][1]] if lines else []), [])]
    columns = [next((header.index(name) for name in names if name in header), None) for names in (STARTS, ENDS, ("label", "class", "text"))]
    if None in columns[:2]:
        raise RecordingError(f"{path} has no columns start_s and end_s, but {', '.join(header) or 'nothing'}", TABLE)
    found = []
    for number, line in lines[1:]:
        row = next(csv.reader([line]), [])
        cells = [row[i] if i is not None and i < len(row) else "" for i in columns]
        found.append(_span(path, number, cells, TABLE))
    return _labelled(found)


def edge_impulse_label(recording: Path) -> str:
    """Of the whole recording, as an export's `info.labels` in its folder or above names it; "" without one."""
    label = (_sample(recording) or {}).get("label")
    label = label.get("label", "") if isinstance(label, Mapping) and label.get("type") == "label" else label
    return label if isinstance(label, str) else ""


def edge_impulse_spans(recording: Path) -> list[tuple[int, int, str]]:
    """First and last sample, and label, of each part of a recording: by `info.labels`, or by `structured_labels.labels` beside it."""
    label = (_sample(recording) or {}).get("label")
    spans = label.get("labels") if isinstance(label, Mapping) and label.get("type") == "multi-label" else None
    beside = recording.with_name("structured_labels.labels")
    if spans is None and beside.is_file():
        told = _json(beside)
        files = told.get("structuredLabels") if isinstance(told, Mapping) else None
        spans = files.get(recording.name) if isinstance(files, Mapping) else None
    return [_samples(recording, span) for span in spans] if isinstance(spans, list) else []


def _samples(recording: Path, span: Any) -> tuple[int, int, str]:
    start, end, label = (span.get(key) for key in ("startIndex", "endIndex", "label")) if isinstance(span, Mapping) else (None,) * 3
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not 0 <= start <= end < 2**53:
        what = f"Edge Impulse's labels of {recording.name} have one that is no span of samples"
        raise RecordingError(what, '{"startIndex": 0, "endIndex": 300, "label": "idle"}')
    return start, end, label


def edge_impulse_info(recording: Path) -> Path | None:
    """The `info.labels` that speaks of this recording's folder."""
    return next((file for folder in list(recording.absolute().parents)[:3] if (file := folder / "info.labels").is_file()), None)


def _sample(recording: Path) -> Mapping[str, Any] | None:
    path = edge_impulse_info(recording)
    if path is None:
        return None
    data = _json(path)
    files = data.get("files") if isinstance(data, Mapping) else None
    for sample in files if isinstance(files, list) else []:
        if isinstance(sample, Mapping) and Path(str(sample.get("path", ""))).name == recording.name:
            return sample
    return None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise RecordingError(f"{path} cannot be read: {first_line(e)}", "export it again, or move it away") from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as e:
        raise RecordingError(f"{path} cannot be read: {(e.strerror or str(e)).lower()}", "check its name and permissions") from None
    except UnicodeDecodeError as e:
        raise RecordingError(f"{path} is not text: byte {e.start} is not UTF-8", "save it in UTF-8") from None
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _span(path: Path, number: int, cells: list[str], help: str) -> tuple[float, float, str]:
    if len(cells) < 2 or not all(_is_number(cell) for cell in cells[:2]):
        raise RecordingError(f"{path}, line {number}: no start and end in seconds", help)
    start, end = float(cells[0]), float(cells[1])
    if not 0 <= start <= end:
        raise RecordingError(f"{path}, line {number}: {start:g} to {end:g} s is no span of time", help)
    return start, end, cells[2].strip() if len(cells) > 2 else ""


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _labelled(found: list[tuple[float, float, str]]) -> Labelled:
    """A point in time is a window of a millisecond; labels are left out where there are none."""
    windows = tuple((start, end if end > start else start + 0.001) for start, end, _ in found)
    return Labelled(windows, tuple(label for *_, label in found) if any(label for *_, label in found) else ())
