"""What a replay saw: features, scores and events, with a digest of every step."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from errno import EACCES
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from tinystream.errors import TinystreamError, writing
from tinystream.plan.plan import Plan
from tinystream.plan.signal import Signal
from tinystream.run.engine import Fired

FORMAT = 1


@dataclass(frozen=True)
class Event:
    """One alert of a detector.

    sequence:   0 for the first event since the reset.
    label:      which of the detector's labels.
    score:      in the detector's unit (a probability, say); score_count is the integer it stands for.
    sample:     samples of the recording that had been heard when it was known.
    time_s:     the same in seconds from the recording's start.
    definition: digest of everything that can change an event: the definition, the model, the kernels' version.
    """

    app: str
    definition: str
    sequence: int
    label: str
    score: float
    score_count: int
    sample: int
    time_s: float
    recording: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Trace:
    """What one engine gave for one recording.  Two engines that agree give traces without a difference().

    outputs: (when, y) of the kept steps by name; when counts blocks since the reset.
    digests: SHA-256 over when and y, for every step that was looked at, in the order in which they run.
    learnt:  SHA-256 of what was learnt by the end, as it is exported; empty where nothing is.
    """

    app: str
    definition: str
    engine: str
    recording: str
    blocks: int
    samples: int
    events: tuple[Event, ...]
    outputs: dict[str, Fired] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    features: str | None = None
    scores: str | None = None
    learnt: str = ""

    def count(self, step: str | None) -> int:
        return len(self.outputs[step].when) if step in self.outputs else 0

    def save(self, path: Path) -> None:
        """One .npz file without pickles: the arrays, and the rest as JSON."""
        scalars = {n: getattr(self, n) for n in SCALARS}
        about = {"format": FORMAT, **scalars, "events": [e.as_dict() for e in self.events], "digests": self.digests}
        about |= {"learnt": self.learnt} if self.learnt else {}
        arrays = {f"{part}:{name}": getattr(fired, part) for name, fired in self.outputs.items() for part in ("when", "y")}
        half_written = path.with_name(path.name + ".part")
        with writing(path, ANOTHER):
            try:
                with half_written.open("wb") as file:
                    np.savez_compressed(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
                half_written.replace(path)
            except BaseException:
                with suppress(OSError):
                    half_written.unlink()
                raise

    @classmethod
    def load(cls, path: Path) -> Trace:
        """What save() wrote; TinystreamError for anything else."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes())
                names = [key.removeprefix("y:") for key in file.files if key.startswith("y:")]
                outputs = {n: Fired(file[f"when:{n}"], file[f"y:{n}"]) for n in names}
            if about["format"] != FORMAT:
                what = f"{path} is a trace of format {about['format']}, this version reads {FORMAT}"
                raise TinystreamError(what, "make it again with replay --trace")
            events = tuple(Event(**e) for e in about["events"])
            told = {n: about[n] for n in SCALARS} | {"learnt": about.get("learnt", "")}
            return cls(**told, events=events, outputs=outputs, digests=about["digests"])
        except (OSError, EOFError, BadZipFile, zlib.error, KeyError, ValueError, TypeError) as error:
            raise TinystreamError(f"{path} is not a trace: {error}", "tinystream replay --trace FILE writes one") from error


def trace_paths(where: Path, recordings: Sequence[Path]) -> list[Path]:
    """Where the trace of each recording goes; the folders are made, TinystreamError where that cannot be.

    One recording: the file `where`.  Several, or where `where` is a folder: into it, in the same subfolders as the
    recordings, each under the recording's name; with its extension, too, where two differ in nothing else.
    """
    if len(recordings) == 1 and not where.is_dir():
        found = [where]
    else:
        full = [path.parent.resolve() / path.name for path in recordings]
        top = os.path.commonpath([path.parent for path in full])
        names = [path.relative_to(top).with_suffix(".npz") for path in full]
        times = Counter(names)
        found = [where / (name if times[name] == 1 else name.with_name(f"{path.name}.npz")) for name, path in zip(names, full)]
    precious = {recording.resolve() for recording in recordings}
    for path in found:
        if path.resolve() in precious:
            raise TinystreamError(f"the trace would overwrite the recording {path}", ANOTHER)
        with writing(path, ANOTHER):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(path.parent, os.W_OK):
                raise PermissionError(EACCES, os.strerror(EACCES))
    return found


