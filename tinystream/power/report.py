"""An estimate as a dictionary: everything that the table shows, and every figure that went into it."""

from __future__ import annotations

from dataclasses import asdict
from math import ceil
from typing import Any

from tinystream.power.counts import Counts
from tinystream.power.estimate import Estimate, Source, Term
from tinystream.power.interval import Interval

WINDOWS = 60
"""Of the recordings, in what is told over time."""


def estimate_as_dict(estimate: Estimate, counts: Counts) -> dict[str, Any]:
    """The same estimate gives the same dictionary; six significant digits."""
    setup = estimate.setup
    return dict(
        app=counts.plan.name,
        definition=counts.plan.digest,
        board=setup.board.name,
        figures_of=setup.board.says,
        mode=estimate.mode.name,
        clock_hz=estimate.clock_hz,
        temperature_c=setup.temperature_c,
        battery=dict(name=setup.pack.name, volts=setup.pack.volts, usable_mah=told(estimate.usable_mah)),
        feed=dict(regulator=estimate.feed.name, rail_v=estimate.feed.rail_v, needed_v=estimate.feed.needed_v),
        sensor=setup.sensor.name,
        radio=setup.alert and dict(name=setup.alert.radio.name, payload_bytes=setup.alert.payload_bytes, air_s=setup.alert.air_s),
        storage=setup.storage and setup.storage.name,
        duty=counts.plan.duty and counts.plan.duty._asdict(),
        recorded=recorded(counts),
        alerts_per_day=told(estimate.alerts_per_day),
        busy=told(estimate.busy),
        longest_block=significant(estimate.longest_block),
        terms=[term_as_dict(term) for term in estimate.terms],
        groups={group: told(estimate.group_ua(group)) for group in estimate.groups},
        total_ua=told(estimate.total_ua),
        days=told(estimate.days),
        doubts={name: significant(share) for name, share in estimate.doubts.items()},
        notes=estimate.notes,
        not_modelled=estimate.not_modelled,
    )


def recorded(counts: Counts) -> dict[str, Any]:
    """What the replay saw: in all, in an average block, and in at most WINDOWS windows of equal length, one after the other."""
    window = max(1, ceil(counts.blocks / WINDOWS))
    runs = {step: dict(total=n, per_block=significant(n / len(counts.listened))) for step, n in counts.by_step.items()}
    over_time = {step: counts.over_time(step, window).tolist() for step in counts.by_step}
    return dict(
        listened_s=counts.listened_s,
        blocks=counts.blocks,
        listened_blocks=len(counts.listened),
        alerts=len(counts.alerts),
        runs=runs,
        over_time=dict(window_blocks=window, alerts=counts.alerts_over_time(window).tolist(), runs=over_time),
    )


def term_as_dict(term: Term) -> dict[str, Any]:
    return dict(
        group=term.group,
        name=term.name,
        current_ua=told(term.current_ua),
        how=term.how,
        status=term.status,
        figures=[source_as_dict(source) for source in term.sources],
    )


def source_as_dict(source: Source) -> dict[str, Any]:
    return dict(what=source.what, **told(source.figure), unit=source.unit, status=source.status, source=source.source)


def significant(value: float) -> float:
    return float(f"{value:.6g}")


def told(interval: Interval) -> dict[str, float]:
    return asdict(interval.rounded())
