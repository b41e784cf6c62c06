"""What to do about a battery that is empty too soon: other settings, each with its life and with what it hears.

Each setting is planned anew and replayed over the same recordings, which give its counts and, by their truth, its misses and false
alarms.  Four knobs:

    clock   a point of the board's run table, in each way to feed the core
    duty    seconds of listening in so many seconds, or always
    gate    dBFS at which the app's gate opens; the level at which it closes keeps its distance
    stride  feature vectors from one decision to the next: `every` of the app's last stack

What a duty cycle hears depends on where its windows fall, so that recordings are heard STARTS times, the windows begun earlier by
an equal part of the cycle each time; misses and false alarms are means over these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import ceil
from pathlib import Path
from typing import TypeVar

import numpy as np

from tinystream.app.definition import App, Duty
from tinystream.app.planning import plan as plan_app
from tinystream.errors import AppErrors
from tinystream.firmware.deadline import minimum_clock_hz
from tinystream.io.truth import Truth
from tinystream.plan.plan import Plan
from tinystream.plan.stage import Stage
from tinystream.power.board import hertz, mhz
from tinystream.power.counts import Counts, count_runs, in_a_row, poisson
from tinystream.power.estimate import DAY_S, Estimate, Setup, StepCycles, check, estimate
from tinystream.power.files import PowerError
from tinystream.power.interval import Interval
from tinystream.run.duty import OnDuty
from tinystream.run.engine import Fired, Runs
from tinystream.run.judge import judge
from tinystream.run.replay import EngineName, blocks_of, make_engine
from tinystream.run.trace import Event, events, joined
from tinystream.stages.gate import Gate
from tinystream.stages.stack import Stack

KNOBS = ("clock", "duty", "gate", "stride")
STARTS = 8
LISTEN_S = 4
"""Of a window, where an app that always listens is to be put on duty and nobody says how."""
SLEEPS = (1.25, 1.5, 2, 4)
"""Lengths of a cycle, in windows."""
DECIBELS = (-12.0, -6.0, 6.0, 12.0)
STRIDES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Setting:
    """All four knobs.  duty: (on_s, every_s), None for always; gate_db, stride: None where the app has no such stage."""

    mode: str
    clock_hz: float
    duty: tuple[float, float] | None
    gate_db: float | None
    stride: int | None

    def told(self, knob: str) -> str:
        """For people."""
        if knob == "clock":
            return f"{mhz(self.clock_hz)} {self.mode}"
        if knob == "duty":
            return f"{self.duty[0]:g} of {self.duty[1]:g} s" if self.duty else "always"
        if knob == "gate":
            return "none" if self.gate_db is None else f"{self.gate_db:g} dB"
        return "none" if self.stride is None else f"{self.stride}"

    def says(self, knobs: Sequence[str]) -> str:
        """These of its knobs, as they read in a row."""
        return ", ".join(f"{knob} {self.told(knob)}" if knob in ("gate", "stride") else self.told(knob) for knob in knobs)


@dataclass(frozen=True)
class Heard:
    """What a setting gave on the recordings; words, missed and false_alarms are None without truth, and means over the starts."""

    counts: Counts
    recorded_s: float
    words: int | None
    missed: float | None
    false_alarms: float | None

    @property
    def missed_share(self) -> Interval:
        """Of the words of all recordings like these: the exact interval of 90 % for so few (Clopper and Pearson, 1934)."""
        from scipy.special import betaincinv  # takes a while to import

        assert self.words and self.missed is not None
        low = float(betaincinv(self.missed, self.words - self.missed + 1, 0.05)) if self.missed else 0.0
        high = float(betaincinv(self.missed + 1, self.words - self.missed, 0.95)) if self.missed < self.words else 1.0
        return Interval(low, self.missed / self.words, high)

    @property
    def false_alarms_per_day(self) -> Interval:
        """With the interval of their number in one hearing: the same sound heard again is no more evidence."""
        assert self.false_alarms is not None
        return poisson(self.false_alarms) * (DAY_S / self.recorded_s)


@dataclass(frozen=True, eq=False)
class Tried:
    """needs_hz: the clock below which blocks would be missed, were cycles at their high end.  refused: why there is no estimate."""

    setting: Setting
    heard: Heard
    needs_hz: float
    estimate: Estimate | None
    refused: str = ""

    @property
    def usable(self) -> bool:
        """It keeps up, even at the high end of its cycles."""
        return self.estimate is not None and self.setting.clock_hz >= self.needs_hz

    @cached_property
    def days(self) -> float:
        assert self.estimate, "a setting that is refused has no life"
        return self.estimate.days.nominal


# --- which settings -------------------------------------------------------------------------------------------


def present(app: App, setup: Setup) -> Setting:
    """The app as it is."""
    gate, stack = only(app, Gate), last(app, Stack)
    return Setting(
        setup.board.find_mode(setup.mode).name,
        float(setup.clock_hz or setup.board.board.clock_hz),
        (app.duty.on_s, app.duty.every_s) if app.duty else None,
        gate.open_db if gate else None,
        stack.every if stack else None,
    )


def settings(app: App, setup: Setup, told: Mapping[str, Sequence[str]], block_hz: float) -> list[Setting]:
    """Every combination of the present values and those that are told, the present setting first; usual ones where a knob has no values.

    PowerError for a knob that there is not, that the app has not, or a value that is none.
    """
    now = present(app, setup)
    for knob in told:
        if knob not in KNOBS:
            raise PowerError(f"there is no knob '{knob}' to sweep", ", ".join(KNOBS))
    if "gate" in told and now.gate_db is None:
        raise PowerError("the app has no stage of kind 'gate' whose threshold could be swept", "--sweep without gate, or a gate")
    if "stride" in told and now.stride is None:
        raise PowerError("the app has no stage of kind 'stack' whose stride could be swept", "--sweep without stride, or a stack")
    clocks, duties, gates, strides = [(now.mode, now.clock_hz)], [now.duty], [now.gate_db], [now.stride]
    if "clock" in told:
        clocks += [clock_value(text, now.mode) for text in told["clock"]] or usual_clocks(setup)
    if "duty" in told:
        duties += [duty_value(text) for text in told["duty"]] or usual_duties(app, block_hz)
    if "gate" in told:
        gates += [gate_value(text) for text in told["gate"]] or usual_gates(app, now)
    if "stride" in told:
        strides += [stride_value(text) for text in told["stride"]] or usual_strides(now)
    found = [Setting(*clock, duty, gate, stride) for stride, gate, duty, clock in product(strides, gates, duties, clocks)]
    for mode, clock_hz in clocks:
        setup.board.check_clock(setup.board.find_mode(mode), clock_hz)
    return list(dict.fromkeys(found))


def clock_value(text: str, mode: str) -> tuple[str, float]:
    named, _, clock = text.rpartition(":")
    return named.strip() or mode, hertz(clock)


def duty_value(text: str) -> tuple[float, float] | None:
    if text == "always":
        return None
    try:
        on_s, every_s = map(float, text.split("/"))
    except ValueError:
        raise PowerError(f"'{text}' is no duty", "seconds of listening / seconds of a cycle, or always: --sweep duty=2/8,always") from None
    if not 0 < on_s < every_s < float("inf"):
        raise PowerError(f"a duty of {text} does not listen for a part of the time", "--sweep duty=2/8,always")
    return on_s, every_s


def gate_value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise PowerError(f"'{text}' is no threshold of a gate", "dBFS: --sweep gate=-50,-44") from None
    if not -120 <= value <= 0:
        raise PowerError(f"a gate that opens at {text} dBFS cannot be: from -120 to 0", "--sweep gate=-50,-44")
    return value


def stride_value(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_536:
        raise PowerError(f"'{text}' is no stride", "feature vectors from one decision to the next: --sweep stride=3,6")
    return int(text)


def usual_clocks(setup: Setup) -> list[tuple[str, float]]:
    """Each point of the run table of each way to feed the core that the sensor's capture is told for."""
    found = []
    for mode in setup.board.mode:
        if setup.mode in (None, mode.name) and setup.sensor.capture in mode.capture:
            found += [(mode.name, hz) for hz, _ in mode.run.points if mode.idle.holds(hz)]
    return found


