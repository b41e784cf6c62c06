"""Alert when a score leaves its limits and stays there: once an excursion, with hysteresis.

For each label that may alert, at each decision (one block of scores), v being its score:

    beyond = v >= high or v <= low ? beyond + 1 : 0                 when = "above" has no low, "below" has no high
    well   = clear_low < v < clear_high ? well + 1 : 0

    alert     where it is not on and beyond >= hold                 it is then on
    clear     where it is on and well >= clear_hold                 it is then off
    reminder  where it is on, beyond >= 1 and repeat_s after its last alert or reminder

A decision gives one event at most: of the alerts that of the score which is farthest beyond its limit, and of equals the
first; where there is none the first clear (with report_clear; without, it says nothing and does not wait); where there is
none the first reminder.  What is not told now is looked at again at the next decision.  Between alerts, reminders among
them, of whichever label, are at least quiet_s; counting goes on meanwhile.  A score that equals a threshold is beyond it;
one that equals `clear` is not well.  Without `clear` a score is well that is not beyond.

The label of a clear is "<label>_clear".  They count on from the classes: class i is well again in label len(classes) + i.  The score of an
event is v, counted from zero.

Source: ours; alarm limits with a deadband, an on-delay and an off-delay, as in ISA-18.2 (Management of Alarm Systems, 2016), §3.1 and §10.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from math import ceil, floor
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.fixed import sat32
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Detector
from tinystream.plan.step import Step

Number = float | dict[str, float] | None
OPTIONS = {"above": ("threshold", "clear"), "below": ("threshold", "clear"), "outside": ("low", "high", "clear_low", "clear_high")}
NEVER = 1 << 40
"""Beyond every score."""
CLEAR = "_clear"
"""The end of a label that tells that another is over."""


class Limits(Detector):
    """Alert when a score leaves its limits and stays there: once an excursion, with hysteresis."""

    labels: tuple[str, ...] | None = Field(
        default=None, description="which may alert; those with a threshold, or all, where nothing is said")
    when: Literal["above", "below", "outside"] = Field(
        default="above", description="side of the threshold that alerts, or outside of low to high")
    threshold: Number = Field(default=None, description="a score in its unit, such as 3.5, that alerts; or one for each label")
    low: Number = Field(default=None, description='with when = "outside": a score that is not above this alerts; or one for each label')
    high: Number = Field(default=None, description='with when = "outside": a score that is not below this alerts; or one for each label')
    clear: Number = Field(default=None, description="well again is what is on the other side of this; the threshold where nothing is said")
    clear_low: Number = Field(default=None, description='with when = "outside": well again is above this; low where nothing is said')
    clear_high: Number = Field(default=None, description='with when = "outside": well again is below this; high where nothing is said')
    hold: int = Field(default=1, ge=1, le=1_000_000, description="decisions in a row beyond the limit, before an alert")
    clear_hold: int = Field(default=1, ge=1, le=1_000_000, description="decisions in a row that are well, before it is over")
    quiet_s: float = Field(default=0, ge=0, le=86_400, description="from an alert to the next, at least")
    repeat_s: float | None = Field(default=None, gt=0, le=604_800, description="remind so often while it lasts; never if not said")
    report_clear: bool = Field(default=False, description='an event "<label>_clear" when it is over')

    def plan(self, x: Signal) -> Step:
        names = self._names(x)
        labels = self._labels(names)
        tables = self._tables(x, labels)
        quiet = max(1, ceil(Fraction(str(self.quiet_s)) * x.rate_hz))
        repeat = 0 if self.repeat_s is None else max(1, ceil(Fraction(str(self.repeat_s)) * x.rate_hz))
        if max(quiet, repeat) >= 1 << 30:
            option = "quiet_s" if quiet >= 1 << 30 else "repeat_s"
            raise AppError((option,), f"{option} = {getattr(self, option):g} is more than a thousand million decisions", f"{option} = 60")
        count = len(labels)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((2,), "int32", x.rate_hz, x.scale, 0, x.unit),
            params=dict(labels=count, type=score_type(x), zero=x.zero, hold=self.hold, clear_hold=self.clear_hold, quiet=quiet,
                        repeat=repeat, report=len(names) if self.report_clear else 0),
            tables=dict(label=np.array([names.index(n) for n in labels], np.int32), **tables),
            state=dict(beyond=np.zeros(count, np.int32), well=np.zeros(count, np.int32), on=np.zeros(count, np.int32),
                       since=np.zeros(count, np.int32), hush=0),
            waits=True,
            cost=dict(add=16 * count, mem=12 * count),
            says=f"alerts on {', '.join(labels)} {self._words()}",
        )

    def ideal(self, x, blocks):
        names = self._names(x[0])
        labels = self._labels(names)
        low, high, clear_low, clear_high = (dict(zip(labels, side)) for side in self._sides(labels))
        scale, rate_hz = x[0].scale, float(x[0].rate_hz)
        beyond, well, last, on = dict.fromkeys(labels, 0), dict.fromkeys(labels, 0), dict.fromkeys(labels, 0), set[str]()
        latest, events = None, []
        for now, row in enumerate(blocks.reshape(len(blocks), -1)):
            v = {n: row[names.index(n)] for n in labels}
            for n in labels:
                beyond[n] = beyond[n] + 1 if v[n] >= high[n] or v[n] <= low[n] else 0
                well[n] = well[n] + 1 if clear_low[n] < v[n] < clear_high[n] else 0
            over = [n for n in labels if n in on and well[n] >= self.clear_hold]
            if not self.report_clear:
                on -= set(over)
            loud = latest is None or (now - latest) / rate_hz >= self.quiet_s - 1e-9
            fresh = [n for n in labels if loud and n not in on and beyond[n] >= self.hold]
            lasting = [n for n in labels if loud and self.repeat_s is not None and n in on and beyond[n]
                       and (now - last[n]) / rate_hz >= self.repeat_s - 1e-9]
            if fresh:
                name = max(fresh, key=lambda n: max(v[n] - high[n], low[n] - v[n]))
                on.add(name)
            elif over and self.report_clear:
                name = over[0]
                on.remove(name)
                events.append([(len(names) + names.index(name)) * scale, v[name]])
                continue
            elif lasting:
                name = lasting[0]
            else:
                continue
            latest = last[name] = now
            events.append([names.index(name) * scale, v[name]])
        return np.array(events)

    def labels_of(self, x: Signal) -> tuple[str, ...]:
        names = self._names(x)
        return names + tuple(f"{name}{CLEAR}" for name in names) if self.report_clear else names

    # --- what a person wrote, checked -----------------------------------------------------------------------------

    def _words(self) -> str:
        """The limits, for people."""
        def said(value: Number) -> str:
            return f"{value:g}" if isinstance(value, int | float) else "its limit"

        what = f"outside of {said(self.low)} to {said(self.high)}" if self.when == "outside" else f"{self.when} {said(self.threshold)}"
        return what + (f", {self.hold} in a row" if self.hold > 1 else "")

    def _names(self, x: Signal) -> tuple[str, ...]:
        """What the scores are called, in order."""
        score_type(x)
        anonymous = ("anomaly",) if x.size == 1 else tuple(map(str, range(x.size)))
        names = anonymous if self.classes is None else self.classes
        if len(names) != x.size:
            raise AppError(("classes",), f"{len(names)} labels for {x.size} scores: {', '.join(names)}")
        told = [*names, *(f"{name}{CLEAR}" for name in names if self.report_clear)]
        if len(set(told)) < len(told):
            raise AppError(("classes",), f"two scores have the same label: {', '.join(told)}")
        return names

    def _labels(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The labels that may alert, in the order of the scores."""
        self._check_options()
        tables = {option: table for option in OPTIONS[self.when] if isinstance(table := getattr(self, option), dict)}
        first = next(iter(tables.values()), None)
        labels = self.labels if self.labels is not None else tuple(first) if first is not None else names
        for option, words in [("labels", labels), *tables.items()]:
            for label in words:
                if label not in names:
                    raise AppError((option,), f"'{label}' is not a label of the scores", f"{option} from {', '.join(names)}")
        if not labels:
            raise AppError(("labels",), "no label may alert", f'labels = ["{names[-1]}"]')
        for option, table in tables.items():
            if set(table) != set(labels):
                odd = sorted(set(table) ^ set(labels))[0]
                raise AppError((option,), f"'{odd}' has a {option} but may not alert" if odd in table else f"'{odd}' has no {option}",
                               f"{option} = {{ {', '.join(f'{n} = {next(iter(table.values()), 1):g}' for n in labels)} }}")
        return tuple(n for n in names if n in labels)

    def _check_options(self) -> None:
        """Every option that `when` needs, and none that it does not know."""
        for option in {option for known in OPTIONS.values() for option in known} - {*OPTIONS[self.when]}:
            if getattr(self, option) is not None:
                raise AppError((option,), f'{option} means nothing to when = "{self.when}", which knows {", ".join(OPTIONS[self.when])}',
                               'when = "outside"' if option not in OPTIONS["above"] else "low and high")
        for option in ("low", "high") if self.when == "outside" else ("threshold",):
            if getattr(self, option) is None:
                raise AppError(("when",), f'when = "{self.when}" needs {option}', f"{option} = 1.0")

    def _sides(self, labels: tuple[str, ...]) -> list[list[float]]:
        """low, high, clear_low and clear_high of each label, infinite where there is none."""
        def each(option: str, otherwise: list[float]) -> list[float]:
            value = getattr(self, option)
            return otherwise if value is None else [value[n] if isinstance(value, dict) else value for n in labels]

        none = [float("inf")] * len(labels)
        if self.when == "outside":
            low, high = each("low", none), each("high", none)
            return [low, high, each("clear_low", low), each("clear_high", high)]
        limit = each("threshold", none)
        clear = each("clear", limit)
        minus = [-v for v in none]
        return [minus, limit, minus, clear] if self.when == "above" else [limit, none, clear, none]

    def _tables(self, x: Signal, labels: tuple[str, ...]) -> dict[str, np.ndarray]:
        """The limits in counts; what is not in order, or never or always met, is refused."""
        low, high, clear_low, clear_high = self._sides(labels)
        names = dict(low="low", high="high", clear_low="clear_low", clear_high="clear_high") if self.when == "outside" else dict(
            low="threshold", high="threshold", clear_low="clear", clear_high="clear")
        for i, label in enumerate(labels):
            if low[i] >= high[i]:
                raise AppError(("low",), f"low = {low[i]:g} is not below high = {high[i]:g}, of '{label}'", f"low = {high[i] - 1:g}")
            for option, wrong, clear, limit, side in [("clear_high", clear_high[i] > high[i], clear_high[i], high[i], "above"),
                                                      ("clear_low", clear_low[i] < low[i], clear_low[i], low[i], "below")]:
                if wrong:
                    raise AppError((names[option],), f"{names[option]} = {clear:g} lies {side} the limit of '{label}', {limit:g}",
                                   f"{names[option]} = {limit:g}")
            if clear_low[i] >= clear_high[i]:
                raise AppError(("clear_low",), f"clear_low = {clear_low[i]:g} is not below clear_high, {clear_high[i]:g}")
        sides = dict(low=(low, floor), high=(high, ceil), clear_low=(clear_low, floor), clear_high=(clear_high, ceil))
        return {side: np.array([counts(x, names[side], value, whole) for value in values], np.int64)
                for side, (values, whole) in sides.items()}


