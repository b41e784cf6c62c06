"""Alert on a wake word by the rules of ESPHome's firmware, which microWakeWord models are tuned for.

For each feature frame ("slice", 10 ms), after the model has run if it was due; p are the last `sliding_window_size`
probabilities as 0 .. 255, all 0 at the start; latest is the newest of them:

    rule = "mww_2025"       if latest < cutoff: ignore = min(ignore + 1, 0)
                            event = ignore == 0 and sum(p) > cutoff * sliding_window_size,   cutoff = floor(255 * probability_cutoff)
    rule = "mww_2024_10"    ignore = min(ignore + 1, 0)
                            event = ignore == 0 and float32(sum(p)) / float32(255 * sliding_window_size) > float32(probability_cutoff)

ignore starts at -74; an event sets it to -74 again and all p to 0.  The float comparison is a whole limit on sum(p),
found at plan time by trying every sum.

The detector runs once a score, not once a slice.  An event of the slices between two scores, when `ignore` ends while
the sum is still high, is therefore given with the next score, less than one stride (20 ms for a stride of three) late.

Not expressed, because an app has one model and keeps listening: firmware of 2024.10 has one `ignore` for all its
models, resets all of them on an event, throws away the audio that waits in its buffer, and stops until it is started
again.  With one model and a restart there is no difference but that audio.  The second model that may veto (VAD) is not
part of this detector.  An event's score is the sum; its mean is score / sliding_window_size.

Source: ESPHome, components/micro_wake_word/streaming_model.cpp and micro_wake_word.cpp, releases 2024.10 and 2025.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from tinystream.detectors.smoothed import score_type
from tinystream.errors import AppError
from tinystream.plan.signal import Signal
from tinystream.plan.stage import Detector
from tinystream.plan.step import Step

IGNORED = 74
"""Slices after the start, or an event, without an event: MIN_SLICES_BEFORE_DETECTION."""


class MicroWakeWord(Detector):
    """Alert on a wake word by the rules of ESPHome's firmware, which microWakeWord models are tuned for."""

    probability_cutoff: float = Field(gt=0, lt=1, description="as in the model's manifest")
    sliding_window_size: int = Field(ge=1, le=255, description="scores in the mean, as in the model's manifest")
    rule: Literal["mww_2025", "mww_2024_10"] = Field(default="mww_2025", description="which firmware's")
    feature_step_ms: int = Field(default=10, ge=1, le=100, description="from one feature frame to the next, as in the model's manifest")

    def plan(self, x: Signal) -> Step:
        slices = self._slices(x)
        limit = self.least_sum()
        if limit > 255 * self.sliding_window_size:
            raise AppError(("probability_cutoff",), f"probability_cutoff = {self.probability_cutoff:g} is never exceeded",
                           "probability_cutoff = 0.97")
        return Step(
            module=__name__,
            x=(x,),
            y=Signal((2,), "int32", x.rate_hz, x.scale / self.sliding_window_size, 0, x.unit),
            params=dict(type=score_type(x), zero=x.zero, window=self.sliding_window_size, slices=slices, limit=limit,
                        cool=256 if self.rule == "mww_2024_10" else int(self.probability_cutoff * 255)),
            state=dict(past=np.zeros(self.sliding_window_size, np.uint8), at=0, sum=0, latest=0, ignore=-IGNORED),
            waits=True,
            cost=dict(add=6 + 4 * slices, mem=self.sliding_window_size),
            says=f"{self.rule}: mean of {self.sliding_window_size} above {self.probability_cutoff:g}",
        )

    def ideal(self, x, blocks):
        """The firmware's own words, one slice at a time, with its floats."""
        scale = self.plan(*x).y.scale
        recent, newest, ignore, pending, events = [0] * self.sliding_window_size, 0, -IGNORED, 0, []
        stride = self._slices(x[0])
        for i in range(len(blocks) * stride):
            invoked = i % stride == stride - 1
            if invoked:
                newest = (newest + 1) % len(recent)
                recent[newest] = round(float(blocks[i // stride].item()) / x[0].scale)
            if self.rule == "mww_2024_10" or recent[newest] < int(self.probability_cutoff * 255):
                ignore = min(ignore + 1, 0)
            total = sum(recent)
            mean = np.float32(total) / np.float32(255 * len(recent))
            old = mean > np.float32(self.probability_cutoff)
            new = total > int(self.probability_cutoff * 255) * len(recent)
            if ignore == 0 and (old if self.rule == "mww_2024_10" else new):
                pending, recent, ignore = total, [0] * len(recent), -IGNORED
            if invoked and pending:
                events.append([0, pending * scale])
                pending = 0
        return np.array(events)

    def _slices(self, x: Signal) -> int:
        """Feature frames per score."""
        if x.size != 1 or score_type(x) == -2 or x.zero != np.iinfo(x.dtype).min or x.scale != 2.0**-8:
            raise AppError((), "detector 'micro_wake_word' reads one probability in steps of 1/256, "
                               f"and is given {x} in steps of {x.scale:g}")
        slices = 1000 / (x.rate_hz * self.feature_step_ms)
        if slices.denominator != 1 or not 1 <= slices <= IGNORED:
            raise AppError(("feature_step_ms",), f"a score every {1000 / float(x.rate_hz):g} ms is not a whole number of feature frames of "
                           f"{self.feature_step_ms} ms, 1 to {IGNORED}", f"feature_step_ms = {max(1, round(1000 / x.rate_hz))}")
        return int(slices)

    def least_sum(self) -> int:
        """The smallest sum of probabilities that is an event; above every sum where there is none."""
        if self.rule == "mww_2025":
            return int(self.probability_cutoff * 255) * self.sliding_window_size + 1
        sums = np.arange(255 * self.sliding_window_size + 1).astype(np.float32)
        return int(np.count_nonzero(sums / np.float32(255 * self.sliding_window_size) <= np.float32(self.probability_cutoff)))


BOUND = 1e-6   # the same events; the sum of one in float64


def run(k, s, x):
    event = sum(tick(k, s) for _ in range(k.slices - 1))        # one event at most: slices <= 74
    s.latest = int(x.reshape(-1)[0]) - k.zero
    s.sum += s.latest - int(s.past[s.at])
    s.past[s.at] = s.latest
    s.at = (s.at + 1) % k.window
    event += tick(k, s)
    return None if event == 0 else np.array([0, event], np.int32)


def tick(k, s) -> int:
    """One slice; the sum where it is an event, else 0."""
    if s.latest < k.cool:
        s.ignore = min(s.ignore + 1, 0)
    if s.ignore < 0 or s.sum < k.limit:
        return 0
    event = s.sum
    s.past[:] = s.sum = s.latest = 0
    s.ignore = -IGNORED
    return event


def score(dtype: str, slices: int, step_ms: int = 10) -> Signal:
    return Signal((1,), dtype, Fraction(1000, slices * step_ms), 2.0**-8, int(np.iinfo(dtype).min), unit="probability")


EXAMPLES = [
    (MicroWakeWord(probability_cutoff=0.97, sliding_window_size=5), score("uint8", 3)),
    (MicroWakeWord(probability_cutoff=0.5, sliding_window_size=10), score("int8", 3)),
    (MicroWakeWord(probability_cutoff=0.6, sliding_window_size=3, rule="mww_2024_10"), score("uint8", 3)),
    (MicroWakeWord(probability_cutoff=0.8, sliding_window_size=1, rule="mww_2024_10", feature_step_ms=20), score("int8", 1, 20)),
    (MicroWakeWord(probability_cutoff=0.3, sliding_window_size=255), score("uint8", 2)),
]


def inputs(x, rng, count):
    """Long silences and words: noise alone would never let `ignore` end, nor the mean rise."""
    runs = rng.integers(1, 40, 6 * count)
    levels = np.where(np.arange(runs.size) % 2, rng.integers(150, 256, runs.size), rng.integers(0, 200, runs.size)).repeat(runs)
    noisy = np.clip(levels + rng.integers(-30, 31, levels.size), 0, 255)
    return [(noisy + x[0].zero).astype(x[0].dtype).reshape(-1, *x[0].shape)]
