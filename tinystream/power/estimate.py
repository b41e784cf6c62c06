"""What an app draws on a board, term by term, and how long a battery lasts.

Every term is a mean current out of the battery: terms add, and charge divided by their sum is time.

    active          run current x cycles of a step x how often it runs / clock
    idle            idle current x the rest of the time, while a peripheral collects samples
    capture         that peripheral, its clock and DMA, all the time that it collects; or the bus to a sensor's FIFO
    sleep           sleep current x the time without clocks: between two reads of a FIFO, or between two looks
    wake-ups        charge of a wake-up x how often
    sensor          on, or in standby
    alerts          charge of an attempt x attempts x how often
    radio standby   between alerts
    leakage         what else hangs at the rail
    regulator       its own current, and what it loses of what it passes on
    self-discharge  of the battery
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from tinystream.plan.plan import Plan
from tinystream.power.battery import Pack
from tinystream.power.board import INFERENCE, BoardPower, Mode, mhz
from tinystream.power.counts import Counts
from tinystream.power.feed import Feed, Way, find_feed
from tinystream.power.figure import SPREAD, Figure, Status, Table
from tinystream.power.files import PowerError
from tinystream.power.interval import Interval, amount, apart, exactly, together
from tinystream.power.parts import Sensor, Storage
from tinystream.power.radio import DUTY_LIMIT, Alert

DAY_S = 86_400


@dataclass(frozen=True)
class StepCycles:
    """Cycles of one run of a step on the board, its memory with it, and who says so."""

    cycles: Interval
    status: Status
    source: str


@dataclass(frozen=True)
class Setup:
    """What is wired together, and how it is run.  None: the board's own clock, its first mode, what fits as a regulator."""

    board: BoardPower
    pack: Pack
    sensor: Sensor
    alert: Alert | None = None
    storage: Storage | None = None
    regulator: Way | None = None
    mode: str | None = None
    clock_hz: float | None = None
    temperature_c: float = 25.0
    alerts_per_day: float | None = None


@dataclass(frozen=True)
class Source:
    """A figure that went into a term."""

    what: str
    figure: Interval
    unit: str
    status: Status
    source: str

    @property
    def doubt(self) -> float:
        return self.figure.width / self.figure.nominal if self.figure.nominal else self.figure.width


@dataclass(frozen=True)
class Term:
    """A mean current out of the battery.  how: the multiplication, for people."""

    group: str
    name: str
    current_ua: Interval
    how: str
    sources: tuple[Source, ...]

    @property
    def status(self) -> Status:
        """The least certain of its figures'."""
        return max((source.status for source in self.sources), key=list(SPREAD).index)


@dataclass(frozen=True)
class Estimate:
    """busy: fraction of the listening time that the core computes.  longest_block: time of its work, in blocks."""

    setup: Setup
    mode: Mode
    feed: Feed
    clock_hz: float
    terms: tuple[Term, ...]
    busy: Interval
    longest_block: float
    usable_mah: Interval
    alerts_per_day: Interval
    notes: tuple[str, ...]
    not_modelled: tuple[str, ...]

    def group_ua(self, group: str) -> Interval:
        return together(term.current_ua for term in self.terms if term.group == group)

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(term.group for term in self.terms))

    @property
    def total_ua(self) -> Interval:
        """Terms of one group err together, groups apart."""
        return apart(self.group_ua(group) for group in self.groups)

    @property
    def days(self) -> Interval:
        return self.usable_mah / self.total_ua * (1000 / 24)

    @property
    def doubts(self) -> dict[str, float]:
        """Share of each group, and of the capacity, in the uncertainty of the days: of the sum of squares of relative widths."""
        total = self.total_ua.nominal
        squares = {group: (self.group_ua(group).width / total) ** 2 for group in self.groups}
        squares["capacity"] = (self.usable_mah.width / self.usable_mah.nominal) ** 2
        whole = sum(squares.values()) or 1.0
        return dict(sorted(((group, square / whole) for group, square in squares.items()), key=lambda item: -item[1]))


