"""`tinystream record`: what an app would hear, into a file."""

from __future__ import annotations

import json
import math
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from tinystream.app.planning import plan_file
from tinystream.cli.live import AnyRate, Device, FormOption, InputOption, LiveGaps, Once, given, tell_notes
from tinystream.cli.shared import AppPath, Channel, Counts, GapsChoice, InUnit, Json, cli, count, tell
from tinystream.errors import RecordingError
from tinystream.io.live import Joined, Live
from tinystream.io.live.base import Gap
from tinystream.io.written import Written, WrittenTogether, recorded, write_to
from tinystream.plan.plan import Plan
from tinystream.run.inputs import Form, open_input, texts_of, told_of
from tinystream.run.live import ended_by_signal
from tinystream.run.replay import Reading

CLIPPED = 0.001  # share of values at full scale from which a person should turn something down
FAINT_DBFS = -60.0  # peak of a microphone that hears next to nothing


@cli.command()
def record(
    app: AppPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="ends in .wav, .csv or .sds")],
    source: InputOption = None,
    device: Device = None,
    form: FormOption = Form.auto,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0, help="how long; until Ctrl-C where nothing is said")] = None,
    channel: Channel = None,
    counts: Counts = False,
    unit: InUnit = None,
    gaps: LiveGaps = GapsChoice.refuse,
    any_rate: AnyRate = False,
    once: Once = False,
    as_json: Json = False,
) -> None:
    """Record what an app would hear, until Ctrl-C.

    A gap begins another file.  What is known of the samples lies in NAME.about.json beside them: rate, units, gaps, levels.
    """
    plan = plan_file(app)
    texts = texts_of(plan, source or ())
    live = open_input(plan, given(texts, device, form, Reading(False, channel, counts, unit, gaps.value), any_rate, once))
    written = write_to(output, plan, {"app": plan.name, "definition": plan.digest, "source": told_of(plan, texts)})
    blocks = None if seconds is None else max(1, math.ceil(seconds * plan.x[0].rate_hz))
    tell(f"recording into {output}; Ctrl-C ends it")
    try:
        with ended_by_signal(), closing(recorded(live, written)) as items:
            for _ in islice((item for item in items if not isinstance(item, Gap)), blocks):
                pass
    except KeyboardInterrupt:
        tell("")  # the terminal shows ^C
    finally:
        tell_notes(live)
    if not live.blocks:
        raise RecordingError("nothing was recorded: no whole block has come", "is the source running?")
    each = parts(live, written)
    for name, one, files in each:
        tell_recorded(plan.of_source(plan.names.index(name)) if name else plan, one, files, f"{name}: " if name else "")
    if as_json:
        about = {name: json.loads(files.beside.read_text(encoding="utf-8")) for name, _, files in each}
        print(json.dumps(about if plan.names else about[""], ensure_ascii=False))


def parts(live: Live, written: Written | WrittenTogether) -> list[tuple[str, Live, Written]]:
    """Of each source its name, which is empty where there is but one."""
    if isinstance(live, Joined) and isinstance(written, WrittenTogether):
        return [(name, one, written.parts[name]) for name, one in zip(live.names, live.sources, strict=True)]
    assert isinstance(written, Written), "several sources are joined"
    return [("", live, written)]


def tell_recorded(plan: Plan, live: Live, written: Written, name: str) -> None:
    """What there is now, and what a person should look after.  plan: of one source."""
    level, x = live.heard, plan.x[0]
    assert x.sample_hz is not None, "a source has a sample rate"
    recorded_s = float(sum(piece["samples"] for piece in written.pieces) / x.sample_hz)
    files = ", ".join(piece["file"] for piece in written.pieces)
    rate = "" if live.rate_measured is None else f", {live.rate_measured:.6g} Hz measured"
    tell(f"{name}{recorded_s:.1f} s in {count(len(written.pieces), 'file')}{rate}: {files}")
    tell(f"{name}level {level.rms_dbfs:.1f} dBFS rms, {level.peak_dbfs:.1f} dBFS peak, {100 * level.clipped:.3g} % clipped")
    if level.clipped > CLIPPED:
        tell(f"warning: {name}it is clipped: lower the gain, or choose a larger range")
    elif plan.source == "microphone" and level.peak_dbfs < FAINT_DBFS:
        tell(f"warning: {name}it is hardly audible: raise the gain, or check which device it is")
