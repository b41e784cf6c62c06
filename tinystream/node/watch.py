"""An app on live samples, whose detectors can be changed between two decisions.

An engine runs all steps; the detectors run here once more, by their own definition in Python, on the scores that it gave.  Their run() is
what a replay's detectors are held to, so events are the same, bit for bit, until a setting is changed; and a change touches limits
alone, not what a detector remembers.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from tinystream.app.definition import App
from tinystream.errors import AppError
from tinystream.node.settings import Changes, SettingsError, changed, effective, hash_of, names_of
from tinystream.plan.plan import Plan
from tinystream.plan.step import Step
from tinystream.run.engine import Fired, Runs, fire
from tinystream.run.learnt import begin
from tinystream.run.trace import Event, events, samples_per_block


class Watch:
    """push() gives events; apply() changes what detectors compare with.

    settings: what holds now, by label, and `settings_hash` for it.
    want:     steps whose outputs are asked for beside the scores; `fired` has those of the last push, of a plan without duty.
    """

    def __init__(self, app: App, plan: Plan, engine: Runs):
        assert len(app.detectors) == len(plan.detections), "the plan is the app's"
        self.app, self.plan, self.engine = app, plan, engine
        self.detectors: list[Step] = [plan.steps[d.step] for d in plan.detections]
        self.sequence = 0
        self.want: set[int] = set()
        self.fired: dict[int, Fired] = {}
        self.changes = Changes()
        self.settings = effective(app, plan, self.changes)
        self.restart()

    def restart(self, learnt: bytes = b"") -> None:
        """A fresh start; what was changed stays changed, and sequence numbers go on."""
        begin(self.plan, self.engine, learnt)
        self.states: list[SimpleNamespace] = [step.fresh_state() for step in self.detectors]
        self.blocks = self.ahead = 0

    def gap(self, samples: int) -> None:
        """So many samples are missing before the next block (io/live/base.py): a fresh start behind them, but what was learnt stays, and
        events count the missing as time that has passed."""
        self.ahead += self.blocks * samples_per_block(self.plan) + samples
        self.engine.reset()
        self.states = [step.fresh_state() for step in self.detectors]
        self.blocks = 0

    @property
    def settings_hash(self) -> str:
        return hash_of(self.settings)

    def push(self, *x: np.ndarray) -> list[Event]:
        """Blocks [n, *shape] of each source; the events in them, but for those of labels that are switched off."""
        if self.plan.duty is None:
            return self._push(*x)
        start, every, found = self.blocks, self.plan.duty.every, []
        cuts = [start, *range((start // every + 1) * every, start + len(x[0]), every), start + len(x[0])]
        for first, last in pairwise(cuts):
            if first % every == 0:  # each window begins from a fresh start
                self.states = [step.fresh_state() for step in self.detectors]
            found += self._push(*(blocks[first - start : last - start] for blocks in x))
        return found

    def _push(self, *x: np.ndarray) -> list[Event]:
        wanted = {d.scores for d in self.plan.detections if d.scores >= 0}
        given = self.engine.push(*x, want=wanted | self.want)
        self.fired = {step: given[step] for step in self.want}
        now = self.blocks + np.arange(len(x[0]))
        given |= {-1 - i: Fired(now, block) for i, block in enumerate(x)}
        self.blocks += len(x[0])
        fired = {
            d.step: fire(step, state, [given[d.scores]])
            for d, step, state in zip(self.plan.detections, self.detectors, self.states, strict=True)
        }
        found = [event for event in events(self.plan, fired, 0, ahead=self.ahead) if self.changes.enable.get(event.label, True)]
        numbered = [replace(event, sequence=self.sequence + n) for n, event in enumerate(found)]
        self.sequence += len(numbered)
        return numbered

    def apply(self, changes: Changes) -> None:
        """From the next block on.  SettingsError, and nothing changed, where a detector cannot take what is asked for."""
        steps = []
        for detector, detection, names, now in zip(
            self.app.detectors, self.plan.detections, names_of(self.plan), self.detectors, strict=True
        ):
            try:
                step = changed(detector, detection.classes, names, changes).plan(now.x[0])
            except AppError as error:
                raise SettingsError(error.what, error.help) from None
            assert isinstance(step, Step), "a detector is one step"
            same = {name: np.shape(value) for name, value in step.state.items()} == {n: np.shape(v) for n, v in now.state.items()}
            assert same, "settings change limits, not what is remembered"
            steps.append(replace(now, params=step.params, tables=step.tables, y=step.y))
        self.settings = effective(self.app, self.plan, changes)
        self.detectors, self.changes = steps, changes