def estimate(counts: Counts, cycles: Mapping[str, StepCycles], setup: Setup) -> Estimate:
    """cycles: by the name of the step.  PowerError where the parts do not fit each other, or the core does not keep up."""
    return _Sum(counts, cycles, setup).estimate()


class _Sum:
    """The terms of one estimate, as they come together."""

    def __init__(self, counts: Counts, cycles: Mapping[str, StepCycles], setup: Setup):
        self.counts, self.cycles, self.setup = counts, cycles, setup
        self.board, self.sensor, self.temperature_c = setup.board, setup.sensor, setup.temperature_c
        self.mode = setup.board.find_mode(setup.mode)
        self.clock_hz = float(setup.clock_hz or setup.board.board.clock_hz)
        self.feed, notes = find_feed(setup.board, setup.pack, setup.regulator)
        self.notes = list(notes)
        duty, block_hz = counts.plan.duty, float(counts.plan.x[0].rate_hz)
        self.on, self.windows_hz = (duty.on / duty.every, block_hz / duty.every) if duty else (1.0, 0.0)
        self.terms: list[Term] = []
        check(setup, counts.plan)
        if not len(counts.listened):
            raise PowerError("the recordings hold no whole block that the app listens to", "record for longer")
        self.run_ua = self.board.run_ua(self.mode, self.clock_hz, self.temperature_c)
        self.idle_ua = self.board.idle_ua(self.mode, self.clock_hz, self.temperature_c)

    def estimate(self) -> Estimate:
        busy = self.busy()
        self.active()
        streams = self.sensor.capture != "serial"
        if streams:
            self.idle(busy)
        self.capture()
        self.sleep(0.0 if streams else 1 - busy.nominal)
        self.sensing()
        alerts = self.alerts()
        self.leakage()
        self.regulator()
        load_ma = apart(term.current_ua for term in self.terms).nominal / 1000
        usable, told = self.setup.pack.usable(self.feed.needed_v, load_ma, self.peak_ma(), self.temperature_c)
        self.self_discharge()
        return Estimate(
            self.setup, self.mode, self.feed, self.clock_hz, tuple(self.terms), busy, self.longest_block(), usable, alerts,
            (*self.notes, *told), tuple(self.not_modelled()),
        )  # fmt: skip

    # --- the core -------------------------------------------------------------------------------------------

    def busy(self) -> Interval:
        work = together(self.cycles[step].cycles * self.counts.rate_hz(step) for step in self.counts.by_step) / self.clock_hz
        if work.nominal >= 1:
            fastest = min(self.mode.run.last, self.mode.idle.last)
            enough = work.nominal * self.clock_hz < fastest
            what = f"{self.board.name} does not keep up at {mhz(self.clock_hz)}: {work.nominal:.2f} s of work come in each second"
            raise PowerError(what, f"--clock {fastest / 1e6:g}MHz" if enough else "a faster board, or a smaller app")
        if work.high >= 1:
            worst = f"at the worst, {work.high:.2f} s of work come in each second"
            self.notes.append(f"the core may not keep up at {mhz(self.clock_hz)}: {worst}")
        return work

    def longest_block(self) -> float:
        nominal = {step: self.cycles[step].cycles.nominal for step in self.counts.by_step}
        blocks = self.counts.busiest_block(nominal) / self.clock_hz * float(self.counts.plan.x[0].rate_hz)
        if blocks > 1:
            self.notes.append(f"the longest block takes {blocks:.2f} blocks of time: blocks must be kept while it is computed")
        return blocks

    def active(self) -> None:
        current = self.feed.from_rail(self.feed.chip(self.mode, self.run_ua))
        common = [table_source("run current", self.mode.run, self.mode.run.at(self.clock_hz), self.clock_hz)]
        if self.mode.raised:
            common.append(Source("inference over the run table", INFERENCE, "", "derived", "ours: 20 published runs over one chip's table"))
        if between := self.mode.run.between(self.clock_hz):
            low, high = between
            self.notes.append(f"the run current at {mhz(self.clock_hz)} is interpolated between {mhz(low)} and {mhz(high)}")
        for step in self.counts.plan.steps:
            told, rate = self.cycles[step.name], self.counts.rate(step.name) * self.on
            mine = [*common, Source("cycles of a run", told.cycles, "", told.status, told.source)]
            if rate.width:
                opened = f"behind a gate, in {self.counts.listened_s:.4g} s of recording, 90 % Poisson interval of how often it opened"
                mine.append(Source("runs a second", rate, "/s", "measured", opened))
            how = f"{told.cycles.nominal:,.0f} cycles × {rate.nominal:.4g} /s"
            self.add("active", step.name, current * (told.cycles * rate / self.clock_hz), how, mine)

    def idle(self, busy: Interval) -> None:
        rest = self.on * (1 - busy.nominal)
        told = [table_source("idle current", self.mode.idle, self.mode.idle.at(self.clock_hz), self.clock_hz)]
        how = f"{amount(self.idle_ua.nominal)} µA for {rest:.1%} of the time, clocks on"
        self.add("idle", "idle while capturing", self.feed.from_rail(self.feed.chip(self.mode, self.idle_ua)) * rest, how, told)

    def capture(self) -> None:
        kind = self.sensor.capture
        if kind != "serial":
            figure = self.mode.capture[kind]
            current = self.feed.from_rail(self.feed.chip(self.mode, figure.interval)) * self.on
            how = f"{kind} peripheral, its clock and DMA"
            self.add("capture", f"capture by {kind}", current, how, [figure_source("capture", "µA", figure)])
            return
        x = self.counts.plan.x[0]
        assert x.sample_hz is not None and self.sensor.bus_hz, "a source has a rate, a serial sensor a bus"
        seconds = float(x.sample_hz) * x.channels * self.sensor.sample_bytes * 8 / self.sensor.bus_hz
        between = Interval(self.idle_ua.low, self.idle_ua.nominal, self.run_ua.high)
        how = f"bus of {mhz(self.sensor.bus_hz)} for {self.on * seconds:.3%} of the time; idle by DMA, running where the core waits"
        told = [
            table_source("idle current", self.mode.idle, self.mode.idle.at(self.clock_hz), self.clock_hz),
            table_source("run current", self.mode.run, self.mode.run.at(self.clock_hz), self.clock_hz),
        ]
        self.add("capture", "reading the FIFO", self.feed.from_rail(self.feed.chip(self.mode, between)) * (self.on * seconds), how, told)

    def sleep(self, of_the_listening: float) -> None:
        """Without clocks: so much of the listening time, and all of the rest of a duty cycle."""
        asleep = self.on * of_the_listening + (1 - self.on)
        if not asleep:
            return
        state = self.board.sleep_for(self.counts.plan.ram_bytes, self.temperature_c)
        current = state.current(self.temperature_c)
        how = f"{state.name}: {current.nominal:.3g} µA at {self.temperature_c:g} °C for {asleep:.1%} of the time"
        told = [table_source("sleep current", state.current_ua, current, None)]
        self.add("sleep", state.name, self.feed.from_rail(current) * asleep, how, told)
        x = self.counts.plan.x[0]
        reads = ceil(x.size / self.sensor.fifo) if self.sensor.fifo else 0
        per_s = self.on * float(x.rate_hz) * reads + self.windows_hz
        if state.wake_charge_nc:
            charge_uc, from_ = state.wake_charge_nc.interval / 1000, [figure_source("wake-up charge", "nC", state.wake_charge_nc)]
        else:
            charge_uc = state.wake_s.interval * self.feed.chip(self.mode, self.run_ua)
            from_ = [figure_source("wake-up time at the run current", "s", state.wake_s)]
        how = f"{charge_uc.nominal:.3g} µC × {per_s:.4g} /s"
        self.add("wake-ups", f"wake-ups from {state.name}", self.feed.from_rail(charge_uc) * per_s, how, from_)

    # --- what hangs at it -----------------------------------------------------------------------------------

    def sensing(self) -> None:
        rate = self.counts.plan.x[0].sample_hz
        assert rate is not None, "a source has a rate"
        on, off, start = self.sensor.current_ua.at(float(rate)), self.sensor.standby_ua, self.sensor.start_s
        share = min(1.0, self.on + start.value * self.windows_hz)
        told = [table_source("sensor", self.sensor.current_ua, on, None)]
        how = f"{amount(on.nominal)} µA"
        if share < 1:
            told.append(Source("sensor's start", exactly(start.value), "s", start.status, start.source))
            how += f" for {share:.1%} of the time"
        self.add("sensor", f"sensor {self.sensor.name}", self.feed.from_rail(on) * share, how, told)
        if share < 1:
            standby, how = self.feed.from_rail(off.interval) * (1 - share), f"{amount(off.value)} µA the rest of the time"
            self.add("sensor", "sensor in standby", standby, how, [figure_source("sensor in standby", "µA", off)])

    def alerts(self) -> Interval:
        """Alerts a day; with their terms where a radio is there."""
        told_by = self.setup.alerts_per_day
        per_s = exactly(told_by / DAY_S) if told_by is not None else self.counts.alert_rate_hz * self.on
        alert = self.setup.alert
        if alert is None:
            return per_s * DAY_S
        if told_by is None:
            self.notes.append("alerts are taken as frequent as in the recordings; --alerts-per-day tells how often they are in the field")
        status: Status = "exact" if told_by is not None else "measured"
        heard = f"{len(self.counts.alerts)} in {self.counts.listened_s:.4g} s of recording, 90 % Poisson interval"
        told = [Source("alerts a day", per_s * DAY_S, "", status, heard if told_by is None else "as told")]
        told += [figure_source(what, unit, figure) for what, unit, figure in alert.figures]
        told.append(Source("attempts of an alert", alert.attempts, "", alert.radio.loss.status, alert.radio.loss.source))
        times = f"{amount(per_s.nominal * DAY_S)} times a day"
        how = f"{amount(alert.charge_uc.nominal)} µC × {alert.attempts.nominal:.3g} attempts, {times}"
        self.add("alerts", f"alerts by {alert.radio.name}", self.feed.from_rail(alert.charge_uc * alert.attempts * per_s), how, told)
        standby = alert.radio.standby_ua
        if standby.value:
            told, current = [figure_source("radio between alerts", "µA", standby)], self.feed.from_rail(standby.interval)
            self.add("radio standby", "radio between alerts", current, f"{standby.value:.3g} µA", told)
        on_air = (alert.air_s or 0.0) * alert.attempts.nominal * per_s.nominal
        if on_air > DUTY_LIMIT:
            self.notes.append(f"{alert.radio.name} would be on the air for {on_air:.1%} of the time, EU868 allows {DUTY_LIMIT:.0%}")
        return per_s * DAY_S

    def leakage(self) -> None:
        for name, what, figure in (
            ("rest of the board", "what else hangs at the rail of the board", self.board.quiescent_ua),
            ("storage", "leakage of the storage", self.setup.storage.leakage_ua if self.setup.storage else None),
        ):
            if figure:
                self.add("leakage", name, self.feed.from_rail(figure.interval), what, [figure_source(what, "µA", figure)])

    def regulator(self) -> None:
        regulator = self.feed.regulator
        if regulator is None:
            return
        groups = dict.fromkeys(term.group for term in self.terms)
        passed = apart(together(term.current_ua for term in self.terms if term.group == group) for group in groups)
        told = [figure_source("quiescent current", "µA", regulator.quiescent_ua)]
        if regulator.efficiency:
            told.append(figure_source("efficiency", "", regulator.efficiency))
        how = f"{regulator.quiescent_ua.value:.3g} µA of its own"
        if regulator.efficiency:
            how += f", and {1 / regulator.efficiency.value - 1:.0%} of what it passes on"
        self.add("regulator", f"regulator {regulator.name}", self.feed.losses_ua(passed), how, told)

    def self_discharge(self) -> None:
        pack = self.setup.pack
        figure = pack.cell.self_discharge_percent_year
        how = f"{figure.value:g} % a year at 20 °C, twice as much each 10 °C"
        told = [figure_source("self-discharge", "% a year", figure)]
        self.add("self-discharge", "self-discharge", pack.self_discharge_ua(self.temperature_c), how, told)

    # --- around the sum -------------------------------------------------------------------------------------

    def peak_ma(self) -> float:
        """The most at once: the core computing, or the radio."""
        core = self.feed.from_rail(self.feed.chip(self.mode, self.run_ua)).nominal / 1000
        radio = self.setup.alert.radio.peak_ma.value if self.setup.alert else 0.0
        return max(core, self.feed.from_rail(exactly(radio)).nominal)

    def add(self, group: str, name: str, current_ua: Interval, how: str, sources: Iterable[Source]) -> None:
        self.terms.append(Term(group, name, current_ua, how, tuple(sources)))

    def not_modelled(self) -> Iterable[str]:
        if self.setup.alert is None:
            yield "alerts: no radio is named (--radio)"
        else:
            yield "the core's work on an alert before the radio has it: composing, encrypting"
        if self.sensor.capture != "serial":
            yield "waking from idle for each block: a few hundred cycles of interrupt and DMA"
        if any(step.kind == "gate" for step in self.counts.plan.steps):
            yield "a sensor that wakes the core by itself: while a gate is closed, sensor and capture go on"
        yield "the course of the battery's voltage: its mean is taken; and its resistance beyond the derating for pulses"
        yield "writes to flash, logging, updates, a debugger, lights"


