"""The current over time through recordings, as a meter between battery and board would show it if the nominal figures were true.

Made of rectangles that add up: what always flows; what flows while the app listens; the core, which computes instead of idling or
sleeping; wake-ups and reads of a FIFO; alerts.  Its mean is the sum of the estimate without self-discharge, which no meter sees
(a test holds the two together), where recordings hold whole cycles of a duty and alerts are as frequent as recorded.

Time 0 is when the first block is complete: a block is processed while the next one is collected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from tinystream.power.counts import Counts
from tinystream.power.estimate import Estimate, StepCycles

SLEEP, IDLE, READ, WAKE, RADIO = "deep sleep", "idle while capturing", "reading the FIFO", "wake-up", "sending an alert"
"""States in which no step is computed.  No step can be called so: its name is one word."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Segments in a row: edges_s [n + 1], current_ua [n] out of the battery, state [n] as an index into `states`.

    computing:  for each state, whether the core computes a step; the others are those named above.
    listening:  [n], whether samples are collected.
    """

    edges_s: np.ndarray
    current_ua: np.ndarray
    state: np.ndarray
    listening: np.ndarray
    states: tuple[str, ...]
    computing: tuple[bool, ...]
    alerts_s: np.ndarray
    volts: float

    @property
    def seconds(self) -> float:
        return float(self.edges_s[-1])

    @property
    def charge_uc(self) -> np.ndarray:
        """That has flowed at each edge."""
        return np.concatenate([[0.0], np.cumsum(self.current_ua * np.diff(self.edges_s))])

    @property
    def mean_ua(self) -> float:
        return float(self.charge_uc[-1] / self.seconds)

    def means(self, edges_s: np.ndarray) -> np.ndarray:
        """µA between each two of these times; no charge is lost, however short its pulse."""
        return np.diff(np.interp(edges_s, self.edges_s, self.charge_uc)) / np.diff(edges_s)

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Number of the segment at each of these times."""
        return np.clip(np.searchsorted(self.edges_s, times_s, side="right") - 1, 0, len(self.state) - 1)


def timeline(counts: Counts, cycles: Mapping[str, StepCycles], found: Estimate) -> Timeline:
    """Of the recordings that were counted, with the estimate that was made of them."""
    return _Drawing(counts, cycles, found).timeline()


