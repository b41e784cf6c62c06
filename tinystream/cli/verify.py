"""`tinystream verify`: numpy and the generated C, bit for bit."""

from __future__ import annotations

import json

from tinystream.app.planning import plan_file
from tinystream.cli.shared import AppPath, Channel, Counts, Json, Recordings, Resample, cli, count, progress_bar
from tinystream.errors import TinystreamError
from tinystream.io.recording import find_recordings
from tinystream.run.native import Native
from tinystream.run.replay import Reading, make_engine
from tinystream.run.verify import Compared
from tinystream.run.verify import verify as compare


@cli.command()
def verify(
    app: AppPath,
    recordings: Recordings,
    resample: Resample = False,
    channel: Channel = None,
    counts: Counts = False,
    as_json: Json = False,
) -> None:
    """Prove that numpy and the generated C give the same bits.

    Every output of every step is compared, on your recordings.  Exit code 1 with the first difference, if there is one.
    """
    plan, paths = plan_file(app), find_recordings(recordings)
    python, native, compared = make_engine(plan, "python"), Native(plan, form="groups"), Compared()  # the C as emit writes it
    with progress_bar("verify", len(paths)) as advance:
        for path in paths:
            first = compare(plan, python, native, Reading(resample, channel, counts).read(plan, path).samples, compared)
            if first:
                if as_json:
                    print(json.dumps(dict(identical=False, recording=str(path), step=first.step, index=first.index, values=first.values)))
                raise TinystreamError(f"{plan.name} differs on {path}: {first.what}", f"the first step that differs is '{first.step}'")
            advance(1)
    parts = {"features": plan.features, "scores": plan.scores, "events": plan.detector}
    found = {what: compared.outputs.get(plan.steps[i].name, 0) for what, i in parts.items() if i is not None and i >= 0}
    if as_json:
        print(json.dumps(dict(identical=True, recordings=len(paths), blocks=compared.blocks, **found, values=compared.values)))
        return
    values = sum(compared.values.values())
    words = ", ".join(f"{n} {what}" for what, n in found.items())
    where = f"{values} values of {count(len(plan.steps), 'step')} in {count(len(paths), 'recording')}"
    print(f"identical: {words}; {where}, python against native")
