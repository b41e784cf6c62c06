"""What is kept of the time around an alert, on this computer alone: a recording, its truth to be corrected, and what was known then.

    <folder>/<id>/<id>.wav          samples of a microphone; .csv of other sensors, .npy of a camera, .npz of features; of several sources
                                    <id>.<source>.wav and so on, and the truth is beside the first
    <folder>/<id>/<id>.truth.json   when the alert was, as io/truth.py reads it: a person corrects it
    <folder>/<id>/<id>.capture.json the alert, the definition, settings, units

A replay of it starts afresh, where the node had heard what was before.  So the alert comes again only where the pre-roll holds all that
the app remembers: filters, gates and quiet times, what was learnt.  `comes_again` tells.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections import deque
from dataclasses import dataclass
from math import ceil, lcm
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tinystream.app.definition import App
from tinystream.app.node import Capture
from tinystream.errors import TinystreamError, writing
from tinystream.node.clock import Moment
from tinystream.node.settings import Changes, effective, hash_of
from tinystream.plan.learnt import learns
from tinystream.plan.plan import Column, Plan
from tinystream.run.engine import Fired
from tinystream.run.replay import Reading, make_engine, replay
from tinystream.run.trace import Event

WINDOW_S = 1.0  # that truth begins with: so long before the alert
PART = ".part"
ID = re.compile(r"\d{8}T\d{6}\d{3}Z-[A-Za-z0-9_-]{1,80}")
LIMIT = 1_000_000  # bytes of a description; what is larger is not ours
log = logging.getLogger(__name__)


@dataclass
class Kept:
    """A capture that is not complete yet: blocks [first, last) and the alerts in it."""

    first: int
    last: int
    wall_s: float
    alerts: list[Event]


class PreRoll:
    """push() every block; alert() for an event of a block that was pushed; close() writes what is not complete.

    As much as two captures take is held in memory, and with a duty cycle a window beside.  Nothing here ends an app: what cannot be written
    is logged and counted in `failed`.

    settings: hash of those that hold; the service keeps it up to date.
    want:     the step whose outputs push() wants beside the blocks, where features are kept.
    """

    def __init__(self, app: App, plan: Plan, folder: Path):
        self.plan, self.folder, self.how = plan, folder, app.capture or Capture()
        check(self.how, plan)
        self.settings = hash_of(effective(app, plan, Changes()))
        self._each = [plan.of_source(i) for i in range(len(plan.x))]
        self._whole = lcm(*plan.repeats)  # blocks from one at which every source begins a block to the next
        self.written = self.failed = 0
        block_s = float(1 / plan.x[0].rate_hz)
        self._before, self._after = ceil(self.how.before_s / block_s), ceil(self.how.after_s / block_s)
        self._most = 2 * (self._before + self._after) + 1 + self._whole + (plan.duty.on if plan.duty else 0)
        features = plan.features if self.how.of == "features" and plan.features is not None and plan.features >= 0 else None
        self.want: set[int] = set() if features is None else {features}
        self._quota = round(1e6 * self.how.quota_mb)
        self._made = False
        self._pending: Kept | None = None
        self.restart()

    def restart(self) -> None:
        """Samples are missing here, or the source begins again: what was not complete is kept as it is, and blocks count from 0."""
        if self._pending:
            self._finish()
        self.blocks = 0
        self._held: deque[tuple[np.ndarray, ...]] = deque(maxlen=self._most)
        self._fired: deque[tuple[int, np.ndarray]] = deque()

    def push(self, x: np.ndarray | tuple[np.ndarray, ...], fired: dict[int, Fired] | None = None) -> None:
        """x: blocks [n, *shape], of several sources those of each, as an engine takes them.  fired: what the engine gave for them, of the
        steps in `want`."""
        begin = self.blocks
        given = [one for step in self.want if fired for one in zip(fired[step].when.tolist(), fired[step].y)]
        for n, blocks in enumerate(zip(*(x if isinstance(x, tuple) else (x,)), strict=True)):
            self._held.append(tuple(self._copied(i, block) for i, block in enumerate(blocks)))
            self.blocks = begin + n + 1
            while given and given[0][0] < self.blocks:
                at, y = given.pop(0)
                self._fired.append((at, y.copy()))
            while self._fired and self._fired[0][0] < self.blocks - self._most:
                self._fired.popleft()
            if self._pending and self.blocks >= self._pending.last:
                self._finish()

    def _copied(self, i: int, block: np.ndarray) -> np.ndarray:
        """A slow source's block is held once for all the heartbeats that it lasts."""
        return self._held[-1][i] if self.blocks % self.plan.repeats[i] else block.copy()

    def alert(self, event: Event) -> None:
        """One whose label is kept begins a capture, or joins the one that is not complete."""
        if self.how.labels is not None and event.label not in self.how.labels:
            return
        block = event.sample // self.plan.x[0].shape[0]
        last = block + self._after
        if self._pending and last - self._pending.first <= self._most:
            self._pending.alerts.append(event)
            self._pending.last = max(self._pending.last, last)
        else:
            if self._pending:
                self._finish()
            self._pending = Kept(self._begin(block), last, time.time(), [event])
        if self.blocks >= self._pending.last:
            self._finish()

    def close(self) -> None:
        if self._pending:
            self._finish()

    def _begin(self, block: int) -> int:
        """The first block; with a duty cycle that of a window, so that a replay begins as the node did."""
        oldest = self.blocks - len(self._held)
        first = max(0, oldest, block - self._before - 1)
        if self.plan.duty:
            every = self.plan.duty.every
            starts = list(range(-(-oldest // every) * every, block, every))
            first = max((start for start in starts if start <= first), default=starts[0] if starts else first)
        return self._aligned(first)

    def _aligned(self, first: int) -> int:
        """Where every source begins a block, as a replay does: there or before, or else behind it."""
        before = first // self._whole * self._whole
        return before if before >= self.blocks - len(self._held) else before + self._whole

    # --- writing

    def _finish(self) -> None:
        kept, self._pending = self._pending, None
        assert kept is not None, "somebody has asked for it"
        try:
            self._write(kept)
            self.written += 1
        except (OSError, TinystreamError) as error:
            self.failed += 1
            log.warning("a capture of '%s' was not written: %s", kept.alerts[0].label, error)

    def _write(self, kept: Kept) -> None:
        oldest = self.blocks - len(self._held)
        first, last = self._aligned(max(kept.first, oldest)), min(kept.last, self.blocks)
        with writing(self.folder, "another folder for captures"):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._made:
                clean(self.folder)
                self._made = True
        name = self._name(kept)
        part = self.folder / f"{name}{PART}"
        part.mkdir()
        try:
            files = self._write_recording(part / name, first, last)
            sample = first * self.plan.x[0].shape[0]
            write_json(part / truth_of(files[0]), [self._truth(files[0], kept, first, last)])
            write_json(part / f"{name}.capture.json", self._about(files, kept, sample, last))
            size = size_of(part)
            if size > self._quota:
                raise TinystreamError(f"it takes {size} B, the quota is {self._quota} B", "quota_mb, or less of before_s")
            make_room(self.folder, self._quota - size)
            part.replace(self.folder / name)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def _name(self, kept: Kept) -> str:
        """Such as 20260102T030405678Z-yes: nothing of a label can leave the folder or hide in it."""
        stamp = re.sub(r"[-:.]", "", Moment(kept.wall_s, 0).iso)
        label = re.sub(r"[^A-Za-z0-9-]", lambda found: "__" if found[0] == "_" else f"_{ord(found[0]):x}_", kept.alerts[0].label)[:60]
        name, n = f"{stamp}-{label}", 1
        while (self.folder / name).exists():
            n += 1
            name = f"{stamp}-{label}-{n}"
        return name

    def _write_recording(self, stem: Path, first: int, last: int) -> list[str]:
        if self.how.of == "features":
            return [self._write_features(stem, first, last)]
        stems = [stem.with_name(f"{stem.name}.{name}") for name in self.plan.names] or [stem]
        return [self._write_source(i, stem, first, last) for i, stem in enumerate(stems)]

    def _write_source(self, i: int, stem: Path, first: int, last: int) -> str:
        x, plan = self._samples(i, first, last), self._each[i]
        if plan.source == "microphone":
            path = stem.with_name(f"{stem.name}.wav")
            soundfile.write(path, x, int(plan.x[0].sample_hz or 0), subtype="PCM_16")
        elif x.dtype == np.uint8:
            path = stem.with_name(f"{stem.name}.npy")
            np.save(path, x)
        else:
            path = stem.with_name(f"{stem.name}.csv")
            write_table(path, x.reshape(len(x), -1), columns_of(plan))
        sync(path)
        return path.name

    def _samples(self, i: int, first: int, last: int) -> np.ndarray:
        """Of a source [n] or [n, channels], or images."""
        oldest = self.blocks - len(self._held)
        return np.concatenate([self._held[at - oldest][i] for at in range(first, last, self.plan.repeats[i])])

    def _write_features(self, stem: Path, first: int, last: int) -> str:
        path = stem.with_suffix(".npz")
        if self.want:
            (step,) = self.want
            y = self.plan.steps[step].y
            inside = [(at - first, values) for at, values in self._fired if first <= at < last]
            when = np.array([at for at, _ in inside], np.int64)
            values = np.array([value for _, value in inside], y.dtype).reshape(-1, *y.shape)
        else:
            at = -1 - (-1 if self.plan.features is None else self.plan.features)
            y, when, values = self.plan.x[at], np.arange(last - first), self._samples(at, first, last)
        np.savez_compressed(path, when=when, y=values, scale=np.float64(y.scale), zero=np.int64(y.zero))
        sync(path)
        return path.name

    def _truth(self, file: str, kept: Kept, first: int, last: int) -> dict[str, Any]:
        x = self.plan.x[0]
        assert x.sample_hz is not None, "a source has a sample rate"
        windows = []
        for event in kept.alerts:
            end = float((event.sample - first * x.shape[0]) / x.sample_hz)
            windows.append([round(max(0.0, end - WINDOW_S), 6), round(end, 6)])
        length_s = float((last - first) * x.shape[0] / x.sample_hz)
        labels = [event.label for event in kept.alerts]
        return dict(wav_file=file, sample_rate=float(x.sample_hz), length_sec=length_s, detection_windows=windows, labels=labels)

    def _about(self, files: list[str], kept: Kept, sample: int, last: int) -> dict[str, Any]:
        x = self.plan.x[0]
        alerts = [
            {name: value for name, value in event.as_dict().items() if name not in ("app", "definition", "recording")}
            | {"sample_here": event.sample - sample}
            for event in kept.alerts
        ]
        blocks = sample // x.shape[0]
        return dict(
            app=self.plan.name, definition=self.plan.digest, settings=self.settings, recording=files[0], recordings=files, of=self.how.of,
            wall_time=Moment(kept.wall_s, 0).iso, alerts=alerts, rate_hz=float(x.sample_hz or 0), begin_sample=sample,
            samples=last * x.shape[0] - sample, channels=self._channels(),
            fresh_start=blocks == 0 or bool(self.plan.duty and blocks % self.plan.duty.every == 0), learns=learns(self.plan),
        )  # fmt: skip

    def _channels(self) -> Any:
        """What they are; of several sources by their names."""
        each = [[column._asdict() for column in columns_of(plan)] for plan in self._each]
        return dict(zip(self.plan.names, each, strict=True)) if self.plan.names else each[0]


def check(how: Capture, plan: Plan) -> None:
    """TinystreamError where nothing could be kept."""
    for label in how.labels or ():
        if label not in plan.labels:
            raise TinystreamError(f"[capture] names the label '{label}', which {plan.name} has not", f"labels: {', '.join(plan.labels)}")


def truth_of(recording: str) -> str:
    """
    >>> truth_of("20260102T030405678Z-yes.mic.wav")
    '20260102T030405678Z-yes.mic.truth.json'
    """
    return f"{Path(recording).stem}.truth.json"


def columns_of(plan: Plan) -> tuple[Column, ...]:
    """Of its only source."""
    x = plan.x[0]
    if plan.columns and plan.columns[0]:
        return plan.columns[0]
    return tuple(Column("", x.unit, x.scale) for _ in range(x.channels if x.dtype != "uint8" else 1))


# --- files ------------------------------------------------------------------------------------------------------------------


def write_table(path: Path, x: np.ndarray, columns: tuple[Column, ...]) -> None:
    """Real values, of which reading makes the same counts; a header where the channels have names."""
    names = [column.name or str(i) for i, column in enumerate(columns)]
    scales = np.array([column.scale for column in columns])
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(names) + "\n" if any(column.name for column in columns) else "")
        for row in (x * scales).tolist():
            file.write(",".join(map(repr, row)) + "\n")


def write_json(path: Path, told: Any) -> None:
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sync(path)


def sync(path: Path) -> None:
    """On the disk before the folder gets its name."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def clean(folder: Path) -> None:
    """Away with what was not complete when power failed."""
    for path in folder.glob(f"*{PART}"):
        if ID.fullmatch(path.name.removesuffix(PART)):
            shutil.rmtree(path, ignore_errors=True)


def make_room(folder: Path, quota: int) -> None:
    """The oldest goes, until all take no more than the quota."""
    there = [(path, size_of(path)) for path in captures(folder)]
    total = sum(size for _, size in there)
    for path, size in there:
        if total <= quota:
            break
        shutil.rmtree(path)
        total -= size


# --- what was captured --------------------------------------------------------------------------------------------------------


def captures(folder: Path) -> list[Path]:
    """Complete ones, oldest first."""
    if not folder.is_dir():
        raise TinystreamError(f"{folder} is no folder of captures", "tinystream run APP --capture FOLDER makes one")
    return sorted(path for path in folder.iterdir() if ID.fullmatch(path.name) and path.is_dir() and not path.is_symlink())


def about(capture: Path) -> dict[str, Any]:
    """What was known when it was made.  TinystreamError where that cannot be read."""
    path = capture / f"{capture.name}.capture.json"
    try:
        if path.stat().st_size > LIMIT:
            raise ValueError("it is too large")
        told = json.loads(path.read_bytes())
        told.setdefault("recordings", [told["recording"]])
        ours = [Path(file).name == file and file.startswith(capture.name) for file in (told["recording"], *told["recordings"])]
        if not all(ours) or not told["alerts"]:
            raise ValueError("it speaks of another recording")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TinystreamError(f"{capture} is no capture: {error}", "tinystream capture list FOLDER") from None
    return dict(told)


def export(capture: Path, out: Path) -> Path:
    """Recording, truth and description, into a folder of recordings; gives the recording.  None there is written over."""
    told = about(capture)
    names = [*told["recordings"], truth_of(told["recording"]), f"{capture.name}.capture.json"]
    with writing(out, "-o another folder"):
        out.mkdir(parents=True, exist_ok=True)
        for name in names:
            if (out / name).exists():
                raise TinystreamError(f"{out / name} is there already", "another folder; its truth may have been corrected")
        for name in names:
            part = out / f".{name}{PART}"
            shutil.copyfile(capture / name, part)
            part.replace(out / name)
    return out / told["recording"]


def comes_again(plan: Plan, recording: Path, told: dict[str, Any]) -> str:
    """Empty where a replay gives the first alert at the same sample with the same score; else what is different, for people."""
    wanted = told["alerts"][0]
    if told["of"] == "features":
        return "features were kept, and a replay takes samples"
    if plan.digest != told["definition"]:
        return f"the app is another one now: {plan.digest[:16]}, it was {told['definition'][:16]}"
    found = replay(plan, make_engine(plan), Reading().read(plan, recording).samples).events
    same = [e for e in found if e.label == wanted["label"] and e.sample == wanted["sample_here"]]
    if any(e.score_count == wanted["score_count"] for e in same):
        return ""
    if same:
        return f"the alert comes again, with score {same[0].score:g} where it was {wanted['score']:g}: {reason(told)}"
    return f"the alert does not come again: {reason(told)}"


def reason(told: dict[str, Any]) -> str:
    if told["learns"]:
        return "the node had learnt before; --learnt of replay gives that"
    if told["fresh_start"]:
        return "settings were not the definition's, or the last blocks are missing"
    return "the app remembered more than the pre-roll holds, or settings were not the definition's; a longer before_s helps"
