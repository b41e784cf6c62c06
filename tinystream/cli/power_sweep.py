"""`tinystream power --sweep`: what is tried, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from rich.table import Table

from tinystream.cli.shared import count, output, tell
from tinystream.io.truth import Truth, find_truth
from tinystream.power.board import mhz
from tinystream.power.files import PowerError
from tinystream.power.interval import amount, spread
from tinystream.power.plot import plot_sweep
from tinystream.power.report import significant, told
from tinystream.power.sweep import KNOBS, Heard, Tried, best, front

WIDTH = 100


def knobs_told(texts: Sequence[str]) -> dict[str, list[str]]:
    """Values of each knob as they were written; none where usual ones are wanted.

    >>> knobs_told(["clock,stride", "duty=2/8,always"])
    {'clock': [], 'stride': [], 'duty': ['2/8', 'always']}
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        name, given, values = text.partition("=")
        for knob in [name] if given else text.split(","):
            knob = knob.strip()
            if knob in found:
                raise PowerError(f"'{knob}' is swept twice", f"all of its values at once: --sweep {knob}=…,…")
            found[knob] = [value.strip() for value in values.split(",")] if given else []
            if "" in found[knob] or not knob:
                raise PowerError(f"--sweep {text}: a value is empty", f"--sweep {'|'.join(KNOBS)}, or a knob with values: --sweep duty=2/8")
    return found


def truths_of(paths: Sequence[Path], file: Path | None, knobs: Collection[str], pictures: Collection[Path], detects: bool) -> list[Truth]:
    """Of each recording, or none at all where only the clock is swept, which does not change what is heard."""
    if not detects and (set(knobs) != {"clock"} or pictures):
        raise PowerError("the app detects nothing, so that misses cannot be counted", "[detect], or --sweep clock alone, without --plot")
    if not detects:
        return []
    found = [find_truth(path, file) for path in paths]
    missing = [path for path, truth in zip(paths, found) if truth is None]
    if not missing:
        return [truth for truth in found if truth is not None]
    if set(knobs) == {"clock"} and not pictures:
        return []
    what = f"nothing tells what is to be heard in {missing[0]}, so that misses cannot be counted"
    help = f"{missing[0].with_suffix('.truth.json').name} beside it, --truth FILE, or --sweep clock alone, without --plot"
    raise PowerError(what, help)


def marked(tried: Sequence[Tried]) -> dict[str, Tried]:
    """The present setting, the best one, and the one that lives longest with one miss and one false alarm more, by their names."""
    now = tried[0]
    found = {"now": now}
    without = best(tried, now)
    if without and without is not now:
        found["best"] = without
    if now.heard.missed is not None and (with_one := best(tried, now, 1.0)) and with_one not in (now, without):
        found["one more"] = with_one
    return found


# --- the table ------------------------------------------------------------------------------------------------


