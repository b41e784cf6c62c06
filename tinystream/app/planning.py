"""From an app, or the file of one, to its plan."""

from __future__ import annotations

from pathlib import Path

from tinystream.app.budget import over_budget as over_budget
from tinystream.app.definition import App
from tinystream.app.digest import digest
from tinystream.app.planner import Parts, Planner
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
    assert planner.x, "a source without mistakes gives a signal"
    steps, marks = planner.wiring.steps, {"features": planner.features, "scores": planner.scores, "detector": planner.detector}
    for rewritten in (reuse_windows, viewed, fused) if rewrite else ():
        steps, at = rewritten(steps, keep=[i for i in marks.values() if i is not None])
        marks = {mark: i if i is None or i < 0 else at[i] for mark, i in marks.items()}
    return plan_steps(
        app.name,
        (planner.x.signal,),
        steps,
        **marks,
        labels=planner.labels,
        says=app.description or says,
        digest=digest(app, base),
        source=app.source.kind,
        duty=planner.duty,
    )


def unlocated(error: AppError, app: App) -> str:
    """A mistake of an app that was written in Python: told by the keys that lead to it."""
    where = [f"app '{app.name}'"]
    path = list(error.path)
    if path[:1] == ["stage"] and len(path) > 1:
        stage = app.stages[int(path[1])]
        where.append(f"stage {int(path[1]) + 1} '{stage.name or stage.kind}'")
        path = path[2:]
    where += map(str, path)
    return "\n".join([f"error: {error.what}", f" --> {', '.join(where)}", *([f"  = help: {error.help}"] if error.help else [])])