def ends_of(labels: Collection[str]) -> dict[str, str]:
    """The labels that tell that another one is over, and which.

    >>> ends_of(["anomaly", "anomaly_clear", "all_clear"])
    {'anomaly_clear': 'anomaly'}
    """
    return {f"{label}{CLEAR}": label for label in labels if f"{label}{CLEAR}" in labels}


def counts(x: Signal, option: str, value: float, whole) -> int:
    """The count at a limit, rounded to its outer side; refused where no score, or every score, is beyond it."""
    if abs(value) == float("inf"):
        return NEVER if value > 0 else -NEVER
    info = np.iinfo(x.dtype)
    count = whole(Fraction(str(value)) / Fraction(x.scale)) + x.zero
    upper = whole is ceil
    least, most = (info.min + 1, info.max) if upper else (info.min, info.max - 1)
    if not least <= count <= most:
        low, high = float(x.real(info.min)), float(x.real(info.max))
        words = {(True, True): f"above the greatest score there is, {high:.6g}",
                 (True, False): f"not above the least score there is, {low:.6g}",
                 (False, True): f"not below the greatest score there is, {high:.6g}",
                 (False, False): f"below the least score there is, {low:.6g}"}
        raise AppError((option,), f"{option} = {value:g} is {words[upper, count > most]}",
                       f"{option} = {low + (high - low) * (0.8 if upper else 0.2):.3g}")
    return count