def print_sweep(app: str, tried: Sequence[Tried], knobs: Sequence[str]) -> None:
    """Settings that no other one beats, those that are named, and how many others there are."""
    console = output()
    console.width = min(console.width, WIDTH)
    now, names = tried[0], {id(t): name for name, t in marked(tried).items()}
    shown = [t for t in tried if id(t) in names or t in front(tried)]
    heard = f"{now.heard.recorded_s:.4g} s recorded" + ("" if now.heard.words is None else f", {count(now.heard.words, 'word')} in them")
    console.print(f"[bold]{title(app, tried)}[/]: {count(len(tried), 'setting')}; {heard}\n", highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for knob in knobs:
        table.add_column(knob, no_wrap=True)
    for column in ("days", "low", "high", *(() if now.heard.words is None else ("missed", "false alarms"))):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for t in sorted(shown, key=lambda t: -t.days if t.estimate else 0):
        table.add_row(*cells(t, knobs), names.get(id(t), ""), style="bold" if id(t) in names else "")
    console.print(table)
    usable = sum(t.usable for t in tried)
    left_out = [
        (usable - sum(t.usable for t in shown), "beaten by one of these in life, misses and false alarms"),
        (len(tried) - usable, "do not keep up where cycles are at their high end"),
    ]
    words = "; ".join(f"{n} {what}" for n, what in left_out if n)
    if words:
        console.print(f"\nother settings, in --json: {words}", highlight=False)
    console.print()
    for sentence in sentences(tried, knobs):
        console.print(sentence, highlight=False)
    for note in now.estimate.notes if now.estimate else ():
        tell(f"note: {note}")


def cells(t: Tried, knobs: Sequence[str]) -> list[str]:
    days = t.estimate.days if t.estimate else None
    told = [amount(value) for value in (days.nominal, days.low, days.high)] if days else ["-", "-", "-"]
    if t.heard.missed is not None and t.heard.false_alarms is not None:
        told += [f"{t.heard.missed:.3g} of {t.heard.words}", f"{t.heard.false_alarms:.3g}"]
    return [*(t.setting.told(knob) for knob in knobs), *told]


def sentences(tried: Sequence[Tried], knobs: Sequence[str]) -> list[str]:
    """Which setting is best, what it costs, and how far that can be told from these recordings."""
    names = marked(tried)
    now = names["now"]
    said = []
    if not now.usable:
        worst = f"blocks may be missed below {mhz(ceil(now.needs_hz / 1e5) * 1e5)}, where cycles are at their high end"
        said.append(f"now: {now.refused or worst}.")
    found = names.get("best")
    if found is None:
        none = "none that misses no more, raises no more false alarms and keeps up"
        said.append(f"best: the present setting; {none} lives longer." if now.usable else f"best: {none}.")
    else:
        said.append(f"best: {found.setting.says(knobs)}, {gain(found, now)}{cost(found.heard, now.heard)}.")
    if more := names.get("one more"):
        said.append(
            f"for at most one miss and one false alarm more: {more.setting.says(knobs)}, {gain(more, now)}{cost(more.heard, now.heard)}."
        )
    return [*said, *evidence(now.heard)]


def gain(t: Tried, now: Tried) -> str:
    assert t.estimate
    instead = f" instead of {amount(now.days)}" if now.estimate else ""
    return f"{spread(t.estimate.days)} days{instead}"


def cost(heard: Heard, now: Heard) -> str:
    if heard.missed is None or now.missed is None or heard.false_alarms is None or now.false_alarms is None:
        return "; what is heard does not depend on the clock"

    def compared(a: float, b: float) -> str:
        return f"{a:.3g}, as now" if a == b else f"{a:.3g} instead of {b:.3g}"

    return (
        f"; missed of {heard.words}: {compared(heard.missed, now.missed)}; false alarms: {compared(heard.false_alarms, now.false_alarms)}"
    )


def evidence(now: Heard) -> list[str]:
    if not now.words:
        return []
    share, alarms = now.missed_share, now.false_alarms_per_day
    return [
        f"how far this can be told: {count(now.words, 'word')} in {now.recorded_s:.4g} s. Missed now, {now.missed:.3g}, may stand for "
        f"{share.low:.0%} to {share.high:.0%} of all words, false alarms for {amount(alarms.low)} to {amount(alarms.high)} a day (90 %): "
        f"settings that differ by one or two are not told apart."
    ]


def sweep_as_dict(app: str, tried: Sequence[Tried]) -> dict[str, Any]:
    on_front, names = front(tried), {id(t): name for name, t in marked(tried).items()}

    def as_dict(t: Tried) -> dict[str, Any]:
        found, setting = t.estimate, t.setting
        return dict(
            mode=setting.mode,
            clock_hz=setting.clock_hz,
            duty_s=setting.duty,
            gate_db=setting.gate_db,
            stride=setting.stride,
            days=found and told(found.days),
            total_ua=found and told(found.total_ua),
            busy=found and told(found.busy),
            missed=t.heard.missed,
            false_alarms=t.heard.false_alarms,
            needs_hz_at_the_worst=significant(t.needs_hz),
            keeps_up=t.usable,
            refused=t.refused,
            beaten=t.usable and t not in on_front,
            named=names.get(id(t), ""),
        )

    now = tried[0].heard
    return dict(app=app, recorded_s=significant(now.recorded_s), words=now.words, settings=[as_dict(t) for t in tried])


def tell_sweep(app: str, tried: Sequence[Tried], knobs: Sequence[str], pictures: Sequence[Path], as_json: bool) -> None:
    """As a table and in words, or as JSON; and as pictures."""
    if as_json:
        print(json.dumps(sweep_as_dict(app, tried), indent=2, ensure_ascii=False))
    else:
        print_sweep(app, tried, knobs)
    for path in pictures:
        plot_sweep(path, tried, marked(tried), knobs, f"{title(app, tried)}: {count(len(tried), 'setting')}")


def title(app: str, tried: Sequence[Tried]) -> str:
    found = next((t.estimate for t in tried if t.estimate), None)
    return f"{app} on {found.setup.board.name}, {found.setup.pack.name}" if found else app