def usual_duties(app: App, block_hz: float) -> list[tuple[float, float] | None]:
    on = round(app.duty.on_s * block_hz) if app.duty else ceil(LISTEN_S * block_hz)
    return [None, *((on / block_hz, ceil(on * cycle) / block_hz) for cycle in SLEEPS if ceil(on * cycle) > on)]


def usual_gates(app: App, now: Setting) -> list[float | None]:
    gate = only(app, Gate)
    assert gate and now.gate_db is not None
    distance = now.gate_db - closes_at(gate)
    return [now.gate_db + step for step in DECIBELS if now.gate_db + step - distance >= -120 and now.gate_db + step <= 0]


def usual_strides(now: Setting) -> list[int | None]:
    assert now.stride
    return [now.stride * times for times in STRIDES]


# --- an app with another setting ------------------------------------------------------------------------------

S = TypeVar("S", bound=Stage)


def only(app: App, kind: type[S]) -> S | None:
    """PowerError where there are several: which one is meant?"""
    found = [stage for stage in app.stages if isinstance(stage, kind)]
    if len(found) > 1:
        raise PowerError(f"the app has {len(found)} stages of kind '{kind.kind}'", "an app with one can be swept")
    return found[0] if found else None


def last(app: App, kind: type[S]) -> S | None:
    return next((stage for stage in reversed(app.stages) if isinstance(stage, kind)), None)