BOUND = 1e-6   # the same events; float64 holds a score to more digits than this

TYPES = {"int8": -1, "uint8": 1, "int16": -2, "uint16": 2, "int32": -4}


def score_type(x: Signal) -> int:
    """How ts_load.h is told the type of the scores."""
    if x.dtype not in TYPES:
        raise AppError((), f"detector 'limits' reads {', '.join(TYPES)} scores, and is given {x}")
    return TYPES[x.dtype]


def run(k, s, x):
    v = x.reshape(-1)[k.label].astype(np.int64)
    past = np.maximum(v - k.high, k.low - v)                    # 0 or more is beyond
    s.beyond = np.where(past >= 0, np.minimum(s.beyond + 1, k.hold), 0)
    s.well = np.where((v > k.clear_low) & (v < k.clear_high), np.minimum(s.well + 1, k.clear_hold), 0)
    s.since = np.minimum(s.since + 1, k.repeat)
    s.hush -= s.hush > 0
    over = (s.on == 1) & (s.well >= k.clear_hold)
    if not k.report:
        s.on = np.where(over, 0, s.on)
    fresh = (s.on == 0) & (s.beyond >= k.hold)
    lasting = (s.on == 1) & (s.beyond > 0) & (s.since >= k.repeat)
    if s.hush == 0 and fresh.any():
        i = int(np.argmax(np.where(fresh, past, -1)))
    elif k.report and over.any():
        i = int(np.argmax(over))
        s.on[i] = 0
        return np.array([k.report + k.label[i], sat32(v[i] - k.zero)], np.int32)
    elif s.hush == 0 and k.repeat > 0 and lasting.any():
        i = int(np.argmax(lasting))
    else:
        return None
    s.on[i], s.since[i], s.hush = 1, 0, k.quiet
    return np.array([k.label[i], sat32(v[i] - k.zero)], np.int32)