class _Drawing:
    """Rectangles as they come together."""

    def __init__(self, counts: Counts, cycles: Mapping[str, StepCycles], found: Estimate):
        self.counts, self.found, self.setup = counts, found, found.setup
        self.plan, self.clock_hz = counts.plan, found.clock_hz
        self.cycles = {step: told.cycles.nominal for step, told in cycles.items()}
        self.block_s = float(1 / self.plan.x[0].rate_hz)
        self.seconds = counts.blocks * self.block_s
        self.streams = self.setup.sensor.capture != "serial"
        self.states = [SLEEP, IDLE, READ, WAKE, *(step.name for step in self.plan.steps), RADIO]
        self.rectangles: list[tuple[np.ndarray, np.ndarray, float, str | None]] = []
        board, temperature_c = self.setup.board, self.setup.temperature_c
        self.run = self.chip(board.run_ua(found.mode, self.clock_hz, temperature_c).nominal)
        self.idle = self.chip(board.idle_ua(found.mode, self.clock_hz, temperature_c).nominal)
        self.asleep = self.rail(board.sleep_for(self.plan.ram_bytes, temperature_c).current(temperature_c).nominal)

    def timeline(self) -> Timeline:
        begins, ends = self.windows()
        self.always()
        self.listening(begins, ends)
        done_s = self.processing()
        alerts_s = self.alerts(done_s)
        if not self.streams or self.plan.duty:
            self.wake_ups(begins)
        return self.added(begins, ends, alerts_s)

    # --- currents, out of the battery ---------------------------------------------------------------------------

    def rail(self, current_ua: float) -> float:
        """Of the board's rail; with what a switching regulator loses of it."""
        feed = self.found.feed
        lost = feed.regulator.efficiency if feed.regulator else None
        return current_ua * (feed.rail_v / feed.battery_v if feed.switches else 1) / (lost.value if lost else 1)

    def chip(self, current_ua: float) -> float:
        feed, mode = self.found.feed, self.found.mode
        return self.rail(current_ua * (mode.at_v / feed.rail_v if mode.kind == "smps" else 1))

    # --- rectangles ---------------------------------------------------------------------------------------------

    def windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Begin and end of each stretch of listening."""
        blocks = self.counts.listened
        first = np.concatenate([[True], np.diff(blocks) > 1])
        last = np.concatenate([first[1:], [True]])
        return blocks[first] * self.block_s, (blocks[last] + 1) * self.block_s

    def always(self) -> None:
        setup = self.setup
        others = [setup.board.quiescent_ua, setup.storage and setup.storage.leakage_ua, setup.alert and setup.alert.radio.standby_ua]
        current = sum(self.rail(figure.value) for figure in others if figure) + self.rail(setup.sensor.standby_ua.value) + self.asleep
        if self.found.feed.regulator:
            current += self.found.feed.regulator.quiescent_ua.value
        self.add(np.zeros(1), np.full(1, self.seconds), current, SLEEP)

    def listening(self, begins: np.ndarray, ends: np.ndarray) -> None:
        """The sensor starts before each window, but for one that the recording begins with."""
        sensor, x = self.setup.sensor, self.plan.x[0]
        assert x.sample_hz is not None, "a source has a rate"
        more = self.rail(sensor.current_ua.at(float(x.sample_hz)).nominal - sensor.standby_ua.value)
        if self.plan.duty:
            every_s = self.plan.duty.every * self.block_s
            starts = np.arange(0, self.seconds + every_s / 2, every_s)
            from_s = np.maximum(starts - sensor.start_s.value, starts - (every_s - self.plan.duty.on * self.block_s))
            self.add(from_s, starts, more, None)
        self.add(begins, ends, more, None)
        if self.streams:
            capture = self.chip(self.found.mode.capture[sensor.capture].value)
            self.add(begins, ends, capture + self.idle - self.asleep, IDLE)
        else:
            assert sensor.bus_hz, "a serial sensor has a bus"
            blocks = self.counts.listened * self.block_s
            self.add(blocks, blocks + self.read_s(), self.idle, READ)

    def read_s(self) -> float:
        """Time on the bus for a block."""
        sensor, x = self.setup.sensor, self.plan.x[0]
        return 0.0 if self.streams or not sensor.bus_hz else x.size * sensor.sample_bytes * 8 / sensor.bus_hz

    def processing(self) -> np.ndarray:
        """Step after step, each block's when it is there and those before it are done; the time at which each block is done."""
        steps = self.plan.steps
        block = np.concatenate(self.counts.ran)
        step = np.repeat(np.arange(len(steps)), [len(ran) for ran in self.counts.ran])
        order = np.lexsort((step, block))
        block, step = block[order], step[order]
        took = np.array([self.cycles[s.name] for s in steps])[step] / self.clock_hz
        ready = block * self.block_s + self.read_s()
        total = np.cumsum(took)
        end = total + np.maximum.accumulate(ready - (total - took))
        for i, s in enumerate(steps):
            mine = step == i
            self.add(end[mine] - took[mine], end[mine], self.run - (self.idle if self.streams else self.asleep), s.name)
        done_s = np.zeros(self.counts.blocks)
        np.maximum.at(done_s, block, end)
        return done_s

    def alerts(self, done_s: np.ndarray) -> np.ndarray:
        """A rectangle at the radio's peak: the charge is the estimate's, with its attempts, and the shape is not known."""
        begins = done_s[self.counts.alerts]
        alert = self.setup.alert
        if alert and alert.radio.peak_ma.value:
            took = alert.charge_uc.nominal * alert.attempts.nominal / (alert.radio.peak_ma.value * 1000)
            self.add(begins, begins + took, self.rail(alert.radio.peak_ma.value * 1000), RADIO)
        return begins

    def wake_ups(self, begins: np.ndarray) -> None:
        """Long enough for their charge not to draw more than the core does."""
        sensor, x = self.setup.sensor, self.plan.x[0]
        state = self.setup.board.sleep_for(self.plan.ram_bytes, self.setup.temperature_c)
        reads = ceil(x.size / sensor.fifo) if sensor.fifo else 0
        told = state.wake_charge_nc
        charge_uc = self.rail(told.value / 1000) if told else state.wake_s.value * self.run
        took = max(state.wake_s.value, charge_uc / self.run)
        at_reads = (self.counts.listened[:, None] + np.arange(reads) / max(reads, 1)).ravel() * self.block_s
        for times in (at_reads, begins if self.plan.duty else begins[:0]):
            self.add(times, times + took, charge_uc / took, WAKE)

    # --- their sum ----------------------------------------------------------------------------------------------

    def add(self, begins: np.ndarray, ends: np.ndarray, current_ua: float, state: str | None) -> None:
        """state: what it is called while nothing later in the list of states is on."""
        inside = (begins < self.seconds) & (ends > 0) & (ends > begins)
        limits = np.clip(begins[inside], 0, self.seconds), np.clip(ends[inside], 0, self.seconds)
        self.rectangles.append((np.round(limits[0], 9), np.round(limits[1], 9), current_ua, state))

    def added(self, begins: np.ndarray, ends: np.ndarray, alerts_s: np.ndarray) -> Timeline:
        edges = np.unique(np.concatenate([limit for rectangle in self.rectangles for limit in rectangle[:2]]))
        current, state = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1, np.int64)
        for first, last, ua, name in self.rectangles:
            covered = self.covered(edges, first, last)
            current += ua * covered
            if name is not None:
                np.maximum(state, self.states.index(name) * (covered > 0), out=state)
        listening = self.covered(edges, np.round(begins, 9), np.round(ends, 9)) > 0
        computing = tuple(step in self.cycles for step in self.states)
        return Timeline(edges, current, state, listening, tuple(self.states), computing, alerts_s, self.setup.pack.volts)

    def covered(self, edges: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How many of the rectangles lie over each segment."""
        begun = np.searchsorted(np.sort(first), edges[:-1], side="right")
        return begun - np.searchsorted(np.sort(last), edges[:-1], side="right")