ANOTHER = "--trace another file, or another folder for several recordings"
SCALARS = ("app", "definition", "engine", "recording", "blocks", "samples", "features", "scores")


@dataclass(frozen=True)
class Difference:
    """The first place where two traces differ: the earliest step of the plan, its first output that is not equal.

    index: number of the output since the reset, then the place in it.  None where only digests were kept.
    block: when it came out, or came out of one of them; None where that is not known.
    """

    step: str
    index: tuple[int, ...] | None
    values: tuple[object, object]
    what: str
    block: int | None = None

    def __str__(self) -> str:
        return f"difference: {self.what}"


def difference(a: Trace, b: Trace) -> Difference | None:
    """The first difference, or None where everything that both traces hold is equal, and both hold the same steps."""
    if a.definition != b.definition:
        what = f"the traces are of two definitions: {a.definition[:16]} and {b.definition[:16]}"
        return Difference("definition", None, (a.definition, b.definition), what)
    if list(a.digests) != list(b.digests):
        return Difference("steps", None, (list(a.digests), list(b.digests)), "the traces looked at different steps")
    for step in a.digests:
        if a.digests[step] == b.digests[step]:
            continue
        if step in a.outputs and step in b.outputs:
            found = first_unequal(step, a.outputs[step], b.outputs[step], (a.engine, b.engine))
            assert found, f"{step}: digests differ where outputs do not"
            return found
        what = f"step {step}: {a.engine} and {b.engine} give other outputs; keep all steps to see which"
        return Difference(step, None, (a.digests[step], b.digests[step]), what)
    for x, y in zip(a.events, b.events):
        if (x.label, x.score_count, x.sample) != (y.label, y.score_count, y.sample):
            what = f"event {x.sequence}: {a.engine} {x.label} at {x.time_s:.3f} s, {b.engine} {y.label} at {y.time_s:.3f} s"
            return Difference("events", (x.sequence,), (x, y), what)
    if len(a.events) != len(b.events):
        return Difference(
            "events", None, (len(a.events), len(b.events)), f"{a.engine} has {len(a.events)} events, {b.engine} {len(b.events)}"
        )
    if a.learnt != b.learnt:
        return Difference("learnt", None, (a.learnt, b.learnt), f"{a.engine} and {b.engine} have learnt something else; verify says what")
    return None


def first_unequal(step: str, a: Fired, b: Fired, engines: tuple[str, str], before: int = 0) -> Difference | None:
    """Where two lists of outputs of one step part, or None; `before` outputs came ahead of them."""
    n = min(len(a.when), len(b.when))
    unequal = (a.when[:n] != b.when[:n]) | (a.y[:n] != b.y[:n]).any(axis=tuple(range(1, a.y.ndim)))
    if unequal.any():
        i = int(unequal.argmax())
        if a.when[i] != b.when[i]:
            what = f"step {step}, output {before + i}: {engines[0]} fires at block {a.when[i]}, {engines[1]} at block {b.when[i]}"
            return Difference(step, (before + i,), (int(a.when[i]), int(b.when[i])), what, int(min(a.when[i], b.when[i])))
        at = tuple(int(v) for v in np.argwhere(a.y[i] != b.y[i])[0])
        values = a.y[i][at].item(), b.y[i][at].item()
        place = f"step {step}, output {before + i} (block {a.when[i]}), index {list(at)}"
        what = f"{place}: {engines[0]} {values[0]}, {engines[1]} {values[1]}"
        return Difference(step, (before + i, *at), values, what, int(a.when[i]))
    if len(a.when) != len(b.when):
        counts = before + len(a.when), before + len(b.when)
        what = f"step {step}: {engines[0]} has fired {counts[0]} times, {engines[1]} {counts[1]} times"
        return Difference(step, (before + n,), counts, what, int(max(a.when, b.when, key=len)[n]))
    return None