def closes_at(gate: Gate) -> float:
    return gate.open_db - 6 if gate.close_db is None else gate.close_db


def applied(app: App, setting: Setting) -> App:
    """The app with the setting's duty, gate and stride; one that differs in nothing is the app itself."""
    changes: dict[int, Stage] = {}
    gate, stack = only(app, Gate), last(app, Stack)
    if gate and setting.gate_db is not None and setting.gate_db != gate.open_db:
        close_db = None if gate.close_db is None else gate.close_db + setting.gate_db - gate.open_db
        changes[id(gate)] = Gate.model_validate({**gate.model_dump(), "open_db": setting.gate_db, "close_db": close_db})
    if stack and setting.stride is not None and setting.stride != stack.every:
        changes[id(stack)] = Stack.model_validate({**stack.model_dump(), "every": setting.stride})
    duty = Duty(on_s=setting.duty[0], every_s=setting.duty[1]) if setting.duty else None
    return app.model_copy(update=dict(stages=tuple(changes.get(id(stage), stage) for stage in app.stages), duty=duty))


# --- trying them ----------------------------------------------------------------------------------------------


@dataclass
class Sweep:
    """Tries settings.  x: samples of each recording; truths: of each, or none at all; cycles_of: those of a plan's steps on the board."""

    app: App
    folder: Path
    setup: Setup
    x: Sequence[np.ndarray]
    truths: Sequence[Truth]
    cycles_of: Callable[[Plan], Mapping[str, StepCycles]]
    engine: EngineName = "auto"
    cycles: dict[int | None, Mapping[str, StepCycles]] = field(default_factory=dict)
    engines: dict[tuple[float | None, int | None], Runs] = field(default_factory=dict)
    hearings: dict[Setting, tuple[Heard, float]] = field(default_factory=dict)

    def run(self, found: Sequence[Setting]) -> Iterator[Tried]:
        """In the order of the settings; what they share is computed once.  AppErrors where one of them cannot be planned."""
        starts = STARTS if any(setting.duty for setting in found) else 1
        for setting in found:
            yield self.tried(setting, starts)

    def tried(self, setting: Setting, starts: int) -> Tried:
        heard, needs_hz = self.heard(setting, starts)
        setup = replace(self.setup, mode=setting.mode, clock_hz=setting.clock_hz)
        check(setup, heard.counts.plan)
        try:
            return Tried(setting, heard, needs_hz, estimate(heard.counts, self.cycles[setting.stride], setup))
        except PowerError as error:
            return Tried(setting, heard, needs_hz, None, error.what)

    def heard(self, setting: Setting, starts: int) -> tuple[Heard, float]:
        """With the clock that it needs; both are the same at any clock."""
        key = replace(setting, mode="", clock_hz=0.0)
        if key not in self.hearings:
            plan = self.planned(setting)
            bare = self.engines.get((setting.gate_db, setting.stride))
            if bare is None:
                bare = self.engines[setting.gate_db, setting.stride] = make_engine(replace(plan, duty=None), self.engine)
            if setting.stride not in self.cycles:
                self.cycles[setting.stride] = self.cycles_of(replace(plan, duty=None))
            heard = hear(plan, bare, self.x, self.truths, starts)
            work = heard.counts.work({step: told.cycles.high for step, told in self.cycles[setting.stride].items()})
            self.hearings[key] = heard, minimum_clock_hz(work, float(1 / plan.x[0].rate_hz))
        return self.hearings[key]

    def planned(self, setting: Setting) -> Plan:
        try:
            return plan_app(applied(self.app, setting), self.folder)
        except AppErrors as errors:
            told = ", ".join(f"{knob} {setting.told(knob)}" for knob in ("duty", "gate", "stride"))
            raise PowerError(f"no plan of {told}: {errors.what}", errors.help) from None