def check(setup: Setup, plan: Plan) -> None:
    """PowerError where what is wired together does not fit the app, or each other."""
    if len(plan.x) > 1:
        what = f"{plan.name} has {len(plan.x)} sources, {', '.join(plan.names)}, and one sensor is estimated"
        raise PowerError(what, "estimate an app for each source, and add what the second sensor draws")
    board, sensor, cell, rate_hz = setup.board, setup.sensor, setup.pack.cell, float(plan.x[0].sample_hz or 0)
    mode = board.find_mode(setup.mode)
    board.check_clock(mode, setup.clock_hz or board.board.clock_hz)
    find_feed(board, setup.pack, setup.regulator)
    if not board.min_c <= setup.temperature_c <= board.max_c:
        limits = f"{board.min_c:g} to {board.max_c:g} °C"
        raise PowerError(f"{setup.temperature_c:g} °C is outside of what {board.name} is told for: {limits}", "--temperature 25")
    if not cell.temperature.holds(setup.temperature_c):
        limits = f"{cell.temperature.first:g} to {cell.temperature.last:g} °C"
        raise PowerError(
            f"{setup.temperature_c:g} °C is outside of what {cell.name} works at: {limits}", "lithium_aa and er14505 bear more"
        )
    if plan.source and plan.source not in sensor.feeds:
        feeds = " or ".join(sensor.feeds)
        raise PowerError(f"{sensor.name} feeds a source of kind '{feeds}', the app's is '{plan.source}'", "--sensor another")
    if sensor.capture not in mode.capture:
        what = f"{board.name} has no current for capture by {sensor.capture}, which {sensor.name} needs"
        raise PowerError(what, f"a sensor with {', '.join(mode.capture)}")
    if not sensor.current_ua.holds(rate_hz):
        limits = f"{sensor.current_ua.first:g} to {sensor.current_ua.last:g} Hz"
        raise PowerError(f"the app samples at {rate_hz:g} Hz, {sensor.name} is told for {limits}", "--sensor another")
    if setup.alerts_per_day is not None and setup.alerts_per_day < 0:
        raise PowerError(f"{setup.alerts_per_day:g} alerts a day cannot be", "--alerts-per-day 10")


def figure_source(what: str, unit: str, figure: Figure) -> Source:
    return Source(what, figure.interval, unit, figure.status, figure.source)


def table_source(what: str, table: Table, figure: Interval, clock_hz: float | None) -> Source:
    return Source(f"{what} at {mhz(clock_hz)}" if clock_hz else what, figure, "µA", table.status, table.source)
