"""From an app, or the file of one, to its plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinystream.app.budget import over_budget as over_budget
from tinystream.app.definition import App
from tinystream.app.digest import digest
from tinystream.app.planner import Parts, Planner, source_name
from tinystream.app.read import Draft, read
from tinystream.errors import AppError, AppErrors
from tinystream.plan.fuse import fused
from tinystream.plan.passes import reuse_windows
from tinystream.plan.plan import Plan, plan_steps
from tinystream.plan.views import viewed


def plan(app: App, base: Path = Path(), says: str = "", rewrite: bool = True) -> Plan:
    """The plan of an app.  base: the folder that the model's path starts from; says: for an app without a description.

    rewrite: let passes make it cheaper; they keep features, scores and events, every byte (tests compare the two).

    Raises AppErrors with every mistake; their paths are the keys of the definition.
    """
    planner = Planner.of(Parts.of(app), base, rewrite)
    if planner.errors:
        raise AppErrors(planner.errors, "\n\n".join(unlocated(error, app) for error in planner.errors))
    return assemble(app, planner, base, says, rewrite)


def plan_file(path: str | Path) -> Plan:
    """The plan of a TOML file, or of app.toml in a folder.

    Raises AppErrors with every mistake, each at its line; where some entries cannot be read, the others are planned all the same.
    """
    file = read(Path(path))
    draft = Draft.of(file)
    planner = Planner.of(draft.parts, file.path.parent)
    if errors := [*draft.errors, *planner.errors]:
        raise file.refuse(errors)
    assert draft.app, "a draft without mistakes is an app"
    return assemble(draft.app, planner, file.path.parent, file.says, rewrite=True)


def assemble(app: App, planner: Planner, base: Path, says: str, rewrite: bool) -> Plan:
    """The plan that a planner without mistakes has found."""
    assert planner.signals, "a source without mistakes gives a signal"
    steps, features, detections = planner.wiring.steps, planner.features, planner.detections
    for rewritten in (reuse_windows, viewed, fused) if rewrite else ():
        marks = [*(i for d in detections for i in (d.step, d.scores)), *([] if features is None else [features])]
        steps, places = rewritten(steps, keep=marks)
        at = [*places]
        detections = [d._replace(step=moved(at, d.step), scores=moved(at, d.scores)) for d in detections]
        features = None if features is None else moved(at, features)
    return plan_steps(
        app.name,
        planner.signals,
        steps,
        features=features,
        detections=tuple(detections),
        labels=planner.labels,
        says=app.description or says,
        digest=digest(app, base),
        source=app.source.kind,
        names=tuple(map(source_name, app.sources)) if len(app.sources) > 1 else (),
        kinds=tuple(source.kind for source in app.sources) if len(app.sources) > 1 else (),
        columns=tuple(source.columns() for source in app.sources),
        duty=planner.duty,
    )


def moved(at: Sequence[int | None], i: int) -> int:
    """Where step i is now; an input stays what it is."""
    new = i if i < 0 else at[i]
    assert new is not None, "what is marked is kept"
    return new


def unlocated(error: AppError, app: App) -> str:
    """A mistake of an app that was written in Python: told by the keys that lead to it."""
    where = [f"app '{app.name}'"]
    path = list(error.path)
    if path[:1] == ["stage"] and len(path) > 1:
        stage = app.stages[int(path[1])]
        where.append(f"stage {int(path[1]) + 1} '{stage.name or stage.kind}'")
        path = path[2:]
    elif len(path) > 1 and isinstance(path[1], int):
        where.append(f"{path[0]} {path[1] + 1}")
        path = path[2:]
    where += map(str, path)
    return "\n".join([f"error: {error.what}", f" --> {', '.join(where)}", *([f"  = help: {error.help}"] if error.help else [])])