class Remembering:
    """An engine that keeps what the detector gave since the reset."""

    def __init__(self, plan: Plan, engine: Runs):
        self.plan, self.engine, self.name = plan, engine, engine.name
        self.reset()

    def reset(self) -> None:
        self.engine.reset()
        self.given: dict[int, list[Fired]] = {d.step: [] for d in self.plan.detections}

    def forget(self) -> None:
        self.engine.forget()

    def learnt(self) -> bytes:
        return self.engine.learnt()

    def restore(self, blob: bytes) -> None:
        self.engine.restore(blob)

    def push(self, *x: np.ndarray, want=None) -> dict[int, Fired]:
        fired = self.engine.push(*x, want=want)
        for step, parts in self.given.items():
            parts.append(fired[step])
        return fired

    def events(self) -> list[Event]:
        """Since the reset."""
        return events(self.plan, {step: joined(parts, self.plan.steps[step].y) for step, parts in self.given.items()}, 0)


def hear(plan: Plan, bare: Runs, x: Sequence[np.ndarray], truths: Sequence[Truth], starts: int) -> Heard:
    """Recordings, from so many places of the duty cycle: until one begins, the node has heard silence.

    bare: of the plan without its duty.
    """
    block_s = float(1 / plan.x[0].rate_hz)
    engine = Remembering(plan, OnDuty(plan, plan.duty, bare) if plan.duty else bare)
    parts, missed, false_alarms = [], 0, 0
    for start in range(starts if plan.duty else 1):
        lead = plan.duty.every * start // starts if plan.duty else 0
        for i, samples in enumerate(x):
            blocks = blocks_of(plan, samples).beats
            silence = np.zeros((lead * plan.x[0].shape[0], *samples.shape[1:]), samples.dtype)
            counts = count_runs(plan, engine, [np.concatenate([silence, samples])])
            parts.append(counts.between(lead, lead + blocks))
            if truths:
                now = [shifted(event, lead * block_s) for event in engine.events()]
                judged = judge([event for event in now if event.time_s > 0], truths[i])
                missed, false_alarms = missed + judged.missed, false_alarms + judged.false_alarms
    times = len(parts) // len(x)
    recorded_s = sum(blocks_of(plan, samples).beats for samples in x) * block_s
    if not truths:
        return Heard(in_a_row(parts), recorded_s, None, None, None)
    words = sum(len(truth.windows) for truth in truths)
    return Heard(in_a_row(parts), recorded_s, words, missed / times, false_alarms / times)


def shifted(event: Event, lead_s: float) -> Event:
    return replace(event, time_s=round(event.time_s - lead_s, 6))


# --- which one is best ----------------------------------------------------------------------------------------


def best(tried: Sequence[Tried], now: Tried, more: float = 0.0) -> Tried | None:
    """The longest nominal life of those that keep up at their worst, and miss and falsely raise at most so many more than now.

    Of equals the one that misses least, then the one that raises fewest false alarms, then the first.
    """
    fit = [t for t in tried if t.usable and no_worse(t.heard, now.heard, more)]
    return max(fit, key=lambda t: (t.days, -(t.heard.missed or 0), -(t.heard.false_alarms or 0)), default=None)


def no_worse(heard: Heard, now: Heard, more: float) -> bool:
    if heard.missed is None or now.missed is None or heard.false_alarms is None or now.false_alarms is None:
        return True  # without truth only clocks are swept, which hear the same
    return heard.missed <= now.missed + more and heard.false_alarms <= now.false_alarms + more


def front(tried: Sequence[Tried]) -> list[Tried]:
    """Those that no other one beats: none lives as long, misses as little and raises as few false alarms, and is better in one of these."""
    usable = [t for t in tried if t.usable]

    def merits(t: Tried) -> tuple[float, float, float]:
        return t.days, -(t.heard.missed or 0), -(t.heard.false_alarms or 0)

    def beaten(t: Tried) -> bool:
        return any(merits(o) != merits(t) and all(a >= b for a, b in zip(merits(o), merits(t))) for o in usable)

    return [t for t in usable if not beaten(t)]
