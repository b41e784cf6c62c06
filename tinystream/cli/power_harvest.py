"""What `tinystream power` does with --harvester and --harvest-trace."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from tinystream.cli.shared import count, output, tell
from tinystream.plan.plan import Plan
from tinystream.power.board import BoardPower
from tinystream.power.counts import Counts
from tinystream.power.estimate import Estimate, StepCycles
from tinystream.power.feed import Way
from tinystream.power.files import PowerError
from tinystream.power.harvest import MOST_REPLAYS, Course, Hearing, Limits, Load, hearing, least, simulate, windows
from tinystream.power.interval import amount
from tinystream.power.node import limits_of, load_of, way_from
from tinystream.power.report import significant
from tinystream.power.store import Store, find_store
from tinystream.power.sun import DAY_S, EXAMPLES, Sun, find_sun
from tinystream.run.engine import Runs

WIDTH = 100
SHOWN = 8
"""Outages that are told one by one; all are in --json."""
UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": DAY_S}


def check_options(asks: Sequence[str | None], about: Sequence[object], others: Sequence[object]) -> bool:
    """Whether a node that harvests is asked for; PowerError for options that do not go together.

    about: brown-out, restart, start, duration, availability.  others: battery, sweep, timeline, calibrate.
    """
    if not any(asks):
        for name, given in zip(("--brown-out", "--restart", "--start-volts", "--for", "--availability"), about):
            if given is not None:
                raise PowerError(f"{name} is of a node that harvests, and nothing is said of that", f"--harvest-trace {EXAMPLES}")
        return False
    for name, given in zip(("--battery", "--sweep", "--timeline", "--calibrate"), others):
        if given:
            raise PowerError(
                f"{name} does not go together with --harvest-trace", "--storage holds what is harvested: lipo:40mAh, a supercapacitor"
            )
    return True


@dataclass(frozen=True)
class Node:
    """What was asked for."""

    store: Store
    sun: Sun
    way: Way
    limits: Limits
    seconds: float
    availability: float | None
    notes: tuple[str, ...]


def find_node(
    board: BoardPower,
    storage: str | None,
    harvester: str | None,
    course: str | None,
    way: Way | None,
    volts: Sequence[float | None],
    duration: str | None,
    availability: float | None,
) -> Node:
    """PowerError for what cannot be.  volts: brown-out, restart, begin."""
    if storage is None:
        raise PowerError("nothing holds what is harvested", "--storage supercapacitor_470mf, or lipo:40mAh")
    if availability is not None and not 0 < availability <= 1:
        raise PowerError(f"{availability:g} is no availability", "--availability 0.99: a share of the time, above 0, at most 1")
    sun = find_sun(harvester, course)
    store = find_store(storage)
    found, notes = way_from(store, board, way)
    brown_out_v, restart_v, start_v = volts
    return Node(
        store, sun, found, limits_of(store, board, found, brown_out_v, restart_v, start_v),
        span(duration) if duration else 3 * sun.period_s, availability, tuple(notes),
    )  # fmt: skip


def span(text: str) -> float:
    """A time as people write it.

    >>> span("36h"), span("90 s"), span("2d")
    (129600.0, 90.0, 172800.0)
    """
    match = re.fullmatch(r"(\d+\.?\d*)\s*([a-z]+)", text.strip())
    if not match or match[2] not in UNITS or not float(match[1]):
        raise PowerError(f"'{text}' is no time", "--for 90s, 36h or 3d")
    return float(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Lived:
    """least_harvester, least_storage: factors to what was named, None where nothing is enough."""

    node: Node
    load: Load
    course: Course
    hearing: Hearing
    windows: tuple[int, int] | None
    least_harvester: float | None
    least_storage: float | None


def live(
    node: Node, plan: Plan, counts: Counts, cycles: Mapping[str, StepCycles], found: Estimate, x: list[np.ndarray], engine: Runs
) -> Lived:
    load = load_of(counts, cycles, found, x, node.way)
    blocks = max(1, round(node.seconds / load.block_s))
    course = simulate(node.store, load, node.sun, node.limits, blocks)
    heard = hearing(plan, engine, x, load, course)
    seen = windows(plan, load, course) if plan.duty else None
    harvester = storage = None
    if node.availability is not None:
        wanted = node.availability
        harvester = least(lambda k: simulate(node.store, load, node.sun.scaled(k), node.limits, blocks).availability >= wanted)
        storage = least(lambda k: simulate(node.store.scaled(k), load, node.sun, node.limits, blocks).availability >= wanted)
    return Lived(node, load, course, heard, seen, harvester, storage)


def lived_as_dict(plan: Plan, found: Estimate, lived: Lived) -> dict[str, Any]:
    node, course, load = lived.node, lived.course, lived.load
    per_outage = missed_by(lived)
    told: dict[str, Any] = dict(
        app=plan.name,
        definition=plan.digest,
        board=found.setup.board.name,
        storage=dict(name=node.store.name, size=node.store.size, unit=node.store.unit, **asdict(node.limits)),
        harvester=dict(name=node.sun.name, size=node.sun.size, unit=node.sun.unit, mean_uw=significant(node.sun.mean_w * 1e6)),
        regulator=node.way if node.way == "direct" else node.way.name,
        draws_uw=significant(load.mean_w(node.limits.restart_v) * 1e6),
        boot_s=significant(load.boot_blocks * load.block_s),
        seconds=significant(course.blocks * course.block_s),
        availability=significant(course.availability),
        outages=[
            dict({name: at(block, course) for name, block in asdict(outage).items()}, missed=per_outage.get(i, 0))
            for i, outage in enumerate(course.outages)
        ],
        events=dict(
            told_until_s=at(lived.hearing.until, course),
            expected=lived.hearing.expected,
            missed=[
                dict(at_s=at(m.block, course), label=m.event.label, recording_s=m.event.time_s, outage=m.outage)
                for m in lived.hearing.missed
            ],
            others=lived.hearing.others,
        ),
        windows=lived.windows and dict(due=lived.windows[0], missed=lived.windows[1]),
        joules={name: significant(value) for name, value in asdict(course.joules).items()},
        notes=node.notes,
    )
    if node.availability is not None:
        told["least"] = dict(
            availability=node.availability,
            harvester=lived.least_harvester and significant(lived.least_harvester * node.sun.size),
            storage=lived.least_storage and significant(lived.least_storage * node.store.size),
        )
    return told


def at(block: int | None, course: Course) -> float | None:
    return None if block is None else significant(block * course.block_s)


def missed_by(lived: Lived) -> dict[int, int]:
    found: dict[int, int] = {}
    for missed in lived.hearing.missed:
        found[missed.outage] = found.get(missed.outage, 0) + 1
    return found


def tell_life(plan: Plan, found: Estimate, lived: Lived, as_json: bool) -> None:
    if as_json:
        print(json.dumps(lived_as_dict(plan, found, lived), indent=2, ensure_ascii=False))
        return
    node, course, load, joules = lived.node, lived.course, lived.load, lived.course.joules
    console = output()
    console.width = min(console.width, WIDTH)
    way = "directly" if node.way == "direct" else f"through {node.way.name}"
    limits = node.limits
    console.print(
        f"[bold]{plan.name} on {found.setup.board.name}[/] {way} from {node.store.name}; {node.sun.name}\n"
        f"begins with {limits.start_v:.3g} V, fails below {limits.brown_out_v:.3g} V, starts again at {limits.restart_v:.3g} V\n",
        highlight=False,
    )
    table = Table.grid(padding=(0, 2))
    day = course.blocks * course.block_s
    table.add_row("up", f"[bold]{course.availability:.2%}[/] of {clock(day)}; power failed {count(len(course.outages), 'time')}")
    heard = lived.hearing
    of = "" if heard.until == course.blocks else f" in the first {clock(heard.until * course.block_s)}"
    more = f"; {count(heard.others, 'event')} at moments when an uninterrupted node tells none" if heard.others else ""
    table.add_row("events", f"{len(heard.missed)} of {heard.expected} missed{of}{more}")
    if lived.windows:
        due, missed = lived.windows
        table.add_row("windows", f"{missed} of {due} missed, or not heard whole")
    table.add_row(
        "draws", f"{amount(load.mean_w(limits.restart_v) * 1e6)} µW when it is up; harvested are {amount(node.sun.mean_w * 1e6)} µW"
    )
    table.add_row(
        "joules",
        f"{amount(joules.begin)} at the begin + {amount(joules.harvested)} harvested = {amount(joules.used)} used + "
        f"{amount(joules.leaked)} leaked + {amount(joules.spilled)} spilled when full + {amount(joules.end)} left",
    )
    if node.availability is not None:
        for what, factor, size, unit in (
            ("harvester", lived.least_harvester, node.sun.size, node.sun.unit),
            ("storage", lived.least_storage, node.store.size, node.store.unit),
        ):
            words = f"{amount(factor * size)} {unit}" if factor else "none is large enough"
            table.add_row(f"least {what}", f"[bold]{words}[/] for {node.availability:.2%} of the time, all else as it is")
    console.print(table)
    if course.outages:
        print_outages(lived)
    for note in (*node.notes, *remarks(lived)):
        tell(f"note: {note}")


def print_outages(lived: Lived) -> None:
    console, course, by = output(), lived.course, missed_by(lived)
    console.width = min(console.width, WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("power fails at", "is back at", "listens at", "events missed"):
        table.add_column(column, justify="right")
    for i, outage in enumerate(course.outages[:SHOWN]):
        times = ("never" if block is None else clock(block * course.block_s) for block in (outage.back, outage.listens))
        table.add_row(clock(outage.failed * course.block_s), *times, str(by.get(i, 0)))
    console.print()
    console.print(table)
    if len(course.outages) > SHOWN:
        console.print(f"{len(course.outages) - SHOWN} more are in --json", highlight=False)


def remarks(lived: Lived) -> list[str]:
    found = ["nominal figures of the board, with no interval: see the estimate without --harvest-trace"]
    if lived.hearing.until < lived.course.blocks:
        found.append(f"events are told until {MOST_REPLAYS} different interrupted passes of the recordings have been replayed")
    return found


def clock(seconds: float) -> str:
    """Days, hours, minutes, seconds, as many as are needed.

    >>> clock(93784.2), clock(61.25)
    ('1 d 02:03:04', '00:01:01.25')
    """
    days, rest = divmod(seconds, DAY_S)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{int(hours):02}:{int(minutes):02}:{int(rest):02}" if days else f"{int(hours):02}:{int(minutes):02}:{rest:05.2f}"
    return f"{int(days)} d {text}" if days else text
