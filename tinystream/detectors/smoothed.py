"""Alert when the mean (or the greatest) of the last scores of a label stays above a threshold.

For each label that may alert, at each decision (one block of scores):

    v     = sum (mean_of = N) or maximum (max_of = N) of its last N scores; no decision before there are N
    above = v >= limit ? above + 1 : 0
    armed = v < rearm ? 1 : armed                     starts armed; always armed without `clear`
    ready = armed and above >= min_scores and the last alert is quiet_s ago, or more

Of the labels that are ready the one with the greatest v alerts, and of equals the first; it is then no longer armed.
From an alert to the next one, of whichever label, are at least quiet_s; counting goes on meanwhile.  A mean that equals the
threshold exactly is above it; one that equals `clear` is not below it.  The score of an event is v, counted from zero.

Source: ours; posterior smoothing as in Chen, Parada and Heigold, Small-Footprint Keyword Spotting Using Deep Neural
Networks, 2014, §2.3; a suppression time as in TensorFlow's recognize_commands.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from pydantic import Field

from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Detector
from tinystream.plan.step import Step


class Smoothed(Detector):
    """Alert when the mean (or the greatest) of the last scores of a label stays above a threshold."""

    labels: tuple[str, ...] | None = Field(
        default=None, description="which may alert; those with a threshold, or all, where nothing is said")
    threshold: float | dict[str, float] = Field(description="a score in the model's unit, such as 0.80; or one for each label")
    mean_of: int | None = Field(default=None, ge=1, le=1000, description="scores in the mean; 1 where nothing is said")
    max_of: int | None = Field(default=None, ge=1, le=1000, description="scores of which the greatest counts, instead of a mean")
    clear: float | None = Field(default=None, description="a label alerts again only once it has been below this")
    min_scores: int = Field(default=1, ge=1, le=30_000, description="decisions in a row above the threshold, before an alert")
    quiet_s: float = Field(default=0, ge=0, le=86_400, description="from an alert to the next, at least")

    def plan(self, x: Signal) -> Step:
        names = self._names(x)
        thresholds = self._thresholds(names)
        if self.mean_of is not None and self.max_of is not None:
            raise AppError(("max_of",), "mean_of and max_of exclude each other", "leave one of them out")
        over, summed = self.mean_of or self.max_of or 1, 1 if self.max_of else self.mean_of or 1
        limits = [self._limit(x, "threshold", value, summed) for value in thresholds.values()]
        rearm = self._rearm(x, thresholds, summed)
        quiet = max(1, ceil(Fraction(str(self.quiet_s)) * x.rate_hz))
        count = len(thresholds)
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((2,), "int32", x.rate_hz, x.scale / summed, 0, x.unit),
            params=dict(labels=count, type=score_type(x), over=over, maximum=int(self.max_of is not None), offset=summed * x.zero,
                        min_scores=self.min_scores, rearm=rearm, quiet=quiet),
            tables=dict(label=np.array([names.index(n) for n in thresholds], np.int32), limit=np.array(limits, np.int32)),
            state=dict(past=np.zeros((over, count), np.int16), sum=np.zeros(count, np.int32), above=np.zeros(count, np.int32),
                       armed=np.ones(count, np.int32), at=0, wait=over, hush=0),
            waits=True,
            cost=dict(add=count * (6 if self.max_of is None else 6 + over), mem=count * 8),
            says=f"{'maximum' if self.max_of else 'mean'} of {over}, alerts on {', '.join(thresholds)}",
        )

    def ideal(self, x, blocks):
        names = self._names(x[0])
        thresholds = self._thresholds(names)
        over = self.mean_of or self.max_of or 1
        scale = self.plan(*x).y.scale
        armed, above, last, events = dict.fromkeys(thresholds, True), dict.fromkeys(thresholds, 0), None, []
        scores = blocks.reshape(len(blocks), -1)
        for now in range(over - 1, len(scores)):
            window = scores[now - over + 1 : now + 1]
            level = dict(zip(names, window.max(axis=0) if self.max_of else window.mean(axis=0)))
            for name, threshold in thresholds.items():
                above[name] = above[name] + 1 if level[name] >= threshold else 0
                armed[name] = armed[name] or self.clear is None or level[name] < self.clear
            ready = [n for n in thresholds if armed[n] and above[n] >= self.min_scores]
            if ready and (last is None or (now - last) / float(x[0].rate_hz) >= self.quiet_s - 1e-9):
                best = max(ready, key=lambda n: level[n])
                last, armed[best] = now, self.clear is None
                events.append([names.index(best) * scale, level[best]])
        return np.array(events)

    # --- what a person wrote, checked -----------------------------------------------------------------------------

    def _names(self, x: Signal) -> tuple[str, ...]:
        """What the scores are called, in order."""
        score_type(x)
        names = tuple(map(str, range(x.size))) if self.classes is None else self.classes
        if len(names) != x.size:
            raise AppError(("classes",), f"{len(names)} labels for {x.size} scores: {', '.join(names)}")
        if len(set(names)) < len(names):
            raise AppError(("classes",), f"two scores have the same label: {', '.join(names)}")
        return names

    def _thresholds(self, names: tuple[str, ...]) -> dict[str, float]:
        """The threshold of each label that may alert, in the order of the scores."""
        table = self.threshold if isinstance(self.threshold, dict) else None
        labels = self.labels if self.labels is not None else tuple(table) if table is not None else names
        for option, words in [("labels", labels), ("threshold", table or {})]:
            for label in words:
                if label not in names:
                    raise AppError((option,), f"'{label}' is not a label of the scores", f"{option} from {', '.join(names)}")
        if not labels:
            raise AppError(("labels",), "no label may alert", f'labels = ["{names[-1]}"]')
        if table is not None and set(table) != set(labels):
            odd = sorted(set(table) ^ set(labels))[0]
            raise AppError(("threshold",), f"'{odd}' has a threshold but may not alert" if odd in table else f"'{odd}' has no threshold",
                           f"threshold = {{ {', '.join(f'{n} = 0.8' for n in labels)} }}")
        return {n: self.threshold[n] if isinstance(self.threshold, dict) else self.threshold for n in names if n in labels}

    def _limit(self, x: Signal, option: str, value: float, summed: int) -> int:
        """The smallest whole sum of raw scores whose mean is at least `value`; refused where scores never or always reach it."""
        info = np.iinfo(x.dtype)
        low, high = float(x.real(info.min)), float(x.real(info.max))
        limit = ceil(Fraction(str(value)) * summed / Fraction(x.scale)) + summed * x.zero
        if limit > summed * info.max or limit <= summed * info.min:
            better = value / 100 if low <= 0 < high <= 1 < value < 100 else high - (high - low) / 5
            if low >= 0 and high <= 1 and not 0 < value < 1:
                raise AppError((option,), f"{option} = {value:g} is not a probability", f"{option} = {better:.2f}")
            above = limit > summed * info.max
            where = f"above the greatest score there is, {high:.6g}" if above else f"not above the least score there is, {low:.6g}"
            raise AppError((option,), f"{option} = {value:g} is {where}", f"{option} = {better:.3g}")
        return limit

    def _rearm(self, x: Signal, thresholds: dict[str, float], summed: int) -> int:
        """The sum below which a label is armed again; beyond every sum where there is no `clear`."""
        if self.clear is None:
            return 2**31 - 1
        for label, threshold in thresholds.items():
            if self.clear > threshold:
                raise AppError(("clear",), f"clear = {self.clear:g} lies above the threshold of '{label}', {threshold:g}",
                               f"clear = {threshold / 2:g}")
        return self._limit(x, "clear", self.clear, summed)


BOUND = 1e-6   # the same events; float64 holds the means to more digits than this


def score_type(x: Signal) -> int:
    """How ts_load.h is told the type of the scores."""
    if x.dtype not in ("int8", "uint8", "int16"):
        raise AppError((), f"a detector reads int8, uint8 or int16 scores, and is given {x}")
    return {"int8": -1, "uint8": 1, "int16": -2}[x.dtype]


def run(k, s, x):
    x = x.reshape(-1)[k.label].astype(np.int32)
    s.sum += x - s.past[s.at]
    s.past[s.at] = x
    s.at = (s.at + 1) % k.over
    s.hush -= s.hush > 0
    s.wait -= s.wait > 0
    if s.wait > 0:
        return None
    v = s.past.max(axis=0).astype(np.int32) if k.maximum else s.sum
    s.above = np.where(v >= k.limit, np.minimum(s.above + 1, k.min_scores), 0)
    s.armed = np.where(v < k.rearm, 1, s.armed)
    ready = (s.armed == 1) & (s.above >= k.min_scores)
    if s.hush > 0 or not ready.any():
        return None
    best = int(np.argmax(np.where(ready, v, -(2**31))))
    s.armed[best] = 0
    s.hush = k.quiet
    return np.array([k.label[best], v[best] - k.offset], np.int32)


def scores(dtype: str, count: int, rate_hz: Fraction, zero: int = 0, scale: float = 2.0**-8) -> Signal:
    return Signal((count,), dtype, rate_hz, scale, zero, unit="probability")


FOUR = scores("int8", 4, Fraction(25), -128)
NAMES = ("silence", "unknown", "yes", "no")
EXAMPLES = [
    (Smoothed(classes=NAMES, labels=("yes", "no"), threshold=0.5, mean_of=4, quiet_s=0.1), FOUR),
    (Smoothed(classes=NAMES, labels=("no", "silence"), threshold=0.625, max_of=3, clear=0.5), FOUR),
    (Smoothed(classes=NAMES, threshold={"no": 0.25, "yes": 0.5}, min_scores=2), FOUR),
    (Smoothed(threshold=1.5, mean_of=2, clear=0.75, min_scores=3, quiet_s=0.2), scores("int16", 3, Fraction(20), 5, 2.0**-12)),
    (Smoothed(threshold=0.75), scores("uint8", 1, Fraction(100, 3))),
]


def inputs(x, rng, count):
    """Scores that rise and fall over some decisions, as a model's do, so that all states are met; and long enough for them."""
    info = np.iinfo(x[0].dtype)
    levels = rng.uniform(info.min, info.max, (3 * count, *x[0].shape)).repeat(6, axis=0)
    noise = rng.normal(0, (info.max - info.min) / 20, levels.shape)
    noise[len(levels) // 2 :] = 0                           # few levels, and held, so that limits are met exactly
    blocks = np.clip(levels + noise, info.min, info.max).astype(x[0].dtype)
    blocks[len(levels) // 2 :] = blocks[len(levels) // 2 :] >> (info.bits - 3) << (info.bits - 3)
    blocks[:6], blocks[6:12] = info.min, info.max
    return [blocks]
