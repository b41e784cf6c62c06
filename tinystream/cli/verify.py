"""`tinystream verify`: numpy and the generated C, on this machine and on emulated cores, bit for bit."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.cli.shared import (
    AppPath,
    Channel,
    Counts,
    GapsChoice,
    GapsOption,
    InUnit,
    Json,
    Key,
    Recordings,
    Resample,
    cli,
    count,
    progress_bar,
    tell,
)
from tinystream.errors import DifferenceError
from tinystream.firmware.certificate import AGAIN, certificate, read, recheck, tools, values, writable, write
from tinystream.firmware.engines import NATIVE, PYTHON, firmware
from tinystream.firmware.prove import Heard, Proving, prove
from tinystream.plan.plan import Plan
from tinystream.run.replay import Reading, recordings_of


@cli.command("verify")
def verify_command(
    app: AppPath,
    recordings: Recordings,
    core: Annotated[list[str], typer.Option("--core", metavar="CORE,…", help="emulated cores, too: m0, m4, m55, rv32imac, …")] = [],  # noqa: B006 - typer reads it
    compiler: Annotated[
        list[str], typer.Option("--compiler", metavar="zig,gcc|all", help="for the cores; without, the first there is")
    ] = [],  # noqa: B006
    optimise: Annotated[list[str], typer.Option("--optimise", metavar="-O2,-Os,…", help="for the cores; without, -O2")] = [],  # noqa: B006
    certificate_file: Annotated[Path | None, typer.Option("--certificate", metavar="FILE", help="write what was proved, as JSON")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="does all that this certificate says hold, here and now?")
    ] = None,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    unit: InUnit = None,
    gaps: GapsOption = GapsChoice.refuse,
    key: Key = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="processes; without, one, or one a CPU where there are cores")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove that numpy and the generated C give the same bits.

    Every output of every step is compared, on your recordings.  Exit code 3 with the first difference, if there is one.
    """
    reading = Reading(resample, channel, counts, unit, gaps.value, key)
    if (compiler or optimise) and not core:
        raise typer.BadParameter("--compiler and --optimise are for the cores that --core names")
    if check:
        if core or certificate_file or reading != Reading():
            raise typer.BadParameter("--check takes engines and the way to read recordings from the certificate; give nothing else")
        check_again(check, app, recordings, jobs or os.cpu_count() or 1, as_json)
        return
    plan = plan_file(app)
    paths = recordings_of(plan, recordings)
    specs = [PYTHON, NATIVE, *firmware(core, compiler, optimise)]
    if certificate_file:
        writable(certificate_file, paths)
    proving = Proving(app.absolute(), reading, jobs or (os.cpu_count() or 1 if core else 1))
    with progress_bar("verify", len(specs) * len(paths)) as advance:
        try:
            proved = prove(proving, specs, paths, advance)
        except DifferenceError as difference:
            if as_json:
                print(json.dumps(dict(identical=False, **difference.facts)))
            raise
    if certificate_file:
        write(certificate_file, certificate(plan, reading, specs, proved))
    heard, engines = list(proved.values()), ", ".join(spec.name for spec in specs[1:])
    if as_json:
        print(json.dumps(dict(identical=True, engines=[spec.name for spec in specs], **facts(plan, heard))))
    else:
        print(f"identical: {words(plan, heard)}, python against {engines}")


def check_again(path: Path, app: Path, recordings: list[Path], jobs: int, as_json: bool) -> None:
    """Whatever of the certificate no longer holds, all of it, as one error."""
    what, plan = read(path), plan_file(app)
    paths = recordings_of(plan, recordings)
    with progress_bar("check", len(what.engines) * len(what.recordings)) as advance:
        problems = list(recheck(what, plan, app.absolute(), paths, jobs, advance))
    for tool, now in tools().items():
        if what.tools.get(tool) != now:
            tell(f"note: certified with {tool} {what.tools.get(tool)}, checked with {now}")
    if as_json:
        print(json.dumps(dict(holds=not problems, problems=problems)))
    if problems:
        raise DifferenceError(f"{path} no longer holds: " + "\n       ".join(problems), AGAIN)
    if not as_json:
        engines = ", ".join(engine.spec.name for engine in what.engines[1:])
        print(f"holds: {words(plan, list(what.recordings.values()))}, python against {engines}, as certified {what.date}")


def facts(plan: Plan, heard: list[Heard]) -> dict[str, object]:
    """What was compared, for a program."""
    of_steps: Counter[str] = Counter()
    for one in heard:
        of_steps.update({name: step.values for name, step in one.steps.items()})
    learnt = {"learnt": [one.learnt for one in heard]} if any(one.learnt for one in heard) else {}
    return dict(recordings=len(heard), blocks=sum(one.blocks for one in heard), **found(plan, heard), values=dict(of_steps), **learnt)


def words(plan: Plan, heard: list[Heard]) -> str:
    """The same for people."""
    parts = ", ".join(f"{n} {what}" for what, n in found(plan, heard).items())
    learnt = " and what was learnt" if any(one.learnt for one in heard) else ""
    return f"{parts}; {values(heard)} values of {count(len(plan.steps), 'step')}{learnt} in {count(len(heard), 'recording')}"


def found(plan: Plan, heard: list[Heard]) -> dict[str, int]:
    """Outputs of the steps that have a name of their own."""
    features = set() if plan.features is None else {plan.features}
    parts = {"features": features, "scores": {d.scores for d in plan.detections}, "events": {d.step for d in plan.detections}}
    named = {what: [plan.steps[i].name for i in steps if i >= 0] for what, steps in parts.items()}
    return {what: sum(one.steps[name].outputs for one in heard for name in names) for what, names in named.items() if names}
