"""Run every engine over every recording and compare them: by digest, and where these differ, by value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tinystream.app.planning import plan_file
from tinystream.errors import DifferenceError
from tinystream.firmware.engines import PYTHON, Spec
from tinystream.io.several import fingerprint
from tinystream.plan.learnt import digest
from tinystream.plan.plan import Plan
from tinystream.run.learnt import begin, learnt_by
from tinystream.run.pool import spread
from tinystream.run.replay import CHUNK, Reading, Runs, blocks_of
from tinystream.run.trace import Difference, Recorder
from tinystream.run.verify import Compared, verify


@dataclass(frozen=True)
class StepDigest:
    """What a step gave: outputs, the values in them, and SHA-256 over both when and what."""

    outputs: int
    values: int
    sha256: str


@dataclass(frozen=True)
class Heard:
    """What one engine gave for one recording; equal for engines that agree.

    steps:  by name, in the order of the plan.
    learnt: SHA-256 of what it has learnt by the end; empty where an app learns nothing.
    """

    sha256: str
    samples: int
    blocks: int
    steps: dict[str, StepDigest]
    learnt: str = ""


@dataclass(frozen=True)
class Proving:
    """An app, and how its recordings are read."""

    app: Path
    reading: Reading
    jobs: int = 1

    def hear(self, specs: Sequence[Spec], paths: Sequence[Path], progress: Callable[[int], None]) -> Iterator[dict[Spec, Heard]]:
        """What each engine gives for each recording, recording by recording; the result does not depend on jobs."""
        ready.cache_clear()  # the app's files may have changed since an earlier proof
        planned.cache_clear()
        work = [(spec, path) for path in paths for spec in specs]
        if self.jobs > 1:
            for _ in spread("verification", partial(_build, self.app), specs, self.jobs):  # once, not in each process
                pass
        found: dict[Spec, Heard] = {}
        for (spec, _), heard in zip(work, spread("verification", partial(_hear, self.app, self.reading), work, self.jobs)):
            found[spec] = heard
            progress(1)
            if len(found) == len(specs):
                yield found
                found = {}

    def difference(self, spec: Spec, path: Path) -> Difference:
        """Where an engine that gave another digest than numpy first differs."""
        plan, python = ready(self.app, PYTHON)
        other = ready(self.app, spec)[1]
        found = verify(plan, python, other, self.reading.read(plan, path).samples, Compared())
        assert found, f"{spec.name} gave other digests than numpy for {path}, and now the same outputs"
        return found


def prove(proving: Proving, specs: Sequence[Spec], paths: Sequence[Path], progress: Callable[[int], None]) -> dict[Path, Heard]:
    """What all engines agree on, by recording; DifferenceError with the first difference of each engine that does not agree.

    PYTHON comes first of the specs: it is the definition.
    """
    assert specs[0] == PYTHON
    proved = {}
    for path, heard in zip(paths, proving.hear(specs, paths, progress)):
        want = heard[PYTHON]
        differ = {spec: proving.difference(spec, path) for spec in specs if heard[spec] != want}
        if differ:
            raise differs(planned(proving.app).name, path, differ, [spec for spec in specs[1:] if spec not in differ])
        proved[path] = want
    return proved


def differs(app: str, path: Path, differ: dict[Spec, Difference], agree: list[Spec]) -> DifferenceError:
    """The first difference in words; where several engines have one, each on a line of its own."""
    first = min(differ.values(), key=lambda found: found.block or 0)
    told = list(dict.fromkeys([first.what, *(found.what for found in differ.values())]))
    others = f"; {', '.join(spec.name for spec in agree)} agree{'s' * (len(agree) == 1)} with python" if agree else ""
    what = f"{app} differs on {path}: " + "\n       ".join(told)
    engine = next(spec.name for spec, found in differ.items() if found is first)
    facts: dict[str, object] = dict(recording=str(path), step=first.step, index=first.index, block=first.block, values=first.values)
    return DifferenceError(what, f"the first step that differs is '{first.step}'{others}", facts | {"engine": engine})


def _build(app: Path, spec: Spec) -> None:
    ready(app, spec)


def _hear(app: Path, reading: Reading, work: tuple[Spec, Path]) -> Heard:
    """One engine over one recording from a fresh start."""
    spec, path = work
    plan, engine = ready(app, spec)
    samples = reading.read(plan, path).samples
    recorder = Recorder(plan, engine.name, str(path), (), range(len(plan.steps)))
    x = blocks_of(plan, samples)
    begin(plan, engine)
    for chunk in x.chunks(CHUNK):
        recorder.take(engine.push(*chunk), chunk.beats)
    digests, steps = recorder.trace().digests, {}
    for i, step in enumerate(plan.steps):
        outputs = recorder.outputs[i]
        steps[step.name] = StepDigest(outputs, outputs * step.y.size, digests[step.name])
    heard = samples[0] if isinstance(samples, tuple) else samples
    return Heard(fingerprint(path, plan.names), len(heard), x.beats, steps, digest(learnt_by(plan, engine)))


@cache
def ready(app: Path, spec: Spec) -> tuple[Plan, Runs]:
    """Built once a process, not once a recording."""
    plan = planned(app)
    return plan, spec.make(plan)


@cache
def planned(app: Path) -> Plan:
    """Planned once a process, not once an engine."""
    return plan_file(app)