class Recorder:
    """Collects what an engine gives, chunk by chunk, into a Trace."""

    def __init__(self, plan: Plan, engine: str, recording: str, keep: Iterable[int], digest: Iterable[int]):
        self.plan, self.engine, self.recording = plan, engine, recording
        self.keep, self.digested = sorted(keep), sorted(digest)
        self.parts: dict[int, list[Fired]] = {i: [] for i in self.keep}
        self.hashes = {i: (hashlib.sha256(), hashlib.sha256()) for i in self.digested}
        self.outputs: Counter[int] = Counter()  # of each step that is looked at
        self.events: list[Event] = []
        self.blocks = 0
        self.ahead = 0  # samples before the engine's first block, which is number `_begun` of all
        self._begun = 0

    @property
    def want(self) -> set[int]:
        return {*self.keep, *self.digested} | {d.step for d in self.plan.detections}

    def take(self, fired: dict[int, Fired], blocks: int) -> list[Event]:
        """What one chunk gave; returns the events in it."""
        for i in self.keep:
            self.parts[i].append(fired[i])
        for i, (when, y) in self.hashes.items():
            when.update(fired[i].when.astype(np.int64).tobytes())
            y.update(fired[i].y.tobytes())
            self.outputs[i] += len(fired[i].when)
        self.blocks += blocks
        new = events(self.plan, fired, len(self.events), self.recording, self.ahead)
        self.events += new
        return new

    def gap(self, samples: int) -> None:
        """So many samples are missing, and the engine was reset: its next block is its first, and the events go on in time."""
        self.ahead += (self.blocks - self._begun) * samples_per_block(self.plan) + samples
        self._begun = self.blocks

    def trace(self) -> Trace:
        name = {i: s.name for i, s in enumerate(self.plan.steps)}
        outputs = {name[i]: joined(self.parts[i], self.plan.steps[i].y) for i in self.keep}
        digests = {name[i]: hashlib.sha256(when.digest() + y.digest()).hexdigest() for i, (when, y) in self.hashes.items()}
        features, scores = (None if i is None else name.get(i) for i in (self.plan.features, self.plan.scores))
        return Trace(
            app=self.plan.name,
            definition=self.plan.digest,
            engine=self.engine,
            recording=self.recording,
            blocks=self.blocks,
            samples=self.blocks * samples_per_block(self.plan),
            events=tuple(self.events),
            outputs=outputs,
            digests=digests,
            features=features,
            scores=scores,
        )


def joined(parts: list[Fired], y: Signal) -> Fired:
    """Chunks in a row; of the step's own type even where there were none."""
    when = np.concatenate([np.empty(0, np.int64), *(p.when for p in parts)])
    return Fired(when, np.concatenate([np.empty((0, *y.shape), y.dtype), *(p.y for p in parts)]))


def samples_per_block(plan: Plan) -> int:
    """Samples (of each channel) that one block brings."""
    return plan.x[0].shape[0]


def events(plan: Plan, fired: Mapping[int, Fired], first: int, recording: str = "", ahead: int = 0) -> list[Event]:
    """What the detectors gave, as events, in the order of the blocks and of the detectors.

    first: the next one's sequence number.
    ahead: samples that had passed before the block that `fired` counts as 0.
    """
    given = [
        (block, n, label, count)
        for n, d in enumerate(plan.detections)
        for block, (label, count) in zip(fired[d.step].when.tolist(), fired[d.step].y.tolist())
    ]
    x, found = plan.x[0], []
    for sequence, (block, n, label, count) in enumerate(sorted(given), first):
        sample, y = ahead + (block + 1) * samples_per_block(plan), plan.steps[plan.detections[n].step].y
        time_s = round(float(sample / x.sample_hz), 6) if x.sample_hz else 0.0
        score = round((count - y.zero) * y.scale, 6)
        name = plan.labels[plan.detections[n].first + label]
        found.append(Event(plan.name, plan.digest, sequence, name, score, count, sample, time_s, recording))
    return found
