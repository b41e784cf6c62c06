"""A board that a storage feeds: its thresholds, and what it draws out of the storage at each block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np

from tinystream.firmware.golden import golden
from tinystream.power.battery import Pack
from tinystream.power.board import BoardPower
from tinystream.power.counts import Counts
from tinystream.power.estimate import Estimate, StepCycles
from tinystream.power.feed import ANY, Way
from tinystream.power.figure import Figure, Table
from tinystream.power.files import PowerError
from tinystream.power.harvest import Limits, Load
from tinystream.power.parts import Battery, Regulator, find_part
from tinystream.power.store import Store, check_volts
from tinystream.power.timeline import timeline

SOURCE = "the rail itself"


def rail(board: BoardPower) -> Pack:
    """In the place of a battery: exactly what the board's pins get, so that an estimate tells currents at the rail."""
    whole = Table(points=((0.0, 1.0), (1e9, 1.0)), status="exact", source=SOURCE)
    nothing = Figure(value=0, status="exact", source=SOURCE)
    temperature = Table(points=((-100.0, 1.0), (200.0, 1.0)), status="exact", source=SOURCE)
    volts = board.supply.rail_v
    cell = Battery(
        name="storage", says=SOURCE, capacity_mah=Figure(value=1, status="exact", source=SOURCE), cell_v=volts, max_v=volts, end_v=volts,
        cut_off=whole, load=whole, pulse=whole, temperature=temperature, self_discharge_percent_year=nothing,
    )  # fmt: skip
    return Pack(cell, 1)


def way_from(store: Store, board: BoardPower, way: Way | None) -> tuple[Way, list[str]]:
    """Between storage and board; what fits where none is named, and then it is said.  PowerError for what cannot be."""
    if way is None:
        if store.max_v <= board.supply.max_v:
            return "direct", []
        way = find_part(Regulator, ANY)
        return way, [f"{store.name} has up to {store.max_v:g} V, {board.name} takes {board.supply.max_v:g} V: {ANY} is put between them"]
    if way == "direct" and store.max_v > board.supply.max_v:
        what = f"{store.name} has up to {store.max_v:g} V, the pins of {board.name} take {board.supply.max_v:g} V"
        raise PowerError(what, f"--regulator {ANY}")
    if way != "direct" and store.max_v > way.max_v:
        raise PowerError(f"{store.name} has up to {store.max_v:g} V, {way.name} takes {way.max_v:g} V", "--regulator another")
    return way, []


def limits_of(
    store: Store, board: BoardPower, way: Way, brown_out_v: float | None, restart_v: float | None, start_v: float | None
) -> Limits:
    """Where nothing is told: brown-out where the supply ends, restart in the middle between that and full, and begin full."""
    if way == "direct":
        least_v = board.supply.min_v
    else:
        down = way.converts in ("ldo", "buck")
        least_v = max(way.min_v, board.supply.rail_v + way.dropout_v if down else 0.0)
    low = max(least_v, store.empty_v) if brown_out_v is None else brown_out_v
    if low < least_v:
        what = f"brown-out at {low:.3g} V is below what the supply works at, {least_v:.3g} V"
        raise PowerError(what, f"--brown-out {least_v:.3g}")
    back = (low + store.max_v) / 2 if restart_v is None else restart_v
    begin = store.max_v if start_v is None else start_v
    check_volts(store, low, back, begin)
    return Limits(low, back, begin)


def load_of(counts: Counts, cycles: Mapping[str, StepCycles], found: Estimate, recordings: Sequence[np.ndarray], way: Way) -> Load:
    """Out of the storage, by the nominal figures of an estimate whose battery is rail()."""
    plan = counts.plan
    block_s = float(1 / plan.x[0].rate_hz)
    lengths = [len(x) // plan.x[0].shape[0] for x in recordings]
    drawn = timeline(counts, cycles, found).means(np.arange(counts.blocks + 1) * block_s) * 1e-6
    every = plan.duty.every if plan.duty else 0
    if every:
        drawn = by_phase(drawn, lengths, every)
        lengths = [ceil(n / every) * every for n in lengths]
    running = found.setup.board.run_ua(found.mode, found.clock_hz, found.setup.temperature_c)
    booting = found.feed.chip(found.mode, running).nominal * 1e-6
    boot_s = found.setup.sensor.start_s.value + golden(plan).blocks * found.busy.nominal * block_s
    watts, amperes = through(way, found, drawn)
    boot_watts, boot_amperes = through(way, found, np.array([booting]))
    return Load(watts, amperes, tuple(lengths), block_s, every, ceil(boot_s / block_s - 1e-9), float(boot_watts[0]), float(boot_amperes[0]))


def through(way: Way, found: Estimate, amperes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Watts and amperes out of the storage for amperes of the rail.

    A converter takes a power whatever the storage's voltage; an LDO, and pins whose chip has one, a current.
    """
    none, rail_v = np.zeros(len(amperes)), found.setup.board.supply.rail_v
    if way == "direct":
        return (amperes * rail_v, none) if found.mode.kind == "smps" else (none, amperes)
    own = way.quiescent_ua.value * 1e-6
    if way.efficiency is None:
        return none, amperes + own
    return amperes * rail_v / way.efficiency.value, none + own


def by_phase(drawn: np.ndarray, lengths: Sequence[int], every: int) -> np.ndarray:
    """The mean of each block of a cycle over all cycles; of blocks that no recording reaches, as the last that one does."""
    total, seen, begin = np.zeros(every), np.zeros(every), 0
    for length in lengths:
        phase = np.arange(length) % every
        np.add.at(total, phase, drawn[begin : begin + length])
        np.add.at(seen, phase, 1)
        begin += length
    reached = int(seen.astype(bool).sum())
    mean = total / np.maximum(seen, 1)
    mean[reached:] = mean[reached - 1]
    return mean
