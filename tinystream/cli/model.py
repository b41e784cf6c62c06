"""`tinystream model`: what a .tflite holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tinystream.app.model_report import ModelReport, macs_of
from tinystream.cli.shared import WIDE, Json, cli, output, shape_text, tell
from tinystream.cli.show import print_memory
from tinystream.errors import TinystreamError
from tinystream.plan.model import read_bytes
from tinystream.run.compare import compare as compare_model
from tinystream.run.compare import read_inputs, run_float


@cli.command("model")
def model_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="a model")],
    as_json: Json = False,
    against: Annotated[bool, typer.Option("--compare", help="run it beside the interpreters that are installed")] = False,
    inputs: Annotated[
        list[Path] | None, typer.Option("--inputs", metavar="FILE.npy", help="with --compare: your inputs, [calls, …], a file for each")
    ] = None,
) -> None:
    """Tell what a model holds, and what it costs as C.

    Everything in it that is not compiled is named, with the reason.  Exit code 1 where it cannot be compiled, or where --compare
    finds a difference from TFLM.
    """
    if inputs and not against:
        raise typer.BadParameter("--inputs are what --compare runs on; give both, or neither")
    report = ModelReport.of(file)
    compared = compare_model(read_bytes(file), file.name, read_inputs(inputs or [])) if against and report.plan else []
    if as_json:
        told = report.as_dict() | (dict(compared=[asdict(c) for c in compared]) if against else {})
        print(json.dumps(told, indent=2))
    else:
        print_model(report)
        for c in compared:
            print(f"{c.interpreter}{f' ({c.version})' if c.version else ''}: {c.says}")
    if against and not report.plan:
        for name, outcome in run_float(read_bytes(file)).items():
            given = outcome if isinstance(outcome, str) else ", ".join(shape_text(y.shape[1:], str(y.dtype)) for y in outcome)
            tell(f"{name}: {f'not run: {given}' if isinstance(outcome, str) else f'it runs there, and gives {given}'}")
    if report.refused:
        raise TinystreamError(f"{file.name} cannot be compiled", report.refused[0][1])
    if any(c.differing for c in compared if c.interpreter == "tflm"):
        raise TinystreamError(f"{file.name} differs from TFLM", "docs/models.md tells where that is meant; report any other, please")


def print_model(report: ModelReport) -> None:
    console, model = output(), report.model
    for what, tensors in (("input", model.inputs), ("output", model.outputs)):
        for t in tensors:
            console.print(f"{what:<6} {t}  {t.name}", soft_wrap=True, highlight=False, markup=False)
    wide = console.width >= WIDE
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("#", "operator", "what it does", *["reads"] * wide, "gives", *["scale", "zero"] * wide, "MACs", "flash B"):
        number = column in ("#", "scale", "zero", "MACs", "flash B")
        table.add_column(column, overflow="fold", justify="right" if number else "left", no_wrap=number)
    for row in report.operators:
        says = f"not compiled: {row.refused}" if row.refused else row.says
        reads = [", ".join("x".join(map(str, t.dims)) for t in row.x)] * wide
        scale = [f"{row.y.scale:.6g}" if row.y.quantised else "", str(row.y.zero) if row.y.quantised else ""] * wide
        gives = shape_text(row.y.dims, row.y.dtype)
        cells = str(row.number), row.kind.upper(), says, *reads, gives, *scale, str(row.macs), str(row.table_bytes)
        table.add_row(*map(Text, cells))  # a file's own words are no markup
    console.print(table)
    console.print(f"\n{sum(row.macs for row in report.operators)} MACs; the file has {model.file_bytes} B", soft_wrap=True, highlight=False)
    for operator, before, after in report.constant:
        gone = f"{before - after} of {before} channels are constant or unread, and are not computed"
        console.print(f"{operator}: {gone}", soft_wrap=True, highlight=False)
    for what, help in report.refused:
        console.print(f"not compiled: {what}" + (f" ({help})" if help else ""), soft_wrap=True, highlight=False, markup=False)
    if report.is_float:
        console.print("a float model runs on the host through an interpreter only; no C is emitted for it", soft_wrap=True, highlight=False)
    if report.plan:
        computed = sum(map(macs_of, report.plan.steps))
        flash = f"flash {report.plan.table_bytes} B of tables, code comes on top; {computed} MACs a call"
        console.print(f"{flash}; state {report.plan.state_bytes} B\n", soft_wrap=True, highlight=False)
        print_memory(report.plan)
