"""Truth: what is to be detected in a recording, in the format of MLPerf Tiny's streaming wake word or as a list of labels.

The first is a JSON list of `{"wav_file", "sample_rate", "length_sec", "detection_windows": [[start_s, end_s], ...]}`.
Ours may add `"labels"`, one for each window; other readers pass over it.  The others are in labels.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tinystream.errors import RecordingError
from tinystream.io.acquisition import rate_of
from tinystream.io.labels import edge_impulse_spans, is_track, read_label_table, read_track

Window = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]  # start and end, seconds


class Truth(BaseModel):
    """What is to be detected in one recording; labels is empty, and rate and length are None, where the file does not say."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, allow_inf_nan=False)

    recording: str = Field(alias="wav_file")
    rate_hz: float | None = Field(default=None, alias="sample_rate", gt=0)
    length_s: float | None = Field(default=None, alias="length_sec", gt=0)
    windows: tuple[Window, ...] = Field(alias="detection_windows")
    labels: tuple[str, ...] = ()


LISTS = {".csv": read_label_table, ".txt": read_track}
_TRUTHS = TypeAdapter(tuple[Truth, ...])


def truth_path(recording: Path) -> Path | None:
    """The first that lies beside `yes.wav`: `yes.truth.json`, `yes.truth.csv`, `yes_truth.csv`, `yes.labels.csv`, the track `yes.txt`."""
    stem = recording.with_suffix("")
    for ending in (".truth.json", ".truth.csv", "_truth.csv", ".labels.csv"):
        if (path := stem.with_name(stem.name + ending)).is_file():
            return path
    path = recording.with_suffix(".txt")
    return path if path != recording and path.is_file() and is_track(path) else None


def find_truth(recording: Path, file: Path | None = None) -> Truth | None:
    """Of the recording of that name, from the file or from the one beside it; None where there is none beside it.

    RecordingError where the file does not speak of the recording.
    """
    path = file or truth_path(recording)
    if path is None:
        return _edge_impulse(recording)
    if path.suffix.lower() in LISTS:
        windows, labels = LISTS[path.suffix.lower()](path)
        return Truth(wav_file=recording.name, detection_windows=windows, labels=labels)
    told = read_truth(path)
    found = [truth for truth in told if Path(truth.recording).name == recording.name]
    if len(found) != 1:
        names = ", ".join(truth.recording for truth in told) or "nothing"
        times = f"{len(found)} times" if found else "not at all"
        raise RecordingError(f"{path} speaks of {recording.name} {times}: it has {names}", f'"wav_file": "{recording.name}", once')
    return found[0]


def _edge_impulse(recording: Path) -> Truth | None:
    """Of a recording with several labels, which are by sample."""
    spans = edge_impulse_spans(recording)
    if not spans:
        return None
    if recording.suffix.lower() not in (".json", ".cbor"):
        raise RecordingError(f"{recording} has labels by sample, and no interval_ms", f"{recording.stem}.truth.csv: start_s,end_s,label")
    rate_hz = float(rate_of(recording))
    windows = tuple((start / rate_hz, (end + 1) / rate_hz) for start, end, _ in spans)
    return Truth(wav_file=recording.name, sample_rate=rate_hz, detection_windows=windows, labels=tuple(label for *_, label in spans))


def read_truth(path: str | Path) -> tuple[Truth, ...]:
    """All recordings that the file speaks of; RecordingError where a window or a label cannot be."""
    path = Path(path)
    try:
        truths = _TRUTHS.validate_json(path.read_bytes())
    except OSError as e:
        raise RecordingError(f"{path} cannot be read: {(e.strerror or str(e)).lower()}", "check its name and permissions") from None
    except ValidationError as e:
        first = e.errors()[0]
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"])
        raise RecordingError(f"{path}: {where + ': ' if where else ''}{first['msg'][:1].lower()}{first['msg'][1:]}", _EXAMPLE) from None
    for truth in truths:
        _check(path, truth)
    return truths


_EXAMPLE = '[{"wav_file": "yes.wav", "sample_rate": 16000, "length_sec": 10, "detection_windows": [[1.0, 1.6]]}]'


def _check(path: Path, truth: Truth) -> None:
    for i, (start, end) in enumerate(truth.windows):
        if not start < end or (truth.length_s is not None and end > truth.length_s):
            inside = f"0 to {truth.length_s:g} s" if truth.length_s is not None else "the recording"
            raise RecordingError(f"{path}: window {i} of {truth.recording}, [{start:g}, {end:g}], is not inside {inside}", _EXAMPLE)
    if truth.labels and len(truth.labels) != len(truth.windows):
        raise RecordingError(
            f"{path}: {len(truth.labels)} labels for {len(truth.windows)} windows of {truth.recording}", "one label a window"
        )