def scores(dtype: str, count: int, rate_hz: Fraction, zero: int = 0, scale: float = 2.0**-8) -> Signal:
    return Signal((count,), dtype, rate_hz, scale, zero)


FOUR = scores("int8", 4, Fraction(25), -128)
NAMES = ("silence", "unknown", "yes", "no")
EXAMPLES = [
    (Limits(threshold=0.5), scores("int8", 1, Fraction(10), 0, 2.0**-6)),
    (Limits(classes=NAMES, labels=("yes", "no"), threshold=0.625, clear=0.5, hold=2, quiet_s=0.3), FOUR),
    (Limits(classes=NAMES, threshold={"no": 0.25, "silence": 0.5}, when="below", clear=0.75, clear_hold=3, report_clear=True), FOUR),
    (Limits(when="outside", low=-50.0, high=60.5, clear_low=-40.0, clear_high=30.25, hold=3, repeat_s=0.4, report_clear=True),
     scores("int16", 3, Fraction(20), 5)),
    (Limits(threshold=2.0**21, repeat_s=0.1, quiet_s=0.15, report_clear=True), scores("int32", 2, Fraction(100, 3))),
    (Limits(threshold=0.5, clear=0.25), scores("uint8", 1, Fraction(1, 60))),
    (Limits(threshold=100.0, hold=2), scores("uint16", 2, Fraction(5), 1000)),
]


def inputs(x, rng, count):
    """Scores that rise and fall over some decisions, so that all states are met, the last half in few levels that meet limits exactly."""
    info = np.iinfo(x[0].dtype)
    levels = rng.uniform(info.min, info.max, (3 * count, *x[0].shape)).repeat(6, axis=0)
    noise = rng.normal(0, (float(info.max) - info.min) / 20, levels.shape)
    noise[len(levels) // 2 :] = 0
    blocks = np.clip(levels + noise, info.min, info.max).astype(x[0].dtype)
    blocks[len(levels) // 2 :] = blocks[len(levels) // 2 :] >> (info.bits - 4) << (info.bits - 4)
    blocks[:6], blocks[6:12] = info.min, info.max
    return [blocks]
